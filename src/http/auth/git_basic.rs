//! The users of git over HTTP: a login with a password or a token, or nobody (`git_http.md` 3).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha512};

use crate::background::access_facts_batcher::AccessFactsBatcher;
use crate::background::last_used::{LastUse, LastUsedWriter};
use crate::config::GitBasicAuthSettings;
use crate::crypto::secrets::token_salt;
use crate::domain::access::{AccessFacts, AccessProtocol, ActorName, Attempt, GitCommand, anybody_may_download};
use crate::domain::git_credential::{self, CI_LOGIN, CredentialName, CredentialSettings, CredentialVerdict, LONGEST};
use crate::domain::ids::ProjectId;
use crate::domain::token;
use crate::http::auth::lfs_token::{self, LfsBearer, LfsTokenUse, VerifiedLfsToken};
use crate::services::check_git_password::{self, PasswordChecker, TooManyPasswords};
use crate::store::git_auth_failures::BanTerms;
use crate::store::{self, Db};

/// A login and what was typed as its password.
#[derive(Debug, Clone)]
pub struct BasicCredential {
    /// The login; may be empty.
    pub login: String,
    /// The password, or a token.
    pub secret: SecretString,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub enum PresentedCredential {
    /// Nothing that counts here.
    Nothing,
    /// Something that is nobody's, whatever it is.
    Garbage,
    /// A login and a password.
    Basic(BasicCredential),
}

impl PresentedCredential {
    /// What the header `Authorization` says. Other schemes than Basic do not count.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(AUTHORIZATION) else { return Self::Nothing };
        let Ok(value) = value.to_str() else { return Self::Garbage };
        let (scheme, encoded) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("basic") {
            return Self::Nothing;
        }
        let decoded = BASE64_STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((login, secret)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
            return Self::Garbage;
        };
        // No column holds a NUL.
        let fit = |text: &str| text.len() <= LONGEST && !text.contains('\0');
        if !(fit(login) && fit(secret)) {
            return Self::Garbage;
        }
        Self::Basic(BasicCredential { login: login.to_owned(), secret: secret.into() })
    }
}

/// Why nobody is let in.
#[derive(Debug)]
pub enum CredentialRefusal {
    /// There is no credential where one is needed, or it is not good.
    Unauthorized,
    /// It is no token, and passwords are not taken.
    PasswordsClosed,
    /// The address has shown too many that are not good.
    Banned,
    /// The database failed.
    Store(store::Error),
    /// More passwords are being compared than there is time for.
    Busy(TooManyPasswords),
    /// The login names a deploy key that does not exist.
    NoSuchDeployKey,
}

/// Who a request of LFS comes from.
#[derive(Debug)]
pub struct LfsClient {
    /// The facts, for whoever it is by now.
    pub facts: AccessFacts,
    /// What was shown for it.
    pub bearer: LfsCredential,
}

/// What a request of LFS was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LfsCredential {
    /// Nothing.
    Nothing,
    /// A user's token or password.
    User,
    /// A deploy token.
    DeployToken,
    /// An LFS token, good for uploads or not.
    LfsToken {
        /// Whether it is good for uploads.
        uploads: bool,
    },
}

