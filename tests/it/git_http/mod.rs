//! Git over HTTP: what Workhorse asks, and what git, its user and Workhorse hear.

mod access;
mod answer;
mod bans;
mod credentials;
mod health;
mod lfs;
mod packs;
mod proof;

use axum::body::Body;
use axum::http::Request;
use base64::prelude::{BASE64_STANDARD, Engine};
use gatehouse::crypto::secrets::token_salt;
use gatehouse::domain::ids::{NamespaceId, UserId};
use gatehouse::domain::token;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use sqlx::PgPool;

use crate::support::{Given, GivenProject, Reply, TestApp, WORKHORSE_SECRET};

pub const NO_PROJECT: &str =
    "The project you were looking for could not be found or you don't have permission to view it.";
/// What is said to whoever comes without a good credential.
pub const ACCESS_DENIED: &str = "HTTP Basic: Access denied. If a password was provided for Git authentication, the \
    password was incorrect or you're required to use a token instead of a password. If a token was provided, it was \
    either incorrect, expired, or improperly scoped. See \
    http://localhost/help/topics/git/troubleshooting_git.md#error-on-git-fetch-http-basic-access-denied";
/// The password of `dev`.
pub const PASSWORD: &str = "pä:ss w0rd";

/// A token as Workhorse signs it: its name and nothing else.
pub fn workhorse_token() -> String {
    workhorse_token_with(&json!({ "iss": "gitlab-workhorse" }))
}

/// A token of these claims, signed as Workhorse signs.
pub fn workhorse_token_with(claims: &Value) -> String {
    let key = BASE64_STANDARD.decode(WORKHORSE_SECRET).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(&key)).unwrap()
}

/// The header of a login and a password.
pub fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{login}:{password}")))
}

/// A login and a password, or nobody.
pub type Login<'a> = Option<(&'a str, &'a str)>;

/// The ground of most cases: the projects and people of the contract.
pub struct Forge {
    pub app: TestApp,
    pub given: Given,
    pub group: NamespaceId,
    pub private: GivenProject,
    pub open: GivenProject,
    pub dev: UserId,
}

