//! The shell area: what gitlab-shell and Gitaly ask under `/api/v4/internal` (shell.md, allowed.md).

mod actor;
mod allowed;
mod authorized_certs;
mod authorized_keys;
mod check;
mod context;
mod discover;
mod error_tracking_allowed;
mod git_audit_event;
mod lfs;
mod lfs_authenticate;
mod lfs_token_verify;
mod object_pool_members;
mod personal_access_token;
mod post_receive;
mod pre_receive;
mod repeatable;
mod two_factor_config;
mod two_factor_manual_otp_check;
mod two_factor_push_otp_check;
mod two_factor_recovery_codes;

pub use allowed::AttemptLimiter;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use secrecy::SecretString;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::auth::error_tracking::{self, ErrorTrackingAuth};
use super::auth::git_audit::{self, GitAuditAuth};
use super::auth::shell::{ShellAuth, require};
use super::openapi::{self, RouteGroup, also_at};
use super::storage::StorageAddresses;
use crate::background::access_facts_batcher::AccessFactsBatcher;
use crate::background::last_used::LastUsedWriter;
use crate::background::refusals::RefusalWriter;
use crate::clock::Clock;
use crate::crypto::seal::Seal;
use crate::lfs_files::LfsFiles;
use crate::services::check_access::AccessChecker;
use crate::services::guard_call::IdempotencyGuard;
use crate::services::replace_recovery_codes::CodeHasher;
use crate::services::report_push::PushReporter;
use crate::store::Db;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct ShellState {
    /// The database, for everything but `/allowed`'s facts and pushes.
    pub db: Db,
    /// The database, for counting pushes: they have connections of their own, and wait for longer.
    pub pushes: Db,
    /// The facts of `/allowed`.
    pub access: AccessFactsBatcher,
    /// What attempts are checked with.
    pub checker: Arc<AccessChecker>,
    /// What pushes are reported to.
    pub reporter: Arc<PushReporter>,
    /// How often one actor asks about one project.
    pub limiter: AttemptLimiter,
    /// Notes of who was seen, written behind the answers.
    pub last_used: LastUsedWriter,
    /// Where refused attempts are kept.
    pub refusals: RefusalWriter,
    /// Answers that are kept for retries.
    pub guard: IdempotencyGuard,
    /// The seal of users' OTP secrets.
    pub otp_secrets: Seal,
    /// Where recovery codes are hashed.
    pub hasher: CodeHasher,
    /// The files of LFS objects.
    pub lfs_files: LfsFiles,
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
    /// The Gitaly of each storage.
    pub storages: StorageAddresses,
    /// The options that every git command gets.
    pub git_config_options: Vec<String>,
    /// Whether LFS is offered at all.
    pub lfs: bool,
    /// The life of an LFS token.
    pub lfs_token_lifetime: Duration,
    /// Whether git over SSH asks for one-time passwords.
    pub two_factor_for_git: bool,
    /// Whether git operations are audited.
    pub git_audit: bool,
    /// The instance's secret, which LFS tokens are signed with.
    pub db_key_base: SecretString,
    /// Bytes of a body with the refs of a push.
    pub push_body_bytes: usize,
    /// Bytes of any other body.
    pub body_bytes: usize,
}

/// Who may call: gitlab-shell and Gitaly, and at two endpoints others beside them.
#[derive(Clone)]
pub struct ShellAuths {
    /// gitlab-shell and Gitaly.
    pub shell: ShellAuth,
    /// The error-tracking service too.
    pub error_tracking: ErrorTrackingAuth,
    /// Workhorse too.
    pub git_audit: GitAuditAuth,
}

/// Routes by who may call them.
struct ShellRoutes {
    signed: OpenApiRouter<ShellState>,
    error_tracking: OpenApiRouter<ShellState>,
    git_audit: OpenApiRouter<ShellState>,
}

/// The area's routes; the bodies of pushes may be as long as `push_limit` says.
fn routes(push_limit: DefaultBodyLimit) -> ShellRoutes {
    let signed = OpenApiRouter::new()
        .routes(routes!(check::check))
        .routes(routes!(authorized_keys::show))
        .routes(routes!(discover::discover))
        .routes(routes!(allowed::check).layer(push_limit))
        .routes(routes!(lfs_authenticate::authenticate))
        .routes(routes!(authorized_certs::show))
        .routes(routes!(object_pool_members::list))
        .routes(routes!(lfs::show))
        .routes(routes!(lfs_token_verify::verify))
        .routes(routes!(personal_access_token::create))
        .routes(routes!(two_factor_config::show))
        .routes(also_at("/two_factor_otp_check", routes!(two_factor_manual_otp_check::check)))
        .routes(routes!(two_factor_push_otp_check::check))
        .routes(routes!(two_factor_recovery_codes::replace))
        .routes(routes!(post_receive::report).layer(push_limit))
        .routes(routes!(pre_receive::count));
    ShellRoutes {
        signed,
        error_tracking: OpenApiRouter::new().routes(routes!(error_tracking_allowed::check)),
        git_audit: OpenApiRouter::new().routes(routes!(git_audit_event::create)),
    }
}

const GROUP: RouteGroup = RouteGroup {
    tag: "shell",
    security: &[&[openapi::SHELL], &[openapi::SHARED_SECRET]],
    failures: openapi::PLAIN_FAILURES,
    failure: "FailureResponse",
    also_refused_as: &[],
    content: "application/json",
    also_sent_as: openapi::FORMS,
};

/// What the area's routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let ShellRoutes { signed, error_tracking, git_audit } = routes(DefaultBodyLimit::disable());
    let error_tracking =
        RouteGroup { security: &[&[openapi::ERROR_TRACKING], &[openapi::SHELL], &[openapi::SHARED_SECRET]], ..GROUP }
            .on(error_tracking);
    let git_audit = RouteGroup { security: &[&[openapi::SHELL], &[openapi::WORKHORSE]], ..GROUP }.on(git_audit);
    GROUP.on(signed).merge(error_tracking).merge(git_audit).into_openapi()
}

/// The area's routes, below `/api/v4/internal`.
pub fn router(state: ShellState, auths: ShellAuths) -> Router {
    let limit = DefaultBodyLimit::max(state.settings.body_bytes);
    let ShellRoutes { signed, error_tracking, git_audit } =
        routes(DefaultBodyLimit::max(state.settings.push_body_bytes));
    signed
        .route_layer(from_fn_with_state(auths.shell, require))
        .merge(error_tracking.route_layer(from_fn_with_state(auths.error_tracking, error_tracking::require)))
        .merge(git_audit.route_layer(from_fn_with_state(auths.git_audit, git_audit::require)))
        .layer(limit)
        .with_state(state)
        .into()
}
