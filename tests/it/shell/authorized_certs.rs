//! `GET /authorized_certs`: does a group vouch for whoever shows a certificate?

use axum::body::Body;
use axum::http::Request;
use sqlx::PgPool;

use crate::apply::applied;
use crate::support::TestApp;

/// SHA-256 of nothing, as the fingerprint of an authority.
const KEY: &str = "47DEQpj8HBSa%2B/TImW%2B5JCeuQeRkm5NMpJWZG3hSuFU";

/// shell-27
#[sqlx::test]
async fn an_unknown_authority_is_not_found(pool: PgPool) {
    let app = TestApp::new(pool);
    let reply = app.get("/authorized_certs?key=x&user_identifier=rubi").await;
    assert_eq!(reply.line(), r#"404 {"message":"Certificate Not Found"}"#);
    assert_eq!(app.get("/authorized_certs?user_identifier=rubi").await.status, 400);
}

#[sqlx::test]
async fn a_group_vouches_for_members_whose_accounts_it_manages(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let group = given.group("acme").await;
    given
        .sql(&format!(
            "insert into group_ssh_certificates (namespace_id, fingerprint, title, key)
             values ({group}, sha256(''), 'corp', 'ssh-ed25519 AAAA')"
        ))
        .await;
    let ask = async |user: &str| app.get(&format!("/authorized_certs?key={KEY}&user_identifier={user}")).await.line();
    assert_eq!(ask("rubi").await, r#"404 {"message":"User Not Found"}"#);
    let rubi = given.user("rubi").await;
    assert_eq!(ask("rubi").await, r#"404 {"message":"User Not Found"}"#);
    given
        .sql(&format!(
            "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             values ('GroupMember', 'Namespace', {group}, {group}, {rubi}, 30)"
        ))
        .await;
    assert_eq!(ask("rubi").await, r#"403 {"message":"Not an Enterprise User of the group"}"#);
    given.sql(&format!("insert into user_details (user_id, enterprise_group_id) values ({rubi}, {group})")).await;
    let vouched = r#"200 {"success":true,"namespace":"acme","username":"rubi"}"#;
    assert_eq!(ask("RUBI").await, vouched);
    assert_eq!(ask("rubi@example.com").await, vouched);
    // Who asks to be let in, is invited, awaits approval or was a member until yesterday is none.
    for (becomes, was) in [
        ("requested_at = now()", "requested_at = null"),
        ("invite_token = 'x'", "invite_token = null"),
        ("state = 1", "state = 0"),
        ("expires_at = '2024-01-01'", "expires_at = null"),
    ] {
        given.sql(&format!("update members set {becomes}")).await;
        assert_eq!(ask("rubi").await, r#"404 {"message":"User Not Found"}"#, "{becomes}");
        given.sql(&format!("update members set {was}")).await;
        assert_eq!(ask("rubi").await, vouched, "{was}");
    }
}

/// Ruling 26: the accounts that a group manages are those that its provider made, and those that the state document names.
#[sqlx::test]
async fn a_group_manages_the_accounts_of_its_provider_and_of_the_document(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let given = app.given();
    let group = given.scim_group("acme").await;
    given.user("linked").await;
    given
        .sql(&format!(
            "insert into group_ssh_certificates (namespace_id, fingerprint, title, key)
             values ({group}, sha256(''), 'corp', 'ssh-ed25519 AAAA')"
        ))
        .await;
    for (id, name) in [("1", "made"), ("2", "linked")] {
        let body = serde_json::json!({
            "externalId": id, "userName": name, "displayName": name,
            "emails": [{"type": "work", "value": format!("{name}@example.com")}],
        });
        let request = Request::builder().method("POST").uri("/api/scim/v2/groups/acme/Users");
        let request = request.header("authorization", "Bearer T").header("content-type", "application/scim+json");
        let reply = app.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
    let ask = async |user: &str| app.get(&format!("/authorized_certs?key={KEY}&user_identifier={user}")).await.line();
    let vouched = |user: &str| format!(r#"200 {{"success":true,"namespace":"acme","username":"{user}"}}"#);
    assert_eq!(ask("made@example.com").await, vouched("made"));
    let not = r#"403 {"message":"Not an Enterprise User of the group"}"#;
    assert_eq!(ask("linked").await, not, "an account that was here before is its owner's");
    applied(&pool, "users: [{username: linked, enterprise_group: acme}, {username: made, enterprise_group: null}]")
        .await;
    assert_eq!((ask("linked").await, ask("made").await), (vouched("linked"), not.to_owned()));
    given.sql("delete from saml_providers").await;
    assert_eq!(ask("linked").await, vouched("linked"), "what manages an account is not its sign-on");
}
