//! Builds each area's state and mounts it: the one file that knows them all.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use utoipa::openapi::OpenApi;

use crate::background::access_facts_batcher::AccessFactsBatcher;
use crate::background::kas_usage_batcher::KasUsageBatcher;
use crate::background::last_used::LastUsedWriter;
use crate::background::refusals::RefusalWriter;
use crate::background::scim_calls::ScimCallWriter;
use crate::background::{JobSettings, JobState};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::seal::Seal;
use crate::crypto::secrets::Secrets;
use crate::document::Problem;
use crate::domain::access::AccessSettings;
use crate::domain::git_credential::CredentialSettings;
use crate::gitaly::GitalyClient;
use crate::http::admin::{self, AdminState, LastCheck, SignInLimiter};
use crate::http::auth::admin::AdminAuth;
use crate::http::auth::agent::AgentAuth;
use crate::http::auth::customers_dot::CustomersDotAuth;
use crate::http::auth::error_tracking::ErrorTrackingAuth;
use crate::http::auth::git_audit::GitAuditAuth;
use crate::http::auth::git_basic::{BanSettings, GitBasicAuth};
use crate::http::auth::kas::{self, KasAuth};
use crate::http::auth::personal_access_token::TokenAuth;
use crate::http::auth::provisioning::ProvisioningAuth;
use crate::http::auth::rest::RestAuth;
use crate::http::auth::scim::ScimAuth;
use crate::http::auth::shell::ShellAuth;
use crate::http::auth::workhorse::WorkhorseAuth;
use crate::http::client_address::ClientAddresses;
use crate::http::git_http::{self, GitHttpSettings, GitHttpState};
use crate::http::health::{self, HealthGuard, HealthState};
use crate::http::kubernetes::{self, KubernetesAuths, KubernetesSettings, KubernetesState};
use crate::http::layers;
use crate::http::monitoring;
use crate::http::openapi;
use crate::http::provisioning::gitlab_subscriptions;
use crate::http::provisioning::{self, ProvisioningState};
use crate::http::rest::hooks::test_limiter::HookTestLimiter;
use crate::http::rest::{self, RestState};
use crate::http::scim::{self, ScimState};
use crate::http::shell::{self, AttemptLimiter, ShellAuths, ShellSettings, ShellState};
use crate::http::storage::{StorageAddress, StorageAddresses};
use crate::http::tasks::RequestTasks;
use crate::lfs_files::LfsFiles;
use crate::services::check_access::AccessChecker;
use crate::services::check_git_password::PasswordChecker;
use crate::services::find_clone_url::CloneUrls;
use crate::services::guard_call::IdempotencyGuard;
use crate::services::hook_payload::InstallationUrls;
use crate::services::outbound::OutboundClient;
use crate::services::pushed_repositories::PushedRepositories;
use crate::services::replace_recovery_codes::CodeHasher;
use crate::services::report_push::PushReporter;
use crate::store::Db;
use crate::store::DbBudgets;
use crate::telemetry::figures::RequestFigures;

/// What clients talk to, and the work that goes on behind it.
#[derive(Debug)]
pub struct Application {
    /// Every route, under the installation's root.
    pub router: Router,
    /// The Admin area, for a listener of its own.
    pub admin: Router,
    /// The storages, for the jobs.
    pub gitaly: GitalyClient,
    /// Whether the server is about to stop, which its readiness tells.
    pub stopping: watch::Sender<bool>,
    /// The requests that are under way.
    pub tasks: RequestTasks,
    /// Ends once the router is gone and everything that it left to write is written.
    pub background: JoinHandle<()>,
}

