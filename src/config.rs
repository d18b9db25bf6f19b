//! Settings: GitLab's own `gitlab.yml` where GitLab has the key, `gatehouse:` for what is ours, and the environment.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::document::{self, Problem};

/// Everything that the file and the environment say, checked.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settings {
    /// How users reach this installation: clone URLs and links are made of it.
    pub gitlab: GitLab,
    /// What gitlab-shell and Gitaly share with us.
    pub gitlab_shell: GitLabShell,
    /// What kas shares with us.
    pub gitlab_kas: GitLabKas,
    /// What Workhorse shares with us.
    pub workhorse: Workhorse,
    /// Where repositories live.
    pub repositories: Repositories,
    /// What holds for every Gitaly that has no setting of its own.
    pub gitaly: Gitaly,
    /// Git LFS.
    pub lfs: Lfs,
    /// Our own settings.
    pub gatehouse: Gatehouse,
}

/// `gitlab:`, the address of this installation as its users see it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GitLab {
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
}

impl Default for GitLab {
    fn default() -> Self {
        Self { host: "localhost".to_owned(), port: 80, https: false, webhook_timeout: 10, relative_url_root: None }
    }
}

impl GitLab {
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
pub struct GitLabShell {
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

impl Default for GitLabShell {
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
pub struct GitLabKas {
    /// The file with the secret (base64) that kas signs its requests with.
    pub secret_file: PathBuf,
}

impl Default for GitLabKas {
    fn default() -> Self {
        Self { secret_file: ".gitlab_kas_secret".into() }
    }
}

/// `workhorse:`, the proxy in front of GitLab's web application.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Workhorse {
    /// The file with the secret (base64) that Workhorse signs its requests with.
    pub secret_file: PathBuf,
}

impl Default for Workhorse {
    fn default() -> Self {
        Self { secret_file: ".gitlab_workhorse_secret".into() }
    }
}

/// `repositories:`, the Gitaly storages by name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Repositories {
    /// Each storage and the Gitaly that serves it.
    pub storages: BTreeMap<String, Storage>,
}

/// One storage, as clients reach it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Storage {
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
pub struct Gitaly {
    /// The token for storages that name none.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
}

/// `lfs:`, Git LFS.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lfs {
    /// Whether this installation offers LFS.
    pub enabled: bool,
}

impl Default for Lfs {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// `gatehouse:`, what GitLab has no key for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Gatehouse {
    /// The TCP address that answers clients; null for none.
    #[schemars(with = "Option<String>", extend("examples" = ["127.0.0.1:3001"]))]
    pub listen: Option<SocketAddr>,
    /// The Unix socket that answers clients; null for none.
    #[schemars(extend("examples" = ["/var/run/gatehouse/gatehouse.socket"]))]
    pub socket: Option<PathBuf>,
    /// The TCP address of liveness, readiness and metrics; null for none.
    #[schemars(with = "Option<String>", extend("examples" = ["127.0.0.1:3002"]))]
    pub metrics_listen: Option<SocketAddr>,
    /// The database.
    pub database: Database,
    /// What a client may ask of us at most.
    pub limits: Limits,
    /// What is done after answers were given.
    pub jobs: Jobs,
    /// The Kubernetes agent server.
    pub kas: Kas,
    /// Whether a link to the merge request of a branch, or to a new one, is printed after a push.
    pub mr_links: bool,
    /// Whether the shared secret itself is accepted in place of a token signed with it, as old clients send it.
    pub legacy_shared_secret: bool,
    /// Whether namespaces have plans and limits as on GitLab.com: upcoming reconciliations and storage limit exclusions
    /// are refused otherwise.
    pub check_namespace_plan: bool,
    /// CustomersDot that sells subscriptions.
    pub customers_dot: CustomersDot,
    /// Seconds between two counts of the seats of a paid subscription; 0 for never.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub seat_refresh_interval: u32,
    /// The file with the instance's `db_key_base`: digests and ciphertexts in the database depend on it.
    pub db_key_base_file: PathBuf,
    /// The life of an LFS token, in seconds.
    #[schemars(range(min = 60, max = 86400))]
    pub lfs_token_lifetime: u32,
    /// Whether git over SSH asks users with a second factor for a one-time password, which `ssh git@host 2fa_verify`
    /// takes.
    pub two_factor_for_git: bool,
    /// Whether gitlab-shell is told to report each clone, pull and push, which are written to the audit events.
    pub git_audit: bool,
    /// What the installation is licensed for.
    pub features: Features,
    /// The git options that gitlab-shell hands to Gitaly.
    #[schemars(extend("examples" = [["uploadpack.allowFilter=true"]]))]
    pub git_config_options: Vec<String>,
    /// Provisioning by identity providers.
    pub scim: Scim,
    /// The log.
    pub log: Log,
}

