//! The newer mounts of add-ons, minutes and reconciliations, which CustomersDot alone may call.

use axum::body::Body;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;
use super::races::ledger_agrees;
use crate::support::{Reply, customers_dot};

const PURCHASES: &str = "/namespaces/1234/subscription_add_on_purchases";

/// The world of an installation that knows CustomersDot.
pub async fn world(pool: PgPool) -> World {
    World::with(pool, &customers_dot::settings()).await
}

/// A request of CustomersDot's below the newer mounts.
pub async fn call(world: &World, method: &str, path: &str, body: Value) -> Reply {
    let request = World::bare(method, &format!("/internal/gitlab_subscriptions{path}"));
    let request = request.header("X-Customers-Dot-Internal-Token", customers_dot::token(&world.app));
    let request = request.header("content-type", "application/json");
    world.app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// A purchase for a year.
pub fn item(quantity: i32, xid: &str) -> Value {
    json!({ "quantity": quantity, "started_on": "2021-01-01", "expires_on": "2022-01-01", "purchase_xid": xid })
}

async fn buy(world: &World, lists: Value) -> Reply {
    call(world, "POST", PURCHASES, json!({ "add_on_purchases": lists })).await
}

/// What the answer says was saved: add-on, quantity, end.
fn saved(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 201, "{}", reply.line());
    let json = reply.json();
    let line = |row: &Value| format!("{} {} {}", row["add_on"], row["quantity"], row["expires_on"]).replace('"', "");
    json.as_array().unwrap().iter().map(line).collect()
}

