//! `GET /users`: the users that somebody looks for, page by page.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::containing;
use super::lists::{ListPart, WORDS_FROM, fetch_count, fetch_rows};
use crate::store::{Db, Result};

/// What is looked for; what is left out says nothing.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of the API")]
pub struct UserFilter {
    /// Who looks is an administrator: all states are shown, and addresses are searched.
    pub admin: bool,
    /// The username, exactly but for case.
    pub username: Option<String>,
    /// What is searched for.
    pub search: Option<String>,
    /// Only those who may act.
    pub active: bool,
    /// Only those who are blocked.
    pub blocked: bool,
    /// Only people.
    pub humans: bool,
    /// Only external users.
    pub external: bool,
    /// Only administrators.
    pub admins: bool,
    /// No bots of projects and groups.
    pub without_project_bots: bool,
    /// Nobody who may act.
    pub exclude_active: bool,
    /// No external users.
    pub exclude_external: bool,
    /// No people.
    pub exclude_humans: bool,
    /// Nobody whom the installation made for itself.
    pub exclude_internal: bool,
    /// Who is this at this provider: provider and name there.
    pub identity: Option<(String, String)>,
    /// Made after this.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this.
    pub created_before: Option<DateTime<Utc>>,
    /// With or without a second factor.
    pub two_factor: Option<bool>,
    /// Only those who reach no project.
    pub without_projects: bool,
}

/// What a list of users is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserOrder {
    /// By id.
    Id,
    /// By the name that people read.
    Name,
    /// By the username.
    Username,
    /// By when they were made.
    CreatedAt,
    /// By when they were changed.
    UpdatedAt,
}

/// The name of a user.
const NAME: &str = "coalesce(users.name, '')";

impl UserOrder {
    /// The value of a row, and how its text is read.
    fn value(self) -> (&'static str, &'static str) {
        match self {
            Self::Id => ("users.id", "bigint"),
            Self::Name => (NAME, "text"),
            Self::Username => ("coalesce(users.username, '')", "text"),
            Self::CreatedAt => ("coalesce(users.created_at, 'epoch')", "timestamp"),
            Self::UpdatedAt => ("coalesce(users.updated_at, 'epoch')", "timestamp"),
        }
    }
}

/// Which stretch of the list is wanted.
#[derive(Debug, Clone)]
pub struct UserStretch {
    /// The order; where none is named, whoever is called just as is searched for goes first.
    pub order: Option<UserOrder>,
    /// From the end.
    pub descending: bool,
    /// What comes after the row with this value of the order, and this id.
    pub after: Option<(String, i64)>,
    /// Rows at most.
    pub limit: i64,
    /// Rows left out.
    pub offset: i64,
}

/// The ids of the users, each with the value that it is sorted by.
pub async fn list(db: &Db, filter: &UserFilter, stretch: &UserStretch) -> Result<Vec<(i64, String)>> {
    if let (None, Some(search)) = (stretch.order, &filter.search) {
        return list_matches(db, filter, search, stretch).await;
    }
    let order = stretch.order.unwrap_or(UserOrder::Id);
    let (value, kind) = order.value();
    let mut query = QueryBuilder::new("select users.id, ");
    query.push(value).push("::text from users where true");
    narrow(&mut query, filter);
    let (direction, behind) = if stretch.descending { ("desc", " < (") } else { ("asc", " > (") };
    if let Some((text, id)) = &stretch.after {
        query.push(" and (").push(value).push(", users.id)").push(behind);
        query.push_bind(text.clone()).push("::").push(kind).push(", ").push_bind(*id).push(")");
    }
    query.push(" order by ").push(value).push(" ").push(direction).push(", users.id ").push(direction);
    ListPart { limit: stretch.limit, offset: stretch.offset }.push(&mut query);
    fetch_rows(db, &mut query).await
}

/// The same, whoever is called just as is searched for first, then by name. Those first ones are looked for by
/// themselves, so that the others can be read in the order of an index.
async fn list_matches(db: &Db, filter: &UserFilter, search: &str, stretch: &UserStretch) -> Result<Vec<(i64, String)>> {
    let part = ListPart { limit: stretch.limit, offset: stretch.offset };
    let whole = ListPart { limit: stretch.limit + stretch.offset, offset: 0 };
    let mut query = QueryBuilder::new("select id, '' from (");
    for (place, is) in [(0, ""), (1, " is not true")] {
        query.push(if place == 0 { "(" } else { " union all (" });
        query.push(format!("select {place} as place, users.id, {NAME} as name from users where true"));
        narrow(&mut query, filter);
        query.push(" and (lower(users.username) = lower(").push_bind(search.to_owned());
        query.push(") or lower(users.name) = lower(").push_bind(search.to_owned()).push("))").push(is);
        query.push(format!(" order by {NAME}, users.id"));
        whole.push(&mut query);
        query.push(")");
    }
    query.push(") as found order by place, name, id");
    part.push(&mut query);
    fetch_rows(db, &mut query).await
}

