//! `GET /geo/proxy`: does this installation stand in for another one? Newer Workhorse asks until it is told no.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::preauthorisation::INTERNAL_TYPE;
use crate::http::auth::workhorse::WorkhorseAuth;
use crate::http::error::ApiError;
use crate::http::openapi::{self, RouteGroup};

/// That there is no Geo here.
#[derive(Debug, Serialize, ToSchema)]
pub struct GeoProxyResponse {
    geo_enabled: bool,
}

const GROUP: RouteGroup = RouteGroup {
    tag: "git_http",
    security: &[&[openapi::WORKHORSE]],
    failures: &[(403, "The request is not signed by Workhorse")],
    failure: "FailureResponse",
    also_refused_as: &[],
    content: "application/json",
    also_sent_as: &[],
};

fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(show))
}

pub fn openapi() -> OpenApi {
    GROUP.on(routes()).into_openapi()
}

pub fn router(auth: WorkhorseAuth) -> Router {
    Router::from(routes()).route_layer(from_fn_with_state(auth, require))
}

async fn require(State(auth): State<WorkhorseAuth>, request: Request, next: Next) -> Result<Response, ApiError> {
    if auth.accepts(request.headers()) { Ok(next.run(request).await) } else { Err(ApiError::Forbidden("")) }
}

/// No: Workhorse then stops asking.
#[utoipa::path(
    get,
    path = "/geo/proxy",
    responses((
        status = 200,
        body = GeoProxyResponse,
        content_type = "application/vnd.gitlab-workhorse+json",
        example = json!({ "geo_enabled": false })
    ))
)]
pub async fn show() -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, INTERNAL_TYPE)], Json(GeoProxyResponse { geo_enabled: false })).into_response()
}
