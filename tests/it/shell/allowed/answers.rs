//! The whole answer.

use sqlx::PgPool;

use super::{Story, assert_allowed};
use crate::support::TestApp;

const GITALY: &str = "repositories: {storages: {default: {gitaly_address: 'tcp://gitaly:8075', gitaly_token: secret}}}";

/// The example of the documentation, as its curl line sends it: key 11 of user 5, project 7 below group 3.
#[sqlx::test]
async fn the_documented_request_gets_the_documented_answer(pool: PgPool) {
    let app = TestApp::with(pool, GITALY);
    let given = app.given();
    let sequences = "select setval('namespaces_id_seq', 2), setval('users_id_seq', 4), setval('projects_id_seq', 6),
                     setval('keys_id_seq', 10)";
    given.sql(sequences).await;
    given.group("gnuwget").await;
    let rubi = given.user("rubi").await;
    given.key(rubi, "laptop").await;
    given.project("gnuwget/wget2").await.developer("rubi").await;
    let form = "key_id=11&project=gnuwget/wget2&action=git-upload-pack&protocol=ssh";
    let reply = app.post_form("/allowed", form).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/json");
    insta::assert_snapshot!(serde_json::to_string_pretty(&reply.json()).unwrap(), @r#"
    {
      "git_config_options": [
        "uploadpack.allowFilter=true",
        "uploadpack.allowAnySHA1InWant=true"
      ],
      "gitaly": {
        "address": "tcp://gitaly:8075",
        "features": {},
        "repository": {
          "git_alternate_object_directories": [],
          "git_object_directory": "",
          "gl_project_path": "gnuwget/wget2",
          "gl_repository": "project-7",
          "relative_path": "@hashed/79/02/7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451.git",
          "storage_name": "default"
        },
        "token": "secret"
      },
      "gl_console_messages": [],
      "gl_id": "user-5",
      "gl_key_id": 11,
      "gl_key_type": "key",
      "gl_project_id": 7,
      "gl_project_path": "gnuwget/wget2",
      "gl_repository": "project-7",
      "gl_root_namespace_id": 3,
      "gl_username": "rubi",
      "need_audit": false,
      "status": true
    }
    "#);
}

#[sqlx::test]
async fn a_storage_without_a_token_says_null(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let gitaly = story.pull().await.json()["gitaly"].clone();
    assert_eq!(gitaly["token"], serde_json::Value::Null);
    assert_eq!(gitaly["address"], "tcp://gitaly:8075");
}

#[sqlx::test]
async fn each_project_is_on_its_own_storage(pool: PgPool) {
    let settings = "gitaly: {token: of-all}\nrepositories:\n  storages:\n    \
                    second: {gitaly_address: 'unix:/run/gitaly.socket'}\n    \
                    third: {gitaly_address: 'tls://gitaly3:9999', gitaly_token: of-one}";
    let story = Story::with(pool, settings).await;
    let project = story.given.project("g/p").await.developer("rubi").await;
    let answer = async |storage: &str| {
        project.clone().is(&format!("repository_storage = '{storage}'")).await;
        let reply = story.pull().await;
        let gitaly = &reply.json()["gitaly"];
        format!("{} {} {}", gitaly["repository"]["storage_name"], gitaly["address"], gitaly["token"])
    };
    assert_eq!(answer("second").await, r#""second" "unix:/run/gitaly.socket" "of-all""#);
    assert_eq!(answer("third").await, r#""third" "tls://gitaly3:9999" "of-one""#);
    project.clone().is("repository_storage = 'unheard-of'").await;
    let reply = story.pull().await;
    assert_eq!(reply.line(), r#"503 {"message":"503 Service Unavailable"}"#, "an operator's mistake, not a user's");
}

#[sqlx::test]
async fn a_repository_of_before_hashed_storage_is_at_its_path(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.developer("rubi").await.with_wiki().await;
    project.is("storage_version = null").await;
    let reply = story.pull().await;
    assert_allowed(&reply);
    assert_eq!(reply.json()["gitaly"]["repository"]["relative_path"], "g/p.git");
    let wiki = story.pull_path("g/p.wiki").await;
    assert_eq!(wiki.json()["gitaly"]["repository"]["relative_path"], "g/p.wiki.git");
}

#[sqlx::test]
async fn the_top_level_namespace_is_named(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/s/t/p").await.developer("rubi").await;
    let root = story.given.group("g").await;
    assert_eq!(story.pull_path("g/s/t/p.git").await.json()["gl_root_namespace_id"], root.0);
}
