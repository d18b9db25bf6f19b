//! Refused means unchanged: every denial that exists is provoked, and leaves every table and the storage as they were.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse::domain::access::{AccessProtocol, AccountDenial, Denial, DenialAnswer, RepositoryKind};
use gatehouse::domain::ids::{KeyId, SnippetId};
use gatehouse::domain::repository::hashed_path;
use gatehouse::domain::ssh_key::KeyKind;
use serde_json::json;
use sqlx::PgPool;

use super::{Story, assert_refused};
use crate::support::git::{Author, GitRepo, lfs_pointer};
use crate::support::unchanged::everything;
use crate::support::{GivenProject, TestApp, TestGitaly, read_only, rsa_key};

const ZERO: &str = "0000000000000000000000000000000000000000";
const SETTINGS: &str =
    "gitlab_shell: {upload_pack: false, receive_pack: false}\ngatehouse: {two_factor_for_git: true}\n";

/// `rubi`, a developer of `g/p`, and whatever else denials are about.
struct World {
    story: Story,
    gitaly: TestGitaly,
    project: GivenProject,
    bare: GivenProject,
    empty: GivenProject,
    deploy_key: KeyId,
    rsa_key: KeyId,
    own_snippet: SnippetId,
    foreign_snippet: SnippetId,
    lost_snippet: SnippetId,
    project_snippet: SnippetId,
    commits: Commits,
}

/// Commits that no ref points to, beside the one that `main` does.
struct Commits {
    tip: String,
    child: String,
    unrelated: String,
    by_eve: String,
    committed_by_eve: String,
    with_pointer: String,
    large: String,
}

/// What is arranged, what is asked, and what is put back.
struct Case {
    given: String,
    asked: BTreeMap<&'static str, String>,
    then: String,
}

impl World {
    async fn begins(pool: PgPool) -> Self {
        let gitaly = TestGitaly::start();
        let story = Story::with(pool, &format!("{}{SETTINGS}", gitaly.settings())).await;
        let given = &story.given;
        let dana = given.user("dana").await;
        let project = given.project("g/p").await.developer("rubi").await.with_wiki().await;
        let bare = given.project("g/bare").await.developer("rubi").await.without_repository().await;
        let empty = given.project("g/empty").await.developer("rubi").await;
        given.sql("update projects set lfs_enabled = false").await;
        let deploy_key = given.deploy_key(Some(story.rubi), "builder").await;
        let project = project.deploys(deploy_key, false).await;
        let rsa_key = given.key_line(story.rubi, &rsa_key(2048)).await;
        let own_snippet = given.snippet(story.rubi, None).await;
        let foreign_snippet = given.snippet(dana, None).await;
        let project_snippet = given.snippet(dana, Some(&project)).await;
        let lost_snippet = given.snippet(story.rubi, None).await;
        given.sql(&format!("delete from snippet_repositories where snippet_id = {lost_snippet}")).await;
        let on_disk = |project: &GivenProject| format!("{}.git", hashed_path("@hashed", project.id.0));
        gitaly.repository(&on_disk(&empty));
        let commits = Commits::into(&gitaly.repository(&on_disk(&project)));
        Self {
            story,
            gitaly,
            project,
            bare,
            empty,
            deploy_key,
            rsa_key,
            own_snippet,
            foreign_snippet,
            lost_snippet,
            project_snippet,
            commits,
        }
    }

    fn asks(&self, action: &str, project: &str) -> Case {
        let asked = [
            ("action", action.to_owned()),
            ("project", project.to_owned()),
            ("changes", "_any".to_owned()),
            ("protocol", "ssh".to_owned()),
            ("key_id", self.story.key.to_string()),
        ];
        Case { given: String::new(), asked: asked.into(), then: String::new() }
    }

    fn pulls(&self) -> Case {
        self.asks("git-upload-pack", "g/p.git")
    }

    fn pushes(&self) -> Case {
        self.asks("git-receive-pack", "g/p.git")
    }

    fn pulls_from(&self, gl_repository: &str) -> Case {
        self.pulls().with("gl_repository", gl_repository)
    }

