//! `gatehouse apply`: a file per noun, and here what holds for all of them.

use chrono::{DateTime, TimeZone, Utc};
use gatehouse::clock::Clock;
use gatehouse::config::Settings;
use gatehouse::document::reconcile::{ApplyFailure, apply};
use gatehouse::document::report::ApplyReport;
use gatehouse::document::sources::ApplySources;
use gatehouse::gitaly::GitalyClient;
use serde_json::json;
use sqlx::PgPool;

use crate::support::TestGitaly;

mod agents;
mod export;
mod groups;
mod projects;
mod purchases;
mod push_rules;
mod saml_group_links;
mod scim;
mod sets;
mod settings;
mod subscriptions;
mod tokens;
mod users;

/// Every run happens now.
pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap()
}

async fn run(pool: &PgPool, document: &str, dry_run: bool) -> Result<ApplyReport, ApplyFailure> {
    let environment = |name: &str| (name == "TOKEN").then(|| "glpat-from-the-environment".to_owned());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/apply");
    let sources = ApplySources::new(environment, folder);
    let mut conn = pool.acquire().await.unwrap();
    let db_key_base = "0123456789abcdef0123456789abcdefREST-IS-NOT-SALT".into();
    apply(&mut conn, document, &sources, &db_key_base, now(), dry_run).await
}

/// Applies the document twice: the answer is the first report, and the second must have nothing to do.
pub async fn applied(pool: &PgPool, document: &str) -> ApplyReport {
    let report = run(pool, document, false).await.unwrap_or_else(|failure| panic!("{failure}"));
    let again = run(pool, document, false).await.unwrap_or_else(|failure| panic!("{failure}"));
    let said: Vec<_> = again.lines().iter().filter(|line| !line.starts_with("! repository of ")).collect();
    assert_eq!((said, again.changes()), (Vec::<&String>::new(), 0), "the second run found something to do");
    report
}

