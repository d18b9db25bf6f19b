//! `POST /git-upload-pack`: the rest of a fetch. The pack itself does not come here.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::PlainRefusal;
use super::preauthorisation::{self, GitRequest, PreauthorisationResponse};
use super::{ClientAddress, GitHttpState, RequestedRepository};
use crate::domain::access::GitCommand;
use crate::http::auth::workhorse::WorkhorseCaller;
use crate::http::layers::CorrelationId;

/// Where the repository is, and for whom Workhorse fetches there. Every request of a fetch is asked about anew.
#[utoipa::path(
    post,
    path = "/git-upload-pack",
    responses((
        status = 200,
        description = "Workhorse may go on",
        body = PreauthorisationResponse,
        content_type = "application/vnd.gitlab-workhorse+json"
    ))
)]
pub async fn authorize(
    State(git): State<GitHttpState>,
    _workhorse: WorkhorseCaller,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    Extension(correlation_id): Extension<CorrelationId>,
    headers: HeaderMap,
) -> Result<Response, PlainRefusal> {
    let asked = GitRequest { repository, address, headers: &headers, correlation_id };
    preauthorisation::answer(&git, GitCommand::Download, asked).await
}
