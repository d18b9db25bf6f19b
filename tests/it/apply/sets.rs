//! Documents of many entries: what passes from one entry to another, and what an unchanged document costs.

use gatehouse::domain::ids::UserId;
use gatehouse::store::tokens::TokenRow;
use gatehouse::store::users::UserRow;
use gatehouse::store::{agent_tokens, sets, users};
use sqlx::PgPool;

use super::{KEY, applied, refused, rows, run};

/// A database that takes no writes cannot tell such a document from none.
#[sqlx::test]
async fn an_unchanged_document_writes_nothing(pool: PgPool) {
    let key = format!("{{title: builder, key: '{KEY}'}}");
    let document = format!(
        "
users:
  - username: rubi
    id: 70
    email: r@x.example
    confirmed: true
    emails: [{{email: rubi@home.example}}]
    terms_accepted: true
    two_factor: {{otp_secret: JBSWY3DPEHPK3PXP}}
    personal_access_tokens: [{{name: ci, scopes: [api], token: glpat-example}}]
    identities: [{{provider: kerberos, extern_uid: rubi@EXAMPLE.COM}}]
  - {{username: dana, email: d@x.example, enterprise_group: acme}}
groups:
  - {{path: acme, id: 90, members: {{rubi: owner}}, allowed_email_domains: [x.example], ip_allowlist: [10.0.0.0/8], archived: false}}
  - {{path: acme/sub, shared_with: {{guests: developer}}, default_branch_name: trunk}}
  - {{path: guests}}
projects:
  - path: acme/sub/web
    id: 30
    repository: present
    wiki_repository: present
    default_branch: main
    members: {{dana: {{level: developer, expires_at: 2027-01-01}}}}
    shared_with: {{guests: reporter}}
    deploy_keys: [{key}]
    protected_branches: [{{name: main, push: ['deploy_key:builder', 'user:dana']}}]
    protected_tags: [{{name: 'v*'}}]
    agents: [{{name: prod, tokens: [{{name: first}}], project_access: [acme/sub/api]}}]
  - {{path: acme/sub/api, repository: absent}}
"
    );
    applied(&pool, &document).await;
    let mut conn = pool.acquire().await.unwrap();
    sqlx::query("set default_transaction_read_only = on").execute(&mut *conn).await.unwrap();
    let sources = gatehouse::document::sources::ApplySources::new(|_| None, ".".into());
    let base = "0123456789abcdef0123456789abcdefREST-IS-NOT-SALT".into();
    let report =
        gatehouse::document::reconcile::apply(&mut conn, &document, &sources, &base, super::now(), false).await;
    assert_eq!(report.unwrap_or_else(|failure| panic!("{failure}")).summary(), "nothing to change");
}

