//! What a web hook posts: GitLab's `push`, `tag_push`, `repository_update` and `alert` events.
//!
//! Of what GitLab documents for these, a few fields are always null here: `user_avatar` and `avatar_url`, for users and
//! projects have no pictures; `ci_config_path`, for nobody runs pipelines. A path with a new name is one that was added
//! and one that was removed, for Gitaly does not look for renames when it is asked for paths; GitLab leaves the old one
//! out.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::pushed_repositories::{ChangedFiles, NewCommits, committed_at};
use crate::domain::push::{RefChange, RefType, is_zero};
use crate::gitaly::GitalyCommit;
use crate::store::alerts::AlertRow;
use crate::store::pushed_projects::{PushAuthor, PushedProject};

/// Where an installation is.
#[derive(Debug, Clone)]
pub struct InstallationUrls {
    /// Its URL.
    pub url: String,
    /// What SSH clone URLs start with.
    pub ssh_prefix: String,
}

/// Bytes that a body may have; GitLab sends none that is longer.
pub const LONGEST: usize = 25 << 20;

/// What is said of one change of a ref. Without knowledge of the repository it lists no commits.
#[derive(Debug)]
pub struct PushPayload<'a> {
    /// The project.
    pub project: &'a PushedProject,
    /// Who pushed.
    pub author: &'a PushAuthor,
    /// The change.
    pub change: &'a RefChange<'a>,
    /// Whether the ref is protected.
    pub protected: bool,
    /// What the change has brought.
    pub brought: Option<&'a NewCommits>,
    /// What each of the commits that it has brought changes.
    pub files: &'a [ChangedFiles],
    /// The options of the push.
    pub push_options: &'a Value,
}

/// The body for one change of a ref.
#[must_use]
pub fn push(urls: &InstallationUrls, push: &PushPayload<'_>) -> Value {
    let PushPayload { project, author, change, brought, .. } = push;
    let kind = match change.short_name() {
        Some((RefType::Tag, _)) => "tag_push",
        Some((RefType::Branch, _)) | None => "push",
    };
    let checkout = match brought.and_then(|brought| brought.checkout.as_deref()) {
        _ if is_zero(change.new) => None,
        Some(commit) => Some(commit),
        None => Some(change.new),
    };
    let url = format!("{}/{}", urls.url, project.path);
    let git_http_url = http_clone_url(urls, project);
    let git_ssh_url = format!("{}{}.git", urls.ssh_prefix, project.path);
    let none = ChangedFiles::default();
    let files = push.files.iter().chain(std::iter::repeat(&none));
    let commits = brought.iter().flat_map(|brought| &brought.commits).zip(files);
    let commits: Vec<Value> = commits.map(|(one, files)| commit(&url, one, files)).collect();
    json!({
        "object_kind": kind,
        "event_name": kind,
        "before": change.old,
        "after": change.new,
        "ref": change.name,
        "ref_protected": push.protected,
        "checkout_sha": checkout,
        "message": brought.and_then(|brought| brought.message.as_deref()),
        "user_id": author.id.0,
        "user_name": author.name,
        "user_username": author.username,
        "user_email": author.public_email,
        "user_avatar": Value::Null,
        "project_id": project.id.0,
        "project": project_of(urls, project),
        "commits": commits,
        "total_commits_count": brought.map_or(0, |brought| brought.total),
        "push_options": push.push_options,
        "repository": {
            "name": project.name,
            "url": git_ssh_url,
            "description": project.description,
            "homepage": url,
            "git_http_url": git_http_url,
            "git_ssh_url": git_ssh_url,
            "visibility_level": project.visibility_level,
        },
    })
}

