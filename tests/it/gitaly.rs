//! What the client of Gitaly asks and understands, against a real server over real repositories.

use std::time::{Duration, Instant};

use gatehouse::clock::Clock;
use gatehouse::config::Settings;
use gatehouse::gitaly::{
    CallContext, ChangedPath, CommitPerson, CommitSignature, GitalyClient, GitalyError, LfsPointer, NewBlob,
    ObjectQuarantine, PathStatus, RepositoryClient, RepositoryLocation,
};
use secrecy::ExposeSecret;
use tonic::{Code, Status};

use crate::support::TestGitaly;
use crate::support::git::{Author, GitRepo, Quarantined, lfs_pointer};

const PATH: &str = "@hashed/6b/86/6b86.git";
const NOBODY: &str = "ffffffffffffffffffffffffffffffffffffffff";

/// A client of these settings, and the handle of `PATH`.
fn client(settings: &str) -> GitalyClient {
    GitalyClient::new(&Settings::load(settings, []).unwrap(), &Clock::system()).unwrap()
}

fn location() -> RepositoryLocation {
    RepositoryLocation {
        storage: "default".to_owned(),
        relative_path: PATH.to_owned(),
        gl_repository: "project-1".to_owned(),
        gl_project_path: "g/p".to_owned(),
    }
}

fn context() -> CallContext {
    CallContext::new("01CORRELATION", Instant::now() + Duration::from_secs(50))
}

fn handle(gitaly: &TestGitaly) -> RepositoryClient {
    client(&gitaly.settings()).repository(location(), context()).unwrap()
}

fn quarantined(gitaly: &TestGitaly, push: &Quarantined) -> RepositoryClient {
    let (object_directory, alternates) = (push.object_directory.clone(), push.alternates.clone());
    let quarantine = Some(ObjectQuarantine { object_directory, alternates });
    client(&gitaly.settings()).repository(location(), CallContext { quarantine, ..context() }).unwrap()
}

/// A Gitaly with a repository of one commit.
fn started() -> (TestGitaly, GitRepo, String) {
    let gitaly = TestGitaly::start();
    let repository = gitaly.repository(PATH);
    let first = repository.commit("main", &[("README", "hello\n"), ("src/main.rs", "fn main() {}\n")], "Begin\n");
    (gitaly, repository, first)
}

fn names(list: &[&str]) -> Vec<Vec<u8>> {
    list.iter().map(|name| name.as_bytes().to_vec()).collect()
}

#[tokio::test]
async fn a_repository_is_made_once_and_then_exists() {
    let gitaly = TestGitaly::start();
    let repository = handle(&gitaly);
    assert!(!repository.exists().await.unwrap());
    repository.create("trunk").await.unwrap();
    repository.create("main").await.expect("made already is as good as made");
    assert!(repository.exists().await.unwrap());
    assert_eq!(repository.default_branch().await.unwrap(), Some(b"refs/heads/trunk".to_vec()));
    assert!(!repository.has_branches().await.unwrap());
}

#[tokio::test]
async fn a_repository_that_is_gone_is_not_found() {
    let gitaly = TestGitaly::start();
    let repository = handle(&gitaly);
    assert!(matches!(repository.has_branches().await, Err(GitalyError::NotFound(_))));
    assert!(matches!(repository.new_commits(&[NOBODY], 10).await, Err(GitalyError::NotFound(_))));
}

#[tokio::test]
async fn branches_and_tags_are_seen() {
    let (gitaly, git, first) = started();
    git.commit("feature", &[("a", "1")], "Another root");
    git.set_ref("refs/heads/stable", &first);
    git.tag("v1", &first);
    git.annotated_tag("v2", &first, "Release");
    let repository = handle(&gitaly);
    assert!(repository.has_branches().await.unwrap());
    assert_eq!(repository.default_branch().await.unwrap(), Some(b"refs/heads/main".to_vec()));
    assert!(repository.ref_exists(b"refs/tags/v1").await.unwrap());
    assert!(repository.ref_exists(b"refs/tags/v2").await.unwrap());
    assert!(!repository.ref_exists(b"refs/tags/v3").await.unwrap());
    assert_eq!(repository.branches_containing(&first, 9).await.unwrap(), names(&["main", "stable"]));
    assert_eq!(repository.branches_containing(&first, 1).await.unwrap(), names(&["main"]));
    git.delete_ref("refs/heads/stable");
    assert_eq!(repository.branches_containing(&first, 100).await.unwrap(), names(&["main"]));
}

