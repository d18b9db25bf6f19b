//! SCIM as administrators see it: whose users providers manage, and which.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor, QueryBuilder};

use crate::domain::scim::ScimScope;
use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// A group with single sign-on, or the installation.
#[derive(Debug, Clone, FromRow)]
pub struct ScopeRow {
    /// The group; nothing for the installation.
    pub group_id: Option<i64>,
    /// Its path.
    pub path: String,
    /// Whether its provider is switched on.
    pub enabled: bool,
    /// When its token was made.
    pub token_made_at: Option<DateTime<Utc>>,
    /// When a provider changed an identity last.
    pub changed_at: Option<DateTime<Utc>>,
    /// When the provider called last.
    pub called_at: Option<DateTime<Utc>>,
    /// What it called: the method and the pattern of the route.
    pub called: Option<String>,
    /// The status that it was answered with.
    pub status: Option<i16>,
    /// Users that are provisioned; counted up to a thousand.
    pub identities: i64,
}

impl ScopeRow {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Number(self.group_id.unwrap_or_default())]
    }
}

/// A page of the groups that have single sign-on.
pub async fn list_groups(db: &Db, request: &PageRequest) -> Result<Page<ScopeRow>> {
    let select = QueryBuilder::new(
        "select scope.group_id, coalesce(routes.path, scope.group_id::text) as path, scope.enabled,
           (select updated_at from group_scim_auth_access_tokens as token where token.group_id = scope.group_id)
             as token_made_at,
           (
             select max(updated_at)
             from (
               select updated_at from group_scim_identities as newest where newest.group_id = scope.group_id limit 1000
             ) as newest
           ) as changed_at,
           (
             select count(*)
             from (select from group_scim_identities as known where known.group_id = scope.group_id limit 1000) as counted
           ) as identities,
           scim_calls.called_at, scim_calls.method || ' ' || scim_calls.route as called, scim_calls.status
         from (
           select group_id, bool_or(saml_providers.enabled) as enabled
           from saml_providers
           join namespaces on namespaces.id = saml_providers.group_id and namespaces.parent_id is null
           group by group_id
         ) as scope
         left join routes on routes.source_type = 'Namespace' and routes.source_id = scope.group_id
         left join scim_calls on scim_calls.group_id = scope.group_id
         where true",
    );
    paging::fetch(db, select, KeyOrder { columns: &["scope.group_id"], descending: false }, request).await
}

/// The installation.
pub async fn find_instance(db: impl PgExecutor<'_>) -> Result<ScopeRow> {
    let row = sqlx::query_as!(
        ScopeRow,
        r#"
        select
          null::bigint as group_id,
          'the installation' as "path!",
          true as "enabled!",
          (select max(updated_at) from scim_oauth_access_tokens where group_id is null) as token_made_at,
          (
            select max(updated_at)
            from (select updated_at from scim_identities where group_id is null limit 1000) as newest
          ) as changed_at,
          (select count(*) from (select from scim_identities where group_id is null limit 1000) as counted)
            as "identities!",
          scim_calls.called_at as "called_at?",
          scim_calls.method || ' ' || scim_calls.route as called,
          scim_calls.status as "status?"
        from (values (1)) as installation
        left join scim_calls on scim_calls.group_id is null
        "#
    );
    Ok(row.fetch_one(db).await?)
}

/// A user that a provider has taken on.
#[derive(Debug, Clone, FromRow)]
pub struct IdentityRow {
    /// The identity's id.
    pub id: i64,
    /// Who it is here.
    pub user_id: i64,
    /// Their username.
    pub username: String,
    /// What the provider calls them.
    pub extern_uid: String,
    /// Whether the provider has them active.
    pub active: bool,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
}

impl IdentityRow {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Number(self.id)]
    }
}

/// A page of the users that a scope's provider has taken on.
pub async fn list_identities(db: &Db, scope: ScimScope, request: &PageRequest) -> Result<Page<IdentityRow>> {
    let columns = "select identity.id, identity.user_id, coalesce(users.username, '') as username, identity.extern_uid,
         coalesce(identity.active, false) as active, identity.updated_at from ";
    let mut select = QueryBuilder::new(columns);
    match scope {
        ScimScope::Group(group) => {
            select.push("group_scim_identities as identity join users on users.id = identity.user_id");
            select.push(" where identity.group_id = ").push_bind(group.0);
        }
        ScimScope::Instance => {
            select.push("scim_identities as identity join users on users.id = identity.user_id");
            select.push(" where identity.group_id is null");
        }
    }
    paging::fetch(db, select, KeyOrder { columns: &["identity.id"], descending: false }, request).await
}

/// A group of the provider's that makes members of ours.
#[derive(Debug, Clone)]
pub struct GroupLinkRow {
    /// What the provider calls it.
    pub name: String,
    /// Our group.
    pub group_id: i64,
    /// Its path.
    pub path: String,
    /// The level that it gives.
    pub access_level: i16,
    /// Whether the provider has sent the group.
    pub known: bool,
    /// Its members, counted up to a thousand.
    pub members: i64,
}

/// The links of groups below a top-level group, or of all where none is given; the first two hundred.
pub async fn list_links(db: impl PgExecutor<'_>, root: Option<i64>) -> Result<Vec<GroupLinkRow>> {
    let rows = sqlx::query_as!(
        GroupLinkRow,
        r#"
        select
          saml_group_links.saml_group_name as name,
          saml_group_links.group_id,
          coalesce(routes.path, '') as "path!",
          saml_group_links.access_level,
          scim_group_uid is not null as "known!",
          (
            select count(*)
            from (
              select
              from scim_group_memberships
              where scim_group_memberships.scim_group_uid = saml_group_links.scim_group_uid
              limit 1000
            ) as counted
          ) as "members!"
        from saml_group_links
        join namespaces on namespaces.id = saml_group_links.group_id
        left join routes on routes.source_type = 'Namespace' and routes.source_id = saml_group_links.group_id
        where $1::bigint is null or namespaces.traversal_ids[1] = $1
        order by saml_group_links.id
        limit 200
        "#,
        root
    );
    Ok(rows.fetch_all(db).await?)
}
