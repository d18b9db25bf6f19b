//! `gatehouse export`: what it prints, and that applying it changes nothing.

use std::fmt::Write;

use gatehouse::document::export::{ExportFailure, ExportSelection, export};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sqlx::PgPool;

use super::{DEMO, KEY, applied, fresh_key, rows, run};

async fn exported(pool: &PgPool, selection: &ExportSelection) -> Result<String, ExportFailure> {
    let mut conn = pool.acquire().await.unwrap();
    export(&mut conn, selection).await
}

/// What the exported document would change: nothing, or the lines that say what.
async fn changes_of_export(pool: &PgPool, selection: &ExportSelection) -> String {
    let document = exported(pool, selection).await.unwrap_or_else(|failure| panic!("{failure}"));
    let report = run(pool, &document, true).await.unwrap_or_else(|failure| panic!("{failure}\n{document}"));
    assert_eq!(report.summary() == "nothing to change", report.changes() == 0);
    if report.changes() == 0 { String::new() } else { format!("{}\n{document}", report.lines().join("\n")) }
}

#[sqlx::test]
async fn the_demo_comes_out_as_it_went_in(pool: PgPool) {
    applied(&pool, DEMO).await;
    assert_eq!(changes_of_export(&pool, &ExportSelection::default()).await, "");
    let document = exported(&pool, &ExportSelection::default()).await.unwrap();
    assert_eq!(document, exported(&pool, &ExportSelection::default()).await.unwrap(), "it is the same each time");
    for secret in rows(&pool, "select token_digest from personal_access_tokens").await.lines() {
        assert!(!document.contains(secret), "a digest was exported");
    }
    assert!(document.starts_with("# The state of a Gatehouse installation"));
}

const THREE: &str = "
users: [{username: rubi, id: 7, email: r@x}, {username: dana, email: d@x}]
groups:
  - {path: acme, id: 50, members: {rubi: owner}}
  - {path: acme/sub, id: 51, members: {dana: {level: developer, expires_at: 2027-01-01}}}
  - {path: other}
projects:
  - {path: acme/sub/web, id: 3, repository: present}
  - {path: other/api, id: 4, repository: absent}
";

#[sqlx::test]
async fn what_was_removed_comes_back_from_an_export(pool: PgPool) {
    applied(&pool, THREE).await;
    let document = exported(&pool, &ExportSelection::default()).await.unwrap();
    let gone = "
users: [{username: rubi, ensure: absent}, {username: dana, ensure: absent}]
groups: [{path: acme, ensure: absent}, {path: acme/sub, ensure: absent}, {path: other, ensure: absent}]
projects: [{path: acme/sub/web, ensure: absent}, {path: other/api, ensure: absent}]
";
    applied(&pool, gone).await;
    assert!(!exported(&pool, &ExportSelection::default()).await.unwrap().contains("acme"));
    applied(&pool, &document).await;
    assert_eq!(exported(&pool, &ExportSelection::default()).await.unwrap(), document);
}

#[sqlx::test]
async fn a_selection_holds_what_it_names_and_no_more(pool: PgPool) {
    applied(&pool, THREE).await;
    let of_group = ExportSelection { groups: vec!["ACME".to_owned()], ..ExportSelection::default() };
    let document = exported(&pool, &of_group).await.unwrap();
    let named: Vec<&str> = document.lines().map(str::trim).filter(|line| line.contains("path:")).collect();
    assert_eq!(named, ["path: acme", "path: acme/sub", "path: acme/sub/web"]);
    assert!(!document.contains("users:") && !document.contains("settings:"), "{document}");
    assert_eq!(changes_of_export(&pool, &of_group).await, "");
    let rest = ExportSelection {
        projects: vec!["other/api".to_owned()],
        users: vec!["rubi".to_owned()],
        ..ExportSelection::default()
    };
    let document = exported(&pool, &rest).await.unwrap();
    let named: Vec<&str> =
        document.lines().map(str::trim).filter(|line| line.contains("path:") || line.contains("username:")).collect();
    assert_eq!(named, ["path: other/api", "username: rubi"]);
    assert_eq!(changes_of_export(&pool, &rest).await, "");
}

