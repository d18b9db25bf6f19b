//! The area of kas: `/api/v4/internal/kubernetes`.

mod agent_configuration;
mod agent_events;
mod agent_info;
mod authentication;
mod authorize_proxy_user;
mod cilium_alert;
mod fuzz;
mod policies;
mod project_info;
mod scan_result;
mod starboard_vulnerability;
mod story;
mod usage_metrics;

use gatehouse::domain::ids::{AgentId, ProjectId};
use sqlx::PgPool;

use crate::support::TestApp;

/// Of the agent `prod`.
pub const T1: &str = "glagent-of-prod";
/// Of the agent `stage`.
pub const T2: &str = "glagent-of-stage";
/// Taken back, of the agent `prod`.
pub const TR: &str = "glagent-revoked";

/// The contract's fixture: projects of every kind, and two agents of a private one.
pub struct Fixture {
    pub app: TestApp,
    pub infra: ProjectId,
    pub open: ProjectId,
    pub members: ProjectId,
    pub inner: ProjectId,
    pub other: ProjectId,
    pub prod: AgentId,
}

impl Fixture {
    pub async fn new(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    /// The fixture under other settings.
    pub async fn with(pool: PgPool, yaml: &str) -> Self {
        Self::over(TestApp::with(pool, yaml)).await
    }

    /// The fixture in an application that stands.
    pub async fn over(app: TestApp) -> Self {
        let given = app.given();
        let infra = given.project("acme/infra").await.maintainer("mona").await;
        let creator = given.user("mona").await;
        let open = given.project("acme/open").await.public().await;
        let members = given.project("acme/members").await.public().await.features("repository_access_level = 10").await;
        let inner = given.project("acme/inner").await.internal().await;
        let other = given.project("other/x").await;
        let key = app.secrets.db_key_base.clone();
        let prod = given.agent(infra.id, "prod", Some(creator)).await;
        let stage = given.agent(infra.id, "stage", Some(creator)).await;
        given.agent_token(prod, &key, T1).await;
        given.agent_token(stage, &key, T2).await;
        let revoked = given.agent_token(prod, &key, TR).await;
        given.sql(&format!("update cluster_agent_tokens set status = 1 where id = {revoked}")).await;
        let known =
            "insert into project_default_branches (project_id, name, known_at) select id, 'main', now() from projects";
        given.sql(known).await;
        let (infra, open, members, inner, other) = (infra.id, open.id, members.id, inner.id, other.id);
        Self { app, infra, open, members, inner, other, prod }
    }

    pub async fn get(&self, path: &str, token: &str) -> crate::support::Reply {
        self.app.call_kas("GET", path, token, serde_json::Value::Null).await
    }
}
