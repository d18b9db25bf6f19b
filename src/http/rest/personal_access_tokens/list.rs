//! `GET /personal_access_tokens`: which tokens are there?

use axum::extract::State;
use axum::response::Response;
use chrono::NaiveDate;

use crate::domain::ids::UserId;
use crate::http::auth::rest::RestCaller;
use crate::http::grape::ParameterReader;
use crate::http::pages::MOST_COUNTED;
use crate::http::rest::RestState;
use crate::http::rest::entities::token::TokenShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::rest::tokens::{self, TOKEN_ORDERS, TokenFilter};

/// Tokens: one's own, and to administrators everybody's.
///
/// # Errors
/// 401 for those of somebody else, 404 for those of nobody.
#[utoipa::path(
    get,
    path = "/personal_access_tokens",
    params(
        ("user_id" = Option<i64>, Query, description = "Whose; for others than administrators only one's own"),
        ("state" = Option<String>, Query, description = "`active` or `inactive`"),
        ("revoked" = Option<bool>, Query, description = "Those alone that are revoked, or that are not"),
        ("search" = Option<String>, Query, description = "A part of the name"),
        ("created_after" = Option<String>, Query, description = "Made later: RFC 3339, or a day"),
        ("created_before" = Option<String>, Query, description = "Made earlier: RFC 3339, or a day"),
        ("last_used_after" = Option<String>, Query, description = "Used later: RFC 3339, or a day"),
        ("last_used_before" = Option<String>, Query, description = "Used earlier: RFC 3339, or a day"),
        ("expires_after" = Option<String>, Query, description = "Those that end after this day"),
        ("expires_before" = Option<String>, Query, description = "Those that end before this day"),
        ("sort" = Option<String>, Query, description = "`created_asc`, `name_desc` and the like"),
        PageQuery
    ),
    responses((status = 200, body = Vec<TokenShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((mut filter, order), page) = params.read_list(declare)?;
    if caller.is_admin() {
        if let Some(user) = filter.user {
            state.find_user(&user.to_string()).await?;
        }
    } else {
        if filter.user.is_some_and(|user| user != caller.id()) {
            return Err(RestRefusal::Unauthorized);
        }
        filter.user = Some(caller.id());
        filter.impersonation = Some(false);
    }
    let (pool, today) = (state.db.pool(), state.clock.now().date_naive());
    let rows = tokens::list(pool, &filter, order, today, (page.limit(), page.offset())).await?;
    let (rows, more) = page.cut(rows);
    let total = page.total(rows.len(), more, tokens::count(pool, &filter, today, MOST_COUNTED + 1)).await?;
    let rows: Vec<TokenShape> = rows.into_iter().map(|row| TokenShape::of(row, today)).collect();
    Ok(page.answer(&rows, more, total))
}

fn declare(reader: &mut ParameterReader<'_>) -> (TokenFilter, Option<&'static str>) {
    let filter = TokenFilter {
        user: reader.optional("user_id").value().map(UserId),
        impersonation: None,
        active: reader.choice("state", &[("active", true), ("inactive", false)]).value(),
        revoked: reader.optional("revoked").value(),
        search: reader.optional::<String>("search").value().filter(|search| !search.is_empty()),
        created: (reader.optional("created_after").value(), reader.optional("created_before").value()),
        last_used: (reader.optional("last_used_after").value(), reader.optional("last_used_before").value()),
        expires: (
            reader.optional::<NaiveDate>("expires_after").value(),
            reader.optional::<NaiveDate>("expires_before").value(),
        ),
    };
    (filter, reader.choice("sort", &TOKEN_ORDERS).value())
}
