//! Namespaces as the REST API lists them: groups and personal namespaces.

use chrono::NaiveDate;
use sqlx::{FromRow, PgExecutor, Postgres, QueryBuilder};

use super::RestName;
use super::lists::{ListPart, fetch_count, fetch_rows, push_search};
use crate::domain::ids::UserId;
use crate::store::{Db, Result};

/// A namespace, and what somebody is to it.
#[derive(Debug, Clone, FromRow)]
pub struct ListedNamespace {
    /// `namespaces.id`
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The last part of its path.
    pub path: String,
    /// Its full path.
    pub full_path: String,
    /// The group that it is in.
    pub parent_id: Option<i64>,
    /// Whose personal namespace it is; nothing for a group.
    pub owner_id: Option<i64>,
    /// The level of the one who looks.
    pub level: i32,
    /// Everybody with a membership in it or below.
    pub members: i64,
    /// The plan, where it is subscribed.
    pub plan: Option<String>,
    /// Whether that is a trial.
    pub trial: Option<bool>,
    /// When the trial ends.
    pub trial_ends_on: Option<NaiveDate>,
    /// Seats that are taken.
    pub seats_in_use: Option<i32>,
    /// Seats that were taken at most.
    pub max_seats_used: Option<i32>,
    /// Compute minutes a month.
    pub shared_runners_minutes_limit: Option<i32>,
    /// Compute minutes beyond those.
    pub extra_shared_runners_minutes_limit: Option<i32>,
    /// Megabytes of storage that were bought.
    pub additional_purchased_storage_size: i64,
    /// The last day of them.
    pub additional_purchased_storage_ends_on: Option<NaiveDate>,
}

/// Which namespaces are looked for.
#[derive(Debug, Clone, Default)]
pub struct NamespaceFilter {
    /// Whose: their own, and those of the groups that they belong to; everybody's where this is nobody.
    pub user: Option<UserId>,
    /// Only those of which the user is an owner.
    pub owned: Option<UserId>,
    /// Only those that are in no other.
    pub top_level: bool,
    /// A part of the name or path.
    pub search: Option<String>,
    /// Not those of the trees with these roots.
    pub closed_roots: Vec<i64>,
}

/// A stretch of the namespaces, by id, as `viewer` sees them.
pub async fn list(
    db: &Db,
    filter: &NamespaceFilter,
    viewer: UserId,
    today: NaiveDate,
    (limit, offset): (i64, i64),
) -> Result<Vec<ListedNamespace>> {
    let mut query = QueryBuilder::new("with found as (");
    push_ids(&mut query, filter, today);
    query.push(" order by namespaces.id");
    ListPart { limit, offset }.push(&mut query);
    query.push(") ");
    select(&mut query, viewer, today);
    query.push(" order by namespaces.id");
    fetch_rows(db, &mut query).await
}

/// How many namespaces there are, up to so many.
pub async fn count(db: &Db, filter: &NamespaceFilter, today: NaiveDate, most: i64) -> Result<i64> {
    let mut query = QueryBuilder::new("select count(*) from (");
    push_ids(&mut query, filter, today);
    query.push(" limit ").push(most).push(") as found");
    fetch_count(db, &mut query).await
}

