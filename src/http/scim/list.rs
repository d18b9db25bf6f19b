//! `GET /Users`, `POST /Users/.search` and `POST /.search`: the users that a filter finds, page by page.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::error::ScimError;
use super::projection::Projection;
use super::{ScimState, body, json_answer, user};
use crate::domain::scim::filter::Filter;
use crate::domain::scim::search::{Condition, Order, USER_SCHEMA, condition};
use crate::http::auth::scim::ScimCaller;
use crate::store::scim_search::{self, Found, Page};

/// Resources on a page, where the client does not say.
const COUNT: i64 = 20;
/// Resources on a page at most.
pub const MAX_COUNT: i64 = 100;

/// What a client asks for.
#[derive(Debug, Default)]
struct ListRequest {
    filter: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

/// By query.
///
/// # Errors
/// 412 for a filter that cannot be used.
pub async fn get(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    RawQuery(query): RawQuery,
) -> Result<Response, ScimError> {
    list(&scim, &caller, ListRequest::of_query(query.as_deref().unwrap_or_default())?).await
}

/// By a body, which keeps what is asked for out of logs and URLs (RFC 7644, section 3.4.3).
///
/// # Errors
/// 400 for a body that is no JSON object, 412 for a filter that cannot be used.
pub async fn search(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ScimError> {
    list(&scim, &caller, ListRequest::of_body(&body::object(&headers, &bytes)?)).await
}

async fn list(scim: &ScimState, caller: &ScimCaller, request: ListRequest) -> Result<Response, ScimError> {
    let condition = request.condition()?;
    let order = Order::parse(request.sort_by.as_deref(), request.sort_order.as_deref());
    let start_index = number(request.start_index.as_deref()).unwrap_or(1).max(1);
    let count = number(request.count.as_deref()).unwrap_or(COUNT).clamp(0, MAX_COUNT);
    let page = Page { offset: start_index - 1, limit: count };
    // While a group's SAML is switched off, GitLab shows nobody.
    let found = if caller.tenant().lists_users() {
        scim_search::list(&scim.db, caller.scope(), condition.as_ref(), order, page).await?
    } else {
        Found { users: Vec::new(), total: 0 }
    };
    let attributes = request.attributes.iter().map(String::as_str);
    let projection = Projection::new(USER_SCHEMA, attributes, request.excluded.iter().map(String::as_str));
    let resources: Vec<_> = found.users.iter().map(|found| user::render(caller, found, &projection)).collect();
    let answer = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": found.total,
        "itemsPerPage": count,
        "startIndex": start_index,
        "Resources": resources,
    });
    Ok(json_answer(StatusCode::OK, &answer))
}

impl ListRequest {
    fn of_query(query: &str) -> Result<Self, ScimError> {
        let mut request = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match name.to_ascii_lowercase().as_str() {
                "filter" if value.contains(char::REPLACEMENT_CHARACTER) => {
                    return Err(ScimError::InvalidSyntax("the filter is not UTF-8".to_owned()));
                }
                "filter" => request.filter = Some(value),
                "startindex" => request.start_index = Some(value),
                "count" => request.count = Some(value),
                "sortby" => request.sort_by = Some(value),
                "sortorder" => request.sort_order = Some(value),
                "attributes" => request.attributes.push(value),
                "excludedattributes" => request.excluded.push(value),
                _ => {}
            }
        }
        Ok(request)
    }

    fn of_body(object: &Map<String, Value>) -> Self {
        let text = |name| body::member(object, name).and_then(body::text);
        let texts = |name| match body::member(object, name) {
            Some(Value::Array(values)) => values.iter().filter_map(body::text).collect(),
            Some(value) => body::text(value).into_iter().collect(),
            None => Vec::new(),
        };
        Self {
            filter: text("filter"),
            start_index: text("startIndex"),
            count: text("count"),
            sort_by: text("sortBy"),
            sort_order: text("sortOrder"),
            attributes: texts("attributes"),
            excluded: texts("excludedAttributes"),
        }
    }

    fn condition(&self) -> Result<Option<Condition>, ScimError> {
        let Some(text) = self.filter.as_deref().filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        let filter = Filter::parse(text).map_err(|_| ScimError::UnsupportedFilter)?;
        condition(&filter).map(Some).map_err(|_| ScimError::UnsupportedFilter)
    }
}

/// Digits with a sign; those that no list reaches count as far beyond its end.
fn number(text: Option<&str>) -> Option<i64> {
    let text = text?.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}
