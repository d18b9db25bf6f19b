//! What receivers are told of a push to a repository that Gitaly knows.

use std::fmt::Write as _;

use gatehouse::crypto::attr_encrypted::ColumnKey;
use gatehouse::domain::repository::hashed_path;
use gatehouse::domain::web_hook::HookSubscriptions;
use gatehouse::store::web_hooks::{self, HookOwner, WebHook};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::git::{Author, GitRepo};
use crate::support::pushes::{WAITING, Working, ZERO, app_with_queue_and, report, until};
use crate::support::receiver::{Receiver, Request};
use crate::support::{TestApp, TestGitaly};

struct Story {
    app: TestApp,
    gitaly: TestGitaly,
    repository: GitRepo,
    receiver: Receiver,
    project: gatehouse::domain::ids::ProjectId,
    who: String,
}

impl Story {
    async fn begins(pool: PgPool) -> Self {
        let gitaly = TestGitaly::start();
        let app = app_with_queue_and(pool, &gitaly.settings()).await;
        let given = app.given();
        given.setting("allow_local_requests_from_web_hooks_and_services = true").await;
        let project = given.project("g/s/p").await.developer("rubi").await.id;
        let repository = gitaly.repository(&format!("{}.git", hashed_path("@hashed", project.0)));
        let who = format!("user-{}", given.user("rubi").await);
        Self { app, gitaly, repository, receiver: Receiver::start().await, project, who }
    }

    async fn hook(&self, owner: HookOwner, listening: HookSubscriptions) {
        let url = self.receiver.url().as_str().into();
        let hook = WebHook { url, token: None, name: None, listening, enable_ssl_verification: true };
        let key = ColumnKey::new(&self.app.secrets.db_key_base);
        let mut connection = self.app.pool.acquire().await.unwrap();
        web_hooks::upsert(&mut connection, owner, &hook, &key).await.unwrap();
    }

    /// Pushes these changes, and answers with all that the receiver was told, in the order of the refs.
    async fn told(&self, changes: &str) -> Vec<Value> {
        let working = Working::on(&self.app);
        let reply = self.app.post_receive(report(&format!("project-{}", self.project), &self.who, changes)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        until(&self.app, WAITING, 0).await;
        working.drain().await;
        let mut told: Vec<Value> = self.receiver.requests().iter().map(Request::json).collect();
        told.sort_by_key(|body| body["ref"].to_string());
        told
    }
}

fn everything() -> HookSubscriptions {
    HookSubscriptions { push_events: true, tag_push_events: true, ..HookSubscriptions::default() }
}

#[sqlx::test]
async fn commits_say_which_files_they_change(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.hook(HookOwner::Project(story.project), everything()).await;
    let git = &story.repository;
    let root = git.commit("main", &[("README", "1\n"), ("old name", "kept\n")], "Begin\n");
    let changed = git.commit("main", &[("README", "2\n"), ("ünï/new", "x\n")], "Change\r\nthe rest\n");
    let removed = git.remove("main", "old name");
    let author = Author { name: "Zoë", email: "zoe@example.com" };
    let aside = git.write_commit(author, std::slice::from_ref(&root), &[("aside", "1\n")], "Aside\n");
    let merge = git.write_commit(author, &[removed.clone(), aside.clone()], &[("aside", "1\n")], "Merge\n");
    git.set_ref("refs/heads/main", &merge);

    let told = story.told(&format!("{ZERO} {merge} refs/heads/main\n")).await;
    let [body] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&body["checkout_sha"], &body["total_commits_count"]), (&json!(merge), &json!(5)));
    assert_eq!(body["project"]["default_branch"], "main");
    let commit = |id: &str| {
        let commits = body["commits"].as_array().unwrap();
        let commit = commits.iter().find(|commit| commit["id"] == id).unwrap();
        json!([commit["title"], commit["added"], commit["modified"], commit["removed"]])
    };
    assert_eq!(commit(&root), json!(["Begin", ["README", "old name"], [], []]));
    assert_eq!(commit(&changed), json!(["Change", ["ünï/new"], ["README"], []]));
    assert_eq!(commit(&removed), json!(["Remove", [], [], ["old name"]]));
    assert_eq!(commit(&merge), json!(["Merge", ["aside"], [], []]));
    let newest = body["commits"].as_array().unwrap().last().unwrap();
    assert_eq!(newest["url"], format!("http://localhost/g/s/p/-/commit/{merge}"));
    assert_eq!(newest["author"], json!({ "name": "Zoë", "email": "zoe@example.com" }));
    assert_eq!(newest["message"], "Merge\n");
}

/// GitLab writes the time as the committer's clock showed it.
#[sqlx::test]
async fn commits_keep_the_time_zone_of_who_made_them(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.hook(HookOwner::Project(story.project), everything()).await;
    let git = &story.repository;
    let tree = git.git(["hash-object", "-w", "-t", "tree", "/dev/null"]).line();
    let person = "Dana <dana@example.com>";
    let text = format!("tree {tree}\nauthor {person} 1 +0000\ncommitter {person} 1323696451 +0200\n\nBegin\n");
    let commit = git.object("commit", text.as_bytes());
    git.set_ref("refs/heads/main", &commit);
    let told = story.told(&format!("{ZERO} {commit} refs/heads/main\n")).await;
    assert_eq!(told[0]["commits"][0]["timestamp"], "2011-12-12T15:27:31+02:00");
}