    /// Gitaly's question about one change.
    fn changes(&self, old: &str, new: &str, name: &str) -> Case {
        let repository = format!("project-{}", self.project.id);
        self.pushes().with("gl_repository", &repository).with("changes", &format!("{old} {new} {name}\n"))
    }

    fn creates(&self, new: &str, name: &str) -> Case {
        self.changes(ZERO, new, name)
    }

    fn deletes(&self, name: &str) -> Case {
        self.changes(&self.commits.tip, ZERO, name)
    }

    /// A new branch with a commit that a push rule refuses.
    fn ruled(&self, commit: &str, column: &str, value: &str) -> Case {
        self.creates(commit, "refs/heads/topic").given(
            &format!("insert into push_rules (project_id, {column}) values ({}, {value})", self.project.id),
            "delete from push_rules",
        )
    }
}

impl Commits {
    fn into(repository: &GitRepo) -> Self {
        let dana = Author { name: "Dana", email: "dana@example.com" };
        let eve = Author { name: "Eve", email: "eve@example.net" };
        let tip = repository.commit("main", &[("README", "hello\n")], "Begin\n");
        let upon = [tip.clone()];
        let child = repository.write_commit(dana, &upon, &[("new.txt", "new\n")], "Add a file\n");
        let tree = repository.git(["rev-parse", &format!("{child}^{{tree}}")]).line();
        let committed_by_eve = format!(
            "tree {tree}\nparent {tip}\nauthor Dana <dana@example.com> 1 +0000\n\
             committer Eve <eve@example.net> 1 +0000\n\nAdd a file\n"
        );
        Self {
            unrelated: repository.write_commit(dana, &[], &[("other", "story\n")], "Begin anew\n"),
            by_eve: repository.write_commit(eve, &upon, &[("new.txt", "new\n")], "Add a file\n"),
            committed_by_eve: repository.object("commit", committed_by_eve.as_bytes()),
            with_pointer: repository.write_commit(dana, &upon, &[("big", &lfs_pointer(&"a".repeat(64), 1))], "Point\n"),
            large: repository.write_commit(dana, &upon, &[("big.bin", &"x".repeat((1 << 20) + 1))], "Add much\n"),
            child,
            tip,
        }
    }
}

impl Case {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.asked.insert(name, value.to_owned());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.asked.remove(name);
        self
    }

    fn given(mut self, given: &str, then: &str) -> Self {
        self.given = format!("{};{given}", self.given);
        self.then = format!("{};{then}", self.then);
        self
    }

    fn setting(self, column: &str, value: &str, usual: &str) -> Self {
        let set = |value: &str| format!("update application_settings set {column} = {value}");
        self.given(&set(value), &set(usual))
    }

    fn user(self, column: &str, value: &str, usual: &str) -> Self {
        let set = |value: &str| format!("update users set {column} = {value} where username = 'rubi'");
        self.given(&set(value), &set(usual))
    }

    fn project(self, column: &str, value: &str, usual: &str) -> Self {
        let set = |value: &str| format!("update projects set {column} = {value} where path = 'p'");
        self.given(&set(value), &set(usual))
    }

    fn level(self, level: i32) -> Self {
        let set = |level: i32| format!("update project_authorizations set access_level = {level}");
        self.given(&set(level), &set(30))
    }

    fn protecting(self, pattern: &str, push: i32, merge: i32) -> Self {
        let sql = format!(
            "with branch as (
               insert into protected_branches (project_id, name)
               select id, '{pattern}' from projects where path = 'p'
               returning id
             ), pushers as (
               insert into protected_branch_push_access_levels (protected_branch_id, access_level)
               select id, {push} from branch
             )
             insert into protected_branch_merge_access_levels (protected_branch_id, access_level)
             select id, {merge} from branch"
        );
        self.given(&sql, "delete from protected_branches")
    }

    /// A repository that may have ten bytes, and has so many.
    fn holding(self, bytes: i32) -> Self {
        let statistics = format!(
            "insert into project_statistics (project_id, namespace_id, repository_size)
             select id, namespace_id, {bytes} from projects where path = 'p'"
        );
        self.project("repository_size_limit", "10", "null").given(&statistics, "delete from project_statistics")
    }

    /// A maintainer who may even force pushes, in a group whose policy leaves its default branches to merge requests.
    fn under_policy(self) -> Self {
        let yaml = "approval_policy: [{name: x, enabled: true, rules: [{type: any_merge_request, branch_type: default}], \
                    approval_settings: {prevent_pushing_and_force_pushing: true}}]";
        let policy = format!(
            "update protected_branches set allow_force_push = true;
             insert into security_orchestration_policy_configurations (namespace_id, policy_yaml, policy_last_updated_at)
             select id, '{yaml}', now() from namespaces where path = 'g'"
        );
        self.level(40)
            .protecting("main", 40, 40)
            .given(&policy, "delete from security_orchestration_policy_configurations")
    }

    fn protecting_tags(self) -> Self {
        let sql = "with tag as (
                     insert into protected_tags (project_id, name)
                     select id, 'v*' from projects where path = 'p'
                     returning id
                   )
                   insert into protected_tag_create_access_levels (protected_tag_id, access_level)
                   select id, 40 from tag";
        self.given(sql, "delete from protected_tags")
    }
}

