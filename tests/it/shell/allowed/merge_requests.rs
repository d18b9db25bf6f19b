//! What merge requests mean for pushes: merges that are running, branches that are open to members of another project, and
//! policies that leave branches to merge requests.

use gatehouse::domain::repository::hashed_path;
use serde_json::json;
use sqlx::PgPool;

use super::{NO_PROJECT, NO_PUSH, Story, assert_allowed, assert_refused};
use crate::support::git::GitRepo;
use crate::support::{GivenProject, Reply, TestGitaly};

/// `rubi`, who pushes, and the project `g/p` with a commit on `main` and on `topic`.
struct Push {
    story: Story,
    _gitaly: TestGitaly,
    project: GivenProject,
    repository: GitRepo,
    first: String,
}

impl Push {
    async fn begins(pool: PgPool) -> Self {
        let gitaly = TestGitaly::start();
        let story = Story::with(pool, &format!("{}lfs: {{enabled: false}}\n", gitaly.settings())).await;
        let project = story.given.project("g/p").await;
        let repository = gitaly.repository(&format!("{}.git", hashed_path("@hashed", project.id.0)));
        let first = repository.commit("main", &[("README", "hello\n")], "Begin\n");
        repository.set_ref("refs/heads/topic", &first);
        Self { story, _gitaly: gitaly, project, repository, first }
    }

    /// Gitaly's question about a commit upon a branch.
    async fn asks(&self, branch: &str) -> Reply {
        let new = self.commit(branch);
        self.asks_of(&format!("{} {new} refs/heads/{branch}\n", self.first)).await
    }

    fn commit(&self, branch: &str) -> String {
        let dana = crate::support::git::Author { name: "Dana", email: "dana@example.com" };
        let parents = std::slice::from_ref(&self.first);
        self.repository.write_commit(dana, parents, &[(branch, "new\n")], "New\n")
    }

    async fn asks_of(&self, lines: &str) -> Reply {
        let body = json!({
            "action": "git-receive-pack",
            "gl_repository": format!("project-{}", self.project.id),
            "changes": lines,
            "protocol": "ssh",
            "env": "{}",
            "key_id": self.story.key.to_string(),
        });
        self.story.app.post("/allowed", body).await
    }

    async fn sql(&self, statement: &str) {
        self.story.given.sql(statement).await;
    }

    /// A merge request from this project's `topic` into `main` of another, whose author opens `topic`.
    async fn merge_request_into(&self, target: &GivenProject) {
        self.sql(&format!(
            "insert into merge_requests (
               iid, target_project_id, target_branch, source_project_id, source_branch, allow_maintainer_to_push
             )
             values (1, {}, 'main', {}, 'topic', true)",
            target.id, self.project.id
        ))
        .await;
    }
}

/// P5, R1
#[sqlx::test]
async fn who_may_merge_a_merge_request_may_push_to_its_branch(pool: PgPool) {
    let push = Push::begins(pool).await;
    let fork = push.project.clone().public().await;
    let upstream = push.story.given.project("up/p").await.public().await.developer("rubi").await;
    assert_refused(&push.story.push().await, 401, NO_PUSH);
    assert_refused(&push.asks("topic").await, 401, NO_PUSH);

    push.merge_request_into(&upstream).await;
    assert_allowed(&push.story.push().await);
    assert_allowed(&push.asks("topic").await);
    assert_refused(&push.asks("main").await, 401, NO_PUSH);
    let both = format!("{0} {0} refs/heads/topic\n{0} {0} refs/heads/main\n", push.first);
    assert_refused(&push.asks_of(&both).await, 401, NO_PUSH);
    let tag = format!("{} {} refs/tags/topic\n", "0".repeat(40), push.first);
    assert_refused(&push.asks_of(&tag).await, 401, NO_PUSH);

    // Whoever may not merge into `main` there may not push to `topic` here.
    push.sql(&format!(
        "with branch as (
           insert into protected_branches (project_id, name) values ({}, 'ma*') returning id
         )
         insert into protected_branch_merge_access_levels (protected_branch_id, access_level) select id, 40 from branch",
        upstream.id
    ))
    .await;
    assert_refused(&push.asks("topic").await, 401, NO_PUSH);
    push.sql("update protected_branch_merge_access_levels set access_level = 30").await;
    assert_allowed(&push.asks("topic").await);

    for (undone, done) in [
        ("update merge_requests set state_id = 2", "update merge_requests set state_id = 1"),
        (
            "update merge_requests set allow_maintainer_to_push = null",
            "update merge_requests set allow_maintainer_to_push = true",
        ),
        ("update project_authorizations set access_level = 20", "update project_authorizations set access_level = 30"),
        (
            "update projects set archived = true where path = 'p' and id in (select target_project_id from merge_requests)",
            "update projects set archived = false",
        ),
        (
            "update project_features set repository_access_level = 0 where project_id in (select target_project_id from merge_requests)",
            "update project_features set repository_access_level = 20",
        ),
        ("update merge_requests set target_project_id = source_project_id", "select 1"),
    ] {
        push.sql(undone).await;
        assert_refused(&push.story.push().await, 401, NO_PUSH);
        assert_refused(&push.asks("topic").await, 401, NO_PUSH);
        push.sql(done).await;
    }
    push.sql(&format!("update merge_requests set target_project_id = {}", upstream.id)).await;
    assert_allowed(&push.asks("topic").await);
    fork.is("visibility_level = 0").await;
    assert_refused(&push.asks("topic").await, 404, NO_PROJECT);
}

