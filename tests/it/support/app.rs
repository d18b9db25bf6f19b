//! `TestApp`: the real router over the test's own database, and requests that are signed unless a test says otherwise.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, Utc};
use gatehouse::app;
use gatehouse::clock::Clock;
use gatehouse::config::Settings;
use gatehouse::crypto::secrets::Secrets;
use gatehouse::gitaly::GitalyClient;
use gatehouse::http::auth::{self, kas, shell};
use gatehouse::http::layers::with_plain_path;
use gatehouse::http::tasks::RequestTasks;
use gatehouse::store::DbBudgets;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tower::ServiceExt;

use super::Given;

/// The secret that the tests' gitlab-shell signs with.
pub const SHELL_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The secret that the tests' Workhorse signs with: base64 of 32 bytes.
pub const WORKHORSE_SECRET: &str = "d29ya2hvcnNlIHNpZ25zIHdpdGggMzIgYnl0ZXMgISE=";

/// An application whose clock stands still.
pub struct TestApp {
    pub router: Router,
    pub admin: Router,
    pub gitaly: GitalyClient,
    pub tasks: RequestTasks,
    pub clock: Clock,
    pub pool: PgPool,
    pub budgets: DbBudgets,
    pub secrets: Secrets,
    base: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// The status and the body on one line, for short assertions.
    pub fn line(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.text)
    }

    /// The message of the body.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_else(|| panic!("no message: {}", self.line())).to_owned()
    }
}

impl TestApp {
    /// The application with its default settings and one storage.
    pub fn new(pool: PgPool) -> Self {
        Self::with(pool, "")
    }

    /// The application with the settings of this YAML.
    pub fn with(pool: PgPool, yaml: &str) -> Self {
        let settings = Settings::load(yaml, []).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let budgets = DbBudgets::over(pool.clone(), &settings);
        Self::over(pool, settings, budgets)
    }

    /// The application with connections of its own to the database at this URL, as a server has them.
    pub fn through(pool: PgPool, url: &str, yaml: &str) -> Self {
        let environment = [("DATABASE_URL".to_owned(), url.to_owned())];
        let settings = Settings::load(yaml, environment).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let budgets = DbBudgets::new(&settings).unwrap();
        Self::over(pool, settings, budgets)
    }

    fn over(pool: PgPool, mut settings: Settings, budgets: DbBudgets) -> Self {
        let storage = settings.repositories.storages.entry("default".to_owned()).or_default();
        storage.gitaly_address.get_or_insert_with(|| "tcp://gitaly:8075".to_owned());
        let secrets = Secrets {
            shell: SHELL_SECRET.into(),
            // The contract's own: bytes 0 to 31.
            kas: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into(),
            workhorse: WORKHORSE_SECRET.into(),
            db_key_base: "db-key-base ".repeat(8).trim().into(),
        };
        // Postgres keeps microseconds; a clock that stands at a whole second compares equal to what it kept.
        let clock = Clock::held_at(DateTime::from_timestamp(Utc::now().timestamp(), 0).unwrap());
        let app = app::build(&settings, &secrets, &budgets, &clock).unwrap();
        let base = format!("{}/api/v4/internal", settings.gitlab.root());
        Self {
            router: app.router,
            admin: app.admin,
            gitaly: app.gitaly,
            tasks: app.tasks,
            clock,
            pool,
            budgets,
            secrets,
            base,
        }
    }

    /// Builders of the database's contents.
    pub fn given(&self) -> Given {
        Given::new(self.pool.clone(), self.clock.now())
    }

    /// A token as gitlab-shell signs it now.
    pub fn token(&self) -> SecretString {
        auth::mint(shell::ISSUER, None, SHELL_SECRET.as_bytes(), &self.clock)
    }

    /// A token as kas signs it now.
    pub fn kas_token(&self) -> SecretString {
        auth::mint(kas::ISSUER, Some(kas::AUDIENCE), &kas::key(&self.secrets.kas).unwrap(), &self.clock)
    }

    /// The start of a request below `/api/v4/internal` that kas signed.
    pub fn kas(&self, method: &str, path: &str) -> axum::http::request::Builder {
        self.bare(method, path).header(kas::TOKEN_HEADER, self.kas_token().expose_secret())
    }

    /// A request below `/api/v4/internal/kubernetes` that kas sends for an agent, or in its own name where the token is
    /// empty; without a body where it is null.
    pub async fn call_kas(&self, method: &str, path: &str, token: &str, body: Value) -> Reply {
        let mut request = self.kas(method, &format!("/kubernetes{path}"));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    /// A signed GET below `/api/v4/internal`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.signed("GET", path).body(Body::empty()).unwrap()).await
    }

