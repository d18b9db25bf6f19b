//! Lists of SCIM users: a condition compiled to parameterised SQL, an order, and a page with the exact total.
//!
//! What a client writes reaches PostgreSQL as a parameter alone. There is no LIKE, so `%` and `_` mean themselves.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder, Row};

use super::{Db, Result};
use crate::domain::scim::ScimScope;
use crate::domain::scim::filter::FilterOperator;
use crate::domain::scim::search::{ScimUserOrder, UserCondition, UserSortField, UserTextField, UserTimeField};

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScimPage {
    /// How many come before it.
    pub offset: i64,
    /// The most that it holds.
    pub limit: i64,
}

/// A page, and how many there are in all.
#[derive(Debug)]
pub struct FoundScimUsers {
    /// The page, in the order that was asked for.
    pub users: Vec<ScimUserRow>,
    /// How many meet the condition on all pages.
    pub total: i64,
}

/// An identity with what is shown of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimUserRow {
    /// `extern_uid`, in the letter case that it was given in.
    pub extern_uid: String,
    /// The identity's flag.
    pub active: bool,
    /// `users.username`
    pub username: String,
    /// `users.name`
    pub name: String,
    /// `users.first_name`
    pub first_name: Option<String>,
    /// `users.last_name`
    pub last_name: Option<String>,
    /// `users.email`
    pub email: String,
    /// When the identity was made.
    pub created_at: DateTime<Utc>,
    /// When the identity or the user changed last.
    pub updated_at: DateTime<Utc>,
}

/// The page of the identities in a scope that meet a condition.
pub async fn list(
    db: &Db,
    scope: ScimScope,
    condition: Option<&UserCondition>,
    order: ScimUserOrder,
    page: ScimPage,
) -> Result<FoundScimUsers> {
    let search = UserSearch { scope, condition, order };
    super::settled(db, || list_once(db, &search, page)).await
}

async fn list_once(db: &Db, search: &UserSearch<'_>, page: ScimPage) -> Result<FoundScimUsers> {
    if page.limit == 0 {
        let mut connection = db.acquire().await?;
        return Ok(FoundScimUsers { users: Vec::new(), total: search.count(&mut connection).await? });
    }
    if page.offset == 0 {
        let mut connection = db.acquire().await?;
        let users = search.page(&mut connection, page, false).await?;
        let shown = i64::try_from(users.len()).unwrap_or(i64::MAX);
        // A look-up of one user needs no second statement to know how many there are.
        let total = if shown < page.limit { shown } else { search.count(&mut connection).await? };
        return Ok(FoundScimUsers { users, total });
    }
    // One snapshot: the distance from the end must be of the same list.
    let mut transaction = db.begin_with("begin isolation level repeatable read read only").await?;
    let total = search.count(&mut transaction).await?;
    let limit = page.limit.min(total - page.offset);
    let users = if limit <= 0 {
        Vec::new()
    } else if page.offset <= total / 2 {
        search.page(&mut transaction, ScimPage { limit, ..page }, false).await?
    } else {
        // Rows before a page are walked over, so the walk starts at the nearer end.
        let mut users =
            search.page(&mut transaction, ScimPage { offset: total - page.offset - limit, limit }, true).await?;
        users.reverse();
        users
    };
    transaction.commit().await?;
    Ok(FoundScimUsers { users, total })
}

struct UserSearch<'a> {
    scope: ScimScope,
    condition: Option<&'a UserCondition>,
    order: ScimUserOrder,
}

