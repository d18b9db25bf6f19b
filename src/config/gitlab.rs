//! GitLab's own sections of `gitlab.yml`, as far as they say something to us.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::limits::networks;

/// `gitlab:`, the address of this installation as its users see it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GitLabSettings {
    /// The host name in clone URLs.
    #[schemars(length(min = 1), extend("examples" = ["git.example.com"]))]
    pub host: String,
    /// The web port in clone URLs; left out of them where it is the scheme's own.
    #[schemars(range(min = 1), extend("examples" = [443]))]
    pub port: u16,
    /// Whether clone URLs start with `https`.
    pub https: bool,
    /// Seconds that the receiver of a web hook may take to answer.
    #[schemars(range(min = 1, max = 300))]
    pub webhook_timeout: u32,
    /// The path under which everything is served, with or without slashes at its ends.
    #[schemars(extend("examples" = ["/gitlab"]))]
    pub relative_url_root: Option<String>,
    /// Proxies, addresses or networks, whose `X-Forwarded-For` says where a client of git over HTTP is. This machine and
    /// the Unix socket are trusted anyway.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>", extend("examples" = [["10.0.0.0/8"]]))]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether git takes tokens that an administrator made to act as somebody else.
    pub impersonation_enabled: bool,
    /// The version of GitLab that `/version` names, three numbers: clients look at it to know what they may ask for.
    #[schemars(regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.]+)?$"), extend("examples" = ["17.11.0"]))]
    pub version: String,
}

impl Default for GitLabSettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 80,
            https: false,
            webhook_timeout: 10,
            relative_url_root: None,
            trusted_proxies: Vec::new(),
            impersonation_enabled: true,
            version: "17.11.0".to_owned(),
        }
    }
}

impl GitLabSettings {
    /// The prefix of every path: empty, or with a slash at its beginning and none at its end.
    #[must_use]
    pub fn root(&self) -> String {
        match self.relative_url_root.as_deref().unwrap_or_default().trim_matches('/') {
            "" => String::new(),
            root => format!("/{root}"),
        }
    }

    /// The base of every link: `https://git.example.com/gitlab`.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, own_port) = if self.https { ("https", 443) } else { ("http", 80) };
        let port = if self.port == own_port { String::new() } else { format!(":{}", self.port) };
        format!("{scheme}://{}{port}{}", self.host, self.root())
    }
}

/// `gitlab_shell:`, the SSH side.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GitLabShellSettings {
    /// The file with the secret that gitlab-shell and Gitaly sign their requests with.
    pub secret_file: PathBuf,
    /// The host name in SSH clone URLs; `gitlab.host` where it is not set.
    pub ssh_host: Option<String>,
    /// The port in SSH clone URLs; left out of them where it is 22.
    #[schemars(range(min = 1))]
    pub ssh_port: u16,
    /// The user name in SSH clone URLs.
    #[schemars(length(min = 1))]
    pub ssh_user: String,
    /// Whether repositories may be pulled over HTTP.
    pub upload_pack: bool,
    /// Whether repositories may be pushed to over HTTP.
    pub receive_pack: bool,
}

impl Default for GitLabShellSettings {
    fn default() -> Self {
        Self {
            secret_file: ".gitlab_shell_secret".into(),
            ssh_host: None,
            ssh_port: 22,
            ssh_user: "git".to_owned(),
            upload_pack: true,
            receive_pack: true,
        }
    }
}

/// `gitlab_kas:`, the Kubernetes agent server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GitLabKasSettings {
    /// The file with the secret (base64) that kas signs its requests with.
    pub secret_file: PathBuf,
}

impl Default for GitLabKasSettings {
    fn default() -> Self {
        Self { secret_file: ".gitlab_kas_secret".into() }
    }
}

/// `workhorse:`, the proxy in front of GitLab's web application.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkhorseSettings {
    /// The file with the secret (base64) that Workhorse signs its requests with.
    pub secret_file: PathBuf,
}

impl Default for WorkhorseSettings {
    fn default() -> Self {
        Self { secret_file: ".gitlab_workhorse_secret".into() }
    }
}

/// `repositories:`, the Gitaly storages by name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RepositoriesSettings {
    /// Each storage and the Gitaly that serves it.
    pub storages: BTreeMap<String, StorageSettings>,
}

/// One storage, as clients reach it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StorageSettings {
    /// Where clients dial Gitaly.
    #[schemars(
        regex(pattern = r"^(unix:|tcp://|tls://|dns:|dns\+tls:).+"),
        extend("examples" = ["unix:/var/opt/gitlab/gitaly/gitaly.socket"])
    )]
    pub gitaly_address: Option<String>,
    /// The token of that Gitaly; `gitaly.token` where it is not set.
    #[schemars(with = "Option<String>")]
    pub gitaly_token: Option<SecretString>,
}

/// `gitaly:`, for every storage.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GitalySettings {
    /// The token for storages that name none.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
}

/// `shutdown:`
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ShutdownSettings {
    /// Seconds for which a server that is asked to stop goes on as before, but for its readiness, which fails: so long a
    /// balancer may take to see it.
    #[schemars(range(max = 600))]
    pub blackout_seconds: u32,
}
