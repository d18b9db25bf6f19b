//! `gatehouse:`, what GitLab has no key for.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::admin::AdminSettings;
use super::customers_dot::CustomersDotSettings;
use super::database::DatabaseSettings;
use super::features::LicensedFeatures;
use super::jobs::QueueSettings;
use super::kas::KasSettings;
use super::limits::RequestLimits;
use super::log::LogSettings;
use super::refusals::RefusalSettings;
use super::scim::ScimSettings;
use super::tracing::TracingSettings;

/// `gatehouse:`, what GitLab has no key for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct GatehouseSettings {
    /// The TCP address that answers clients; null for none.
    #[schemars(with = "Option<String>", extend("examples" = ["127.0.0.1:3001"]))]
    pub listen: Option<SocketAddr>,
    /// The Unix socket that answers clients; null for none.
    #[schemars(extend("examples" = ["/var/run/gatehouse/gatehouse.socket"]))]
    pub socket: Option<PathBuf>,
    /// The TCP address of liveness, readiness and metrics; null for none.
    #[schemars(with = "Option<String>", extend("examples" = ["127.0.0.1:3002"]))]
    pub metrics_listen: Option<SocketAddr>,
    /// The pages for administrators.
    pub admin: AdminSettings,
    /// The database.
    pub database: DatabaseSettings,
    /// What a client may ask of us at most.
    pub limits: RequestLimits,
    /// What is done after answers were given.
    pub jobs: QueueSettings,
    /// The Kubernetes agent server.
    pub kas: KasSettings,
    /// Whether a link to the merge request of a branch, or to a new one, is printed after a push.
    pub mr_links: bool,
    /// Whether the shared secret itself is accepted in place of a token signed with it, as old clients send it.
    pub legacy_shared_secret: bool,
    /// Whether namespaces have plans and limits as on GitLab.com: upcoming reconciliations and storage limit exclusions
    /// are refused otherwise.
    pub check_namespace_plan: bool,
    /// CustomersDot that sells subscriptions.
    pub customers_dot: CustomersDotSettings,
    /// Seconds between two counts of the seats of a paid subscription; 0 for never.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub seat_refresh_interval: u32,
    /// The file with the instance's `db_key_base`: digests and ciphertexts in the database depend on it.
    pub db_key_base_file: PathBuf,
    /// The life of an LFS token, in seconds.
    #[schemars(range(min = 60, max = 86400))]
    pub lfs_token_lifetime: u32,
    /// The life of an LFS token that a batch of objects is answered with, in seconds: an upload shows it again at its end.
    #[schemars(range(min = 60, max = 86400))]
    pub lfs_transfer_token_lifetime: u32,
    /// Whether git over SSH asks users with a second factor for a one-time password, which `ssh git@host 2fa_verify`
    /// takes.
    pub two_factor_for_git: bool,
    /// Whether gitlab-shell is told to report each clone, pull and push, which are written to the audit events.
    pub git_audit: bool,
    /// What the installation is licensed for.
    pub features: LicensedFeatures,
    /// The git options that gitlab-shell hands to Gitaly.
    #[schemars(extend("examples" = [["uploadpack.allowFilter=true"]]))]
    pub git_config_options: Vec<String>,
    /// Provisioning by identity providers.
    pub scim: ScimSettings,
    /// What is kept of git attempts that were refused.
    pub refusals: RefusalSettings,
    /// The log.
    pub log: LogSettings,
    /// Traces of requests, for a collector of OpenTelemetry.
    pub tracing: TracingSettings,
}

impl Default for GatehouseSettings {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 3001))),
            socket: None,
            metrics_listen: Some(SocketAddr::from(([127, 0, 0, 1], 3002))),
            admin: AdminSettings::default(),
            database: DatabaseSettings::default(),
            limits: RequestLimits::default(),
            jobs: QueueSettings::default(),
            kas: KasSettings::default(),
            mr_links: true,
            legacy_shared_secret: false,
            check_namespace_plan: true,
            customers_dot: CustomersDotSettings::default(),
            seat_refresh_interval: 86_400,
            db_key_base_file: ".gatehouse_db_key_base".into(),
            lfs_token_lifetime: 1800,
            lfs_transfer_token_lifetime: 7200,
            two_factor_for_git: false,
            git_audit: false,
            features: LicensedFeatures::default(),
            git_config_options: vec![
                "uploadpack.allowFilter=true".to_owned(),
                "uploadpack.allowAnySHA1InWant=true".to_owned(),
            ],
            scim: ScimSettings::default(),
            refusals: RefusalSettings::default(),
            log: LogSettings::default(),
            tracing: TracingSettings::default(),
        }
    }
}
