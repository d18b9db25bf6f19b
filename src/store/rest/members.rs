//! Members of groups and projects as the public REST API lists them.

use chrono::{NaiveDate, NaiveDateTime};
use sqlx::{FromRow, QueryBuilder};

use super::lists::{ListPart, fetch_rows, push_search};
use super::users::BasicUserRow;
use crate::store::members::MemberSource;
use crate::store::{Db, Result};

/// A membership, and whose it is.
#[derive(Debug, Clone, FromRow)]
pub struct MemberShapeRow {
    /// `members.id`
    pub id: i64,
    /// The user.
    pub user_id: i64,
    /// `users.username`
    pub username: String,
    /// `users.name`
    pub name: String,
    /// `users.state`
    pub state: String,
    /// `users.public_email`
    pub public_email: Option<String>,
    /// Whether too many wrong passwords locked the account.
    pub locked: bool,
    /// The first address of an enterprise user of the root group.
    pub email: Option<String>,
    /// What the membership grants here.
    pub level: i32,
    /// `members.created_at`
    pub created_at: Option<NaiveDateTime>,
    /// `members.created_by_id`
    pub created_by_id: Option<i64>,
    /// The first day on which it is over.
    pub expires_at: Option<NaiveDate>,
    /// Whether the user takes a seat.
    pub seated: bool,
    /// How many members the list has; of a part that is empty nobody asks.
    pub total: i64,
}

impl MemberShapeRow {
    /// The user.
    #[must_use]
    pub fn basic(&self) -> BasicUserRow {
        BasicUserRow {
            id: self.user_id,
            username: self.username.clone(),
            name: self.name.clone(),
            state: self.state.clone(),
            public_email: self.public_email.clone(),
            locked: self.locked,
            updated_at: None,
        }
    }
}

/// Which members are listed.
#[derive(Debug, Clone, Default)]
pub struct MemberFilter {
    /// Also those who are members by a group around it, and by shares with other groups.
    pub inherited: bool,
    /// In their names.
    pub search: Option<String>,
    /// Of these users alone.
    pub users: Option<Vec<i64>>,
    /// But these users.
    pub skip: Vec<i64>,
}

/// The members of a group or project on a part of the list: each user once, with the highest level.
pub async fn list(
    db: &Db,
    source: MemberSource,
    filter: &MemberFilter,
    part: ListPart,
    today: NaiveDate,
) -> Result<Vec<MemberShapeRow>> {
    let mut query = QueryBuilder::new(
        "with place as (
           select id, parent_id, type, traversal_ids from namespaces where id = ",
    );
    query.push_bind(source.namespace().0).push("), candidates as (");
    if filter.inherited {
        push_inherited(&mut query, source, today);
    } else {
        query.push(
            "select members.id, members.user_id, members.access_level as level, members.expires_at, members.created_at,
                    members.created_by_id
             from members
             where members.member_namespace_id = ",
        );
        query.push_bind(source.namespace().0);
        query.push(" and gatehouse_is_active_member(members, ").push_bind(today).push(")");
    }
    query.push(
        "), ranked as (
           select distinct on (user_id) * from candidates order by user_id, level desc, id
         )
         select
           ranked.id, ranked.user_id, coalesce(users.username, '') as username, coalesce(users.name, '') as name,
           users.state, nullif(users.public_email, '') as public_email, users.locked_at is not null as locked,
           case when details.enterprise_group_id = place.traversal_ids[1] then users.email end as email,
           ranked.level, ranked.created_at, ranked.created_by_id, ranked.expires_at,
           users.state = 'active' and users.user_type in (0, 4) and ranked.level > 5 as seated,
           count(*) over () as total
         from ranked
         join users on users.id = ranked.user_id
         cross join place
         left join user_details as details on details.user_id = users.id
         where true",
    );
    if let Some(search) = &filter.search {
        push_search(&mut query, &["users.name", "users.username"], search);
    }
    if let Some(users) = &filter.users {
        query.push(" and users.id = any (").push_bind(users.clone()).push(")");
    }
    if !filter.skip.is_empty() {
        query.push(" and users.id <> all (").push_bind(filter.skip.clone()).push(")");
    }
    query.push(" order by ranked.id");
    part.push(&mut query);
    fetch_rows(db, &mut query).await
}

/// Members of the place and of what is around it; direct members of groups that one of these is shared with, with the
/// lower of both levels; of a project also those of groups that it is shared with, and of the groups around them.
fn push_inherited(query: &mut QueryBuilder<sqlx::Postgres>, source: MemberSource, today: NaiveDate) {
    query.push(
        "select members.id, members.user_id, members.access_level as level, members.expires_at, members.created_at,
                members.created_by_id
         from place
         join members on members.member_namespace_id = any (place.traversal_ids)
         where gatehouse_is_active_member(members, ",
    );
    query.push_bind(today).push(
        ")
         union all
         select members.id, members.user_id, least(members.access_level, links.group_access),
                least(members.expires_at, links.expires_at), members.created_at, members.created_by_id
         from place
         join group_group_links as links on links.shared_group_id = any (place.traversal_ids)
         join members on members.member_namespace_id = links.shared_with_group_id
         where (links.expires_at is null or links.expires_at > ",
    );
    query.push_bind(today).push(") and gatehouse_is_active_member(members, ").push_bind(today).push(")");
    if let MemberSource::Project(project, _) = source {
        query.push(
            " union all
              select members.id, members.user_id, least(members.access_level, links.group_access),
                     least(members.expires_at, links.expires_at), members.created_at, members.created_by_id
              from place
              join namespaces as home on home.id = place.parent_id and home.share_with_group_lock is not true
              join project_group_links as links on links.project_id = ",
        );
        query.push_bind(project.0).push(
            " join namespaces as invited on invited.id = links.group_id
              join members on members.member_namespace_id = any (invited.traversal_ids)
              where (links.expires_at is null or links.expires_at > ",
        );
        query.push_bind(today).push(") and gatehouse_is_active_member(members, ").push_bind(today).push(")");
    }
}
