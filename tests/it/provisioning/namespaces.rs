//! What namespaces are, what they have, and who owns them, for CustomersDot; and what administrators may change of it.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::World;
use super::gitlab_subscriptions::{call, world};
use super::races::ledger_agrees;
use crate::support::Reply;

async fn get(world: &World, path: &str) -> Reply {
    call(world, "GET", path, json!({})).await
}

async fn put(world: &World, id: &str, body: Value) -> Reply {
    call(world, "PUT", &format!("/namespaces/{id}"), body).await
}

/// The limits in an answer.
fn limits(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.line());
    let json = reply.json();
    json!([
        json["shared_runners_minutes_limit"],
        json["extra_shared_runners_minutes_limit"],
        json["additional_purchased_storage_size"],
        json["additional_purchased_storage_ends_on"]
    ])
}

/// provisioning-87, provisioning-88
#[sqlx::test]
async fn customers_dot_is_told_what_a_namespace_is(pool: PgPool) {
    let world = world(pool).await;
    world.member(1234, "guest", 10).await;
    world.member(1300, "deep", 30).await;
    let url = get(&world, "/namespaces/1234").await.json()["web_url"].as_str().unwrap().replace("/groups/a-ns", "");
    assert_eq!(
        get(&world, "/namespaces/1234").await.json(),
        json!({
            "id": 1234, "name": "A Namespace Name", "path": "a-ns", "kind": "group", "full_path": "a-ns",
            "parent_id": null, "avatar_url": null, "web_url": format!("{url}/groups/a-ns"),
            "shared_runners_minutes_limit": null, "extra_shared_runners_minutes_limit": null,
            "additional_purchased_storage_size": 0, "additional_purchased_storage_ends_on": null,
            "billable_members_count": 3, "plan": "free", "trial_ends_on": null, "trial": false,
            "members_count_with_descendants": 3, "root_repository_size": null, "projects_count": 1,
        })
    );
    assert_eq!(
        get(&world, "/namespaces/owners-own").await.json(),
        json!({
            "id": 22, "name": "Owner", "path": "owners-own", "kind": "user", "full_path": "owners-own",
            "parent_id": null, "avatar_url": null, "web_url": format!("{url}/owners-own"),
            "shared_runners_minutes_limit": null, "extra_shared_runners_minutes_limit": null,
            "additional_purchased_storage_size": 0, "additional_purchased_storage_ends_on": null,
            "billable_members_count": 1, "plan": "free", "trial_ends_on": null, "trial": false,
        })
    );
    let subscription = "/namespaces/1234/gitlab_subscription?start_date=2021-01-01&end_date=2022-01-01&seats=5";
    assert_eq!(call(&world, "POST", &format!("{subscription}&plan_code=ultimate"), json!({})).await.status, 201);
    assert_eq!(
        call(&world, "PUT", "/namespaces/1234/gitlab_subscription?max_seats_used=7", json!({})).await.status,
        200
    );
    let root = get(&world, "/namespaces/1234").await.json();
    let said =
        ["plan", "seats_in_use", "max_seats_used", "max_seats_used_changed_at", "end_date"].map(|key| &root[key]);
    assert_eq!(json!(said), json!(["ultimate", 0, 7, "2021-06-01T12:00:00.000Z", "2022-01-01"]));
    assert_eq!(root["billable_members_count"], 2, "guests take no seat of ultimate");
    // A subgroup has the plan of its root, and no subscription.
    let sub = get(&world, "/namespaces/a-ns%2Fsub").await.json();
    assert_eq!((&sub["plan"], &sub["parent_id"], sub.get("seats_in_use")), (&json!("ultimate"), &json!(1234), None));
    for nobodys in ["900", "999999", "x", "99999999999999999999", "%00"] {
        let reply = get(&world, &format!("/namespaces/{nobodys}")).await;
        assert_eq!(reply.line(), r#"404 {"message":"404 Namespace Not Found"}"#, "{nobodys}");
    }
}

/// provisioning-89
#[sqlx::test]
async fn minutes_and_storage_are_given_and_taken(pool: PgPool) {
    let world = world(pool).await;
    let given = json!({
        "shared_runners_minutes_limit": 1000, "extra_shared_runners_minutes_limit": "500",
        "additional_purchased_storage_size": 3_000_000_000_i64, "additional_purchased_storage_ends_on": "2022-06-18",
    });
    let all = json!([1000, 500, 3_000_000_000_i64, "2022-06-18"]);
    assert_eq!(limits(&put(&world, "1234", given.clone()).await), all);
    // The same again changes nothing, and is not written down.
    assert_eq!(limits(&put(&world, "a-ns", given).await), all);
    assert_eq!(limits(&put(&world, "1234", json!({ "unknown": 1 })).await), all);
    assert_eq!(
        world.ledger().await,
        ["1234 namespace_limits null → 2022-06-18 3000000000 500 1000, by customers_portal customers portal"]
    );
    let less = json!({ "shared_runners_minutes_limit": null, "additional_purchased_storage_ends_on": "" });
    assert_eq!(limits(&put(&world, "1234", less).await), json!([null, 500, 3_000_000_000_i64, null]));
    assert_eq!(limits(&get(&world, "/namespaces/1234").await), json!([null, 500, 3_000_000_000_i64, null]));
    // A personal namespace is a root like any other; a form says the same.
    let form = "shared_runners_minutes_limit=7&additional_purchased_storage_size=1";
    assert_eq!(limits(&world.form("PUT", "/namespaces/22", form).await), json!([7, null, 1, null]));
    // Administrators see it in the list, others do not.
    let listed = world.call("GET", "/namespaces/22").await;
    assert_eq!(limits(&listed), json!([7, null, 1, null]));
    let owner = world.given().value::<i64>("select id from users where username = 'owner'").await;
    let token = world.token_of(gatehouse::domain::ids::UserId(owner), &["api"]).await;
    let own = world.call_as(&token, "GET", "/namespaces/22").await;
    assert_eq!((own.status, own.json().get("additional_purchased_storage_size")), (StatusCode::OK, None));
    ledger_agrees(&world).await;
}

/// provisioning-90
#[sqlx::test]
async fn what_a_namespace_cannot_have_changes_nothing(pool: PgPool) {
    let world = world(pool).await;
    let least = "must be greater than or equal to 0";
    let size = "namespace_limit.additional_purchased_storage_size";
    let blank = json!({ "seats": null, "start_date": null });
    for (id, body, status, said) in [
        ("900", json!({}), 404, json!({ "message": "404 Namespace Not Found" })),
        // What is wrong with the parameters is said first.
        (
            "999999",
            json!({ "shared_runners_minutes_limit": "many" }),
            400,
            json!({ "error": "shared_runners_minutes_limit is invalid" }),
        ),
        (
            "1234",
            json!({
                "shared_runners_minutes_limit": 2_147_483_648_i64, "extra_shared_runners_minutes_limit": [],
                "additional_purchased_storage_size": "99999999999999999999",
                "additional_purchased_storage_ends_on": 20_220_101, "gitlab_subscription_attributes": "x",
            }),
            400,
            json!({
                "error": "shared_runners_minutes_limit is invalid, extra_shared_runners_minutes_limit is invalid, \
                          additional_purchased_storage_size is invalid, \
                          additional_purchased_storage_ends_on is invalid, gitlab_subscription_attributes is invalid"
            }),
        ),
        (
            "1234",
            json!({ "gitlab_subscription_attributes": { "seats": 1.5, "trial_extension_type": 3 } }),
            400,
            json!({
                "error": "gitlab_subscription_attributes[seats] is invalid, \
                          gitlab_subscription_attributes[trial_extension_type] is invalid"
            }),
        ),
        (
            "1234",
            json!({ "shared_runners_minutes_limit": -1, "extra_shared_runners_minutes_limit": -2,
                    "additional_purchased_storage_size": -3 }),
            400,
            json!({ "message": { "shared_runners_minutes_limit": [least],
                                 "extra_shared_runners_minutes_limit": [least], size: [least] } }),
        ),
        (
            "1300",
            json!({ "shared_runners_minutes_limit": 1, "additional_purchased_storage_size": 1 }),
            400,
            json!({ "message": { "shared_runners_minutes_limit": ["is not supported for this namespace"],
                                 "namespace_limit.namespace": ["must be a root namespace"] } }),
        ),
        // All that is wrong with the parts is said at once, and what is right with them is not done.
        (
            "1234",
            json!({ "extra_shared_runners_minutes_limit": 5, "additional_purchased_storage_size": null,
                    "gitlab_subscription_attributes": blank }),
            400,
            json!({ "message": { size: ["can't be blank"], "gitlab_subscription.seats": ["can't be blank"],
                                 "gitlab_subscription.start_date": ["can't be blank"] } }),
        ),
        (
            "1234",
            json!({ "extra_shared_runners_minutes_limit": -5, "gitlab_subscription_attributes": { "seats": 5 } }),
            400,
            json!({ "message": { "extra_shared_runners_minutes_limit": [least] } }),
        ),
    ] {
        let reply = put(&world, id, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (status, said.clone()), "{id} {body}");
        if status == 400 {
            assert_eq!(world.json("PUT", &format!("/namespaces/{id}"), body).await.json(), said);
        }
    }
    assert_eq!((world.ledger().await.len(), world.count("gitlab_subscriptions").await), (0, 0));
    assert_eq!(limits(&get(&world, "/namespaces/1234").await), json!([null, null, 0, null]));
    ledger_agrees(&world).await;
}

/// provisioning-91
#[sqlx::test]
async fn a_subscription_is_made_or_changed_in_place(pool: PgPool) {
    let world = world(pool).await;
    let terms = |terms: Value| json!({ "gitlab_subscription_attributes": terms });
    // What says nothing makes nothing.
    for nothing in [json!({}), json!(null), json!({ "unknown": 1 })] {
        assert_eq!(put(&world, "1234", terms(nothing)).await.status, 200);
    }
    assert_eq!(world.count("gitlab_subscriptions").await, 0);
    let made = put(&world, "1234", terms(json!({ "plan_code": "premium", "seats": 10 }))).await.json();
    assert_eq!((&made["plan"], &made["seats_in_use"]), (&json!("premium"), &json!(0)));
    let shown = get(&world, "/namespaces/1234/gitlab_subscription").await.json();
    assert_eq!(shown["billing"]["subscription_start_date"], "2021-06-01", "it starts on the day");
    let changed = put(&world, "1234", terms(json!({ "seats": 20, "max_seats_used": 3 }))).await;
    assert_eq!(changed.json()["max_seats_used"], 3);
    assert_eq!(put(&world, "1234", terms(json!({ "seats": null }))).await.status, 400);
    assert_eq!(world.count("gitlab_subscriptions where seats = 20").await, 1);
    assert_eq!(world.count("gitlab_subscription_histories").await, 1);
    // A new term counts the seats anew, as the subscription's own endpoint does.
    let end = json!({ "start_date": "2021-07-01", "end_date": "2022-07-01", "max_seats_used": 50 });
    assert_eq!(put(&world, "1234", terms(end)).await.json()["max_seats_used"], 1);
    ledger_agrees(&world).await;
}

/// provisioning-92
#[sqlx::test]
async fn administrators_change_namespaces_and_others_do_not(pool: PgPool) {
    let world = world(pool).await;
    let body = json!({ "shared_runners_minutes_limit": 5 });
    assert_eq!(limits(&world.json("PUT", "/namespaces/1234", body.clone()).await), json!([5, null, 0, null]));
    assert_eq!(world.ledger().await.len(), 1);
    let user = world.member(1234, "second", 50).await;
    let token = world.token_of(user, &["api"]).await;
    let reading = world.token_of(world.admin, &["read_api"]).await;
    // Whoever may not is told so before anything else.
    for path in ["/namespaces/1234?shared_runners_minutes_limit=1", "/namespaces/0?shared_runners_minutes_limit=x"] {
        let refused = world.call_as(&token, "PUT", path).await;
        assert_eq!(refused.line(), r#"403 {"message":"403 Forbidden"}"#, "{path}");
        assert!(world.call_as(&reading, "PUT", path).await.text.contains("insufficient_scope"));
        assert_eq!(world.call_as("unknown", "PUT", path).await.line(), r#"401 {"message":"401 Unauthorized"}"#);
    }
    // The newer mount is CustomersDot's alone.
    let newer = world.call("GET", "/internal/gitlab_subscriptions/namespaces/1234").await;
    assert_eq!(newer.line(), r#"401 {"message":"401 Unauthorized"}"#);
    assert_eq!(limits(&get(&world, "/namespaces/1234").await), json!([5, null, 0, null]));
}

/// A group's own endpoint changes its minutes too, and the ledger knows.
#[sqlx::test]
async fn the_ledger_knows_all_minutes(pool: PgPool) {
    let world = world(pool).await;
    let minutes = |limit: i32| json!({ "shared_runners_minutes_limit": limit });
    assert_eq!(put(&world, "1234", minutes(5)).await.status, 200);
    assert_eq!(world.json("PUT", "/groups/1234", minutes(6)).await.status, 200);
    assert_eq!(put(&world, "1234", minutes(7)).await.status, 200);
    let new = json!({ "name": "new", "path": "new", "extra_shared_runners_minutes_limit": 8 });
    let id = world.json("POST", "/groups", new).await.json()["id"].to_string();
    assert_eq!(limits(&get(&world, &format!("/namespaces/{id}")).await), json!([null, 8, 0, null]));
    assert_eq!(world.ledger().await.len(), 4);
    ledger_agrees(&world).await;
    // What a group had ends with it.
    for path in [format!("/groups/{id}"), format!("/groups/{id}?permanently_remove=true&full_path=new")] {
        world.call("DELETE", &path).await;
    }
    assert_eq!(world.count(&format!("namespaces where id = {id}")).await, 0);
    assert_eq!(world.ledger().await.len(), 5);
    ledger_agrees(&world).await;
}

/// provisioning-93
#[sqlx::test]
async fn owners_are_those_of_the_group_itself(pool: PgPool) {
    let world = world(pool).await;
    let second = world.member(1234, "second", 50).await;
    let blocked = world.member(1234, "blocked", 50).await;
    world.member(1234, "maintainer", 40).await;
    world.member(1300, "of-the-subgroup", 50).await;
    world.given().user_is(blocked, "state = 'blocked'").await;
    world.given().user_is(second, "notification_email = 'bills@example.com'").await;
    let reply = get(&world, "/namespaces/1234/owners").await;
    let owners = reply.json();
    let named: Vec<&str> =
        owners.as_array().unwrap().iter().map(|row| row["user"]["username"].as_str().unwrap()).collect();
    assert_eq!(named, ["owner", "second"]);
    let known = &owners[1];
    assert_eq!(
        *known,
        json!({
            "user": { "id": second.0, "username": "second", "name": known["user"]["name"] },
            "access_level": 50, "notification_email": "bills@example.com"
        })
    );
    assert!(owners[0]["notification_email"].as_str().unwrap().contains('@'));
    assert_eq!(["x-total", "x-per-page", "x-next-page"].map(|name| &reply.headers[name]), ["2", "20", ""]);
    let second_page = get(&world, "/namespaces/a-ns/owners?per_page=1&page=2").await;
    assert_eq!(second_page.json(), json!([known]));
    assert_eq!(second_page.headers["x-prev-page"], "1");
    assert_eq!(get(&world, "/namespaces/4321/owners").await.json(), json!([]));
    assert_eq!(
        get(&world, "/namespaces/1234/owners?per_page=x").await.json(),
        json!({ "error": "per_page is invalid" })
    );
    for nobodys in ["22", "900", "-1", "x"] {
        let reply = get(&world, &format!("/namespaces/{nobodys}/owners")).await;
        assert_eq!(reply.line(), r#"404 {"message":"404 Group Namespace Not Found"}"#, "{nobodys}");
    }
}

/// provisioning-94
#[sqlx::test]
async fn who_owns_a_namespace_edits_its_bills(pool: PgPool) {
    let world = world(pool).await;
    let maintainer = world.member(1234, "maintainer", 40).await.0;
    let stranger = world.given().user("stranger").await.0;
    let owner = world.given().value::<i64>("select id from users where username = 'owner'").await;
    let may = async |namespace: &str, user: i64| {
        let reply = get(&world, &format!("/namespaces/{namespace}/user_permissions/{user}")).await;
        assert_eq!(reply.status, 200, "{}", reply.line());
        reply.json()["edit_billing"].as_bool().unwrap()
    };
    // An owner owns what is inside too.
    assert_eq!([may("1234", owner).await, may("1300", owner).await, may("22", owner).await], [true; 3]);
    assert!(!may("4321", owner).await);
    assert_eq!([may("1234", maintainer).await, may("1234", stranger).await], [false; 2]);
    assert!(may("4321", world.admin.0).await);
    world.given().sql("update users set state = 'blocked' where username in ('owner', 'root')").await;
    assert_eq!([may("1234", owner).await, may("4321", world.admin.0).await], [false; 2]);
    for (path, thing) in [
        (format!("/namespaces/999999/user_permissions/{owner}"), "Namespace"),
        (format!("/namespaces/900/user_permissions/{owner}"), "Namespace"),
        ("/namespaces/1234/user_permissions/999999".to_owned(), "User"),
        ("/namespaces/1234/user_permissions/owner".to_owned(), "User"),
        ("/users/0".to_owned(), "User"),
        ("/users/x".to_owned(), "User"),
    ] {
        assert_eq!(get(&world, &path).await.line(), format!(r#"404 {{"message":"404 {thing} Not Found"}}"#), "{path}");
    }
    let known = get(&world, &format!("/users/{maintainer}")).await.json();
    let url = known["web_url"].as_str().unwrap();
    assert!(url.starts_with("http") && url.ends_with("/maintainer"), "{url}");
    assert_eq!(known, json!({ "id": maintainer, "username": "maintainer", "name": known["name"], "web_url": url }));
}

/// Whoever comes when, each change begins where the one before it ended, and a namespace has one subscription.
#[sqlx::test]
async fn changes_at_once_follow_each_other(pool: PgPool) {
    let world = Arc::new(world(pool).await);
    let mut racers = JoinSet::new();
    for racer in 0..32 {
        let world = Arc::clone(&world);
        racers.spawn(async move {
            let minutes = json!({ "extra_shared_runners_minutes_limit": racer });
            let terms = json!({ "seats": racer + 1, "plan_code": "premium" });
            let order = json!({ "provision": { "base_product": terms, "compute_minutes": minutes } });
            match racer % 4 {
                0 => call(&world, "POST", "/namespaces/1234/provision", order).await,
                1 => put(&world, "1234", json!({ "gitlab_subscription_attributes": terms })).await,
                2 => put(&world, "1234", minutes).await,
                _ => world.json("PUT", "/groups/1234", minutes).await,
            }
        });
    }
    for reply in racers.join_all().await {
        assert_eq!(reply.status, 200, "{}", reply.line());
    }
    assert_eq!(world.count("gitlab_subscriptions").await, 1);
    ledger_agrees(&world).await;
}