/// The number of a denial's row, and how it is provoked. A denial that is new needs a row here, and a line in [`every`].
fn row(world: &World, denial: &Denial) -> (usize, Case) {
    let Commits { tip, child, unrelated, by_eve, committed_by_eve, with_pointer, large } = &world.commits;
    let project = world.project.id;
    let deploy_key = world.deploy_key.to_string();
    let own_snippet = format!("snippet-{}", world.own_snippet);
    let hex = format!("refs/heads/{}", "a".repeat(40));
    let quoted = |text: &str| format!("'{text}'");
    let release = "refs/heads/release/1";
    match denial {
        Denial::MaintenanceMode => (0, world.pushes().setting("maintenance_mode", "true", "false")),
        Denial::OtpRequired(_) => (1, world.pulls().user("otp_required_for_login", "true", "false")),
        Denial::DesignsAreWebOnly => (2, world.pulls_from("design-1")),
        Denial::MayNotManageDesigns => (3, world.pulls_from("design-1").with("protocol", "web")),
        Denial::NoSuchSnippet => (4, world.pulls_from("snippet-999999")),
        Denial::ProtocolClosed(_) => (5, world.pulls().setting("enabled_git_access_protocol", "'http'", "null")),
        Denial::KeyTooShort(_) => {
            let case = world.pulls().with("key_id", &world.rsa_key.to_string());
            (6, case.setting("rsa_key_restriction", "4096", "0"))
        }
        Denial::KeyTypeForbidden(_) => {
            let case = world.pulls().with("key_id", &world.rsa_key.to_string());
            (7, case.setting("rsa_key_restriction", "-1", "0"))
        }
        Denial::KeyExpired => {
            let (given, then) = ("update keys set expires_at = '2020-01-01'", "update keys set expires_at = null");
            (8, world.pulls().given(given, then))
        }
        Denial::SnippetsNeedAUser => (9, world.pulls_from(&own_snippet).with("key_id", &deploy_key)),
        Denial::MayNotUseGit(account) => {
            let pulls = world.pulls();
            let case = match account {
                AccountDenial::Internal => pulls.user("user_type", "1", "0"),
                AccountDenial::PendingApproval => pulls.user("state", "'blocked_pending_approval'", "'active'"),
                AccountDenial::TermsNotAccepted(_) => pulls.setting("enforce_terms", "true", "false"),
                AccountDenial::Deactivated => pulls.user("state", "'deactivated'", "'active'"),
                AccountDenial::Unconfirmed => {
                    pulls.setting("email_confirmation_setting", "2", "0").user("confirmed_at", "null", "'2020-01-01'")
                }
                AccountDenial::Blocked => pulls.user("state", "'blocked'", "'active'"),
                AccountDenial::PasswordExpired => pulls.user("password_expires_at", "'2020-01-01'", "null"),
            };
            (10, case)
        }
        Denial::HttpDownloadClosed => (11, world.pulls().with("protocol", "http")),
        Denial::HttpPushClosed => (12, world.pushes().with("protocol", "http")),
        Denial::UnknownCommand => (13, world.asks("git-foo", "g/p.git")),
        Denial::ReadOnlyDatabase => (14, world.pushes()),
        Denial::CertificateOfAnotherNamespace => {
            let case = world.pulls().without("key_id").with("username", "rubi");
            (15, case.with("namespace_path", "other"))
        }
        Denial::NoSuchNamespace => (16, world.asks("git-receive-pack", "justname")),
        Denial::NoSuchProject => (17, world.asks("git-receive-pack", "g/absent.git")),
        Denial::NoSuchWiki => (18, world.pulls_from("wiki-999999")),
        Denial::NoRepository(holder) => {
            let name = match holder {
                RepositoryKind::Project => format!("project-{}", world.bare.id),
                RepositoryKind::Wiki => format!("wiki-{}", world.bare.id),
                RepositoryKind::Snippet => format!("snippet-{}", world.lost_snippet),
            };
            (19, world.pulls_from(&name))
        }
        Denial::MayNotDownload(holder) => {
            let case = match holder {
                RepositoryKind::Project => world.pulls().level(10),
                RepositoryKind::Wiki => world.pulls_from(&format!("wiki-{project}")).given(
                    "update project_features set wiki_access_level = 0",
                    "update project_features set wiki_access_level = 20",
                ),
                RepositoryKind::Snippet => world.pulls_from(&format!("snippet-{}", world.foreign_snippet)),
            };
            (20, case)
        }
        Denial::RepositoryReadOnly => (21, world.pushes().project("repository_read_only", "true", "false")),
        Denial::Archived => (22, world.pushes().project("archived", "true", "false")),
        Denial::DeployKeyMayNotPush => (23, world.pushes().with("key_id", &deploy_key)),
        Denial::NobodyMayNotPush => (24, world.pushes().with("key_id", "0").project("visibility_level", "20", "0")),
        Denial::MayNotPush => (25, world.pushes().level(20)),
        Denial::MayNotWriteWiki => (26, world.asks("git-receive-pack", "g/p.wiki.git").level(20)),
        Denial::MayNotUpdateSnippet => {
            (27, world.pushes().with("gl_repository", &format!("snippet-{}", world.foreign_snippet)))
        }
        Denial::DefaultBranchDeleted => (28, world.deletes("refs/heads/main")),
        Denial::BranchLikeObjectId => (29, world.creates(child, &hex)),
        Denial::InvalidBranchName => (30, world.creates(child, "refs/heads/a..b")),
        Denial::ForcePush => {
            (31, world.changes(tip, unrelated, "refs/heads/main").level(40).protecting("main", 40, 40))
        }
        Denial::NoDefaultBranch { .. } => {
            let case = world.creates(child, "refs/heads/main");
            (32, case.with("gl_repository", &format!("project-{}", world.empty.id)))
        }
        Denial::MayNotCreateProtectedBranch => (33, world.creates(child, release).protecting("release/*", 40, 40)),
        Denial::ProtectedBranchFromUnknownCommit => {
            (34, world.creates(unrelated, release).protecting("release/*", 0, 30))
        }
        Denial::CreateProtectedBranchOnWeb => {
            (35, world.creates(tip, release).protecting("release/*", 0, 30).protecting("main", 40, 40))
        }
        Denial::MayNotDeleteProtectedBranch => (36, world.deletes(release).protecting("release/*", 30, 30)),
        Denial::DeleteProtectedBranchOnWeb => (37, world.deletes(release).level(40).protecting("release/*", 40, 40)),
        Denial::MayNotPushToProtectedBranch => {
            (38, world.changes(tip, child, "refs/heads/main").protecting("main", 40, 40))
        }
        Denial::MayNotChangeTag => {
            let case = world.changes(tip, child, "refs/tags/v1").with("key_id", &deploy_key).level(10);
            let set = |value: bool| format!("update deploy_keys_projects set can_push = {value}");
            (39, case.given(&set(true), &set(false)))
        }
        Denial::TagNamedLikeDefaultBranch => (40, world.creates(child, "refs/tags/main")),
        Denial::TagNotUtf8 => (41, world.creates(child, "refs/tags/v\u{fffd}")),
        Denial::InvalidTagName => (42, world.creates(child, "refs/tags/a..b")),
        Denial::TagLikeObjectId => (43, world.creates(child, &hex.replace("heads", "tags"))),
        Denial::ProtectedTagUpdated => (44, world.changes(tip, child, "refs/tags/v1").level(40).protecting_tags()),
        Denial::MayNotDeleteProtectedTag => (45, world.deletes("refs/tags/v1").protecting_tags()),
        Denial::DeleteProtectedTagOnWeb => (46, world.deletes("refs/tags/v1").level(40).protecting_tags()),
        Denial::MayNotCreateProtectedTag => (47, world.creates(child, "refs/tags/v1").protecting_tags()),
        Denial::LfsObjectsMissing => {
            (48, world.creates(with_pointer, "refs/heads/topic").project("lfs_enabled", "true", "false"))
        }
        Denial::RepositoryFull => (49, world.creates(child, "refs/heads/topic").holding(11)),
        Denial::RepositoryWouldBeFull => (50, world.creates(child, "refs/heads/topic").holding(10)),
        Denial::BranchNameRule(pattern) => (51, world.ruled(child, "branch_name_regex", &quoted(pattern))),
        Denial::TagDeletionDenied => {
            let rule = world.ruled(child, "deny_delete_tag", "true");
            (52, Case { asked: world.deletes("refs/tags/v1").asked, ..rule })
        }
        Denial::CommitMessageRule(pattern) => (53, world.ruled(child, "commit_message_regex", &quoted(pattern))),
        Denial::CommitMessageNegativeRule(pattern) => {
            (54, world.ruled(child, "commit_message_negative_regex", &quoted(pattern)))
        }
        Denial::CommitterEmailRule { pattern, .. } => (55, world.ruled(child, "author_email_regex", &quoted(pattern))),
        Denial::AuthorEmailRule { pattern, .. } => {
            (56, world.ruled(child, "author_email_regex", &quoted(pattern)).with("protocol", "web"))
        }
        Denial::NotSignedOff => (57, world.ruled(child, "reject_non_dco_commits", "true")),
        Denial::NotSigned => (58, world.ruled(child, "reject_unsigned_commits", "true")),
        Denial::AuthorNotAMember(_) => (59, world.ruled(by_eve, "member_check", "true")),
        Denial::CommitterNotAMember(_) => (60, world.ruled(committed_by_eve, "member_check", "true")),
        Denial::FileNameRule { pattern, .. } => (61, world.ruled(child, "file_name_regex", &quoted(pattern))),
        Denial::FileTooLarge { mebibytes, .. } => (62, world.ruled(large, "max_file_size", &mebibytes.to_string())),
        Denial::InvalidRegex { pattern, .. } => (63, world.ruled(child, "commit_message_regex", &quoted(pattern))),
        Denial::SnippetBranch => (64, world.deletes("refs/heads/main").with("gl_repository", &own_snippet)),
        Denial::KeyNeverExpires => (65, world.pulls().setting("max_ssh_key_lifetime", "30", "null")),
        Denial::KeyLivesTooLong => {
            let given = "update keys set expires_at = now() + interval '100 days'";
            let case = world.pulls().setting("max_ssh_key_lifetime", "30", "null");
            (66, case.given(given, "update keys set expires_at = null"))
        }
        Denial::CommitterNotVerified(email) => {
            let given =
                format!("insert into emails (user_id, email) select id, '{email}' from users where username = 'rubi'");
            (67, world.ruled(committed_by_eve, "commit_committer_check", "true").given(&given, "delete from emails"))
        }
        Denial::CommitterIsAnother(_) => (68, world.ruled(committed_by_eve, "commit_committer_check", "true")),
        Denial::CommitterNameDiffers => (69, world.ruled(child, "commit_committer_name_check", "true")),
        Denial::MayNotMergeIntoProtectedBranch => {
            let merging = format!(
                "insert into merge_requests (
                   iid, target_project_id, target_branch, source_project_id, source_branch, state_id,
                   in_progress_merge_commit_sha
                 )
                 values (1, {project}, 'main', {project}, 'topic', 4, '{child}')"
            );
            let case = world.changes(tip, child, "refs/heads/main").protecting("main", 40, 40);
            (70, case.given(&merging, "delete from merge_requests"))
        }
        Denial::PolicyBlocksForcePush => (71, world.changes(tip, unrelated, "refs/heads/main").under_policy()),
        Denial::PolicyBlocksPush => (72, world.changes(tip, child, "refs/heads/main").under_policy()),
        Denial::Invisible(holder) => {
            let name = match holder {
                RepositoryKind::Project => format!("project-{project}"),
                RepositoryKind::Wiki => format!("wiki-{project}"),
                RepositoryKind::Snippet => format!("snippet-{}", world.project_snippet),
            };
            (73, world.pulls_from(&name).level(0))
        }
        Denial::FileLocked { path, .. } => {
            let lock = format!(
                "insert into lfs_file_locks (project_id, user_id, path)
                 select {project}, id, '{path}' from users where username = 'dana'"
            );
            let case = world.creates(child, "refs/heads/topic").project("lfs_enabled", "true", "false");
            (74, case.given(&lock, "delete from lfs_file_locks"))
        }
        // Tokens come over HTTP alone: `git_http::credentials` shows that nothing comes of them.
        Denial::DownloadNotInScope | Denial::PushNotInScope => unreachable!("no key or user has scopes"),
    }
}