impl UserSearch<'_> {
    async fn count(&self, connection: &mut PgConnection) -> Result<i64> {
        let mut sql = QueryBuilder::new("select count(*) from ");
        self.push_from(&mut sql, self.condition.is_some_and(looks_at_users));
        Ok(sql.build_query_scalar().persistent(self.is_usual()).fetch_one(connection).await?)
    }

    async fn page(&self, connection: &mut PgConnection, page: ScimPage, backwards: bool) -> Result<Vec<ScimUserRow>> {
        // The page is found by identities alone where that is possible; only then are their users looked up.
        let users = self.condition.is_some_and(looks_at_users) || self.order.by.is_some_and(sorts_by_users);
        let mut sql = QueryBuilder::new("with page as materialized (select identity.id from ");
        self.push_from(&mut sql, users);
        self.push_order(sql.push(" "), backwards);
        sql.push(" offset ").push_bind(page.offset).push(" limit ").push_bind(page.limit);
        sql.push(") select identity.extern_uid, identity.active, users.username, users.name, users.email, ");
        sql.push("users.first_name, users.last_name, ");
        sql.push("identity.created_at, ").push(LAST_MODIFIED).push(" as updated_at from page join ");
        sql.push(table(self.scope)).push(" as identity on identity.id = page.id ");
        sql.push("join users on users.id = identity.user_id ");
        self.push_order(&mut sql, backwards);
        Ok(sql.build_query_as().persistent(self.is_usual()).fetch_all(connection).await?)
    }

    fn push_from(&self, sql: &mut QueryBuilder<Postgres>, with_users: bool) {
        sql.push(table(self.scope)).push(" as identity");
        if with_users {
            sql.push(" join users on users.id = identity.user_id");
        }
        sql.push(" where ");
        push_scope(sql, self.scope, "identity");
        if let Some(condition) = self.condition {
            push_condition(sql.push(" and "), self.scope, condition);
        }
    }

    fn push_order(&self, sql: &mut QueryBuilder<Postgres>, backwards: bool) {
        let direction = if self.order.descending == backwards { "" } else { " desc" };
        sql.push("order by ");
        match self.order.by {
            None => {}
            // These three have indexes, so that a page far in is walked to and not sorted for.
            Some(UserSortField::Text(UserTextField::UserName)) => {
                sql.push("identity.username").push(direction).push(", ");
            }
            Some(UserSortField::Text(field)) => {
                sql.push("lower(").push(text_sql(field)).push(")").push(direction).push(", ");
            }
            Some(UserSortField::Time(UserTimeField::Created)) => {
                sql.push("identity.created_at").push(direction).push(", ");
            }
            Some(UserSortField::Time(field)) => {
                sql.push(time_sql(field)).push(direction).push(", ");
            }
        }
        sql.push("identity.id").push(direction);
    }

    /// Whether the statement is one of the few that come again and again, and so is worth a place among the prepared.
    fn is_usual(&self) -> bool {
        self.condition.is_none_or(|condition| match condition {
            UserCondition::All(parts) | UserCondition::Any(parts) => parts.len() <= 2 && parts.iter().all(is_leaf),
            other => is_leaf(other),
        })
    }
}

const LAST_MODIFIED: &str = "greatest(identity.updated_at, users.updated_at at time zone 'utc')";

fn table(scope: ScimScope) -> &'static str {
    match scope {
        ScimScope::Group(_) => "group_scim_identities",
        ScimScope::Instance => "scim_identities",
    }
}

fn push_scope(sql: &mut QueryBuilder<Postgres>, scope: ScimScope, alias: &str) {
    sql.push(alias);
    match scope {
        ScimScope::Group(group) => sql.push(".group_id = ").push_bind(group.0),
        ScimScope::Instance => sql.push(".group_id is null"),
    };
}

fn push_condition(sql: &mut QueryBuilder<Postgres>, scope: ScimScope, condition: &UserCondition) {
    match condition {
        UserCondition::Constant(value) => {
            sql.push(value);
        }
        UserCondition::Active(true) => {
            sql.push("identity.active is not false");
        }
        UserCondition::Active(false) => {
            sql.push("identity.active is false");
        }
        UserCondition::Named(name) => push_named(sql, scope, name),
        // Found first, so that the identities are found by an index whatever else is asked.
        UserCondition::Text(UserTextField::Email, FilterOperator::Equal, text) => {
            sql.push("identity.user_id = any (array(select id from users where lower(email) = lower(");
            sql.push_bind(text.clone()).push(")))");
        }
        UserCondition::Text(field, operator, text) => push_text(sql, text_sql(*field), *operator, text),
        UserCondition::Filled(field) => {
            sql.push(text_sql(*field)).push(" <> ''");
        }
        UserCondition::Time(field, operator, time) => {
            sql.push(time_sql(*field)).push(comparison(*operator)).push_bind(*time);
        }
        UserCondition::All(parts) => push_joined(sql, scope, parts, ") and ("),
        UserCondition::Any(parts) => push_joined(sql, scope, parts, ") or ("),
        UserCondition::Not(inner) => {
            push_condition(sql.push("("), scope, inner);
            sql.push(") is not true");
        }
    }
}

fn push_joined(sql: &mut QueryBuilder<Postgres>, scope: ScimScope, parts: &[UserCondition], word: &str) {
    sql.push("(");
    for (i, part) in parts.iter().enumerate() {
        sql.push(if i == 0 { "(" } else { word });
        push_condition(sql, scope, part);
    }
    sql.push("))");
}

/// The one user of the scope that a `userName` names: users of others are not looked at, so that none of them stands in
/// the way. A user name holds no `@`, so an address is never taken for one.
fn push_named(sql: &mut QueryBuilder<Postgres>, scope: ScimScope, name: &str) {
    const WAYS: [(&str, &str); 4] = [
        ("", "lower(named.extern_uid)"),
        (" join users on users.id = named.user_id", "lower(users.username)"),
        (" join users on users.id = named.user_id", "lower(users.email)"),
        (" join emails on emails.user_id = named.user_id and emails.confirmed_at is not null", "lower(emails.email)"),
    ];
    let ways = if name.contains('@') { &WAYS[..] } else { &WAYS[..2] };
    let mut before = "identity.user_id = coalesce(";
    for (join, column) in ways {
        sql.push(before).push("(select min(named.user_id) from ").push(table(scope)).push(" as named").push(join);
        push_scope(sql.push(" where "), scope, "named");
        sql.push(" and ").push(column).push(" = lower(").push_bind(name.to_owned()).push("))");
        before = ", ";
    }
    sql.push(")");
}

