//! The second call of a push: Gitaly's question from its `pre-receive` hook, over real repositories.

use std::time::{Duration, Instant};

use gatehouse::domain::ids::KeyId;
use gatehouse::domain::repository::hashed_path;
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::Status;

use super::Story;
use crate::support::git::{Author, GitRepo, Quarantined, lfs_pointer};
use crate::support::{GivenProject, Reply, TestGitaly};

const PROTECTED: &str = "You are not allowed to push code to protected branches on this project.";
const ZERO: &str = "0000000000000000000000000000000000000000";

/// `rubi`, the project `g/p` with a commit on `main`, and the Gitaly that has it.
struct Push {
    story: Story,
    gitaly: TestGitaly,
    project: GivenProject,
    repository: GitRepo,
}

impl Push {
    async fn begins(pool: PgPool, level: i32) -> Self {
        Self::with(pool, level, "").await
    }

    async fn with(pool: PgPool, level: i32, settings: &str) -> Self {
        let gitaly = TestGitaly::start();
        let story = Story::with(pool, &format!("{}{settings}", gitaly.settings())).await;
        let project = story.given.project("g/p").await.member("rubi", level).await;
        let repository = gitaly.repository(&format!("{}.git", hashed_path("@hashed", project.id.0)));
        repository.commit("main", &[("README", "hello\n")], "Begin\n");
        Self { story, gitaly, project, repository }
    }

    /// Protects a pattern: who may push and merge, by level.
    async fn protects(&self, pattern: &str, push: i32, merge: i32) {
        let sql = format!(
            "with branch as (
               insert into protected_branches (project_id, name) values ({}, '{pattern}') returning id
             ), pushers as (
               insert into protected_branch_push_access_levels (protected_branch_id, access_level)
               select id, {push} from branch
             )
             insert into protected_branch_merge_access_levels (protected_branch_id, access_level)
             select id, {merge} from branch",
            self.project.id
        );
        self.story.given.sql(&sql).await;
    }

    /// A push of one commit to a branch, in its quarantine.
    fn commits_to(&self, branch: &str) -> Quarantined {
        self.repository.quarantined_push(branch, &[("new.txt", "new\n")], "Add a file\n")
    }

    async fn asks(&self, push: &Quarantined) -> Reply {
        self.asks_lines(&push.lines(), Some(push.env()), self.story.key).await
    }

    async fn asks_of(&self, lines: &str) -> Reply {
        self.asks_lines(lines, None, self.story.key).await
    }

    /// What Gitaly 16 sends, to the letter: all texts, the path on its own disk, the hook's input with its last newline.
    async fn asks_lines(&self, lines: &str, env: Option<Value>, key: KeyId) -> Reply {
        let relative_path = format!("{}.git", hashed_path("@hashed", self.project.id.0));
        let body = json!({
            "action": "git-receive-pack",
            "gl_repository": format!("project-{}", self.project.id),
            "project": self.gitaly.storage().join(&relative_path),
            "changes": lines,
            "protocol": "ssh",
            "env": env.unwrap_or_else(|| json!("{}")),
            "key_id": key.to_string(),
            "relative_path": relative_path,
        });
        self.story.app.post("/allowed", body).await
    }
}

#[track_caller]
fn assert_refused(reply: &Reply, message: &str) {
    super::assert_refused(reply, 401, message);
}

/// allowed-55
#[sqlx::test]
async fn a_protected_branch_takes_pushes_of_maintainers_alone(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.protects("main", 40, 30).await;
    let update = push.commits_to("main");
    assert_refused(&push.asks(&update).await, PROTECTED);
    push.story.given.sql("update project_authorizations set access_level = 40").await;
    super::assert_allowed(&push.asks(&update).await);
    push.story.given.sql("update project_authorizations set access_level = 10").await;
    push.story.given.user_is(push.story.rubi, "admin = true").await;
    assert_refused(&push.asks(&update).await, PROTECTED);
}

#[sqlx::test]
async fn a_fast_forward_of_a_free_branch_costs_gitaly_no_call(pool: PgPool) {
    let push = Push::with(pool, 30, "lfs: {enabled: false}\n").await;
    let update = push.commits_to("main");
    super::assert_allowed(&push.asks(&update).await);
    assert_eq!(push.gitaly.methods(), Vec::<&str>::new());
}

