//! Many attempts at once share statements, and each gets its own answer; and no request whatever gets a 5xx.

use std::sync::Arc;

use axum::body::Body;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::support::TestApp;

#[sqlx::test]
async fn each_of_many_attempts_gets_its_own_answer(pool: PgPool) {
    let app = Arc::new(TestApp::new(pool));
    let given = app.given();
    let (mut keys, mut projects) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let user = given.user(&format!("user{number}")).await;
        keys.push(given.key(user, &format!("key{number}")).await);
        // Each user is a developer of the project of their number, a guest of the next, and nothing to the others.
        let next = (number + 1) % 10;
        let project = given.project(&format!("g/p{number}")).await.developer(&format!("user{number}")).await;
        projects.push(project.guest(&format!("user{next}")).await);
    }
    let mut attempts = JoinSet::new();
    for number in 0..500 {
        let (key, project, push) = (number % 10, (number / 10) % 10, number % 3 == 0);
        let body = json!({
            "action": if push { "git-receive-pack" } else { "git-upload-pack" }, "changes": "_any", "protocol": "ssh",
            "project": format!("g/p{project}.git"), "key_id": keys[key].to_string(),
        });
        let (app, ids) = (Arc::clone(&app), (keys[key].0, projects[project].id.0));
        attempts.spawn(async move {
            let reply = app.post("/allowed", body).await;
            let json = reply.json();
            let answered = (reply.status.as_u16(), json["gl_key_id"].as_i64(), json["gl_project_id"].as_i64());
            let expected = match (10 + key - project) % 10 {
                0 => (200, Some(ids.0), Some(ids.1)),
                1 => (401, None, None),
                _ => (404, None, None),
            };
            assert_eq!(answered, expected, "key {key}, project {project}: {json}");
        });
    }
    assert_eq!(attempts.join_all().await.len(), 500);
}

/// The words that requests are made of, so that guesses get past the first check.
fn word() -> impl Strategy<Value = Value> {
    let known = prop::sample::select(vec![
        "git-upload-pack",
        "git-receive-pack",
        "git-upload-archive",
        "ssh",
        "http",
        "web",
        "_any",
        "g/p",
        "/g/p.git",
        "g/p.wiki",
        "g/p.design",
        "snippets/1",
        "g/p/snippets/1",
        "G/OLD",
        "project-1",
        "wiki-1",
        "group-1-wiki",
        "snippet-1",
        "design-1",
        "1",
        "0",
        "-1",
        "99999999999999999999",
        "rubi",
        "user-1",
        "key-1",
        "127.0.0.1",
        "e30=",
        "",
        "0000000000000000000000000000000000000000 1111111111111111111111111111111111111111 refs/heads/x",
    ]);
    prop_oneof![
        8 => known.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => prop::sample::select(vec![json!(null), json!(true), json!(1.5), json!([]), json!({}), json!(["1"])]),
    ]
}

fn request() -> impl Strategy<Value = Value> {
    let names = [
        "action",
        "protocol",
        "project",
        "gl_repository",
        "changes",
        "key_id",
        "user_id",
        "username",
        "identifier",
        "krb5principal",
        "check_ip",
        "namespace_path",
        "env",
        "relative_path",
        "push_options",
        "gitaly_client_context_bin",
    ];
    prop::collection::hash_map(prop::sample::select(names.to_vec()), word(), 0..8)
        .prop_map(|parameters| json!(parameters))
}

#[sqlx::test]
async fn whatever_is_asked_is_no_failure_of_ours(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let project = given.project("g/p").await.developer("rubi").await.with_wiki().await.moved_from("g/old").await;
    let rubi = given.user("rubi").await;
    given.user_is(rubi, "admin = true").await;
    given.key(rubi, "laptop").await;
    given.snippet(rubi, None).await;
    given.snippet(rubi, Some(&project)).await;
    let mut runner = TestRunner::default();
    let guess = |runner: &mut TestRunner| request().new_tree(runner).unwrap().current();
    for _ in 0..150 {
        let mut body = guess(&mut runner);
        // Most requests have the three that each needs.
        for (name, value) in [("action", "git-upload-pack"), ("protocol", "web"), ("project", "g/p")] {
            body.as_object_mut().unwrap().entry(name).or_insert(value.into());
        }
        for path in ["/allowed", "/lfs_authenticate"] {
            let reply = app.post(path, body.clone()).await;
            // The ref updates of a push are asked of a Gitaly, and here is none.
            let foreseen = reply.status.as_u16() < 500 || (reply.status == 503 && body["action"] == "git-receive-pack");
            assert!(foreseen && reply.json().is_object(), "{} for {path} {body}", reply.line());
        }
    }
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    for _ in 0..50 {
        let bytes = bytes.new_tree(&mut runner).unwrap().current();
        for kind in ["application/json", "application/x-www-form-urlencoded"] {
            let request = app.signed("POST", "/allowed").header("content-type", kind);
            let reply = app.send(request.body(Body::from(bytes.clone())).unwrap()).await;
            assert!(reply.status.is_client_error(), "{} for {bytes:?}", reply.line());
        }
    }
}
