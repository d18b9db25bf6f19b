//! What surrounds every SCIM request: the token, the URL, the methods, discovery.

use axum::body::Body;
use axum::http::Request;
use gatehouse::domain::scim::ScimScope;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Scim, detail, example};
use crate::support::{Reply, TestApp};

async fn get(app: &TestApp, path: &str, authorization: &str) -> Reply {
    let request = Request::builder().uri(format!("/api/scim/v2{path}"));
    let request = if authorization.is_empty() { request } else { request.header("authorization", authorization) };
    app.send(request.body(Body::empty()).unwrap()).await
}

/// scim-1, scim-2, scim-3, scim-4, scim-5, scim-9
#[sqlx::test]
async fn a_token_opens_its_own_scope_alone(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    let other = scim.given.group("other").await;
    scim.given.scim_token(ScimScope::Group(other), "O").await;
    let (group, instance) = ("/groups/acme/Users", "/application/Users");
    for (path, authorization) in [
        (group, ""),
        (group, "Bearer wrong"),
        (group, "Bearer"),
        (group, "Bearer "),
        (group, "Basic T"),
        (group, "T"),
        (group, "Bearer O"),
        (group, "Bearer TI"),
        (group, "Bearer \"T\""),
        (group, &format!("Bearer {}", "T".repeat(300))),
        ("/groups/nowhere/Users", ""),
        ("/groups/nowhere/Users", "Bearer wrong"),
        (instance, ""),
        (instance, "Bearer T"),
        (instance, "Bearer wrong"),
    ] {
        let reply = get(&scim.app, path, authorization).await;
        assert_eq!(reply.status, 401, "{path} {authorization}");
        assert_eq!((detail(&reply), reply.message()), ("401 Unauthorized".to_owned(), "401 Unauthorized".to_owned()));
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    for (path, authorization) in
        [(group, "Bearer T"), (group, "bearer T"), (group, "BEARER  T"), (instance, "Bearer TI")]
    {
        assert_eq!(get(&scim.app, path, authorization).await.status, 200, "{path} {authorization}");
    }
    assert_eq!(get(&scim.app, "/groups/acme/Users?access_token=T", "").await.status, 200);
    assert_eq!(get(&scim.app, "/groups/acme/Users?bearer_token=wrong", "").await.status, 401);
}

/// scim-7, scim-13, scim-14
#[sqlx::test]
async fn a_group_is_found_by_path_or_id_and_needs_saml(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let sub = scim.given.group("acme/sub").await;
    let status_and_detail = async |path: &str| {
        let reply = get(&scim.app, path, "Bearer T").await;
        (reply.status.as_u16(), if reply.status == 200 { String::new() } else { detail(&reply) })
    };
    for path in
        ["/groups/ACME/Users", &format!("/groups/{}/Users", scim.group), "/groups/acme//Users/", "/groups/%61cme/Users"]
    {
        assert_eq!(status_and_detail(path).await, (200, String::new()), "{path}");
    }
    for (path, said) in [
        ("/groups/acme%2Fsub/Users", "Group acme/sub does not have SAML SSO configured"),
        ("/groups/acme/sub/Users", "Group acme/sub does not have SAML SSO configured"),
        ("/groups/ACME/Sub/Users", "Group ACME/Sub does not have SAML SSO configured"),
        (&format!("/groups/{sub}/Users"), &format!("Group {sub} does not have SAML SSO configured")),
        ("/groups/acme/nowhere/Users", "Group acme/nowhere not found"),
        ("/groups/Acme%2Fa%20b/Users", "Group Acme/a b not found"),
    ] {
        assert_eq!(status_and_detail(path).await, (404, said.to_owned()), "{path}");
    }
    scim.given.sql("delete from saml_providers").await;
    let said = "Group ACME does not have SAML SSO configured".to_owned();
    assert_eq!(status_and_detail("/groups/ACME/Users").await, (404, said));
}

/// What is outside the token's own group looks the same, be it there or not, and however it is asked for.
#[sqlx::test]
async fn what_there_is_beside_the_tokens_group_is_not_said(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    let plain = scim.given.group("secret/plain").await;
    let other = scim.given.group("other").await;
    scim.given.scim_token(ScimScope::Group(other), "O").await;
    scim.given.user("dana").await;
    scim.given
        .sql(&format!(
            "insert into saml_providers (group_id, enabled, sso_url, certificate_fingerprint)
             values ({other}, true, 'https://idp.example', 'x')"
        ))
        .await;
    scim.given.project("secret/p").await;
    let refused = get(&scim.app, "/groups/nowhere/Users", "Bearer T").await;
    assert_eq!(refused.status, 401);
    for base in [
        "nowhere/below",
        "acme2",
        "a%20b",
        "999999",
        "99999999999999999999",
        "secret",
        "secret/plain",
        "SECRET%2Fplain",
        "secret/p",
        "other",
        "dana",
        &plain.to_string(),
        &other.to_string(),
    ] {
        for token in ["T", "TI"] {
            for (method, path) in
                [("GET", "/Users"), ("GET", "/Users/x"), ("POST", "/Users"), ("GET", "/Schemas"), ("GET", "/Groups")]
            {
                let request = Request::builder().method(method).uri(format!("/api/scim/v2/groups/{base}{path}"));
                let request = request.header("authorization", format!("Bearer {token}"));
                let reply = scim.app.send(request.body(Body::from("{}")).unwrap()).await;
                assert_eq!((reply.status, &reply.text), (refused.status, &refused.text), "{method} {base}{path}");
            }
        }
    }
}

/// scim-8
#[sqlx::test]
async fn a_new_token_replaces_the_old_one(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    for (scope, path, old) in
        [(ScimScope::Group(scim.group), "/groups/acme/Users", "T"), (ScimScope::Instance, "/application/Users", "TI")]
    {
        scim.given.scim_token(scope, &format!("{old}2")).await;
        assert_eq!(get(&scim.app, path, &format!("Bearer {old}")).await.status, 401);
        assert_eq!(get(&scim.app, path, &format!("Bearer {old}2")).await.status, 200);
    }
    let stored: bool = scim
        .given
        .value("select bool_and(octet_length(token_encrypted) = 32) from group_scim_auth_access_tokens")
        .await;
    assert!(stored, "a digest");
}

/// scim-10, scim-11
#[sqlx::test]
async fn what_is_switched_off_says_so(pool: PgPool) {
    let with = |yaml: &str| TestApp::with(pool.clone(), &format!("gatehouse: {{scim: {{{yaml}}}}}"));
    let app = with("instance: false");
    app.given().scim_group("acme").await;
    app.given().scim_token(ScimScope::Instance, "TI").await;
    let said = |reply: &Reply| (reply.status.as_u16(), detail(reply), reply.message());
    let both = |status: u16, text: &str| (status, text.to_owned(), text.to_owned());
    let reply = get(&app, "/application/Users", "Bearer TI").await;
    assert_eq!(said(&reply), both(403, "403 Forbidden - Instance SAML not enabled."));
    assert_eq!(get(&app, "/application/Users", "Bearer T").await.status, 401);
    let reply = get(&with("licensed: false"), "/application/Users", "Bearer TI").await;
    assert_eq!(said(&reply), both(404, "404 Not Found"));
    let reply = get(&with("groups: false"), "/groups/acme/Users", "").await;
    assert_eq!(said(&reply), both(403, "403 Forbidden - Group SAML not enabled."));
    assert_eq!(get(&with("token_in_query: false"), "/groups/acme/Users?access_token=T", "").await.status, 401);
}

/// scim-15, scim-16
#[sqlx::test]
async fn a_list_has_integers_and_those_who_are_off(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let empty = scim.get("/Users").await.json();
    let expected = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0, "itemsPerPage": 20, "startIndex": 1, "Resources": [],
    });
    assert_eq!(empty, expected);
    for name in ["a", "b", "c"] {
        scim.identity(name, &format!("uid-{name}")).await;
    }
    scim.delete("uid-b").await;
    let list = scim.get("/Users").await.json();
    let active: Vec<&Value> = list["Resources"].as_array().unwrap().iter().map(|user| &user["active"]).collect();
    assert_eq!((&list["totalResults"], active), (&json!(3), vec![&json!(true), &json!(false), &json!(true)]));
    scim.given.sql("update saml_providers set enabled = false").await;
    assert_eq!(scim.get("/Users").await.json(), expected, "a provider that is off lists nobody");
    assert_eq!(scim.get("/Users/uid-a").await.status, 200);
}

