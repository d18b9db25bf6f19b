//! `GET /authorized_keys`: which key is this that somebody offers to log in with?

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::ShellState;
use crate::http::auth::shell::{ShellCaller, lenient_base64};
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::wire::WireText;
use crate::store::actors::{self, LoginKey};

/// The body of a public key in base64, with or without padding, and nothing around it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuthorizedKeysRequest {
    key: Option<WireText>,
}

/// The key (shell.md 2.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthorizedKeysResponse {
    id: i64,
    title: String,
    created_at: Option<String>,
    expires_at: Option<String>,
    key: String,
    usage_type: &'static str,
}

/// The key, also where it has expired or its owner is blocked: `/allowed` refuses those with a reason.
///
/// # Errors
/// 404 where no key that may authenticate is this one. gitlab-sshd takes any 200 as a login, so it is never empty.
#[utoipa::path(
    get,
    path = "/authorized_keys",
    params(AuthorizedKeysRequest),
    responses((
        status = 200,
        body = AuthorizedKeysResponse,
        example = json!({
            "id": 11, "title": "laptop", "created_at": "2026-01-02T03:04:05.000Z", "expires_at": null,
            "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 Dede Eichmann (localhost)", "usage_type": "auth_and_signing"
        })
    ))
)]
pub async fn show(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<AuthorizedKeysRequest>,
) -> Result<Json<AuthorizedKeysResponse>, ApiError> {
    let offered = request.key.ok_or(ApiError::Missing("key"))?;
    let body = lenient_base64(offered.0.as_bytes()).filter(|body| !body.is_empty()).ok_or(ApiError::NoSuchKey)?;
    let key = actors::find_login_key(shell.db.pool(), &Sha256::digest(body).into()).await?;
    key.map(|key| Json(render(key, &shell.settings.host))).ok_or(ApiError::NoSuchKey)
}

fn render(key: LoginKey, host: &str) -> AuthorizedKeysResponse {
    // The stored comment is often an e-mail address; the owner's name takes its place. OpenSSH reads this as one line
    // of an authorized_keys file, so nothing in it may end the line.
    let mut words = key.key.split_ascii_whitespace();
    let (algorithm, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let line = format!("{algorithm} {body} {} ({host})", key.owner_name);
    AuthorizedKeysResponse {
        id: key.id,
        title: key.title,
        created_at: key.created_at.map(|at| iso(at.and_utc())),
        expires_at: key.expires_at.map(iso),
        key: line.replace(char::is_control, ""),
        usage_type: match key.usage_type {
            1 => "auth",
            2 => "signing",
            _ => "auth_and_signing",
        },
    }
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