fn push_text(sql: &mut QueryBuilder<Postgres>, column: &str, operator: FilterOperator, text: &str) {
    let (before, between, after) = match operator {
        FilterOperator::Contains => ("strpos(lower(", "), lower(", ")) > 0"),
        FilterOperator::StartsWith => ("starts_with(lower(", "), lower(", "))"),
        FilterOperator::EndsWith => {
            sql.push("right(lower(").push(column).push("), length(lower(").push_bind(text.to_owned());
            sql.push("))) = lower(").push_bind(text.to_owned()).push(")");
            return;
        }
        FilterOperator::Equal => ("lower(", ") = lower(", ")"),
        FilterOperator::NotEqual => ("lower(", ") <> lower(", ")"),
        FilterOperator::Greater => ("lower(", ") > lower(", ")"),
        FilterOperator::GreaterOrEqual => ("lower(", ") >= lower(", ")"),
        FilterOperator::Less => ("lower(", ") < lower(", ")"),
        FilterOperator::LessOrEqual => ("lower(", ") <= lower(", ")"),
    };
    sql.push(before).push(column).push(between).push_bind(text.to_owned()).push(after);
}

fn comparison(operator: FilterOperator) -> &'static str {
    match operator {
        // Moments are not searched in as texts; the domain refuses to.
        FilterOperator::Equal | FilterOperator::Contains | FilterOperator::StartsWith | FilterOperator::EndsWith => {
            " = "
        }
        FilterOperator::NotEqual => " <> ",
        FilterOperator::Greater => " > ",
        FilterOperator::GreaterOrEqual => " >= ",
        FilterOperator::Less => " < ",
        FilterOperator::LessOrEqual => " <= ",
    }
}

fn text_sql(field: UserTextField) -> &'static str {
    match field {
        UserTextField::Id => "identity.extern_uid",
        UserTextField::UserName => "users.username",
        UserTextField::Email => "users.email",
        UserTextField::Name => "users.name",
        // The whole name is split where no part of it was ever sent.
        UserTextField::GivenName => {
            "case
               when users.first_name is null and users.last_name is null then split_part(btrim(users.name), ' ', 1)
               else coalesce(users.first_name, '')
             end"
        }
        UserTextField::FamilyName => {
            "case
               when users.first_name is null and users.last_name is null
               then ltrim(substr(btrim(users.name), length(split_part(btrim(users.name), ' ', 1)) + 1))
               else coalesce(users.last_name, '')
             end"
        }
    }
}

/// Moments are shown with milliseconds, and compare as they are shown.
fn time_sql(field: UserTimeField) -> &'static str {
    match field {
        UserTimeField::Created => "date_trunc('milliseconds', identity.created_at)",
        UserTimeField::LastModified => {
            "date_trunc('milliseconds', greatest(identity.updated_at, users.updated_at at time zone 'utc'))"
        }
    }
}

fn looks_at_users(condition: &UserCondition) -> bool {
    match condition {
        UserCondition::Constant(_)
        | UserCondition::Named(_)
        | UserCondition::Active(_)
        | UserCondition::Text(UserTextField::Id, ..)
        | UserCondition::Text(UserTextField::Email, FilterOperator::Equal, _) => false,
        UserCondition::Text(..) => true,
        UserCondition::Filled(field) => *field != UserTextField::Id,
        UserCondition::Time(field, ..) => *field == UserTimeField::LastModified,
        UserCondition::All(parts) | UserCondition::Any(parts) => parts.iter().any(looks_at_users),
        UserCondition::Not(inner) => looks_at_users(inner),
    }
}

fn sorts_by_users(by: UserSortField) -> bool {
    match by {
        UserSortField::Text(field) => !matches!(field, UserTextField::Id | UserTextField::UserName),
        UserSortField::Time(field) => field == UserTimeField::LastModified,
    }
}

fn is_leaf(condition: &UserCondition) -> bool {
    !matches!(condition, UserCondition::All(_) | UserCondition::Any(_) | UserCondition::Not(_))
}

impl FromRow<'_, PgRow> for ScimUserRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            extern_uid: row.try_get("extern_uid")?,
            active: row.try_get::<Option<bool>, _>("active")?.unwrap_or(true),
            username: row.try_get::<Option<String>, _>("username")?.unwrap_or_default(),
            name: row.try_get::<Option<String>, _>("name")?.unwrap_or_default(),
            first_name: row.try_get("first_name")?,
            last_name: row.try_get("last_name")?,
            email: row.try_get("email")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}