/// How many users there are, up to so many.
pub async fn count(db: &Db, filter: &UserFilter, most: i64) -> Result<i64> {
    let mut query = QueryBuilder::new("select count(*) from (select from users where true");
    narrow(&mut query, filter);
    query.push(" limit ").push(most).push(") as found");
    fetch_count(db, &mut query).await
}

fn narrow(query: &mut QueryBuilder<Postgres>, filter: &UserFilter) {
    if !filter.admin {
        query.push(" and users.state not in ('blocked', 'banned', 'ldap_blocked')");
    }
    if let Some(username) = &filter.username {
        query.push(" and lower(users.username) = lower(").push_bind(username.clone()).push(")");
    }
    if let Some(search) = &filter.search {
        search_for(query, search, filter.admin);
    }
    let internal = "(users.user_type not in (0, 4, 6, 13))";
    let conditions = [
        // Without the ghost, who owns what has no owner any more.
        (filter.active, "users.state = 'active' and users.user_type <> 5"),
        (filter.blocked, "users.state in ('blocked', 'ldap_blocked')"),
        (filter.humans, "users.user_type = 0"),
        (filter.external, "users.external"),
        (filter.admins, "users.admin"),
        (filter.without_project_bots, "users.user_type <> 6"),
        (filter.exclude_active, "users.state <> 'active'"),
        (filter.exclude_external, "users.external is not true"),
        (filter.exclude_humans, "users.user_type <> 0"),
    ];
    for (wanted, condition) in conditions {
        if wanted {
            query.push(" and ").push(condition);
        }
    }
    if filter.exclude_internal {
        query.push(" and not ").push(internal);
    }
    if let Some((provider, extern_uid)) = &filter.identity {
        query
            .push(" and exists (select from identities where identities.user_id = users.id and identities.provider = ");
        query.push_bind(provider.clone()).push(" and lower(identities.extern_uid) = lower(");
        query.push_bind(extern_uid.clone()).push("))");
    }
    if let Some(at) = filter.created_after {
        query.push(" and coalesce(users.created_at, 'epoch') > ").push_bind(at.naive_utc());
    }
    if let Some(at) = filter.created_before {
        query.push(" and users.created_at is not null and coalesce(users.created_at, 'epoch') < ");
        query.push_bind(at.naive_utc());
    }
    if let Some(enabled) = filter.two_factor {
        query.push(if enabled { " and users.id in (" } else { " and users.id not in (" });
        query.push("select id from users where otp_required_for_login union all ");
        query.push("select user_id from webauthn_registrations)");
    }
    if filter.without_projects {
        query.push(
            " and not exists (select from project_authorizations where project_authorizations.user_id = users.id)",
        );
    }
}

/// A part of a name from three letters on, which is what the indexes of substrings are good for; a whole name else, or an
/// address.
fn search_for(query: &mut QueryBuilder<Postgres>, search: &str, admin: bool) {
    let addresses = search.contains('@');
    // A union, where addresses are looked at: what is asked of each has an index, and of all together none.
    query.push(if addresses { " and users.id in (select users.id from users where " } else { " and (" });
    if search.chars().count() >= WORDS_FROM {
        let pattern = containing(search);
        query.push("users.name ilike ").push_bind(pattern.clone());
        query.push(" or users.username ilike ").push_bind(pattern);
    } else {
        query.push("lower(users.name) = lower(").push_bind(search.to_owned());
        query.push(") or lower(users.username) = lower(").push_bind(search.to_owned()).push(")");
    }
    if addresses {
        let mut kinds = vec!["id from users where lower(public_email)"];
        if admin {
            kinds.extend(["id from users where lower(email)", "user_id from emails where lower(email)"]);
        }
        for kind in kinds {
            query.push(" union all select ").push(kind).push(" = lower(").push_bind(search.to_owned()).push(")");
        }
    }
    query.push(")");
}
