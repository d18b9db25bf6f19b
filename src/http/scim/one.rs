//! `GET /Users/{id}`: one user, active or not.

use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::error::ScimError;
use super::{ScimState, projection_of, user};
use crate::domain::scim::filter::Operator;
use crate::domain::scim::search::{Condition, Order, TextField};
use crate::http::auth::scim::ScimCaller;
use crate::store::scim_search::{self, FoundUser, Page};

/// The user, or 304 where the client has that version already.
///
/// # Errors
/// 404 where nobody in the scope has the id.
pub async fn get(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ScimError> {
    let found = find(&scim, &caller, &id).await?;
    let version = user::version(found.updated_at);
    if headers.get(IF_NONE_MATCH).is_some_and(|known| names(known.to_str().unwrap_or_default(), &version)) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, version)]).into_response());
    }
    Ok(user::answer(&caller, &found, &projection_of(query.as_deref()), StatusCode::OK))
}

/// The user of that id, in any letter case.
///
/// # Errors
/// 404 where there is none.
pub async fn find(scim: &ScimState, caller: &ScimCaller, id: &str) -> Result<FoundUser, ScimError> {
    let condition = Condition::Text(TextField::Id, Operator::Equal, id.to_owned());
    let page = Page { offset: 0, limit: 2 };
    let found = scim_search::list(&scim.db, caller.scope(), Some(&condition), Order::default(), page).await?;
    found.users.into_iter().next().ok_or_else(|| ScimError::NoSuchResource(id.to_owned()))
}

/// Whether a list of entity tags has this one. Ours are weak, and so is the comparison.
#[must_use]
pub fn names(tags: &str, version: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| plain(tag) == plain(version))
}
