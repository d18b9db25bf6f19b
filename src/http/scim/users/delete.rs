//! `DELETE /Users/<id>`: takes the user off, and keeps the identity, so that they can be taken on again.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::change::{Wanted, apply};
use crate::domain::scim::refusal::Refusal;
use crate::domain::scim::tenant::Tenant;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::{ScimState, no_content};
use crate::store::scim_provisioning::Change;

/// Deactivates, as `PATCH` with `active` false does.
///
/// # Errors
/// 404 for an unknown id, 412 for the last owner of the group.
pub async fn delete(scim: &ScimState, caller: &ScimCaller, id: &str, request: &Parts) -> Result<Response, ScimError> {
    let change = Change { active: Some(false), extern_uid: None };
    let refused = |held: &crate::store::scim::HeldIdentity, refusal: Refusal| match (refusal, caller.tenant()) {
        (Refusal::LastOwner, Tenant::Group(group)) => {
            ScimError::LastOwner { user: held.name.clone(), group: group.name.clone() }
        }
        (refusal, _) => ScimError::Refused {
            status: StatusCode::PRECONDITION_FAILED,
            attempt: format!("Error removing {}", held.name),
            refusal,
        },
    };
    apply(scim, caller, &Wanted { id, change: &change, headers: &request.headers, refused: &refused }).await?;
    Ok(no_content())
}
