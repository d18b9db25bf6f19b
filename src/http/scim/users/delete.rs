//! `DELETE /Users/<id>`: takes the user off, and keeps the identity, so that they can be taken on again.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::change::{Wanted, apply};
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::tenant::ScimTenant;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::{ScimState, no_content};
use crate::store::scim::HeldIdentity;
use crate::store::scim_provisioning::Change;

/// Deactivates, as `PATCH` with `active` false does.
///
/// # Errors
/// 404 for an unknown id, 412 for the last owner of the group.
pub async fn delete(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let change = Change { active: Some(false), extern_uid: None };
    let refused = |held: &HeldIdentity, refusal: ScimRefusal| match (refusal, caller.tenant()) {
        (ScimRefusal::LastOwner, ScimTenant::Group(group)) => {
            ScimError::LastOwner(held.name.clone(), group.name.clone())
        }
        (refusal, _) => ScimError::of_rule(&format!("Error removing {}", held.name), &refusal, false),
    };
    apply(&scim, &caller, &Wanted { id: &id, change: &change, headers: &headers, refused: &refused }).await?;
    Ok(no_content())
}
