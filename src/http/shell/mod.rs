//! The shell area: what gitlab-shell and Gitaly ask under `/api/v4/internal` (shell.md, allowed.md).

mod actor;
mod allowed;
mod authorized_keys;
mod check;
mod context;
mod discover;
mod lfs_authenticate;
mod post_receive;
mod pre_receive;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use secrecy::SecretString;

use super::auth::shell::{ShellAuth, require};
use crate::clock::Clock;
use crate::gitaly::Gitaly;
use crate::store::Db;
use crate::store::access_facts::AccessFacts;
use crate::store::touches::Touches;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct ShellState {
    /// The database, for everything but `/allowed`'s facts.
    pub db: Db,
    /// The facts of `/allowed`.
    pub access: AccessFacts,
    /// What the rules of a push ask about its repository.
    pub gitaly: Gitaly,
    /// Notes of who was seen, written behind the answers.
    pub touches: Touches,
    /// The clock.
    pub clock: Clock,
    /// The area's settings.
    pub settings: Arc<ShellSettings>,
}

/// What the area's handlers need to know of the installation.
#[derive(Debug)]
pub struct ShellSettings {
    /// The installation's URL, without a slash at its end.
    pub url: String,
    /// Its host's name, which stands in the comment of an authorized key.
    pub host: String,
    /// What SSH clone URLs start with: `git@host:` or `ssh://git@host:2222/`.
    pub ssh_prefix: String,
    /// The Gitaly of each storage.
    pub storages: BTreeMap<String, Storage>,
    /// The options that every git command gets.
    pub git_config_options: Vec<String>,
    /// Whether LFS is offered at all.
    pub lfs: bool,
    /// The life of an LFS token.
    pub lfs_token_lifetime: Duration,
    /// The instance's secret, which LFS tokens are signed with.
    pub db_key_base: SecretString,
    /// Whether links to merge requests are printed after a push.
    pub mr_links: bool,
    /// What the checks of a push may take in all; Gitaly waits for longer.
    pub push_check_timeout: Duration,
    /// Bytes of a body with the refs of a push.
    pub push_body_bytes: usize,
    /// Bytes of any other body.
    pub body_bytes: usize,
}

/// The Gitaly of a storage, as clients dial it.
#[derive(Debug)]
pub struct Storage {
    /// Its address.
    pub address: String,
    /// Its token.
    pub token: Option<SecretString>,
}

/// The area's routes, below `/api/v4/internal`.
pub fn router(state: ShellState, auth: ShellAuth) -> Router {
    let limit = DefaultBodyLimit::max(state.settings.body_bytes);
    let push_limit = DefaultBodyLimit::max(state.settings.push_body_bytes);
    Router::new()
        .route("/check", get(check::check))
        .route("/authorized_keys", get(authorized_keys::show))
        .route("/discover", get(discover::discover))
        .route("/allowed", post(allowed::check).layer(push_limit))
        .route("/lfs_authenticate", post(lfs_authenticate::authenticate))
        .route("/pre_receive", post(pre_receive::count))
        .route("/post_receive", post(post_receive::report).layer(push_limit))
        .route_layer(from_fn_with_state(auth, require))
        .layer(limit)
        .with_state(state)
}
