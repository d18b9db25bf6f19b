//! A repository's first days: how its default branch is settled and protected, that HEAD follows, the room it takes, and
//! what becomes of one that could not be made.

use std::fmt::Write;
use std::process::Command;

use gatehouse::document::reconcile::apply;
use gatehouse::document::sources::ApplySources;
use gatehouse::domain::ids::{KeyId, UserId};
use gatehouse::domain::repository::hashed_path;
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::Status;

use crate::support::git::{Folder, GitRepo, Quarantined, lfs_pointer};
use crate::support::pushes::{NEW, WAITING, Working, ZERO, app_with_queue_and, report, until};
use crate::support::{Given, GivenProject, Reply, TestApp, TestGitaly};

/// `dana`, who develops, and `mona`, who maintains, before an empty repository.
struct Story {
    app: TestApp,
    gitaly: TestGitaly,
    given: Given,
    project: GivenProject,
    repository: GitRepo,
    dana: (UserId, KeyId),
    mona: (UserId, KeyId),
}

impl Story {
    async fn begins(pool: PgPool) -> Self {
        let gitaly = TestGitaly::start();
        let app = app_with_queue_and(pool, &format!("{}lfs: {{enabled: true}}\n", gitaly.settings())).await;
        let given = app.given();
        let project = given.project("g/p").await.developer("dana").await.maintainer("mona").await;
        let repository = gitaly.repository(&format!("{}.git", hashed_path("@hashed", project.id.0)));
        let (dana, mona) = (given.user("dana").await, given.user("mona").await);
        let dana = (dana, given.key(dana, "dana").await);
        let mona = (mona, given.key(mona, "mona").await);
        Self { app, gitaly, given, project, repository, dana, mona }
    }

    /// Another empty project with the same members.
    async fn another(&mut self, path: &str) {
        self.project = self.given.project(path).await.developer("dana").await.maintainer("mona").await;
        self.repository = self.gitaly.repository(&format!("{}.git", hashed_path("@hashed", self.project.id.0)));
    }

    fn name(&self) -> String {
        format!("project-{}", self.project.id)
    }

    /// What Gitaly asks before it lets a push in.
    async fn asks(&self, push: &Quarantined, (_, key): (UserId, KeyId)) -> Reply {
        let body = json!({
            "action": "git-receive-pack",
            "gl_repository": self.name(),
            "changes": push.lines(),
            "protocol": "ssh",
            "env": push.env(),
            "key_id": key.to_string(),
        });
        self.app.post("/allowed", body).await
    }

    /// A push from its check to its report, by whoever: whether it went in.
    async fn pushes(&self, push: Quarantined, who: (UserId, KeyId)) -> bool {
        if self.asks(&push, who).await.status != 200 {
            return false;
        }
        let lines = push.lines();
        push.accept();
        self.reports(&lines, who).await;
        true
    }

    async fn reports(&self, lines: &str, (user, _): (UserId, KeyId)) {
        let reply = self.app.post_receive(report(&self.name(), &format!("user-{user}"), lines)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// A commit more on a branch.
    fn commit(&self, branch: &str) -> Quarantined {
        let text = uuid::Uuid::new_v4().to_string();
        self.repository.quarantined_push(branch, &[("file", &text)], "Go on\n")
    }

    /// A branch begun anew.
    fn rewrite(&self, branch: &str) -> Quarantined {
        let work = self.repository.push();
        work.clone.delete_ref(&format!("refs/heads/{branch}"));
        let text = uuid::Uuid::new_v4().to_string();
        work.clone.commit(branch, &[("file", &text)], "Begin anew\n");
        work.quarantine()
    }

    /// The project's protections: name, force push, who pushes, who merges.
    async fn protections(&self) -> String {
        let sql = format!(
            "select coalesce(string_agg(concat_ws(' ', name, allow_force_push, push.access_level, merge.access_level),
                                        E'\\n' order by name), '')
             from protected_branches
             left join protected_branch_push_access_levels as push on push.protected_branch_id = protected_branches.id
             left join protected_branch_merge_access_levels as merge on merge.protected_branch_id = protected_branches.id
             where project_id = {}",
            self.project.id
        );
        self.given.value(&sql).await
    }

    async fn default_branch(&self) -> String {
        let sql = format!(
            "select coalesce((select concat_ws(' ', name, born) from project_default_branches where project_id = {}), '')",
            self.project.id
        );
        self.given.value(&sql).await
    }

