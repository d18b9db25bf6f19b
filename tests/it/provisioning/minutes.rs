//! `/namespaces/:id/minutes`: packs are credited once, all of them or none, and move as one.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;

const M: &str = "/namespaces/1234/minutes";
const XID: &str = "46952fe69bebc1a4de10b2b4ff439d0c";
const CREDITED: &str = r#"{"namespace_id":1234,"expires_at":"2022-01-01","number_of_minutes":10000,"purchase_xid":"46952fe69bebc1a4de10b2b4ff439d0c"}"#;
const UNABLE: &str = r#"400 {"message":"400 Bad request - Unable to save additional packs"}"#;
const MOVE: &str = "/namespaces/1234/minutes/move/4321";

fn pack(minutes: i32, xid: &str) -> Value {
    json!({ "number_of_minutes": minutes, "expires_at": "2022-01-01", "purchase_xid": xid })
}

async fn credit(world: &World, path: &str, packs: Value) -> String {
    world.json("POST", path, json!({ "packs": packs })).await.line()
}

async fn total(world: &World) -> i64 {
    world.given().value("select coalesce(sum(number_of_minutes), 0) from ci_minutes_additional_packs").await
}

/// provisioning-57, provisioning-58
#[sqlx::test]
async fn a_purchase_is_credited_once(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(credit(&world, M, json!([pack(10_000, XID)])).await, format!("201 [{CREDITED}]"));
    for again in
        [pack(99, XID), pack(0, XID), json!({ "number_of_minutes": null, "expires_at": "", "purchase_xid": XID })]
    {
        assert_eq!(credit(&world, M, json!([again])).await, format!("201 [{CREDITED}]"));
    }
    assert_eq!((world.count("ci_minutes_additional_packs").await, total(&world).await), (1, 10_000));
    assert_eq!(
        world.ledger().await,
        [format!("1234 minutes_pack null → 2022-01-01 10000 {XID}, by administrator root")]
    );
}

/// provisioning-59
#[sqlx::test]
async fn a_purchase_is_credited_on_one_namespace(pool: PgPool) {
    let world = World::new(pool).await;
    credit(&world, M, json!([pack(10_000, XID)])).await;
    let elsewhere = "/namespaces/4321/minutes";
    assert_eq!(credit(&world, elsewhere, json!([pack(5, "new"), pack(10_000, XID)])).await, UNABLE);
    assert_eq!((world.count("ci_minutes_additional_packs").await, world.ledger().await.len()), (1, 1));
}

/// provisioning-61
#[sqlx::test]
async fn a_purchase_that_is_named_twice_is_credited_once(pool: PgPool) {
    let world = World::new(pool).await;
    let packs = json!([pack(10_000, XID), pack(10_000, XID)]);
    assert_eq!(credit(&world, M, packs).await, format!("201 [{CREDITED},{CREDITED}]"));
    assert_eq!(world.count("ci_minutes_additional_packs").await, 1);
    // The answer has the order of the request, and subgroups have minutes of their own.
    let reply =
        world.json("POST", "/namespaces/a-ns%2Fsub/minutes", json!({ "packs": [pack(2, "z"), pack(1, "a")] })).await;
    let json = reply.json();
    assert_eq!([&json[0]["purchase_xid"], &json[1]["purchase_xid"]], ["z", "a"]);
    assert_eq!(json[0]["namespace_id"], 1300);
}

