//! Deploy tokens, access tokens and OAuth tokens of a document, and forks: found by their names, printed once.

use sqlx::PgPool;

use super::{applied, refused, rows};

const BASE: &str = "
users: [{username: rubi, email: r@x}]
groups: [{path: acme, id: 50}]
projects: [{path: acme/web, id: 8, repository: present}, {path: acme/fork, repository: present}]
";

#[sqlx::test]
async fn tokens_that_are_made_are_printed_once_and_stored_as_what_opens_nothing(pool: PgPool) {
    applied(&pool, BASE).await;
    let document = "
groups: [{path: acme, deploy_tokens: [{name: all, scopes: [read_repository]}]}]
projects:
  - path: acme/web
    deploy_tokens: [{name: ci, id: 90, scopes: [read_repository, read_registry], expires_at: 2027-01-01}]
    access_tokens: [{name: bot, id: 91, level: developer, scopes: [api], expires_at: 2027-02-01}]
users: [{username: rubi, oauth_tokens: [{application: ide, id: 92, scopes: [api, read_user]}]}]
";
    let report = applied(&pool, document).await;
    assert_eq!(
        report.lines(),
        [
            "+ OAuth token for ide of rubi",
            "+ deploy token all of acme",
            "+ deploy token ci of acme/web",
            "+ access token bot of acme/web",
        ]
    );
    let json = report.to_json();
    let deploy = &json["projects"]["acme/web"]["deploy_tokens"]["ci"];
    assert_eq!((&deploy["id"], &deploy["username"]), (&90.into(), &"gitlab+deploy-token-90".into()));
    let access = &json["projects"]["acme/web"]["access_tokens"]["bot"];
    let oauth = &json["users"]["rubi"]["oauth_tokens"]["ide"];
    for token in
        [&deploy["token"], &access["token"], &oauth["token"], &json["groups"]["acme"]["deploy_tokens"]["all"]["token"]]
    {
        let text = token.as_str().unwrap();
        assert!(text.len() >= 20, "{text}");
        let stored = "select token_encrypted from deploy_tokens
                      union select token_digest from personal_access_tokens
                      union select token from oauth_access_tokens";
        assert!(!rows(&pool, stored).await.contains(text), "the text itself is stored");
    }
    let bot = "
        select concat_ws(' ', user_type, users.name, members.access_level, members.expires_at, users.state, bot_namespace_id = members.member_namespace_id)
        from users
        join members on members.user_id = users.id
        join user_details on user_details.user_id = users.id
        where user_type = 6 and username like 'project_8_bot_%'";
    assert_eq!(rows(&pool, bot).await, "6 bot 30 2027-02-01 active t");
    let ends =
        "select concat_ws(' ', name, expires_at at time zone 'utc', read_registry) from deploy_tokens order by name";
    assert_eq!(rows(&pool, ends).await, "all 3000-01-01 00:00:00 f\nci 2027-01-01 00:00:00 t");
    let changed = applied(
        &pool,
        "
projects:
  - path: acme/web
    deploy_tokens: [{name: ci, username: robot, scopes: [read_repository], expires_at: null, token: gldt-new}]
    access_tokens: [{name: bot, level: maintainer, scopes: [read_api], expires_at: 2027-03-01, revoked: true}]
users: [{username: rubi, oauth_tokens: [{application: ide, scopes: [api], expires_in: null}]}]
",
    )
    .await;
    assert_eq!(
        changed.lines(),
        [
            "~ OAuth token for ide of rubi scopes api read_user → api, expires_in 7200 s → never",
            "~ deploy token ci of acme/web username unset → robot, scopes read_repository read_registry → \
             read_repository, expires_at 2027-01-01 → 3000-01-01, token replaced",
            "~ access token bot of acme/web level developer → maintainer, scopes api → read_api, expires_at 2027-02-01 → \
             2027-03-01, revoked false → true",
        ]
    );
    let gone = applied(
        &pool,
        "
projects:
  - path: acme/web
    deploy_tokens: [{name: other, scopes: [read_repository], token: gldt-new}, {name: ci, ensure: absent}]
    access_tokens: [{name: bot, ensure: absent}]
users: [{username: rubi, oauth_tokens: [{application: ide, ensure: absent}]}]
",
    )
    .await;
    assert_eq!(
        gone.lines(),
        [
            "- OAuth token for ide of rubi",
            "- deploy token ci of acme/web",
            "+ deploy token other of acme/web",
            "- access token bot of acme/web",
        ]
    );
    assert_eq!(rows(&pool, "select count(*)::text from users where user_type = 6").await, "0");
}

#[sqlx::test]
async fn what_is_wrong_with_tokens_and_forks_is_said_at_once(pool: PgPool) {
    applied(&pool, BASE).await;
    let document = "
projects:
  - path: acme/web
    forked_from: acme/nowhere
    deploy_tokens:
      - {name: bare}
      - {name: one, scopes: [read_repository], token: gldt-same}
      - {name: two, scopes: [read_repository], token: gldt-same}
    access_tokens: [{name: bare, level: developer}, {name: level, scopes: [api]}]
  - {path: acme/fork, forked_from: acme}
users: [{username: rubi, oauth_tokens: [{application: ide, token: x}]}]
";
    let said = refused(&pool, document).await;
    for problem in [
        "projects[0].access_tokens[0]: scopes is missing",
        "projects[0].access_tokens[1]: level is missing",
        "projects[0].deploy_tokens[0]: scopes is missing",
        "projects[0].deploy_tokens[2].token: is that of deploy token ",
        "projects[0].forked_from: there is no project acme/nowhere",
        "projects[1].forked_from: acme is no project",
        "users[0].oauth_tokens[0]: scopes is missing",
    ] {
        assert!(said.contains(problem), "{problem} in\n{said}");
    }
}

#[sqlx::test]
async fn forks_come_change_and_go(pool: PgPool) {
    applied(&pool, BASE).await;
    let chain = "
projects:
  - {path: acme/third, repository: present, forked_from: acme/fork}
  - {path: acme/fork, forked_from: acme/web}
";
    let report = applied(&pool, chain).await;
    assert_eq!(
        report.lines(),
        [
            "+ project acme/third",
            "+ repository of acme/third",
            "~ project acme/third is a fork of acme/fork",
            "~ project acme/fork is a fork of acme/web"
        ]
    );
    let networks = "
        select concat_ws(' ', routes.path, source.path, dense_rank() over (order by fork_network_id))
        from fork_network_members
        join routes on routes.source_type = 'Project' and routes.source_id = project_id
        left join routes as source on source.source_type = 'Project' and source.source_id = forked_from_project_id
        order by routes.path";
    assert_eq!(rows(&pool, networks).await, "acme/fork acme/web 1\nacme/third acme/fork 1\nacme/web 1");
    let said = refused(&pool, "projects: [{path: acme/web, forked_from: acme/third}]").await;
    assert_eq!(said, "projects[0].forked_from: acme/third is a fork of acme/web itself");
    applied(&pool, "projects: [{path: acme/fork, forked_from: null}]").await;
    assert_eq!(rows(&pool, networks).await, "acme/third acme/fork 1\nacme/web 1");
}