#[sqlx::test]
async fn names_addresses_and_keys_pass_on_in_the_order_of_the_document(pool: PgPool) {
    let first = format!(
        "users: [{{username: a, id: 1, email: a@x, keys: [{{title: k, key: '{KEY}'}}]}}, {{username: b, id: 2, email: b@x}}]"
    );
    applied(&pool, &first).await;
    let second = format!(
        "
users:
  - {{username: c, id: 1, email: c@x, keys: [{{title: k, ensure: absent}}]}}
  - {{username: a, id: 2, email: a@x}}
  - {{username: b, email: b@x, keys: [{{title: k, key: '{KEY}'}}]}}
"
    );
    run(&pool, &second, false).await.unwrap_or_else(|failure| panic!("{failure}"));
    insta::assert_snapshot!(rows(&pool, "select username || ' ' || email from users order by id").await, @"
    c c@x
    a a@x
    b b@x
    ");
    assert_eq!(rows(&pool, "select path from routes order by source_id").await, "c\na\nb");
    assert_eq!(rows(&pool, "select username from keys join users on users.id = user_id").await, "b");
    // Two that change places do not: the first finds its name taken.
    let swap = "users: [{username: a, id: 1}, {username: c, id: 2}]";
    assert_eq!(
        refused(&pool, swap).await,
        "users[0].id: must be 2, which it has, or be left out\nusers[1].id: must be 1, which it has, or be left out"
    );
}

#[sqlx::test]
async fn what_is_in_a_group_is_found_where_the_group_went(pool: PgPool) {
    applied(
        &pool,
        "groups: [{path: a, id: 10}, {path: a/sub, id: 11}]\nprojects: [{path: a/sub/web, id: 3, repository: present}]",
    )
    .await;
    let moved = "
groups:
  - {path: b, id: 10}
  - {path: b/sub}
  - {path: b/sub/fresh}
projects:
  - {path: b/sub/web, archived: true}
  - {path: b/sub/fresh/api, repository: present}
";
    let report = applied(&pool, moved).await;
    insta::assert_snapshot!(report.lines().join("\n"), @"
    ~ group b path a → b
    + group b/sub/fresh
    ~ project b/sub/web archived false → true
    + project b/sub/fresh/api
    + repository of b/sub/fresh/api
    ");
    insta::assert_snapshot!(rows(&pool, "select path from routes order by path").await, @"
    b
    b/sub
    b/sub/fresh
    b/sub/fresh/api
    b/sub/web
    ");
}

#[sqlx::test]
async fn a_report_tells_of_entries_and_not_of_tables(pool: PgPool) {
    let report = applied(
        &pool,
        "
users:
  - {username: rubi, email: r@x, emails: [{email: r@y}], personal_access_tokens: [{name: ci, scopes: [api], token: one}]}
  - {username: dana, email: d@x, emails: [{email: d@y}]}
groups:
  - {path: acme, members: {rubi: owner, dana: guest}}
  - {path: acme/sub, members: {dana: owner}}
",
    )
    .await;
    insta::assert_snapshot!(report.lines().join("\n"), @"
    + user rubi
    + email r@y of rubi
    + token ci of rubi
    + user dana
    + email d@y of dana
    + group acme
    + member dana of acme
    + member rubi of acme
    + group acme/sub
    + member dana of acme/sub
    ");
}

/// Whoever watches hears of each kind of object, from none to all.
#[sqlx::test]
async fn progress_is_told_to_whoever_watches(pool: PgPool) {
    use gatehouse::document::progress::ApplyProgress;
    let steps = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = steps.clone();
    let sources = gatehouse::document::sources::ApplySources::new(|_| None, ".".into())
        .with_progress(ApplyProgress::to(move |step| told.lock().unwrap().push((step.noun, step.done, step.all))));
    let mut conn = pool.acquire().await.unwrap();
    let document = "users: [{username: rubi, email: r@x}, {username: dana, email: d@x}]\ngroups: [{path: acme}]";
    gatehouse::document::reconcile::apply(&mut conn, document, &sources, &"key".into(), super::now(), true)
        .await
        .unwrap();
    let expected = [("users", 0, 2), ("users", 1, 2), ("users", 2, 2), ("groups", 0, 1), ("groups", 1, 1)];
    assert_eq!(*steps.lock().unwrap(), expected);
}

/// Rows of entries before are not written yet when an entry chooses its id.
#[sqlx::test]
async fn an_id_is_chosen_once(pool: PgPool) {
    let document = "
        groups: [{path: g}]
        projects: [{path: g/p, repository: present, protected_branches: [{name: main, id: 5}, {name: dev, id: 5}]}]";
    let said = refused(&pool, document).await;
    assert!(
        said.contains("projects[0].protected_branches[1].id: 5 belongs to another row of protected_branches"),
        "{said}"
    );
}

#[sqlx::test]
async fn a_new_project_that_stands_twice_is_named(pool: PgPool) {
    let document = "
        groups: [{path: g}]
        projects: [{path: g/p, repository: present}, {path: g/p, repository: present}]";
    let said = refused(&pool, document).await;
    assert!(said.contains("projects[1].path: "), "{said}");
}

/// What the document does not change stays what somebody else made of it meanwhile.
#[sqlx::test]
async fn only_columns_that_differ_are_written(pool: PgPool) {
    applied(&pool, "users: [{username: rubi, id: 7, name: R, email: r@x}]").await;
    let before = users::find(&pool, UserId(7)).await.unwrap().unwrap();
    // An identity provider shuts the user out between the look at the row and its update.
    sqlx::query("update users set state = 'ldap_blocked' where id = 7").execute(&pool).await.unwrap();
    let after = UserRow { name: "Rubi".to_owned(), ..before.clone() };
    sets::users::update(&pool, &[(7, before, after)]).await.unwrap();
    assert_eq!(rows(&pool, "select name || ' ' || state from users where id = 7").await, "Rubi ldap_blocked");
}

#[sqlx::test]
async fn a_token_that_is_taken_back_meanwhile_stays_so(pool: PgPool) {
    let document = "
users: [{username: rubi, id: 7, email: r@x, personal_access_tokens: [{name: ci, id: 5, scopes: [api], token: glpat-one}]}]
projects: [{path: rubi/web, agents: [{name: prod, tokens: [{name: first, id: 6}]}]}]
";
    applied(&pool, document).await;
    let (_, before) = sets::tokens::list(&pool, &[7]).await.unwrap().remove(0);
    let agent = sqlx::query_scalar("select agent_id from cluster_agent_tokens").fetch_one(&pool).await.unwrap();
    let mut of_agent = sets::agents::list_tokens(&pool, &[agent]).await.unwrap().remove(0);
    sqlx::query("update personal_access_tokens set revoked = true").execute(&pool).await.unwrap();
    sqlx::query("update cluster_agent_tokens set status = 1").execute(&pool).await.unwrap();
    let after = TokenRow { scopes: "---\n- read_api\n".to_owned(), ..before.clone() };
    sets::tokens::update(&pool, &[(5, before, after)]).await.unwrap();
    "another".clone_into(&mut of_agent.token_encrypted);
    agent_tokens::update_digest(&pool, &of_agent).await.unwrap();
    let left = "select scopes || revoked from personal_access_tokens";
    assert_eq!(rows(&pool, left).await, "---\n- read_api\ntrue");
    let left = "select token_encrypted || ' ' || status from cluster_agent_tokens";
    assert_eq!(rows(&pool, left).await, "another 1");
}

/// Names and places are written at once, and the rest with the others.
#[sqlx::test]
async fn what_moves_may_change_otherwise_too(pool: PgPool) {
    applied(&pool, "groups: [{path: a, id: 1}, {path: b, id: 2}]\nprojects: [{path: a/web, id: 3}]").await;
    let moved = "
groups: [{path: b/a, id: 1, name: A, lfs_enabled: false}]
projects: [{path: b/web, id: 3, name: W, archived: true}]
";
    applied(&pool, moved).await;
    let groups = "select concat_ws(' ', path, name, parent_id, lfs_enabled) from namespaces where id = 1";
    assert_eq!(rows(&pool, groups).await, "a A 2 f");
    let projects = "select concat_ws(' ', path, name, namespace_id, archived) from projects";
    assert_eq!(rows(&pool, projects).await, "web W 2 t");
    assert_eq!(run(&pool, moved, false).await.unwrap().summary(), "nothing to change");
}

#[sqlx::test]
async fn of_two_spellings_of_a_member_the_last_one_counts(pool: PgPool) {
    applied(&pool, "users: [{username: rubi, email: r@x}]\ngroups: [{path: g, members: {rubi: developer}}]").await;
    run(&pool, "groups: [{path: g, members: {Rubi: guest, rubi: {ensure: absent}}}]", false).await.unwrap();
    assert_eq!(rows(&pool, "select access_level::text from members").await, "");
}