#[sqlx::test]
async fn what_is_named_and_not_there_is_said(pool: PgPool) {
    applied(&pool, THREE).await;
    let selection = ExportSelection {
        groups: vec!["nowhere".to_owned(), "rubi".to_owned()],
        projects: vec!["acme".to_owned()],
        users: vec!["nobody".to_owned()],
    };
    insta::assert_snapshot!(exported(&pool, &selection).await.unwrap_err(), @"
    nothing was exported:
      --user: there is no user nobody
      --group: there is no group nowhere
      --group: there is no group rubi
      --project: there is no project acme
    ");
}

/// A random choice that shrinks to the first.
fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(words)
}

fn user(number: usize) -> impl Strategy<Value = String> {
    let fields = (
        any::<[bool; 5]>(),
        one_of(&["active", "blocked", "deactivated", "banned", "ldap_blocked", "blocked_pending_approval"]),
        one_of(&["Plain", "'yes'", "\"A: b # c\"", "'0x10'", "Ünïcode", "\"it's\"", "' lead'", "\"1e3\"", "'~'"]),
        0..3_usize,
        one_of(&["", ", expires_at: 2027-03-01", ", expires_at: null"]),
        one_of(&["api", "read_user", "sudo"]),
    );
    fields.prop_map(move |(flags, state, name, emails, expiry, scope)| {
        let [admin, auditor, external, confirmed, terms] = flags;
        let emails: Vec<String> =
            (0..emails).map(|n| format!("{{email: u{number}.{n}@home.example, confirmed: {confirmed}}}")).collect();
        format!(
            "  - {{username: user{number}, email: user{number}@example.com, name: {name}, admin: {admin}, auditor: {auditor}, \
             external: {external}, confirmed: {confirmed}, state: {state}, terms_accepted: {terms}, \
             emails: [{}], identities: [{{provider: kerberos, extern_uid: u{number}@EXAMPLE.COM}}], \
             personal_access_tokens: [{{name: ci, scopes: [{scope}]{expiry}}}], \
             oauth_tokens: [{{application: ide, scopes: [{scope}]}}]}}\n",
            emails.join(", ")
        )
    })
}

fn group(number: usize, users: usize) -> impl Strategy<Value = String> {
    let fields = (
        any::<[bool; 4]>(),
        one_of(&["guest", "planner", "reporter", "developer", "maintainer", "owner"]),
        prop::collection::btree_set(0..users, 0..=users),
        one_of(&["", "any", "ssh", "http"]),
        one_of(&["noone", "maintainer", "developer", "owner", "administrator"]),
        prop::option::of(0..9_i64),
    );
    fields.prop_map(move |(flags, level, members, protocol, creation, limit)| {
        let [lock, archived, ranges, nested] = flags;
        let members: Vec<String> = members.iter().map(|user| format!("user{user}: {level}")).collect();
        let root = number == 0 || !nested;
        let path = if root { format!("group{number}") } else { format!("group0/sub{number}") };
        let mut entry = format!(
            "  - {{path: {path}, visibility: private, share_with_group_lock: {lock}, archived: {archived}, \
             project_creation_level: {creation}, members: {{{}}}",
            members.join(", ")
        );
        if root && !protocol.is_empty() {
            write!(entry, ", enabled_git_access_protocol: {protocol}").unwrap();
        }
        if lock {
            entry.push_str(", deploy_tokens: [{name: ci, scopes: [read_repository], expires_at: 2027-05-01}]");
            write!(entry, ", access_tokens: [{{name: bot, level: {level}, scopes: [api], revoked: {archived}}}]")
                .unwrap();
        }
        if root && ranges {
            entry.push_str(", ip_allowlist: [10.0.0.0/8, '2001:db8::1'], saml: {default_membership_role: developer}");
        }
        if let Some(limit) = limit {
            write!(entry, ", repository_size_limit: {limit}").unwrap();
        }
        if ranges {
            entry.push_str(", push_rules: {commit_message_regex: '^[A-Z]+-\\d+', max_file_size: 3}");
        }
        entry + "}\n"
    })
}