/// allowed-75: the quarantine goes with every question, and comes back with the answer.
#[sqlx::test]
async fn every_question_carries_the_quarantine(pool: PgPool) {
    let push = Push::begins(pool, 40).await;
    push.protects("main", 40, 40).await;
    let update = push.commits_to("main");
    let reply = push.asks(&update).await;
    super::assert_allowed(&reply);
    let repository = &reply.json()["gitaly"]["repository"];
    assert_eq!(repository["git_object_directory"], update.object_directory);
    assert_eq!(repository["git_alternate_object_directories"], json!(["objects"]));
    let calls = push.gitaly.calls();
    assert!(!calls.is_empty());
    for call in calls {
        assert_eq!(call.header("gitaly-route-repository-accessor-policy"), "primary-only");
        assert_eq!(call.header("x-gitlab-correlation-id"), reply.headers["x-request-id"].to_str().unwrap());
    }
}

/// allowed-63, allowed-64
#[sqlx::test]
async fn a_forced_push_is_known_by_its_ancestry(pool: PgPool) {
    let push = Push::begins(pool, 40).await;
    let work = push.repository.push();
    work.clone.delete_ref("refs/heads/main");
    work.clone.commit("main", &[("other", "story\n")], "Begin anew\n");
    let forced = work.quarantine();
    super::assert_allowed(&push.asks(&forced).await);
    push.protects("main", 40, 40).await;
    assert_refused(
        &push.asks(&forced).await,
        "You are not allowed to force push code to a protected branch on this project.",
    );
    push.story.given.sql("update protected_branches set allow_force_push = true").await;
    super::assert_allowed(&push.asks(&forced).await);
}

/// allowed-61, allowed-62
#[sqlx::test]
async fn the_default_branch_stays_and_others_may_go(pool: PgPool) {
    let push = Push::begins(pool, 40).await;
    let tip = push.repository.id_of("refs/heads/main").unwrap();
    let delete = |branch: &str| format!("{tip} {ZERO} refs/heads/{branch}\n");
    assert_refused(&push.asks_of(&delete("main")).await, "The default branch of a project cannot be deleted.");
    super::assert_allowed(&push.asks_of(&delete("topic")).await);
}

/// allowed-65
#[sqlx::test]
async fn who_may_merge_alone_starts_protected_branches_from_protected_commits(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.protects("release/*", 0, 30).await;
    push.protects("main", 40, 40).await;
    let unknown = push.commits_to("release/1");
    let refusal = "You can only use an existing protected branch ref as the basis of a new protected branch.";
    assert_refused(&push.asks(&unknown).await, refusal);
    let tip = push.repository.id_of("refs/heads/main").unwrap();
    let known = push.asks_of(&format!("{ZERO} {tip} refs/heads/release/2\n")).await;
    assert_refused(&known, "You can only create protected branches using the web interface and API.");
}

/// allowed-69
#[sqlx::test]
async fn the_first_branch_of_an_empty_repository_is_protected(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let first = push.commits_to("main");
    push.repository.delete_ref("refs/heads/main");
    let lines = format!("{ZERO} {} refs/heads/main\n", first.change().new);
    let ask = async || push.asks_lines(&lines, Some(first.env()), push.story.key).await;
    let message = "\nA default branch (e.g. main) does not yet exist for g/p\nAsk a project Owner or Maintainer to create \
                   a default branch:\n\n  http://localhost/g/p/-/project_members\n\n";
    assert_refused(&ask().await, message);
    push.story.given.setting("default_branch_protection = 4").await;
    super::assert_allowed(&ask().await);
    push.story.given.setting("default_branch_protection = 2").await;
    push.story.given.sql("update project_authorizations set access_level = 40").await;
    super::assert_allowed(&ask().await);
    let newer = r#"default_branch_protection_defaults = '{"allowed_to_push": [{"access_level": 30}]}'"#;
    push.story.given.sql("update project_authorizations set access_level = 30").await;
    push.story.given.setting(newer).await;
    super::assert_allowed(&ask().await);
}

/// allowed-73
#[sqlx::test]
async fn pointers_need_their_lfs_objects(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.story.given.sql(&format!("update projects set lfs_enabled = true where id = {}", push.project.id)).await;
    let oid = "4".repeat(64);
    let pointer = lfs_pointer(&oid, 12);
    let update = push.repository.quarantined_push("main", &[("big.bin", pointer.as_str())], "Add a big file\n");
    let refusal = "LFS objects are missing. Ensure LFS is properly set up or try a manual \"git lfs push --all\".";
    assert_refused(&push.asks(&update).await, refusal);
    let sql = format!(
        "with object as (insert into lfs_objects (oid, size) values ('{oid}', 12) returning id)
         insert into lfs_objects_projects (lfs_object_id, project_id) select id, {} from object",
        push.project.id
    );
    push.story.given.sql(&sql).await;
    super::assert_allowed(&push.asks(&update).await);
}

