//! LFS tokens: what `/lfs_authenticate` hands out for the LFS server to check (shell.md 4.3).

use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::LEEWAY;
use crate::domain::ids::{KeyId, ProjectId, UserId};

/// Whose token it is.
#[derive(Debug, Clone, Copy)]
pub enum LfsBearer<'a> {
    /// A user, with their username.
    User(UserId, &'a str),
    /// A deploy key.
    DeployKey(KeyId),
}

impl LfsBearer<'_> {
    /// The name that the LFS client logs in with.
    #[must_use]
    pub fn login(&self) -> String {
        match self {
            Self::User(_, username) => (*username).to_owned(),
            Self::DeployKey(id) => format!("lfs+deploy-key-{id}"),
        }
    }

    fn kind_and_id(&self) -> (&'static str, i64) {
        match self {
            Self::User(id, _) => ("user", id.0),
            Self::DeployKey(id) => ("deploy_key", id.0),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct LfsClaims {
    data: LfsClaimsData,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct LfsClaimsData {
    actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container_gid: Option<String>,
    /// `download` where it is good for nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
}

/// What a token that is good says.
#[derive(Debug, Clone, Copy)]
pub struct VerifiedLfsToken {
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
    /// Whether it is good for uploads too.
    pub uploads: bool,
}

/// What a token is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LfsTokenUse {
    /// Both ways.
    Both,
    /// Downloads alone.
    Download,
}

/// A token for one repository's LFS, good from five seconds before `now` on. `tail` is the part of the bearer's own
/// credential that revokes the token when it changes: a password's hash, or a key's fingerprint.
///
/// # Panics
/// Never: HS256 and HMAC take keys of any length.
#[must_use]
pub fn mint(
    bearer: &LfsBearer<'_>,
    (project, operation): (ProjectId, LfsTokenUse),
    tail: &[u8],
    db_key_base: &SecretString,
    now: DateTime<Utc>,
    lifetime: Duration,
) -> String {
    let iat = now.timestamp();
    let claims = LfsClaims {
        data: LfsClaimsData {
            actor: bearer.login(),
            container_gid: Some(container_gid(project)),
            operation: (operation == LfsTokenUse::Download).then(|| "download".to_owned()),
        },
        jti: Uuid::new_v4(),
        iat,
        nbf: iat - 5,
        exp: iat + i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 2),
    };
    let key = EncodingKey::from_secret(&signing_key(bearer, tail, db_key_base));
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("HS256 signs with a key of any length")
}

/// What a token is good for, where it is good: signed for this bearer, of now, and for this project where it names one.
#[must_use]
pub fn verify(
    token: &str,
    bearer: &LfsBearer<'_>,
    project: Option<ProjectId>,
    tail: &[u8],
    db_key_base: &SecretString,
    now: DateTime<Utc>,
) -> Option<VerifiedLfsToken> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp"]);
    // Times are judged below, by a clock that tests can hold.
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(&signing_key(bearer, tail, db_key_base));
    let claims = jsonwebtoken::decode::<LfsClaims>(token, &key, &validation).ok()?.claims;
    let now = now.timestamp();
    let of_now = claims.exp > now.saturating_sub(LEEWAY)
        && claims.nbf <= now.saturating_add(LEEWAY)
        && claims.iat <= now.saturating_add(LEEWAY);
    let for_project = match (claims.data.container_gid, project) {
        (Some(gid), Some(project)) => gid == container_gid(project),
        (None, _) | (_, None) => true,
    };
    let by_bearer: bool = claims.data.actor.as_bytes().ct_eq(bearer.login().as_bytes()).into();
    let uploads = claims.data.operation.is_none_or(|operation| operation == "upload");
    let expires_at = DateTime::from_timestamp(claims.exp, 0)?;
    (of_now && for_project && by_bearer).then_some(VerifiedLfsToken { expires_at, uploads })
}

fn container_gid(project: ProjectId) -> String {
    format!("gid://gitlab/Project/{project}")
}

/// The key of one bearer's tokens: HMAC of the bearer under the instance's secret. The parts are told apart by their
/// lengths, so that no two bearers share a key.
fn signing_key(bearer: &LfsBearer<'_>, tail: &[u8], db_key_base: &SecretString) -> [u8; 32] {
    let (kind, id) = bearer.kind_and_id();
    let key = db_key_base.expose_secret().as_bytes();
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in [b"lfs".as_slice(), kind.as_bytes(), &id.to_be_bytes(), tail] {
        hmac.update(&(part.len() as u64).to_be_bytes());
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}