/// The application over a database, each area with its own budget of connections.
///
/// # Errors
/// Every address of a Gitaly that cannot be dialled.
pub fn build(
    settings: &Settings,
    secrets: &Secrets,
    budgets: &DbBudgets,
    clock: &Clock,
) -> Result<Application, Vec<Problem>> {
    let gitaly = GitalyClient::new(settings, clock)?;
    let (last_used, seen) = LastUsedWriter::start(budgets.upkeep.clone());
    let (refusals, refused) = RefusalWriter::start(&budgets.upkeep, &settings.gatehouse.refusals);
    let (scim_calls, called) = ScimCallWriter::start(&budgets.upkeep);
    let background = tokio::spawn(async move {
        let _ = tokio::join!(seen, refused, called);
    });
    let limits = &settings.gatehouse.limits;
    let git_last_used = last_used.clone();
    let lfs_files = LfsFiles::new(&settings.lfs).map_err(|error| vec![Problem::new("lfs", format!("{error:#}"))])?;
    let shell_state = shell_state(settings, secrets, budgets, &gitaly, (&last_used, refusals), lfs_files, clock);
    let shell = shell::router(shell_state.clone(), shell_auths(settings, secrets, &budgets.lookups, clock));
    let kubernetes = kubernetes::router(
        KubernetesState {
            db: budgets.kubernetes.clone(),
            gitaly: gitaly.clone(),
            usage: KasUsageBatcher::over(budgets.kubernetes.clone()),
            last_used: last_used.clone(),
            clock: clock.clone(),
            settings: Arc::new(KubernetesSettings {
                url: settings.gitlab.url(),
                storages: storages(settings),
                features: settings.gatehouse.features,
                kas: settings.gatehouse.kas,
                db_key_base: secrets.db_key_base.clone(),
                body_bytes: limits.body_bytes,
            }),
        },
        KubernetesAuths {
            kas: KasAuth::new(&kas_key(secrets)?, clock.clone()),
            agent: AgentAuth {
                db: budgets.kubernetes.clone(),
                db_key_base: secrets.db_key_base.clone(),
                clock: clock.clone(),
            },
        },
    );
    let token_auth = TokenAuth {
        db: budgets.provisioning.clone(),
        db_key_base: secrets.db_key_base.clone(),
        clock: clock.clone(),
        last_used,
        url: settings.gitlab.url(),
        documented_header: false,
    };
    let addresses = ClientAddresses::through(&settings.gitlab.trusted_proxies);
    let rest = rest::router(
        rest_state(settings, secrets, budgets, &gitaly, clock)
            .map_err(|error| vec![Problem::new("gitlab.webhook_timeout", format!("{error:#}"))])?,
        RestAuth { tokens: token_auth.clone(), addresses: addresses.clone() },
    );
    let customers_dot = CustomersDotAuth::new(&settings.gatehouse.customers_dot, clock.clone())
        .map_err(|error| vec![Problem::new("gatehouse.customers_dot", format!("{error:#}"))])?;
    let provisioning_state = ProvisioningState {
        db: budgets.provisioning.clone(),
        clock: clock.clone(),
        check_namespace_plan: settings.gatehouse.check_namespace_plan,
        body_bytes: limits.body_bytes,
        url: settings.gitlab.url(),
    };
    let gitlab_subscriptions = gitlab_subscriptions::router(provisioning_state.clone(), customers_dot.clone());
    let provisioning_auth = ProvisioningAuth { tokens: token_auth, customers_dot };
    let as_documented = provisioning::documented_router(provisioning_state.clone(), provisioning_auth.clone());
    let provisioning = provisioning::router(provisioning_state, provisioning_auth);
    let ours = &settings.gatehouse.scim;
    let scim = scim::router(
        &ScimState { db: budgets.scim.clone(), clock: clock.clone() },
        ScimAuth {
            db: budgets.scim.clone(),
            url: format!("{}{}", settings.gitlab.url(), scim::MOUNT),
            groups: ours.groups,
            instance: ours.instance,
            licensed: ours.licensed,
            token_in_query: ours.token_in_query,
        },
        scim_calls,
    );
    let workhorse = WorkhorseAuth::new(&secrets.workhorse, clock.clone());
    let addresses = ClientAddresses::through(&settings.gitlab.trusted_proxies);
    let git_http = git_http::router(
        git_http_state(settings, secrets, budgets, &shell_state, &git_last_used, workhorse.clone()),
        workhorse.clone(),
        addresses.clone(),
    );
    let stopping = watch::Sender::new(false);
    let health = health::guarded_router(
        HealthState { budgets: budgets.clone(), stopping: stopping.subscribe() },
        HealthGuard { admitted: settings.monitoring.ip_whitelist.as_slice().into(), addresses },
    );
    let health = match settings.gitlab.root().as_str() {
        "" => health,
        root => Router::new().nest(root, health),
    };
    let root = format!("{}/api/v4", settings.gitlab.root());
    let router = Router::new()
        .nest(&root, provisioning.merge(rest).merge(git_http::api_router(workhorse.clone())))
        .nest(&format!("{}{}", settings.gitlab.root(), provisioning::DOCUMENTED_MOUNT), as_documented)
        .nest_service(&format!("{}{}", settings.gitlab.root(), scim::MOUNT), scim)
        .nest(&format!("{root}/internal"), shell.merge(kubernetes))
        .nest(&format!("{root}/internal/gitlab_subscriptions"), gitlab_subscriptions)
        .merge(health);
    let tasks = RequestTasks::default();
    let figures = RequestFigures::default();
    let router = layers::layered(router, git_http, limits, &tasks, &figures);
    let admin = admin::router(admin_state(settings, secrets, budgets, &gitaly, clock, figures));
    let admin = admin::for_browsers(layers::surrounded(admin, limits, &tasks, None));
    Ok(Application { router, admin, gitaly, stopping, tasks, background })
}

