//! Is this the password of the account, and what becomes of a credential of git over HTTP that is not good?

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::audit_log;
use crate::crypto::passwords;
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, EventName};
use crate::store::git_auth_failures::{self, BanTerms};
use crate::store::{self, Db};

/// How long a password waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a password is compared with where nobody has the login, so that it takes as long as anybody's.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    let hash = bcrypt::hash_with_salt("", 10, [7; 16]);
    hash.map(|hash| hash.format_for_version(bcrypt::Version::TwoA)).unwrap_or_default()
});

/// Compares passwords, on threads beside those that answer requests, and so many at once as there are processors.
#[derive(Debug, Clone)]
pub struct PasswordChecker(Arc<Semaphore>);

impl Default for PasswordChecker {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))))
    }
}

/// So many passwords are compared that this one did not get its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being compared")]
pub struct TooManyPasswords;

impl PasswordChecker {
    /// Whether the hash is the password's; without a hash it is nobody's, and takes as long.
    pub async fn is(&self, password: SecretString, hash: Option<String>) -> Result<bool, TooManyPasswords> {
        let turn = timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        let turn = turn.map_err(|_| TooManyPasswords)?.map_err(|_| TooManyPasswords)?;
        let compared = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODYS.clone());
            passwords::matches(password.expose_secret(), &hash) && known
        });
        Ok(compared.await.unwrap_or_default())
    }
}

/// Counts a credential that is not good, and shuts the address out where it has shown too many. It is written down who
/// did; that it cannot be is no reason to let anybody in, and none to answer otherwise.
pub async fn count_failure(db: &Db, address: IpAddr, login: &str, now: DateTime<Utc>, terms: BanTerms) {
    let event = |name, message: String| AuditEvent {
        name,
        author: AuditAuthor::Unknown,
        entity: AuditEntity::Instance,
        target: None,
        message,
        ip_address: Some(address),
    };
    let counted = async {
        let banned = git_auth_failures::count(db.pool(), address, login, now, terms).await?;
        audit_log::record(db, &event(EventName::GitCredentialRefused, String::new()), now).await?;
        if banned {
            metrics::counter!("gatehouse_git_auth_bans_total").increment(1);
            let message = format!("until {}", (now + terms.lasts).format("%Y-%m-%dT%H:%M:%SZ"));
            audit_log::record(db, &event(EventName::GitAddressBanned, message), now).await?;
        }
        store::Result::Ok(())
    };
    if let Err(error) = counted.await {
        tracing::warn!(%error, "could not count a credential that is not good");
    }
}

/// Forgets what a login has failed before, once it is right.
pub async fn forget_failures(db: &Db, address: IpAddr, login: &str) {
    if let Err(error) = git_auth_failures::forget(db.pool(), address, login).await {
        tracing::warn!(%error, "could not forget the failures of a login");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_of_every_version_are_compared_and_72_bytes_count() {
        let checker = PasswordChecker::default();
        let password = "x".repeat(72);
        let hash = bcrypt::hash_with_salt(&password, 4, [1; 16]).unwrap();
        for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
            let hash = Some(hash.format_for_version(version));
            assert!(checker.is(format!("{password}y").into(), hash.clone()).await.unwrap());
            assert!(!checker.is("x".into(), hash).await.unwrap());
        }
        assert!(!checker.is("".into(), None).await.unwrap());
        assert!(!checker.is("x".into(), Some("$pbkdf2-sha512$x".to_owned())).await.unwrap());
    }
}
