//! `/admin/jobs`: the queue, with what was done and failed.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::AdminError;
use super::page::{ActionForm, Field, Filter, Inline, Page, Table, Tone, badge, code, text, time};
use super::{AdminState, flash, list};
use crate::http::auth::admin::{ActingAdmin, AdminCaller, AdminForm, AdminQuery};
use crate::services::tend_queue;
use crate::store::jobs::{self, JobRow};
use crate::store::paging::KeyValue;

const STATES: [(&str, &str); 5] =
    [("", "any"), ("dead", "dead"), ("retrying", "to be tried again"), ("waiting", "waiting"), ("running", "running")];

/// The jobs.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let wanted = STATES.iter().map(|(word, _)| *word).find(|word| !word.is_empty() && *word == query.get("state"));
    let page = jobs::list_page(&state.db, wanted, &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/jobs", &query, &page, |job: &JobRow| vec![KeyValue::Number(job.id)]);
    let head = ["Job", "State", "Does", "Attempts", "Added", "Next", "Last error"];
    let mut table = Table::new("Queue", &head, "There are no such jobs.").with_acts().paged(before, after);
    for job in page.rows {
        let tone = match job.state.as_str() {
            "dead" => Tone::Bad,
            "retrying" => Tone::Doubtful,
            _ => Tone::Plain,
        };
        let about = format!("job {}", job.id);
        let buttons = if job.state == "running" {
            text("")
        } else {
            let retry = ActionForm::new("/admin/jobs/retry", "Retry", about.clone()).with("id", job.id);
            let gone = ActionForm::new("/admin/jobs/drop", "Drop", about)
                .with("id", job.id)
                .warned("What this job was to do is not done, and nobody does it later.");
            vec![Inline::Act(Box::new(retry)), Inline::Act(Box::new(gone))]
        };
        let next = if job.state == "dead" { text("-") } else { time(Some(job.run_at)) };
        table.row([
            text(job.id.to_string()),
            badge(tone, job.state),
            code(job.task),
            text(format!("{} of {}", job.attempts, job.max_attempts)),
            time(Some(job.created_at)),
            next,
            text(job.last_error.as_deref().map(jobs::plain_error).unwrap_or_default()),
            buttons,
        ]);
    }
    let fields = vec![Field::choice("state", "State", query.get("state"), &STATES)];
    Ok(Page::new("Jobs").filter(Filter::new("/admin/jobs", fields)).table(table).show(&caller))
}

/// Tries a job again.
pub async fn retry(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("job"))?;
    let done = tend_queue::retry(&state.db, &[id], Some(&admin.administrator()), state.clock.now()).await?;
    answer(&state, &headers, &done, &format!("Job {id} will be tried again now."))
}

/// Removes a job.
pub async fn drop_job(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("job"))?;
    let done = tend_queue::drop_jobs(&state.db, &[id], Some(&admin.administrator()), state.clock.now()).await?;
    answer(&state, &headers, &done, &format!("Job {id} was dropped."))
}

fn answer(state: &AdminState, headers: &HeaderMap, done: &[i64], said: &str) -> Result<Response, AdminError> {
    if done.is_empty() {
        return Err(AdminError::Refused("This job is done, gone, or being worked on now.".to_owned()));
    }
    Ok(flash::see_other(&state.auth, headers, "/admin/jobs", said))
}
