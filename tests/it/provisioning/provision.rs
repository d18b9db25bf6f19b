//! Everything that was bought for a namespace in one request, in parts that do not depend on each other.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;
use super::gitlab_subscriptions::{call, item, world};
use super::races::ledger_agrees;
use crate::support::Reply;

async fn provision(world: &World, parts: Value) -> Reply {
    call(world, "POST", "/namespaces/1234/provision", json!({ "provision": parts })).await
}

fn all() -> Value {
    json!({
        "base_product": {
            "plan_code": "premium", "seats": 30, "start_date": "2021-06-01", "end_date": "2022-06-01",
            "max_seats_used": 10, "auto_renew": true, "trial": false, "trial_starts_on": null, "trial_ends_on": null,
        },
        "storage": { "additional_purchased_storage_size": 100, "additional_purchased_storage_ends_on": "2022-06-01" },
        "compute_minutes": { "extra_shared_runners_minutes_limit": 90, "shared_runners_minutes_limit": 100 },
        "add_on_purchases": {
            "duo_core": [item(30, "A-S00001")], "duo_pro": [item(1, "A-S00001")], "duo_enterprise": [item(1, "A-S00001")],
            "product_analytics": [item(1, "A-S00002")],
        },
    })
}

/// What the namespace has: plan and seats, storage, minutes, add-ons.
async fn has(world: &World) -> String {
    let query = "
        select concat_ws(
          ' ',
          (select format('%s/%s', plans.name, seats) from gitlab_subscriptions
             join plans on plans.id = hosted_plan_id where namespace_id = 1234),
          (select additional_purchased_storage_size from namespace_limits where namespace_id = 1234
             and additional_purchased_storage_size > 0),
          (select extra_shared_runners_minutes_limit from namespaces where id = 1234),
          (select string_agg(add_on.name::text, '+' order by add_on.name) from subscription_add_on_purchases
             join subscription_add_ons as add_on on add_on.id = subscription_add_on_id)
        )";
    world.given().value::<String>(query).await
}

/// provisioning-95
#[sqlx::test]
async fn all_that_was_bought_is_given_at_once(pool: PgPool) {
    let world = world(pool).await;
    let done = json!({ "status": "success" });
    let success = json!({
        "status": "success", "message": null,
        "payload": { "base_product": done, "storage": done, "compute_minutes": done, "add_on_purchases": done },
    });
    let reply = provision(&world, all()).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, success.clone()));
    // The larger edition of Duo goes before the smaller.
    assert_eq!(has(&world).await, "premium/30 100 90 2+3+5");
    // It may be sent again: nothing is bought twice, and nothing more is written down.
    let ledger = world.ledger().await;
    assert_eq!(ledger.len(), 6, "{ledger:?}");
    assert_eq!(provision(&world, all()).await.json(), success);
    assert_eq!((world.ledger().await, has(&world).await), (ledger, "premium/30 100 90 2+3+5".to_owned()));
    assert_eq!(world.count("gitlab_subscription_histories").await, 0);
    // A personal namespace is a root.
    let order = json!({ "provision": { "compute_minutes": { "shared_runners_minutes_limit": 5 } } });
    let own = call(&world, "POST", "/namespaces/owners-own/provision", order).await;
    let payload = json!({ "base_product": null, "storage": null, "compute_minutes": done, "add_on_purchases": null });
    assert_eq!(own.json(), json!({ "status": "success", "message": null, "payload": payload }));
    ledger_agrees(&world).await;
}

/// provisioning-96
#[sqlx::test]
async fn a_part_that_is_refused_keeps_no_other_back(pool: PgPool) {
    let world = world(pool).await;
    assert_eq!(provision(&world, all()).await.status, 200);
    let cases = [
        (
            "base_product",
            json!({ "seats": null, "start_date": null, "plan_code": "ultimate" }),
            "Gitlab subscription seats can't be blank, Gitlab subscription start date can't be blank",
        ),
        (
            "storage",
            json!({ "additional_purchased_storage_size": null }),
            "Namespace limit additional purchased storage size can't be blank",
        ),
        (
            "compute_minutes",
            json!({ "extra_shared_runners_minutes_limit": -1 }),
            "Validation failed: Extra shared runners minutes limit must be greater than or equal to 0",
        ),
        ("add_on_purchases", json!({ "duo_core": [item(7, "")] }), "Purchase xid can't be blank"),
    ];
    for (at, (name, part, said)) in cases.into_iter().enumerate() {
        let number = 200 + i64::try_from(at).unwrap();
        let mut parts = json!({
            "base_product": { "seats": number },
            "storage": { "additional_purchased_storage_size": number },
            "compute_minutes": { "extra_shared_runners_minutes_limit": number },
            "add_on_purchases": { "duo_core": [item(200 + i32::try_from(at).unwrap(), "A-S00001")] },
        });
        let ledger = world.ledger().await.len();
        parts[name] = part;
        let reply = provision(&world, parts).await;
        let json = reply.json();
        assert_eq!(reply.status, 422, "{}", reply.line());
        assert_eq!((&json["status"], &json["message"]), (&json!("error"), &json!(said)));
        for part in ["base_product", "storage", "compute_minutes", "add_on_purchases"] {
            let came = if part == name {
                json!({ "status": "error", "message": said })
            } else {
                json!({ "status": "success" })
            };
            assert_eq!(json["payload"][part], came);
        }
        assert_eq!(world.ledger().await.len(), ledger + 3, "the others are done, and it is not");
    }
    assert_eq!(has(&world).await, "premium/203 203 203 2+3+5");
    // All that is wrong is said together, part by part.
    let wrong = json!({ "base_product": { "seats": null }, "compute_minutes": { "shared_runners_minutes_limit": -1 },
                        "add_on_purchases": { "duo_pro": [{ "started_on": "2021-01-01", "expires_on": "2022-01-01" }] } });
    let message = "Gitlab subscription seats can't be blank, \
                   Validation failed: Shared runners minutes limit must be greater than or equal to 0, \
                   No add-on purchases to save";
    let reply = provision(&world, wrong).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["message"]), (422, &json!(message)));
    ledger_agrees(&world).await;
}

