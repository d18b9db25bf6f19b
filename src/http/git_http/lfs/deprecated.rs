//! `POST /info/lfs/objects`, `GET /info/lfs/objects/{oid}`: what git-lfs asked before it had batches.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::error::LfsRefusal;
use crate::domain::access::{AccessProtocol, AccessTarget, ActorName, Attempt, ClientIp, GitCommand, PushChanges};
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};

const MESSAGE: &str = "Server supports batch API only, please update your Git LFS client to version 1.0.1 and up.";

/// 501 to whoever is known.
#[utoipa::path(post, path = "/info/lfs/objects")]
pub async fn create(
    state: State<GitHttpState>,
    repository: Extension<RequestedRepository>,
    address: Extension<ClientAddress>,
    headers: HeaderMap,
) -> LfsRefusal {
    refuse(&state.0, repository.0, address.0, &headers).await
}

/// 501 to whoever is known.
#[utoipa::path(
    get,
    path = "/info/lfs/objects/{oid}",
    params(("oid" = String, Path, description = "The object's id", example = "2cf24dba"))
)]
pub async fn show(
    state: State<GitHttpState>,
    repository: Extension<RequestedRepository>,
    address: Extension<ClientAddress>,
    headers: HeaderMap,
) -> LfsRefusal {
    refuse(&state.0, repository.0, address.0, &headers).await
}

async fn refuse(
    git: &GitHttpState,
    RequestedRepository(repository): RequestedRepository,
    ClientAddress(address): ClientAddress,
    headers: &HeaderMap,
) -> LfsRefusal {
    let url = &git.settings.url;
    let mut attempt = Attempt {
        command: GitCommand::Download,
        protocol: AccessProtocol::Web,
        actor: ActorName::Nobody,
        target: AccessTarget::Path(repository),
        changes: PushChanges::None,
        client_ip: Some(ClientIp::Known(address)),
        certified_by: None,
    };
    match git.auth.identify_lfs(headers, &mut attempt, address, git.clock.now()).await {
        Err(refusal) => LfsRefusal::of_credential(refusal, url),
        Ok(_) if !git.settings.lfs => LfsRefusal::not_offered(url),
        Ok(_) => LfsRefusal::new(StatusCode::NOT_IMPLEMENTED, MESSAGE, url),
    }
}