/// Every denial, with what its sentence says in [`World`].
fn every() -> Vec<Denial> {
    let rsa_is_forbidden = vec![KeyKind::Ecdsa, KeyKind::Ed25519, KeyKind::EcdsaSk, KeyKind::Ed25519Sk];
    let pattern = |text: &str| text.to_owned();
    let email = |text: &str| text.to_owned();
    vec![
        Denial::MaintenanceMode,
        Denial::OtpRequired("git@localhost".to_owned()),
        Denial::DesignsAreWebOnly,
        Denial::MayNotManageDesigns,
        Denial::NoSuchSnippet,
        Denial::ProtocolClosed(AccessProtocol::Ssh),
        Denial::KeyTooShort(4096),
        Denial::KeyTypeForbidden(rsa_is_forbidden),
        Denial::KeyExpired,
        Denial::KeyNeverExpires,
        Denial::KeyLivesTooLong,
        Denial::SnippetsNeedAUser,
        Denial::MayNotUseGit(AccountDenial::Internal),
        Denial::MayNotUseGit(AccountDenial::PendingApproval),
        Denial::MayNotUseGit(AccountDenial::TermsNotAccepted("rubi".to_owned())),
        Denial::MayNotUseGit(AccountDenial::Deactivated),
        Denial::MayNotUseGit(AccountDenial::Unconfirmed),
        Denial::MayNotUseGit(AccountDenial::Blocked),
        Denial::MayNotUseGit(AccountDenial::PasswordExpired),
        Denial::HttpDownloadClosed,
        Denial::HttpPushClosed,
        Denial::UnknownCommand,
        Denial::ReadOnlyDatabase,
        Denial::CertificateOfAnotherNamespace,
        Denial::NoSuchNamespace,
        Denial::NoSuchProject,
        Denial::NoSuchWiki,
        Denial::NoRepository(RepositoryKind::Project),
        Denial::NoRepository(RepositoryKind::Wiki),
        Denial::NoRepository(RepositoryKind::Snippet),
        Denial::MayNotDownload(RepositoryKind::Project),
        Denial::MayNotDownload(RepositoryKind::Wiki),
        Denial::MayNotDownload(RepositoryKind::Snippet),
        Denial::RepositoryReadOnly,
        Denial::Archived,
        Denial::DeployKeyMayNotPush,
        Denial::NobodyMayNotPush,
        Denial::MayNotPush,
        Denial::MayNotWriteWiki,
        Denial::MayNotUpdateSnippet,
        Denial::DefaultBranchDeleted,
        Denial::BranchLikeObjectId,
        Denial::InvalidBranchName,
        Denial::ForcePush,
        Denial::NoDefaultBranch { branch: "main".to_owned(), project: "g/empty".to_owned() },
        Denial::MayNotCreateProtectedBranch,
        Denial::ProtectedBranchFromUnknownCommit,
        Denial::CreateProtectedBranchOnWeb,
        Denial::MayNotDeleteProtectedBranch,
        Denial::DeleteProtectedBranchOnWeb,
        Denial::MayNotPushToProtectedBranch,
        Denial::MayNotChangeTag,
        Denial::TagNamedLikeDefaultBranch,
        Denial::TagNotUtf8,
        Denial::InvalidTagName,
        Denial::TagLikeObjectId,
        Denial::ProtectedTagUpdated,
        Denial::MayNotDeleteProtectedTag,
        Denial::DeleteProtectedTagOnWeb,
        Denial::MayNotCreateProtectedTag,
        Denial::FileLocked { path: "new.txt".to_owned(), username: "dana".to_owned() },
        Denial::LfsObjectsMissing,
        Denial::RepositoryFull,
        Denial::RepositoryWouldBeFull,
        Denial::BranchNameRule(pattern("^[0-9]+$")),
        Denial::TagDeletionDenied,
        Denial::CommitMessageRule(pattern("^X")),
        Denial::CommitMessageNegativeRule(pattern("file")),
        Denial::CommitterEmailRule { email: email("dana@example.com"), pattern: pattern("@example.org$") },
        Denial::AuthorEmailRule { email: email("dana@example.com"), pattern: pattern("@example.org$") },
        Denial::NotSignedOff,
        Denial::NotSigned,
        Denial::AuthorNotAMember(email("eve@example.net")),
        Denial::CommitterNotAMember(email("eve@example.net")),
        Denial::CommitterNotVerified(email("eve@example.net")),
        Denial::CommitterIsAnother(email("eve@example.net")),
        Denial::CommitterNameDiffers,
        Denial::FileNameRule { path: "new.txt".to_owned(), pattern: pattern("[.]txt$") },
        Denial::FileTooLarge { path: "big.bin".to_owned(), mebibytes: 1 },
        Denial::InvalidRegex { pattern: pattern("(["), reason: "missing ]: [".to_owned() },
        Denial::SnippetBranch,
        Denial::MayNotMergeIntoProtectedBranch,
        Denial::PolicyBlocksForcePush,
        Denial::PolicyBlocksPush,
        Denial::Invisible(RepositoryKind::Project),
        Denial::Invisible(RepositoryKind::Wiki),
        Denial::Invisible(RepositoryKind::Snippet),
    ]
}

