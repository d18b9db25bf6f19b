//! The login and the password of git over HTTP: whose are they, and what are they good for? (`git_http.md` 3)
//!
//! The password half may be a token of many kinds, which are tried in a fixed order; a real password comes last.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::access::{
    self, AccessDeployToken, AccessFacts, AccountDenial, Attempt, GitAbilities, UserState, account_denial,
};
use super::ids::DeployTokenId;
use super::level::FeatureLevel;
use super::user_type::UserType;

/// The login that CI jobs use. It is nobody's password.
pub const CI_LOGIN: &str = "gitlab-ci-token";
/// What the login of a deploy key's LFS token begins with.
pub const DEPLOY_KEY_LOGIN: &str = "lfs+deploy-key-";

/// Bytes of a login and of a password that are looked at; nobody has longer ones.
pub const LONGEST: usize = 4096;

/// A credential, by what it is looked up by: digests in place of the password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialName {
    /// The login, as it was typed.
    pub login: String,
    /// What is stored of a personal access token.
    pub token_digest: String,
    /// What is stored of an OAuth access token, of today and of old.
    pub oauth: [String; 2],
    /// What is stored of a deploy token, of today and of old.
    pub deploy_token: [String; 2],
    /// Where the client is.
    pub address: IpAddr,
}

impl CredentialName {
    /// The deploy key whose LFS token it claims to be.
    #[must_use]
    pub fn deploy_key(&self) -> Option<i64> {
        self.login.strip_prefix(DEPLOY_KEY_LOGIN)?.parse().ok().filter(|id| *id > 0)
    }
}

/// What the database has for a credential.
#[derive(Debug, Clone, Default)]
pub struct CredentialFacts {
    /// Until when nobody logs in from the address.
    pub banned_until: Option<DateTime<Utc>>,
    /// Whether the login has failed from there before.
    pub failed_before: bool,
    /// An OAuth access token.
    pub oauth: Option<OauthToken>,
    /// A personal access token, or one of a bot's.
    pub token: Option<AccessToken>,
    /// A deploy token.
    pub deploy_token: Option<DeployToken>,
    /// The hash of the user's password; empty where they have none.
    pub encrypted_password: Option<String>,
    /// The fingerprint of the deploy key that the login names.
    pub key_fingerprint: Option<Vec<u8>>,
    /// What kind of account the user's is.
    pub user_type: Option<UserType>,
    /// Whether the user has a second factor.
    pub two_factor: bool,
    /// The hours within which the user must set one up, where they must.
    pub two_factor_grace: Option<i64>,
    /// When those hours began.
    pub two_factor_grace_began: Option<DateTime<Utc>>,
    /// Passwords are not taken for git.
    pub passwords_closed: bool,
    /// What personal access tokens begin with here.
    pub token_prefix: String,
}

/// `oauth_access_tokens`
#[derive(Debug, Clone)]
pub struct OauthToken {
    /// What it is for.
    pub scopes: Vec<String>,
    /// When it ends; none for never.
    pub ends_at: Option<DateTime<Utc>>,
    /// It was taken back.
    pub revoked: bool,
}

/// `personal_access_tokens`
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub scopes: Vec<String>,
    /// From then on it is dead.
    pub expires_at: Option<DateTime<Utc>>,
    /// It was taken back.
    pub revoked: bool,
    /// An administrator made it to act as the user.
    pub impersonation: bool,
    /// When it was last used, as far as was noted.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Its owner may have none: the instance, or the group that manages the account, says so.
    pub unwanted: bool,
}

/// `deploy_tokens`
#[derive(Debug, Clone)]
pub struct DeployToken {
    /// Its id.
    pub id: DeployTokenId,
    /// The name that it logs in with; none for `gitlab+deploy-token-ID`.
    pub username: Option<String>,
    /// It is good as long as this has not passed.
    pub expires_at: DateTime<Utc>,
    /// It was taken back.
    pub revoked: bool,
    /// It is for repositories.
    pub read_repository: bool,
    /// It is the project's, or one of a group around it.
    pub linked: bool,
}

/// What the settings file says of credentials.
#[derive(Debug, Clone, Copy)]
pub struct CredentialSettings {
    /// Whether tokens are good that administrators made to act as others.
    pub impersonation: bool,
}