#[sqlx::test]
async fn a_tag_brings_its_message_and_the_commit_that_it_tags(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.hook(HookOwner::Project(story.project), everything()).await;
    let git = &story.repository;
    let first = git.commit("main", &[("README", "1\n")], "Begin\n");
    let annotated = git.annotated_tag("v1", &first, "Version 1\n\nAt last.");
    git.tag("v2", &first);
    // This tag was moved on after the push that is told of here.
    let moved = git.annotated_tag("v3", &first, "before");
    git.annotated_tag("v3", &first, "after");
    let lines = [("v1", &annotated), ("v2", &first), ("v3", &moved)]
        .map(|(name, id)| format!("{ZERO} {id} refs/tags/{name}\n"))
        .concat();
    let told = story.told(&lines).await;
    let said: Vec<Value> = told
        .iter()
        .map(|body| json!([body["after"], body["checkout_sha"], body["message"], body["total_commits_count"]]))
        .collect();
    assert_eq!(
        said,
        [
            json!([annotated, first, "Version 1\n\nAt last.", 1]),
            json!([first, first, "", 1]),
            json!([moved, first, null, 1]),
        ]
    );
    assert_eq!(told[0]["object_kind"], "tag_push");
    assert_eq!(told[0]["commits"][0]["id"], first);
    assert_eq!(told[0]["commits"][0]["added"], json!(["README"]));
    let events = "select string_agg(commit_count || ' ' || commit_title, ',') from push_event_payloads";
    assert_eq!(story.app.given().value::<String>(events).await, "1 Begin,1 Begin,1 Begin");
}

#[sqlx::test]
async fn a_ref_is_protected_by_its_project_or_the_group_above_it(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.hook(HookOwner::Project(story.project), everything()).await;
    let given = story.app.given();
    let (id, group) = (story.project, given.group("g").await);
    given.sql(&format!("insert into protected_branches (project_id, name) values ({id}, 'ma*')")).await;
    given.sql(&format!("insert into protected_branches (namespace_id, name) values ({group}, 'group')")).await;
    given.sql(&format!("insert into protected_tags (project_id, name) values ({id}, 'v*')")).await;
    given.setting("push_event_hooks_limit = 10").await;
    let first = story.repository.commit("main", &[("README", "1\n")], "Begin\n");
    for name in ["heads/group", "heads/free", "tags/v1", "tags/main"] {
        story.repository.set_ref(&format!("refs/{name}"), &first);
    }
    let lines = ["heads/main", "heads/group", "heads/free", "tags/v1", "tags/main"]
        .map(|name| format!("{ZERO} {first} refs/{name}\n"))
        .concat();
    let told = story.told(&lines).await;
    let said: Vec<String> =
        told.iter().map(|body| format!("{} {}", body["ref"].as_str().unwrap(), body["ref_protected"])).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    refs/heads/free false
    refs/heads/group true
    refs/heads/main true
    refs/tags/main false
    refs/tags/v1 true
    ");
}

#[sqlx::test]
async fn the_instance_hears_once_of_a_push_as_a_whole(pool: PgPool) {
    let story = Story::begins(pool).await;
    let listening = HookSubscriptions { repository_update_events: true, ..HookSubscriptions::default() };
    story.hook(HookOwner::Instance, listening.clone()).await;
    // A hook of a project cannot be told, whatever its column says.
    story.hook(HookOwner::Project(story.project), listening).await;
    let first = story.repository.commit("main", &[("README", "1\n")], "Begin\n");
    let mut lines = format!("{ZERO} {first} refs/heads/main\n{ZERO} {first} refs/notes/x\n");
    for number in 0..5 {
        writeln!(lines, "{ZERO} {first} refs/tags/v{number}").unwrap();
    }
    let told = story.told(&lines).await;
    let [body] = &told[..] else { panic!("{told:?}") };
    let request = &story.receiver.requests()[0];
    assert_eq!(request.header("x-gitlab-event"), "System Hook");
    let user: i64 = story.app.given().value("select id from users").await;
    assert_eq!(body["event_name"], "repository_update");
    assert_eq!((&body["user_id"], &body["user_email"]), (&json!(user), &json!("rubi@example.com")));
    assert_eq!(
        (&body["project_id"], &body["project"]["path_with_namespace"]),
        (&json!(story.project.0), &json!("g/s/p"))
    );
    let main = json!({ "before": ZERO, "after": first, "ref": "refs/heads/main" });
    assert_eq!((&body["changes"][0], body["changes"].as_array().unwrap().len()), (&main, 7));
    assert_eq!(body["refs"].as_array().unwrap().len(), 7);
}

/// What nobody is told of is not asked for.
#[sqlx::test]
async fn gitaly_is_asked_for_paths_only_where_a_hook_hears_of_them(pool: PgPool) {
    let story = Story::begins(pool).await;
    story
        .hook(
            HookOwner::Project(story.project),
            HookSubscriptions { tag_push_events: true, ..HookSubscriptions::default() },
        )
        .await;
    let first = story.repository.commit("main", &[("README", "1\n")], "Begin\n");
    assert!(story.told(&format!("{ZERO} {first} refs/heads/main\n")).await.is_empty());
    assert_eq!(story.gitaly.count("FindChangedPaths"), 0);
}

#[sqlx::test]
async fn a_message_longer_than_any_of_gitlabs_is_not_sent_and_the_log_says_so(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.hook(HookOwner::Project(story.project), everything()).await;
    let long = "x".repeat(9 << 20);
    let mut last = String::new();
    for number in 0..3 {
        last = story.repository.commit("main", &[("README", &number.to_string())], &format!("{number}\n\n{long}\n"));
    }
    assert!(story.told(&format!("{ZERO} {last} refs/heads/main\n")).await.is_empty());
    let log = "select internal_error_message from web_hook_logs";
    assert_eq!(story.app.given().value::<String>(log).await, "the message is longer than 26214400 bytes");
    assert_eq!(story.app.given().value::<i64>("select count(*) from events").await, 1);
}
