//! Real git through a stand-in for Workhorse: what it clones and pushes, and what it prints where it may not.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use gatehouse::domain::repository::hashed_path;
use sqlx::PgPool;

use super::{Forge, workhorse_token};
use crate::support::git::Folder;
use crate::support::{TestApp, TestGitaly, TestWorkhorse};

/// A forge whose projects have repositories, and Workhorse before it.
struct PackForge {
    app: Arc<TestApp>,
    gitaly: TestGitaly,
    workhorse: TestWorkhorse,
    folder: Folder,
}

impl PackForge {
    async fn begins(pool: PgPool) -> Self {
        let gitaly = TestGitaly::start();
        let forge = Forge::with(pool.clone(), &gitaly.settings()).await;
        // No rule then has anything to ask of a repository that does not have the new objects yet.
        forge.given.sql("update projects set lfs_enabled = false").await;
        for project in [&forge.private, &forge.open] {
            let path = format!("{}.git", hashed_path("@hashed", project.id.0));
            gitaly.repository(&path).commit("main", &[("README", "hello\n")], "Begin\n");
        }
        let app = Arc::new(forge.app);
        let workhorse = TestWorkhorse::start(Arc::clone(&app), gitaly.storage(), workhorse_token()).await;
        Self { app, gitaly, workhorse, folder: Folder::new() }
    }

    fn url(&self, login: &str, repository: &str) -> String {
        format!("http://{login}{}/{repository}", self.workhorse.address)
    }

    async fn git(&self, folder: &Path, arguments: &[&str]) -> Output {
        self.workhorse.git(folder, arguments).await
    }

    async fn clones(&self, login: &str, repository: &str, name: &str) -> Output {
        self.git(self.folder.path(), &["clone", "-q", &self.url(login, repository), name]).await
    }
}

#[track_caller]
fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// It failed, and printed this.
#[track_caller]
fn assert_told(output: &Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(words), "{said}");
}

#[sqlx::test]
async fn git_clones_and_pushes_where_it_may(pool: PgPool) {
    let forge = PackForge::begins(pool).await;
    assert_done(&forge.clones("dev:T-dev@", "g/p.git", "own").await);
    let own = forge.folder.path().join("own");
    assert_eq!(std::fs::read_to_string(own.join("README")).unwrap(), "hello\n");
    // git asks without a credential first, and again with the one that it has.
    let asked = forge.workhorse.asked();
    assert_eq!(asked[0], "GET /g/p.git/info/refs?service=git-upload-pack 401");
    assert_eq!(asked[1], "GET /g/p.git/info/refs?service=git-upload-pack 200");
    assert!(asked[2..].iter().all(|asked| asked == "POST /g/p.git/git-upload-pack 200"), "{asked:?}");

    std::fs::write(own.join("new.txt"), "new\n").unwrap();
    for arguments in
        [&["add", "new.txt"][..], &["commit", "-qm", "Add a file"], &["push", "-q", "origin", "HEAD:topic"]]
    {
        assert_done(&forge.git(&own, arguments).await);
    }
    // Of everything, and by every version of the protocol, the older ones too.
    for version in ["0", "1", "2"] {
        let name = format!("version{version}");
        let arguments = [
            "-c",
            &format!("protocol.version={version}"),
            "clone",
            "-qb",
            "topic",
            &forge.url("x:T-dev@", "g/p"),
            &name,
        ];
        assert_done(&forge.git(forge.folder.path(), &arguments).await);
        let file = forge.folder.path().join(name).join("new.txt");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "new\n", "version {version}, to a URL without .git");
    }
    assert_done(&forge.clones("", "g/open.git", "anybody").await);
    let deleted = forge.git(&own, &["push", "-q", "origin", ":topic"]).await;
    assert_done(&deleted);
}

#[sqlx::test]
async fn git_prints_why_it_may_not(pool: PgPool) {
    let forge = PackForge::begins(pool).await;
    let given = forge.app.given();
    assert_told(&forge.clones("", "g/p.git", "a").await, "could not read Username");
    assert_told(&forge.clones("dev:wrong@", "g/p.git", "b").await, "Authentication failed");
    assert_told(&forge.clones("out:T-out@", "g/p.git", "c").await, "repository 'http://");
    let guest = forge.clones("guest:T-guest@", "g/p.git", "d").await;
    assert_told(&guest, "remote: You are not allowed to download code from this project.");
    assert_done(&forge.clones("rep:T-rep@", "g/p.git", "own").await);
    let own = forge.folder.path().join("own");
    std::fs::write(own.join("new.txt"), "new\n").unwrap();
    for arguments in [&["add", "new.txt"][..], &["commit", "-qm", "Add a file"]] {
        assert_done(&forge.git(&own, arguments).await);
    }
    let push = ["push", "-q", "origin", "HEAD:topic"];
    assert_told(&forge.git(&own, &push).await, "remote: You are not allowed to push code to this project.");
    // What is refused when the pack is there, is refused by the hook's question.
    given
        .sql(
            "with branch as (
               insert into protected_branches (project_id, name) select id, 'topic' from projects where path = 'p' returning id
             )
             insert into protected_branch_push_access_levels (protected_branch_id, access_level) select id, 0 from branch",
        )
        .await;
    let url = forge.url("dev:T-dev@", "g/p.git");
    let refused = forge.git(&own, &["push", "-q", &url, "HEAD:refs/heads/topic"]).await;
    assert_told(&refused, "remote: GitLab: You are not allowed to");
    assert_told(&refused, "pre-receive hook declined");
    drop(forge.gitaly);
}
