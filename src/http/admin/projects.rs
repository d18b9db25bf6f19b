//! `/admin/projects`, `/admin/projects/{id}`, `/admin/projects/{id}/members`

use axum::extract::{Path, State};
use axum::response::Response;

use super::acts;
use super::error::AdminError;
use super::page::{
    Cell, Field, Filter, Page, Table, Tone, act, badge, code, day, link, local, state as state_cell, text, time, yes,
};
use super::{AdminState, bytes, hooks, id, level, list, push_rules, visibility};
use crate::domain::ids::ProjectId;
use crate::http::auth::admin::{AdminCaller, AdminQuery};
use crate::store::admin::hooks as hook_rows;
use crate::store::admin::projects::{self, ProjectDetail, ProjectMember, ProjectRow, ShareDetail};
use crate::store::paging::{Page as RowPage, PagePlace, PageRequest};
use crate::store::push_rules::PushRuleOwner;
use crate::store::web_hooks::HookOwner;

/// Members that the page of a project shows.
const FIRST_MEMBERS: usize = 10;

/// The projects.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page = projects::list(&state.db, query.get("search"), &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/projects", &query, &page, ProjectRow::key);
    let rows = page.rows.into_iter().map(|project| {
        [
            link(format!("/admin/projects/{}", project.id), project.path),
            visibility(project.visibility_level),
            if project.archived { badge(Tone::Doubtful, "archived") } else { badge(Tone::Good, "active") },
            text(project.storage),
            text(bytes(project.repository_size)),
        ]
    });
    let head = ["Path", "Visibility", "State", "Storage", "Repository"];
    let table = Table::new("Projects", &head, "No project is called so.").rows(rows).paged(before, after);
    let field = Field::search("search", "Name, or full path with a slash", query.get("search")).hint("as it begins");
    Ok(Page::new("Projects").filter(Filter::new("/admin/projects", vec![field])).table(table).show(&caller))
}