/// scim-34, scim-35, scim-88
#[sqlx::test]
async fn who_is_not_in_the_scope_is_not_found(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let other = scim.given.group("other").await;
    let dana = scim.given.user("dana").await;
    scim.given
        .sql(&format!(
            "insert into group_scim_identities (group_id, user_id, extern_uid) values ({other}, {dana}, 'theirs')"
        ))
        .await;
    for (path, id) in [
        ("none", "none"),
        ("theirs", "theirs"),
        ("../../x", "../../x"),
        ("%3Cscript%3E", "<script>"),
        ("a%22b", "a\"b"),
    ] {
        let reply = scim.get(&format!("/Users/{path}")).await;
        assert_eq!((reply.status.as_u16(), detail(&reply)), (404, format!("Resource {id} not found")));
        assert_eq!(reply.json()["status"], "404");
        assert!(reply.json().get("message").is_none(), "strict clients refuse a key more");
    }
}

#[sqlx::test]
async fn an_id_may_hold_anything(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    for (name, id, path) in [
        ("a", "a/b", "a/b"),
        ("b", "CN=x,O=y", "CN=x%2CO=y"),
        ("c", "jane@corp.example", "jane@corp.example"),
        ("d", "日本.json", "%E6%97%A5%E6%9C%AC.json"),
        ("e", "a%2Fb", "a%252Fb"),
    ] {
        scim.identity(name, id).await;
        let reply = scim.get(&format!("/Users/{path}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["id"]), (200, &json!(id)), "{path}");
        let place = reply.json()["meta"]["location"].as_str().unwrap().to_owned();
        let path = place.strip_prefix("http://localhost/api/scim/v2/groups/acme").unwrap();
        assert_eq!(scim.get(path).await.json()["id"], id, "{path}");
    }
}

/// scim-76, scim-77
#[sqlx::test]
async fn what_there_is_can_be_discovered_and_what_there_is_not_says_so(pool: PgPool) {
    for scim in [Scim::of_group(pool.clone()).await, Scim::of_instance(pool.clone()).await] {
        for path in [
            "/ServiceProviderConfig",
            "/ResourceTypes",
            "/ResourceTypes/User",
            "/Schemas",
            "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
            "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Schema",
        ] {
            let reply = scim.get(path).await;
            assert_eq!(reply.status, 200, "{path}");
            assert!(!reply.text.contains("null"), "{path}");
            let post = scim.send("POST", path, "{}").await;
            assert_eq!((post.status.as_u16(), post.message()), (405, "405 Not Allowed".to_owned()), "{path}");
            assert!(post.headers.contains_key("allow"), "{path}");
        }
        for (method, path, status) in [
            ("GET", "/Schemas/nothing", 404),
            ("GET", "/ResourceTypes/nothing", 404),
            ("GET", "/xyz", 404),
            ("POST", "/Bulk", if scim.token == "T" { 501 } else { 400 }),
            ("GET", "/Me", 501),
        ] {
            let reply = scim.send(method, path, "").await;
            assert_eq!(reply.status, status, "{path}");
            detail(&reply);
        }
        scim.given.sql("delete from saml_providers").await;
    }
}

#[sqlx::test]
async fn a_method_without_an_id_or_of_no_use_is_refused(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    for (method, path) in [("PATCH", "/Users"), ("PUT", "/Users/"), ("DELETE", "/Users"), ("DELETE", "/Users/")] {
        let reply = scim.send(method, path, "{}").await;
        assert_eq!((reply.status.as_u16(), reply.message()), (405, "405 Not Allowed".to_owned()), "{method} {path}");
        assert_eq!(reply.headers["allow"], "GET, HEAD, POST, OPTIONS");
    }
    let reply = scim.send("POST", "/Users/x", example().to_string()).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["allow"]),
        (405, &"GET, HEAD, PUT, PATCH, DELETE, OPTIONS".parse().unwrap())
    );
    let head = scim.send("HEAD", "/Users", "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}
