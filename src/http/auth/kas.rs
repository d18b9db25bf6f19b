//! kas: what it signs its requests with.

use anyhow::{Context, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use secrecy::{ExposeSecret, SecretString};

/// The name that kas signs with.
pub const ISSUER: &str = "gitlab-kas";
/// Whom kas signs for.
pub const AUDIENCE: &str = "gitlab";

/// The bytes that kas's tokens are signed with: 32 of them, in base64 in the file.
///
/// # Errors
/// Where the secret is anything else.
pub fn key(secret: &SecretString) -> anyhow::Result<Vec<u8>> {
    let key = BASE64_STANDARD.decode(secret.expose_secret()).context("the secret of kas is not base64")?;
    ensure!(key.len() == 32, "the secret of kas has {} bytes and needs 32", key.len());
    Ok(key)
}
