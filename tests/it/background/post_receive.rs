//! The job of a push: notes of activity, events, and who is told.

use std::fmt::Write as _;

use gatehouse::domain::repository::hashed_path;
use sqlx::PgPool;

use crate::support::pushes::{NEW, OLD, WAITING, Working, ZERO, app_with_queue, app_with_queue_and, report, until};
use crate::support::{TestApp, TestGitaly};

async fn pushed(app: &TestApp, gl_repository: &str, identifier: &str, changes: &str) {
    let reply = app.post_receive(report(gl_repository, identifier, changes)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    until(app, WAITING, 0).await;
}

/// The events of all pushes, a line each.
async fn events(app: &TestApp) -> String {
    let sql = "select coalesce(string_agg(concat_ws(' ',
                 events.action, push_event_payloads.action, ref_type, commit_count, ref_count, ref,
                 left(encode(commit_from, 'hex'), 4), left(encode(commit_to, 'hex'), 4)
               ), E'\\n' order by events.id), '')
               from events join push_event_payloads on event_id = events.id";
    app.given().value(sql).await
}

#[sqlx::test]
async fn a_push_leaves_an_event_for_each_ref_and_a_note_of_the_time(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    let project = given.project("g/p").await.developer("rubi").await;
    let key = given.key(given.user("rubi").await, "laptop").await;
    let working = Working::on(&app);
    let changes = format!(
        "{OLD} {NEW} refs/heads/main\n{ZERO} {NEW} refs/heads/new\n{OLD} {ZERO} refs/heads/old\n\
         {ZERO} {NEW} refs/tags/v1\n{OLD} {NEW} refs/notes/commits\n"
    );
    pushed(&app, &format!("project-{}", project.id), &format!("key-{key}"), &changes).await;
    insta::assert_snapshot!(events(&app).await, @r"
    5 0 0 0 new bbbb
    5 1 0 0 old aaaa
    5 2 0 0 main aaaa bbbb
    5 0 1 0 v1 bbbb
    ");
    let noted = "select count(*) from projects
                 where last_activity_at = last_repository_updated_at and last_activity_at is not null";
    assert_eq!(given.value::<i64>(noted).await, 1);
    let author = "select count(*) from events join users on users.id = author_id where username = 'rubi'";
    assert_eq!(given.value::<i64>(author).await, 4);
    let left = "select count(*) from received_pushes where processed_at is null or changes <> ''";
    assert_eq!(given.value::<i64>(left).await, 0);
    working.drain().await;
}

#[sqlx::test]
async fn more_refs_than_the_limit_share_an_event(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    let project = given.project("g/p").await.developer("rubi").await;
    let rubi = given.user("rubi").await;
    let mut changes = String::new();
    for number in 0..5000 {
        writeln!(changes, "{ZERO} {NEW} refs/tags/v{number}").unwrap();
    }
    for number in 0..3 {
        writeln!(changes, "{ZERO} {NEW} refs/heads/b{number}").unwrap();
    }
    let working = Working::on(&app);
    pushed(&app, &format!("project-{}", project.id), &format!("user-{rubi}"), &changes).await;
    insta::assert_snapshot!(events(&app).await, @r"
    5 0 0 0 b0 bbbb
    5 0 0 0 b1 bbbb
    5 0 0 0 b2 bbbb
    5 0 1 0 5000
    ");
    working.drain().await;
}

#[sqlx::test]
async fn the_instance_says_how_many_refs_have_events_of_their_own(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    given.setting("push_event_activities_limit = 1").await;
    let project = given.project("g/p").await.developer("rubi").await;
    let rubi = given.user("rubi").await;
    let changes = format!("{ZERO} {NEW} refs/heads/a\n{ZERO} {NEW} refs/heads/b\n{ZERO} {NEW} refs/tags/v1\n");
    let working = Working::on(&app);
    pushed(&app, &format!("project-{}", project.id), &format!("user-{rubi}"), &changes).await;
    insta::assert_snapshot!(events(&app).await, @r"
    5 0 0 0 2
    5 0 1 0 v1 bbbb
    ");
    working.drain().await;
}

#[sqlx::test]
async fn a_deploy_key_without_an_owner_pushes_as_the_ghost(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    let project = given.project("g/p").await;
    let key = given.deploy_key(None, "builder").await;
    let ghost = given.user("ghost").await;
    given.user_is(ghost, "user_type = 5").await;
    let working = Working::on(&app);
    pushed(&app, &format!("project-{}", project.id), &format!("key-{key}"), &format!("{OLD} {NEW} refs/heads/main\n"))
        .await;
    assert_eq!(given.value::<i64>("select author_id from events").await, ghost.0);
    working.drain().await;
}

#[sqlx::test]
async fn a_push_by_nobody_we_know_is_noted_and_leaves_no_event(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    let project = given.project("g/p").await;
    let working = Working::on(&app);
    let change = format!("{OLD} {NEW} refs/heads/main\n");
    pushed(&app, &format!("project-{}", project.id), "deploy-token-5", &change).await;
    assert_eq!(events(&app).await, "");
    assert_eq!(given.value::<i64>("select count(*) from projects where last_activity_at is not null").await, 1);
    pushed(&app, "project-999999", "user-1", &change).await;
    pushed(&app, &format!("wiki-{}", project.id), "user-1", &change).await;
    pushed(&app, "group-9-wiki", "user-1", &change).await;
    assert_eq!(events(&app).await, "");
    working.drain().await;
}

#[sqlx::test]
async fn a_push_that_is_processed_late_does_not_turn_the_time_back(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let given = app.given();
    let project = given.project("g/p").await.is("last_activity_at = '2999-01-01'").await;
    let working = Working::on(&app);
    pushed(&app, &format!("project-{}", project.id), "", "").await;
    assert_eq!(given.value::<String>("select last_activity_at::date::text from projects").await, "2999-01-01");
    working.drain().await;
}

#[sqlx::test]
async fn events_count_the_commits_that_gitaly_knows_of(pool: PgPool) {
    let gitaly = TestGitaly::start();
    let app = app_with_queue_and(pool, &gitaly.settings()).await;
    let given = app.given();
    let project = given.project("g/p").await.developer("rubi").await;
    let rubi = given.user("rubi").await;
    let repository = gitaly.repository(&format!("{}.git", hashed_path("@hashed", project.id.0)));
    let first = repository.commit("main", &[("a", "1\n")], "Begin\n");
    repository.commit("main", &[("a", "2\n")], "Go on\n");
    let last = repository.commit("main", &[("a", "3\n")], "End\n\nand say why\n");
    repository.set_ref("refs/heads/topic", &last);
    let topic = repository.commit("topic", &[("b", "1\n")], "Try something\n");
    repository.set_ref("refs/tags/v1", &last);

    let working = Working::on(&app);
    let changes =
        format!("{first} {last} refs/heads/main\n{ZERO} {topic} refs/heads/topic\n{ZERO} {last} refs/tags/v1\n");
    pushed(&app, &format!("project-{}", project.id), &format!("user-{rubi}"), &changes).await;
    let sql = "select string_agg(concat_ws(' ', ref, commit_count, commit_title), E'\\n' order by ref)
               from push_event_payloads";
    assert_eq!(given.value::<String>(sql).await, "main 2 End\ntopic 1 Try something\nv1 1 End");
    let known = "select name from project_default_branches";
    assert_eq!(given.value::<String>(known).await, "main");
    working.drain().await;
}