impl Default for Gatehouse {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 3001))),
            socket: None,
            metrics_listen: Some(SocketAddr::from(([127, 0, 0, 1], 3002))),
            database: Database::default(),
            limits: Limits::default(),
            jobs: Jobs::default(),
            kas: Kas::default(),
            mr_links: true,
            legacy_shared_secret: false,
            check_namespace_plan: true,
            customers_dot: CustomersDot::default(),
            seat_refresh_interval: 86_400,
            db_key_base_file: ".gatehouse_db_key_base".into(),
            lfs_token_lifetime: 1800,
            two_factor_for_git: false,
            git_audit: false,
            features: Features::default(),
            git_config_options: vec![
                "uploadpack.allowFilter=true".to_owned(),
                "uploadpack.allowAnySHA1InWant=true".to_owned(),
            ],
            scim: Scim::default(),
            log: Log::default(),
        }
    }
}

/// `gatehouse.scim:`, provisioning by identity providers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Scim {
    /// Whether groups may have SAML, and with it SCIM.
    pub groups: bool,
    /// Whether this installation has SAML, and with it SCIM for all its users.
    pub instance: bool,
    /// Whether the licence covers SCIM for the installation.
    pub licensed: bool,
    /// Whether a token may stand in the query, as `access_token` or `bearer_token`.
    pub token_in_query: bool,
}

impl Default for Scim {
    fn default() -> Self {
        Self { groups: true, instance: true, licensed: true, token_in_query: true }
    }
}

/// `gatehouse.database:`, where and how much.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// The PostgreSQL database, as a URL. `DATABASE_URL` in the environment is another name of this key.
    #[schemars(
        with = "String",
        regex(pattern = r"^postgres(ql)?://"),
        extend("examples" = ["postgres://gatehouse@localhost/gatehouse"])
    )]
    pub url: SecretString,
    /// Connections of each area at most, besides those of `access_connections`. Whoever uses up an area's waits alone.
    pub connections: Connections,
    /// Connections that answer `/allowed` alone. Attempts gather while all of them are busy.
    #[schemars(range(min = 1, max = 64))]
    pub access_connections: u32,
    /// Seconds that a request waits for the database before it is answered 503.
    #[schemars(range(min = 1, max = 60))]
    pub acquire_timeout: u32,
    /// Seconds after which PostgreSQL gives up a statement.
    #[schemars(range(min = 1, max = 3600))]
    pub statement_timeout: u32,
    /// Seconds that a statement waits for what another transaction holds before it is answered 503.
    #[schemars(range(min = 1, max = 3600))]
    pub lock_timeout: u32,
}

/// `gatehouse.database.connections:`, a budget for each area. Small ones are faster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// What gitlab-shell looks up beside `/allowed`, and the credentials that users ask for over SSH.
    #[schemars(range(min = 1, max = 1000))]
    pub lookups: u32,
    /// The rules, counters and reports of pushes.
    #[schemars(range(min = 1, max = 1000))]
    pub pushes: u32,
    /// Administrators and CustomersDot.
    #[schemars(range(min = 1, max = 1000))]
    pub provisioning: u32,
    /// Identity providers.
    #[schemars(range(min = 1, max = 1000))]
    pub scim: u32,
    /// The Kubernetes agent server; two of them write its reports of usage.
    #[schemars(range(min = 3, max = 1000))]
    pub kubernetes: u32,
    /// What the server does by itself, beside the queue of jobs.
    #[schemars(range(min = 1, max = 1000))]
    pub upkeep: u32,
}

