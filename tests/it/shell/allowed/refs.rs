//! The second call of a push: Gitaly's question from its `pre-receive` hook, over real repositories.

use std::time::{Duration, Instant};

use gatehouse::domain::ids::KeyId;
use gatehouse::domain::repository::hashed_path;
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::Status;

use super::Story;
use crate::apply::{DEMO, applied};
use crate::support::git::{Author, GitRepo, Quarantined, lfs_pointer};
use crate::support::{GivenProject, Reply, TestApp, TestGitaly, dead};

const PROTECTED: &str = "You are not allowed to push code to protected branches on this project.";
const ZERO: &str = "0000000000000000000000000000000000000000";

/// `rubi`, the project `g/p` with a commit on `main`, and the Gitaly that has it.
pub struct Push {
    pub story: Story,
    pub gitaly: TestGitaly,
    pub project: GivenProject,
    pub repository: GitRepo,
}

impl Push {
    pub async fn begins(pool: PgPool, level: i32) -> Self {
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
    pub async fn protects(&self, pattern: &str, push: i32, merge: i32) {
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

    pub async fn asks_of(&self, lines: &str) -> Reply {
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

#[sqlx::test]
async fn a_group_says_how_its_first_branches_are_protected(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let first = push.commits_to("main");
    push.repository.delete_ref("refs/heads/main");
    let lines = format!("{ZERO} {} refs/heads/main\n", first.change().new);
    for (level, may) in [(0, true), (1, true), (2, false), (3, false), (4, true)] {
        let sql = format!("update namespaces set default_branch_protection = {level} where path = 'g'");
        push.story.given.sql(&sql).await;
        let reply = push.asks_lines(&lines, Some(first.env()), push.story.key).await;
        assert_eq!(reply.status == 200, may, "{level}: {}", reply.text);
    }
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

#[tokio::test]
async fn a_database_that_is_lost_is_named_to_whoever_pushes() {
    let app = TestApp::with(dead(), "gatehouse: {limits: {push_check_timeout: 1}}");
    let ask = async |changes: &str| {
        let body = json!({
            "action": "git-receive-pack", "gl_repository": "project-7", "protocol": "ssh", "key_id": "1",
            "changes": changes,
        });
        app.post("/allowed", body).await
    };
    let sentence = "Your push cannot be checked, because the database is not available at this time. Please try again.";
    super::assert_refused(&ask(&format!("{ZERO} {} refs/heads/x\n", "a".repeat(40))).await, 503, sentence);
    // gitlab-shell tries again, and has words of its own.
    assert_eq!(ask("_any").await.line(), r#"503 {"message":"503 Service Unavailable"}"#);
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

/// The key that the demo declares as one that pushes.
#[sqlx::test]
async fn the_deploy_key_of_the_demo_pushes(pool: PgPool) {
    let report = applied(&pool, DEMO).await.to_json();
    let wget = &report["projects"]["gnuwget/wget2"];
    let gitaly = TestGitaly::start();
    let app = TestApp::with(pool, &gitaly.settings());
    let relative_path = format!("{}.git", hashed_path("@hashed", 3));
    let repository = gitaly.repository(&relative_path);
    repository.commit("main", &[("README", "hello\n")], "Begin\n");
    let ask = async |changes: &str, env: Option<Value>| {
        let body = json!({
            "action": "git-receive-pack",
            "gl_repository": "project-3",
            "project": gitaly.storage().join(&relative_path),
            "changes": changes,
            "protocol": "ssh",
            "env": env.unwrap_or_else(|| json!("{}")),
            "key_id": wget["deploy_keys"]["builder"]["id"].to_string(),
            "relative_path": relative_path,
        });
        app.post("/allowed", body).await
    };
    super::assert_allowed(&ask("_any", None).await);
    for branch in ["topic", "release/1"] {
        let update = repository.quarantined_push(branch, &[("new.txt", "new\n")], "Add a file\n");
        super::assert_allowed(&ask(&update.lines(), Some(update.env())).await);
    }
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

/// GitLab's names, of files that are new anywhere in the push: a later commit that takes one away takes nothing back.
#[sqlx::test]
async fn files_that_are_named_like_secrets_stay_out(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    push.story.given.sql("insert into push_rules (is_sample, prevent_secrets) values (true, true)").await;
    let dana = Author { name: "Dana", email: "dana@example.com" };
    for (path, pattern) in [
        ("id_rsa", "id_rsa$"),
        ("home/.ssh/id_ed25519_sk", "id_ed25519_sk$"),
        ("tls/server.key", r"\.(pem|key)$"),
        (".aws/credentials", r"aws\/credentials$"),
        ("config/server_dsa", r"(ssh|config)\/(personal|server)_(rsa|dsa|ed25519|ecdsa|ecdsa_sk|ed25519_sk)"),
        (".bash_history", "[._]history$"),
    ] {
        let work = push.repository.push();
        work.clone.commit_by(dana, "topic", &[("fine.txt", "fine\n"), (path, "secret\n")], "Add both\n");
        work.clone.remove("topic", path);
        let message = format!("File name {path} was prohibited by the pattern \"{pattern}\".");
        assert_refused(&push.asks(&work.quarantine()).await, &message);
    }
    let work = push.repository.push();
    work.clone.commit_by(dana, "topic", &[("id_rsa.pub", "public\n"), ("history.md", "old\n")], "Add others\n");
    super::assert_allowed(&push.asks(&work.quarantine()).await);
}

#[sqlx::test]
async fn a_committer_is_whoever_pushes(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let given = &push.story.given;
    let emails = "insert into emails (user_id, email, confirmed_at)";
    given.sql(&format!("{emails} values ({}, 'Rubi@work.example', now())", push.story.rubi)).await;
    given.sql(&format!("{emails} values ({}, 'rubi@home.example', null)", push.story.rubi)).await;
    given.user("eve").await;
    let asks = async |name: &str, email: &str| {
        let work = push.repository.push();
        work.clone.commit_by(Author { name, email }, "topic", &[("a.txt", email)], "Add a file\n");
        push.asks(&work.quarantine()).await
    };
    let rule = async |column: &str| {
        given.sql("delete from push_rules").await;
        let id = push.project.id;
        given.sql(&format!("insert into push_rules (project_id, {column}) values ({id}, true)")).await;
    };
    rule("commit_committer_check").await;
    for email in ["rubi@example.com", "RUBI@example.com", "rubi@WORK.example"] {
        super::assert_allowed(&asks("Anybody", email).await);
    }
    assert_refused(&asks("Rubi", "rubi@home.example").await, "Committer email 'rubi@home.example' is not verified.");
    let another = "You cannot push commits for 'eve@example.com'. You can only push commits if the committer email is one \
                   of your own verified emails.";
    assert_refused(&asks("Rubi", "eve@example.com").await, another);
    given.user_is(push.story.rubi, "confirmed_at = null").await;
    assert_refused(&asks("Rubi", "rubi@example.com").await, "Committer email 'rubi@example.com' is not verified.");

    rule("commit_committer_name_check").await;
    super::assert_allowed(&asks("Rubi", "anybody@example.com").await);
    let name = "Your git username is inconsistent with GitLab account name";
    assert_refused(&asks("rubi", "anybody@example.com").await, name);

    // A deploy key pushes as its creator.
    let deploy_key = given.deploy_key(Some(push.story.rubi), "builder").await;
    push.project.clone().deploys(deploy_key, true).await;
    let work = push.repository.push();
    let eve = Author { name: "Eve", email: "eve@example.com" };
    work.clone.commit_by(eve, "topic", &[("a.txt", "deployed\n")], "Add a file\n");
    let update = work.quarantine();
    assert_refused(&push.asks_lines(&update.lines(), Some(update.env()), deploy_key).await, name);
}

/// A project's own rule wins over that of the nearest group, and this over the instance's.
#[sqlx::test]
async fn the_nearest_push_rule_and_size_limit_hold(pool: PgPool) {
    let push = Push::begins(pool, 30).await;
    let given = &push.story.given;
    let update = push.commits_to("topic");
    let says = |pattern: &str| format!("Branch name does not follow the pattern '{pattern}'");
    given.sql("insert into push_rules (is_sample, branch_name_regex) values (true, 'instance')").await;
    assert_refused(&push.asks(&update).await, &says("instance"));
    given
        .sql(
            "with rule as (insert into push_rules (branch_name_regex) values ('group') returning id)
             update namespaces set push_rule_id = rule.id from rule where namespaces.path = 'g'",
        )
        .await;
    assert_refused(&push.asks(&update).await, &says("group"));
    let id = push.project.id;
    given.sql(&format!("insert into push_rules (project_id, branch_name_regex) values ({id}, 'topic')")).await;
    super::assert_allowed(&push.asks(&update).await);

    let would = "Your push to this repository cannot be completed as it would exceed the allocated storage for your \
                 project. Contact your GitLab administrator for more information.";
    given
        .sql(
            "insert into project_statistics (project_id, namespace_id, repository_size)
             select id, namespace_id, 10 from projects",
        )
        .await;
    given.setting("repository_size_limit = 10").await;
    assert_refused(&push.asks(&update).await, would);
    given.sql("update namespaces set repository_size_limit = 0 where path = 'g'").await;
    super::assert_allowed(&push.asks(&update).await);
    given.sql("update projects set repository_size_limit = 10").await;
    assert_refused(&push.asks(&update).await, would);
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