#[tokio::test]
async fn a_forced_push_is_known_by_its_ancestry_within_the_quarantine() {
    let (gitaly, git, first) = started();
    let second = git.commit("main", &[("README", "bye\n")], "Change");
    let forward = git.quarantined_push("main", &[("README", "again\n")], "Forward");
    let push = git.push();
    let author = Author { name: "Dana", email: "dana@example.com" };
    let diverged = push.clone.write_commit(author, &[first], &[("README", "other\n")], "Rewritten");
    push.clone.set_ref("refs/heads/main", &diverged);
    let forced = push.quarantine();
    assert_eq!((&forced.change().old, &forced.change().new), (&second, &diverged));

    let new = &forward.change().new;
    assert!(quarantined(&gitaly, &forward).is_ancestor(&second, new).await.unwrap());
    assert!(!quarantined(&gitaly, &forced).is_ancestor(&second, &diverged).await.unwrap());
    // Without the quarantine the new commit cannot be seen, and every push looks forced.
    assert!(!handle(&gitaly).is_ancestor(&second, new).await.unwrap());
}

#[tokio::test]
async fn the_commits_of_a_push_are_those_that_the_repository_lacks() {
    let (gitaly, git, first) = started();
    let push = git.push();
    let author = Author { name: "Zoë", email: "zoe@example.com" };
    let one = push.clone.commit_by(author, "main", &[("a", "1\n")], "One\n\nwith a body\n");
    let two = push.clone.commit("main", &[("b", "2\n")], "Two\n");
    let push = push.quarantine();
    let repository = quarantined(&gitaly, &push);

    let mut commits = repository.new_commits(&[&two], 10).await.unwrap();
    commits.sort_by_key(|commit| commit.subject.clone());
    assert_eq!(commits.iter().map(|commit| &commit.id).collect::<Vec<_>>(), [&one, &two]);
    assert_eq!((commits[0].subject.as_str(), commits[0].message()), ("One", "One\n\nwith a body\n"));
    let seconds = commits[0].author.seconds;
    let utc_offset = commits[0].author.utc_offset;
    let zoe = CommitPerson { name: "Zoë".to_owned(), email: "zoe@example.com".to_owned(), seconds, utc_offset };
    assert_eq!((&commits[0].author, &commits[0].committer), (&zoe, &zoe));
    assert_eq!((&commits[0].parent_ids, commits[0].signature), (&vec![first], CommitSignature::None));
    assert_eq!(gitaly.methods(), ["ListAllCommits", "CheckObjectsExist"]);

    let calls = gitaly.calls();
    assert_eq!(calls[0].repository.git_object_directory, push.object_directory);
    assert!(calls[0].repository.git_alternate_object_directories.is_empty());
    assert_eq!(calls[1].repository.git_object_directory, "");
    assert_eq!(calls[1].repository.git_alternate_object_directories, ["objects"]);
}

#[tokio::test]
async fn a_commit_that_the_repository_has_is_not_new_even_where_the_quarantine_holds_it_too() {
    let (gitaly, git, first) = started();
    let push = git.quarantined_push("main", &[("a", "1\n")], "New");
    let pack = git.git(["pack-objects", "--quiet", "--stdout"]).bytes(format!("{first}\n").as_bytes());
    let index = git.git(["index-pack", "--stdin"]).env("GIT_OBJECT_DIRECTORY", git.path.join(&push.object_directory));
    index.bytes(&pack);
    let new = &push.change().new;
    let commits = quarantined(&gitaly, &push).new_commits(&[new], 10).await.unwrap();
    assert_eq!(commits.iter().map(|commit| &commit.id).collect::<Vec<_>>(), [new]);
}

