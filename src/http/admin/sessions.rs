//! `/admin/sessions`: who is signed in, and from where.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::AdminError;
use super::page::{ActionForm, Page, Table, Tone, act, badge, code, link, text, time};
use super::{AdminState, flash};
use crate::domain::admin_session::IDLE;
use crate::http::auth::admin::{ActingAdmin, AdminCaller, AdminForm};
use crate::services::admin_sessions as service;
use crate::store::admin_sessions;

/// Sessions that are shown.
const MOST: i64 = 200;

/// The sessions.
pub async fn list(State(state): State<AdminState>, caller: AdminCaller) -> Result<Response, AdminError> {
    let now = state.clock.now();
    let sessions = admin_sessions::list(&state.db, now, now - IDLE, MOST).await?;
    let own = caller.session().id;
    let head = ["User", "Token", "Right", "From", "Browser", "Began", "Last used", "Ends"];
    let mut table = Table::new("Open sessions", &head, "There are none.").with_acts();
    for session in sessions {
        let right = if session.may_act { badge(Tone::Doubtful, "acts") } else { badge(Tone::Plain, "looks") };
        let last = if session.id == own {
            badge(Tone::Plain, "this one")
        } else {
            let about = format!("the session of {}", session.username);
            act(ActionForm::new("/admin/sessions/end", "End", about).with("id", session.id))
        };
        table.row([
            link(format!("/admin/users/{}", session.user), session.username),
            text(session.token),
            right,
            code(session.ip_address.unwrap_or_default()),
            text(session.user_agent),
            time(Some(session.created_at)),
            time(Some(session.last_used_at)),
            time(Some(session.expires_at)),
            last,
        ]);
    }
    let intro = "A session ends after 30 minutes without use, after 12 hours, and with its token or its user's rights.";
    Ok(Page::new("Sessions").intro(intro).table(table).show(&caller))
}

/// Ends a session.
pub async fn end(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("session"))?;
    let by = admin.administrator();
    if !service::end(&state.db, id, &by, "Ended by an administrator", state.clock.now()).await? {
        return Err(AdminError::NoSuch("session"));
    }
    Ok(flash::see_other(&state.auth, &headers, "/admin/sessions", "The session was ended."))
}
