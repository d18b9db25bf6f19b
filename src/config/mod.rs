//! Settings: GitLab's own `gitlab.yml` where GitLab has the key, `gatehouse:` for what is ours, and the environment.

pub mod admin;
mod customers_dot;
pub mod database;
pub mod features;
pub mod gatehouse;
pub mod gitlab;
pub mod jobs;
pub mod kas;
pub mod lfs;
pub mod limits;
mod load;
pub mod log;
pub mod monitoring;
pub mod rack_attack;
pub mod refusals;
pub mod scim;
#[cfg(test)]
mod tests;
pub mod tracing;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

pub use self::admin::AdminSettings;
pub use self::customers_dot::CustomersDotSettings;
pub use self::database::{ConnectionBudgets, DatabaseSettings};
pub use self::features::LicensedFeatures;
pub use self::gatehouse::GatehouseSettings;
pub use self::gitlab::{
    GitLabKasSettings, GitLabSettings, GitLabShellSettings, GitalySettings, RepositoriesSettings, ShutdownSettings,
    StorageSettings, WorkhorseSettings,
};
pub use self::jobs::QueueSettings;
pub use self::kas::KasSettings;
pub use self::lfs::{LfsSettings, ObjectStoreConnection, ObjectStoreSettings};
pub use self::limits::RequestLimits;
pub use self::log::{LogFormat, LogSettings};
pub use self::monitoring::MonitoringSettings;
pub use self::rack_attack::{GitBasicAuthSettings, RackAttackSettings};
pub use self::refusals::RefusalSettings;
pub use self::scim::ScimSettings;
pub use self::tracing::TracingSettings;

/// Everything that the file and the environment say, checked.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settings {
    /// How users reach this installation: clone URLs and links are made of it.
    pub gitlab: GitLabSettings,
    /// What gitlab-shell and Gitaly share with us.
    pub gitlab_shell: GitLabShellSettings,
    /// What kas shares with us.
    pub gitlab_kas: GitLabKasSettings,
    /// What Workhorse shares with us.
    pub workhorse: WorkhorseSettings,
    /// Where repositories live.
    pub repositories: RepositoriesSettings,
    /// What holds for every Gitaly that has no setting of its own.
    pub gitaly: GitalySettings,
    /// Git LFS.
    pub lfs: LfsSettings,
    /// Who guesses passwords.
    pub rack_attack: RackAttackSettings,
    /// Who may ask how the server is.
    pub monitoring: MonitoringSettings,
    /// How the server ends.
    pub shutdown: ShutdownSettings,
    /// Our own settings.
    pub gatehouse: GatehouseSettings,
}

impl Settings {
    /// The Gitaly token of a storage.
    #[must_use]
    pub fn gitaly_token<'a>(&'a self, storage: &'a StorageSettings) -> Option<&'a SecretString> {
        storage.gitaly_token.as_ref().or(self.gitaly.token.as_ref())
    }

    /// The host that SSH users reach.
    #[must_use]
    pub fn ssh_host(&self) -> &str {
        self.gitlab_shell.ssh_host.as_deref().filter(|host| !host.is_empty()).unwrap_or(&self.gitlab.host)
    }

    /// What SSH users write after `ssh` to log in: `git@host`, and the port where it is not SSH's own.
    #[must_use]
    pub fn ssh_login(&self) -> String {
        let login = format!("{}@{}", self.gitlab_shell.ssh_user, self.ssh_host());
        match self.gitlab_shell.ssh_port {
            22 => login,
            port => format!("{login} -p {port}"),
        }
    }
}
