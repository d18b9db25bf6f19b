//! `GET /authorized_certs`: does a group vouch for whoever shows a certificate?

use sqlx::PgPool;

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
    given.sql("update members set requested_at = now()").await;
    assert_eq!(ask("rubi").await, r#"404 {"message":"User Not Found"}"#);
}