/// allowed-74
#[sqlx::test]
async fn a_push_that_takes_too_long_to_check_is_told_where_the_time_went(pool: PgPool) {
    let push = Push::with(pool, 40, "gatehouse: {limits: {push_check_timeout: 1}}\n").await;
    push.protects("main", 40, 40).await;
    push.gitaly.delay("CommitIsAncestor", Duration::from_secs(5));
    let started = Instant::now();
    let reply = push.asks(&push.commits_to("main")).await;
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(reply.status, 503);
    let message = reply.message();
    let start = "Push operation timed out\n\nTiming information for debugging purposes:\nRunning checks for ref: main\n\
                 Checking if you are force pushing to a protected branch... (cancelled after ";
    assert!(message.starts_with(start), "{message}");
}

#[sqlx::test]
async fn nothing_goes_in_while_gitaly_gives_no_answer(pool: PgPool) {
    let mut push = Push::begins(pool, 40).await;
    push.protects("main", 40, 40).await;
    let update = push.commits_to("main");
    push.gitaly.exhaust("CommitIsAncestor", Duration::from_secs(7));
    let busy = push.asks(&update).await;
    assert_eq!((busy.status.as_u16(), busy.headers["retry-after"].to_str().unwrap()), (503, "7"));
    push.gitaly.fail("CommitIsAncestor", Status::internal("broken"));
    assert_eq!(push.asks(&update).await.status, 503);
    push.gitaly.stop();
    let down = push.asks(&update).await;
    let message = "The git server, Gitaly, is not available at this time. Please contact your administrator.";
    super::assert_refused(&down, 503, message);
}

/// allowed-79
#[sqlx::test]
async fn a_deploy_key_pushes_as_far_as_its_creator_still_may(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let deploy_key = push.story.given.deploy_key(Some(push.story.rubi), "builder").await;
    push.project.clone().deploys(deploy_key, true).await;
    let update = push.commits_to("main");
    let ask = async || push.asks_lines(&update.lines(), Some(update.env()), deploy_key).await;
    super::assert_allowed(&ask().await);
    push.story.given.user_is(push.story.rubi, "state = 'blocked'").await;
    assert_refused(&ask().await, "You are not allowed to push code to this project.");
}

#[sqlx::test]
async fn rows_may_admit_a_user_a_group_or_a_deploy_key(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.protects("main", 0, 0).await;
    let update = push.commits_to("main");
    assert_refused(&push.asks(&update).await, PROTECTED);
    let given = &push.story.given;
    let row = |column: &str, value: i64| {
        format!(
            "insert into protected_branch_push_access_levels (protected_branch_id, {column})
             select id, {value} from protected_branches"
        )
    };
    given.sql(&row("user_id", push.story.rubi.0)).await;
    super::assert_allowed(&push.asks(&update).await);
    given.sql("delete from protected_branch_push_access_levels where user_id is not null").await;

    let team = given.group("team").await;
    given.sql(&row("group_id", team.0)).await;
    assert_refused(&push.asks(&update).await, PROTECTED);
    let member = "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
                  select 'GroupMember', 'Namespace', id, id, {user}, 30 from namespaces where id = {team}";
    given.sql(&member.replace("{user}", &push.story.rubi.to_string()).replace("{team}", &team.to_string())).await;
    super::assert_allowed(&push.asks(&update).await);
    given.sql("delete from protected_branch_push_access_levels where group_id is not null").await;

    let deploy_key = given.deploy_key(Some(push.story.rubi), "builder").await;
    push.project.clone().deploys(deploy_key, true).await;
    given.sql(&row("deploy_key_id", deploy_key.0)).await;
    super::assert_allowed(&push.asks_lines(&update.lines(), Some(update.env()), deploy_key).await);
}

