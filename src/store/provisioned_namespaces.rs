//! Namespaces as those who provision them name them: groups and personal namespaces, never project namespaces.

use std::collections::BTreeSet;

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, UserId};

/// A namespace that can be provisioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionedNamespace {
    /// Its id.
    pub id: NamespaceId,
    /// The name that people see.
    pub name: String,
    /// The id of its root, its own where it is one.
    pub root: NamespaceId,
    /// Whose personal namespace it is; nothing for a group.
    pub owner: Option<UserId>,
}

impl ProvisionedNamespace {
    /// Whether nothing is above it.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.id == self.root
    }

    /// Whether it is a user's own.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        self.owner.is_some()
    }
}

/// The namespace of that id, or else of that full path. All that looks like a number is an id (provisioning.md 1.6).
pub async fn find(db: impl PgExecutor<'_>, named: &str) -> Result<Option<ProvisionedNamespace>> {
    let digits = named.strip_prefix('-').unwrap_or(named);
    let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match named.parse::<i64>() {
        Ok(id) if is_id => find_by_id(db, NamespaceId(id)).await,
        _ if is_id => Ok(None),
        _ => find_by_path(db, named).await,
    }
}

/// The namespace of that id.
pub async fn find_by_id(db: impl PgExecutor<'_>, id: NamespaceId) -> Result<Option<ProvisionedNamespace>> {
    let row = sqlx::query_as!(
        NamespaceRow,
        r#"
        select id, name, coalesce(traversal_ids[1], id) as "root!", type as kind, owner_id
        from namespaces
        where id = $1
          and type in ('Group', 'User')
        "#,
        id.0
    );
    Ok(row.fetch_optional(db).await?.map(NamespaceRow::namespace))
}

/// The namespace of that full path, whatever its case: an exact match goes first.
pub async fn find_by_path(db: impl PgExecutor<'_>, path: &str) -> Result<Option<ProvisionedNamespace>> {
    // No text in the database has one.
    if path.contains('\0') {
        return Ok(None);
    }
    let row = sqlx::query_as!(
        NamespaceRow,
        r#"
        select
          namespaces.id,
          namespaces.name,
          coalesce(namespaces.traversal_ids[1], namespaces.id) as "root!",
          namespaces.type as kind,
          namespaces.owner_id
        from routes
        join namespaces on namespaces.id = routes.namespace_id
        where lower(routes.path) = lower($1)
          and namespaces.type in ('Group', 'User')
        order by routes.path <> $1
        limit 1
        "#,
        path
    );
    Ok(row.fetch_optional(db).await?.map(NamespaceRow::namespace))
}

#[derive(Debug)]
struct NamespaceRow {
    id: i64,
    name: String,
    root: i64,
    kind: String,
    owner_id: Option<i64>,
}

impl NamespaceRow {
    fn namespace(self) -> ProvisionedNamespace {
        // A personal namespace whose owner is gone is still nobody's group.
        let owner = (self.kind == "User").then(|| UserId(self.owner_id.unwrap_or_default()));
        ProvisionedNamespace { id: NamespaceId(self.id), name: self.name, root: NamespaceId(self.root), owner }
    }
}

/// Keeps the namespace from being removed until the transaction ends; false where it is gone already.
pub async fn lock_for_key_share(db: impl PgExecutor<'_>, id: NamespaceId) -> Result<bool> {
    let held = sqlx::query_scalar!("select id from namespaces where id = $1 for key share", id.0);
    Ok(held.fetch_optional(db).await?.is_some())
}

/// Which of these namespaces exist, of any kind. Nobody else locks them so, or removes them, until
/// the transaction ends; whoever else does waits in the same order.
pub async fn lock_all(
    db: impl PgExecutor<'_>,
    ids: impl IntoIterator<Item = NamespaceId>,
) -> Result<BTreeSet<NamespaceId>> {
    let ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
    let rows = sqlx::query_scalar!("select id from namespaces where id = any ($1) order by id for no key update", &ids);
    Ok(rows.fetch_all(db).await?.into_iter().map(NamespaceId).collect())
}

/// What a user is to a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceStanding {
    /// They do not know that it exists.
    Hidden,
    /// They see it, and that is all.
    Visible,
    /// They own it.
    Owner,
}

/// What the user is to the namespace today.
pub async fn find_standing(
    db: impl PgExecutor<'_>,
    namespace: NamespaceId,
    user: UserId,
    today: chrono::NaiveDate,
) -> Result<NamespaceStanding> {
    let row = sqlx::query!(
        r#"
        with
        groups as (
          -- The namespace and all above it: a level in any of them holds here.
          select unnest(traversal_ids) as id
          from namespaces
          where id = $1
        ),
        -- From the user's side, who has few memberships where a group may have very many.
        memberships as (
          select members.source_id, members.access_level
          from members
          where members.user_id = $2
            and members.source_type = 'Namespace'
            and gatehouse_is_active_member(members, $3)
        ),
        levels as (
          select memberships.access_level
          from memberships
          join groups on groups.id = memberships.source_id
          union all
          select least(memberships.access_level, group_group_links.group_access)
          from memberships
          -- Only direct members of the invited group come through a share (schema.md 1.5).
          join group_group_links on group_group_links.shared_with_group_id = memberships.source_id
          join groups on groups.id = group_group_links.shared_group_id
          where group_group_links.expires_at is null or group_group_links.expires_at > $3
        )
        select
          namespaces.visibility_level,
          -- A group has no owner_id, and to compare with null gives null.
          coalesce(namespaces.owner_id = $2, false) as "personal!",
          coalesce((select max(access_level) from levels), 0) as "level!",
          -- Whoever is a member of something below sees the way to it.
          exists (
            select
            from project_authorizations
            join projects on projects.id = project_authorizations.project_id
            join namespaces as home on home.id = projects.namespace_id
            where project_authorizations.user_id = $2
              and namespaces.id = any (home.traversal_ids)
          ) or exists (
            select
            from memberships
            join namespaces as subgroup on subgroup.id = memberships.source_id
            where namespaces.id = any (subgroup.traversal_ids)
          ) as "below!",
          coalesce((select external from users where users.id = $2), false) as "external!"
        from namespaces
        where namespaces.id = $1
        "#,
        namespace.0,
        user.0,
        today,
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(NamespaceStanding::Hidden) };
    let seen =
        row.visibility_level >= 20 || (row.visibility_level >= 10 && !row.external) || row.level > 0 || row.below;
    Ok(match () {
        () if row.personal || row.level >= 50 => NamespaceStanding::Owner,
        () if seen => NamespaceStanding::Visible,
        () => NamespaceStanding::Hidden,
    })
}