impl Default for Connections {
    fn default() -> Self {
        Self { lookups: 4, pushes: 4, provisioning: 3, scim: 3, kubernetes: 4, upkeep: 2 }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "postgres://gatehouse@localhost/gatehouse".into(),
            connections: Connections::default(),
            access_connections: 2,
            acquire_timeout: 3,
            statement_timeout: 30,
            lock_timeout: 5,
        }
    }
}

impl Database {
    /// How long a request waits for the database.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout.into())
    }
}

/// `gatehouse.limits:`, the bounds of a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request's body at most, where `push_body_bytes` does not apply.
    #[schemars(range(min = 1024))]
    pub body_bytes: usize,
    /// Bytes of a body that lists the refs of a push, at most. A ref takes about 100 bytes.
    #[schemars(range(min = 1024))]
    pub push_body_bytes: usize,
    /// Bytes that the bodies of all requests under way may have together; further ones are answered 503.
    #[schemars(range(min = 1024))]
    pub bodies_bytes: usize,
    /// Client connections at once, at most; further ones wait to be accepted.
    #[schemars(range(min = 1, max = 100_000))]
    pub connections: usize,
    /// Of these, connections from one address, at most; further ones are closed. An address of IPv6 is a /64.
    #[schemars(range(min = 1, max = 100_000))]
    pub connections_per_peer: usize,
    /// Addresses, or networks, that may have all connections: this machine, and proxies in front of us. Whoever comes by
    /// the Unix socket may too.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>", extend("examples" = [["10.0.0.0/8"]]))]
    pub exempt_peers: Vec<IpNet>,
    /// Seconds that a client may take to send the head of a request; and to begin the next one, before its connection is
    /// closed.
    #[schemars(range(min = 1, max = 600))]
    pub header_timeout: u32,
    /// Seconds that a client may take to send the body of a request; each 64 KiB that arrive give it one more.
    #[schemars(range(min = 1, max = 600))]
    pub body_timeout: u32,
    /// Seconds that a client may take to read an answer.
    #[schemars(range(min = 1, max = 600))]
    pub write_timeout: u32,
    /// Seconds that a request may take as a whole.
    #[schemars(range(min = 1, max = 300))]
    pub request_timeout: u32,
    /// Seconds that the checks of a push's ref updates may take, what Gitaly is asked for them included.
    #[schemars(range(min = 1, max = 290))]
    pub push_check_timeout: u32,
    /// Seconds in which the server ends when it is asked to. Requests under way are given nine tenths of them.
    #[schemars(range(min = 0, max = 600))]
    pub drain_timeout: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            push_body_bytes: 256 << 20,
            bodies_bytes: 512 << 20,
            connections: 10_000,
            connections_per_peer: 1_000,
            exempt_peers: [(IpAddr::from([127, 0, 0, 0]), 8), (Ipv6Addr::LOCALHOST.into(), 128)]
                .map(|(address, prefix)| IpNet::new_assert(address, prefix))
                .to_vec(),
            header_timeout: 30,
            body_timeout: 30,
            write_timeout: 30,
            request_timeout: 60,
            push_check_timeout: 50,
            drain_timeout: 30,
        }
    }
}

/// Networks as CIDR has them; an address alone is a network of one.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let mistake = |text| format!("gatehouse.limits.exempt_peers: {text} is no network, for example 10.0.0.0/8");
    let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    texts.iter().map(|text| network(text).map_err(|_| D::Error::custom(mistake(text)))).collect()
}

/// `gatehouse.jobs:`, the queue and those who work on it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Jobs {
    /// Jobs that this server works on at once, deliveries to web hooks aside; 0 leaves all work to other servers.
    #[schemars(range(min = 0, max = 256))]
    pub concurrency: u16,
    /// Seconds without a sign of life after which a server counts as dead, and others take over its jobs.
    #[schemars(range(min = 1, max = 3600))]
    pub takeover_timeout: u32,
    /// Days that a job which has failed for good is kept for an operator to look at.
    #[schemars(range(min = 1, max = 3650))]
    pub keep_dead: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { concurrency: 4, takeover_timeout: 30, keep_dead: 14 }
    }
}