#[tokio::test]
async fn hundreds_of_commits_are_checked_a_hundred_at_a_time() {
    let (gitaly, git, first) = started();
    let push = git.push();
    let tree = push.clone.git(["rev-parse", &format!("{first}^{{tree}}")]).line();
    let mut parent = first;
    for number in 0..230 {
        let who = "Dana <dana@example.com> 1 +0000";
        let commit = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{number}\n");
        parent = push.clone.object("commit", commit.as_bytes());
    }
    push.clone.set_ref("refs/heads/main", &parent);
    let repository = quarantined(&gitaly, &push.quarantine());
    assert_eq!(repository.new_commits(&[&parent], 230).await.unwrap().len(), 230);
    assert!(matches!(repository.new_commits(&[&parent], 229).await, Err(GitalyError::TooMany { limit: 229 })));
}

#[tokio::test]
async fn commit_messages_may_not_fill_the_memory() {
    let (gitaly, git, _) = started();
    let push = git.push();
    let message = "a".repeat(9 << 20);
    let mut new = String::new();
    for _ in 0..9 {
        new = push.clone.commit("main", &[], &message);
    }
    let repository = quarantined(&gitaly, &push.quarantine());
    assert!(matches!(repository.new_commits(&[&new], 100).await, Err(GitalyError::TooLarge { .. })));
}

#[tokio::test]
async fn outside_a_quarantine_new_commits_are_those_that_no_ref_reaches() {
    let (gitaly, git, first) = started();
    let author = Author { name: "Dana", email: "dana@example.com" };
    let new = git.write_commit(author, &[first], &[("a", "1")], "Loose");
    let repository = handle(&gitaly);
    let commits = repository.new_commits(&[&new], 10).await.unwrap();
    assert_eq!(commits.iter().map(|commit| &commit.id).collect::<Vec<_>>(), [&new]);
    assert_eq!(gitaly.methods(), ["ListCommits"]);
    assert!(repository.new_commits(&[], 10).await.unwrap().is_empty());
    assert_eq!(gitaly.methods(), ["ListCommits"], "nothing new needs no question");
}

#[tokio::test]
async fn the_kind_of_a_signature_is_told() {
    let (gitaly, git, first) = started();
    let push = git.push();
    let tree = push.clone.git(["rev-parse", &format!("{first}^{{tree}}")]).line();
    let who = "Dana <dana@example.com> 1 +0000";
    let signed = |kind: &str| {
        let signature = format!("gpgsig -----BEGIN {kind}-----\n abc\n -----END {kind}-----");
        let commit = format!("tree {tree}\nauthor {who}\ncommitter {who}\n{signature}\n\n{kind}\n");
        push.clone.object("commit", commit.as_bytes())
    };
    for (branch, kind) in [("a", "PGP SIGNATURE"), ("b", "SSH SIGNATURE"), ("c", "SIGNED MESSAGE")] {
        push.clone.set_ref(&format!("refs/heads/{branch}"), &signed(kind));
    }
    let mut commits = quarantined(&gitaly, &push.quarantine()).new_commits(&[&first], 10).await.unwrap();
    commits.sort_by_key(|commit| commit.subject.clone());
    let kinds: Vec<_> = commits.iter().map(|commit| commit.signature).collect();
    assert_eq!(kinds, [CommitSignature::Pgp, CommitSignature::X509, CommitSignature::Ssh]);
}