fn project(number: usize, users: usize) -> impl Strategy<Value = String> {
    let fields = (
        any::<[bool; 6]>(),
        one_of(&["guest", "reporter", "developer", "maintainer", "{level: developer, expires_at: 2028-01-01}"]),
        0..users,
        one_of(&["[none]", "[developer]", "[maintainer, 'user:user0']", "['group:group0', admin]", "[]"]),
        one_of(&["disabled", "private", "enabled"]),
        one_of(&["null", "''", "'a: b'", "\"two\\nlines\"", "plain text"]),
    );
    fields.prop_map(move |(flags, level, member, push, feature, description)| {
        let [archived, wiki, present, personal, shared, agent] = flags;
        let path = if personal { format!("user{member}/project{number}") } else { format!("group0/project{number}") };
        let repository = if present { "present" } else { "absent" };
        let mut entry = format!(
            "  - {{path: {path}, creator: user{member}, description: {description}, archived: {archived}, repository: {repository}, \
             default_branch: trunk, features: {{repository: {feature}, wiki: private}}, members: {{user{member}: {level}}}, \
             protected_branches: [{{name: main, push: {push}}}, {{name: 'release/*', allow_force_push: true}}], \
             protected_tags: [{{name: 'v*', create: {push}}}], error_tracking: {{enabled: {wiki}, client_keys: [{{public_key: glet_{number}}}]}}"
        );
        if wiki {
            entry.push_str(", wiki_repository: present");
        }
        if shared {
            // No group shares what is its own.
            entry.push_str(if personal { ", shared_with: {group0: reporter}" } else { "" });
            write!(entry, ", merge_requests: [{{iid: 1, source_branch: a, target_branch: main}}]").unwrap();
        }
        if number == 0 {
            write!(entry, ", deploy_keys: [{{title: builder, key: '{KEY}', can_push: {archived}}}]").unwrap();
        }
        if present {
            entry.push_str(", deploy_tokens: [{name: ci, username: robot, scopes: [read_repository, read_registry]}]");
            entry.push_str(", access_tokens: [{name: bot, level: developer, scopes: [api], expires_at: null}]");
        }
        if number > 0 && !personal {
            entry.push_str(", forked_from: group0/project0");
        }
        if agent {
            write!(entry, ", agents: [{{name: prod, created_by: user0, tokens: [{{name: t}}], project_access: [{path}]}}]").unwrap();
        }
        entry + "}\n"
    })
}

fn documents() -> impl Strategy<Value = String> {
    (1..5_usize, 1..4_usize, 0..5_usize).prop_flat_map(|(users, groups, projects)| {
        let people: Vec<_> = (0..users).map(user).collect();
        let groups: Vec<_> = (0..groups).map(|number| group(number, users)).collect();
        let projects: Vec<_> = (0..projects).map(|number| project(number, users)).collect();
        let settings = one_of(&[
            "{default_project_visibility: internal, key_restrictions: {rsa: 2048, dsa: forbidden}}",
            "{enabled_git_access_protocol: ssh, max_ssh_key_lifetime: 30, globally_allowed_ips: [10.1.0.0/16, 10.2.0.1]}",
            "{default_branch_name: trunk, push_rules: {deny_delete_tag: true}}",
        ]);
        (people, groups, projects, settings).prop_map(|(users, groups, projects, settings)| {
            format!(
                "settings: {settings}\nusers:\n{}groups:\n{}projects:\n{}\
                 snippets: [{{id: 5, author: user0}}]\nbroadcast_messages: [{{message: 'All: of #it', target_path: 'group0/*'}}]\n\
                 subscriptions: [{{namespace: group0, plan_code: premium, start_date: 2026-11-01, seats: 3}}]\n",
                users.concat(),
                groups.concat(),
                projects.concat()
            )
        })
    })
}

