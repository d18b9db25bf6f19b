//! `/admin/groups`, `/admin/groups/{id}`, `/admin/groups/{id}/members`

use axum::extract::{Path, State};
use axum::response::Response;

use super::error::AdminError;
use super::page::{Cell, Field, Filter, Page, Table, Tone, badge, code, link, local, state as state_cell, text, yes};
use super::projects::share_table;
use super::{AdminState, hooks, id, level, list, push_rules, visibility};
use crate::domain::ids::NamespaceId;
use crate::http::auth::admin::{AdminCaller, AdminQuery};
use crate::store::admin::groups::{self, GroupDetail, GroupMember, GroupRow};
use crate::store::admin::hooks as hook_rows;
use crate::store::paging::{Page as RowPage, PagePlace, PageRequest};
use crate::store::push_rules::PushRuleOwner;
use crate::store::web_hooks::HookOwner;

/// Members that the page of a group shows.
const FIRST_MEMBERS: usize = 10;

/// The groups.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page = groups::list(&state.db, query.get("search"), &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/groups", &query, &page, GroupRow::key);
    let rows = page.rows.into_iter().map(|group| {
        [link(format!("/admin/groups/{}", group.id), group.path), text(group.name), visibility(group.visibility_level)]
    });
    let table =
        Table::new("Groups", &["Path", "Name", "Visibility"], "No group is called so.").rows(rows).paged(before, after);
    let field = Field::search("search", "Name, or full path with a slash", query.get("search")).hint("as it begins");
    Ok(Page::new("Groups").filter(Filter::new("/admin/groups", vec![field])).table(table).show(&caller))
}

/// A group.
pub async fn show(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(group): Path<String>,
) -> Result<Response, AdminError> {
    let number = id(&group, "group")?;
    let group = groups::find(&state.db, number).await?.ok_or(AdminError::NoSuch("group"))?;
    let first = PageRequest { place: PagePlace::Start, rows: FIRST_MEMBERS };
    let (db, today) = (&state.db, state.clock.now().date_naive());
    let (members, shares, hooks) = tokio::try_join!(
        groups::list_members(db, number, today, &first),
        groups::list_shares(db, number),
        hook_rows::list_of(db, HookOwner::Group(NamespaceId(number))),
    )?;
    let back = format!("/admin/groups/{number}");
    let more = members.has_after.then(|| format!("{back}/members"));
    let projects =
        form_urlencoded::Serializer::new(String::new()).append_pair("search", &format!("{}/", group.path)).finish();
    let page = Page::new(group.path.clone())
        .facts("", facts(&group))
        .links(&[
            (&format!("/admin/projects?{projects}"), "Projects"),
            (&format!("/admin/groups?{projects}"), "Groups within"),
            (&format!("/admin/audit?entity=Group-{number}"), "Audit events"),
            (&format!("/admin/provisioning/ledger?namespace={number}"), "Ledger"),
        ])
        .table(member_table(members, None, more))
        .table(share_table("Shared with", shares))
        .facts("Push rules", push_rules::facts(db, PushRuleOwner::Group(NamespaceId(number))).await?)
        .table(hooks::table("Web hooks", hooks, state.clock.now(), &back));
    Ok(page.show(&caller))
}

fn facts(group: &GroupDetail) -> Vec<(&'static str, Cell)> {
    let protocol = match group.git_protocol {
        1 => "SSH alone",
        2 => "HTTP alone",
        _ => "as the installation has it",
    };
    let mut facts = vec![
        ("Name", text(group.name.clone())),
        ("Visibility", visibility(group.visibility_level)),
        ("State", if group.archived { badge(Tone::Doubtful, "archived") } else { badge(Tone::Good, "active") }),
        ("Second factor needed", yes(group.two_factor)),
        ("Git by", text(protocol)),
        ("Used from", if group.ip_ranges.is_empty() { text("anywhere") } else { code(group.ip_ranges.clone()) }),
        ("Single sign-on", yes(group.saml)),
        ("Made", local(group.created_at)),
        ("Id", text(group.id.to_string())),
    ];
    if let Some(parent) = group.parent_id {
        facts.insert(1, ("Within", link(format!("/admin/groups/{parent}"), "the group around it")));
    }
    facts
}

/// The members of a group.
pub async fn members(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(group): Path<String>,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let number = id(&group, "group")?;
    let group = groups::find(&state.db, number).await?.ok_or(AdminError::NoSuch("group"))?;
    let today = state.clock.now().date_naive();
    let page = groups::list_members(&state.db, number, today, &list::request(&query)).await?;
    let to = format!("/admin/groups/{number}");
    let (before, after) = list::neighbours(&format!("{to}/members"), &query, &page, GroupMember::key);
    let title = format!("Members of {}", group.path);
    Ok(Page::new(title).links(&[(&to, &group.path)]).table(member_table(page, before, after)).show(&caller))
}

fn member_table(members: RowPage<GroupMember>, before: Option<String>, after: Option<String>) -> Table {
    let rows = members.rows.into_iter().map(|member| {
        [
            link(format!("/admin/users/{}", member.user_id), member.username),
            state_cell(&member.state),
            text(level(member.access_level)),
            text(member.sources),
        ]
    });
    let head = ["User", "State", "Level", "By memberships of"];
    let table = Table::new("Members", &head, "Nobody is a member, of it or of a group around it.");
    table.rows(rows).paged(before, after)
}