#[tokio::test]
async fn the_paths_that_commits_change_are_told_and_a_merge_adds_none_of_its_own() {
    let (gitaly, git, first) = started();
    let push = git.push();
    let added = push.clone.commit("main", &[("src/lib.rs", "//!\n"), ("README", "more\n")], "Add and change");
    let removed = push.clone.remove("main", "src/main.rs");
    let author = Author { name: "Dana", email: "dana@example.com" };
    let aside = push.clone.write_commit(author, std::slice::from_ref(&first), &[("other", "1\n")], "Aside");
    let merge = push.clone.write_commit(author, &[removed.clone(), aside], &[("other", "1\n")], "Merge");
    push.clone.set_ref("refs/heads/main", &merge);
    let repository = quarantined(&gitaly, &push.quarantine());

    let changed = |path: &str, status, old_mode, new_mode| ChangedPath {
        path: path.as_bytes().to_vec(),
        status,
        old_mode,
        new_mode,
    };
    let mut commits = repository.newest_commits(Some(&first), &merge, 10).await.unwrap();
    commits.sort_by_key(|commit| [&added, &removed, &merge].iter().position(|id| **id == commit.id));
    assert_eq!(commits.len(), 4);
    let paths = repository.changed_paths(&commits[1..], 10).await.unwrap();
    assert_eq!(
        paths,
        [
            changed("README", PathStatus::Modified, 0o100_644, 0o100_644),
            changed("src/lib.rs", PathStatus::Added, 0, 0o100_644),
            changed("src/main.rs", PathStatus::Deleted, 0o100_644, 0),
        ]
    );
    assert!(matches!(repository.changed_paths(&commits[1..3], 2).await, Err(GitalyError::TooMany { limit: 2 })));
    // To its first parent the merge brings what was written aside.
    let brought = repository.paths_changed_by(&commits[3], 10).await.unwrap();
    assert_eq!(brought, [changed("other", PathStatus::Added, 0, 0o100_644)]);
}

/// Gitaly runs `git diff-tree --stdin` without `--root`, which has nothing to say of a commit without parents.
#[tokio::test]
async fn a_commit_without_parents_adds_all_of_its_files() {
    let (gitaly, _, first) = started();
    let root = handle(&gitaly).newest_commits(None, &first, 1).await.unwrap();
    assert!(root[0].parent_ids.is_empty());
    let paths = |paths: Vec<ChangedPath>| -> Vec<(String, PathStatus)> {
        paths.into_iter().map(|path| (String::from_utf8(path.path).unwrap(), path.status)).collect()
    };
    let added = [("README".to_owned(), PathStatus::Added), ("src/main.rs".to_owned(), PathStatus::Added)];
    assert_eq!(paths(handle(&gitaly).changed_paths(&root, 10).await.unwrap()), added);
    assert_eq!(paths(handle(&gitaly).paths_changed_by(&root[0], 10).await.unwrap()), added);
}

#[tokio::test]
async fn a_tag_has_a_message_where_it_is_annotated() {
    let (gitaly, git, first) = started();
    let annotated = git.annotated_tag("v1", &first, "Version 1\n\nAt last.\n");
    git.tag("light", &first);
    let repository = handle(&gitaly);
    let tag = repository.find_tag("v1").await.unwrap();
    assert_eq!(tag, Some((annotated, "Version 1\n\nAt last.".to_owned())));
    assert_eq!(repository.find_tag("light").await.unwrap(), Some((first, String::new())));
    assert_eq!(repository.find_tag("none").await.unwrap(), None);
}

#[tokio::test]
async fn new_lfs_pointers_are_read_and_old_ones_left_out() {
    let (gitaly, git, _) = started();
    let oid = |digit: &str| digit.repeat(64);
    git.commit("main", &[("old.bin", &lfs_pointer(&oid("1"), 1))], "Old");
    let push = git.push();
    let files = [("new.bin", &lfs_pointer(&oid("2"), 22)), ("not.txt", &"size 5\n".to_owned())];
    let new = push.clone.commit("main", &files.map(|(path, text)| (path, text.as_str())), "New");
    let push = push.quarantine();
    let pointers = [LfsPointer { oid: oid("2"), size: 22 }];

    assert_eq!(quarantined(&gitaly, &push).lfs_pointers(&[&new], 2000).await.unwrap(), pointers);
    assert_eq!(gitaly.last().method, "ListAllLFSPointers");
    assert!(gitaly.last().repository.git_alternate_object_directories.is_empty());
    push.accept();
    assert!(handle(&gitaly).lfs_pointers(&[&new], 2000).await.unwrap().is_empty());

    let author = Author { name: "Dana", email: "dana@example.com" };
    let three = [("3.bin", lfs_pointer(&oid("3"), 3)), ("4.bin", lfs_pointer(&oid("4"), 4))];
    let files = [(three[0].0, three[0].1.as_str()), (three[1].0, three[1].1.as_str())];
    let loose = git.write_commit(author, &[new], &files, "Loose");
    assert_eq!(handle(&gitaly).lfs_pointers(&[&loose], 2000).await.unwrap().len(), 2);
    assert_eq!(handle(&gitaly).lfs_pointers(&[&loose], 1).await.unwrap().len(), 1);
    assert_eq!(gitaly.last().method, "ListLFSPointers");
}

