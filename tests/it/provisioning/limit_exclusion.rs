//! `/namespaces/:id/storage/limit_exclusion` and the list of all.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;

const X: &str = "/namespaces/1234/storage/limit_exclusion";
const LIST: &str = "/namespaces/storage/limit_exclusions";

/// provisioning-78
#[sqlx::test]
async fn a_namespace_is_excluded_once(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("POST", X, json!({ "reason": "A good one" })).await;
    let id: i64 = world.given().value("select id from namespaces_storage_limit_exclusions").await;
    let expected =
        format!(r#"{{"id":{id},"namespace_id":1234,"namespace_name":"A Namespace Name","reason":"A good one"}}"#);
    assert_eq!(made.line(), format!("201 {expected}"));
    for reason in ["Another", ""] {
        let again = world.json("POST", X, json!({ "reason": reason })).await;
        assert_eq!(again.line(), r#"400 {"message":"400 Bad request - already excluded"}"#);
    }
    assert_eq!(world.call("GET", LIST).await.line(), format!("200 [{expected}]"));
    assert_eq!(world.ledger().await, ["1234 storage_exclusion null → A good one, by administrator root"]);
}

/// provisioning-77
#[sqlx::test]
async fn the_gate_comes_after_the_caller(pool: PgPool) {
    let world = World::with(pool, "gatehouse: {check_namespace_plan: false}").await;
    for (method, path) in [("POST", X), ("DELETE", X), ("GET", LIST)] {
        let bare = world.call_as("", method, path).await;
        assert_eq!(bare.line(), r#"401 {"message":"401 Unauthorized"}"#);
        let reply = world.json(method, path, json!({ "reason": "x" })).await;
        assert_eq!(reply.line(), r#"403 {"message":"403 Forbidden - this API is for GitLab.com only"}"#);
    }
}

/// provisioning-79
#[sqlx::test]
async fn an_exclusion_has_a_reason(pool: PgPool) {
    let world = World::new(pool).await;
    let too_long = "x".repeat(256);
    for (body, said) in [
        (json!({}), json!({ "error": "reason is missing" })),
        (json!({ "reason": ["x"] }), json!({ "error": "reason is invalid" })),
        (json!({ "reason": "a\u{0}b" }), json!({ "error": "reason is invalid" })),
        (json!({ "reason": "" }), json!({ "message": { "reason": ["can't be blank"] } })),
        (json!({ "reason": null }), json!({ "message": { "reason": ["can't be blank"] } })),
        (json!({ "reason": "  " }), json!({ "message": { "reason": ["can't be blank"] } })),
        (
            json!({ "reason": too_long }),
            json!({ "message": { "reason": ["is too long (maximum is 255 characters)"] } }),
        ),
    ] {
        let reply = world.json("POST", X, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (400, said), "{body}");
    }
    assert_eq!(world.json("POST", X, json!({ "reason": "日".repeat(255) })).await.status, 201);
}

/// provisioning-80
#[sqlx::test]
async fn only_roots_are_excluded(pool: PgPool) {
    let world = World::new(pool).await;
    let path = "/namespaces/1300/storage/limit_exclusion";
    for method in ["POST", "DELETE"] {
        let reply = world.json(method, path, json!({ "reason": "" })).await;
        assert_eq!(reply.line(), r#"400 {"message":"400 Bad request - must use a root namespace"}"#);
        let none = world.json(method, "/namespaces/900/storage/limit_exclusion", json!({ "reason": "x" })).await;
        assert_eq!(none.line(), r#"404 {"message":"404 Namespace Not Found"}"#);
    }
    let personal = "/namespaces/owners-own/storage/limit_exclusion";
    assert_eq!(world.json("POST", personal, json!({ "reason": "x" })).await.status, 201);
}

/// provisioning-81, provisioning-82
#[sqlx::test]
async fn an_exclusion_ends_once(pool: PgPool) {
    let world = World::new(pool).await;
    let none = r#"400 {"message":"400 Bad request - not excluded"}"#;
    assert_eq!(world.call("DELETE", X).await.line(), none);
    world.json("POST", X, json!({ "reason": "x" })).await;
    let ended = world.call("DELETE", X).await;
    assert_eq!((ended.line().as_str(), ended.headers.get("content-type")), ("204 ", None));
    assert_eq!(world.call("DELETE", X).await.line(), none);
    assert_eq!(world.call("GET", LIST).await.line(), "200 []");
    assert_eq!(world.ledger().await[1..], ["1234 storage_exclusion x → null, by administrator root"]);
}

/// provisioning-83
#[sqlx::test]
async fn the_list_has_pages(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "insert into namespaces (id, name, path, type, visibility_level, traversal_ids)
             select id, 'N' || id, 'n' || id, 'Group', 0, array[id] from generate_series(5001, 5025) as id;
             insert into namespaces_storage_limit_exclusions (id, namespace_id, reason)
             select 30 - n, 5000 + n, 'because' from generate_series(1, 25) as n",
        )
        .await;
    let second = world.call("GET", &format!("{LIST}?page=2")).await;
    let ids: Vec<i64> = second.json().as_array().unwrap().iter().filter_map(|row| row["id"].as_i64()).collect();
    assert_eq!(ids, [25, 26, 27, 28, 29]);
    let header = |name: &str| second.headers.get(name).map_or("none", |value| value.to_str().unwrap());
    let shown = ["x-total", "x-total-pages", "x-page", "x-per-page", "x-next-page", "x-prev-page"].map(header);
    assert_eq!(shown, ["25", "2", "2", "20", "", "1"]);
    assert!(header("link").contains("limit_exclusions?page=1&per_page=20>; rel=\"prev\""), "{}", header("link"));

    let searched = world.call("GET", &format!("{LIST}?search=a%20b&page=2")).await;
    let link = searched.headers["link"].to_str().unwrap();
    assert_eq!(link.matches("limit_exclusions?search=a+b&page=").count(), 3, "{link}");

    for (query, rows) in [("?per_page=3", 3), ("?per_page=1000", 25), ("?page=-4&per_page=5", 5), ("?page=99", 0)] {
        let reply = world.call("GET", &format!("{LIST}{query}")).await;
        assert_eq!((reply.status.as_u16(), reply.json().as_array().unwrap().len()), (200, rows), "{query}");
    }
    let most = world.call("GET", &format!("{LIST}?page=2147483647&per_page=100")).await;
    assert_eq!(most.line(), "200 []");
    for (query, said) in [
        ("?per_page=0", "per_page has a value not allowed"),
        ("?per_page=x", "per_page is invalid"),
        ("?page=99999999999", "page is invalid"),
    ] {
        let reply = world.call("GET", &format!("{LIST}{query}")).await;
        assert_eq!(reply.json(), json!({ "error": said }), "{query}");
    }
}

/// A group may be called what the list is called.
#[sqlx::test]
async fn a_group_named_storage_is_in_nobodys_way(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "insert into namespaces (id, name, path, type, visibility_level, traversal_ids)
             values (77, 'Storage', 'storage', 'Group', 0, '{77}');
             insert into routes (source_id, source_type, path, namespace_id) values (77, 'Namespace', 'storage', 77)",
        )
        .await;
    let made = world.json("POST", "/namespaces/storage/storage/limit_exclusion", json!({ "reason": "x" })).await;
    assert_eq!((made.status.as_u16(), &made.json()["namespace_id"]), (201, &json!(77)));
    assert_eq!(world.json("POST", "/namespaces/storage/minutes", json!({ "packs": [] })).await.line(), "201 []");
    assert_eq!(world.call("GET", LIST).await.json().as_array().map(Vec::len), Some(1));
    assert_eq!(world.call("GET", "/namespaces/storage/gitlab_subscription").await.json()["plan"]["code"], Value::Null);
}