/// What is wrong with the document, a line each.
pub async fn refused(pool: &PgPool, document: &str) -> String {
    match run(pool, document, false).await {
        Err(ApplyFailure::Problems(mistakes)) => {
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Err(failure) => panic!("{failure}"),
        Ok(report) => panic!("applied: {:#?}", report.lines()),
    }
}

/// The rows of a query with one text column, a line each.
pub async fn rows(pool: &PgPool, query: &'static str) -> String {
    sqlx::query_scalar::<_, Option<String>>(query)
        .fetch_all(pool)
        .await
        .unwrap()
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A public key that `ssh-keygen` makes now.
pub fn fresh_key(kind: &str, bits: &str) -> String {
    let file = std::env::temp_dir().join(format!("gatehouse-key-{}-{kind}-{bits}", uuid::Uuid::new_v4()));
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", "made now", "-t", kind, "-b", bits, "-f"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success(), "ssh-keygen made no {kind}");
    let public = file.with_extension("pub");
    let text = std::fs::read_to_string(&public).unwrap();
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(public).unwrap();
    text.trim().to_owned()
}

pub const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9Kz3dOa9o36qMmtTs+n51FI2XAuJi5CC/2gHeqFVQ5";

pub const DEMO: &str = include_str!("../../../config/demo.yml");

#[sqlx::test]
async fn the_demo_applies_twice(pool: PgPool) {
    let report = applied(&pool, DEMO).await;
    assert_eq!(report.to_json()["projects"]["gnuwget/wget2"]["id"], 3);
    assert_eq!(report.to_json()["users"]["rubi"]["keys"]["laptop"]["id"], 7);
    assert!(report.lines().contains(&"+ user rubi".to_owned()));
    let authorizations = "
        select users.username || ' ' || routes.path || ' ' || access_level
        from project_authorizations
        join users on users.id = user_id
        join routes on routes.source_type = 'Project' and routes.source_id = project_id
        order by 1";
    insta::assert_snapshot!(rows(&pool, authorizations).await, @r"
    dana acme/platform/web 40
    dana gnuwget/wget2 30
    rubi acme/platform/web 20
    rubi gnuwget/wget2 50
    rubi rubi/errors 50
    ");
}

#[sqlx::test]
async fn a_dry_run_reports_the_same_and_changes_nothing(pool: PgPool) {
    let token = "users: [{username: rubi, email: r@example.com, personal_access_tokens: [{name: ci, scopes: [api]}]}]";
    let report = run(&pool, token, true).await.unwrap();
    assert_eq!(report.lines(), ["+ user rubi", "+ token ci of rubi"]);
    assert_eq!(report.summary(), "2 changes, not made: this was a dry run");
    let named = report.to_json();
    assert_eq!(named["users"]["rubi"]["personal_access_tokens"]["ci"]["token"], json!(null));
    assert_eq!(rows(&pool, "select username from users").await, "");
    assert_eq!(rows(&pool, "select path from routes").await, "");
}

#[sqlx::test]
async fn all_mistakes_are_reported_at_once_and_nothing_is_applied(pool: PgPool) {
    let document = format!(
        "
users:
  - {{username: rubi, email: r@example.com}}
  - {{username: dana, email: R@example.com}}
  - {{username: eve, keys: [{{key: nonsense}}]}}
  - {{username: mallory, email: m@example.com, keys: [{{title: x, key: 'ssh-ed25519 AAAA'}}]}}
  - {{username: Rubi, email: other@example.com}}
groups:
  - {{path: acme, members: {{rubi: owner, rubbi: developer, dana: guest}}, shared_with: {{nobody: guest}}}}
  - {{path: acme/a b}}
  - {{path: missing/sub}}
  - {{path: root, ip_allowlist: [10.0.0.0/99]}}
  - {{path: acme/inner, visibility: public, saml: {{enabled: true}}}}
projects:
  - {{path: web, members: {{nobody: guest}}}}
  - {{path: acme/web, visibility: internal, members: {{rubi: {{level: developer, expires_at: 2027-02-30}}}}}}
  - {{path: acme/api, protected_branches: [{{name: main, push: ['deploy_key:builder', 'user:nobody']}}]}}
  - {{path: rubi/x, deploy_keys: [{{title: builder, key: '{KEY}', owner: nobody}}]}}
"
    );
    insta::assert_snapshot!(refused(&pool, &document).await, @"
    groups[0].members.rubbi: there is no user rubbi; did you mean `rubi`?
    groups[0].shared_with.nobody: there is no group nobody
    groups[1].path: may only have letters, digits, `_`, `-` and `.`, and starts with a letter, a digit or `_`
    groups[2].path: there is no group missing
    groups[3].ip_allowlist[0]: must be an address or a range of addresses, for example 10.0.0.0/8
    groups[4].saml: is for root groups: it holds for everything in them
    groups[4].visibility: must be at most private, as that of the group around it
    projects[0].members.nobody: there is no user nobody
    projects[0].path: has no namespace; a project is in a group or with a user, for example acme/web
    projects[1].members.rubi.expires_at: is not in the calendar; write a date such as 2027-01-31
    projects[1].visibility: must be at most private, as that of the group around it
    projects[2].protected_branches[0].push[0]: the project has no deploy key builder
    projects[2].protected_branches[0].push[1]: there is no user nobody
    projects[3].deploy_keys[0].owner: there is no user nobody
    users[1].email: is an address of user rubi
    users[2]: email is missing, which a new user needs
    users[2].keys[0].key: is not a public key in OpenSSH's format: type, base64 and an optional comment
    users[3].keys[0].key: is not a public key in OpenSSH's format: type, base64 and an optional comment
    users[4].username: rubi is that of users[0] as well
    ");
    assert_eq!(rows(&pool, "select username from users").await, "");
}

#[sqlx::test]
async fn unknown_keys_and_words_are_mistakes_with_suggestions(pool: PgPool) {
    let document = "
usres: []
users:
  - {username: rubi, emial: r@example.com, state: sleeping, nickname: x}
projects:
  - {path: a/b, visibility: secret, protected_branches: [{name: main, push: [everybody]}], zebras: []}
";
    insta::assert_snapshot!(refused(&pool, document).await, @"
    projects[0].protected_branches[0].push[0]: must match ^(none|developer|maintainer|admin|user:.+|group:.+|deploy_key:.+)$, for example maintainer
    projects[0].visibility: must be one of private, internal, public
    projects[0].zebras: unknown key; known here: access_tokens, agents, archived, creator, default_branch, deploy_keys, deploy_tokens, description, ensure, error_tracking, features, forked_from, hidden, hooks, id, lfs_enabled, members, merge_requests, name, path, printing_merge_request_link_enabled, protected_branches, protected_tags, push_rules, repository, repository_read_only, repository_size_limit, security_policies, shared_with, storage, visibility, wiki_repository
    users[0].emial: unknown key; did you mean `email`?
    users[0].nickname: unknown key; known here: admin, auditor, confirmed, email, emails, ensure, enterprise_group, external, id, identities, keys, name, oauth_tokens, password, personal_access_tokens, projects_limit, state, terms_accepted, two_factor, username
    users[0].state: must be one of active, blocked, deactivated, banned, ldap_blocked, blocked_pending_approval
    usres: unknown key; did you mean `users`?
    ");
}

#[sqlx::test]
async fn broadcast_messages_and_plans_come_change_and_go(pool: PgPool) {
    let lines = applied(
        &pool,
        "
plans: [{name: start, title: Start}, {name: free, title: free}]
broadcast_messages: [{message: 'Maintenance at 22:00 UTC <soon>', target_path: 'gnuwget/*'}]
",
    )
    .await;
    assert_eq!(lines.lines(), ["+ plan start", "+ broadcast message \"Maintenance at 22:00 UTC <soon>\""]);
    assert_eq!(
        rows(&pool, "select message_html || ' ' || show_in_cli || ' ' || starts_at::date || ' ' || ends_at::date from broadcast_messages").await,
        "<p>Maintenance at 22:00 UTC &lt;soon&gt;</p> true 2026-11-21 3000-01-01"
    );
    let lines = applied(
        &pool,
        "
plans: [{name: start, ensure: absent}, {name: free, title: Free}]
broadcast_messages:
  - {message: 'Maintenance at 22:00 UTC <soon>', show_in_cli: false, ends_at: '2027-01-01T00:00:00+01:00'}
",
    )
    .await;
    assert_eq!(
        lines.lines(),
        [
            "- plan start",
            "~ plan free title free → Free",
            "~ broadcast message \"Maintenance at 22:00 UTC <soon>\" ends_at 3000-01-01 00:00:00 → 2026-12-31 23:00:00, show_in_cli true → false",
        ]
    );
    let gone = "broadcast_messages: [{message: 'Maintenance at 22:00 UTC <soon>', ensure: absent}]";
    assert_eq!(applied(&pool, gone).await.changes(), 1);
}

#[test]
fn the_schema_knows_the_whole_document() {
    let schema = gatehouse::document::schema_of::<gatehouse::document::state::StateDocument>();
    let nouns: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        nouns,
        [
            "add_on_purchases",
            "broadcast_messages",
            "groups",
            "hooks",
            "minutes_packs",
            "plans",
            "projects",
            "reconciliations",
            "scim_identities",
            "settings",
            "snippets",
            "storage_exclusions",
            "subscriptions",
            "users"
        ]
    );
}

#[sqlx::test]
async fn hooks_come_change_and_go_and_their_secrets_are_not_shown(pool: PgPool) {
    let document = |more: &str| {
        format!(
            "users: [{{username: rubi, email: rubi@example.com}}]\n\
             groups: [{{path: acme, hooks: [{{url: 'https://ci.example.com/group'}}]}}]\n\
             projects:\n  - path: acme/web\n    repository: present\n    hooks:\n      \
             - {{url: 'https://ci.example.com/x?key=hidden', token: sesame{more}}}\n\
             hooks: [{{url: 'http://all.example.com', push_events: false, tag_push_events: true}}]\n"
        )
    };
    let lines = async |more: &str| applied(&pool, &document(more)).await.lines().join("\n");
    let added = lines("").await;
    assert!(added.contains("+ hook ci.example.com of acme/web"), "{added}");
    assert!(!added.contains("hidden") && !added.contains("sesame"), "{added}");
    let changed = lines(", push_events_branch_filter: 'release/*'").await;
    assert_eq!(changed, "~ hook ci.example.com of acme/web");
    let told = lines(", push_events_branch_filter: 'release/*', alert_events: true").await;
    assert_eq!(told, "~ hook ci.example.com of acme/web");
    let of_alerts: i64 =
        sqlx::query_scalar("select count(*) from web_hooks where alert_events").fetch_one(&pool).await.unwrap();
    assert_eq!(of_alerts, 1);
    assert_eq!(lines(", ensure: absent").await, "- hook ci.example.com of acme/web");
    let left: i64 = sqlx::query_scalar("select count(*) from web_hooks").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 2);
}

#[sqlx::test]
async fn a_second_factor_comes_changes_and_goes(pool: PgPool) {
    let with =
        |two_factor: &str| format!("users: [{{username: rubi, email: rubi@example.com, two_factor: {two_factor}}}]");
    let lines = async |two_factor: &str| applied(&pool, &with(two_factor)).await.lines().join("\n");
    assert!(lines("{otp_secret: JBSWY3DPEHPK3PXP}").await.contains("+ second factor of rubi"));
    let stored = "select otp_required_for_login::text || ' ' || left(encrypted_otp_secret, 12) from users";
    assert_eq!(rows(&pool, stored).await, "true gatehouse-1:");
    assert_eq!(lines("{otp_secret: JBSWY3DPEHPK3PXQ}").await, "~ second factor of rubi");
    assert_eq!(lines("null").await, "- second factor of rubi");
    assert!(
        refused(&pool, &with("{otp_secret: '1'}")).await.starts_with("users[0].two_factor.otp_secret: must be base32")
    );
}

#[sqlx::test]
async fn a_new_project_gets_its_repository_where_its_storage_answers(pool: PgPool) {
    let mut gitaly = TestGitaly::start();
    let settings = Settings::load(&gitaly.settings(), []).unwrap();
    let client = GitalyClient::new(&settings, &Clock::system()).unwrap();
    let apply_once = async |document: &str| {
        let sources = ApplySources::new(|_| None, ".".into()).with_gitaly(client.clone());
        let mut conn = pool.acquire().await.unwrap();
        apply(&mut conn, document, &sources, &"db-key-base".into(), now(), false).await.unwrap().lines().join("\n")
    };
    let first = "groups: [{path: acme}]\nprojects: [{path: acme/one, default_branch: trunk}]";
    assert!(apply_once(first).await.contains("+ repository of acme/one"));
    assert_eq!(gitaly.methods(), ["CreateRepository"]);
    gitaly.stop();
    let second = apply_once("projects: [{path: acme/two}, {path: acme/three}]").await;
    assert!(second.contains("! repository of acme/two was not created: Gitaly is not available"), "{second}");
    assert!(second.contains("! repository of acme/three was not created: storage default gave no answer"), "{second}");
    assert_eq!(rows(&pool, "select count(*)::text from project_repositories").await, "1");
}
