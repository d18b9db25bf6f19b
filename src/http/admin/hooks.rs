//! `/admin/hooks`, `/admin/hooks/{id}`: web hooks, how their receivers do, and what waits for them.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::error::AdminError;
use super::page::{
    ActionForm, Cell, Field, Filter, Page, Table, Tone, act, badge, code, link, local, number, text, time,
};
use super::sign_in::is_ours;
use super::{AdminState, flash, id, list};
use crate::domain::ids::WebHookId;
use crate::domain::web_hook::HookReadiness;
use crate::http::auth::admin::{ActingAdmin, AdminCaller, AdminForm, AdminQuery};
use crate::services::tend_queue;
use crate::store::admin::hooks::{self, HookRow};

/// The hooks.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let failing = query.get("failing") == "1";
    let page = hooks::list(&state.db, failing, &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/hooks", &query, &page, HookRow::key);
    let table = table("Hooks", page.rows, state.clock.now(), "/admin/hooks").paged(before, after);
    let choices = [("", "all"), ("1", "those that fail")];
    let fields = vec![Field::choice("failing", "Which", query.get("failing"), &choices)];
    Ok(Page::new("Web hooks").filter(Filter::new("/admin/hooks", fields)).table(table).show(&caller))
}

/// A table of hooks.
pub fn table(heading: &str, hooks: Vec<HookRow>, now: DateTime<Utc>, back: &str) -> Table {
    let head = ["Hook", "Of", "Told of", "State", "Failures"];
    let mut table = Table::new(heading, &head, "There are none.").with_acts();
    for hook in hooks {
        let name = if hook.name.is_empty() { format!("hook {}", hook.id) } else { hook.name.clone() };
        let last = if hook.recent_failures > 0 { act(enable_form(hook.id, back)) } else { text("") };
        table.row([
            link(format!("/admin/hooks/{}", hook.id), name),
            text(hook.owner.clone().unwrap_or_else(|| "the installation".to_owned())),
            text(hook.events.clone()),
            readiness(&hook, now),
            number(hook.recent_failures),
            last,
        ]);
    }
    table
}

fn readiness(hook: &HookRow, now: DateTime<Utc>) -> Cell {
    match hook.health().readiness(now) {
        HookReadiness::Ready if hook.recent_failures == 0 => badge(Tone::Good, "ready"),
        HookReadiness::Ready => badge(Tone::Doubtful, "fails"),
        HookReadiness::PausedUntil(until) => {
            let mut cell = badge(Tone::Doubtful, "pauses until");
            cell.extend(time(Some(until)));
            cell
        }
        HookReadiness::Disabled => badge(Tone::Bad, "disabled"),
    }
}

fn enable_form(id: i64, back: &str) -> ActionForm {
    ActionForm::new("/admin/hooks/enable", "Enable", format!("hook {id}")).with("id", id).with("back", back)
}

/// A hook.
pub async fn show(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(hook): Path<String>,
) -> Result<Response, AdminError> {
    let number_of = id(&hook, "web hook")?;
    let hook = hooks::find(&state.db, number_of).await?.ok_or(AdminError::NoSuch("web hook"))?;
    let (answers, waiting) =
        tokio::try_join!(hooks::list_answers(&state.db, number_of), hooks::list_waiting(&state.db, number_of))?;
    let now = state.clock.now();
    let back = format!("/admin/hooks/{number_of}");
    let facts = [
        ("Name", text(hook.name.clone())),
        ("Of", text(hook.owner.clone().unwrap_or_else(|| "the installation".to_owned()))),
        ("Told of", text(hook.events.clone())),
        ("State", readiness(&hook, now)),
        ("Failures in a row", number(hook.recent_failures)),
    ];
    let has_waiting = !waiting.is_empty();
    let waiting = waiting.into_iter().map(|delivery| {
        [code(delivery.id.to_string()), text(delivery.trigger), time(Some(delivery.created_at)), code(delivery.body)]
    });
    let waiting =
        Table::new("To be delivered", &["Delivery", "Event", "Since", "Request"], "Nothing waits.").rows(waiting);
    let answers = answers.into_iter().map(|answer| {
        let tone = if answer.status.starts_with('2') { Tone::Good } else { Tone::Bad };
        let outcome = answer.error.map_or_else(|| badge(tone, answer.status), |error| badge(Tone::Bad, error));
        let again = || {
            let form =
                ActionForm::new("/admin/hooks/resend", "Send again", format!("what was sent for {}", answer.trigger));
            act(form.with("id", number_of).with("log", answer.id))
        };
        let again = if answer.repeatable { again() } else { text("") };
        [
            local(Some(answer.created_at)),
            text(answer.trigger),
            outcome,
            answer.seconds.map_or_else(|| text("-"), |seconds| text(format!("{seconds:.3} s"))),
            code(answer.request),
            code(answer.body),
            again,
        ]
    });
    let head = ["When", "Event", "Answer", "Took", "Request", "Body"];
    let answers = Table::new("Answers", &head, "It was told nothing yet.").with_acts().rows(answers);
    let mut page = Page::new(format!("Web hook {number_of}"))
        .intro("Where it posts to is not shown: a URL may hold a secret.")
        .facts("", facts);
    if hook.recent_failures > 0 {
        page = page.form(enable_form(number_of, &back));
    }
    if has_waiting {
        let about = format!("what waits for hook {number_of}");
        let form = ActionForm::new("/admin/hooks/redeliver", "Deliver now", about).with("id", number_of);
        page = page.form(form);
    }
    Ok(page.table(waiting).table(answers).show(&caller))
}

/// Enables a hook.
pub async fn enable(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("web hook"))?;
    let by = admin.administrator();
    let done = tend_queue::enable_hooks(&state.db, &[id], Some(&by), state.clock.now()).await?;
    if done.is_empty() {
        return Err(AdminError::NoSuch("web hook"));
    }
    let back = Some(form.get("back")).filter(|back| is_ours(back)).unwrap_or("/admin/hooks");
    let said = format!("Hook {id} was enabled, and what waits for it is delivered now.");
    Ok(flash::see_other(&state.auth, &headers, back, &said))
}

/// Delivers what waits for a hook.
pub async fn redeliver(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("web hook"))?;
    let number = tend_queue::redeliver(&state.db, id, &admin.administrator(), state.clock.now()).await?;
    let said = match number {
        0 => format!("Nothing waits for hook {id}."),
        1 => format!("One delivery of hook {id} is sent now."),
        number => format!("{number} deliveries of hook {id} are sent now."),
    };
    Ok(flash::see_other(&state.auth, &headers, &format!("/admin/hooks/{id}"), &said))
}

/// Sends a hook again what it was told before.
pub async fn resend(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("web hook"))?;
    let log = form.number("log").ok_or(AdminError::NoSuch("answer"))?;
    let by = admin.administrator();
    if !tend_queue::resend(&state.db, WebHookId(id), log, &by, state.clock.now()).await? {
        return Err(AdminError::Refused("What was sent is not kept any more, or waits to be delivered.".to_owned()));
    }
    Ok(flash::see_other(&state.auth, &headers, &format!("/admin/hooks/{id}"), "It is sent again now."))
}
