//! The file and the environment become settings, or all that is wrong with them.

use serde_json::Value;

use super::*;
use crate::document::{self, Problem};

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Settings::load(file, environment).map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

#[test]
fn the_commented_file_equals_the_defaults() {
    let file = load(include_str!("../../config/gitlab.yml"), &[]).unwrap();
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
    let file = include_str!("../../config/gitlab.yml");
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
        ("GATEHOUSE__TRACING__SAMPLE_RATIO", "0.25"),
        ("DATABASE_URL", "postgres://db/x"),
        ("SOMEBODY__ELSE", "1"),
    ];
    let settings = load("", &environment).unwrap();
    assert_eq!(settings.gitlab.url(), "http://localhost:3001/gitlab");
    assert_eq!(settings.gatehouse.listen, None);
    assert!(settings.gatehouse.git_config_options.is_empty());
    assert_eq!(format!("{:?}", settings.gatehouse.tracing.sample_ratio), "0.25");
    assert!(!format!("{settings:?}").contains("12345"), "a token was printed");
}

#[test]
fn networks_are_cidr_or_addresses() {
    let peers = |list: &str| load(&format!("gatehouse: {{limits: {{exempt_peers: {list}}}}}"), &[]);
    let networks = peers("[10.0.0.0/8, 192.0.2.7]").unwrap().gatehouse.limits.exempt_peers;
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32"].map(|network| network.parse().unwrap()));
    let problems = peers("[example.com]").unwrap_err();
    assert!(problems[0].contains("example.com is no network"), "{problems:?}");
}

#[test]
fn there_is_room_for_the_largest_body() {
    let problems = load("gatehouse: {limits: {bodies_bytes: 2000000}}", &[]).unwrap_err();
    assert!(problems[0].starts_with("gatehouse.limits.bodies_bytes: must be at least"), "{problems:?}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let file = "gitlab: {port: http}\ngatehouse:\n  lisetn: 1\n  log: {format: xml}\n  database: {url: mysql://x, connections: {lookups: 0}}\n\
                repositories: {storages: {default: {gitaly_address: /just/a/path}}}\n";
    let problems = load(file, &[("GATEHOUSE__NO_SUCH", "1"), ("GATEHOUSE__LIMITS__CONNECTIONS", "many")]).unwrap_err();
    insta::assert_snapshot!(problems.join("\n"), @r"
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

#[test]
fn no_other_protocol_than_s3_is_spoken() {
    let said = |keys: &str| {
        let store = format!("lfs: {{object_store: {{enabled: true, remote_directory: x, connection: {{{keys}}}}}}}");
        load(&store, &[]).map_or_else(|problems| problems.join("; "), |_| String::new())
    };
    assert_eq!(said("aws_access_key_id: a, aws_secret_access_key: b, provider: AWS"), "");
    assert_eq!(said("use_iam_profile: true"), "");
    let refused = "lfs.object_store.connection.provider: must be AWS: no other protocol than S3 is spoken";
    assert_eq!(said("aws_access_key_id: a, aws_secret_access_key: b, provider: Google"), refused);
    for keys in
        ["", "aws_access_key_id: a", "aws_access_key_id: a, aws_secret_access_key: b, aws_secret_access_key_file: c"]
    {
        assert!(said(keys).starts_with("lfs.object_store.connection.aws_access_key_id: is needed"), "{keys}");
    }
    assert!(said("use_iam_profile: true, aws_access_key_id: a").contains("use_iam_profile: takes credentials"));
    // What is switched off may be anything.
    assert!(load("lfs: {object_store: {connection: {provider: Google, google_project: x}}}", &[]).is_ok());
}
