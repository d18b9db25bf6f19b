//! `GET /namespaces/:id/owners`: who is told of the group's bills? (provisioning.md 7)

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::GrapeParameters;
use crate::http::pages::{ListPage, MOST_COUNTED};
use crate::http::provisioning::ProvisioningState;
use crate::http::provisioning::namespace::NamespaceName;
use crate::store::namespace_facts::{self, OwnerRow};

/// An owner of a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnerResponse {
    user: OwnerUserResponse,
    #[schema(example = 50)]
    access_level: i32,
    notification_email: String,
}

/// The user that an owner is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnerUserResponse {
    id: i64,
    username: String,
    name: String,
}

impl From<OwnerRow> for OwnerResponse {
    fn from(row: OwnerRow) -> Self {
        Self {
            user: OwnerUserResponse { id: row.id, username: row.username, name: row.name },
            access_level: row.access_level,
            notification_email: row.notification_email,
        }
    }
}

/// A page of those who own the group by a membership of its own, by their ids.
///
/// # Errors
/// 404 where there is no such group, 400 for a page that is none.
#[utoipa::path(
    get,
    path = "/namespaces/{id}/owners",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("page" = Option<i32>, Query, description = "Which page; 1 where none is named"),
        ("per_page" = Option<i32>, Query, description = "Rows of a page: 20, or up to 100")
    ),
    responses((
        status = 200,
        body = Vec<OwnerResponse>,
        headers(
            ("Link" = String, description = "The other pages"),
            ("X-Page" = String), ("X-Per-Page" = String), ("X-Next-Page" = String), ("X-Prev-Page" = String),
            ("X-Total" = String), ("X-Total-Pages" = String)
        )
    ))
)]
pub async fn list(
    State(state): State<ProvisioningState>,
    _caller: Provisioner,
    name: NamespaceName,
    uri: Uri,
    parameters: GrapeParameters,
) -> Result<(HeaderMap, Json<Vec<OwnerResponse>>), ApiError> {
    let group = name.find_group(&state.db).await?.id;
    let page = parameters.read(ListPage::declare)?;
    let (pool, today) = (state.db.pool(), state.clock.now().date_naive());
    let total = namespace_facts::count_owners(pool, group, today, MOST_COUNTED + 1).await?;
    let mut rows = namespace_facts::list_owners(pool, group, today, (page.size() + 1, page.offset())).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|rows| rows > page.size());
    rows.truncate(usize::try_from(page.size()).unwrap_or(usize::MAX));
    let path = format!("{}/api/v4/internal/gitlab_subscriptions/namespaces/{}/owners", state.url, group.0);
    let headers = page.headers(&path, uri.query().unwrap_or_default(), total, more);
    Ok((headers, Json(rows.into_iter().map(OwnerResponse::from).collect())))
}