/// What becomes of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialVerdict {
    /// A token of a user's, good for this. A personal access token is named, so that its use is noted.
    Token(GitAbilities, Option<i64>),
    /// A deploy token.
    DeployToken(AccessDeployToken, GitAbilities),
    /// No token: whether it is the password must be found out. Right or wrong, the account may be shut; then the answer
    /// is the same.
    Password {
        /// What it is compared with; none where nobody has the login, and then with any.
        hash: Option<String>,
        /// Whether the account lets its owner in by their password.
        open: bool,
    },
    /// It cannot be one.
    Refused,
    /// It is no token, and passwords are not taken.
    PasswordsClosed,
}

/// Whose the credential is, and what it is good for. The kinds stand in GitLab's order, and the first hit wins.
#[must_use]
pub fn judge(
    facts: &AccessFacts,
    attempt: &Attempt,
    name: &CredentialName,
    secret: &str,
    settings: CredentialSettings,
) -> CredentialVerdict {
    let Some(found) = facts.credential.as_deref() else { return CredentialVerdict::Refused };
    if let Some(token) = &found.oauth {
        return if token.is_good(facts.now) && lets_in(facts, found) {
            CredentialVerdict::Token(abilities(&token.scopes), None)
        } else {
            CredentialVerdict::Refused
        };
    }
    if let Some(token) = &found.token {
        let welcome = lets_in(facts, found) && bot_is_of_the_project(facts, attempt, found);
        return if token.is_good(facts.now, settings) && welcome {
            CredentialVerdict::Token(abilities(&token.scopes), Some(token.id))
        } else {
            CredentialVerdict::Refused
        };
    }
    if let Some(token) = &found.deploy_token {
        return match token.admitted(facts, name) {
            Some(token) => CredentialVerdict::DeployToken(token, GitAbilities { download: true, push: false }),
            None => CredentialVerdict::Refused,
        };
    }
    if name.login == CI_LOGIN || name.deploy_key().is_some() || secret.is_empty() {
        return CredentialVerdict::Refused;
    }
    if found.passwords_closed {
        return CredentialVerdict::PasswordsClosed;
    }
    if looks_like_a_token(secret, &found.token_prefix) {
        return CredentialVerdict::Refused;
    }
    let hash = found.encrypted_password.clone().filter(|hash| !hash.is_empty() && facts.user.is_some());
    CredentialVerdict::Password { hash, open: lets_in(facts, found) && !found.asks_for_second_factor(facts.now) }
}

fn abilities(scopes: &[String]) -> GitAbilities {
    GitAbilities::of_scopes(scopes.iter().map(String::as_str))
}

/// Whether the account of a user may log in at all, by a token or by a password.
#[must_use]
pub fn may_log_in(facts: &AccessFacts) -> bool {
    facts.credential.as_deref().is_some_and(|found| lets_in(facts, found))
}

/// Whether the account may log in at all. One that sleeps, or has not accepted the terms, is known and then refused by
/// the rules of access (3.5).
fn lets_in(facts: &AccessFacts, found: &CredentialFacts) -> bool {
    let Some(user) = &facts.user else { return false };
    let shut = user.internal
        || matches!(user.state, UserState::Blocked | UserState::BlockedPendingApproval | UserState::Banned)
        || found.user_type == Some(UserType::SecurityBot);
    // With what is told of them out of the way, the first of the other reasons shows.
    let known = access::AccessUser {
        terms_accepted: true,
        state: if user.state == UserState::Deactivated { UserState::Active } else { user.state },
        ..user.clone()
    };
    !shut && account_denial(facts, &known).is_none_or(|denial| denial == AccountDenial::Deactivated)
}

/// The bot behind a project's token, and an account of an integration, is nobody elsewhere (ruling 37).
fn bot_is_of_the_project(facts: &AccessFacts, attempt: &Attempt, found: &CredentialFacts) -> bool {
    let bot = matches!(found.user_type, Some(UserType::ProjectBot | UserType::ServiceAccount));
    !bot || (facts.container.is_some() && access::may_see(facts, attempt))
}

