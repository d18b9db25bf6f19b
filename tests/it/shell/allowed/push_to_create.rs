//! A push to a path without a project.

use sqlx::PgPool;

use super::{NO_PROJECT, Story, assert_allowed, assert_refused};
use crate::support::TestGitaly;

async fn begins(pool: PgPool) -> (Story, TestGitaly) {
    let gitaly = TestGitaly::start();
    let story = Story::with(pool, &gitaly.settings()).await;
    (story, gitaly)
}

/// allowed-44
#[sqlx::test]
async fn a_push_into_the_own_namespace_makes_a_private_project(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    let reply = story.asks("git-receive-pack", "rubi/new.git").await;
    assert_allowed(&reply);
    let json = reply.json();
    let id = json["gl_project_id"].as_i64().unwrap();
    assert_eq!(json["gl_repository"], format!("project-{id}"));
    assert_eq!(json["gl_project_path"], "rubi/new");
    let path = json["gitaly"]["repository"]["relative_path"].as_str().unwrap();
    assert!(gitaly.storage().join(path).is_dir(), "the repository is on its storage");
    assert_eq!(story.given.value::<i32>("select visibility_level from projects").await, 0);
    let message: String = story.given.value("select message from post_push_messages where kind = 'created'").await;
    assert_eq!(
        message,
        "\nThe private project rubi/new was successfully created.\n\nTo configure the remote, run:\n  \
         git remote add origin git@localhost:rubi/new.git\n\nTo view the project, visit:\n  http://localhost/rubi/new\n\n"
    );
    // The owner finds it again, and only the first push made it.
    assert_allowed(&story.asks("git-receive-pack", "rubi/new.git").await);
    assert_allowed(&story.pull_path("rubi/new").await);
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 1);
    assert_eq!(story.given.value::<i32>("select access_level from project_authorizations").await, 50);
}

#[sqlx::test]
async fn a_push_over_http_is_told_the_clone_url_that_the_instance_states(pool: PgPool) {
    let (story, _gitaly) = begins(pool).await;
    story.given.setting("custom_http_clone_url_root = 'https://clone.example.com/git/'").await;
    let key = story.key.to_string();
    let more = [("key_id", key.as_str()), ("protocol", "http")];
    assert_allowed(&story.ask("git-receive-pack", "rubi/new.git", &more).await);
    let message: String = story.given.value("select message from post_push_messages where kind = 'created'").await;
    assert!(message.contains("git remote add origin https://clone.example.com/git/rubi/new.git\n"), "{message}");
    assert!(message.contains("visit:\n  http://localhost/rubi/new\n"), "{message}");

    story.given.sql("update routes set path = 'rubi/newer' where path = 'rubi/new'").await;
    let redirect =
        "insert into redirect_routes (source_id, source_type, path) select id, 'Project', 'rubi/new' from projects";
    story.given.sql(redirect).await;
    assert_allowed(&story.ask("git-upload-pack", "rubi/new.git", &more).await);
    let message: String = story.given.value("select message from post_push_messages where kind = 'moved'").await;
    assert!(message.ends_with("origin https://clone.example.com/git/rubi/newer.git\n"), "{message}");
    let body = serde_json::json!({ "operation": "download", "project": "rubi/newer", "key_id": key });
    let lfs = story.app.post("/lfs_authenticate", body).await.json();
    assert_eq!(lfs["repository_http_path"], "https://clone.example.com/git/rubi/newer.git");
}

/// allowed-45
#[sqlx::test]
async fn a_name_that_no_project_can_have_is_told(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    let reply = story.asks("git-receive-pack", "rubi/cannot_end_with_dot.").await;
    assert_eq!(reply.status, 422);
    assert!(reply.message().starts_with("Could not create project: "), "{}", reply.text);
    assert_eq!(gitaly.methods(), Vec::<&str>::new());
}

/// allowed-46, allowed-47
#[sqlx::test]
async fn nothing_is_made_where_the_user_may_not_or_does_not_push(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    story.given.group("othergroup").await;
    story.given.user("dana").await;
    assert_refused(&story.asks("git-receive-pack", "othergroup/new.git").await, 404, NO_PROJECT);
    assert_refused(&story.asks("git-receive-pack", "dana/new.git").await, 404, NO_PROJECT);
    assert_refused(&story.asks("git-receive-pack", "nowhere/new.git").await, 404, NO_PROJECT);
    assert_refused(&story.pull_path("rubi/new.git").await, 404, NO_PROJECT);
    assert_eq!(story.asks("git-receive-pack", "snippets/x.git").await.status, 404);
    assert_eq!(story.asks("git-receive-pack", "rubi/snippets/x.git").await.status, 404);
    let deploy_key = story.given.deploy_key(Some(story.rubi), "builder").await;
    let key = deploy_key.to_string();
    assert_eq!(story.ask("git-receive-pack", "rubi/new.git", &[("key_id", &key)]).await.status, 404);
    story.given.user_is(story.rubi, "projects_limit = 0").await;
    assert_refused(&story.asks("git-receive-pack", "rubi/new.git").await, 404, NO_PROJECT);
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 0);
    assert_eq!(gitaly.methods(), Vec::<&str>::new());
}

#[sqlx::test]
async fn a_group_lets_its_developers_make_projects(pool: PgPool) {
    let (story, _gitaly) = begins(pool).await;
    let group = story.given.group("acme/platform").await;
    let member = format!(
        "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
         select 'GroupMember', 'Namespace', id, id, {}, 30 from namespaces where path = 'acme'",
        story.rubi
    );
    story.given.sql(&member).await;
    assert_allowed(&story.asks("git-receive-pack", "acme/platform/new").await);
    assert_eq!(story.given.value::<i32>("select access_level from project_authorizations").await, 30);
    story.given.sql(&format!("update namespaces set project_creation_level = 1 where id = {group}")).await;
    assert_refused(&story.asks("git-receive-pack", "acme/platform/other").await, 404, NO_PROJECT);
}

#[sqlx::test]
async fn a_gitaly_that_is_down_leaves_nothing_behind(pool: PgPool) {
    let (story, mut gitaly) = begins(pool).await;
    gitaly.stop();
    let down = story.asks("git-receive-pack", "rubi/new.git").await;
    assert_eq!(down.status, 503);
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 0);
    gitaly.restart();
    assert_allowed(&story.asks("git-receive-pack", "rubi/new.git").await);
}

#[sqlx::test]
async fn of_many_pushes_at_once_one_makes_the_project(pool: PgPool) {
    let (story, _gitaly) = begins(pool).await;
    let body = serde_json::json!({
        "action": "git-receive-pack", "project": "rubi/new.git", "changes": "_any", "protocol": "ssh",
        "key_id": story.key.to_string(),
    });
    let replies = futures_util::future::join_all((0..16).map(|_| story.app.post("/allowed", body.clone()))).await;
    for reply in &replies {
        assert_allowed(reply);
        assert_eq!(reply.json()["gl_project_id"], replies[0].json()["gl_project_id"]);
    }
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 1);
}
