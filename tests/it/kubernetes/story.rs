//! The contract's cast: agents 1 and 2 in project 7, made by user 3, who maintains it.

use axum::body::Body;
use axum::http::Request;
use gatehouse::http::auth::kas;
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::PgPool;

use super::Fixture;
use crate::support::{Reply, TestApp};

pub struct Story {
    pub app: TestApp,
}

impl Story {
    pub async fn new(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    /// The same with the settings of this YAML.
    pub async fn with(pool: PgPool, yaml: &str) -> Self {
        let app = TestApp::with(pool, yaml);
        let given = app.given();
        given.sql("alter sequence users_id_seq restart with 3; alter sequence projects_id_seq restart with 7").await;
        Self { app: Fixture::over(app).await.app }
    }

    /// The start of a request that kas has signed.
    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        self.app
            .bare(method, &format!("/kubernetes{path}"))
            .header(kas::TOKEN_HEADER, self.app.kas_token().expose_secret())
            .header("content-type", "application/json")
    }

    /// A request of kas's own.
    pub async fn kas(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request("POST", path).body(Body::from(body.to_string())).unwrap()).await
    }

    /// A request that kas passes on for the agent of this token.
    pub async fn agent(&self, token: &str, method: &str, path: &str, body: &Value) -> Reply {
        let request = self.request(method, path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Any request.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        self.app.send(request).await
    }

    /// Any single number of the database.
    pub async fn number(&self, query: &str) -> i64 {
        self.app.given().value(&format!("select ({query})::bigint")).await
    }

    /// Any single text of the database.
    pub async fn text(&self, query: &str) -> String {
        self.app.given().value(&format!("select ({query})::text")).await
    }
}
