//! `GET /users`: which users are there?

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::NaiveDateTime;
use serde_json::{Value, json};

use crate::http::auth::rest::RestCaller;
use crate::http::error::ApiError;
use crate::http::grape::ParameterReader;
use crate::http::pages::MOST_COUNTED;
use crate::http::rest::RestState;
use crate::http::rest::entities::user::{BasicUser, ListedUser};
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::{PageQuery, RestPage, RestParams};
use crate::store::rest::user_list::{self, UserFilter, UserOrder, UserStretch};
use crate::store::rest::users;

/// Users: administrators see all of all, others the rest of those who are not blocked.
///
/// # Errors
/// 400 for a filter or an order that is none.
#[utoipa::path(
    get,
    path = "/users",
    params(
        ("username" = Option<String>, Query, description = "The user of this name"),
        ("search" = Option<String>, Query, description = "A part of a name, or an address"),
        ("active" = Option<bool>, Query, description = "Those alone who are active"),
        ("blocked" = Option<bool>, Query, description = "Those alone who are blocked"),
        ("humans" = Option<bool>, Query, description = "People alone: no bots, no accounts of services"),
        ("external" = Option<bool>, Query, description = "External users alone"),
        ("admins" = Option<bool>, Query, description = "Administrators alone"),
        ("without_project_bots" = Option<bool>, Query, description = "All but the bots of projects and groups"),
        ("exclude_active" = Option<bool>, Query, description = "All but those who are active"),
        ("exclude_external" = Option<bool>, Query, description = "All but external users"),
        ("exclude_humans" = Option<bool>, Query, description = "All but people"),
        ("exclude_internal" = Option<bool>, Query, description = "All but the accounts of the installation itself"),
        ("provider" = Option<String>, Query, description = "With `extern_uid`, for administrators"),
        ("extern_uid" = Option<String>, Query, description = "With `provider`: who the user is there"),
        ("created_after" = Option<String>, Query, description = "For administrators: those made later; RFC 3339, or a day"),
        ("created_before" = Option<String>, Query, description = "For administrators: those made earlier; RFC 3339, or a day"),
        ("two_factor" = Option<String>, Query, description = "`enabled` or `disabled`, for administrators"),
        ("without_projects" = Option<bool>, Query, description = "For administrators: those alone who have no projects"),
        ("order_by" = Option<String>, Query, description = "`id`, `name`, `username`, `created_at`, `updated_at`"),
        ("sort" = Option<String>, Query, description = "`asc` or `desc`"),
        ("pagination" = Option<String>, Query, description = "`keyset` for pages by key"),
        ("cursor" = Option<String>, Query, description = "From the link to the next page by key"),
        PageQuery
    ),
    responses(
        (
        status = 200,
        body = Vec<ListedUser>,
        description = "The users; those who are no administrators see the basic fields alone",
        headers(("Link" = String, description = "The other pages"), ("X-Total" = String), ("X-Next-Page" = String))
    )
    )
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let (asked, page) = params.read_list(|reader| declare(reader, caller.is_admin()))?;
    if asked.by_key { by_key(&state, &params, asked, &page).await } else { by_number(&state, asked, &page).await }
}

async fn by_number(state: &RestState, asked: AskedUsers, page: &RestPage) -> Result<Response, RestRefusal> {
    let pool = state.db.pool();
    let stretch = UserStretch {
        order: asked.order,
        descending: asked.descending,
        after: None,
        limit: page.limit(),
        offset: page.offset(),
    };
    let (rows, more) = page.cut(user_list::list(pool, &asked.filter, &stretch).await?);
    let total = page.total(rows.len(), more, user_list::count(pool, &asked.filter, MOST_COUNTED + 1)).await?;
    let ids: Vec<i64> = rows.into_iter().map(|(id, _)| id).collect();
    Ok(page.answer(&shapes(state, &ids, asked.filter.admin).await?, more, total))
}

async fn by_key(
    state: &RestState,
    params: &RestParams,
    asked: AskedUsers,
    page: &RestPage,
) -> Result<Response, RestRefusal> {
    let order = asked.order.unwrap_or(UserOrder::Id);
    let after = asked.cursor.as_deref().map(|text| read_cursor(text, order)).transpose()?;
    let stretch =
        UserStretch { order: Some(order), descending: asked.descending, after, limit: page.limit(), offset: 0 };
    let (rows, more) = page.cut(user_list::list(state.db.pool(), &asked.filter, &stretch).await?);
    let next = rows.last().filter(|_| more).map(|(id, value)| cursor(value, *id));
    let ids: Vec<i64> = rows.into_iter().map(|(id, _)| id).collect();
    let users = shapes(state, &ids, asked.filter.admin).await?;
    let links = next.map(|cursor| params.next_by_key(&[("cursor", cursor)])).unwrap_or_default();
    Ok((links, Json(users)).into_response())
}