/// A text that git stores as a difference from another one.
fn long_text(line: &str) -> String {
    (0..400).fold(String::new(), |text, number| text + &number.to_string() + " the quick brown fox\n") + line
}

#[tokio::test]
async fn new_blobs_have_sizes_and_the_bases_of_a_thin_pack_are_not_among_them() {
    let (gitaly, git, _) = started();
    git.commit("main", &[("big", &long_text("old\n"))], "Big");
    let push = git.push();
    let new = push.clone.commit("main", &[("big", &long_text("newer\n")), ("small", "x")], "Bigger");
    let push = push.quarantine();
    let own = git.git(["cat-file", "--batch-all-objects", "--batch-check"]);
    let own = own.env("GIT_OBJECT_DIRECTORY", git.path.join(&push.object_directory)).line();
    let blobs = own.lines().filter(|line| line.contains(" blob ")).count();
    assert_eq!(blobs, 3, "the pack was thin, and completed with its base");

    let size = long_text("newer\n").len() as u64;
    let repository = quarantined(&gitaly, &push);
    let big = git.blob(long_text("newer\n").as_bytes());
    // The line above wrote the blob into the repository, where it is no longer new.
    assert!(repository.new_blobs(&[&new], 2, 10).await.unwrap().is_empty());
    std::fs::remove_file(git.path.join("objects").join(&big[..2]).join(&big[2..])).unwrap();
    let found = repository.new_blobs(&[&new], 2, 10).await.unwrap();
    assert_eq!(found, [NewBlob { id: big, size, path: None }]);
    assert_eq!(repository.new_blobs(&[&new], 0, 10).await.unwrap().len(), 2);
    assert!(matches!(repository.new_blobs(&[&new], 0, 1).await, Err(GitalyError::TooMany { limit: 1 })));
    assert!(repository.object_directory_size().await.unwrap() >= 1);
}

#[tokio::test]
async fn outside_a_quarantine_new_blobs_have_paths() {
    let (gitaly, git, first) = started();
    let author = Author { name: "Dana", email: "dana@example.com" };
    let new = git.write_commit(author, &[first], &[("a b/c", "12345")], "Loose");
    let blobs = handle(&gitaly).new_blobs(&[&new], 5, 10).await.unwrap();
    assert_eq!(blobs, [NewBlob { id: git.blob(b"12345"), size: 5, path: Some(b"a b/c".to_vec()) }]);
}

#[tokio::test]
async fn every_call_says_who_asks_and_where() {
    let (gitaly, git, first) = started();
    let push = git.quarantined_push("main", &[("a", "1")], "New");
    assert_eq!(push.lines(), format!("{first} {} refs/heads/main\n", push.change().new));
    let context = CallContext {
        quarantine: Some(ObjectQuarantine {
            object_directory: push.object_directory.clone(),
            alternates: push.alternates.clone(),
        }),
        transaction_path: Some("snapshots/1/ä.git".to_owned()),
        ..context()
    };
    let session = context.session.to_string();
    let repository = client(&gitaly.settings()).repository(location(), context).unwrap();
    repository.exists().await.unwrap();
    let call = gitaly.last();
    assert_eq!(call.header("client_name"), "gatehouse");
    assert_eq!(call.header("x-gitlab-correlation-id"), "01CORRELATION");
    assert_eq!(call.header("gitaly-session-id"), session);
    assert_eq!(call.header("gitaly-route-repository-accessor-policy"), "primary-only");
    assert_eq!(call.header("authorization"), "");
    assert!(call.header("grpc-timeout").len() > 1);
    let path = call.metadata.get_bin("relative-path-bin").unwrap().to_bytes().unwrap();
    assert_eq!(path, "snapshots/1/ä.git".as_bytes());
    let sent = &call.repository;
    assert_eq!((sent.storage_name.as_str(), sent.relative_path.as_str()), ("default", PATH));
    assert_eq!((sent.gl_repository.as_str(), sent.gl_project_path.as_str()), ("project-1", "g/p"));
    assert_eq!(sent.git_object_directory, push.object_directory);
    assert_eq!(sent.git_alternate_object_directories, push.alternates);
    assert_eq!(
        push.env(),
        format!(
            r#"{{"GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE":["objects"],"GIT_OBJECT_DIRECTORY_RELATIVE":"{}"}}"#,
            push.object_directory
        )
    );

    handle(&gitaly).exists().await.unwrap();
    let call = gitaly.last();
    assert_eq!(call.header("gitaly-route-repository-accessor-policy"), "");
    assert!(call.metadata.get_bin("relative-path-bin").is_none());
    assert_eq!(call.repository.git_object_directory, "");
}