impl Forge {
    pub async fn begins(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    pub async fn with(pool: PgPool, settings: &str) -> Self {
        let app = TestApp::with(pool, settings);
        let given = app.given();
        let dev = given.user("dev").await;
        let private = given.project("g/p").await.developer("dev").await.reporter("rep").await.guest("guest").await;
        let private = private.developer("tfa").await;
        let open = given.project("g/open").await.public().await.developer("dev").await;
        given.project("g/int").await.internal().await;
        let group = given.group("g").await;
        let out = given.user("out").await;
        let tfa = given.user("tfa").await;
        given.user_is(tfa, "otp_required_for_login = true").await;
        let forge = Self { app, given, group, private, open, dev };
        forge.password(dev, PASSWORD).await;
        forge.password(tfa, PASSWORD).await;
        for (user, name) in [(dev, "dev"), (out, "out"), (tfa, "tfa")] {
            forge.token(user, &format!("T-{name}"), "api").await;
        }
        for name in ["rep", "guest"] {
            let user = forge.given.user(name).await;
            forge.token(user, &format!("T-{name}"), "api").await;
        }
        forge
    }

    /// The same ground under another application over the same database.
    pub fn again(&self, app: TestApp) -> Self {
        let given = app.given();
        let (private, open) = (self.private.clone(), self.open.clone());
        Self { app, given, group: self.group, private, open, dev: self.dev }
    }

    /// Gives a user a password, hashed as Devise hashes it but for the cost.
    pub async fn password(&self, user: UserId, password: &str) {
        let hash = bcrypt::hash_with_salt(password, 4, [3; 16]).unwrap().format_for_version(bcrypt::Version::TwoA);
        self.given.user_is(user, &format!("encrypted_password = '{hash}'")).await;
    }

    /// A token of a user's with this scope.
    pub async fn token(&self, user: UserId, token: &str, scope: &str) {
        self.given.personal_access_token(user, &self.app.secrets.db_key_base, token, &[scope]).await;
    }

    /// Sets columns of a token.
    pub async fn token_is(&self, token: &str, assignment: &str) {
        let digest = token::digest(token, token_salt(&self.app.secrets.db_key_base));
        let sql = format!("update personal_access_tokens set {assignment} where token_digest = '{digest}'");
        self.given.sql(&sql).await;
    }

    /// A deploy token for repositories, of a project or of a group.
    pub async fn deploy_token(&self, token: &str, project: Option<&GivenProject>) -> i64 {
        let [stored, _] = token::ciphertexts(token, self.app.secrets.db_key_base.expose_secret());
        let kind = if project.is_some() { 2 } else { 1 };
        let sql = format!(
            "insert into deploy_tokens (name, token_encrypted, deploy_token_type, expires_at, read_repository)
             values ('ci', '{stored}', {kind}, '3000-01-01', true)
             returning id"
        );
        let id: i64 = self.given.value(&sql).await;
        let link = match project {
            Some(project) => {
                format!("insert into project_deploy_tokens (project_id, deploy_token_id) values ({}, {id})", project.id)
            }
            None => {
                format!("insert into group_deploy_tokens (group_id, deploy_token_id) values ({}, {id})", self.group)
            }
        };
        self.given.sql(&link).await;
        id
    }

    /// An OAuth access token of a user's.
    pub async fn oauth_token(&self, user: UserId, token: &str, scopes: &str) {
        let digest = token::hex(&Sha512::digest(token));
        let at = self.app.clock.now().naive_utc();
        let sql = format!(
            "insert into oauth_access_tokens (resource_owner_id, token, scopes, created_at)
             values ({user}, '{digest}', '{scopes}', '{at}')"
        );
        self.given.sql(&sql).await;
    }

    /// What Workhorse asks before a fetch.
    pub async fn fetch(&self, repository: &str, login: Login<'_>) -> Reply {
        self.ask("GET", &format!("/{repository}.git/info/refs?service=git-upload-pack"), login).await
    }

    /// What Workhorse asks before a push.
    pub async fn push(&self, repository: &str, login: Login<'_>) -> Reply {
        self.ask("GET", &format!("/{repository}.git/info/refs?service=git-receive-pack"), login).await
    }

    /// A request that Workhorse signs.
    pub async fn ask(&self, method: &str, path: &str, login: Login<'_>) -> Reply {
        let request = signed(method, path, login).body(Body::empty()).unwrap();
        self.app.send(request).await
    }

    /// The same for a client whose address a proxy has written down.
    pub async fn ask_from(&self, address: &str, method: &str, path: &str, login: Login<'_>) -> Reply {
        let request = signed(method, path, login).header("x-forwarded-for", address);
        self.app.send(request.body(Body::empty()).unwrap()).await
    }
}

/// The start of a request that Workhorse signs.
pub fn signed(method: &str, path: &str, login: Login<'_>) -> axum::http::request::Builder {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("gitlab-workhorse-api-request", workhorse_token())
        .header("gitlab-workhorse", "(unknown version)");
    if let Some((login, password)) = login {
        request = request.header("authorization", basic(login, password));
    }
    request
}

/// Workhorse may go on.
pub fn assert_allowed(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.line());
    assert_eq!(reply.headers["content-type"], "application/vnd.gitlab-workhorse+json");
    reply.json()
}

/// The status and the sentence, as git prints it.
#[track_caller]
pub fn assert_refused(reply: &Reply, status: u16, sentence: &str) {
    assert_eq!(reply.line(), format!("{status} {sentence}"));
    assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(reply.headers["x-gitlab-custom-error"], "1", "Workhorse leaves the text as it is");
}

/// git is told to ask for a credential.
#[track_caller]
pub fn assert_challenged(reply: &Reply) {
    assert_refused(reply, 401, ACCESS_DENIED);
    assert_eq!(reply.headers["www-authenticate"], "Basic realm=\"GitLab\"");
}
