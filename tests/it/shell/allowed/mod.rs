//! `POST /allowed`, the first call of a fetch and of a push: one test for each case of the contract.

mod actors;
mod answers;
mod merge_requests;
mod names;
mod paths;
mod pull;
mod push;
mod push_to_create;
mod refs;
mod refusals;
mod requests;
mod settings;
mod wiki;

use gatehouse::domain::ids::{KeyId, UserId};
use serde_json::{Map, Value};
use sqlx::PgPool;

use crate::support::{Given, Reply, TestApp};

const NO_PROJECT: &str = "The project you were looking for could not be found or you don't have permission to view it.";
const NO_DOWNLOAD: &str = "You are not allowed to download code from this project.";
const NO_PUSH: &str = "You are not allowed to push code to this project.";

/// The ground of most cases: `rubi` and a key of theirs.
pub struct Story {
    pub app: TestApp,
    pub given: Given,
    pub rubi: UserId,
    pub key: KeyId,
}

impl Story {
    async fn begins(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    async fn with(pool: PgPool, settings: &str) -> Self {
        let app = TestApp::with(pool, settings);
        let given = app.given();
        let rubi = given.user("rubi").await;
        let key = given.key(rubi, "laptop").await;
        Self { app, given, rubi, key }
    }

    /// `rubi` fetches from `g/p`.
    async fn pull(&self) -> Reply {
        self.asks("git-upload-pack", "g/p.git").await
    }

    /// `rubi` pushes to `g/p`.
    async fn push(&self) -> Reply {
        self.asks("git-receive-pack", "g/p.git").await
    }

    async fn pull_path(&self, project: &str) -> Reply {
        self.asks("git-upload-pack", project).await
    }

    async fn asks(&self, action: &str, project: &str) -> Reply {
        self.ask(action, project, &[("key_id", &self.key.to_string())]).await
    }

    /// Somebody else's question about `g/p`.
    async fn key_pulls(&self, key: KeyId) -> Reply {
        self.ask("git-upload-pack", "g/p.git", &[("key_id", &key.to_string())]).await
    }

    async fn key_pushes(&self, key: KeyId) -> Reply {
        self.ask("git-receive-pack", "g/p.git", &[("key_id", &key.to_string())]).await
    }

    /// gitlab-shell's question, with what is different about it.
    async fn ask(&self, action: &str, project: &str, more: &[(&str, &str)]) -> Reply {
        let usual = [("action", action), ("project", project), ("changes", "_any"), ("protocol", "ssh")];
        let kept = usual.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        ask(&self.app, &kept.chain(more.iter().copied()).collect::<Vec<_>>()).await
    }
}

/// The parameters as JSON and as a form: the answers are the same.
async fn ask(app: &TestApp, parameters: &[(&str, &str)]) -> Reply {
    let json: Map<String, Value> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let reply = app.post("/allowed", Value::Object(json)).await;
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let again = app.post_form("/allowed", &form).await;
    assert_eq!(reply.line(), again.line(), "JSON and a form are answered alike");
    assert_eq!(reply.headers["content-type"], "application/json");
    reply
}

/// The attempt was refused with this status and sentence, in the words of the contract.
#[track_caller]
fn assert_refused(reply: &Reply, status: u16, message: &str) {
    let expected = serde_json::json!({ "status": false, "message": message });
    assert_eq!((reply.status.as_u16(), reply.json()), (status, expected));
}

#[track_caller]
fn assert_allowed(reply: &Reply) {
    assert_eq!((reply.status.as_u16(), &reply.json()["status"]), (200, &Value::Bool(true)), "{}", reply.text);
}