/// provisioning-97
#[sqlx::test]
async fn a_request_of_the_wrong_shape_does_nothing(pool: PgPool) {
    let world = world(pool).await;
    let shape = json!({ "provision": { "base_product": { "seats": "x" }, "storage": 5,
                        "compute_minutes": { "shared_runners_minutes_limit": 1 },
                        "add_on_purchases": { "duo_core": [{ "quantity": -1, "started_on": "2021-01-01" }] } } });
    let said = "provision[base_product][seats] is invalid, provision[storage] is invalid, \
                provision[add_on_purchases][duo_core][0][expires_on] is missing, \
                provision[add_on_purchases][duo_core][0][quantity] Must be a non-negative integer if provided";
    for (id, body, status, said) in [
        ("1234", shape.clone(), 400, json!({ "error": said })),
        ("1234", json!({}), 400, json!({ "error": "provision is missing" })),
        ("1234", json!({ "provision": "x" }), 400, json!({ "error": "provision is invalid" })),
        // Which namespace it is comes first.
        ("1300", shape.clone(), 400, json!({ "message": "400 Bad request - Must be root namespace" })),
        ("900", shape.clone(), 404, json!({ "message": "404 Namespace Not Found" })),
        ("999999", shape, 404, json!({ "message": "404 Namespace Not Found" })),
    ] {
        let reply = call(&world, "POST", &format!("/namespaces/{id}/provision"), body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (status, said), "{id} {body}");
    }
    let stranger = world.json("POST", "/internal/gitlab_subscriptions/namespaces/0/provision", json!({})).await;
    assert_eq!(stranger.line(), r#"401 {"message":"401 Unauthorized"}"#);
    assert_eq!((world.ledger().await.len(), has(&world).await), (0, String::new()));
    // What says nothing is not asked for.
    let nothing = json!({ "base_product": {}, "storage": null, "compute_minutes": { "unknown": 1 },
                          "add_on_purchases": { "duo_pro": [], "unheard_of": 1 } });
    for parts in [nothing, json!({})] {
        let reply = provision(&world, parts).await.json();
        assert_eq!((&reply["status"], &reply["payload"]["base_product"]), (&json!("success"), &Value::Null));
    }
    assert_eq!((world.ledger().await.len(), has(&world).await), (0, String::new()));
}

/// provisioning-98
#[sqlx::test]
async fn the_base_product_is_what_the_subscriptions_own_endpoint_makes_of_it(pool: PgPool) {
    let world = world(pool).await;
    // Its earlier name; a subscription that does not say when it starts, starts today.
    let made = provision(&world, json!({ "main_plan": { "plan_code": "ultimate_trial", "trial": true } })).await;
    assert_eq!(made.status, 200, "{}", made.line());
    let shown = async || call(&world, "GET", "/namespaces/1234/gitlab_subscription", json!({})).await.json();
    assert_eq!(shown().await["billing"]["subscription_start_date"], "2021-06-01");
    // A trial that ends counts the seats anew; the name of now wins.
    let order = json!({ "base_product": { "plan_code": "premium", "seats": 30, "trial": false, "max_seats_used": 10 },
                        "main_plan": { "plan_code": "bronze" } });
    assert_eq!(provision(&world, order).await.status, 200);
    let now = shown().await;
    assert_eq!((&now["plan"]["code"], &now["usage"]["max_seats_used"]), (&json!("premium"), &json!(1)));
    assert_eq!(world.count("gitlab_subscription_histories").await, 1);
    ledger_agrees(&world).await;
}