/// `gatehouse.features:`, licensed features by GitLab's names for them.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Features {
    /// Agents report vulnerabilities.
    pub security_dashboard: bool,
    /// Policies say when agents scan.
    pub security_orchestration_policies: bool,
    /// Agents report alerts.
    pub cilium_alerts: bool,
    /// Clusters take users for themselves, not for the agent.
    pub cluster_agents_user_impersonation: bool,
    /// kas dials agents.
    pub cluster_receptive_agents: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            security_dashboard: true,
            security_orchestration_policies: true,
            cilium_alerts: true,
            cluster_agents_user_impersonation: true,
            cluster_receptive_agents: true,
        }
    }
}

/// `gatehouse.kas:`, what agents of Kubernetes clusters may report.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kas {
    /// Vulnerabilities that a project may have at most.
    #[schemars(range(min = 1))]
    pub vulnerabilities_per_project: u32,
    /// What the ids of findings are made in. The default is GitLab's own: the same finding has the same id there.
    #[schemars(
        with = "String",
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
        extend("examples" = ["58dc0f06-936c-43b3-93bb-71693f1b6570"])
    )]
    pub vulnerability_namespace: Uuid,
}

impl Default for Kas {
    fn default() -> Self {
        Self {
            vulnerabilities_per_project: 1_000_000,
            vulnerability_namespace: uuid::uuid!("58dc0f06-936c-43b3-93bb-71693f1b6570"),
        }
    }
}

/// `gatehouse.customers_dot:`, CustomersDot that sells subscriptions and signs its requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CustomersDot {
    /// Where CustomersDot is; it names its keys below `/.well-known/openid-configuration`. Null for no CustomersDot.
    #[schemars(regex(pattern = r"^https?://"), extend("examples" = ["https://customers.gitlab.com"]))]
    pub url: Option<String>,
    /// A file with CustomersDot's keys (a JSON Web Key Set), in place of asking CustomersDot for them.
    pub jwks_file: Option<PathBuf>,
    /// Seconds after which the keys are looked at again. A key that is not known is looked for sooner.
    #[schemars(range(min = 1, max = 86400))]
    pub refresh: u32,
}

impl Default for CustomersDot {
    fn default() -> Self {
        Self { url: None, jwks_file: None, refresh: 3600 }
    }
}

