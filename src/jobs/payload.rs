//! What a web hook posts: GitLab's `push`, `tag_push` and `alert` events.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::JobSettings;
use super::repositories::{Brought, Commit};
use crate::domain::push::{RefChange, RefType, is_zero};
use crate::store::alerts::AlertRow;
use crate::store::pushed_projects::{Author, PushedProject};

/// The body for one change of a ref. Without knowledge of the repository it lists no commits.
#[must_use]
pub fn push(
    settings: &JobSettings,
    project: &PushedProject,
    author: &Author,
    change: &RefChange<'_>,
    brought: Option<&Brought>,
    push_options: &Value,
) -> Value {
    let kind = match change.short_name() {
        Some((RefType::Tag, _)) => "tag_push",
        Some((RefType::Branch, _)) | None => "push",
    };
    let checkout = match brought.and_then(|brought| brought.checkout.as_deref()) {
        _ if is_zero(change.new) => None,
        Some(commit) => Some(commit),
        None => Some(change.new),
    };
    let url = format!("{}/{}", settings.url, project.path);
    let git_http_url = http_clone_url(settings, project);
    let git_ssh_url = format!("{}{}.git", settings.ssh_prefix, project.path);
    let commits: Vec<Value> =
        brought.into_iter().flat_map(|brought| &brought.commits).map(|one| commit(&url, one)).collect();
    json!({
        "object_kind": kind,
        "event_name": kind,
        "before": change.old,
        "after": change.new,
        "ref": change.name,
        "checkout_sha": checkout,
        "message": null,
        "user_id": author.id.0,
        "user_name": author.name,
        "user_username": author.username,
        "user_email": author.public_email,
        "user_avatar": Value::Null,
        "project_id": project.id.0,
        "project": project_of(settings, project),
        "commits": commits,
        "total_commits_count": brought.map_or(0, |brought| brought.total),
        "push_options": push_options,
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

/// The body for a new alert.
#[must_use]
pub fn alert(settings: &JobSettings, project: &PushedProject, alert: &AlertRow) -> Value {
    json!({
        "object_kind": "alert",
        "project": project_of(settings, project),
        "object_attributes": {
            "title": alert.title,
            "url": format!("{}/{}/-/alert_management/{}/details", settings.url, project.path, alert.iid),
            "severity": alert.severity,
            "events": alert.events,
            "status": alert.status,
            "started_at": alert.started_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        },
    })
}

fn project_of(settings: &JobSettings, project: &PushedProject) -> Value {
    let url = format!("{}/{}", settings.url, project.path);
    let git_ssh_url = format!("{}{}.git", settings.ssh_prefix, project.path);
    let git_http_url = http_clone_url(settings, project);
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

fn http_clone_url(settings: &JobSettings, project: &PushedProject) -> String {
    format!("{}/{}.git", project.http_clone_root.as_ref().unwrap_or(&settings.url), project.path)
}

fn commit(project_url: &str, commit: &Commit) -> Value {
    json!({
        "id": commit.id,
        "message": commit.message,
        "title": commit.title(),
        "timestamp": commit.timestamp.to_rfc3339_opts(SecondsFormat::Secs, false),
        "url": format!("{project_url}/-/commit/{}", commit.id),
        "author": { "name": commit.author_name, "email": commit.author_email },
        "added": [],
        "modified": [],
        "removed": [],
    })
}
