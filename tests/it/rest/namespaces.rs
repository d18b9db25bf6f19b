//! Namespaces, as clients list them.

use serde_json::json;
use sqlx::PgPool;

use super::world::World;

#[sqlx::test]
async fn namespaces_are_ones_own_and_those_of_ones_groups(pool: PgPool) {
    let world = World::new(pool).await;
    let personal = "insert into namespaces (id, name, path, type, owner_id, traversal_ids)
                    values (40, 'Dev', 'dev', 'User', 4, '{40}');
                    insert into routes (source_id, source_type, path, namespace_id) values (40, 'Namespace', 'dev', 40)";
    world.given().sql(personal).await;
    let ids = async |who: &str, query: &str| {
        let listed = world.call(who, "GET", &format!("/namespaces{query}")).await.json();
        listed.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("dev", "").await, [10, 11, 40]);
    assert_eq!(ids("dev", "?owned_only=true").await, [40]);
    assert_eq!(ids("own", "?owned_only=true&top_level_only=true").await, [10, 12]);
    assert_eq!(ids("root", "").await, [10, 11, 12, 40]);
    assert_eq!(ids("root", "?search=ACM").await, [10]);
    assert!(ids("out", "").await.is_empty());
    let own = world.call("dev", "GET", "/namespaces/DEV").await.json();
    assert_eq!((&own["kind"], &own["web_url"]), (&json!("user"), &json!("http://localhost/dev")));
    assert_eq!(own["plan"], json!("free"));
    let group = world.call("dev", "GET", "/namespaces/acme%2Fsub").await.json();
    assert_eq!((&group["parent_id"], &group["full_path"]), (&json!(10), &json!("acme/sub")));
    assert!(group.get("plan").is_none());
    let gone = r#"404 {"message":"404 Namespace Not Found"}"#;
    assert_eq!(world.call("out", "GET", "/namespaces/10").await.line(), gone);
    assert_eq!(world.call("dev", "GET", "/namespaces/nix").await.line(), gone);
    let owners = world.call("own", "GET", "/namespaces/10").await.json();
    assert_eq!(owners["members_count_with_descendants"], json!(4));
}

/// Ruling 46
#[sqlx::test]
async fn a_group_that_lets_no_stranger_in_is_none(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().sql("insert into ip_restrictions (group_id, range) values (10, '203.0.113.0/24')").await;
    let listed = world.call("own", "GET", "/namespaces").await;
    let ids: Vec<i64> = listed.json().as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!((ids, &listed.headers["x-total"].to_str().unwrap()), (vec![12], &"1"));
    for name in ["10", "11", "acme%2Fsub"] {
        assert_eq!(world.call("own", "GET", &format!("/namespaces/{name}")).await.status, 404, "{name}");
    }
}

#[sqlx::test]
async fn a_path_is_taken_or_free(pool: PgPool) {
    let world = World::new(pool).await;
    let exists = async |path: &str| world.call("out", "GET", &format!("/namespaces/{path}/exists")).await.json();
    assert_eq!(exists("ACME").await, json!({ "exists": true, "suggests": ["ACME1"] }));
    assert_eq!(exists("free").await, json!({ "exists": false, "suggests": [] }));
    let below = world.call("dev", "GET", "/namespaces/sub/exists?parent_id=10").await.json();
    assert_eq!(below["exists"], json!(true));
    let hidden = world.call("out", "GET", "/namespaces/sub/exists?parent_id=10").await;
    assert_eq!(hidden.line(), r#"404 {"message":"404 Group Not Found"}"#);
}