/// `gatehouse.log:`, what is logged and how.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Lines for people, or one JSON object a line.
    pub format: LogFormat,
    /// The least level logged, or a filter such as `info,sqlx=warn`.
    #[schemars(length(min = 1), extend("examples" = ["info"]))]
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The two shapes of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Settings {
    /// The settings that the file's text and the environment together make.
    ///
    /// A key is overridden by the variable that spells it in capitals with two underscores for each dot:
    /// `GITLAB_SHELL__SECRET_FILE`, `REPOSITORIES__STORAGES__DEFAULT__GITALY_ADDRESS`, `GATEHOUSE__LISTEN`.
    /// GitLab's own files keep everything below `production:`; such a file is read as it is.
    ///
    /// # Errors
    /// Every mistake of both sources, sorted by key.
    pub fn load(file: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Problem>> {
        let mut value = document::read(file).map_err(|mistake| vec![mistake])?;
        if let Some(production @ Value::Object(_)) = value.get_mut("production") {
            value = production.take();
        }
        if !value.is_object() {
            return Err(vec![Problem::new("", "the settings must be a mapping of sections")]);
        }
        without_empty_sections(&mut value);
        let schema = document::schema_of::<Self>();
        let mut mistakes = override_with(&mut value, environment, &schema);
        match document::check::<Self>(&value) {
            Ok(settings) if mistakes.is_empty() => settings.coherent(),
            Ok(_) => Err(mistakes),
            Err(more) => {
                mistakes.extend(more);
                mistakes.sort();
                Err(mistakes)
            }
        }
    }

    /// The Gitaly token of a storage.
    #[must_use]
    pub fn gitaly_token<'a>(&'a self, storage: &'a Storage) -> Option<&'a SecretString> {
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

    fn coherent(self) -> Result<Self, Vec<Problem>> {
        let mut mistakes = Vec::new();
        if self.gatehouse.listen.is_none() && self.gatehouse.socket.is_none() {
            mistakes
                .push(Problem::new("gatehouse.listen", "null, and so is gatehouse.socket: nothing would be served"));
        }
        if self.gatehouse.customers_dot.jwks_file.is_some() && self.gatehouse.customers_dot.url.is_none() {
            mistakes.push(Problem::new(
                "gatehouse.customers_dot.url",
                "is missing: it is the issuer of CustomersDot's tokens",
            ));
        }
        let limits = &self.gatehouse.limits;
        if limits.bodies_bytes < limits.push_body_bytes.max(limits.body_bytes) {
            let mistake = "must be at least body_bytes and push_body_bytes, or no such body could be taken";
            mistakes.push(Problem::new("gatehouse.limits.bodies_bytes", mistake));
        }
        if self.gatehouse.log.level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            mistakes
                .push(Problem::new("gatehouse.log.level", "must be a level or a filter, for example info,sqlx=warn"));
        }
        for (name, storage) in &self.repositories.storages {
            if storage.gitaly_address.is_none() {
                let place = format!("repositories.storages.{name}.gitaly_address");
                mistakes.push(Problem::new(place, "is missing, for example tcp://127.0.0.1:8075"));
            }
        }
        if mistakes.is_empty() { Ok(self) } else { Err(mistakes) }
    }
}

/// In YAML a section with no keys under it is null; it means the defaults.
fn without_empty_sections(value: &mut Value) {
    if let Value::Object(sections) = value {
        sections.retain(|_, section| !section.is_null());
        for key in ["gatehouse", "repositories"] {
            if let Some(Value::Object(section)) = sections.get_mut(key) {
                let optional = ["listen", "socket", "metrics_listen"];
                section.retain(|name, inner| !inner.is_null() || optional.contains(&name.as_str()));
            }
        }
    }
}

fn override_with(
    value: &mut Value,
    environment: impl IntoIterator<Item = (String, String)>,
    schema: &Value,
) -> Vec<Problem> {
    let mut mistakes = Vec::new();
    for (name, text) in environment {
        let path = match name.as_str() {
            "DATABASE_URL" => "gatehouse.database.url".to_owned(),
            name if name.contains("__") => name.to_lowercase().replace("__", "."),
            _ => continue,
        };
        let keys: Vec<&str> = path.split('.').collect();
        match schema_at(schema, &keys) {
            Some(leaf) => put(value, &keys, typed(&text, leaf)),
            None if keys[0] == "gatehouse" => {
                mistakes.push(Problem::new(name, "no such setting; see `gatehouse` in config/gitlab.yml"));
            }
            // Variables of other programs, and keys of GitLab's that mean nothing to us.
            None => {}
        }
    }
    mistakes
}

fn schema_at<'a>(schema: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(schema, |node, key| {
        let known = &node["properties"][key];
        let any = &node["additionalProperties"];
        [known, any].into_iter().find(|node| node.is_object())
    })
}

