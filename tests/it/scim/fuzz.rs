//! Input that means harm, or nothing: a clear 4xx, nothing lost, and never a 5xx.

use axum::body::Body;
use axum::http::Request;
use gatehouse::store::{self, Db};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Scim, detail, example};

/// scim-82
#[sqlx::test]
async fn the_last_of_equal_keys_wins(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let body = r#"{"Operations":[{"op":"replace","value":{"active":true,"active":false}}]}"#;
    assert_eq!(scim.send("PATCH", "/Users/test_uid", body).await.status, 204);
    assert!(!scim.is_active("test_uid").await);
}

/// scim-83
#[sqlx::test]
async fn texts_that_no_column_holds_are_refused(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let mut broken = example().to_string().replace("username", "user#").into_bytes();
    let at = broken.iter().position(|byte| *byte == b'#').unwrap();
    broken[at] = 0xff;
    assert_eq!(scim.send("POST", "/Users", broken).await.status, 400);
    let nul = example().to_string().replace("username", "user\\u0000");
    let reply = scim.send("POST", "/Users", nul).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["scimType"]), (400, &json!("invalidValue")));
    let inner = r#"{"externalId":"x","userName":"x","emails":"[{\"type\":\"work\",\"value\":\"a\\u0000@b.c\"}]","name":{"formatted":"x"}}"#;
    assert!(scim.send("POST", "/Users", inner).await.status.is_client_error());
    for id in ["%ff", "%00", "a%00b", "%"] {
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let reply = scim.send(method, &format!("/Users/{id}"), "{}").await;
            assert!(matches!(reply.status.as_u16(), 400 | 404), "{method} {id}: {}", reply.line());
            detail(&reply);
        }
    }
    assert_eq!(scim.get("/Users?filter=id+eq+%22%00%22").await.status.as_u16() / 100, 4);
}

/// scim-85
#[sqlx::test]
async fn giant_and_shapeless_bodies_are_refused(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (body, status) in [
        (deep(10_000), 400),
        (format!("{{\"a\":{}}}", deep(10_000)), 400),
        (format!("{{\"a\":{}}}", deep(64)), 400),
        (format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20)), 413),
        ("[]".to_owned(), 400),
        ("null".to_owned(), 400),
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("true".to_owned(), 400),
    ] {
        for (method, path) in [("POST", "/Users"), ("PATCH", "/Users/test_uid"), ("PUT", "/Users/test_uid")] {
            let reply = scim.send(method, path, body.clone()).await;
            assert_eq!(reply.status, status, "{method} {}", &body[..body.len().min(20)]);
            detail(&reply);
        }
    }
    let operations: Vec<Value> = vec![json!({"op": "replace", "path": "active", "value": false}); 5000];
    assert_eq!(scim.patch("test_uid", &json!(operations)).await.status, 413);
    assert!(scim.is_active("test_uid").await);
    let long = format!("/Users?x={}", "y".repeat(17_000));
    assert_eq!(scim.get(&long).await.status, 414);
}

/// scim-86
#[sqlx::test]
async fn the_type_of_a_body_is_json(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let post = async |kind: Option<&str>, body: String| {
        let request =
            Request::builder().method("POST").uri("/api/scim/v2/groups/acme/Users").header("authorization", "Bearer T");
        let request = if let Some(kind) = kind { request.header("content-type", kind) } else { request };
        scim.app.send(request.body(Body::from(body)).unwrap()).await
    };
    for kind in ["text/xml", "multipart/form-data; boundary=x", "application/xml", "jpeg"] {
        let reply = post(Some(kind), example().to_string()).await;
        assert_eq!(reply.status, 415, "{kind}");
        detail(&reply);
    }
    assert_eq!(post(Some("application/x-www-form-urlencoded"), "a=b".to_owned()).await.status, 415);
    for kind in ["application/json; charset=utf-8", "APPLICATION/SCIM+JSON", "application/x-www-form-urlencoded"] {
        assert_eq!(post(Some(kind), example().to_string()).await.status, 201, "{kind}");
    }
    assert_eq!(post(None, example().to_string()).await.status, 201);
}

/// JSON of names and words that mean something here, in places where they may mean nothing.
fn bodies() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "POST",
        "PATCH",
        "DELETE",
        "add",
        "remove",
        "replace",
        "members",
        "members[value eq \"bulkId:a\"]",
        "active",
        "/Users",
        "/Users/test_uid",
        "/Groups",
        "bulkId:a",
        "a",
        "test_uid",
        "Engineering",
        "False",
    ]);
    let json = prop_oneof![
        any::<Option<i64>>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        words.prop_map(Value::from),
        any::<f64>().prop_map(Value::from)
    ];
    let keys = [
        "Operations",
        "op",
        "path",
        "value",
        "active",
        "id",
        "externalId",
        "emails",
        "name",
        "formatted",
        "userName",
        "primary",
        "type",
        "displayName",
        "members",
        "schemas",
        "method",
        "bulkId",
        "data",
        "version",
        "failOnErrors",
    ];
    json.prop_recursive(5, 32, 4, move |inner| {
        let key = prop::sample::select(keys.to_vec());
        let map = prop::collection::vec((key, inner.clone()), 0..6)
            .prop_map(|fields| Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()));
        prop_oneof![map, prop::collection::vec(inner, 0..4).prop_map(Value::from)]
    })
}

async fn send_anything(scim: &Scim, paths: &'static str) {
    let cases = (bodies(), paths, 0..5_usize);
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    for _ in 0..300 {
        let (body, path, method) = cases.new_tree(&mut runner).unwrap().current();
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE"][method];
        let path = percent_encoding::utf8_percent_encode(&path, percent_encoding::CONTROLS).to_string();
        let path: String =
            path.chars().filter(|char| char.is_ascii_alphanumeric() || "/%_.-".contains(*char)).collect();
        let reply = scim.send(method, &format!("/{path}"), body.to_string()).await;
        assert!(!reply.status.is_server_error() || reply.status == 501, "{method} /{path} {body}: {}", reply.line());
    }
}

#[sqlx::test]
async fn no_body_and_no_path_breaks_anything(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    send_anything(&scim, "(Users|Users/test_uid|Users/[\\PC]{0,9}|[\\PC]{0,9})").await;
}

#[sqlx::test]
async fn nothing_about_groups_breaks_anything_either(pool: PgPool) {
    store::jobs::migrate(&Db::from(pool.clone())).await.unwrap();
    let scim = Scim::of_instance(pool).await;
    scim.example().await;
    let link = format!(
        "insert into saml_group_links (group_id, saml_group_name, access_level, scim_group_uid)
         values ({}, 'Engineering', 30, '0b1d561c-21ff-4092-beab-8154b17f82f2')",
        scim.group
    );
    scim.given.sql(&link).await;
    send_anything(&scim, "(Bulk|Groups|Groups/.search|Groups/0b1d561c-21ff-4092-beab-8154b17f82f2|Groups/[\\PC]{0,9})")
        .await;
    let operations: Vec<Value> = vec![json!({"op": "add", "path": "members", "value": []}); 1001];
    let body = json!({"schemas": [], "Operations": operations}).to_string();
    let reply = scim.send("PATCH", "/Groups/0b1d561c-21ff-4092-beab-8154b17f82f2", body).await;
    assert_eq!((reply.status.as_u16(), detail(&reply).contains("1000")), (413, true), "{}", reply.text);
    let nul = r#"{"displayName":"Engineering","members":[{"value":"a\u0000"}]}"#;
    assert_eq!(scim.send("POST", "/Groups", nul).await.status, 400);
}
