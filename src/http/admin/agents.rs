//! `/admin/agents`, `/admin/agents/{id}`: agents for Kubernetes, their tokens and what they found.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::AdminError;
use super::page::{ActionForm, Page, Table, Tone, act, badge, link, number, text, time};
use super::{AdminState, flash, id, list};
use crate::http::auth::admin::{ActingAdmin, AdminCaller, AdminForm, AdminQuery};
use crate::services::agent_tokens;
use crate::store::admin::agents::{self, AgentRow};
use crate::store::agent_tokens::{WhichTokens, find_agent};
use crate::store::agents as agent_rows;
use crate::store::paging::{PagePlace, PageRequest};

/// What is asked of a list for one row.
const ONE: PageRequest = PageRequest { place: PagePlace::Start, rows: 1 };

/// The agents.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page = agents::list(&state.db, None, &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/agents", &query, &page, AgentRow::key);
    let rows = page.rows.into_iter().map(|agent| {
        let findings = if agent.findings.is_empty() { text("none") } else { badge(Tone::Doubtful, agent.findings) };
        [
            link(format!("/admin/agents/{}", agent.id), agent.name),
            link(format!("/admin/projects/{}", agent.project_id), agent.project),
            number(agent.tokens),
            time(agent.last_used_at),
            findings,
        ]
    });
    let head = ["Agent", "Configured by", "Good tokens", "Last seen", "Open findings"];
    let table = Table::new("Agents for Kubernetes", &head, "There are none.").rows(rows).paged(before, after);
    Ok(Page::new("Agents").table(table).show(&caller))
}

/// An agent.
pub async fn show(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(agent): Path<String>,
) -> Result<Response, AdminError> {
    let agent_id = id(&agent, "agent")?;
    let agent = agents::list(&state.db, Some(agent_id), &ONE).await?.rows.pop().ok_or(AdminError::NoSuch("agent"))?;
    let tokens = agents::list_tokens(&state.db, agent_id).await?;
    let facts = [
        ("Configured by", link(format!("/admin/projects/{}", agent.project_id), agent.project)),
        ("Last seen", time(agent.last_used_at)),
        ("Open findings", text(if agent.findings.is_empty() { "none".to_owned() } else { agent.findings })),
    ];
    let head = ["Token", "State", "Made", "Last used"];
    let mut table = Table::new("Tokens", &head, "It has none.").with_acts();
    for token in tokens {
        let last = if token.active {
            let form = ActionForm::new("/admin/agents/revoke", "Revoke", format!("the token {}", token.name));
            act(form.with("id", token.id).warned("The agent is refused with this token from its next call on."))
        } else {
            text("")
        };
        let state = if token.active { badge(Tone::Good, "good") } else { badge(Tone::Plain, "revoked") };
        table.row([text(token.name), state, time(Some(token.created_at)), time(token.last_used_at), last]);
    }
    Ok(Page::new(format!("Agent {}", agent.name)).facts("", facts).table(table).show(&caller))
}

/// Revokes a token.
pub async fn revoke(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let gone = || AdminError::NoSuch("token that is good");
    let id = form.number("id").ok_or_else(gone)?;
    let (agent, _) = find_agent(&state.db, id).await?.ok_or_else(gone)?;
    let agent = agent_rows::find(&state.db, agent).await?.ok_or_else(gone)?;
    let project = agents::list(&state.db, Some(agent.id.0), &ONE).await?.rows.pop().ok_or_else(gone)?.project;
    let (by, now) = (admin.administrator(), state.clock.now());
    let which = WhichTokens::Id(id);
    let revoked = agent_tokens::revoke(&state.db, &agent, &project, which, Some(&by), now).await?;
    let name = revoked.first().ok_or_else(gone)?;
    let said = format!("The token {name} of agent {} was revoked.", agent.name);
    Ok(flash::see_other(&state.auth, &headers, &format!("/admin/agents/{}", agent.id), &said))
}