    /// A signed POST of JSON below `/api/v4/internal`, as gitlab-shell and Gitaly send it.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        let request = self.signed("POST", path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// The same, named by an id as gitlab-shell names it: the request again, if token and body are the same too.
    pub async fn post_named(&self, id: &str, path: &str, body: Value) -> Reply {
        let request = self.signed("POST", path).header("content-type", "application/json").header("x-request-id", id);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A signed POST of a form below `/api/v4/internal`, as the documentation's curl lines send it.
    pub async fn post_form(&self, path: &str, body: &str) -> Reply {
        let request = self.signed("POST", path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// The start of a signed request.
    pub fn signed(&self, method: &str, path: &str) -> axum::http::request::Builder {
        self.bare(method, path).header(shell::TOKEN_HEADER, self.token().expose_secret())
    }

    /// The start of a request that nobody signed.
    pub fn bare(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.base))
    }

    /// A token of these claims beside the usual ones; null takes a claim away.
    pub fn token_with(&self, claims: &Value) -> String {
        sign(&self.claims(claims), Algorithm::HS256, SHELL_SECRET.as_bytes())
    }

    fn claims(&self, changes: &Value) -> Value {
        let now = self.clock.now().timestamp();
        let mut claims = serde_json::json!({ "iss": "gitlab-shell", "iat": now, "exp": now + 60 });
        let claims_map = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            claims_map.insert(name.clone(), value.clone());
        }
        claims_map.retain(|_, value| !value.is_null());
        claims
    }

    /// Tokens that nobody may come in with, each wrong in one way.
    pub fn wrong_tokens(&self) -> Vec<(&'static str, String)> {
        let now = self.clock.now().timestamp();
        let (secret, right) = (SHELL_SECRET.as_bytes(), self.claims(&serde_json::json!({})));
        let kas_key = BASE64_STANDARD.decode(self.secrets.kas.expose_secret()).unwrap();
        let signed = sign(&right, Algorithm::HS256, secret);
        let (unsigned, signature) = signed.rsplit_once('.').unwrap();
        let payload = unsigned.split_once('.').unwrap().1;
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        vec![
            ("empty", String::new()),
            ("no token", "secret".to_owned()),
            ("a prefix", format!("Bearer {signed}")),
            ("another secret", sign(&right, Algorithm::HS256, b"another secret")),
            ("the issuer of Workhorse", self.token_with(&serde_json::json!({ "iss": "gitlab-workhorse" }))),
            ("no issuer", self.token_with(&serde_json::json!({ "iss": null }))),
            ("expired", self.token_with(&serde_json::json!({ "exp": now - 60 }))),
            ("no expiry", self.token_with(&serde_json::json!({ "exp": null }))),
            ("not begun", self.token_with(&serde_json::json!({ "nbf": now + 61 }))),
            ("from the future", self.token_with(&serde_json::json!({ "iat": now + 61 }))),
            ("HS384", sign(&right, Algorithm::HS384, secret)),
            ("HS512", sign(&right, Algorithm::HS512, secret)),
            ("alg none", format!("{none}.{payload}.")),
            ("alg none with a signature", format!("{none}.{payload}.{signature}")),
            ("without its signature", format!("{unsigned}.")),
            (
                "signed by kas",
                auth::mint(kas::ISSUER, Some(kas::AUDIENCE), &kas_key, &self.clock).expose_secret().into(),
            ),
            ("signed with kas's secret", sign(&right, Algorithm::HS256, &kas_key)),
        ]
    }

    /// Sends any request, with the path that the server makes of it.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(with_plain_path(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }
}

fn sign(claims: &Value, algorithm: Algorithm, key: &[u8]) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(key)).unwrap()
}

/// The same database through connections that take no writes, as a replica's are. The test closes the pool.
pub async fn read_only(pool: &PgPool) -> PgPool {
    let options = (*pool.connect_options()).clone().options([("default_transaction_read_only", "on")]);
    PgPoolOptions::new().max_connections(4).connect_with(options).await.unwrap()
}

/// Makes the database as it is before the first migration: `bin/test` makes each a copy of one that has them all.
pub async fn unmigrate(pool: &PgPool) {
    let all = "drop schema public cascade; create schema public; drop schema if exists graphile_worker cascade";
    sqlx::raw_sql(all).execute(pool).await.unwrap();
}

/// A database that nobody answers for.
pub fn dead() -> PgPool {
    let options = PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(3));
    options.connect_lazy("postgres://nobody@localhost/nothing?host=/nonexistent").unwrap()
}