/// provisioning-62
#[sqlx::test]
async fn packs_are_a_list(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.json("POST", M, json!({})).await.line(), r#"400 {"error":"packs is missing"}"#);
    assert_eq!(credit(&world, M, json!([])).await, "201 []");
    for packs in [json!("x"), json!({ "number_of_minutes": 1 }), Value::Null, json!(5)] {
        assert_eq!(credit(&world, M, packs.clone()).await, r#"400 {"error":"packs is invalid"}"#, "{packs}");
    }
    let missing = r#"400 {"error":"packs[0][number_of_minutes] is missing, packs[0][expires_at] is missing, packs[0][purchase_xid] is missing"}"#;
    assert_eq!(credit(&world, M, json!([{}])).await, missing);
    let neither = r#"400 {"error":"packs[0][number_of_minutes] is missing, packs[0][number_of_minutes] is invalid, packs[0][expires_at] is missing, packs[0][expires_at] is invalid, packs[0][purchase_xid] is missing, packs[0][purchase_xid] is invalid"}"#;
    for packs in [json!([5]), json!([null]), json!([[]])] {
        assert_eq!(credit(&world, M, packs.clone()).await, neither, "{packs}");
    }
    // Parameters come before the namespace.
    assert_eq!(world.json("POST", "/namespaces/9/minutes", json!({})).await.status, 400);
    assert_eq!(
        credit(&world, "/namespaces/9/minutes", json!([])).await,
        r#"404 {"message":"404 Namespace Not Found"}"#
    );
    let many: Vec<Value> = (0..1001).map(|number| pack(1, &number.to_string())).collect();
    assert_eq!(credit(&world, M, json!(many)).await, r#"400 {"error":"packs is too long (maximum is 1000)"}"#);
    assert_eq!(total(&world).await, 0);
}

/// provisioning-63
#[sqlx::test]
async fn packs_are_credited_all_or_none(pool: PgPool) {
    let world = World::new(pool).await;
    let mut wrong = pack(1, "b");
    wrong["number_of_minutes"] = json!("abc");
    assert_eq!(
        credit(&world, M, json!([pack(1, "a"), wrong])).await,
        r#"400 {"error":"packs[1][number_of_minutes] is invalid"}"#
    );
    // What is wrong is said field by field.
    let mut first = pack(1, "a");
    first["expires_at"] = json!("zz");
    assert_eq!(
        credit(&world, M, json!([first, wrong])).await,
        r#"400 {"error":"packs[1][number_of_minutes] is invalid, packs[0][expires_at] is invalid"}"#
    );
    let mut blank = pack(1, "b");
    blank["expires_at"] = Value::Null;
    for last in [blank, pack(0, "b"), pack(-7, "b"), pack(1, ""), pack(1, &"x".repeat(33))] {
        assert_eq!(credit(&world, M, json!([pack(1, "a"), last])).await, UNABLE, "{last}");
    }
    assert_eq!((total(&world).await, world.ledger().await.len()), (0, 0));
    assert!(credit(&world, M, json!([pack(1, "a"), pack(1, &"é".repeat(32))])).await.starts_with("201 "));
}

/// provisioning-64, provisioning-65
#[sqlx::test]
async fn packs_move_once_and_are_not_credited_again(pool: PgPool) {
    let world = World::new(pool).await;
    credit(&world, M, json!([pack(10_000, XID)])).await;
    for _ in 0..2 {
        assert_eq!(world.call("PATCH", MOVE).await.line(), r#"202 {"message":"202 Accepted"}"#);
        let home: i64 = world.given().value("select namespace_id from ci_minutes_additional_packs").await;
        assert_eq!(home, 4321);
    }
    assert_eq!(credit(&world, M, json!([pack(10_000, XID)])).await, UNABLE);
    assert_eq!(total(&world).await, 10_000);
    assert_eq!(
        world.ledger().await[1..],
        [
            format!("1234 minutes_pack 2022-01-01 10000 {XID} → null, by administrator root"),
            format!("4321 minutes_pack null → 2022-01-01 10000 {XID}, by administrator root"),
        ]
    );
}

#[sqlx::test]
async fn packs_move_between_roots_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let bad = |reason: &str| format!(r#"400 {{"message":"400 Bad request - {reason}"}}"#);
    for (path, said) in [
        ("1300/minutes/move/1300", bad("Namespace must be a top-level namespace")),
        ("1234/minutes/move/1300", bad("Target namespace must be a top-level namespace")),
        ("a-ns/minutes/move/1234", bad("Namespace and target must be different")),
        ("9/minutes/move/8", r#"404 {"message":"404 Namespace Not Found"}"#.to_owned()),
        ("1234/minutes/move/900", r#"404 {"message":"404 Target namespace Not Found"}"#.to_owned()),
        ("a-ns/minutes/move/owners-own", r#"202 {"message":"202 Accepted"}"#.to_owned()),
    ] {
        assert_eq!(world.call("PATCH", &format!("/namespaces/{path}")).await.line(), said, "{path}");
    }
}

/// A form can carry packs too.
#[sqlx::test]
async fn packs_come_in_a_form(pool: PgPool) {
    let world = World::new(pool).await;
    let form = "packs[][number_of_minutes]=10000&packs[][expires_at]=2022-01-01&packs[][purchase_xid]=46952fe69bebc1a4de10b2b4ff439d0c";
    assert_eq!(world.form("POST", M, form).await.line(), format!("201 [{CREDITED}]"));
}