impl From<store::Error> for CredentialRefusal {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// What credentials are judged by.
#[derive(Debug, Clone)]
pub struct GitBasicAuth {
    /// The facts of an attempt, those of its credential among them.
    pub access: AccessFactsBatcher,
    /// Where failures are counted.
    pub db: Db,
    /// Where passwords are compared.
    pub passwords: PasswordChecker,
    /// Notes of which token was used.
    pub last_used: LastUsedWriter,
    /// What digests and ciphertexts of tokens depend on.
    pub db_key_base: SecretString,
    /// Which credentials are taken.
    pub settings: CredentialSettings,
    /// How often an address may be wrong; none for any number of times.
    pub bans: Option<BanSettings>,
}

/// How often an address may be wrong.
#[derive(Debug, Clone)]
pub struct BanSettings {
    terms: BanTerms,
    exempt: Arc<[IpNet]>,
}

impl BanSettings {
    /// As the settings file says.
    #[must_use]
    pub fn of(settings: &GitBasicAuthSettings) -> Option<Self> {
        let seconds = |seconds: u32| TimeDelta::seconds(seconds.into());
        settings.enabled.then(|| Self {
            terms: BanTerms {
                failures: settings.maxretry.into(),
                within: seconds(settings.findtime),
                lasts: seconds(settings.bantime),
            },
            exempt: settings.ip_whitelist.clone().into(),
        })
    }
}

impl GitBasicAuth {
    /// The facts of an attempt that carries these headers, for whoever it is by then; the attempt names them afterwards.
    /// Without a credential it is let on where anybody may do the same.
    ///
    /// # Errors
    /// Where nobody is let in.
    pub async fn identify(
        &self,
        headers: &HeaderMap,
        attempt: &mut Attempt,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<AccessFacts, CredentialRefusal> {
        let credential = match PresentedCredential::of(headers) {
            PresentedCredential::Nothing => {
                attempt.actor = ActorName::Nobody;
                let facts = self.access.load(attempt.subject(), now).await?;
                let open = anybody_may_download(&facts, attempt);
                return if open { Ok(facts) } else { Err(CredentialRefusal::Unauthorized) };
            }
            PresentedCredential::Garbage => {
                self.count_failure(address, "", now).await;
                return Err(CredentialRefusal::Unauthorized);
            }
            PresentedCredential::Basic(credential) => credential,
        };
        let name = Arc::new(self.name(&credential, address));
        attempt.actor = ActorName::Credential(Arc::clone(&name));
        let facts = self.access.load(attempt.subject(), now).await?;
        self.admit(facts, attempt, &name, &credential, now).await
    }

    /// The same for LFS, which has tokens of its own. Without a credential nobody gets further than to what is open.
    ///
    /// # Errors
    /// Where nobody is let in.
    pub async fn identify_lfs(
        &self,
        headers: &HeaderMap,
        attempt: &mut Attempt,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<LfsClient, CredentialRefusal> {
        let PresentedCredential::Basic(credential) = PresentedCredential::of(headers) else {
            let asked = (attempt.command, attempt.protocol.clone());
            (attempt.command, attempt.protocol) = (GitCommand::Download, AccessProtocol::Http);
            let facts = self.identify(headers, attempt, address, now).await?;
            (attempt.command, attempt.protocol) = asked;
            return Ok(LfsClient { facts, bearer: LfsCredential::Nothing });
        };
        let name = Arc::new(self.name(&credential, address));
        attempt.actor = ActorName::Credential(Arc::clone(&name));
        let facts = self.access.load(attempt.subject(), now).await?;
        if self.is_banned(&facts, &name, now) {
            return Err(CredentialRefusal::Banned);
        }
        if let Some(token) = self.lfs_token(&facts, &name, &credential, now)? {
            let mut facts = facts;
            attempt.actor = match (&facts.key, &facts.user) {
                (Some(key), _) if name.deploy_key().is_some() => ActorName::Key(key.id),
                (_, Some(user)) => ActorName::User(user.id),
                _ => ActorName::Nobody,
            };
            if name.deploy_key().is_none() {
                facts.key = None;
            }
            self.forget_failures(&facts, &name).await;
            return Ok(LfsClient { facts, bearer: LfsCredential::LfsToken { uploads: token.uploads } });
        }
        let facts = self.admit(facts, attempt, &name, &credential, now).await?;
        let bearer = if facts.deploy_token.is_some() { LfsCredential::DeployToken } else { LfsCredential::User };
        Ok(LfsClient { facts, bearer })
    }

    /// What the password says as an LFS token, where it is a good one.
    fn lfs_token(
        &self,
        facts: &AccessFacts,
        name: &CredentialName,
        credential: &BasicCredential,
        now: DateTime<Utc>,
    ) -> Result<Option<VerifiedLfsToken>, CredentialRefusal> {
        let Some(found) = facts.credential.as_deref() else { return Ok(None) };
        let (bearer, tail) = if name.deploy_key().is_some() {
            let key = facts.key.as_ref().filter(|key| key.deploy).ok_or(CredentialRefusal::NoSuchDeployKey)?;
            (LfsBearer::DeployKey(key.id), found.key_fingerprint.clone())
        } else {
            let Some(user) = facts.user.as_ref().filter(|_| git_credential::may_log_in(facts)) else { return Ok(None) };
            let tail = found.encrypted_password.as_deref().map(password_tail);
            (LfsBearer::User(user.id, &user.username), tail)
        };
        let project = facts.project.as_ref().map(|project| project.id);
        let secret = credential.secret.expose_secret();
        Ok(tail.and_then(|tail| lfs_token::verify(secret, &bearer, project, &tail, &self.db_key_base, now)))
    }

    /// An LFS token for a user and a project, where the user is known by another credential.
    #[must_use]
    pub fn mint_lfs_token(
        &self,
        facts: &AccessFacts,
        project: ProjectId,
        operation: LfsTokenUse,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Option<BasicCredential> {
        let (user, found) = (facts.user.as_ref()?, facts.credential.as_deref()?);
        // A token's owner is not looked up with their password: the hash is that of whoever acts.
        let tail = password_tail(found.encrypted_password.as_deref().unwrap_or_default());
        let bearer = LfsBearer::User(user.id, &user.username);
        let token = lfs_token::mint(&bearer, (project, operation), &tail, &self.db_key_base, now, lifetime);
        Some(BasicCredential { login: bearer.login(), secret: token.into() })
    }

    fn is_banned(&self, facts: &AccessFacts, name: &CredentialName, now: DateTime<Utc>) -> bool {
        self.bans_of(name).is_some() && facts.credential.as_deref().is_some_and(|found| found.is_banned(now))
    }

    async fn forget_failures(&self, facts: &AccessFacts, name: &CredentialName) {
        if facts.credential.as_deref().is_some_and(|found| found.failed_before) {
            check_git_password::forget_failures(&self.db, name.address, &name.login).await;
        }
    }

    /// What a credential is looked up by.
    #[must_use]
    pub fn name(&self, credential: &BasicCredential, address: IpAddr) -> CredentialName {
        let secret = credential.secret.expose_secret();
        // What looks like something that is stored would be found by itself.
        let digest_like = secret.starts_with("$pbkdf2-")
            || (secret.len() == 128 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let oauth = token::hex(&Sha512::digest(secret));
        CredentialName {
            login: credential.login.clone(),
            token_digest: token::digest(secret, token_salt(&self.db_key_base)),
            oauth: [oauth.clone(), if digest_like { oauth } else { secret.to_owned() }],
            deploy_token: token::ciphertexts(secret, self.db_key_base.expose_secret()),
            address,
        }
    }

    /// The facts for whoever the credential is, where it is good.
    async fn admit(
        &self,
        mut facts: AccessFacts,
        attempt: &mut Attempt,
        name: &CredentialName,
        credential: &BasicCredential,
        now: DateTime<Utc>,
    ) -> Result<AccessFacts, CredentialRefusal> {
        if self.is_banned(&facts, name, now) {
            return Err(CredentialRefusal::Banned);
        }
        let secret = credential.secret.expose_secret();
        let verdict = git_credential::judge(&facts, attempt, name, secret, self.settings);
        let good = match verdict {
            CredentialVerdict::Token(abilities, token) => {
                facts.abilities = abilities;
                if let Some(used) = facts.credential.as_deref().and_then(|found| found.token.as_ref())
                    && token.is_some()
                {
                    self.last_used.note(LastUse::access_token(used, now));
                }
                true
            }
            CredentialVerdict::DeployToken(token, abilities) => {
                (facts.user, facts.deploy_token, facts.abilities) = (None, Some(token), abilities);
                true
            }
            CredentialVerdict::Password { hash, open } => {
                let right = self.passwords.is(credential.secret.clone(), hash).await;
                right.map_err(CredentialRefusal::Busy)? && open
            }
            CredentialVerdict::Refused => false,
            CredentialVerdict::PasswordsClosed => {
                self.count_failed(name, secret, now).await;
                return Err(CredentialRefusal::PasswordsClosed);
            }
        };
        if !good {
            self.count_failed(name, secret, now).await;
            return Err(CredentialRefusal::Unauthorized);
        }
        // A login that names a deploy key has come with a token of somebody else's.
        facts.key = None;
        attempt.actor = match &facts.user {
            Some(user) if facts.deploy_token.is_none() => ActorName::User(user.id),
            _ => ActorName::Nobody,
        };
        self.forget_failures(&facts, name).await;
        Ok(facts)
    }

    fn bans_of(&self, name: &CredentialName) -> Option<&BanSettings> {
        let exempt = |bans: &&BanSettings| !bans.exempt.iter().any(|net| net.contains(&name.address));
        self.bans.as_ref().filter(exempt).filter(|_| name.login != CI_LOGIN)
    }

    /// git sends an empty password before it asks for one.
    async fn count_failed(&self, name: &CredentialName, secret: &str, now: DateTime<Utc>) {
        if !secret.is_empty() && name.login != CI_LOGIN {
            self.count_failure(name.address, &name.login, now).await;
        }
    }

    async fn count_failure(&self, address: IpAddr, login: &str, now: DateTime<Utc>) {
        metrics::counter!("gatehouse_git_credentials_refused_total").increment(1);
        let Some(bans) = &self.bans else { return };
        if !bans.exempt.iter().any(|net| net.contains(&address)) {
            check_git_password::count_failure(&self.db, address, login, now, bans.terms).await;
        }
    }
}

/// The end of a password's hash, which changes with the password and so revokes tokens.
fn password_tail(hash: &str) -> Vec<u8> {
    let skipped = hash.chars().count().saturating_sub(16);
    hash.chars().skip(skipped).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        match PresentedCredential::of(&headers) {
            PresentedCredential::Nothing => "nothing".to_owned(),
            PresentedCredential::Garbage => "garbage".to_owned(),
            PresentedCredential::Basic(basic) => format!("{}|{}", basic.login, basic.secret.expose_secret()),
        }
    }

    #[test]
    fn a_credential_is_cut_at_its_first_colon() {
        let basic = |text: &str| read(&format!("BASIC {}", BASE64_STANDARD.encode(text)));
        assert_eq!(basic("dev:pä:ss w0rd"), "dev|pä:ss w0rd");
        assert_eq!(basic(":token"), "|token");
        assert_eq!(basic("no colon"), "garbage");
        assert_eq!(basic("a\0b:c"), "garbage");
        assert_eq!(basic(&format!("a:{}", "x".repeat(LONGEST + 1))), "garbage");
        assert_eq!(read("Basic %%%"), "garbage");
        assert_eq!(read("Bearer x"), "nothing");
        assert_eq!(read("Basic"), "garbage");
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(text in "[ -~]{0,80}") {
            let _ = read(&text);
            let _ = read(&format!("basic {text}"));
        }
    }
}
