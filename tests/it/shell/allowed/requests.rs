//! What may be wrong with the request itself.

use serde_json::json;
use sqlx::PgPool;

use super::{NO_PROJECT, Story, assert_allowed, assert_refused};

/// allowed-1
#[sqlx::test]
async fn a_request_that_gitlab_shell_did_not_sign_is_refused(pool: PgPool) {
    let story = Story::begins(pool).await;
    let reply = story.app.send(story.app.bare("POST", "/allowed").body("{}".into()).unwrap()).await;
    assert_eq!(reply.line(), r#"401 {"message":"401 Unauthorized"}"#);
    for (_, wrong) in story.app.wrong_tokens() {
        let request = story.app.bare("POST", "/allowed").header("gitlab-shell-api-request", wrong);
        let reply = story.app.send(request.body("{}".into()).unwrap()).await;
        assert_eq!(reply.line(), r#"401 {"message":"401 Unauthorized"}"#);
    }
}

/// allowed-20
#[sqlx::test]
async fn an_unknown_command_is_refused(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let sentence = "The command you're trying to execute is not allowed.";
    for action in ["git-foo", "", "git-upload-pack ", "GIT-UPLOAD-PACK"] {
        assert_refused(&story.asks(action, "g/p.git").await, 401, sentence);
    }
    let body = json!({"project": "g/p", "protocol": "ssh", "key_id": story.key.0});
    assert_refused(&story.app.post("/allowed", body).await, 401, sentence);
}

/// allowed-76
#[sqlx::test]
async fn an_environment_that_is_no_json_is_empty(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let key = story.key.to_string();
    for env in ["not json", "", "[]", r#"{"GIT_OBJECT_DIRECTORY_RELATIVE":"x"}"#] {
        let reply = story.ask("git-receive-pack", "g/p.git", &[("key_id", &key), ("env", env)]).await;
        assert_allowed(&reply);
        assert_eq!(reply.json()["gitaly"]["repository"]["git_object_directory"], "", "call 1 has no quarantine");
    }
}

#[sqlx::test]
async fn numbers_nulls_and_strangers_are_read(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let body = json!({
        "action": "git-receive-pack", "project": "g/p", "protocol": "ssh", "changes": "_any", "key_id": story.key.0,
        "user_id": null, "gl_repository": null, "check_ip": null, "push_options": ["ci.skip"], "env": {"a": 1},
        "relative_path": "@hashed/x.git", "gitaly_client_context_bin": null,
    });
    assert_allowed(&story.app.post("/allowed", body).await);
    // The query counts like a form, and the body wins.
    let query = format!("/allowed?key_id={}&protocol=ssh&project=x/y", story.key);
    assert_allowed(&story.app.post(&query, json!({"action": "git-upload-pack", "project": "g/p"})).await);
}

#[sqlx::test]
async fn what_is_missing_or_wrong_is_named(pool: PgPool) {
    let story = Story::begins(pool).await;
    let full = json!({"action": "git-receive-pack", "project": "g/p", "protocol": "ssh", "changes": "_any"});
    let mut replies = Vec::new();
    for missing in ["project", "protocol", "changes"] {
        let mut body = full.clone();
        body.as_object_mut().unwrap().remove(missing);
        replies.push(story.app.post("/allowed", body).await.line());
    }
    for (name, value) in [
        ("gl_repository", json!("bogus")),
        ("gl_repository", json!("project-0")),
        ("project", json!(["g/p"])),
        ("key_id", json!({"id": 1})),
        ("username", json!("a\0b")),
        ("gitaly_client_context_bin", json!("no base64!")),
        ("gitaly_client_context_bin", json!("bm8ganNvbg==")),
        ("gitaly_client_context_bin", json!("WzFd")),
    ] {
        let mut body = full.clone();
        body[name] = value;
        replies.push(story.app.post("/allowed", body).await.line());
    }
    insta::assert_snapshot!(replies.join("\n"), @r#"
    400 {"error":"project is missing","message":"400 Bad request - project is missing"}
    400 {"error":"protocol is missing","message":"400 Bad request - protocol is missing"}
    400 {"error":"changes is missing","message":"400 Bad request - changes is missing"}
    400 {"message":"400 Bad request - gl_repository is invalid"}
    400 {"message":"400 Bad request - gl_repository is invalid"}
    400 {"message":"400 Bad request - project is invalid"}
    400 {"message":"400 Bad request - a parameter is invalid"}
    400 {"message":"400 Bad request - username is invalid"}
    400 {"message":"400 Bad request - malformed gitaly_client_context_bin"}
    400 {"message":"400 Bad request - malformed gitaly_client_context_bin"}
    400 {"message":"400 Bad request - Decoded gitaly_client_context_bin is not a valid JSON object"}
    "#);
    let mut body = full.clone();
    body["gitaly_client_context_bin"] = json!("e30=");
    assert_refused(&story.app.post("/allowed", body).await, 404, NO_PROJECT);
}
