//! `groups:`

use sqlx::PgPool;

use super::{KEY, applied, refused, rows};

const TREE: &str = "
users: [{username: rubi, email: r@x}, {username: dana, email: d@x}]
groups:
  - {path: acme/platform/core, name: Core}
  - {path: acme, id: 50, name: Acme, visibility: internal, members: {rubi: owner, dana: {level: developer, expires_at: 2027-01-01}}}
  - {path: acme/platform, name: Platform}
projects: [{path: acme/platform/core/web, repository: present}]
";

#[sqlx::test]
async fn parents_may_come_later_in_the_document(pool: PgPool) {
    let report = applied(&pool, TREE).await;
    assert_eq!(report.to_json()["groups"]["acme"]["id"], 50);
    let query = "
        select concat_ws(' | ', routes.path, routes.name, type, visibility_level, cardinality(traversal_ids))
        from routes
        join namespaces on namespaces.id = routes.namespace_id
        where type <> 'User'
        order by routes.path";
    insta::assert_snapshot!(rows(&pool, query).await, @"
    acme | Acme | Group | 10 | 1
    acme/platform | Acme / Platform | Group | 0 | 2
    acme/platform/core | Acme / Platform / Core | Group | 0 | 3
    acme/platform/core/web | Acme / Platform / Core / web | Project | 0 | 4
    ");
    assert_eq!(rows(&pool, "select concat_ws(' ', username, access_level) from project_authorizations join users on users.id = user_id order by 1").await, "dana 30\nrubi 50");
}

#[sqlx::test]
async fn an_id_under_another_path_moves_the_whole_subtree(pool: PgPool) {
    applied(&pool, TREE).await;
    applied(&pool, "groups: [{path: other, visibility: public}]").await;
    let id = rows(&pool, "select id::text from namespaces where path = 'platform'").await;
    let report = applied(&pool, &format!("groups: [{{path: other/base, id: {id}}}]")).await;
    assert_eq!(report.lines(), ["~ group other/base path acme/platform → other/base"]);
    let paths = "select path from routes where path not in ('rubi', 'dana') order by 1";
    insta::assert_snapshot!(rows(&pool, paths).await, @"
    acme
    other
    other/base
    other/base/core
    other/base/core/web
    ");
    insta::assert_snapshot!(rows(&pool, "select path from redirect_routes order by 1").await, @"
    acme/platform
    acme/platform/core
    acme/platform/core/web
    ");
    // What the members of acme had, they had through it.
    assert_eq!(rows(&pool, "select user_id::text from project_authorizations").await, "");
    // And back: the redirects of what is a route again are gone.
    applied(&pool, &format!("groups: [{{path: acme/platform, id: {id}}}]")).await;
    insta::assert_snapshot!(rows(&pool, "select path from redirect_routes order by 1").await, @"
    other/base
    other/base/core
    other/base/core/web
    ");
    assert_eq!(rows(&pool, "select access_level::text from project_authorizations order by 1").await, "30\n50");
    let inside = format!("groups: [{{path: acme/platform/core/x, id: {id}}}]");
    assert_eq!(refused(&pool, &inside).await, "groups[0].path: would put the group into itself");
}

#[sqlx::test]
async fn members_and_shares_come_change_and_go(pool: PgPool) {
    applied(&pool, TREE).await;
    applied(&pool, "{users: [{username: eve, email: e@x}], groups: [{path: guests, members: {eve: maintainer}}]}")
        .await;
    let report = applied(
        &pool,
        "groups: [{path: acme, members: {rubi: maintainer, dana: {ensure: absent}}, shared_with: {guests: developer}}]",
    )
    .await;
    insta::assert_snapshot!(report.lines().join("\n"), @"
    - member dana of acme
    ~ member rubi of acme level owner → maintainer
    + share of acme with guests
    ");
    let levels = "select concat_ws(' ', username, access_level) from project_authorizations join users on users.id = user_id order by 1";
    assert_eq!(rows(&pool, levels).await, "eve 30\nrubi 40");
    let report = applied(
        &pool,
        "groups: [{path: acme, shared_with: {guests: {ensure: absent}}, members: {dana: {ensure: absent}}}]",
    )
    .await;
    assert_eq!(report.lines(), ["- share of acme with guests"]);
    assert_eq!(rows(&pool, levels).await, "rubi 40");
}

#[sqlx::test]
async fn what_belongs_to_a_group_comes_changes_and_goes(pool: PgPool) {
    let document = format!(
        "
groups:
  - path: acme
    ip_allowlist: [10.0.0.0/8, '2001:db8::1']
    saml: {{enabled: true, default_membership_role: developer}}
    ssh_certificate_authorities: [{{title: corp CA, key: '{KEY}'}}]
    push_rules: {{commit_message_regex: '^[A-Z]+-\\d+'}}
    project_creation_level: maintainer
    enabled_git_access_protocol: ssh
"
    );
    insta::assert_snapshot!(applied(&pool, &document).await.lines().join("\n"), @"
    + group acme
    + saml of acme
    + certificate authority corp CA of acme
    + push rules of acme
    ");
    let changed = "
groups:
  - path: acme
    ip_allowlist: [10.0.0.0/8]
    saml: {enabled: false}
    push_rules: {commit_message_regex: null, max_file_size: 10}
    project_creation_level: noone
";
    insta::assert_snapshot!(applied(&pool, changed).await.lines().join("\n"), @r"
    ~ group acme project_creation_level maintainer → noone
    ~ group acme ip_allowlist [10.0.0.0/8, 2001:db8::1] → [10.0.0.0/8]
    ~ saml of acme enabled true → false
    ~ push rules of acme max_file_size 0 → 10, commit_message_regex ^[A-Z]+-\d+ → unset
    ");
    let gone = format!(
        "
groups:
  - path: acme
    ip_allowlist: []
    saml: {{ensure: absent}}
    push_rules: {{ensure: absent}}
    ssh_certificate_authorities: [{{key: '{KEY}', ensure: absent}}]
"
    );
    assert_eq!(applied(&pool, &gone).await.changes(), 4);
    assert_eq!(applied(&pool, "groups: [{path: acme, ensure: absent}]").await.lines(), ["- group acme"]);
}

#[sqlx::test]
async fn a_group_with_something_in_it_stays(pool: PgPool) {
    applied(&pool, TREE).await;
    assert_eq!(
        refused(&pool, "groups: [{path: acme/platform, ensure: absent}]").await,
        "groups[0]: cannot be removed, for it holds projects or subgroups (1)"
    );
    let all = "
groups: [{path: acme, ensure: absent}, {path: acme/platform, ensure: absent}, {path: acme/platform/core, ensure: absent}]
projects: [{path: acme/platform/core/web, ensure: absent}]
";
    assert_eq!(applied(&pool, all).await.changes(), 4);
    assert_eq!(rows(&pool, "select path from routes order by 1").await, "dana\nrubi");
}

#[sqlx::test]
async fn nothing_is_more_visible_than_the_group_around_it(pool: PgPool) {
    applied(&pool, TREE).await;
    applied(&pool, "groups: [{path: acme/open, visibility: internal}]").await;
    let document = "
groups: [{path: acme, visibility: private}, {path: acme/platform, visibility: public}]
projects: [{path: acme/platform/core/web, visibility: internal}]
";
    insta::assert_snapshot!(refused(&pool, document).await, @"
    groups[0].visibility: is narrower than that of acme/open, which is in the group
    groups[1].visibility: must be at most private, as that of the group around it
    projects[0].visibility: must be at most private, as that of the group around it
    ");
}

#[sqlx::test]
async fn a_group_and_a_user_cannot_have_one_path(pool: PgPool) {
    applied(&pool, TREE).await;
    assert_eq!(refused(&pool, "groups: [{path: Rubi}]").await, "groups[0].path: Rubi is a user");
    assert_eq!(
        refused(&pool, "users: [{username: ACME, email: a@x}]").await,
        "users[0].username: ACME is the path of a group or of another user"
    );
}
