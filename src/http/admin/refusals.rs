//! `/admin/refusals`: git attempts that were refused, each with its way to an explanation.

use axum::extract::State;
use axum::response::Response;

use super::error::AdminError;
use super::page::{Cell, Field, Filter, Page, Table, Tone, badge, code, link, text, time};
use super::{AdminState, list};
use crate::http::auth::admin::{AdminCaller, AdminQuery};
use crate::store::access_refusals::{AccessRefusal, KeptRefusal, RefusalFilter};
use crate::store::admin::refusals;
use crate::store::agent_projects::{self, ProjectKey};
use crate::store::sets::paths;

/// The refusals.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let filter = filter(&state, &query).await?;
    let page_of = refusals::list(&state.db, &filter, &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/refusals", &query, &page_of, refusals::key);
    let rows = page_of.rows.into_iter().map(row);
    let head = ["When", "Who", "Where", "Did", "Rule", "Was told", "From", "Request"];
    let table = Table::new("Refused attempts", &head, "None was refused.").rows(rows).paged(before, after);
    let fields = vec![
        Field::search("rule", "Rule", query.get("rule")).hint("its id, such as R13"),
        Field::search("user", "User", query.get("user")).hint("a username"),
        Field::search("project", "Project", query.get("project")).hint("its full path"),
        Field::search("request", "Request", query.get("request")).hint("its correlation id"),
    ];
    let intro = "The newest are kept, and of many at once some: a row says how many before it were not.";
    Ok(Page::new("Refusals").intro(intro).filter(Filter::new("/admin/refusals", fields)).table(table).show(&caller))
}

async fn filter(state: &AdminState, query: &AdminQuery) -> Result<RefusalFilter, AdminError> {
    let some = |name| Some(query.get(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let user = match some("user") {
        None => None,
        Some(name) => {
            let found = paths::list_users(&state.db, &[name.to_lowercase()]).await?;
            Some(found.first().map(|(_, id)| *id).ok_or(AdminError::NoSuch("user"))?)
        }
    };
    let project = match some("project") {
        None => None,
        Some(path) => {
            let found = agent_projects::find(&state.db, &ProjectKey::Path(path)).await?;
            Some(found.map(|project| project.id).ok_or(AdminError::NoSuch("project"))?)
        }
    };
    Ok(RefusalFilter { user, project, rule: some("rule"), correlation_id: some("request"), ..RefusalFilter::default() })
}

fn row(kept: KeptRefusal) -> [Cell; 8] {
    let explain = format!("/admin/explain?{}", attempt(&kept.refusal));
    let refusal = kept.refusal;
    let mut did = text(if refusal.command == "git-receive-pack" { "push" } else { "fetch" });
    if let Some(name) = &refusal.ref_name {
        did.extend(code(name.clone()));
    }
    let mut told = text(refusal.message);
    if refusal.skipped > 0 {
        told.extend(badge(Tone::Doubtful, format!("{} more before it were not kept", refusal.skipped)));
    }
    [
        time(Some(refusal.created_at)),
        match (refusal.user, refusal.username) {
            (Some(user), Some(name)) => link(format!("/admin/users/{user}"), name),
            _ => code(refusal.actor),
        },
        match refusal.project {
            Some(project) => link(format!("/admin/projects/{project}"), refusal.target),
            None => code(refusal.target),
        },
        did,
        link(explain, refusal.rule),
        told,
        code(refusal.client_ip.map(|ip| ip.to_string()).unwrap_or_default()),
        code(refusal.correlation_id),
    ]
}

/// The same attempt, as the page that explains asks for it.
fn attempt(refusal: &AccessRefusal) -> String {
    let (kind, actor) = match refusal.actor.split_once('-') {
        Some((kind @ ("key" | "user"), id)) if id.bytes().all(|byte| byte.is_ascii_digit()) => (kind, id),
        _ => ("username", refusal.actor.as_str()),
    };
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("kind", kind).append_pair("actor", actor).append_pair("project", &refusal.target);
    pairs.append_pair("action", if refusal.command == "git-receive-pack" { "push" } else { "pull" });
    pairs.append_pair("protocol", &refusal.protocol);
    if let Some(name) = &refusal.ref_name {
        pairs.append_pair("ref", name);
        let (old, new) = (refusal.old_id.as_deref().unwrap_or_default(), refusal.new_id.as_deref().unwrap_or_default());
        if !old.is_empty() || !new.is_empty() {
            pairs.append_pair("change", &format!("{old}..{new}"));
        }
    }
    if let Some(ip) = refusal.client_ip {
        pairs.append_pair("ip", &ip.to_string());
    }
    pairs.finish()
}