/// A project.
pub async fn show(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Response, AdminError> {
    let number = id(&project, "project")?;
    let project = projects::find(&state.db, number).await?.ok_or(AdminError::NoSuch("project"))?;
    let today = state.clock.now().date_naive();
    let first = PageRequest { place: PagePlace::Start, rows: FIRST_MEMBERS };
    let db = &state.db;
    let (members, shares, branches, tags, keys, locks, hooks) = tokio::try_join!(
        projects::list_members(db, number, today, &first),
        projects::list_shares(db, number),
        projects::list_protected_branches(db, number),
        projects::list_protected_tags(db, number),
        projects::list_deploy_keys(db, number),
        projects::list_file_locks(db, number),
        hook_rows::list_of(db, HookOwner::Project(ProjectId(number))),
    )?;
    let back = format!("/admin/projects/{number}");
    let more = members.has_after.then(|| format!("{back}/members"));
    let branches = branches
        .into_iter()
        .map(|branch| [code(branch.name), text(branch.push), text(branch.merge), yes(branch.force_push)]);
    let tags = tags.into_iter().map(|tag| [code(tag.name), text(tag.push)]);
    let mut key_table =
        Table::new("Deploy keys", &["Key", "Fingerprint", "Pushes", "Last used", "Ends"], "It has none.").with_acts();
    for key in keys {
        key_table.row([
            text(key.title.clone()),
            code(key.fingerprint),
            yes(key.can_push),
            local(key.last_used_at),
            key.expires_at.map_or_else(|| text("never"), |end| time(Some(end))),
            act(acts::key_form(key.id, &key.title, true, &back)),
        ]);
    }
    let locks = locks.into_iter().map(|lock| {
        [code(lock.path), link(format!("/admin/users/{}", lock.user_id), lock.username), local(Some(lock.locked_at))]
    });
    let lock_table = Table::new("Locked files", &["Path", "By", "Since"], "No file of LFS is locked.").rows(locks);
    let page = Page::new(project.path.clone())
        .facts("", facts(&project))
        .links(&[
            (&format!("/admin/audit?entity=Project-{number}"), "Audit events"),
            (&format!("{back}/members"), "All members"),
        ])
        .table(member_table(members, None, more))
        .table(share_table("Shared with", shares))
        .table(Table::new("Protected branches", &["Branch", "Push", "Merge", "Force push"], "None are.").rows(branches))
        .table(Table::new("Protected tags", &["Tag", "Create"], "None are.").rows(tags))
        .facts("Push rules", push_rules::facts(db, PushRuleOwner::Project(ProjectId(number))).await?)
        .table(key_table)
        .table(lock_table)
        .table(hooks::table("Web hooks", hooks, state.clock.now(), &back));
    Ok(page.show(&caller))
}

fn facts(project: &ProjectDetail) -> Vec<(&'static str, Cell)> {
    let state = match project {
        ProjectDetail { pending_delete: true, .. } => badge(Tone::Bad, "being removed"),
        ProjectDetail { archived: true, .. } => badge(Tone::Doubtful, "archived"),
        ProjectDetail { read_only: true, .. } => badge(Tone::Doubtful, "takes no writes"),
        ProjectDetail { missing: true, .. } => badge(Tone::Doubtful, "repository still to be made"),
        _ => badge(Tone::Good, "active"),
    };
    let around = if project.in_group {
        link(format!("/admin/groups/{}", project.namespace_id), project.namespace_path.clone())
    } else {
        text(project.namespace_path.clone())
    };
    vec![
        ("Name", text(project.name.clone())),
        ("Within", around),
        ("Visibility", visibility(project.visibility_level)),
        ("State", state),
        ("Storage", text(project.storage.clone())),
        ("Path of the repository", code(project.disk_path.clone().unwrap_or_default())),
        ("Default branch", code(project.default_branch.clone().unwrap_or_default())),
        ("Size of the repository", text(bytes(project.repository_size))),
        ("Size of LFS objects", text(bytes(project.lfs_size))),
        ("LFS objects", text(project.lfs_objects.to_string())),
        (
            "Limit of its size",
            project.size_limit.map_or_else(|| text("none of its own"), |limit| text(bytes(Some(limit)))),
        ),
        ("Made by", text(project.creator.clone().unwrap_or_default())),
        ("Made", local(project.created_at)),
        ("Last written", local(project.pushed_at)),
        ("Id", text(project.id.to_string())),
    ]
}

/// The members of a project.
pub async fn members(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let number = id(&project, "project")?;
    let project = projects::find(&state.db, number).await?.ok_or(AdminError::NoSuch("project"))?;
    let today = state.clock.now().date_naive();
    let page = projects::list_members(&state.db, number, today, &list::request(&query)).await?;
    let (before, after) =
        list::neighbours(&format!("/admin/projects/{number}/members"), &query, &page, ProjectMember::key);
    let title = format!("Members of {}", project.path);
    let to = format!("/admin/projects/{number}");
    Ok(Page::new(title).links(&[(&to, &project.path)]).table(member_table(page, before, after)).show(&caller))
}

fn member_table(members: RowPage<ProjectMember>, before: Option<String>, after: Option<String>) -> Table {
    let rows = members.rows.into_iter().map(|member| {
        let from = match member.own_level {
            Some(own) if own >= member.access_level => "a membership of the project",
            Some(_) => "a group or a share, which gives more than the membership of the project",
            None => "a group or a share",
        };
        [
            link(format!("/admin/users/{}", member.user_id), member.username),
            state_cell(&member.state),
            text(level(member.access_level)),
            text(from),
        ]
    });
    let head = ["User", "State", "Effective level", "By"];
    Table::new("Members", &head, "Nobody is a member, of it or of a group around it.").rows(rows).paged(before, after)
}

/// Groups that something is shared with.
pub fn share_table(heading: &str, shares: Vec<ShareDetail>) -> Table {
    let rows = shares.into_iter().map(|share| {
        [
            link(format!("/admin/groups/{}", share.group_id), share.path),
            text(level(share.access_level)),
            share.expires_at.map_or_else(|| text("never"), |end| day(Some(end))),
        ]
    });
    Table::new(heading, &["Group", "Level at most", "Ends"], "No group.").rows(rows)
}