#[sqlx::test]
async fn push_rules_look_at_what_the_push_brings(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let rule = async |assignment: &str| {
        push.story.given.sql("delete from push_rules").await;
        let sql = format!(
            "insert into push_rules (project_id, {assignment}",
            assignment = {
                let (column, value) = assignment.split_once('=').unwrap();
                format!("{column}) values ({}, {value})", push.project.id)
            }
        );
        push.story.given.sql(&sql).await;
    };
    let author = Author { name: "Eve", email: "eve@example.net" };
    let work = push.repository.push();
    work.clone.commit_by(author, "topic", &[("a.exe", "binary\n")], "Add a program\n");
    let update = work.quarantine();
    let rows = [
        ("branch_name_regex='^[0-9]+$'", "Branch name does not follow the pattern '^[0-9]+$'"),
        ("commit_message_regex='^[A-Z]+-[0-9]+'", "Commit message does not follow the pattern '^[A-Z]+-[0-9]+'"),
        (
            "author_email_regex='@example.com$'",
            "Author's email 'eve@example.net' does not follow the pattern '@example.com$'",
        ),
        ("reject_non_dco_commits=true", "Commit message must contain a DCO signoff"),
        ("reject_unsigned_commits=true", "Commit must be signed with a GPG key"),
        ("member_check=true", "Author 'eve@example.net' is not a member of team"),
        ("file_name_regex='[.]exe$'", "File name a.exe was prohibited by the pattern \"[.]exe$\"."),
    ];
    for (assignment, message) in rows {
        rule(assignment).await;
        let reply = push.asks(&update).await;
        let found = reply.message();
        // Whose address is looked at first, the committer's or the author's, is GitLab's order.
        let committer = message.replace("Author", "Committer");
        assert!(found == message || found.starts_with(&committer[..12]), "{assignment}: {found}");
    }
    rule("max_file_size=1").await;
    super::assert_allowed(&push.asks(&update).await);
}

#[sqlx::test]
async fn a_full_repository_takes_nothing_more(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let id = push.project.id;
    push.story.given.sql(&format!("update projects set repository_size_limit = 10 where id = {id}")).await;
    let measured = "insert into project_statistics (project_id, namespace_id, repository_size)
                    select id, namespace_id, 10 from projects";
    push.story.given.sql(measured).await;
    let update = push.commits_to("main");
    let would = "Your push to this repository cannot be completed as it would exceed the allocated storage for your \
                 project. Contact your GitLab administrator for more information.";
    assert_refused(&push.asks(&update).await, would);
    push.story.given.sql("update project_statistics set lfs_objects_size = 1").await;
    let full = "Your push to this repository cannot be completed because this repository has exceeded the allocated \
                storage for your project. Contact your GitLab administrator for more information.";
    assert_refused(&push.asks(&update).await, full);
}

/// allowed-59: the first refusal, in the order of the lines, refuses the whole push.
#[sqlx::test]
async fn one_refused_line_refuses_the_push(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.protects("feature", 40, 40).await;
    let work = push.repository.push();
    work.clone.commit("main", &[("a", "1\n")], "Fine\n");
    work.clone.commit("feature", &[("a", "1\n")], "Not fine\n");
    let refusal = "You are not allowed to create protected branches on this project.";
    assert_refused(&push.asks(&work.quarantine()).await, refusal);
}

/// allowed-71
#[sqlx::test]
async fn protected_tags_are_made_by_whom_their_rows_admit(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let sql = format!(
        "with tag as (insert into protected_tags (project_id, name) values ({}, 'v*') returning id)
         insert into protected_tag_create_access_levels (protected_tag_id, access_level) select id, 40 from tag",
        push.project.id
    );
    push.story.given.sql(&sql).await;
    let tip = push.repository.id_of("refs/heads/main").unwrap();
    let create = format!("{ZERO} {tip} refs/tags/v1\n");
    assert_refused(&push.asks_of(&create).await, "You are not allowed to create this tag as it is protected.");
    super::assert_allowed(&push.asks_of(&format!("{ZERO} {tip} refs/tags/other\n")).await);
    push.story.given.sql("update project_authorizations set access_level = 40").await;
    super::assert_allowed(&push.asks_of(&create).await);
}

#[sqlx::test]
async fn ids_that_are_none_are_refused_and_nothing_is_let_through(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    for lines in ["x y refs/heads/main\n", "-- --all refs/heads/main\n"] {
        assert_eq!(push.asks_of(lines).await.status, 400, "{lines}");
    }
    super::assert_allowed(&push.asks_of("\n").await);
}

#[sqlx::test]
async fn a_wikis_refs_are_not_looked_at(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.project.clone().with_wiki().await;
    push.protects("main", 0, 0).await;
    let body = json!({
        "action": "git-receive-pack", "gl_repository": format!("wiki-{}", push.project.id), "protocol": "ssh",
        "changes": format!("{} {} refs/heads/main\n", "1".repeat(40), "2".repeat(40)),
        "key_id": push.story.key.to_string(),
    });
    super::assert_allowed(&push.story.app.post("/allowed", body).await);
}