/// The namespace of that id or full path, as `viewer` sees it, where the filter lets it through.
pub async fn find(
    db: impl PgExecutor<'_>,
    name: &RestName,
    filter: &NamespaceFilter,
    viewer: UserId,
    today: NaiveDate,
) -> Result<Option<ListedNamespace>> {
    let mut query = QueryBuilder::new("with found as (");
    push_ids(&mut query, filter, today);
    match name {
        RestName::Id(id) => query.push(" and namespaces.id = ").push_bind(*id),
        RestName::Path(path) => {
            query.push(
                " and namespaces.id in (
                   select routes.source_id from routes
                   where routes.source_type = 'Namespace' and lower(routes.path) = lower(",
            );
            query.push_bind(path.clone()).push("))")
        }
    };
    query.push(" order by namespaces.id limit 1) ");
    select(&mut query, viewer, today);
    Ok(query.build_query_as().fetch_optional(db).await?)
}

/// The ids of the namespaces that the filter lets through; more conditions may follow.
fn push_ids(query: &mut QueryBuilder<Postgres>, filter: &NamespaceFilter, today: NaiveDate) {
    query.push("select namespaces.id from namespaces where namespaces.type in ('User', 'Group')");
    narrow(query, filter, today);
}

/// What is shown of those that were found: members are counted of these alone.
fn select(query: &mut QueryBuilder<Postgres>, viewer: UserId, today: NaiveDate) {
    query.push(
        "select
           namespaces.id,
           namespaces.name,
           namespaces.path,
           routes.path as full_path,
           namespaces.parent_id,
           case when namespaces.type = 'User' then namespaces.owner_id end as owner_id,
           coalesce(
             case
               when namespaces.type = 'User' and namespaces.owner_id = ",
    );
    query.push_bind(viewer.0).push(
        " then 50
               else (
                 select max(members.access_level)
                 from members
                 where members.user_id = ",
    );
    query.push_bind(viewer.0).push(
        "
                   and members.source_type = 'Namespace'
                   and members.source_id = any (namespaces.traversal_ids)
                   and gatehouse_is_active_member(members, ",
    );
    query.push_bind(today).push(
        ")
               )
             end,
             0
           ) as level,
           (
             select count(distinct members.user_id)
             from members
             -- An array, for each of its ids has an index, and how many there are is not known beforehand.
             where members.member_namespace_id = any (
                 array(select below.id from namespaces as below where below.traversal_ids @> array[namespaces.id])
               )
               and gatehouse_is_active_member(members, ",
    );
    query.push_bind(today).push(
        ")
           ) as members,
           plans.name as plan,
           gitlab_subscriptions.trial,
           gitlab_subscriptions.trial_ends_on,
           gitlab_subscriptions.seats_in_use,
           gitlab_subscriptions.max_seats_used,
           namespaces.shared_runners_minutes_limit,
           namespaces.extra_shared_runners_minutes_limit,
           coalesce(namespace_limits.additional_purchased_storage_size, 0) as additional_purchased_storage_size,
           namespace_limits.additional_purchased_storage_ends_on
         from found
         join namespaces on namespaces.id = found.id
         join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
         left join gitlab_subscriptions on gitlab_subscriptions.namespace_id = namespaces.id
         left join plans on plans.id = gitlab_subscriptions.hosted_plan_id
         left join namespace_limits on namespace_limits.namespace_id = namespaces.id",
    );
}

fn narrow(query: &mut QueryBuilder<Postgres>, filter: &NamespaceFilter, today: NaiveDate) {
    if let Some(user) = filter.user {
        belongs(query, user, 0, today);
    }
    if let Some(user) = filter.owned {
        belongs(query, user, 50, today);
    }
    if filter.top_level {
        query.push(" and namespaces.parent_id is null");
    }
    if let Some(search) = &filter.search {
        push_search(query, &["namespaces.name", "namespaces.path"], search);
    }
    if !filter.closed_roots.is_empty() {
        query.push(" and namespaces.traversal_ids[1] <> all (").push_bind(filter.closed_roots.clone()).push(")");
    }
}

/// The user's own namespace, and the groups in which, or above which, they have this level.
fn belongs(query: &mut QueryBuilder<Postgres>, user: UserId, level: i32, today: NaiveDate) {
    // A union, for each of its parts has an index.
    query.push(
        " and namespaces.id in (
             select own.id from namespaces as own
             where own.type = 'User' and own.owner_id = ",
    );
    query.push_bind(user.0).push(
        "
             union all
             select below.id from namespaces as below
             where below.type = 'Group'
               and below.traversal_ids && array(
                 select members.source_id from members
                 where members.source_type = 'Namespace' and members.user_id = ",
    );
    query.push_bind(user.0).push(" and members.access_level >= ").push_bind(level);
    query.push(" and gatehouse_is_active_member(members, ").push_bind(today).push(")))");
}

/// Which of these full paths are taken, in lower case.
pub async fn list_taken(db: impl PgExecutor<'_>, paths: &[String]) -> Result<Vec<String>> {
    let taken = sqlx::query_scalar!(
        r#"select lower(path) as "path!" from routes where lower(path) = any ($1) and source_type = 'Namespace'"#,
        paths
    );
    Ok(taken.fetch_all(db).await?)
}
