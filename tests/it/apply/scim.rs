//! `scim_token:` and `scim_identities:`, and the token of the error-tracking service.

use axum::body::Body;
use axum::http::Request;
use sqlx::PgPool;

use super::{applied, refused, rows};
use crate::support::{Installation, TestApp};

const HOME: &str = "
users: [{username: dana, email: dana@example.com}, {username: rubi, email: rubi@example.com}]
groups:
  - {path: acme, saml: {enabled: true, default_membership_role: developer}, scim_token: scim-example-token, scim_identities: [
      {user: dana, id: 9, extern_uid: Uid-1}, {user: rubi, extern_uid: uid-2, active: false}]}
settings: {scim_token: scim-instance-token, error_tracking_access_token: of-the-service}
scim_identities: [{user: dana, extern_uid: whole}]
";

#[sqlx::test]
async fn tokens_and_identities_come_change_and_go(pool: PgPool) {
    let lines = applied(&pool, HOME).await.lines().join("\n");
    for line in [
        "+ SCIM token of the instance",
        "~ settings error_tracking_access_token replaced",
        "+ SCIM token of acme",
        "+ SCIM identity of dana in acme",
        "+ SCIM identity of dana in the instance",
    ] {
        assert!(lines.contains(line), "{line} in\n{lines}");
    }
    let stored = rows(
        &pool,
        "select token_encrypted from scim_oauth_access_tokens
                              union all select error_tracking_access_token_encrypted from application_settings",
    )
    .await;
    assert!(!stored.contains("scim-instance-token") && !stored.contains("of-the-service"), "{stored}");

    let app = TestApp::new(pool.clone());
    let list = async |base: &str, token: &str| {
        let request = Request::builder().uri(format!("/api/scim/v2/{base}/Users"));
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
        let reply = app.send(request).await;
        (reply.status.as_u16(), reply.json()["totalResults"].as_i64())
    };
    assert_eq!(list("groups/acme", "scim-example-token").await, (200, Some(2)));
    assert_eq!(list("application", "scim-instance-token").await, (200, Some(1)));
    assert_eq!(list("application", "scim-example-token").await, (401, None));

    let later = "
groups: [{path: acme, scim_token: another-token, scim_identities: [{user: dana, active: false}, {user: rubi, ensure: absent}]}]
";
    let lines = applied(&pool, later).await.lines().join("\n");
    assert!(lines.contains("~ SCIM token of acme replaced"), "{lines}");
    assert!(lines.contains("- SCIM identity of rubi in acme"), "{lines}");
    assert_eq!(
        rows(&pool, "select id || ' ' || extern_uid || ' ' || active from group_scim_identities").await,
        "9 Uid-1 false"
    );
    assert_eq!(list("groups/acme", "scim-example-token").await, (401, None), "the one before it is good no more");
    assert_eq!(list("groups/acme", "another-token").await, (200, Some(1)));
}

#[sqlx::test]
async fn what_is_wrong_is_said(pool: PgPool) {
    applied(&pool, HOME).await;
    let wrong = "
groups:
  - {path: acme, scim_token: scim-instance-token, scim_identities: [{user: nobody, extern_uid: x}, {user: rubi, extern_uid: UID-1}]}
  - {path: acme/sub, scim_token: token}
scim_identities: [{user: rubi}]
";
    insta::assert_snapshot!(refused(&pool, wrong).await, @"
    groups[0].scim_identities[0].user: there is no user nobody
    groups[0].scim_identities[1].extern_uid: is that of another user
    groups[0].scim_token: is the SCIM token of another group, or of the instance
    groups[1].scim_token: is for root groups: it holds for everything in them
    scim_identities[0]: extern_uid is missing, which a new identity needs
    ");
}

/// `gatehouse scim`, over the same rows.
#[sqlx::test]
async fn the_command_shows_users_and_makes_tokens(pool: PgPool) {
    applied(&pool, HOME).await;
    let installation = Installation::new(&pool, "");
    let listed = installation.run(&["scim", "list", "acme"]);
    assert_eq!(
        listed.stdout, "Uid-1\tactive\tdana\tdana@example.com\nuid-2\tinactive\trubi\trubi@example.com\n",
        "{listed:?}"
    );
    let whole = installation.run(&["scim", "list", "--instance", "--json"]);
    assert!(whole.stdout.contains(r#""id":"whole""#), "{whole:?}");
    let made = installation.run(&["scim", "token", "new", "acme"]);
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    assert!(made["scim_api_url"].as_str().unwrap().ends_with("/api/scim/v2/groups/acme"), "{made}");
    let served = installation.serve();
    let status = |token: &str| {
        let header = format!("Authorization: Bearer {token}\r\n");
        served.connect().ask("GET", "/api/scim/v2/groups/acme/Users", &header, "").status
    };
    assert_eq!((status(made["scim_token"].as_str().unwrap()), status("scim-example-token")), (200, 401));
    let nowhere = served.installation.run(&["scim", "list", "nowhere"]);
    assert!(nowhere.code == 1 && nowhere.stderr.contains("there is no group nowhere"), "{nowhere:?}");
    assert_eq!(served.installation.run(&["scim", "list"]).code, 2);
}
