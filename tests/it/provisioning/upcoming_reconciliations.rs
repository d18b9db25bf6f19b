//! `/internal/upcoming_reconciliations`: what is good is written, what is not is said.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;

const R: &str = "/internal/upcoming_reconciliations";

/// The contract's world with its namespaces 127 and 129.
async fn world(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "insert into namespaces (id, name, path, type, visibility_level, traversal_ids)
             values (127, 'One', 'one', 'Group', 0, '{127}'), (129, 'Other', 'other', 'Group', 0, '{129}')",
        )
        .await;
    world
}

fn element(namespace: i64, next: &str, from: &str) -> Value {
    json!({ "namespace_id": namespace, "next_reconciliation_date": next, "display_alert_from": from })
}

fn example() -> Value {
    json!([element(127, "13 Jun 2021", "06 Jun 2021"), element(129, "12 Jun 2021", "05 Jun 2021")])
}

async fn put(world: &World, list: Value) -> String {
    world.json("PUT", R, json!({ "upcoming_reconciliations": list })).await.line()
}

async fn stored(world: &World) -> String {
    world
        .given()
        .value(
            "select coalesce(string_agg(concat_ws(' ', namespace_id, next_reconciliation_date, display_alert_from), ', '
             order by namespace_id), '') from upcoming_reconciliations",
        )
        .await
}

/// provisioning-67, provisioning-68
#[sqlx::test]
async fn dates_are_written_and_overwritten(pool: PgPool) {
    let world = world(pool).await;
    assert_eq!(put(&world, example()).await, "200 200");
    assert_eq!(stored(&world).await, "127 2021-06-13 2021-06-06, 129 2021-06-12 2021-06-05");
    assert_eq!(put(&world, json!([element(127, "2022-06-13", "2022-06-06")])).await, "200 200");
    assert_eq!(stored(&world).await, "127 2022-06-13 2022-06-06, 129 2021-06-12 2021-06-05");
    // The same again is no change.
    assert_eq!(put(&world, json!([element(127, "2022-06-13", "2022-06-06")])).await, "200 200");
    assert_eq!(
        world.ledger().await,
        [
            "127 reconciliation null → 2021-06-06 2021-06-13, by administrator root",
            "129 reconciliation null → 2021-06-05 2021-06-12, by administrator root",
            "127 reconciliation 2021-06-06 2021-06-13 → 2022-06-06 2022-06-13, by administrator root",
        ]
    );
    // Any namespace may have one.
    assert_eq!(put(&world, json!([element(1300, "2022-06-13", "2022-06-06")])).await, "200 200");
}

/// provisioning-69
#[sqlx::test]
async fn what_is_good_is_written_beside_what_is_not(pool: PgPool) {
    let world = world(pool).await;
    let list = json!([element(127, "13 Jun 2021", "06 Jun 2021"), element(999_999, "13 Jun 2021", "06 Jun 2021")]);
    assert_eq!(put(&world, list).await, r#"400 {"message":{"error":"[{\"999999\":[\"Namespace can't be blank\"]}]"}}"#);
    assert_eq!(stored(&world).await, "127 2021-06-13 2021-06-06");
    let list = json!([element(999, "2021-06-13", "2021-06-06"), { "namespace_id": 127, "display_alert_from": "2021-06-06" }, { "namespace_id": 129 }]);
    let reply = world.json("PUT", R, json!({ "upcoming_reconciliations": list })).await;
    assert_eq!(
        reply.json()["message"]["error"],
        r#"[{"999":["Namespace can't be blank"]},{"127":["Next reconciliation date can't be blank"]},{"129":["Next reconciliation date can't be blank","Display alert from can't be blank"]}]"#
    );
}

/// provisioning-70
#[sqlx::test]
async fn two_dates_for_one_namespace_are_none(pool: PgPool) {
    let world = world(pool).await;
    let list = json!([
        element(127, "13 Jun 2021", "06 Jun 2021"),
        element(129, "13 Jun 2021", "06 Jun 2021"),
        element(127, "14 Jun 2021", "07 Jun 2021"),
        element(999_999, "14 Jun 2021", "07 Jun 2021"),
    ]);
    let reply = world.json("PUT", R, json!({ "upcoming_reconciliations": list })).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["message"]["error"]),
        (
            400,
            &json!(
                r#"[{"999999":["Namespace can't be blank"]},{"bulk_upsert":"ON CONFLICT DO UPDATE command cannot affect row a second time"}]"#
            )
        )
    );
    assert_eq!(stored(&world).await, "");
}

