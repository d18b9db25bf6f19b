//! The name that is judged is the name that git writes: white space that only Unicode knows, and bytes that are no UTF-8.

use axum::body::Body;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::refs::Push;
use super::{assert_allowed, assert_refused};
use crate::support::Reply;

const ZERO: &str = "0000000000000000000000000000000000000000";
/// What Rust takes for a space and git does not.
const SPACES: [char; 5] = ['\u{3000}', '\u{a0}', '\u{85}', '\u{2003}', '\u{2028}'];
const NO_BRANCH: &str = "You are not allowed to create protected branches on this project.";
const NO_TAG: &str = "You are not allowed to create this tag as it is protected.";

impl Push {
    fn tip(&self) -> String {
        self.repository.id_of("refs/heads/main").unwrap()
    }

    async fn makes(&self, name: &str) -> Reply {
        self.asks_of(&format!("{ZERO} {} {name}\n", self.tip())).await
    }

    /// The question in bytes that no JSON value of ours could hold.
    async fn makes_raw(&self, content_type: &str, name: &[u8]) -> Reply {
        let repository = format!("project-{}", self.project.id);
        let (key, tip) = (self.story.key, self.tip());
        let form = content_type.ends_with("urlencoded");
        let (before, after) = if form {
            let before = format!(
                "action=git-receive-pack&protocol=ssh&gl_repository={repository}&key_id={key}&changes={ZERO}+{tip}+"
            );
            (before, "%0A".to_owned())
        } else {
            let before = format!(
                r#"{{"action":"git-receive-pack","protocol":"ssh","gl_repository":"{repository}","changes":"{ZERO} {tip} "#
            );
            (before, format!(r#"\n","key_id":"{key}"}}"#))
        };
        let body = [before.as_bytes(), name, after.as_bytes()].concat();
        let request = self.story.app.signed("POST", "/allowed").header("content-type", content_type);
        self.story.app.send(request.body(Body::from(body)).unwrap()).await
    }
}

#[sqlx::test]
async fn a_space_that_git_does_not_know_gets_nobody_past_a_protected_branch(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.protects("*-stable", 40, 40).await;
    push.protects("*x", 40, 40).await;
    for space in SPACES {
        assert_refused(&push.makes(&format!("refs/heads/v{space}-stable")).await, 401, NO_BRANCH);
        assert_refused(&push.makes(&format!("refs/heads/{space}x")).await, 401, NO_BRANCH);
        assert_allowed(&push.makes(&format!("refs/heads/v{space}free")).await);
    }
}

#[sqlx::test]
async fn a_space_that_git_does_not_know_gets_nobody_past_a_protected_tag(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let sql = format!(
        "with tag as (insert into protected_tags (project_id, name) values ({}, '*-rc') returning id)
         insert into protected_tag_create_access_levels (protected_tag_id, access_level) select id, 40 from tag",
        push.project.id
    );
    push.story.given.sql(&sql).await;
    for space in SPACES {
        assert_refused(&push.makes(&format!("refs/tags/v1{space}-rc")).await, 401, NO_TAG);
        assert_refused(&push.makes(&format!("refs/tags/{space}-rc")).await, 401, NO_TAG);
    }
}

#[sqlx::test]
async fn a_space_that_git_does_not_know_gets_nobody_past_the_pattern_of_branches(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let rule =
        format!("insert into push_rules (project_id, branch_name_regex) values ({}, '^[a-z]+$')", push.project.id);
    push.story.given.sql(&rule).await;
    let refusal = "Branch name does not follow the pattern '^[a-z]+$'";
    assert_allowed(&push.makes("refs/heads/x").await);
    for space in SPACES {
        assert_refused(&push.makes(&format!("refs/heads/x{space}DROP")).await, 401, refusal);
        assert_refused(&push.makes(&format!("refs/heads/{space}x")).await, 401, refusal);
        assert_refused(&push.makes(&format!("refs/heads/x{space}")).await, 401, refusal);
    }
}

#[sqlx::test]
async fn a_branch_that_only_begins_like_the_default_branch_may_go(pool: PgPool) {
    let push = Push::begins(pool, 40).await;
    let tip = push.tip();
    let delete = async |name: &str| push.asks_of(&format!("{tip} {ZERO} refs/heads/{name}\n")).await;
    for space in SPACES {
        assert_allowed(&delete(&format!("main{space}x")).await);
        assert_allowed(&delete(&format!("main{space}")).await);
    }
    assert_refused(&delete("main").await, 401, "The default branch of a project cannot be deleted.");
}

#[sqlx::test]
async fn a_name_that_is_no_utf_8_is_judged_in_every_encoding(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.protects("*-stable", 40, 40).await;
    let form = "application/x-www-form-urlencoded";
    assert_refused(&push.makes_raw(form, b"refs/heads/v%FF-stable").await, 401, NO_BRANCH);
    assert_refused(&push.makes_raw("application/json", b"refs/heads/v\xff-stable").await, 401, NO_BRANCH);
    // Gitaly's encoder.
    assert_refused(&push.makes_raw("application/json", br"refs/heads/v\ufffd-stable").await, 401, NO_BRANCH);
    let tag = "Tag names must be valid when converted to UTF-8 encoding";
    assert_refused(&push.makes_raw(form, b"refs/tags/v%FF").await, 401, tag);
    assert_refused(&push.makes_raw("application/json", b"refs/tags/v\xff").await, 401, tag);
    assert_allowed(&push.makes_raw(form, b"refs/heads/v%FF").await);
}

#[sqlx::test]
async fn a_line_that_git_does_not_write_is_named_and_nothing_is_let_through(pool: PgPool) {
    let push = Push::begins(pool, 40).await;
    let tip = push.tip();
    let mut answers = Vec::new();
    for lines in [
        format!("{ZERO} {tip}"),
        format!("{ZERO}\u{3000}{tip}\u{3000}refs/heads/x"),
        format!("{ZERO} {} refs/heads/x", &tip[1..]),
        format!("{ZERO} {tip} refs/heads/"),
        format!("{ZERO} {tip} refs/heads/fine\n{ZERO} {tip} HEAD"),
        format!("{ZERO} {tip} refs/notes/a b"),
    ] {
        let reply = push.asks_of(&lines).await;
        answers.push(format!("{} {}", reply.status.as_u16(), reply.message()));
    }
    insta::assert_snapshot!(answers.join("\n"), @r"
    400 400 Bad request - changes has a line that is not `old new ref`
    400 400 Bad request - changes has a line that is not `old new ref`
    400 400 Bad request - changes has an object id that is none
    400 400 Bad request - changes has a ref that git does not have
    400 400 Bad request - changes has a ref that git does not have
    400 400 Bad request - changes has a ref that git does not have
    ");
    for name in ["a b", "a\tb", "a\r", "/a", "a..b"] {
        let refusal = "You cannot create a branch with an invalid name.";
        assert_refused(&push.makes(&format!("refs/heads/{name}")).await, 401, refusal);
    }
}

/// What is judged here is what is reported there: both calls read the line alike.
#[sqlx::test]
async fn the_push_is_reported_under_the_name_that_was_judged(pool: PgPool) {
    let app = crate::support::pushes::app_with_queue(pool).await;
    let given = app.given();
    let project = given.project("g/p").await.developer("rubi").await;
    let key = given.key(given.user("rubi").await, "laptop").await;
    let (old, new) = ("a".repeat(40), "b".repeat(40));
    let kept = async || given.value::<String>("select changes from received_pushes order by id desc limit 1").await;
    let mut all = String::new();
    for space in SPACES {
        for name in [format!("x{space}-stable"), format!("{space}x")] {
            all.extend([&old, " ", &new, " refs/heads/", &name, "\n"]);
        }
    }
    let report = |changes: &str| {
        json!({ "gl_repository": format!("project-{}", project.id), "identifier": format!("key-{key}"),
                "changes": changes, "push_options": Value::Null })
    };
    assert_eq!(app.post_receive(report(&all)).await.status, 200);
    assert_eq!(kept().await, all);
    // One bad line loses none of the others.
    assert_eq!(app.post_receive(report(&format!("nonsense x\n{all}"))).await.status, 200);
    assert_eq!(kept().await, all);

    let form =
        format!("gl_repository=project-{}&identifier=key-{key}&changes={old}+{new}+refs/heads/%FF%0A", project.id);
    assert_eq!(app.post_form("/post_receive", &form).await.status, 200);
    assert_eq!(kept().await, format!("{old} {new} refs/heads/\u{fffd}\n"));
}
