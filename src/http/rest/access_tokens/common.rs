//! What is done to access tokens, of projects and of groups alike.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;

use super::shape::{self, AccessTokenShape};
use crate::domain::access_token::AccessTokenFault;
use crate::domain::rest_policy::RestStanding;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::RowName;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::ServiceError;
use crate::services::audited_change::AuditedChange;
use crate::services::issue_access_token::{self, TokenMaker, TokenMint, TokenPlace};
use crate::store::access_tokens::{self, WhichBotTokens};
use crate::store::protections::RowRange;

/// The caller, what they are to the project or group, and whether that suffices to manage its tokens.
pub type Manager<'a> = (&'a RestCaller, RestStanding, bool);

/// Characters of a name or a description at most.
const LONGEST: usize = 255;

/// The page of the tokens that is asked for.
pub async fn list(state: &RestState, place: TokenPlace, params: &RestParams) -> Result<Response, RestRefusal> {
    let words = [("active", true), ("inactive", false)];
    let (active, page) = params.read_list(|reader| reader.choice("state", &words).value())?;
    let range = RowRange { limit: page.limit(), offset: page.offset() };
    let (which, today) = (WhichBotTokens { id: None, active, range }, state.today());
    let (rows, more) = page.cut(access_tokens::list(state.db.pool(), place.namespace(), which, today).await?);
    let total = access_tokens::count(state.db.pool(), place.namespace(), active, today).await?;
    let shape = |row| AccessTokenShape::of(row, place.resource(), None, today);
    Ok(page.answer(&rows.into_iter().map(shape).collect::<Vec<_>>(), more, total))
}

/// A token.
pub async fn show(state: &RestState, place: TokenPlace, name: &RowName) -> Result<Json<AccessTokenShape>, RestRefusal> {
    let id = name.id().ok_or_else(|| unknown(place, name))?;
    let (which, today) = (WhichBotTokens::one(id), state.today());
    let row = access_tokens::list(state.db.pool(), place.namespace(), which, today).await?.pop();
    let row = row.ok_or_else(|| unknown(place, name))?;
    Ok(Json(AccessTokenShape::of(row, place.resource(), None, today)))
}

/// Makes the token that is stated.
pub async fn create(
    state: &RestState,
    change: &AuditedChange<'_>,
    place: TokenPlace,
    (caller, _, allowed): Manager<'_>,
    params: &RestParams,
) -> Result<(StatusCode, Json<AccessTokenShape>), RestRefusal> {
    if !allowed || caller.is_bot() {
        return Err(RestRefusal::BadRequest(AccessTokenFault::NotPermitted(place.resource()).to_string()));
    }
    let new = params.read(shape::declare)?;
    if new.name.trim().is_empty() {
        return Err(RestRefusal::record("name", "can't be blank"));
    }
    let long = |text: &str| text.chars().count() > LONGEST;
    for (name, text) in [("name", Some(new.name.as_str())), ("description", new.description.as_deref())] {
        if text.is_some_and(long) {
            return Err(RestRefusal::record(name, "is too long (maximum is 255 characters)"));
        }
    }
    if new.scopes.is_empty() {
        return Err(RestRefusal::record("scopes", "can't be blank"));
    }
    let issued = issue_access_token::issue(change, mint(state), place, &new, maker(caller)).await.map_err(refusal)?;
    let shape = AccessTokenShape::of(issued.row, place.resource(), Some(&issued.text), change.today());
    Ok((StatusCode::CREATED, Json(shape)))
}

/// Puts a new token in the place of the named one. Bots may do that with the token that they call with.
pub async fn rotate(
    state: &RestState,
    change: &AuditedChange<'_>,
    (place, name): (TokenPlace, &RowName),
    (caller, standing, allowed): Manager<'_>,
    params: &RestParams,
) -> Result<Json<AccessTokenShape>, RestRefusal> {
    let id = if name.0 == "self" { Some(caller.token().id) } else { name.id() };
    let own = caller.is_bot() && id == Some(caller.token().id);
    if !own && (!allowed || caller.is_for_own_token_alone()) {
        return Err(RestRefusal::Unauthorized);
    }
    let missing = || if standing.admin { RestRefusal::NothingFound } else { RestRefusal::Unauthorized };
    let expires_at = params.read(|reader| reader.optional::<NaiveDate>("expires_at"))?.value();
    let id = id.ok_or_else(missing)?;
    let rotated = issue_access_token::rotate(change, mint(state), place, id, expires_at, maker(caller)).await;
    let issued = rotated.map_err(refusal)?.ok_or_else(missing)?;
    Ok(Json(AccessTokenShape::of(issued.row, place.resource(), Some(&issued.text), change.today())))
}

/// Takes a token back.
pub async fn revoke(
    change: &AuditedChange<'_>,
    place: TokenPlace,
    name: &RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    let id = name.id().ok_or_else(|| unknown(place, name))?;
    let which = WhichBotTokens::one(id);
    let row = access_tokens::list(change.db.pool(), place.namespace(), which, change.today()).await?.pop();
    unmodified.check(row.map(|row| row.updated_at))?;
    if issue_access_token::revoke(change, place, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown(place, name))
    }
}

fn unknown(place: TokenPlace, name: &RowName) -> RestRefusal {
    let resource = place.resource().word();
    let said = format!("404 Could not find {resource} access token with token_id: {} Not Found", name.0);
    RestRefusal::Message(StatusCode::NOT_FOUND, said.into())
}

fn refusal(error: ServiceError<AccessTokenFault>) -> RestRefusal {
    match error {
        ServiceError::Refused(fault @ AccessTokenFault::TooLong(_)) => {
            RestRefusal::Message(StatusCode::UNPROCESSABLE_ENTITY, fault.to_string().into())
        }
        ServiceError::Refused(fault) => RestRefusal::BadRequest(fault.to_string()),
        ServiceError::Store(error) => error.into(),
    }
}

fn mint(state: &RestState) -> TokenMint<'_> {
    TokenMint { db_key_base: &state.secrets.db_key_base, host: &state.settings.gitlab.host }
}

fn maker(caller: &RestCaller) -> TokenMaker {
    TokenMaker { admin: caller.is_admin(), bot: caller.is_bot(), external: caller.is_external() }
}