/// The body for a push as a whole, which hooks of the instance hear of once.
#[must_use]
pub fn repository_update(
    urls: &InstallationUrls,
    project: &PushedProject,
    author: &PushAuthor,
    changes: &[RefChange<'_>],
) -> Value {
    let mut refs: Vec<&str> = changes.iter().map(|change| change.name).collect();
    refs.sort_unstable();
    refs.dedup();
    let changes = changes.iter().map(|change| json!({ "before": change.old, "after": change.new, "ref": change.name }));
    json!({
        "event_name": "repository_update",
        "user_id": author.id.0,
        "user_name": author.name,
        "user_email": author.email,
        "user_avatar": Value::Null,
        "project_id": project.id.0,
        "project": project_of(urls, project),
        "changes": changes.collect::<Vec<Value>>(),
        "refs": refs,
    })
}

/// The body for a new alert.
#[must_use]
pub fn alert(urls: &InstallationUrls, project: &PushedProject, alert: &AlertRow) -> Value {
    json!({
        "object_kind": "alert",
        "project": project_of(urls, project),
        "object_attributes": {
            "title": alert.title,
            "url": format!("{}/{}/-/alert_management/{}/details", urls.url, project.path, alert.iid),
            "severity": alert.severity,
            "events": alert.events,
            "status": alert.status,
            "started_at": alert.started_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        },
    })
}

fn project_of(urls: &InstallationUrls, project: &PushedProject) -> Value {
    let url = format!("{}/{}", urls.url, project.path);
    let git_ssh_url = format!("{}{}.git", urls.ssh_prefix, project.path);
    let git_http_url = http_clone_url(urls, project);
    json!({
        "id": project.id.0,
        "name": project.name,
        "description": project.description,
        "web_url": url,
        "avatar_url": Value::Null,
        "git_ssh_url": git_ssh_url,
        "git_http_url": git_http_url,
        "namespace": project.namespace,
        "visibility_level": project.visibility_level,
        "path_with_namespace": project.path,
        "default_branch": project.default_branch,
        "ci_config_path": Value::Null,
        "homepage": url,
        "url": git_ssh_url,
        "ssh_url": git_ssh_url,
        "http_url": git_http_url,
    })
}

fn http_clone_url(urls: &InstallationUrls, project: &PushedProject) -> String {
    format!("{}/{}.git", project.http_clone_root.as_ref().unwrap_or(&urls.url), project.path)
}

fn commit(project_url: &str, commit: &GitalyCommit, files: &ChangedFiles) -> Value {
    json!({
        "id": commit.id,
        "message": commit.message(),
        "title": title(commit.message()),
        "timestamp": committed_at(commit).to_rfc3339_opts(SecondsFormat::Secs, false),
        "url": format!("{project_url}/-/commit/{}", commit.id),
        "author": { "name": commit.author.name, "email": commit.author.email },
        "added": files.added,
        "modified": files.modified,
        "removed": files.removed,
    })
}

/// The first line of a message; of a long one its first words, 81 characters in all.
fn title(message: &str) -> String {
    const LONG: usize = 100;
    const CUT: usize = 80;
    if message.chars().all(char::is_whitespace) {
        return "--no commit message".to_owned();
    }
    let line = message.split(['\r', '\n']).next().unwrap_or_default();
    if line.chars().count() < LONG {
        return line.to_owned();
    }
    let start: String = line.chars().take(CUT + 1).collect();
    let cut = start.rfind(' ').map_or_else(|| start.chars().take(CUT).collect(), |space| start[..space].to_owned());
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_or_its_beginning() {
        for (message, expected) in [
            ("Begin\n\nand say why\n", "Begin".to_owned()),
            ("Begin\r\nmore", "Begin".to_owned()),
            (" \n", "--no commit message".to_owned()),
            ("", "--no commit message".to_owned()),
            (&"x".repeat(99), "x".repeat(99)),
            (&"x".repeat(100), "x".repeat(80) + "…"),
            (&"ab ".repeat(40), "ab ".repeat(26) + "ab…"),
            (&"é ".repeat(60), "é ".repeat(39) + "é…"),
        ] {
            assert_eq!(title(message), expected, "{message}");
        }
    }
}
