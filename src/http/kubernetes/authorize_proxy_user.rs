//! `POST /authorize_proxy_user`: may this user reach the cluster through the agent, and under which name?

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::KubernetesState;
use crate::background::last_used::LastUse;
use crate::crypto::secrets::token_salt;
use crate::domain::ids::AgentId;
use crate::domain::level::AccessLevel;
use crate::domain::presented_token::{TokenNeed, TokenRejection};
use crate::domain::token;
use crate::http::auth::kas::KasCaller;
use crate::http::auth::personal_access_token::TokenRefusal;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, OptionalParameter};
use crate::http::openapi::FailureResponse;
use crate::store::agent_authorizations::{self, UserAccess};
use crate::store::agents;
use crate::store::tokens::{self, KnownToken};

/// What a personal access token must be made for.
const SCOPE: &str = "k8s_proxy";
/// The roles, as clusters are told of them.
const ROLES: [(AccessLevel, &str); 6] = [
    (AccessLevel::GUEST, "guest"),
    (AccessLevel::PLANNER, "planner"),
    (AccessLevel::REPORTER, "reporter"),
    (AccessLevel::DEVELOPER, "developer"),
    (AccessLevel::MAINTAINER, "maintainer"),
    (AccessLevel::OWNER, "owner"),
];

/// The agent, and what the user shows.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProxyUserParameters {
    /// The agent's id.
    agent_id: i64,
    /// `session_cookie` or `personal_access_token`.
    access_type: String,
    /// The token.
    access_key: String,
    /// Of a session.
    csrf_token: Option<String>,
}

/// The agent, the user, and the account that the cluster sees.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProxyUserResponse {
    agent: ProxyAgent,
    user: ProxyUser,
    /// `agent`, or `user` with the roles in each project and group.
    #[schema(value_type = Object)]
    access_as: Value,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProxyAgent {
    id: i64,
    config_project: ConfigProject,
}

#[derive(Debug, Serialize, ToSchema)]
struct ConfigProject {
    id: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProxyUser {
    id: i64,
    username: String,
}

/// The agent, the user, and the account that the cluster sees (kas.md 2.12). There are no browser sessions here, so a
/// session's cookie is always of an unknown one.
///
/// # Errors
/// 400 where a parameter is wrong, 401 and 403 where the user may not, 404 where there is no such agent.
#[utoipa::path(
    post,
    path = "/kubernetes/authorize_proxy_user",
    request_body(
        content = ProxyUserParameters,
        example = json!({ "agent_id": 1, "access_type": "personal_access_token", "access_key": "glpat-example" })
    ),
    responses(
        (
            status = 201,
            body = ProxyUserResponse,
            example = json!({
                "agent": { "id": 1, "config_project": { "id": 3 } },
                "user": { "id": 7, "username": "rubi" },
                "access_as": { "agent": {} }
            })
        ),
        (status = 403, description = "The user may not use the agent", body = FailureResponse)
    )
)]
pub async fn authorize(
    State(state): State<KubernetesState>,
    _kas: KasCaller,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<ProxyUserResponse>), TokenRefusal> {
    let request = read(&parameters)?;
    let token = match request.access_type.as_str() {
        "personal_access_token" => bearer(&state, &request.access_key).await?,
        _ => return Err(unauthorized("Invalid session")),
    };
    let agent = match request.agent_id {
        Some(id) => agents::find(state.db.pool(), AgentId(id)).await?,
        None => None,
    };
    let agent = agent.ok_or(ApiError::NoSuchRecord)?;
    let user = &token.presented.owner;
    let now = state.clock.now();
    let opened = agent_authorizations::list_user_access(state.db.pool(), agent.id, user.id, now.date_naive()).await?;
    let access_as = access_as(&state, &opened, user.admin)?;
    let agent = ProxyAgent { id: agent.id.0, config_project: ConfigProject { id: agent.project.0 } };
    let user = ProxyUser { id: user.id.0, username: user.username.clone() };
    Ok((StatusCode::CREATED, Json(ProxyUserResponse { agent, user, access_as })))
}