#[sqlx::test]
async fn many_add_ons_are_bought_at_once(pool: PgPool) {
    let world = world(pool).await;
    let bought =
        buy(&world, json!({ "duo_pro": [item(5, "A"), item(99, "ignored")], "product_analytics": [item(1, "B")] }))
            .await;
    assert_eq!(
        bought.json()[0],
        json!({
            "namespace_id": 1234, "namespace_name": "A Namespace Name", "add_on": "Code Suggestions", "quantity": 5,
            "started_on": "2021-01-01", "expires_on": "2022-01-01", "purchase_xid": "A", "trial": false,
        })
    );
    assert_eq!(saved(&bought), ["Code Suggestions 5 2022-01-01", "Product Analytics 1 2022-01-01"]);
    // The same again changes nothing.
    let lists = json!({ "duo_pro": [item(5, "A")], "product_analytics": [item(1, "B")] });
    assert_eq!(saved(&buy(&world, lists).await), saved(&bought));
    assert_eq!(world.ledger().await.len(), 2);
    let shown = call(&world, "GET", &format!("{PURCHASES}/code_suggestions"), json!({})).await;
    assert_eq!((shown.status.as_u16(), shown.json()), (200, bought.json()[0].clone()));
    let none = call(&world, "GET", &format!("{PURCHASES}/duo_core"), json!({})).await;
    assert_eq!(none.line(), r#"404 {"message":"404 Not found"}"#);
}

#[sqlx::test]
async fn the_editions_of_duo_are_one_purchase(pool: PgPool) {
    let world = world(pool).await;
    buy(&world, json!({ "duo_pro": [item(5, "A")] })).await;
    let both = buy(&world, json!({ "duo_pro": [item(6, "A")], "duo_enterprise": [item(7, "B")] })).await;
    assert_eq!(saved(&both), ["Duo Enterprise 7 2022-01-01"]);
    assert_eq!(world.count("subscription_add_on_purchases").await, 1);
    let back = buy(&world, json!({ "duo_pro": [item(3, "C")], "duo_enterprise": [item(0, "B")] })).await;
    assert_eq!(saved(&back), ["Code Suggestions 3 2022-01-01"]);
    assert_eq!(world.count("subscription_add_on_purchases").await, 1);
    ledger_agrees(&world).await;
}

#[sqlx::test]
async fn an_order_of_none_ends_what_there_is(pool: PgPool) {
    let world = world(pool).await;
    let nothing = buy(&world, json!({ "duo_pro": [item(0, "A")] })).await;
    assert!(nothing.message().starts_with("400 Bad request - "), "{}", nothing.line());
    assert_eq!(buy(&world, json!({})).await.status, 400);
    buy(&world, json!({ "duo_pro": [item(5, "A")] })).await;
    for _ in 0..2 {
        let ended =
            buy(&world, json!({ "duo_pro": [{ "started_on": "2021-01-01", "expires_on": "2022-01-01" }] })).await;
        assert_eq!(saved(&ended), ["Code Suggestions 5 2021-05-31"]);
    }
    assert_eq!(world.ledger().await.len(), 2);
}

#[sqlx::test]
async fn all_add_ons_are_saved_or_none(pool: PgPool) {
    let world = world(pool).await;
    let said = |reply: Reply| (reply.status.as_u16(), reply.json());
    assert_eq!(
        said(buy(&world, json!({ "duo_pro": [item(-1, "A")] })).await),
        (400, json!({ "error": "add_on_purchases[duo_pro][0][quantity] Must be a non-negative integer if provided" }))
    );
    assert_eq!(
        said(buy(&world, json!({ "duo_core": [{}] })).await),
        (
            400,
            json!({ "error": "add_on_purchases[duo_core][0][started_on] is missing, add_on_purchases[duo_core][0][expires_on] is missing" })
        )
    );
    assert_eq!(
        said(buy(&world, json!({ "duo_core": [item(1, "A")], "product_analytics": [item(1, "")] })).await),
        (400, json!({ "message": "400 Bad request - purchase_xid can't be blank" }))
    );
    for lists in [json!(null), json!([]), json!("x"), json!({ "duo_pro": "x" }), json!({ "duo_pro": [1] })] {
        assert_eq!(buy(&world, lists.clone()).await.status, 400, "{lists}");
    }
    assert_eq!((world.count("subscription_add_on_purchases").await, world.ledger().await.len()), (0, 0));
    let body = json!({ "add_on_purchases": { "duo_core": [item(1, "A")] } });
    for (id, status) in [("1300", 400), ("900", 404)] {
        let path = format!("/namespaces/{id}/subscription_add_on_purchases");
        assert_eq!(call(&world, "POST", &path, body.clone()).await.status, status);
    }
}

#[sqlx::test]
async fn minutes_and_dates_have_mounts_of_their_own(pool: PgPool) {
    let world = world(pool).await;
    let packs = json!({ "packs": [{ "number_of_minutes": 5, "expires_at": "2022-01-01", "purchase_xid": "x" }] });
    assert_eq!(call(&world, "POST", "/namespaces/1234/minutes", packs).await.status, 201);
    let moved = call(&world, "PATCH", "/namespaces/1234/minutes/move/4321", json!({})).await;
    assert_eq!(moved.line(), r#"202 {"message":"202 Accepted"}"#);

    let path = "/namespaces/a-ns/upcoming_reconciliations";
    let dates = json!({ "next_reconciliation_date": "2021-06-13", "display_alert_from": "2021-06-06" });
    assert_eq!(call(&world, "PUT", path, dates).await.line(), "200 200");
    let missing = "next_reconciliation_date is missing, display_alert_from is missing";
    assert_eq!(call(&world, "PUT", path, json!({})).await.json(), json!({ "error": missing }));
    let blank = json!({ "next_reconciliation_date": null, "display_alert_from": "2021-06-06" });
    assert_eq!(call(&world, "PUT", path, blank).await.status, 400);
    assert_eq!(call(&world, "DELETE", path, json!({})).await.line(), "204 ");
    assert_eq!(call(&world, "DELETE", path, json!({})).await.line(), r#"404 {"message":"404 Not Found"}"#);
    ledger_agrees(&world).await;
}