#[tokio::test]
async fn a_token_is_proven_and_a_wrong_one_refused() {
    let gitaly = TestGitaly::start_on_tcp("the secret");
    assert!(!handle(&gitaly).exists().await.unwrap());
    assert!(gitaly.last().header("authorization").starts_with("Bearer v2."));
    assert!(!gitaly.last().header("authorization").contains("the secret"));
    for (token, code) in [("another", Code::PermissionDenied), ("", Code::Unauthenticated)] {
        let mut settings = Settings::load(&gitaly.settings(), []).unwrap();
        let storage = settings.repositories.storages.get_mut("default").unwrap();
        assert_eq!(storage.gitaly_token.as_ref().map(ExposeSecret::expose_secret), Some("the secret"));
        storage.gitaly_token = Some(token).filter(|token| !token.is_empty()).map(Into::into);
        let gitaly = GitalyClient::new(&settings, &Clock::system()).unwrap();
        let refused = gitaly.repository(location(), context()).unwrap().exists().await;
        assert!(matches!(&refused, Err(GitalyError::Failed(status)) if status.code() == code), "{refused:?}");
    }
}

#[tokio::test]
async fn a_request_that_has_no_time_left_asks_nothing_and_one_that_runs_out_stops_waiting() {
    let (gitaly, ..) = started();
    gitaly.delay("RepositoryExists", Duration::from_secs(5));
    gitaly.delay("ListCommits", Duration::from_secs(5));
    let within = |time: u64| {
        let context = CallContext::new("c", Instant::now() + Duration::from_millis(time));
        client(&gitaly.settings()).repository(location(), context).unwrap()
    };
    assert!(matches!(within(0).exists().await, Err(GitalyError::Deadline)));
    assert!(gitaly.calls().is_empty());
    let begun = Instant::now();
    assert!(matches!(within(200).exists().await, Err(GitalyError::Deadline)));
    assert!(matches!(within(200).new_commits(&[NOBODY], 1).await, Err(GitalyError::Deadline)));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(gitaly.count("ListCommits"), 1);
}