fn rest_state(
    settings: &Settings,
    secrets: &Secrets,
    budgets: &DbBudgets,
    gitaly: &GitalyClient,
    clock: &Clock,
) -> anyhow::Result<RestState> {
    Ok(RestState {
        db: budgets.provisioning.clone(),
        clock: clock.clone(),
        gitaly: gitaly.clone(),
        url: settings.gitlab.url(),
        ssh_prefix: ssh_prefix(settings),
        settings: Arc::new(settings.clone()),
        secrets: Arc::new(secrets.clone()),
        outbound: OutboundClient::new(Duration::from_secs(settings.gitlab.webhook_timeout.into()))?,
        hook_tests: HookTestLimiter::default(),
    })
}

fn admin_state(
    settings: &Settings,
    secrets: &Secrets,
    budgets: &DbBudgets,
    gitaly: &GitalyClient,
    clock: &Clock,
    figures: RequestFigures,
) -> AdminState {
    let db = &budgets.provisioning;
    AdminState {
        db: db.clone(),
        budgets: budgets.clone(),
        gitaly: gitaly.clone(),
        settings: Arc::new(settings.clone()),
        access: Arc::new(access_checker(settings, db, db, gitaly, &access_settings(settings))),
        clock: clock.clone(),
        db_key_base: secrets.db_key_base.clone(),
        auth: AdminAuth {
            db: db.clone(),
            clock: clock.clone(),
            url: settings.gatehouse.admin.url.clone(),
            proxies: settings.gatehouse.limits.exempt_peers.clone(),
        },
        limiter: SignInLimiter::default(),
        last_check: LastCheck::default(),
        figures,
    }
}

/// What the whole API says of itself, at this URL: the same routes that [`build`] mounts.
#[must_use]
pub fn openapi(url: &str) -> OpenApi {
    let described = |mount: &str, openapi: OpenApi| (mount.to_owned(), openapi);
    openapi::document(
        url,
        [
            described("/api/v4/internal", shell::openapi()),
            described("/api/v4/internal", kubernetes::openapi()),
            described("/api/v4", provisioning::openapi()),
            described(provisioning::DOCUMENTED_MOUNT, provisioning::documented_openapi()),
            described("/api/v4/internal/gitlab_subscriptions", gitlab_subscriptions::openapi()),
            described("/api/v4", rest::openapi()),
            described(scim::MOUNT, scim::openapi()),
            described(git_http::MOUNT, git_http::openapi()),
            described("/api/v4", git_http::api_openapi()),
            (String::new(), monitoring::openapi()),
        ],
    )
}