/// The owner of a personal namespace is no member of its projects, and more than one.
#[sqlx::test]
async fn the_owner_of_the_other_project_collaborates_too(pool: PgPool) {
    let push = Push::begins(pool).await;
    push.project.clone().public().await;
    let upstream = push.story.given.project("rubi/p").await;
    push.merge_request_into(&upstream).await;
    assert_allowed(&push.story.push().await);
    assert_allowed(&push.asks("topic").await);
}

/// R12, R13
#[sqlx::test]
async fn the_merge_that_is_running_goes_through_for_who_may_merge(pool: PgPool) {
    let push = Push::begins(pool).await;
    push.project.clone().developer("rubi").await;
    push.sql(&format!(
        "with branch as (
           insert into protected_branches (project_id, name) values ({}, 'main') returning id
         ), pushers as (
           insert into protected_branch_push_access_levels (protected_branch_id, access_level) select id, 40 from branch
         )
         insert into protected_branch_merge_access_levels (protected_branch_id, access_level) select id, 30 from branch",
        push.project.id
    ))
    .await;
    let new = push.commit("main");
    let line = format!("{} {new} refs/heads/main\n", push.first);
    let r13 = "You are not allowed to push code to protected branches on this project.";
    assert_refused(&push.asks_of(&line).await, 401, r13);
    push.sql(&format!(
        "insert into merge_requests (
           iid, target_project_id, target_branch, source_project_id, source_branch, state_id, in_progress_merge_commit_sha
         )
         values (1, {0}, 'main', {0}, 'topic', 4, '{new}')",
        push.project.id
    ))
    .await;
    assert_allowed(&push.asks_of(&line).await);
    let elsewhere = push.asks("topic").await;
    assert_allowed(&elsewhere);
    push.sql("update protected_branch_merge_access_levels set access_level = 40").await;
    let r12 = "You are not allowed to merge code into protected branches on this project.";
    assert_refused(&push.asks_of(&line).await, 401, r12);
    push.sql("update protected_branch_merge_access_levels set access_level = 30").await;
    for undone in ["state_id = 1", "target_branch = 'other'", "in_progress_merge_commit_sha = null"] {
        push.sql(&format!("update merge_requests set {undone}")).await;
        assert_refused(&push.asks_of(&line).await, 401, r13);
        let running = format!("state_id = 4, target_branch = 'main', in_progress_merge_commit_sha = '{new}'");
        push.sql(&format!("update merge_requests set {running}")).await;
    }
}

/// R14
#[sqlx::test]
async fn a_policy_of_a_group_leaves_protected_branches_to_merge_requests(pool: PgPool) {
    let push = Push::begins(pool).await;
    push.project.clone().maintainer("rubi").await;
    push.sql(&format!(
        "with branch as (
           insert into protected_branches (project_id, name, allow_force_push) values ({}, 'main', true) returning id
         )
         insert into protected_branch_push_access_levels (protected_branch_id, access_level) select id, 40 from branch",
        push.project.id
    ))
    .await;
    assert_allowed(&push.asks("main").await);
    let group = push.story.given.group("g").await;
    let yaml = "approval_policy: [{name: x, enabled: true, rules: [{type: any_merge_request, branch_type: default}], \
                approval_settings: {prevent_pushing_and_force_pushing: true}}]";
    push.sql(&format!(
        "insert into security_orchestration_policy_configurations (namespace_id, policy_yaml, policy_last_updated_at)
         values ({group}, '{yaml}', now())"
    ))
    .await;
    let blocked = "Push is blocked by settings overridden by a security policy";
    assert_refused(&push.asks("main").await, 401, blocked);
    assert_allowed(&push.asks("topic").await);
    let other = push.repository.write_commit(
        crate::support::git::Author { name: "Dana", email: "dana@example.com" },
        &[],
        &[("x", "other\n")],
        "Other\n",
    );
    let forced = format!("{} {other} refs/heads/main\n", push.first);
    assert_refused(
        &push.asks_of(&forced).await,
        401,
        "Force push is blocked by settings overridden by a security policy",
    );
    // A file that cannot be read might forbid the push.
    push.sql("update security_orchestration_policy_configurations set policy_yaml = 'approval_policy: 5'").await;
    assert_refused(&push.asks("main").await, 401, blocked);
}
