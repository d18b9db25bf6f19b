//! Who may fetch.

use sqlx::PgPool;

use super::{NO_DOWNLOAD, NO_PROJECT, Story, ask, assert_allowed, assert_refused};

/// allowed-2
#[sqlx::test]
async fn a_reporter_pulls_and_was_seen_today(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await;
    assert_allowed(&story.pull().await);
    let seen = "select last_activity_on = $$today$$ from users where username = 'rubi'";
    let today = format!("'{}'", story.given.now.date_naive());
    story.given.eventually(&seen.replace("$$today$$", &today)).await;
    let used = format!("select last_used_at = '{}' from keys where id = {}", story.given.now.naive_utc(), story.key);
    story.given.eventually(&used).await;
}

/// allowed-3
#[sqlx::test]
async fn a_guest_of_a_private_project_may_not_pull(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.guest("rubi").await;
    assert_refused(&story.pull().await, 401, NO_DOWNLOAD);
    // The key was seen, whatever the verdict; its user was not active.
    let used = format!("select last_used_at is not null from keys where id = {}", story.key);
    story.given.eventually(&used).await;
    let active: bool = story.given.value("select bool_or(last_activity_on is not null) from users").await;
    assert!(!active, "a denied request is no activity");
}

/// allowed-4
#[sqlx::test]
async fn a_stranger_finds_no_private_project(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await;
    assert_refused(&story.pull().await, 404, NO_PROJECT);
}

/// allowed-5: whoever awaits admission has no row among the authorizations
#[sqlx::test]
async fn a_member_who_awaits_admission_is_a_stranger(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await;
    let member = format!(
        "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level, requested_at, state)
         select 'ProjectMember', 'Project', id, project_namespace_id, {}, 30, now(), 1 from projects where id = {}",
        story.rubi, project.id
    );
    story.given.sql(&member).await;
    assert_refused(&story.pull().await, 404, NO_PROJECT);
}

/// allowed-7
#[sqlx::test]
async fn an_external_user_finds_no_internal_project(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.internal().await;
    assert_allowed(&story.pull().await);
    story.given.user_is(story.rubi, "external = true").await;
    assert_refused(&story.pull().await, 404, NO_PROJECT);
}

/// allowed-11
#[sqlx::test]
async fn nobody_pulls_where_the_repository_is_disabled(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.public().await.features("repository_access_level = 0").await;
    let nobody = [("action", "git-upload-pack"), ("project", "g/p"), ("protocol", "ssh")];
    assert_refused(&ask(&story.app, &nobody).await, 401, NO_DOWNLOAD);
}

/// allowed-17: that there is no repository comes before what the guest may not do
#[sqlx::test]
async fn a_guest_hears_first_that_there_is_no_repository(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.guest("rubi").await.without_repository().await;
    assert_refused(&story.pull().await, 404, "A repository for this project does not exist yet.");
}

/// allowed-21
#[sqlx::test]
async fn an_archive_is_a_download(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await;
    assert_allowed(&story.asks("git-upload-archive", "g/p.git").await);
    story.given.project("g/q").await.guest("rubi").await;
    assert_refused(&story.asks("git-upload-archive", "g/q.git").await, 401, NO_DOWNLOAD);
}

#[sqlx::test]
async fn a_pull_needs_no_changes(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await;
    let key = story.key.to_string();
    let parameters = [("action", "git-upload-pack"), ("project", "g/p.git"), ("protocol", "ssh"), ("key_id", &key)];
    assert_allowed(&ask(&story.app, &parameters).await);
}

#[sqlx::test]
async fn the_owner_of_a_personal_namespace_owns_its_projects(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("rubi/p").await;
    assert_allowed(&story.pull_path("rubi/p.git").await);
    assert_allowed(&story.asks("git-receive-pack", "rubi/p.git").await);
}

#[sqlx::test]
async fn the_highest_of_several_levels_counts(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.guest("rubi").await;
    let second = "insert into project_authorizations (user_id, project_id, access_level) values";
    story.given.sql(&format!("{second} ({}, {}, 30)", story.rubi, project.id)).await;
    assert_allowed(&story.push().await);
}

#[sqlx::test]
async fn a_project_on_its_way_out_may_be_fetched_from_but_not_pushed_to(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await.is("marked_for_deletion_at = current_date").await;
    assert_allowed(&story.pull().await);
    assert_refused(&story.push().await, 401, super::NO_PUSH);
}

#[sqlx::test]
async fn a_hidden_project_is_nowhere_to_be_found(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.developer("rubi").await.public().await.with_wiki().await;
    let deploy_key = story.given.deploy_key(Some(story.rubi), "builder").await;
    let project = project.deploys(deploy_key, true).await;
    let snippet = story.given.snippet(story.rubi, Some(&project)).await;
    let snippet = format!("g/p/snippets/{snippet}.git");
    for found in ["g/p.git", "g/p.wiki.git", &snippet] {
        assert_allowed(&story.pull_path(found).await);
    }
    project.is("hidden = true").await;
    for admin in [false, true] {
        story.given.user_is(story.rubi, &format!("admin = {admin}")).await;
        assert_refused(&story.pull().await, 404, NO_PROJECT);
        assert_refused(&story.push().await, 404, NO_PROJECT);
        let no_wiki = "The wiki you were looking for could not be found.";
        assert_refused(&story.pull_path("g/p.wiki.git").await, 404, no_wiki);
        let no_snippet = "The snippet you were looking for could not be found.";
        assert_refused(&story.pull_path(&snippet).await, 404, no_snippet);
    }
    assert_refused(&story.key_pulls(deploy_key).await, 404, NO_PROJECT);
    assert_refused(&story.key_pushes(deploy_key).await, 404, NO_PROJECT);
    let ask = serde_json::json!({ "operation": "download", "project": "g/p", "key_id": story.key.to_string() });
    assert_eq!(story.app.post("/lfs_authenticate", ask).await.status, 404);
    let ask = serde_json::json!({ "project_id": 1, "public_key": "glet_x" });
    assert_eq!(story.app.post("/error_tracking/allowed", ask).await.status, 404);
}
