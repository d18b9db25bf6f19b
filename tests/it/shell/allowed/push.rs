//! Who may push, as gitlab-shell asks before it knows what.

use sqlx::PgPool;

use super::{NO_PUSH, Story, assert_allowed, assert_refused};
use crate::support::{TestApp, read_only};

const ARCHIVED: &str = "You can't push code to an archived project.";

/// allowed-19
#[sqlx::test]
async fn a_reporter_may_not_push_and_a_developer_may(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await.developer("dana").await;
    assert_refused(&story.push().await, 401, NO_PUSH);
    let dana = story.given.key(story.given.user("dana").await, "dana").await;
    assert_allowed(&story.key_pushes(dana).await);
}

/// allowed-41
#[sqlx::test]
async fn an_archived_project_may_be_fetched_from_alone(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await.is("archived = true").await;
    assert_allowed(&story.pull().await);
    assert_refused(&story.push().await, 401, ARCHIVED);
}

#[sqlx::test]
async fn a_project_is_archived_with_any_group_above_it(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/s/p").await.developer("rubi").await;
    assert_allowed(&story.asks("git-receive-pack", "g/s/p.git").await);
    let group = story.given.group("g").await;
    story.given.sql(&format!("update namespace_settings set archived = true where namespace_id = {group}")).await;
    assert_refused(&story.asks("git-receive-pack", "g/s/p.git").await, 401, ARCHIVED);
    assert_allowed(&story.pull_path("g/s/p.git").await);
}

/// allowed-43
#[sqlx::test]
async fn a_database_that_takes_no_writes_takes_no_pushes(pool: PgPool) {
    let story = Story::begins(pool.clone()).await;
    story.given.project("g/p").await.developer("rubi").await;
    let replica = read_only(&pool).await;
    // It passes where nobody has declared it, as after a failover.
    let story = Story { app: TestApp::new(replica.clone()), ..story };
    assert_eq!(story.push().await.line(), r#"503 {"message":"503 Service Unavailable"}"#);
    assert_allowed(&story.pull().await);
    let declared = TestApp::with(replica.clone(), "gatehouse: {database: {read_only: true}}");
    let story = Story { app: declared, ..story };
    assert_refused(&story.push().await, 401, "You can't push code to a read-only GitLab instance.");
    assert_allowed(&story.pull().await);
    drop(story);
    replica.close().await;
}

#[sqlx::test]
async fn a_repository_on_the_move_takes_no_pushes(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await.is("repository_read_only = true").await;
    assert_refused(&story.push().await, 401, "The repository is temporarily read-only. Please try again later.");
    assert_allowed(&story.pull().await);
}

#[sqlx::test]
async fn nobody_pushes_during_maintenance(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    story.given.setting("maintenance_mode = true").await;
    let sentence = "Git push is not allowed because this GitLab instance is currently in (read-only) maintenance mode.";
    assert_refused(&story.push().await, 401, sentence);
    assert_allowed(&story.pull().await);
}

#[sqlx::test]
async fn a_push_of_nothing_is_asked_like_any_push(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await;
    let key = story.key.to_string();
    for changes in ["", "\n"] {
        let reply = story.ask("git-receive-pack", "g/p.git", &[("key_id", &key), ("changes", changes)]).await;
        assert_refused(&reply, 401, NO_PUSH);
    }
}
