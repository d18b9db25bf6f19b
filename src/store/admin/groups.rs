//! Groups as administrators see them.

use chrono::{NaiveDate, NaiveDateTime};
use sqlx::{FromRow, PgExecutor, QueryBuilder};

use super::projects::{BY_PATH, ShareDetail};
use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// A group, in the list.
#[derive(Debug, Clone, FromRow)]
pub struct GroupRow {
    /// Its id.
    pub id: i64,
    /// Its full path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// The number of its visibility.
    pub visibility_level: i32,
    /// What the list is sorted by.
    pub sort_key: String,
    /// What makes that unique.
    pub sort_id: i64,
}

impl GroupRow {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Text(self.sort_key.clone()), KeyValue::Number(self.sort_id)]
    }
}

const BY_NAME: KeyOrder =
    KeyOrder { columns: &[r#"lower(namespaces.path) collate "C""#, "namespaces.id"], descending: false };

/// A page of the groups whose path begins so: with a slash the full path, or else its last part.
pub async fn list(db: &Db, search: &str, request: &PageRequest) -> Result<Page<GroupRow>> {
    let order = if search.contains('/') { BY_PATH } else { BY_NAME };
    let (key, id) = (order.columns[0], order.columns[1]);
    let mut select = QueryBuilder::new(format!(
        "select namespaces.id, routes.path, namespaces.name, visibility_level, {key} as sort_key, {id} as sort_id
         from routes
         join namespaces on namespaces.id = routes.source_id and namespaces.type = 'Group'
         where routes.source_type = 'Namespace'"
    ));
    if !search.is_empty() {
        paging::push_prefix(&mut select, key, search);
    }
    paging::fetch(db, select, order, request).await
}

/// A group, in detail.
#[derive(Debug, Clone)]
pub struct GroupDetail {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its full path.
    pub path: String,
    /// The group around it.
    pub parent_id: Option<i64>,
    /// The number of its visibility.
    pub visibility_level: i32,
    /// Whether its members need a second factor.
    pub two_factor: bool,
    /// Whether it is archived.
    pub archived: bool,
    /// The protocol that git may use there alone, as a number.
    pub git_protocol: i16,
    /// The addresses from which it may be used.
    pub ip_ranges: String,
    /// Whether it has single sign-on.
    pub saml: bool,
    /// When it was made.
    pub created_at: Option<NaiveDateTime>,
}

/// The group with that id.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Option<GroupDetail>> {
    let row = sqlx::query_as!(
        GroupDetail,
        r#"
        select
          namespaces.id,
          namespaces.name,
          coalesce(routes.path, '') as "path!",
          namespaces.parent_id,
          namespaces.visibility_level,
          namespaces.require_two_factor_authentication as two_factor,
          coalesce(namespace_settings.archived, false) as "archived!",
          coalesce(namespace_settings.enabled_git_access_protocol, 0::smallint) as "git_protocol!",
          coalesce((select string_agg(range, ', ' order by range) from ip_restrictions where group_id = namespaces.id), '')
            as "ip_ranges!",
          exists (select from saml_providers where group_id = namespaces.id and enabled) as "saml!",
          namespaces.created_at
        from namespaces
        left join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        left join namespace_settings on namespace_settings.namespace_id = namespaces.id
        where namespaces.id = $1
          and namespaces.type = 'Group'
        "#,
        id
    );
    Ok(row.fetch_optional(db).await?)
}

/// A member of a group, or of one around it.
#[derive(Debug, Clone, FromRow)]
pub struct GroupMember {
    /// Who.
    pub user_id: i64,
    /// Their username.
    pub username: String,
    /// The state of their account.
    pub state: String,
    /// The highest level that memberships give.
    pub access_level: i32,
    /// The groups that give it: paths and levels.
    pub sources: String,
}

impl GroupMember {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Number(self.user_id)]
    }
}

/// A page of those who are members of a group or of one around it today, with where from.
pub async fn list_members(db: &Db, group: i64, today: NaiveDate, request: &PageRequest) -> Result<Page<GroupMember>> {
    let mut select = QueryBuilder::new(
        "select user_id, username, state, access_level, sources
         from (
           select members.user_id, coalesce(users.username, '') as username, users.state,
             max(members.access_level) as access_level,
             string_agg(routes.path || ' (' || members.access_level || ')', ', ' order by routes.path) as sources
           from namespaces
           join members on members.source_type = 'Namespace' and members.source_id = any (namespaces.traversal_ids)
           join users on users.id = members.user_id
           join routes on routes.source_type = 'Namespace' and routes.source_id = members.source_id
           where gatehouse_is_active_member(members, $1) and $1 = ",
    );
    select.push_bind(today).push(" and namespaces.id = ").push_bind(group);
    select.push(" group by members.user_id, users.username, users.state) as effective where true");
    paging::fetch(db, select, KeyOrder { columns: &["user_id"], descending: false }, request).await
}

/// The groups that a group is shared with: their members have its level here, at most.
pub async fn list_shares(db: impl PgExecutor<'_>, group: i64) -> Result<Vec<ShareDetail>> {
    let rows = sqlx::query_as!(
        ShareDetail,
        r#"
        select
          shared_with_group_id as group_id,
          coalesce(routes.path, '') as "path!",
          group_access::integer as "access_level!",
          expires_at
        from group_group_links
        left join routes on routes.source_type = 'Namespace' and routes.source_id = shared_with_group_id
        where shared_group_id = $1
        order by group_group_links.id
        limit 200
        "#,
        group
    );
    Ok(rows.fetch_all(db).await?)
}
