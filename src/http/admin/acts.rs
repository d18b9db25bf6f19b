//! What forms of several pages do: `/admin/tokens/revoke`, `/admin/keys/remove`. The page that they were on is next.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::AdminError;
use super::page::ActionForm;
use super::sign_in::is_ours;
use super::{AdminState, flash};
use crate::domain::ids::KeyId;
use crate::http::auth::admin::{ActingAdmin, AdminForm};
use crate::services::revoke_credential;

/// The button that revokes a token.
pub fn token_form(id: i64, name: &str, back: &str) -> ActionForm {
    ActionForm::new("/admin/tokens/revoke", "Revoke", format!("the token {name}"))
        .with("id", id)
        .with("back", back)
        .warned("Whatever uses this token is refused from then on. It cannot be taken back.")
}

/// The button that removes a key.
pub fn key_form(id: i64, title: &str, deploy: bool, back: &str) -> ActionForm {
    let warning = if deploy {
        "The key is removed from all projects that it is a deploy key of. It cannot be taken back."
    } else {
        "Whoever signs in with this key is refused from then on. It cannot be taken back."
    };
    ActionForm::new("/admin/keys/remove", "Remove", format!("the key {title}"))
        .with("id", id)
        .with("back", back)
        .warned(warning)
}

/// Revokes a token.
pub async fn revoke_token(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("token"))?;
    let revoked =
        revoke_credential::revoke_token(&state.db, id, Some(&admin.administrator()), state.clock.now()).await?;
    let (user, name) = revoked.ok_or(AdminError::NoSuch("token that is good"))?;
    let said = format!("The token {name} of {user} was revoked.");
    Ok(flash::see_other(&state.auth, &headers, back(&form), &said))
}

/// Removes a key.
pub async fn remove_key(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let id = form.number("id").ok_or(AdminError::NoSuch("key"))?;
    let by = admin.administrator();
    let removed = revoke_credential::remove_key(&state.db, KeyId(id), &by, state.clock.now()).await?;
    let title = removed.ok_or(AdminError::NoSuch("key"))?;
    Ok(flash::see_other(&state.auth, &headers, back(&form), &format!("The key {title} was removed.")))
}

fn back(form: &AdminForm) -> &str {
    Some(form.get("back")).filter(|back| is_ours(back)).unwrap_or("/admin/expiring")
}