/// Scopes that git, or something beside it that this server knows, asks for. Those of registries are of no use here.
fn is_known_scope(scope: &str) -> bool {
    matches!(
        scope,
        "api"
            | "read_api"
            | "read_user"
            | "read_repository"
            | "write_repository"
            | "ai_workflows"
            | "ai_features"
            | "k8s_proxy"
            | "create_runner"
            | "manage_runner"
            | "self_rotate"
            | "admin_mode"
            | "sudo"
            | "read_service_ping"
            | "read_observability"
            | "write_observability"
            | "mcp"
            | "openid"
            | "profile"
            | "email"
    )
}

fn one_is_known(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| is_known_scope(scope))
}

impl OauthToken {
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        !self.revoked && self.ends_at.is_none_or(|end| end > now) && one_is_known(&self.scopes)
    }
}

impl AccessToken {
    fn is_good(&self, now: DateTime<Utc>, settings: CredentialSettings) -> bool {
        let alive = !self.revoked && self.expires_at.is_none_or(|end| end > now);
        alive && !self.unwanted && (settings.impersonation || !self.impersonation) && one_is_known(&self.scopes)
    }
}

impl DeployToken {
    /// The token as an actor, where it is good for this project and logs in by its own name.
    fn admitted(&self, facts: &AccessFacts, name: &CredentialName) -> Option<AccessDeployToken> {
        let username = self.username.clone().filter(|name| !name.is_empty());
        let username = username.unwrap_or_else(|| format!("gitlab+deploy-token-{}", self.id));
        let alive = !self.revoked && self.expires_at >= facts.now && self.read_repository;
        let code = facts.project.as_ref().is_some_and(|project| project.repository_level != FeatureLevel::Disabled);
        (alive && self.linked && code && username == name.login).then_some(AccessDeployToken { id: self.id, username })
    }
}

impl CredentialFacts {
    /// Whether a password alone does not do: the user has a second factor, or should have one by now.
    fn asks_for_second_factor(&self, now: DateTime<Utc>) -> bool {
        let overdue = match (self.two_factor_grace, self.two_factor_grace_began) {
            (Some(hours), Some(began)) => TimeDelta::try_hours(hours)
                .and_then(|hours| began.checked_add_signed(hours))
                .is_some_and(|end| end < now),
            _ => false,
        };
        self.two_factor || overdue
    }

    /// Whether nobody logs in from the address for now.
    #[must_use]
    pub fn is_banned(&self, now: DateTime<Utc>) -> bool {
        self.banned_until.is_some_and(|until| until > now)
    }
}

/// What tokens of GitLab's begin with; a password that does is not worth the time of a comparison.
const PREFIXES: [&str; 13] = [
    "glpat-", "gldt-", "gloas-", "glrt-", "glptt-", "glft-", "glimt-", "glagent-", "glcbt-", "glsoat-", "glffct-",
    "glrtr-", "glwt-",
];