/// provisioning-71
#[sqlx::test]
async fn a_list_of_the_wrong_shape_is_refused_whole(pool: PgPool) {
    let world = world(pool).await;
    let good = element(127, "13 Jun 2021", "06 Jun 2021");
    let error = |said: &str| format!(r#"400 {{"error":"{said}"}}"#);
    for (wrong, said) in [
        (json!({ "namespace_id": null }), "upcoming_reconciliations[namespace_id] is empty"),
        (json!({ "namespace_id": "" }), "upcoming_reconciliations[namespace_id] is empty"),
        (json!({ "namespace_id": "abc" }), "upcoming_reconciliations[namespace_id] is invalid"),
        (
            json!({}),
            "upcoming_reconciliations[namespace_id] is missing, upcoming_reconciliations[namespace_id] is empty",
        ),
        (
            json!({ "namespace_id": 129, "next_reconciliation_date": "zz" }),
            "upcoming_reconciliations[next_reconciliation_date] is invalid",
        ),
    ] {
        assert_eq!(put(&world, json!([good, wrong, wrong])).await, error(said), "{wrong}");
    }
    for list in [json!("x"), json!(5), good.clone(), json!(["x"]), json!("[5]")] {
        assert_eq!(put(&world, list.clone()).await, error("upcoming_reconciliations is invalid"), "{list}");
    }
    let missing = world.json("PUT", R, json!({})).await;
    let said = "upcoming_reconciliations is missing, upcoming_reconciliations[namespace_id] is missing";
    assert!(missing.json()["error"].as_str().unwrap().starts_with(said), "{}", missing.line());
    assert_eq!((stored(&world).await, world.ledger().await.len()), (String::new(), 0));
}

/// provisioning-73
#[sqlx::test]
async fn nothing_to_write_is_well(pool: PgPool) {
    let world = world(pool).await;
    put(&world, example()).await;
    for nothing in [json!([]), Value::Null, json!("[]")] {
        assert_eq!(put(&world, nothing).await, "200 200");
    }
    assert_eq!(stored(&world).await, "127 2021-06-13 2021-06-06, 129 2021-06-12 2021-06-05", "nothing is removed");
}

/// The list may be JSON inside a text, as a form has it.
#[sqlx::test]
async fn a_list_may_be_a_text(pool: PgPool) {
    let world = world(pool).await;
    assert_eq!(put(&world, json!(example().to_string())).await, "200 200");
    assert_eq!(stored(&world).await, "127 2021-06-13 2021-06-06, 129 2021-06-12 2021-06-05");
    let one = element(129, "2022-06-13", "2022-06-06").to_string();
    assert_eq!(put(&world, json!(one)).await, "200 200");
    assert_eq!(stored(&world).await, "127 2021-06-13 2021-06-06, 129 2022-06-13 2022-06-06");
}

/// provisioning-74
#[sqlx::test]
async fn a_reconciliation_is_removed_once(pool: PgPool) {
    let world = world(pool).await;
    put(&world, example()).await;
    let path = format!("{R}?namespace_id=127");
    let removed = world.call("DELETE", &path).await;
    assert_eq!((removed.line().as_str(), removed.headers.get("content-type")), ("204 ", None));
    for path in [path.as_str(), "/internal/upcoming_reconciliations?namespace_id=999999"] {
        assert_eq!(world.call("DELETE", path).await.line(), r#"404 {"message":"404 Not Found"}"#);
    }
    assert_eq!(stored(&world).await, "129 2021-06-12 2021-06-05");
    assert_eq!(world.ledger().await[2..], ["127 reconciliation 2021-06-06 2021-06-13 → null, by administrator root"]);
}

/// provisioning-75
#[sqlx::test]
async fn a_removal_names_a_namespace(pool: PgPool) {
    let world = world(pool).await;
    for (query, said) in [
        ("", "namespace_id is missing, namespace_id is empty"),
        ("?namespace_id=", "namespace_id is empty"),
        ("?namespace_id=abc", "namespace_id is invalid"),
    ] {
        let reply = world.call("DELETE", &format!("{R}{query}")).await;
        assert_eq!(reply.line(), format!(r#"400 {{"error":"{said}"}}"#));
    }
}

/// provisioning-76
#[sqlx::test]
async fn the_gate_comes_before_the_caller(pool: PgPool) {
    let world = World::with(pool, "gatehouse: {check_namespace_plan: false}").await;
    for method in ["PUT", "DELETE"] {
        for token in ["", &world.token] {
            let reply = world.call_as(token, method, R).await;
            assert_eq!(reply.line(), r#"403 {"message":"403 Forbidden - This API is gitlab.com only!"}"#);
        }
    }
    let add_on =
        "/namespaces/1234/subscription_add_on_purchase/duo_nano?quantity=1&expires_on=2024-07-15&purchase_xid=A";
    assert_eq!(world.call("POST", add_on).await.status, 201, "others work on");
    assert_eq!(world.json("POST", "/namespaces/1234/minutes", json!({ "packs": [] })).await.status, 201);
}