struct ProxyUserRequest {
    agent_id: Option<i64>,
    access_type: String,
    access_key: String,
}

fn read(parameters: &GrapeParameters) -> Result<ProxyUserRequest, ApiError> {
    parameters.read(|reader| {
        let agent_id = reader.required::<i64>("agent_id").value();
        let access_type = reader.required::<String>("access_type");
        let known = |kind: &String| kind == "session_cookie" || kind == "personal_access_token";
        if reader.value("access_type").is_some() && !matches!(&access_type, OptionalParameter::Is(kind) if known(kind))
        {
            reader.refuse("access_type", "does not have a valid value");
        }
        let access_type = access_type.value().unwrap_or_default();
        let access_key = reader.required::<String>("access_key").value().unwrap_or_default();
        if access_type == "session_cookie" {
            reader.filled::<String>("csrf_token");
        }
        ProxyUserRequest { agent_id, access_type, access_key }
    })
}

/// The user's token, where it is good and made for this.
async fn bearer(state: &KubernetesState, access_key: &str) -> Result<KnownToken, TokenRefusal> {
    let settings = &state.settings;
    let digest = token::digest(access_key, token_salt(&settings.db_key_base));
    let known = tokens::find_known(state.db.pool(), &digest).await?;
    let known = known.ok_or_else(|| ApiError::BadRequest("Unable to get user from request data".to_owned()))?;
    let now = state.clock.now();
    known
        .presented
        .judge(TokenNeed::Any, now.date_naive())
        .and_then(|()| {
            let made_for_this = known.presented.scopes.iter().any(|scope| scope == SCOPE);
            if made_for_this { Ok(()) } else { Err(TokenRejection::Scope(SCOPE)) }
        })
        .map_err(|rejection| TokenRefusal::of(rejection, &settings.url))?;
    state.last_used.note(LastUse::token(&known, now));
    Ok(known)
}

/// The account that the cluster sees: the agent itself, or the user with their roles.
fn access_as(state: &KubernetesState, opened: &[UserAccess], admin: bool) -> Result<Value, TokenRefusal> {
    let Some(first) = opened.first() else {
        return Err(forbidden("`user_access` keyword is not found in agent config file."));
    };
    let Some(access_as) = first.config.get("access_as").and_then(Value::as_object).filter(|keys| !keys.is_empty())
    else {
        return Err(forbidden("`access_as` is not found under the `user_access` keyword."));
    };
    let ("agent" | "user", 1) = (access_as.keys().next().map_or("", String::as_str), access_as.len()) else {
        return Err(forbidden("`access_as` must exist only once under the `user_access` keyword."));
    };
    let reached: Vec<&UserAccess> = opened.iter().filter(|place| place.level >= AccessLevel::DEVELOPER).collect();
    if reached.is_empty() && !admin {
        return Err(forbidden("You must be a member of `projects` or `groups` under the `user_access` keyword."));
    }
    if access_as.contains_key("agent") {
        return Ok(json!({ "agent": {} }));
    }
    if !state.settings.features.cluster_agents_user_impersonation {
        return Err(forbidden("User impersonation requires EEP license."));
    }
    let of = |group: bool| -> Vec<Value> {
        let places = reached.iter().filter(|place| place.group == group);
        places.map(|place| json!({ "id": place.id, "roles": roles(place.level) })).collect()
    };
    Ok(json!({ "user": { "projects": of(false), "groups": of(true) } }))
}

fn roles(level: AccessLevel) -> Vec<&'static str> {
    ROLES.iter().filter(|(least, _)| level >= *least).map(|(_, name)| *name).collect()
}

fn forbidden(reason: &'static str) -> TokenRefusal {
    // kas logs the reason, and its user reads it.
    TokenRefusal::Plain(ApiError::Forbidden(reason))
}

fn unauthorized(reason: &str) -> TokenRefusal {
    TokenRefusal::Plain(ApiError::Refused(StatusCode::UNAUTHORIZED, format!("401 Unauthorized - {reason}")))
}