/// The variable's text as the type that its key has.
fn typed(text: &str, leaf: &Value) -> Value {
    let is = |name: &str| match &leaf["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    };
    if text.is_empty() && is("null") {
        return Value::Null;
    }
    let parsed = || serde_json::from_str::<Value>(text).ok();
    let taken = if is("boolean") || is("integer") || is("array") { parsed() } else { None };
    taken.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn put(value: &mut Value, keys: &[&str], leaf: Value) {
    let (last, sections) = keys.split_last().expect("a split text has a part");
    let mut node = value;
    for key in sections {
        if !node[*key].is_object() {
            node[*key] = Value::Object(Map::new());
        }
        node = &mut node[*key];
    }
    node[*last] = leaf;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Settings::load(file, environment).map_err(|mistakes| mistakes.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn the_commented_file_equals_the_defaults() {
        let file = load(include_str!("../config/gitlab.yml"), &[]).unwrap();
        // The file shows one storage, because an installation without one serves nobody.
        let defaults = Settings { repositories: file.repositories.clone(), ..Settings::default() };
        assert_eq!(format!("{file:?}"), format!("{defaults:?}"));
    }

    #[test]
    fn the_commented_file_names_every_key() {
        fn keys(node: &Value, out: &mut Vec<String>) {
            for (name, node) in node["properties"].as_object().into_iter().flatten() {
                out.push(name.clone());
                keys(node, out);
                keys(&node["additionalProperties"], out);
            }
        }
        let mut names = Vec::new();
        keys(&document::schema_of::<Settings>(), &mut names);
        let file = include_str!("../config/gitlab.yml");
        let missing: Vec<_> = names.iter().filter(|name| !file.contains(&format!("{name}:"))).collect();
        assert!(missing.is_empty(), "config/gitlab.yml does not mention {missing:?}");
    }

    #[test]
    fn a_file_of_gitlabs_own_is_read_below_production() {
        let file = "production: &base\n  gitlab: {host: git.example.com, https: true, port: 443, email_enabled: true}\n  \
                    omniauth: {providers: }\n  repositories:\n    storages:\n      default: {path: /x, gitaly_address: 'unix:/g.sock'}\n\
                    test:\n  <<: *base\n  gitlab: {host: test}\n";
        let settings = load(file, &[]).unwrap();
        assert_eq!(settings.gitlab.url(), "https://git.example.com");
        assert_eq!(settings.repositories.storages["default"].gitaly_address.as_deref(), Some("unix:/g.sock"));
    }

    #[test]
    fn every_key_can_be_overridden_by_the_environment() {
        let environment = [
            ("GITLAB__RELATIVE_URL_ROOT", "gitlab/"),
            ("GITLAB__PORT", "3001"),
            ("REPOSITORIES__STORAGES__DEFAULT__GITALY_ADDRESS", "tcp://127.0.0.1:8075"),
            ("REPOSITORIES__STORAGES__DEFAULT__GITALY_TOKEN", "12345"),
            ("GATEHOUSE__LISTEN", ""),
            ("GATEHOUSE__SOCKET", "/tmp/gatehouse.socket"),
            ("GATEHOUSE__GIT_CONFIG_OPTIONS", "[]"),
            ("DATABASE_URL", "postgres://db/x"),
            ("SOMEBODY__ELSE", "1"),
        ];
        let settings = load("", &environment).unwrap();
        assert_eq!(settings.gitlab.url(), "http://localhost:3001/gitlab");
        assert_eq!(settings.gatehouse.listen, None);
        assert!(settings.gatehouse.git_config_options.is_empty());
        assert!(!format!("{settings:?}").contains("12345"), "a token was printed");
    }

    #[test]
    fn networks_are_cidr_or_addresses() {
        let peers = |list: &str| load(&format!("gatehouse: {{limits: {{exempt_peers: {list}}}}}"), &[]);
        let networks = peers("[10.0.0.0/8, 192.0.2.7]").unwrap().gatehouse.limits.exempt_peers;
        assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32"].map(|network| network.parse().unwrap()));
        let mistakes = peers("[example.com]").unwrap_err();
        assert!(mistakes[0].contains("exempt_peers: example.com is no network"), "{mistakes:?}");
    }

    #[test]
    fn there_is_room_for_the_largest_body() {
        let mistakes = load("gatehouse: {limits: {bodies_bytes: 2000000}}", &[]).unwrap_err();
        assert!(mistakes[0].starts_with("gatehouse.limits.bodies_bytes: must be at least"), "{mistakes:?}");
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let file = "gitlab: {port: http}\ngatehouse:\n  lisetn: 1\n  log: {format: xml}\n  database: {url: mysql://x, connections: {lookups: 0}}\n\
                    repositories: {storages: {default: {gitaly_address: /just/a/path}}}\n";
        let mistakes =
            load(file, &[("GATEHOUSE__NO_SUCH", "1"), ("GATEHOUSE__LIMITS__CONNECTIONS", "many")]).unwrap_err();
        insta::assert_snapshot!(mistakes.join("\n"), @r"
        GATEHOUSE__NO_SUCH: no such setting; see `gatehouse` in config/gitlab.yml
        gatehouse.database.connections.lookups: must be at least 1
        gatehouse.database.url: must match ^postgres(ql)?://, for example postgres://gatehouse@localhost/gatehouse
        gatehouse.limits.connections: must be integer
        gatehouse.lisetn: unknown key; did you mean `listen`?
        gatehouse.log.format: must be text or json
        gitlab.port: must be integer, for example 443
        repositories.storages.default.gitaly_address: must match ^(unix:|tcp://|tls://|dns:|dns\+tls:).+, for example unix:/var/opt/gitlab/gitaly/gitaly.socket
        ");
    }
}