#[tokio::test]
async fn a_slow_answer_holds_up_no_other() {
    let (gitaly, ..) = started();
    gitaly.delay("RepositoryExists", Duration::from_secs(2));
    let repository = handle(&gitaly);
    let slow = tokio::spawn({
        let repository = repository.clone();
        async move { repository.exists().await }
    });
    let begun = Instant::now();
    assert!(repository.has_branches().await.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(slow.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_gitaly_that_is_down_is_unavailable_at_once() {
    let mut gitaly = TestGitaly::start();
    gitaly.stop();
    let repository = handle(&gitaly);
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(matches!(repository.exists().await, Err(GitalyError::Unavailable(_))));
    }
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_gitaly_that_does_not_accept_keeps_nobody_waiting_in_a_row() {
    // The queue of a listener that accepts nothing is soon full, and further dials hang.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
    }
    let settings = format!("repositories: {{storages: {{default: {{gitaly_address: 'tcp://{address}'}}}}}}\n");
    let repository = client(&settings).repository(location(), context()).unwrap();
    let begun = Instant::now();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let repository = repository.clone();
            tokio::spawn(async move { repository.exists().await })
        })
        .collect();
    for call in calls {
        let outcome = call.await.unwrap();
        assert!(matches!(outcome, Err(GitalyError::Unavailable(_))), "{outcome:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_restarted_gitaly_is_found_again() {
    let (mut gitaly, ..) = started();
    let repository = handle(&gitaly);
    assert!(repository.exists().await.unwrap());
    gitaly.stop();
    assert!(matches!(repository.exists().await, Err(GitalyError::Unavailable(_))));
    for _ in 0..20 {
        gitaly.restart();
        assert!(repository.exists().await.unwrap());
    }
}

#[tokio::test]
async fn a_gitaly_that_dies_during_a_call_is_unavailable() {
    let (mut gitaly, ..) = started();
    for method in ["RepositoryExists", "ListCommits"] {
        gitaly.delay(method, Duration::from_secs(5));
    }
    let repository = handle(&gitaly);
    let (unary, stream) = (repository.clone(), repository.clone());
    let unary = tokio::spawn(async move { unary.exists().await });
    let stream = tokio::spawn(async move { stream.new_commits(&[NOBODY], 1).await });
    while gitaly.calls().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    gitaly.stop();
    let (unary, stream) = (unary.await.unwrap(), stream.await.unwrap());
    assert!(matches!(unary, Err(GitalyError::Unavailable(_))), "{unary:?}");
    assert!(matches!(stream, Err(GitalyError::Unavailable(_))), "{stream:?}");
}

#[tokio::test]
async fn a_gitaly_that_takes_no_more_work_says_when_to_come_again() {
    let (gitaly, ..) = started();
    gitaly.exhaust("RepositoryExists", Duration::from_millis(1500));
    let busy = handle(&gitaly).exists().await;
    let wait = Some(Duration::from_millis(1500));
    assert!(matches!(&busy, Err(GitalyError::Exhausted { retry_after, .. }) if *retry_after == wait), "{busy:?}");
    gitaly.fail("RepositoryExists", Status::resource_exhausted("maximum queue size reached"));
    assert!(matches!(handle(&gitaly).exists().await, Err(GitalyError::Exhausted { retry_after: None, .. })));
    gitaly.fail("RepositoryExists", Status::internal("disk"));
    assert!(matches!(handle(&gitaly).exists().await, Err(GitalyError::Failed(_))));
}

/// Handlers are spawned, and so must their questions be.
#[test]
fn questions_may_move_between_threads() {
    fn spawned(_: impl Future + Send) {}
    fn all(repository: &RepositoryClient) {
        spawned(repository.exists());
        spawned(repository.is_ancestor("", ""));
        spawned(repository.new_commits(&[], 1));
        spawned(repository.changed_paths(&[], 1));
        spawned(repository.new_blobs(&[], 1, 1));
        spawned(repository.lfs_pointers(&[], 1));
    }
    let _ = all;
}

#[tokio::test]
async fn a_storage_that_nobody_serves_is_named() {
    let gitaly = client("repositories: {storages: {default: {gitaly_address: 'tcp://gitaly:8075'}}}");
    let elsewhere = RepositoryLocation { storage: "other".to_owned(), ..location() };
    let error = gitaly.repository(elsewhere, context()).unwrap_err();
    assert_eq!(error.to_string(), "storage other is not in the settings: repositories.storages");
}

#[tokio::test]
async fn every_address_that_cannot_be_dialled_is_reported() {
    let storages = "a: {gitaly_address: 'tcp://gitaly'}, b: {gitaly_address: 'dns://1.1.1.1/gitaly:1'}, \
                    c: {gitaly_address: 'tls://gitaly.example.com:9999'}";
    let settings = Settings::load(&format!("repositories: {{storages: {{{storages}}}}}"), []).unwrap();
    let mistakes = GitalyClient::new(&settings, &Clock::system()).unwrap_err();
    let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(mistakes.join("\n"), @r"
    repositories.storages.a.gitaly_address: must be tcp://host:port
    repositories.storages.b.gitaly_address: names a DNS server, which we do not ask: must be dns:host:port or dns:///host:port
    ");
}
