//! `GET /Users`: who is provisioned?

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::{Value, json};

use crate::domain::scim::filter::Filter;
use crate::domain::scim::search::{self, Order, USER_SCHEMA};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::query::Query;
use crate::http::scim::{ScimState, scim_json, user};
use crate::store::scim_search::{self, Found, Page};

const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// How many a page holds that no size is asked for, and at most.
const PAGE: (i64, i64) = (20, 100);

/// The page of users that is asked for.
///
/// # Errors
/// 412 for a filter that is not answered.
pub async fn list(scim: &ScimState, caller: &ScimCaller, request: &Parts) -> Result<Response, ScimError> {
    let query = Query::of(&request.uri);
    let condition = match query.get("filter").map(str::trim).filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => {
            let filter = Filter::parse(text).map_err(|_| ScimError::UnsupportedFilter)?;
            Some(search::condition(&filter).map_err(|_| ScimError::UnsupportedFilter)?)
        }
    };
    let number = |name: &str| query.get(name).and_then(|text| text.trim().parse::<i64>().ok());
    let start = number("startIndex").unwrap_or(1).clamp(1, i64::from(i32::MAX));
    let limit = number("count").unwrap_or(PAGE.0).clamp(0, PAGE.1);
    let order = Order::parse(query.get("sortBy"), query.get("sortOrder"));
    let tenant = caller.tenant();
    let found = if tenant.lists_users() {
        let page = Page { offset: start - 1, limit };
        scim_search::list(&scim.db, tenant.scope(), condition.as_ref(), order, page).await?
    } else {
        Found { users: Vec::new(), total: 0 }
    };
    let projection = query.projection(USER_SCHEMA);
    let shown = found.users.iter().map(|row| Value::Object(projection.apply(user::resource(row, caller.base()))));
    let body = json!({
        "schemas": [LIST_SCHEMA],
        "totalResults": found.total,
        "itemsPerPage": limit,
        "startIndex": start,
        "Resources": shown.collect::<Vec<_>>(),
    });
    Ok(scim_json(StatusCode::OK, &body))
}
