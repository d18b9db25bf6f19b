//! Users as administrators see them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::{FromRow, PgExecutor, QueryBuilder};

use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// A user, in the list.
#[derive(Debug, Clone, FromRow)]
pub struct UserRow {
    /// Their id.
    pub id: i64,
    /// Their username.
    pub username: String,
    /// What people call them.
    pub name: String,
    /// Their address.
    pub email: String,
    /// `active`, `blocked` and so on.
    pub state: String,
    /// Administrators.
    pub admin: bool,
    /// Humans, bots and others.
    pub user_type: i16,
    /// The day on which they were last seen.
    pub last_activity_on: Option<NaiveDate>,
    /// What the list is sorted by.
    pub sort_key: String,
}

impl UserRow {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Text(self.sort_key.clone()), KeyValue::Number(self.id)]
    }
}

/// Which users are wanted.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// The beginning of a username, or with an `@` of an address.
    pub search: String,
    /// Only those in this state.
    pub state: Option<String>,
    /// Only administrators.
    pub admins: bool,
}

const BY_USERNAME: KeyOrder = KeyOrder { columns: &[r#"lower(username) collate "C""#, "id"], descending: false };
const BY_EMAIL: KeyOrder = KeyOrder { columns: &[r#"lower(email) collate "C""#, "id"], descending: false };

/// A page of the users.
pub async fn list(db: &Db, filter: &UserFilter, request: &PageRequest) -> Result<Page<UserRow>> {
    let order = if filter.search.contains('@') { BY_EMAIL } else { BY_USERNAME };
    let mut select = QueryBuilder::new(
        "select id, coalesce(username, '') as username, coalesce(name, '') as name, email, state, admin, user_type,
           last_activity_on, ",
    );
    select.push(order.columns[0]).push(" as sort_key from users where username is not null");
    if !filter.search.is_empty() {
        paging::push_prefix(&mut select, order.columns[0], &filter.search);
    }
    if let Some(state) = &filter.state {
        select.push(" and state = ").push_bind(state.clone());
    }
    if filter.admins {
        select.push(" and admin");
    }
    paging::fetch(db, select, order, request).await
}

/// A user, in detail.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct UserDetail {
    /// Their id.
    pub id: i64,
    /// Their username.
    pub username: String,
    /// What people call them.
    pub name: String,
    /// Their address.
    pub email: String,
    /// `active`, `blocked` and so on.
    pub state: String,
    /// Humans, bots and others.
    pub user_type: i16,
    /// Administrators.
    pub admin: bool,
    /// Auditors.
    pub auditor: bool,
    /// External users.
    pub external: bool,
    /// Whether a one-time password is set up.
    pub otp: bool,
    /// How many security keys are.
    pub security_keys: i64,
    /// The path of the group that manages the account.
    pub enterprise_group: Option<String>,
    /// When the address was confirmed.
    pub confirmed_at: Option<NaiveDateTime>,
    /// When wrong passwords locked the account.
    pub locked_at: Option<NaiveDateTime>,
    /// The day on which they were last seen.
    pub last_activity_on: Option<NaiveDate>,
    /// When the account was made.
    pub created_at: Option<NaiveDateTime>,
}

/// The user with that id.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Option<UserDetail>> {
    let row = sqlx::query_as!(
        UserDetail,
        r#"
        select
          users.id,
          coalesce(username, '') as "username!",
          coalesce(name, '') as "name!",
          email,
          state,
          user_type,
          admin,
          auditor,
          coalesce(external, false) as "external!",
          otp_required_for_login as otp,
          (select count(*) from webauthn_registrations where user_id = users.id) as "security_keys!",
          (
            select routes.path
            from user_details
            join routes on routes.source_type = 'Namespace' and routes.source_id = user_details.enterprise_group_id
            where user_details.user_id = users.id
          ) as enterprise_group,
          confirmed_at,
          locked_at,
          last_activity_on,
          created_at
        from users
        where users.id = $1
        "#,
        id
    );
    Ok(row.fetch_optional(db).await?)
}

/// A key of a user.
#[derive(Debug, Clone)]
pub struct KeyDetail {
    /// Its id.
    pub id: i64,
    /// What its owner calls it.
    pub title: String,
    /// Its SHA-256, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// When it was last used.
    pub last_used_at: Option<NaiveDateTime>,
    /// Its end.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The keys of a user, deploy keys left out; the first hundred.
pub async fn list_keys(db: impl PgExecutor<'_>, user: i64) -> Result<Vec<KeyDetail>> {
    let rows = sqlx::query_as!(
        KeyDetail,
        r#"
        select
          id,
          coalesce(title, '') as "title!",
          coalesce('SHA256:' || rtrim(encode(fingerprint_sha256, 'base64'), '='), '') as "fingerprint!",
          last_used_at,
          expires_at
        from keys
        where user_id = $1
          and type is distinct from 'DeployKey'
        order by id
        limit 100
        "#,
        user
    );
    Ok(rows.fetch_all(db).await?)
}

/// A personal access token of a user.
#[derive(Debug, Clone)]
pub struct TokenDetail {
    /// Its id.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// What it may do, as a YAML list.
    pub scopes: String,
    /// When it was last used, as far as was noted.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The day from which on it is dead.
    pub expires_at: Option<NaiveDate>,
    /// It was taken back.
    pub revoked: bool,
}

/// The tokens of a user, those that are good first; the first hundred.
pub async fn list_tokens(db: impl PgExecutor<'_>, user: i64) -> Result<Vec<TokenDetail>> {
    let rows = sqlx::query_as!(
        TokenDetail,
        r#"
        select id, name, scopes, last_used_at, expires_at, coalesce(revoked, false) as "revoked!"
        from personal_access_tokens
        where user_id = $1
        order by coalesce(revoked, false), id desc
        limit 100
        "#,
        user
    );
    Ok(rows.fetch_all(db).await?)
}

/// A membership of a user.
#[derive(Debug, Clone)]
pub struct MembershipDetail {
    /// `Namespace` or `Project`
    pub source_type: String,
    /// Its id.
    pub source_id: i64,
    /// Its path.
    pub path: String,
    /// How much they may do there.
    pub access_level: i32,
    /// The custom role, where one is given.
    pub role: Option<String>,
    /// The day from which on it is over.
    pub expires_at: Option<NaiveDate>,
    /// Whether it counts today.
    pub active: bool,
}

/// The memberships of a user, by their paths; the first two hundred.
pub async fn list_memberships(db: impl PgExecutor<'_>, user: i64, today: NaiveDate) -> Result<Vec<MembershipDetail>> {
    let rows = sqlx::query_as!(
        MembershipDetail,
        r#"
        select
          members.source_type,
          members.source_id,
          coalesce(routes.path, '') as "path!",
          members.access_level,
          member_roles.name as "role?",
          members.expires_at,
          gatehouse_is_active_member(members, $2) as "active!"
        from members
        left join routes on routes.source_type = members.source_type and routes.source_id = members.source_id
        left join member_roles on member_roles.id = members.member_role_id
        where members.user_id = $1
        order by routes.path, members.id
        limit 200
        "#,
        user,
        today
    );
    Ok(rows.fetch_all(db).await?)
}

/// Who a user is at another provider.
#[derive(Debug, Clone)]
pub struct IdentityDetail {
    /// The provider, or the group whose SCIM it is.
    pub provider: String,
    /// What it calls them.
    pub extern_uid: String,
}

/// Who a user is elsewhere: single sign-on, and SCIM.
pub async fn list_identities(db: impl PgExecutor<'_>, user: i64) -> Result<Vec<IdentityDetail>> {
    let rows = sqlx::query_as!(
        IdentityDetail,
        r#"
        select coalesce(provider, '') as "provider!", coalesce(extern_uid, '') as "extern_uid!"
        from identities
        where user_id = $1
        union all
        select 'SCIM of ' || coalesce(routes.path, group_id::text), extern_uid
        from group_scim_identities
        left join routes on routes.source_type = 'Namespace' and routes.source_id = group_id
        where user_id = $1
        union all
        select 'SCIM of the installation', extern_uid
        from scim_identities
        where user_id = $1
          and group_id is null
        limit 100
        "#,
        user
    );
    Ok(rows.fetch_all(db).await?)
}
