//! `PUT /Users/<id>`: the whole resource again, of which `active` and `externalId` can change.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::change::{Wanted, apply, conflict_or_precondition};
use crate::domain::scim::refusal::Refusal;
use crate::domain::scim::search::USER_SCHEMA;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::{ScimError, attempt};
use crate::http::scim::query::Query;
use crate::http::scim::{ScimState, body, user};
use crate::store::scim::{self, HeldIdentity};
use crate::store::scim_provisioning::Change;

/// What is left out stays as it is: a resource without `active` is no deactivation.
///
/// # Errors
/// 400 for what cannot be read, 404 for an unknown id, 409 and 412 for what the rules refuse.
pub async fn replace(scim: &ScimState, caller: &ScimCaller, id: &str, request: Request) -> Result<Response, ScimError> {
    let projection = Query::of(request.uri()).projection(USER_SCHEMA);
    let headers = request.headers().clone();
    let fields = body::read(request, scim.body_bytes).await?;
    let active = body::get(&fields, "active").map(body::active).transpose()?.flatten();
    let extern_uid = body::get(&fields, "externalId").and_then(body::text).filter(|text| !text.trim().is_empty());
    let change = Change { active, extern_uid };
    let said = Value::Object(fields);
    let refused = |held: &HeldIdentity, refusal: Refusal| ScimError::Refused {
        status: conflict_or_precondition(&refusal),
        attempt: attempt("updating", &held.name, &said),
        refusal,
    };
    let id = apply(scim, caller, &Wanted { id, change: &change, headers: &headers, refused: &refused }).await?;
    let found = scim::find_user(scim.db.pool(), caller.tenant().scope(), &id).await?;
    let found = found.ok_or(ScimError::NotFound("Resource", id))?;
    Ok(user::show(StatusCode::OK, &found, caller.base(), &projection))
}
