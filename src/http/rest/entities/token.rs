//! Personal access tokens (rest.md 5).

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::{local_moment, moment};
use crate::store::rest::tokens::ListedToken;

/// A token, without its text.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenShape {
    id: i64,
    name: String,
    revoked: bool,
    #[schema(format = DateTime)]
    created_at: String,
    description: Option<String>,
    scopes: Vec<String>,
    user_id: i64,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// Whether it is good for anything today.
    active: bool,
    /// The day from which on it is dead.
    #[schema(format = Date)]
    expires_at: Option<String>,
    /// There where an administrator acts as the user by the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    impersonation: Option<bool>,
    /// There in the answer that made the token, and in no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<String>,
}

impl TokenShape {
    /// The token as it is today.
    #[must_use]
    pub fn of(row: ListedToken, today: NaiveDate) -> Self {
        Self {
            active: row.is_active(today),
            scopes: row.scopes(),
            id: row.id,
            name: row.name,
            revoked: row.revoked,
            created_at: local_moment(row.created_at),
            description: row.description,
            user_id: row.user_id,
            last_used_at: row.last_used_at.map(moment),
            expires_at: row.expires_at.map(|day| day.to_string()),
            impersonation: row.impersonation.then_some(true),
            token: None,
        }
    }

    /// The same with the token's text.
    #[must_use]
    pub fn with_text(self, text: &str) -> Self {
        Self { token: Some(text.to_owned()), ..self }
    }
}