#[sqlx::test]
async fn refused_means_unchanged(pool: PgPool) {
    let world = World::begins(pool.clone()).await;
    let read_only = read_only(&pool).await;
    let declared =
        SETTINGS.replace("two_factor_for_git: true", "two_factor_for_git: true, database: {read_only: true}");
    let replica = TestApp::with(read_only.clone(), &format!("{}{declared}", world.gitaly.settings()));
    let mut rows = BTreeSet::new();
    for denial in every() {
        let (number, case) = row(&world, &denial);
        rows.insert(number);
        world.story.given.sql(&case.given).await;
        let before = everything(&pool, world.gitaly.storage()).await;
        let app = if denial == Denial::ReadOnlyDatabase { &replica } else { &world.story.app };
        let reply = app.post("/allowed", json!(case.asked)).await;
        let status = match denial.answer() {
            DenialAnswer::Forbidden => 401,
            DenialAnswer::NotFound => 404,
        };
        println!("{denial:?}");
        assert_refused(&reply, status, &denial.sentence("http://localhost"));
        assert_eq!(everything(&pool, world.gitaly.storage()).await, before, "{denial:?}");
        world.story.given.sql(&case.then).await;
    }
    // Its loaders hold connections, for which closing waits.
    drop(replica);
    read_only.close().await;
    let last = rows.last().copied().unwrap_or_default();
    assert!(rows.into_iter().eq(0..=last), "each row is walked");
}