fn looks_like_a_token(secret: &str, prefix: &str) -> bool {
    PREFIXES.iter().any(|known| secret.starts_with(known)) || (!prefix.is_empty() && secret.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::super::access::tests::{attempt, facts};
    use super::super::access::{AccessFacts, GitCommand};
    use super::*;

    const SETTINGS: CredentialSettings = CredentialSettings { impersonation: true };

    fn name(login: &str) -> CredentialName {
        CredentialName {
            login: login.to_owned(),
            token_digest: String::new(),
            oauth: Default::default(),
            deploy_token: Default::default(),
            address: IpAddr::from([127, 0, 0, 1]),
        }
    }

    fn with(change: impl FnOnce(&mut AccessFacts, &mut CredentialFacts)) -> AccessFacts {
        let mut facts = facts();
        facts.key = None;
        let mut found = CredentialFacts {
            encrypted_password: Some("$2a$10$x".to_owned()),
            user_type: Some(UserType::Human),
            ..CredentialFacts::default()
        };
        change(&mut facts, &mut found);
        facts.credential = Some(Box::new(found));
        facts
    }

    fn token(scope: &str) -> AccessToken {
        AccessToken {
            id: 9,
            scopes: vec![scope.to_owned()],
            expires_at: None,
            revoked: false,
            impersonation: false,
            last_used_at: None,
            unwanted: false,
        }
    }

    fn judged(login: &str, secret: &str, facts: &AccessFacts) -> CredentialVerdict {
        judge(facts, &attempt(GitCommand::Download), &name(login), secret, SETTINGS)
    }

    #[test]
    fn a_password_is_looked_at_where_nothing_else_is_found() {
        let found = judged("rubi", "secret", &with(|_, _| {}));
        assert_eq!(found, CredentialVerdict::Password { hash: Some("$2a$10$x".to_owned()), open: true });
        let nobody = with(|facts, _| facts.user = None);
        assert_eq!(judged("x", "secret", &nobody), CredentialVerdict::Password { hash: None, open: false });
        for (login, secret) in [(CI_LOGIN, "secret"), ("rubi", ""), ("rubi", "glpat-x"), ("lfs+deploy-key-7", "x")] {
            assert_eq!(judged(login, secret, &with(|_, _| {})), CredentialVerdict::Refused, "{login} {secret}");
        }
        let closed = with(|_, found| found.passwords_closed = true);
        assert_eq!(judged("rubi", "secret", &closed), CredentialVerdict::PasswordsClosed);
    }

    #[test]
    fn a_second_factor_shuts_out_passwords_and_no_token() {
        let shut = CredentialVerdict::Password { hash: Some("$2a$10$x".to_owned()), open: false };
        assert_eq!(judged("rubi", "secret", &with(|_, found| found.two_factor = true)), shut);
        let overdue = |hours: i64| {
            with(move |facts, found| {
                found.two_factor_grace = Some(hours);
                found.two_factor_grace_began = Some(facts.now - TimeDelta::hours(10));
            })
        };
        assert_eq!(judged("rubi", "secret", &overdue(9)), shut);
        assert_ne!(judged("rubi", "secret", &overdue(11)), shut);
        let by_token = with(|_, found| (found.two_factor, found.token) = (true, Some(token("api"))));
        assert_eq!(judged("x", "y", &by_token), CredentialVerdict::Token(GitAbilities::default(), Some(9)));
    }

    #[test]
    fn an_account_that_is_shut_is_shut_to_tokens_too() {
        let verdict = |change: fn(&mut AccessFacts)| {
            let facts = with(|facts, found| {
                found.token = Some(token("api"));
                change(facts);
            });
            judged("rubi", "x", &facts)
        };
        let good = CredentialVerdict::Token(GitAbilities::default(), Some(9));
        assert_eq!(verdict(|_| {}), good);
        assert_eq!(verdict(|facts| facts.user.as_mut().unwrap().state = UserState::Deactivated), good);
        assert_eq!(verdict(|facts| facts.instance.enforce_terms = true), good);
        for shut in [
            |facts: &mut AccessFacts| facts.user.as_mut().unwrap().state = UserState::Banned,
            |facts: &mut AccessFacts| facts.user.as_mut().unwrap().state = UserState::Blocked,
            |facts: &mut AccessFacts| facts.user.as_mut().unwrap().internal = true,
            |facts: &mut AccessFacts| facts.user.as_mut().unwrap().locked_at = Some(facts.now),
            |facts: &mut AccessFacts| {
                facts.instance.enforce_terms = true;
                facts.user.as_mut().unwrap().password_expires_at = Some(facts.now);
            },
        ] {
            assert_eq!(verdict(shut), CredentialVerdict::Refused);
        }
    }

    #[test]
    fn a_deploy_token_needs_its_login_and_its_project() {
        let deploy = |change: fn(&mut DeployToken)| {
            let facts = with(|facts, found| {
                facts.user = None;
                let mut token = DeployToken {
                    id: DeployTokenId(1),
                    username: None,
                    expires_at: facts.now,
                    revoked: false,
                    read_repository: true,
                    linked: true,
                };
                change(&mut token);
                found.deploy_token = Some(token);
            });
            judged("gitlab+deploy-token-1", "x", &facts)
        };
        assert!(matches!(deploy(|_| {}), CredentialVerdict::DeployToken(..)));
        for bad in [
            |token: &mut DeployToken| token.revoked = true,
            |token: &mut DeployToken| token.linked = false,
            |token: &mut DeployToken| token.read_repository = false,
            |token: &mut DeployToken| token.expires_at -= TimeDelta::seconds(1),
            |token: &mut DeployToken| token.username = Some("builder".to_owned()),
        ] {
            assert_eq!(deploy(bad), CredentialVerdict::Refused);
        }
    }
}
