//! What is done to web hooks, whoever owns them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::{self, HookShape};
use super::test_limiter::TestedOwner;
use crate::crypto::attr_encrypted::ColumnKey;
use crate::domain::ids::WebHookId;
use crate::domain::web_hook::KEPT_EVENTS;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::RowName;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::ServiceError;
use crate::services::audited_change::AuditedChange;
use crate::services::configure_web_hook::{self, HookFault};
use crate::services::hook_payload::InstallationUrls;
use crate::services::pushed_repositories::PushedRepositories;
use crate::services::test_web_hook::{self, HookTestRefusal, HookTester, HookTrigger};
use crate::store::web_hooks::{self, HookOwner, HookRange};

/// What clients are told of a test that succeeded.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedHook {
    message: &'static str,
}

/// Triggers that GitLab knows beside those that never happen here.
const TRIGGERS: [&str; 3] = ["push_events", "tag_push_events", "repository_update_events"];

/// The page of an owner's hooks that is asked for.
pub async fn list(state: &RestState, owner: HookOwner, params: &RestParams) -> Result<Response, RestRefusal> {
    let ((), page) = params.read_list(|_| ())?;
    let range = HookRange { id: None, limit: page.limit(), offset: page.offset() };
    let (rows, more) = page.cut(web_hooks::list_stored(state.db.pool(), owner, range, &key(state)).await?);
    let total = web_hooks::count(state.db.pool(), owner).await?;
    let now = state.clock.now();
    let shapes: Vec<HookShape> = rows.into_iter().map(|row| HookShape::of(row, owner, false, now)).collect();
    Ok(page.answer(&shapes, more, total))
}

/// A hook of the owner.
pub async fn show(state: &RestState, owner: HookOwner, id: WebHookId) -> Result<Json<HookShape>, RestRefusal> {
    let found = web_hooks::list_stored(state.db.pool(), owner, HookRange::one(id), &key(state)).await?.pop();
    let stored = found.ok_or(RestRefusal::NoSuchRow)?;
    Ok(Json(HookShape::of(stored, owner, true, state.clock.now())))
}

/// Makes the hook that is stated.
pub async fn create(
    state: &RestState,
    change: &AuditedChange<'_>,
    owner: HookOwner,
    params: &RestParams,
) -> Result<(StatusCode, Json<HookShape>), RestRefusal> {
    let stated = shape::stated(params, owner, true)?;
    let id = configure_web_hook::add(change, owner, &stated, &key(state)).await.map_err(refusal)?;
    Ok((StatusCode::CREATED, show(state, owner, id).await?))
}

/// Changes the hook as it is stated.
pub async fn update(
    state: &RestState,
    change: &AuditedChange<'_>,
    owner: HookOwner,
    id: WebHookId,
    params: &RestParams,
) -> Result<Json<HookShape>, RestRefusal> {
    let stated = shape::stated(params, owner, false)?;
    if !configure_web_hook::alter(change, owner, id, &stated, &key(state)).await.map_err(refusal)? {
        return Err(RestRefusal::NoSuchRow);
    }
    show(state, owner, id).await
}

/// Removes the hook.
pub async fn delete(
    state: &RestState,
    unmodified: UnmodifiedSince,
    change: &AuditedChange<'_>,
    owner: HookOwner,
    id: WebHookId,
) -> Result<StatusCode, RestRefusal> {
    let stored = web_hooks::list_stored(state.db.pool(), owner, HookRange::one(id), &key(state)).await?.pop();
    unmodified.check(stored.and_then(|stored| stored.updated_at))?;
    if configure_web_hook::remove(change, owner, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(RestRefusal::NoSuchRow)
    }
}

/// Sends the hook a sample of what it listens to.
pub async fn test(
    state: &RestState,
    change: &AuditedChange<'_>,
    owner: HookOwner,
    id: WebHookId,
    trigger: &str,
) -> Result<(StatusCode, Json<TestedHook>), RestRefusal> {
    let key = key(state);
    let stored = web_hooks::list_stored(state.db.pool(), owner, HookRange::one(id), &key).await?.pop();
    let stored = stored.ok_or(RestRefusal::NoSuchRow)?;
    if !TRIGGERS.contains(&trigger) && !KEPT_EVENTS.contains(&trigger) {
        return Err(RestRefusal::Parameters("trigger does not have a valid value".to_owned()));
    }
    if let Some(seconds) = state.hook_tests.exceeded(tested(owner), change.user()) {
        return Err(RestRefusal::TooOften(seconds));
    }
    let trigger = match trigger {
        "push_events" => HookTrigger::Push,
        "tag_push_events" => HookTrigger::TagPush,
        other => return Err(unprocessable(&format!("There is no sample of {other}."))),
    };
    let tester = HookTester {
        db: &state.db,
        repositories: &PushedRepositories::new(state.gitaly.clone()),
        urls: &InstallationUrls { url: state.url.clone(), ssh_prefix: state.ssh_prefix.clone() },
        outbound: &state.outbound,
        now: change.now,
    };
    test_web_hook::test(tester, owner, &stored, trigger).await.map_err(|error| match error {
        ServiceError::Refused(HookTestRefusal::NoPush) => unprocessable("Ensure the project has at least one commit."),
        ServiceError::Refused(HookTestRefusal::NotTaken(reason)) => unprocessable(&reason),
        ServiceError::Store(error) => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(TestedHook { message: "201 Created" })))
}

fn tested(owner: HookOwner) -> TestedOwner {
    match owner {
        HookOwner::Project(id) => ("project", id.0),
        HookOwner::Group(id) => ("group", id.0),
        HookOwner::Instance => ("instance", 0),
    }
}

/// What stands in the path for a hook is the id of one.
pub fn hook_id(name: &RowName) -> Result<WebHookId, RestRefusal> {
    name.id().map(WebHookId).ok_or(RestRefusal::NoSuchRow)
}

fn unprocessable(said: &str) -> RestRefusal {
    RestRefusal::Message(StatusCode::UNPROCESSABLE_ENTITY, said.into())
}

fn refusal(error: ServiceError<HookFault>) -> RestRefusal {
    match error {
        ServiceError::Refused(fault) => RestRefusal::Error(StatusCode::UNPROCESSABLE_ENTITY, fault.to_string().into()),
        ServiceError::Store(error) => error.into(),
    }
}

fn key(state: &RestState) -> ColumnKey {
    ColumnKey::new(&state.secrets.db_key_base)
}
