//! An access token of a project or group as clients state it, and as they read it.

use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::access_token::{LEVELS, SCOPES, TokenResource};
use crate::domain::level::AccessLevel;
use crate::domain::token::scopes_from_yaml;
use crate::http::grape::ParameterReader;
use crate::http::rest::entities::{local_moment, moment};
use crate::services::issue_access_token::NewAccessToken;
use crate::store::access_tokens::BotTokenRow;

/// A token of a project or group.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessTokenShape {
    id: i64,
    name: String,
    revoked: bool,
    #[schema(format = DateTime)]
    created_at: String,
    description: Option<String>,
    scopes: Vec<String>,
    /// The bot.
    user_id: i64,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// Whether it is good for anything today.
    active: bool,
    /// The day from which on it is dead.
    #[schema(format = Date)]
    expires_at: Option<String>,
    /// The level of the bot.
    access_level: i32,
    /// `project` or `group`
    resource_type: &'static str,
    /// The project or group.
    resource_id: i64,
    /// The token itself, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<String>,
}

/// What is said of a new token.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct AccessTokenParameters {
    name: String,
    scopes: Vec<String>,
    /// The first day on which it is refused.
    #[schema(format = Date)]
    expires_at: Option<String>,
    description: Option<String>,
    access_level: Option<i32>,
}

/// What is said of a token that takes the place of another.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct RotationParameters {
    /// The first day on which it is refused.
    #[schema(format = Date)]
    expires_at: Option<String>,
}

impl AccessTokenShape {
    /// The token of this project or group, with its text where it was made just now.
    pub fn of(row: BotTokenRow, resource: TokenResource, text: Option<&SecretString>, today: NaiveDate) -> Self {
        Self {
            active: row.is_active(today),
            id: row.id,
            name: row.name,
            revoked: row.revoked,
            created_at: local_moment(row.created_at),
            description: row.description,
            scopes: scopes_from_yaml(&row.scopes),
            user_id: row.user.0,
            last_used_at: row.last_used_at.map(moment),
            expires_at: row.expires_at.map(|day| day.to_string()),
            access_level: row.access_level,
            resource_type: resource.word(),
            resource_id: resource.id(),
            token: text.map(|text| text.expose_secret().to_owned()),
        }
    }
}

/// Reads what is said of a new token.
pub fn declare(reader: &mut ParameterReader<'_>) -> NewAccessToken {
    let name = reader.required::<String>("name").value().unwrap_or_default();
    if reader.value("scopes").is_none() {
        reader.refuse("scopes", "is missing");
    }
    let scopes = reader.choices("scopes", &SCOPES).value().unwrap_or_default();
    NewAccessToken {
        name,
        description: reader.optional("description").value(),
        scopes,
        expires_at: reader.optional("expires_at").value(),
        level: reader.access_level("access_level", &LEVELS).value().unwrap_or(AccessLevel::MAINTAINER),
    }
}
