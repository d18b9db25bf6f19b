//! `GET /Users/<id>`: who is this?

use axum::http::StatusCode;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::change::names_version;
use crate::domain::scim::search::USER_SCHEMA;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::query::Query;
use crate::http::scim::{ScimState, user};
use crate::store::scim;

/// The user, active or not.
///
/// # Errors
/// 404 where the scope has no such identity.
pub async fn show(scim: &ScimState, caller: &ScimCaller, id: &str, request: &Parts) -> Result<Response, ScimError> {
    let found = scim::find_user(scim.db.pool(), caller.tenant().scope(), id).await?;
    let found = found.ok_or_else(|| ScimError::NotFound("Resource", id.to_owned()))?;
    let version = user::version(found.updated_at);
    if names_version(&request.headers, &IF_NONE_MATCH, &version) == Some(true) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, version)]).into_response());
    }
    Ok(user::show(StatusCode::OK, &found, caller.base(), &Query::of(&request.uri).projection(USER_SCHEMA)))
}
