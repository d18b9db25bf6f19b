//! Wikis.

use sqlx::PgPool;

use super::{Story, assert_allowed, assert_refused};

/// allowed-49
#[sqlx::test]
async fn a_stranger_finds_no_wiki(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.with_wiki().await;
    let reply = story.asks("git-receive-pack", "g/p.wiki.git").await;
    assert_refused(&reply, 404, "The wiki you were looking for could not be found.");
}

/// allowed-50
#[sqlx::test]
async fn a_reporter_reads_the_wiki_and_a_planner_writes_it(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.reporter("rubi").await.member("dana", 15).await.with_wiki().await;
    assert_refused(
        &story.asks("git-receive-pack", "g/p.wiki.git").await,
        401,
        "You are not allowed to write to this project's wiki.",
    );
    let reply = story.pull_path("g/p.wiki.git").await;
    assert_allowed(&reply);
    let json = reply.json();
    assert_eq!(json["gl_repository"], format!("wiki-{}", project.id));
    assert_eq!(json["gl_project_path"], "g/p.wiki");
    assert_eq!(json["gl_project_id"], project.id.0);
    let on_disk = json["gitaly"]["repository"]["relative_path"].as_str().unwrap();
    assert!(on_disk.starts_with("@hashed/") && on_disk.ends_with(".wiki.git"), "{on_disk}");
    let dana = story.given.key(story.given.user("dana").await, "dana").await.to_string();
    assert_allowed(&story.ask("git-receive-pack", "g/p.wiki.git", &[("key_id", &dana)]).await);
}

/// allowed-51
#[sqlx::test]
async fn a_wiki_that_is_switched_off_is_not_read(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.maintainer("rubi").await.with_wiki().await;
    project.features("wiki_access_level = 0").await;
    let reply = story.pull_path("g/p.wiki.git").await;
    assert_refused(&reply, 401, "You are not allowed to download files from this wiki.");
    assert_allowed(&story.pull().await);
}

/// allowed-52
#[sqlx::test]
async fn a_wiki_that_nobody_began_does_not_exist_yet(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await;
    for action in ["git-upload-pack", "git-receive-pack"] {
        let reply = story.asks(action, "g/p.wiki.git").await;
        assert_refused(&reply, 404, "A repository for this wiki does not exist yet.");
    }
}

#[sqlx::test]
async fn a_wiki_lives_without_a_repository_of_code(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await.without_repository().await.with_wiki().await;
    assert_allowed(&story.pull_path("g/p.wiki.git").await);
}