/// Documents that are applied on top of each other make a database that no document wrote alone.
#[sqlx::test]
async fn what_is_exported_changes_nothing_whatever_the_database_holds(pool: PgPool) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..40 {
        let document = documents().new_tree(&mut runner).unwrap().current();
        match run(&pool, &document, false).await {
            Ok(_) => taken += 1,
            // Such as a project that another one has the name of by now.
            Err(_) => refused += 1,
        }
        assert_eq!(changes_of_export(&pool, &ExportSelection::default()).await, "", "after\n{document}");
    }
    assert!(taken > 15, "only {taken} of the documents were applied, {refused} were refused");
}

const PROTECTED: &str = "
users: [{username: rubi, email: r@x}, {username: bot, email: b@x}]
groups: [{path: acme, members: {rubi: owner}}]
projects:
  - path: acme/web
    repository: absent
    protected_branches:
      - {name: alone, push: ['user:bot'], merge: ['user:bot']}
      - {name: both, push: ['user:bot', 'user:rubi']}
      - {name: nobody, push: [], merge: [none]}
    protected_tags: [{name: 'v*', create: ['user:bot']}]
";

/// A protection that says nothing of its lists lets maintainers through where it is new.
#[sqlx::test]
async fn a_protection_for_whom_there_is_no_word_widens_nowhere(pool: PgPool) {
    applied(&pool, PROTECTED).await;
    rows(&pool, "update users set user_type = 6 where username = 'bot' returning username").await;
    let document = exported(&pool, &ExportSelection::default()).await.unwrap();
    applied(&pool, "projects: [{path: acme/web, ensure: absent}]").await;
    applied(&pool, &document).await;
    let access = "
        select concat_ws(' ', protected_branches.name, kind, access_level, username)
        from protected_branches
        left join (
          select 'push' as kind, protected_branch_id, access_level, user_id from protected_branch_push_access_levels
          union all
          select 'merge', protected_branch_id, access_level, user_id from protected_branch_merge_access_levels
        ) as levels on protected_branch_id = protected_branches.id
        left join users on users.id = user_id
        order by 1";
    insta::assert_snapshot!(rows(&pool, access).await, @"
    alone merge 0
    alone push 0
    both merge 40
    both push 40 rubi
    nobody merge 0
    ");
    assert_eq!(rows(&pool, "select access_level::text from protected_tag_create_access_levels").await, "0");
}

/// A branch that names a deploy key that the document does not have would be refused elsewhere.
#[sqlx::test]
async fn a_branch_names_the_deploy_keys_that_are_exported(pool: PgPool) {
    let (other, third) = (fresh_key("ed25519", "256"), fresh_key("ecdsa", "256"));
    let document = format!(
        "
users: [{{username: rubi, email: r@x}}]
projects:
  - path: rubi/web
    creator: rubi
    repository: absent
    deploy_keys:
      - {{title: kept, key: '{KEY}', can_push: true}}
      - {{title: ownerless, key: '{other}', can_push: true}}
      - {{title: broken, key: '{third}'}}
    protected_branches:
      - {{name: alone, push: ['deploy_key:ownerless']}}
      - {{name: both, push: ['deploy_key:kept', 'deploy_key:ownerless', 'deploy_key:broken']}}
"
    );
    applied(&pool, &document).await;
    rows(&pool, "update keys set user_id = null where title = 'ownerless' returning title").await;
    rows(&pool, "update keys set key = 'ssh-rsa of old' where title = 'broken' returning title").await;
    let document = exported(&pool, &ExportSelection::default()).await.unwrap();
    assert!(!document.contains("ownerless") && !document.contains("broken"), "{document}");
    applied(&pool, "projects: [{path: rubi/web, ensure: absent}]").await;
    applied(&pool, &document).await;
    let access = "
        select concat_ws(' ', protected_branches.name, access_level, keys.title)
        from protected_branch_push_access_levels
        join protected_branches on protected_branches.id = protected_branch_id
        left join keys on keys.id = deploy_key_id
        order by 1";
    assert_eq!(rows(&pool, access).await, "alone 0\nboth 40 kept");
}