/// What the jobs of this server work with.
///
/// # Errors
/// Where the database's URL cannot be read, or no HTTP client can be made.
pub fn job_state(
    settings: &Settings,
    secrets: &Secrets,
    gitaly: GitalyClient,
    clock: &Clock,
) -> anyhow::Result<JobState> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let ours = JobSettings {
        urls: InstallationUrls { url: settings.gitlab.url(), ssh_prefix: ssh_prefix(settings) },
        db_key_base: secrets.db_key_base.clone(),
        webhook_timeout: seconds(settings.gitlab.webhook_timeout),
        drain_timeout: seconds(settings.gatehouse.limits.drain_timeout),
        queue: settings.gatehouse.jobs.clone(),
        refusals: settings.gatehouse.refusals,
        lfs_files: LfsFiles::new(&settings.lfs)?,
    };
    JobState::new(ours, &settings.gatehouse.database, clock.clone(), PushedRepositories::new(gitaly))
}

/// The secret of kas was looked at when it was loaded; an application that is made of other secrets fails here.
fn kas_key(secrets: &Secrets) -> Result<Vec<u8>, Vec<Problem>> {
    kas::key(&secrets.kas).map_err(|error| vec![Problem::new("gitlab_kas.secret_file", error.to_string())])
}

fn shell_auths(settings: &Settings, secrets: &Secrets, db: &Db, clock: &Clock) -> ShellAuths {
    let signed = ShellAuth::new(&secrets.shell, clock.clone());
    let shell =
        if settings.gatehouse.legacy_shared_secret { signed.clone().or_the_secret_itself() } else { signed.clone() };
    let error_tracking =
        ErrorTrackingAuth { shell: shell.clone(), db: db.clone(), db_key_base: secrets.db_key_base.clone() };
    ShellAuths { shell, error_tracking, git_audit: GitAuditAuth::new(signed, &secrets.workhorse, clock.clone()) }
}

fn shell_state(
    settings: &Settings,
    secrets: &Secrets,
    budgets: &DbBudgets,
    gitaly: &GitalyClient,
    (last_used, refusals): (&LastUsedWriter, RefusalWriter),
    lfs_files: LfsFiles,
    clock: &Clock,
) -> ShellState {
    let ours = &settings.gatehouse;
    let (pushes, lookups) = (&budgets.pushes, &budgets.lookups);
    let access = access_settings(settings);
    ShellState {
        db: lookups.clone(),
        pushes: pushes.clone(),
        access: AccessFactsBatcher::with_replicas(budgets, &ours.database, &access),
        checker: Arc::new(access_checker(settings, pushes, lookups, gitaly, &access)),
        reporter: Arc::new(PushReporter {
            db: pushes.clone(),
            gitaly: gitaly.clone(),
            url: settings.gitlab.url(),
            mr_links: ours.mr_links,
        }),
        limiter: AttemptLimiter::default(),
        last_used: last_used.clone(),
        refusals,
        guard: IdempotencyGuard::new(lookups.clone(), Seal::of_answers(&secrets.db_key_base)),
        otp_secrets: Seal::of_otp_secrets(&secrets.db_key_base),
        hasher: CodeHasher::default(),
        lfs_files,
        clock: clock.clone(),
        settings: Arc::new(shell_settings(settings, secrets)),
    }
}

/// The settings that are part of the facts of every attempt.
fn access_settings(settings: &Settings) -> Arc<AccessSettings> {
    let ours = &settings.gatehouse;
    Arc::new(AccessSettings {
        http_download: settings.gitlab_shell.upload_pack,
        http_push: settings.gitlab_shell.receive_pack,
        otp_login: ours.two_factor_for_git.then(|| settings.ssh_login()),
        lfs: settings.lfs.enabled,
        read_only: ours.database.read_only,
    })
}

