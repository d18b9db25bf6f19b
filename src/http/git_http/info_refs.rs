//! `GET /info/refs`: which refs are there? The first request of every fetch and push.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::PlainRefusal;
use super::preauthorisation::{self, GitRequest, PreauthorisationResponse};
use super::{ClientAddress, GitHttpState, RequestedRepository};
use crate::domain::access::GitCommand;
use crate::http::auth::workhorse::WorkhorseCaller;
use crate::http::layers::CorrelationId;

/// Where the repository is, and for whom Workhorse asks Gitaly there. A push to a path without a project makes one.
#[utoipa::path(
    get,
    path = "/info/refs",
    params((
        "service" = Option<String>,
        Query,
        description = "`git-upload-pack` to fetch, `git-receive-pack` to push",
        example = "git-upload-pack"
    )),
    responses(
        (
            status = 200,
            description = "Workhorse may go on",
            body = PreauthorisationResponse,
            content_type = "application/vnd.gitlab-workhorse+json"
        ),
        (status = 422, description = "A project cannot be made there", body = PlainRefusal, content_type = "text/plain")
    )
)]
pub async fn show(
    State(git): State<GitHttpState>,
    _workhorse: WorkhorseCaller,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    Extension(correlation_id): Extension<CorrelationId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PlainRefusal> {
    let query = query.unwrap_or_default();
    let service = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "service").map(|(_, value)| value);
    let command = match service.as_deref() {
        Some("git-upload-pack") => GitCommand::Download,
        Some("git-receive-pack") => GitCommand::Push,
        _ => GitCommand::Unknown,
    };
    preauthorisation::answer(&git, command, GitRequest { repository, address, headers: &headers, correlation_id }).await
}