    fn head(&self) -> String {
        self.repository.git(["symbolic-ref", "HEAD"]).line()
    }
}

/// Ruling 25, for every level and both kinds of member: who makes the first push, and who may do what from then on.
#[sqlx::test]
async fn each_level_protects_the_first_branch_as_it_says(pool: PgPool) {
    let mut story = Story::begins(pool).await;
    let mut table = String::from("level: first push dana, mona; row; dana pushes, forces; mona pushes, forces\n");
    for level in 0..=4 {
        story.another(&format!("g/level-{level}")).await;
        story.given.setting(&format!("default_branch_protection = {level}")).await;
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let first = story.commit("main");
        let by_dana = story.asks(&first, story.dana).await.status == 200;
        assert!(story.pushes(first, if by_dana { story.dana } else { story.mona }).await);
        let row = story.protections().await;
        let mut may = Vec::new();
        for who in [story.dana, story.mona] {
            may.push(yes(story.pushes(story.commit("main"), who).await));
            may.push(yes(story.pushes(story.rewrite("main"), who).await));
        }
        let row = if row.is_empty() { "none" } else { &row };
        writeln!(table, "{level}: {}, yes; {row}; {}", yes(by_dana), may.join(", ")).unwrap();
        assert!(
            story.pushes(story.commit("topic"), story.dana).await
                && story.pushes(story.rewrite("topic"), story.dana).await
        );
    }
    insta::assert_snapshot!(table, @r"
    level: first push dana, mona; row; dana pushes, forces; mona pushes, forces
    0: yes, yes; none; yes, yes, yes, yes
    1: yes, yes; main f 30 40; yes, no, yes, no
    2: no, yes; main f 40 40; no, no, yes, no
    3: no, yes; main f 40 30; no, no, yes, no
    4: yes, yes; main f 40 40; no, no, yes, no
    ");
}

#[sqlx::test]
async fn a_group_spells_out_its_own_protection(pool: PgPool) {
    let mut story = Story::begins(pool).await;
    story.given.setting("default_branch_protection = 0").await;
    let rows = [
        // Stated in part: the rest is as in full protection.
        (json!({"allowed_to_push": [{"access_level": 30}]}), "main f 30 40"),
        (
            json!({"allowed_to_push": [{"access_level": 40}], "allowed_to_merge": [{"access_level": 30}],
                "allow_force_push": true}),
            "main t 40 30",
        ),
        (json!({"allowed_to_push": [{"access_level": 0}], "allowed_to_merge": [{"access_level": 60}]}), "main f 0 60"),
        (
            json!({"allowed_to_push": [{"access_level": 40}], "allowed_to_merge": [{"access_level": 40}],
                "allow_force_push": false, "developer_can_initial_push": true}),
            "main f 40 40",
        ),
        (
            json!({"allowed_to_push": [{"access_level": 30}], "allowed_to_merge": [{"access_level": 30}],
                "allow_force_push": true}),
            "",
        ),
        // Nothing stated: the instance's word.
        (json!({}), ""),
    ];
    for (number, (defaults, expected)) in rows.into_iter().enumerate() {
        story.another(&format!("g/p{number}")).await;
        let sql = format!(
            "update namespace_settings set default_branch_protection_defaults = '{defaults}'
             where namespace_id = (select namespace_id from projects where id = {})",
            story.project.id
        );
        story.given.sql(&sql).await;
        assert!(story.pushes(story.commit("main"), story.mona).await);
        assert_eq!(story.protections().await, expected, "{defaults}");
    }
}

#[sqlx::test]
async fn what_is_protected_already_stays_as_it_is(pool: PgPool) {
    let mut story = Story::begins(pool).await;
    let rows = [
        ("exact", "insert into protected_branches (project_id, name) values ({project}, 'main')", "main f"),
        ("pattern", "insert into protected_branches (project_id, name) values ({project}, 'm*')", "m* f"),
        (
            "of-the-group",
            "insert into protected_branches (namespace_id, name) select traversal_ids[1], '*n' from namespaces
             where id = (select namespace_id from projects where id = {project})",
            "",
        ),
    ];
    for (path, sql, expected) in rows {
        story.another(&format!("{path}/p")).await;
        story.given.sql(&sql.replace("{project}", &story.project.id.to_string())).await;
        let first = story.commit("main");
        let lines = first.lines();
        first.accept();
        story.reports(&lines, story.mona).await;
        assert_eq!(story.protections().await, expected, "{path}");
        assert_eq!(story.default_branch().await, "main t", "{path}");
    }
}

/// A repository that had its branches before we were told of it: its people have protected what they want protected.
#[sqlx::test]
async fn a_branch_that_was_there_before_is_left_as_it_is(pool: PgPool) {
    let story = Story::begins(pool).await;
    let before = story.commit("main");
    before.accept();
    let update = story.commit("main");
    let lines = update.lines();
    update.accept();
    story.reports(&lines, story.mona).await;
    let topic = story.commit("topic");
    let lines = topic.lines();
    topic.accept();
    story.reports(&lines, story.mona).await;
    let working = Working::on(&story.app);
    until(&story.app, "select count(*) from graphile_worker.jobs", 0).await;
    working.drain().await;
    assert_eq!((story.default_branch().await, story.protections().await), ("main t".into(), String::new()));
}

/// Several first pushes at once, a report that comes twice, and a protection that was taken away on purpose.
#[sqlx::test]
async fn the_default_branch_is_settled_once(pool: PgPool) {
    let story = Story::begins(pool).await;
    let branches = ["a", "b", "c", "d", "e", "f"];
    let pushes: Vec<_> = branches.iter().map(|branch| story.commit(branch)).collect();
    let lines: Vec<String> = pushes.iter().map(Quarantined::lines).collect();
    pushes.into_iter().for_each(Quarantined::accept);
    futures_util::future::join_all(lines.iter().map(|lines| story.reports(lines, story.mona))).await;
    let settled = story.default_branch().await;
    let (name, born) = settled.split_once(' ').unwrap();
    assert!(branches.contains(&name) && born == "t", "{settled}");
    assert_eq!(story.protections().await, format!("{name} f 40 40"));

    story.given.sql("delete from protected_branches").await;
    for (lines, request) in lines.iter().zip(["1", "2", "1", "2", "3", "3"]) {
        story.app.post_receive_as(request, report(&story.name(), "", lines)).await;
    }
    assert_eq!((story.protections().await, story.default_branch().await), (String::new(), settled));
}

#[sqlx::test]
async fn wikis_and_snippets_have_no_protected_branches(pool: PgPool) {
    let story = Story::begins(pool).await;
    let snippet = story.given.snippet(story.dana.0, Some(&story.project)).await;
    let lines = format!("{ZERO} {NEW} refs/heads/main\n");
    for repository in [format!("wiki-{}", story.project.id), format!("snippet-{snippet}")] {
        assert_eq!(story.app.post_receive(report(&repository, "", &lines)).await.status, 200);
    }
    assert_eq!(story.given.value::<i64>("select count(*) from protected_branches").await, 0);
    assert_eq!(story.default_branch().await, "");
    for lines in [format!("{ZERO} {NEW} refs/tags/main\n"), format!("{NEW} {ZERO} refs/heads/main\n"), String::new()] {
        story.reports(&lines, story.mona).await;
    }
    assert_eq!(story.given.value::<i64>("select count(*) from protected_branches").await, 0);
    story.app.post_receive(report("project-999999", "", &lines)).await;
}

/// The first push goes to another branch than the one that HEAD names: HEAD follows, so a clone has files, and the event
/// counts the commits.
#[sqlx::test]
async fn head_follows_the_first_push(pool: PgPool) {
    let story = Story::begins(pool).await;
    let work = story.repository.push();
    work.clone.commit("trunk", &[("a", "1\n")], "Begin\n");
    work.clone.commit("trunk", &[("a", "2\n")], "Go on\n");
    assert_eq!(story.head(), "refs/heads/main");
    assert!(story.pushes(work.quarantine(), story.mona).await);
    assert_eq!((story.default_branch().await, story.protections().await), ("trunk t".into(), "trunk f 40 40".into()));
    assert!(!story.pushes(story.rewrite("trunk"), story.dana).await, "it is protected before any job has run");

    let working = Working::on(&story.app);
    until(&story.app, WAITING, 0).await;
    assert_eq!(story.head(), "refs/heads/trunk");
    let folder = Folder::new();
    let clone = folder.path().join("clone");
    let cloned = Command::new("git").args(["clone", "--quiet"]).arg(&story.repository.path).arg(&clone).status();
    assert!(cloned.unwrap().success());
    assert_eq!(std::fs::read_to_string(clone.join("a")).unwrap(), "2\n");
    let event = "select string_agg(concat_ws(' ', ref, commit_count, commit_title), ',') from push_event_payloads";
    assert_eq!(story.given.value::<String>(event).await, "trunk 2 Go on");

    assert!(story.pushes(story.commit("main"), story.dana).await, "another branch is not protected");
    until(&story.app, WAITING, 0).await;
    assert_eq!((story.head().as_str(), story.default_branch().await.as_str()), ("refs/heads/trunk", "trunk t"));
    story.repository.git(["symbolic-ref", "HEAD", "refs/heads/main"]).bytes(b"");
    assert!(story.pushes(story.commit("main"), story.dana).await);
    until(&story.app, WAITING, 0).await;
    assert_eq!(story.default_branch().await, "main t", "a HEAD that somebody moved is seen with the next push");
    assert_eq!(story.protections().await, "trunk f 40 40");
    working.drain().await;
}

/// HEAD's own name wins over others in the push, and the configured name over the rest.
#[sqlx::test]
async fn of_several_first_branches_the_configured_one_is_the_default(pool: PgPool) {
    let mut story = Story::begins(pool).await;
    story.given.setting("default_branch_name = 'develop'").await;
    for (number, (branches, expected)) in
        [(["a", "main"], "main"), (["a", "develop"], "develop"), (["b", "a"], "a")].into_iter().enumerate()
    {
        story.another(&format!("g/p{number}")).await;
        let work = story.repository.push();
        for branch in branches {
            work.clone.commit(branch, &[("a", branch)], "Begin\n");
        }
        assert!(story.pushes(work.quarantine(), story.mona).await);
        assert_eq!(story.default_branch().await, format!("{expected} t"), "{branches:?}");
    }
    let working = Working::on(&story.app);
    until(&story.app, WAITING, 0).await;
    assert_eq!(story.head(), "refs/heads/a");
    working.drain().await;
}

/// A push is kept although Gitaly says nothing; its branch is protected as soon as Gitaly does.
#[sqlx::test]
async fn a_first_push_that_gitaly_is_silent_about_is_settled_by_its_job(pool: PgPool) {
    let story = Story::begins(pool).await;
    let first = story.commit("trunk");
    let lines = first.lines();
    first.accept();
    story.gitaly.fail("FindDefaultBranchName", Status::internal("busy"));
    story.reports(&lines, story.mona).await;
    assert_eq!((story.default_branch().await, story.protections().await), (String::new(), String::new()));
    let working = Working::on(&story.app);
    let failed = "select count(*) from graphile_worker.jobs where last_error like '%busy%'";
    until(&story.app, failed, 1).await;
    story.gitaly.heal("FindDefaultBranchName");
    until(&story.app, "select count(*) from graphile_worker.jobs", 0).await;
    assert_eq!((story.default_branch().await, story.protections().await), ("trunk t".into(), "trunk f 40 40".into()));
    assert_eq!(story.head(), "refs/heads/trunk");
    working.drain().await;
}

/// Allowed.md K6: what a repository takes is measured after its pushes, and what a push brings counts too.
#[sqlx::test]
async fn a_repository_takes_no_more_than_its_limit(pool: PgPool) {
    const WOULD: &str = "Your push to this repository cannot be completed as it would exceed the allocated storage";
    const HAS: &str =
        "Your push to this repository cannot be completed because this repository has exceeded the allocated";
    let story = Story::begins(pool).await;
    let noise = |bytes: usize| {
        (0..bytes / 16).map(|_| uuid::Uuid::new_v4().simple().to_string()[..16].to_owned()).collect::<String>()
    };
    let push = |bytes: usize| story.repository.quarantined_push("main", &[("big", &noise(bytes))], "Add\n");
    let limit = async |bytes: u64| {
        let sql = format!("update projects set repository_size_limit = {bytes} where id = {}", story.project.id);
        story.given.sql(&sql).await;
    };
    assert!(story.pushes(push(100_000), story.mona).await);
    limit(50_000).await;
    // Nobody has measured it yet, so it is asked.
    let refused = story.asks(&push(1_000), story.mona).await;
    assert!(refused.status == 401 && refused.message().starts_with(HAS), "{}", refused.text);
    assert!(story.gitaly.count("RepositoryInfo") > 0);
    limit(150_000).await;
    let refused = story.asks(&push(200_000), story.mona).await;
    assert!(refused.status == 401 && refused.message().starts_with(WOULD), "{}", refused.text);

    let working = Working::on(&story.app);
    until(&story.app, WAITING, 0).await;
    let size = "select repository_size from project_statistics";
    let measured: i64 = story.given.value(size).await;
    assert!(measured > 50_000, "{measured}");
    let asked = story.gitaly.count("RepositoryInfo");
    assert!(story.pushes(push(20_000), story.mona).await);
    until(&story.app, WAITING, 0).await;
    assert!(story.given.value::<i64>(size).await > measured);
    assert_eq!(story.gitaly.count("RepositoryInfo"), asked + 1, "what is measured is not asked again");
    limit(50_000).await;
    let refused = story.asks(&push(1_000), story.mona).await;
    assert!(refused.status == 401 && refused.message().starts_with(HAS), "{}", refused.text);
    let tip = story.repository.id_of("refs/heads/main").unwrap();
    story.repository.set_ref("refs/heads/old", &tip);
    let body = json!({
        "action": "git-receive-pack", "gl_repository": story.name(), "protocol": "ssh",
        "changes": format!("{tip} {ZERO} refs/heads/old\n"), "key_id": story.mona.1.to_string(),
    });
    assert_eq!(story.app.post("/allowed", body).await.status, 200, "branches may go from a full repository");

    limit(1_000_000).await;
    assert_eq!(story.asks(&push(1_000), story.mona).await.status, 200);
    let sql = format!(
        "with object as (insert into lfs_objects (oid, size) values ('{}', 999999) returning id)
         insert into lfs_objects_projects (lfs_object_id, project_id, repository_type)
         select id, {}, kind from object, generate_series(0, 1) as kind",
        "4".repeat(64),
        story.project.id
    );
    story.given.sql(&sql).await;
    let work = story.repository.push();
    work.clone.commit("main", &[("lfs", &lfs_pointer(&"4".repeat(64), 999_999))], "Add a pointer\n");
    assert!(story.pushes(work.quarantine(), story.mona).await);
    until(&story.app, WAITING, 0).await;
    let lfs = "select lfs_objects_size from project_statistics where storage_size = repository_size + lfs_objects_size";
    assert_eq!(story.given.value::<i64>(lfs).await, 999_999);
    let refused = story.asks(&push(1_000), story.mona).await;
    assert!(refused.status == 401 && refused.message().starts_with(HAS), "{}", refused.text);
    working.drain().await;
}

const DOCUMENT: &str = "
users: [{username: mona, email: m@example.com, keys: [{title: laptop, key: 'KEY'}]}]
groups: [{path: acme, members: {mona: owner}}]
projects: [{path: acme/web, default_branch: trunk}, {path: acme/none, repository: absent}]
";

async fn applied(app: &TestApp, document: &str) -> String {
    let key = crate::apply::KEY;
    let sources = ApplySources::new(|_| None, std::env::temp_dir()).with_gitaly(app.gitaly.clone());
    let mut conn = app.pool.acquire().await.unwrap();
    let base = app.secrets.db_key_base.clone();
    let report =
        apply(&mut conn, &document.replace("KEY", key), &sources, &base, app.clock.now(), false).await.unwrap();
    report.lines().join("\n")
}

async fn push_to_web(app: &TestApp) -> Reply {
    let key: i64 = app.given().value("select id from keys").await;
    let body = json!({
        "action": "git-receive-pack", "project": "acme/web", "protocol": "ssh", "changes": "_any", "key_id": key,
    });
    app.post("/allowed", body).await
}

/// A project that was made while Gitaly was down: the next `apply`, the server's own look, or the first push makes its
/// repository, whoever comes first.
#[sqlx::test]
async fn a_repository_that_could_not_be_made_is_made_later(pool: PgPool) {
    let mut gitaly = TestGitaly::start();
    let app = app_with_queue_and(pool, &gitaly.settings()).await;
    let given = app.given();
    let missing = "select count(*) from missing_repositories";
    let made = "select count(*) from project_repositories join project_default_branches using (project_id) where name = 'trunk'";
    let forget = async |gitaly: &mut TestGitaly| {
        given.sql("delete from project_repositories; delete from project_default_branches").await;
        std::fs::remove_dir_all(gitaly.storage().join("@hashed")).unwrap();
        gitaly.stop();
        let said = applied(&app, DOCUMENT).await;
        assert!(said.contains("! repository of acme/web was not created: Gitaly is not available"), "{said}");
        assert_eq!(given.value::<i64>(missing).await, 1);
    };
    gitaly.stop();
    let said = applied(&app, DOCUMENT).await;
    assert!(said.contains("! repository of acme/web was not created: Gitaly is not available"), "{said}");
    assert_eq!((given.value::<i64>(missing).await, push_to_web(&app).await.status.as_u16()), (1, 422));

    gitaly.restart();
    assert_eq!(applied(&app, DOCUMENT).await, "+ repository of acme/web");
    assert_eq!((given.value::<i64>(missing).await, given.value::<i64>(made).await), (0, 1));
    assert_eq!(applied(&app, DOCUMENT).await, "");
    assert_eq!(push_to_web(&app).await.status, 200);

    forget(&mut gitaly).await;
    gitaly.restart();
    let working = Working::on(&app);
    until(&app, missing, 0).await;
    working.drain().await;
    assert_eq!(given.value::<i64>(made).await, 1);
    assert_eq!(push_to_web(&app).await.status, 200);

    forget(&mut gitaly).await;
    gitaly.restart();
    assert_eq!(push_to_web(&app).await.status, 200);
    assert_eq!((given.value::<i64>(missing).await, given.value::<i64>(made).await), (0, 1));

    forget(&mut gitaly).await;
    let absent = DOCUMENT.replace("default_branch: trunk", "repository: absent");
    applied(&app, &absent).await;
    assert_eq!(given.value::<i64>(missing).await, 0, "what is stated to be absent is not made");
    assert_eq!(push_to_web(&app).await.message(), "A repository for this project does not exist yet.");
}

/// A wiki begins with the first push of somebody who may write it.
#[sqlx::test]
async fn a_wiki_is_made_by_its_first_push(pool: PgPool) {
    let mut story = Story::begins(pool).await;
    let wiki = format!("{}.wiki.git", hashed_path("@hashed", story.project.id.0));
    let asks = async |story: &Story, action: &str, key: KeyId| {
        let body = json!({
            "action": action, "project": "g/p.wiki.git", "protocol": "ssh", "changes": "_any", "key_id": key.to_string(),
        });
        story.app.post("/allowed", body).await
    };
    let stranger = story.given.user("eve").await;
    story.project.clone().reporter("eve").await;
    let stranger = story.given.key(stranger, "eve").await;
    for (action, key) in [("git-upload-pack", story.dana.1), ("git-receive-pack", stranger)] {
        let reply = asks(&story, action, key).await;
        assert_eq!(reply.line(), r#"404 {"message":"A repository for this wiki does not exist yet.","status":false}"#);
    }
    assert!(!story.gitaly.storage().join(&wiki).exists(), "refused means unchanged");
    story.gitaly.stop();
    // Not 503, after which gitlab-shell would try twice more and then say nothing of the reason.
    assert_eq!(asks(&story, "git-receive-pack", story.dana.1).await.status, 422);
    story.gitaly.restart();
    let reply = asks(&story, "git-receive-pack", story.dana.1).await;
    let path: Value = reply.json()["gitaly"]["repository"]["relative_path"].clone();
    assert_eq!((reply.status.as_u16(), path.as_str()), (200, Some(wiki.as_str())));
    assert!(story.gitaly.storage().join(&wiki).join("objects").is_dir());
    for _ in 0..2 {
        assert_eq!(asks(&story, "git-receive-pack", story.dana.1).await.status, 200);
        assert_eq!(asks(&story, "git-upload-pack", stranger).await.status, 200);
    }
    assert_eq!(story.gitaly.count("CreateRepository"), 1);
}

/// HEAD of a wiki follows its first push too, and its size is kept beside the code's.
#[sqlx::test]
async fn a_wiki_is_looked_after_as_well(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.project.clone().with_wiki().await;
    let wiki = story.gitaly.repository(&format!("{}.wiki.git", hashed_path("@hashed", story.project.id.0)));
    let tip = wiki.commit("trunk", &[("home.md", "hello\n")], "Begin\n");
    let working = Working::on(&story.app);
    let lines = format!("{ZERO} {tip} refs/heads/trunk\n");
    story.app.post_receive(report(&format!("wiki-{}", story.project.id), "", &lines)).await;
    until(&story.app, "select count(*) from project_statistics where wiki_size > 0 and repository_size = 0", 1).await;
    assert_eq!(wiki.git(["symbolic-ref", "HEAD"]).line(), "refs/heads/trunk");
    working.drain().await;
}