fn access_checker(
    settings: &Settings,
    pushes: &Db,
    lookups: &Db,
    gitaly: &GitalyClient,
    access: &Arc<AccessSettings>,
) -> AccessChecker {
    AccessChecker {
        db: pushes.clone(),
        lookups: lookups.clone(),
        gitaly: gitaly.clone(),
        settings: Arc::clone(access),
        storages: settings.repositories.storages.keys().cloned().collect(),
        clone_urls: CloneUrls { url: settings.gitlab.url(), ssh_prefix: ssh_prefix(settings) },
        push_check_timeout: Duration::from_secs(settings.gatehouse.limits.push_check_timeout.into()),
    }
}

/// What attempts are explained with, as `/allowed` decides them.
///
/// # Errors
/// Every address of a Gitaly that cannot be dialled.
pub fn explainer(settings: &Settings, db: &Db, clock: &Clock) -> Result<AccessChecker, Vec<Problem>> {
    let gitaly = GitalyClient::new(settings, clock)?;
    Ok(access_checker(settings, db, db, &gitaly, &access_settings(settings)))
}

fn git_http_state(
    settings: &Settings,
    secrets: &Secrets,
    budgets: &DbBudgets,
    shell: &ShellState,
    last_used: &LastUsedWriter,
    workhorse: WorkhorseAuth,
) -> GitHttpState {
    GitHttpState {
        db: budgets.pushes.clone(),
        files: shell.lfs_files.clone(),
        workhorse,
        auth: GitBasicAuth {
            access: shell.access.clone(),
            db: budgets.lookups.clone(),
            passwords: PasswordChecker::default(),
            last_used: last_used.clone(),
            db_key_base: secrets.db_key_base.clone(),
            settings: CredentialSettings { impersonation: settings.gitlab.impersonation_enabled },
            bans: BanSettings::of(&settings.rack_attack.git_basic_auth),
        },
        checker: Arc::clone(&shell.checker),
        last_used: last_used.clone(),
        refusals: shell.refusals.clone(),
        clock: shell.clock.clone(),
        settings: Arc::new(GitHttpSettings {
            url: settings.gitlab.url(),
            root: settings.gitlab.root(),
            storages: storages(settings),
            git_audit: settings.gatehouse.git_audit,
            lfs: settings.lfs.enabled,
            lfs_token_lifetime: Duration::from_secs(settings.gatehouse.lfs_transfer_token_lifetime.into()),
        }),
    }
}

fn shell_settings(settings: &Settings, secrets: &Secrets) -> ShellSettings {
    let ours = &settings.gatehouse;
    ShellSettings {
        url: settings.gitlab.url(),
        host: settings.gitlab.host.clone(),
        storages: storages(settings),
        git_config_options: ours.git_config_options.clone(),
        lfs: settings.lfs.enabled,
        lfs_token_lifetime: Duration::from_secs(ours.lfs_token_lifetime.into()),
        two_factor_for_git: ours.two_factor_for_git,
        git_audit: ours.git_audit,
        db_key_base: secrets.db_key_base.clone(),
        push_body_bytes: ours.limits.push_body_bytes,
        body_bytes: ours.limits.body_bytes,
    }
}

fn storages(settings: &Settings) -> StorageAddresses {
    let storages = settings.repositories.storages.iter().map(|(name, storage)| {
        let address = storage.gitaly_address.clone().unwrap_or_default();
        (name.clone(), StorageAddress { address, token: settings.gitaly_token(storage).cloned() })
    });
    StorageAddresses(storages.collect())
}

/// `git@host:`, or the longer form where the port is not SSH's own.
fn ssh_prefix(settings: &Settings) -> String {
    let shell = &settings.gitlab_shell;
    let host = settings.ssh_host();
    match shell.ssh_port {
        22 => format!("{}@{host}:", shell.ssh_user),
        port => format!("ssh://{}@{host}:{port}/", shell.ssh_user),
    }
}
