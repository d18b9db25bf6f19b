//! `/admin/audit`, `/admin/audit.csv`: what happened to credentials and by administrators.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, SecondsFormat, Utc};
use futures_util::stream;

use super::error::AdminError;
use super::page::{Field, Filter, Page, Table, code, text, time};
use super::{AdminState, list};
use crate::domain::audit::{AuditEntity, EventName};
use crate::http::auth::admin::{AdminCaller, AdminQuery};
use crate::services::audit_log;
use crate::store::admin::audit::{self, EventFilter};
use crate::store::audit_events::EventRow;
use crate::store::paging::{PagePlace, PageRequest};
use crate::store::sets::paths;
use crate::store::{self, Db};

/// Events that a file has at most.
const MOST: usize = 100_000;
/// Events that are read at once for a file.
const BATCH: usize = 1000;

/// The events.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let filter = filter(&state, &query).await?;
    let page_of = audit::list(&state.db, &filter, &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/audit", &query, &page_of, |event| filter.key(event));
    let rows = page_of.rows.iter().map(|event| {
        [
            time(Some(event.created_at.and_utc())),
            code(event.detail("event_name").unwrap_or_default()),
            text(event.author.clone()),
            text(event.entity.clone()),
            text(event.target.clone()),
            code(event.ip_address.clone().unwrap_or_default()),
            text(event.detail("custom_message").unwrap_or_default()),
        ]
    });
    let head = ["When", "Event", "By", "On", "With", "From", "Message"];
    let table = Table::new("Events", &head, "There are no such events.").rows(rows).paged(before, after);
    let names: Vec<(&str, &str)> =
        std::iter::once(("", "any")).chain(EventName::ALL.iter().map(|name| (name.as_str(), name.as_str()))).collect();
    let fields = vec![
        Field::choice("event", "Event", query.get("event"), &names),
        Field::search("author", "By the user", query.get("author")).hint("a username"),
        Field::search("entity", "On", query.get("entity")).hint("such as User-7, Group-3 or Project-12"),
        Field::day("since", "From the day", query.get("since")),
        Field::day("until", "To the day", query.get("until")),
    ];
    let mut file = form_urlencoded::Serializer::new(String::new());
    for name in ["event", "author", "entity", "since", "until"] {
        if !query.get(name).is_empty() {
            file.append_pair(name, query.get(name));
        }
    }
    let file = format!("/admin/audit.csv?{}", file.finish());
    let page = Page::new("Audit")
        .filter(Filter::new("/admin/audit", fields))
        .table(table)
        .links(&[(&file, "These events as CSV, the newest hundred thousand at most")]);
    Ok(page.show(&caller))
}

/// What the query asks for. A name that nobody has matches nothing.
async fn filter(state: &AdminState, query: &AdminQuery) -> Result<EventFilter, AdminError> {
    let author = match query.get("author") {
        "" => None,
        name => {
            let found = paths::list_users(&state.db, &[name.to_lowercase()]).await?;
            let id = found.first().map(|(_, id)| id.0);
            Some(id.ok_or(AdminError::NoSuch("user"))?)
        }
    };
    let entity = match query.get("entity") {
        "" => None,
        text => {
            let (kind, id) = text.split_once('-').ok_or(AdminError::NoSuch("thing to search for"))?;
            let id = super::id(id, "thing to search for")?;
            let known = ["User", "Group", "Project"].contains(&kind);
            Some(known.then(|| (kind.to_owned(), id)).ok_or(AdminError::NoSuch("thing to search for"))?)
        }
    };
    let event = EventName::ALL.iter().find(|name| name.as_str() == query.get("event"));
    let day = |name| query.get(name).parse::<NaiveDate>().ok();
    let begin = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    Ok(EventFilter {
        event: event.map(|name| name.as_str().to_owned()),
        author,
        entity,
        since: day("since").map(begin),
        until: day("until").and_then(|day| day.checked_add_days(Days::new(1))).map(begin),
    })
}

/// The events as a file, read as it is sent.
pub async fn csv(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let filter = filter(&state, &query).await?;
    let now = state.clock.now();
    let event = caller.administrator().event(EventName::AuditEventsExported, AuditEntity::Instance, query.text.clone());
    audit_log::record(&state.db, &event, now).await?;
    let rows = Rows { db: state.db.clone(), filter, place: PagePlace::Start, sent: 0, head: true };
    let body = Body::from_stream(stream::try_unfold(Some(rows), next));
    let name = format!("attachment; filename=\"audit-{}.csv\"", stamp(now));
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)], body).into_response())
}

fn stamp(now: DateTime<Utc>) -> String {
    now.format("%Y%m%d-%H%M%S").to_string()
}

struct Rows {
    db: Db,
    filter: EventFilter,
    place: PagePlace,
    sent: usize,
    head: bool,
}

async fn next(rows: Option<Rows>) -> store::Result<Option<(String, Option<Rows>)>> {
    let Some(mut rows) = rows else { return Ok(None) };
    let request = PageRequest { place: rows.place, rows: BATCH };
    let page = audit::list(&rows.db, &rows.filter, &request).await?;
    let mut text = String::new();
    if rows.head {
        text.push_str("time,event,by,on,with,from,message\r\n");
    }
    for event in &page.rows {
        line(&mut text, event);
    }
    rows.sent += page.rows.len();
    let last = page.rows.last().map(|event| rows.filter.key(event));
    let more = last.filter(|_| page.has_after && rows.sent < MOST);
    Ok(Some((text, more.map(|key| Rows { place: PagePlace::After(key), head: false, ..rows }))))
}

fn line(text: &mut String, event: &EventRow) {
    let time = event.created_at.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true);
    let fields = [
        time.as_str(),
        &event.detail("event_name").unwrap_or_default(),
        &event.author,
        &event.entity,
        &event.target,
        event.ip_address.as_deref().unwrap_or_default(),
        &event.detail("custom_message").unwrap_or_default(),
    ];
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}

/// A field in quotes. Spreadsheets take what begins with some signs for a formula: an apostrophe before it says that it is
/// none.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_are_quoted_and_formulas_are_texts() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
