//! A deploy token as clients state it, and as they read it.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::deploy_token::{self, SCOPES};
use crate::http::grape::ParameterReader;
use crate::http::rest::entities::moment;
use crate::services::issue_deploy_token::StatedDeployToken;
use crate::store::deploy_tokens::DeployTokenRow;

/// A deploy token.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployTokenShape {
    id: i64,
    name: String,
    /// The login that goes with it.
    username: String,
    /// From then on it is refused.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    scopes: Vec<&'static str>,
    revoked: bool,
    expired: bool,
    /// The token itself, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<String>,
}

/// What is said of a new deploy token.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct DeployTokenParameters {
    name: String,
    scopes: Vec<String>,
    /// The login that goes with it; made of its id where it is not said.
    username: Option<String>,
    /// RFC 3339, or a day; for ever where it is not said.
    expires_at: Option<String>,
}

impl DeployTokenShape {
    /// The token with that id, with its text where it was made just now.
    pub fn of(id: i64, row: DeployTokenRow, text: Option<&SecretString>, now: DateTime<Utc>) -> Self {
        Self {
            id,
            scopes: row.scopes(),
            username: row.username.unwrap_or_else(|| deploy_token::default_username(id)),
            expires_at: (row.expires_at < deploy_token::forever()).then(|| moment(row.expires_at)),
            expired: deploy_token::is_expired(row.expires_at, now),
            revoked: row.revoked,
            name: row.name,
            token: text.map(|text| text.expose_secret().to_owned()),
        }
    }
}

/// Reads what is said of a new token.
pub fn declare(reader: &mut ParameterReader<'_>) -> StatedDeployToken {
    let name = reader.required::<String>("name").value().unwrap_or_default();
    if reader.value("scopes").is_none() {
        reader.refuse("scopes", "is missing");
    }
    StatedDeployToken {
        name,
        scopes: reader.choices("scopes", &SCOPES).value().unwrap_or_default(),
        username: reader.optional::<String>("username").value().filter(|name| !name.is_empty()),
        expires_at: reader.optional("expires_at").value(),
    }
}
