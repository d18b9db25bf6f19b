//! Deploy tokens are made for a project or a group, and removed.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::audited_change::AuditedChange;
use crate::domain::audit::EventName;
use crate::domain::deploy_token::{self, PREFIX};
use crate::domain::token;
use crate::store::deploy_tokens::{self, DeployTokenOwner, DeployTokenRow, NewDeployToken};
use crate::store::{self, ids};

/// A deploy token that is to be made.
#[derive(Debug, Clone)]
pub struct StatedDeployToken {
    /// What it is called.
    pub name: String,
    /// With which name it signs in; none is one that has its id in it.
    pub username: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it is over; none is never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A deploy token that was made: its text, which nobody will see again, its id and its row.
#[derive(Debug)]
pub struct IssuedDeployToken {
    /// The text.
    pub text: SecretString,
    /// `deploy_tokens.id`
    pub id: i64,
    /// The row.
    pub row: DeployTokenRow,
}

/// What is stored of a deploy token.
#[must_use]
pub fn sealed(text: &SecretString, db_key_base: &SecretString) -> String {
    let [current, _older] = token::ciphertexts(text.expose_secret(), db_key_base.expose_secret());
    current
}

/// Makes a deploy token.
pub async fn issue(
    change: &AuditedChange<'_>,
    db_key_base: &SecretString,
    owner: DeployTokenOwner,
    stated: &StatedDeployToken,
) -> store::Result<IssuedDeployToken> {
    let text = SecretString::from(token::mint(PREFIX, rand::random()));
    let mut row = DeployTokenRow {
        name: stated.name.clone(),
        username: stated.username.clone(),
        token_encrypted: sealed(&text, db_key_base),
        expires_at: stated.expires_at.unwrap_or_else(deploy_token::forever),
        revoked: false,
        read_repository: false,
        read_registry: false,
        write_registry: false,
        read_package_registry: false,
        write_package_registry: false,
        read_virtual_registry: false,
        write_virtual_registry: false,
    };
    row.set_scopes(&stated.scopes);
    let mut transaction = change.begin().await?;
    let id = ids::take(&mut *transaction, "deploy_tokens", 1).await?[0];
    let new = NewDeployToken { id, owner, creator: Some(change.user()), row: row.clone() };
    deploy_tokens::insert(&mut *transaction, &[new]).await?;
    let message = format!("Scopes: {}", row.scopes().join(", "));
    let object = ("DeployToken", id, stated.name.as_str());
    change.commit(transaction, EventName::DeployTokenIssued, object, message).await?;
    Ok(IssuedDeployToken { text, id, row })
}

/// Removes a deploy token; false where the project or group has no such token.
pub async fn remove(change: &AuditedChange<'_>, owner: DeployTokenOwner, id: i64) -> store::Result<bool> {
    let mut transaction = change.begin().await?;
    let known = deploy_tokens::list(&mut *transaction, &[owner]).await?;
    let Some((_, _, row)) = known.into_iter().find(|(_, known, _)| *known == id) else { return Ok(false) };
    deploy_tokens::delete(&mut *transaction, &[id]).await?;
    change.commit(transaction, EventName::DeployTokenRemoved, ("DeployToken", id, &row.name), "Removed").await?;
    Ok(true)
}