async fn shapes(state: &RestState, ids: &[i64], admin: bool) -> Result<Vec<Value>, RestRefusal> {
    let value = |shape| serde_json::to_value(shape).map_err(|error| RestRefusal::Plain(internal(error)));
    if admin {
        return state.admin_shapes(ids).await?.into_iter().map(value).collect();
    }
    let mut rows = users::list_basic(state.db.pool(), ids).await?;
    let users = ids.iter().filter_map(|id| rows.remove(id)).map(|row| BasicUser::of(row, &state.url));
    users.map(|user| serde_json::to_value(user).map_err(|error| RestRefusal::Plain(internal(error)))).collect()
}

fn internal(error: serde_json::Error) -> ApiError {
    ApiError::Internal(error.into())
}

/// What is asked for.
struct AskedUsers {
    filter: UserFilter,
    order: Option<UserOrder>,
    descending: bool,
    by_key: bool,
    cursor: Option<String>,
}

/// What only administrators may ask for says nothing where others do.
fn declare(reader: &mut ParameterReader<'_>, admin: bool) -> AskedUsers {
    let text = |reader: &mut ParameterReader<'_>, name: &str| {
        reader.optional::<String>(name).value().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let is = |reader: &mut ParameterReader<'_>, name: &str| reader.optional(name).value().unwrap_or_default();
    let search = text(reader, "search").map(|text| text.strip_prefix('@').unwrap_or(&text).to_owned());
    let identity = text(reader, "provider").zip(text(reader, "extern_uid"));
    reader.all_or_none(&["provider", "extern_uid"]);
    let orders = [
        ("id", UserOrder::Id),
        ("name", UserOrder::Name),
        ("username", UserOrder::Username),
        ("created_at", UserOrder::CreatedAt),
        ("updated_at", UserOrder::UpdatedAt),
    ];
    let order = reader.choice("order_by", &orders).value();
    let descending = reader.choice("sort", &[("asc", false), ("desc", true)]).value();
    let two_factor = reader.choice("two_factor", &[("enabled", true), ("disabled", false)]).value();
    let (after, before) = (reader.optional("created_after").value(), reader.optional("created_before").value());
    let without_projects = is(reader, "without_projects");
    AskedUsers {
        filter: UserFilter {
            admin,
            username: text(reader, "username"),
            search: search.filter(|search| !search.is_empty()),
            active: is(reader, "active"),
            blocked: is(reader, "blocked"),
            humans: is(reader, "humans"),
            external: is(reader, "external"),
            admins: is(reader, "admins"),
            without_project_bots: is(reader, "without_project_bots"),
            exclude_active: is(reader, "exclude_active"),
            exclude_external: is(reader, "exclude_external"),
            exclude_humans: is(reader, "exclude_humans"),
            exclude_internal: is(reader, "exclude_internal"),
            identity: identity.filter(|_| admin),
            created_after: after.filter(|_| admin),
            created_before: before.filter(|_| admin),
            two_factor: two_factor.filter(|_| admin),
            without_projects: without_projects && admin,
        },
        order: order.filter(|_| admin),
        descending: descending.filter(|_| admin).unwrap_or(true),
        by_key: reader.optional::<String>("pagination").value().as_deref() == Some("keyset"),
        cursor: text(reader, "cursor"),
    }
}

/// Where a page by key ends, as a text that says nothing to clients.
fn cursor(value: &str, id: i64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!([value, id]).to_string())
}

/// Only what can be a value of the order is read: PostgreSQL fails over all else.
fn read_cursor(text: &str, order: UserOrder) -> Result<(String, i64), RestRefusal> {
    let fits = |value: &str| match order {
        UserOrder::Id => value.parse::<i64>().is_ok(),
        UserOrder::CreatedAt | UserOrder::UpdatedAt => {
            NaiveDateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f").is_ok()
        }
        UserOrder::Name | UserOrder::Username => !value.contains('\0'),
    };
    let read = || {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice::<(String, i64)>(&bytes).ok().filter(|(value, _)| fits(value))
    };
    read().ok_or_else(|| RestRefusal::Parameters("cursor is invalid".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let written = cursor("Zoë \"Z\"", 7);
        assert_eq!(read_cursor(&written, UserOrder::Name).unwrap(), ("Zoë \"Z\"".to_owned(), 7));
        let moment = cursor("2026-06-01 10:00:00.5", 7);
        assert!(read_cursor(&moment, UserOrder::CreatedAt).is_ok());
        assert!(read_cursor(&cursor("9", 9), UserOrder::Id).is_ok());
        for text in ["", "x", "WzFd", &BASE64_URL_SAFE_NO_PAD.encode(r#"["\u0000",1]"#)] {
            assert!(matches!(read_cursor(text, UserOrder::Name), Err(RestRefusal::Parameters(_))), "{text}");
        }
        for order in [UserOrder::Id, UserOrder::CreatedAt, UserOrder::UpdatedAt] {
            assert!(matches!(read_cursor(&written, order), Err(RestRefusal::Parameters(_))), "{order:?}");
        }
    }
}
