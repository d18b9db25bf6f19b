//! Whatever is sent, the answer is never the server's own failure, and what is refused leaves nothing behind.

use axum::body::Body;
use axum::http::request::Builder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;
use crate::support::customers_dot;

/// Requests of a run.
const CASES: usize = 600;

const ROUTES: &[(&str, &str)] = &[
    ("POST", "/namespaces/{}/gitlab_subscription"),
    ("PUT", "/namespaces/{}/gitlab_subscription"),
    ("GET", "/namespaces/{}/gitlab_subscription"),
    ("POST", "/namespaces/{}/subscription_add_on_purchase/code_suggestions"),
    ("PUT", "/namespaces/{}/subscription_add_on_purchase/code_suggestions"),
    ("GET", "/namespaces/{}/subscription_add_on_purchase/duo_core"),
    ("POST", "/namespaces/{}/minutes"),
    ("PATCH", "/namespaces/{}/minutes/move/4321"),
    ("PATCH", "/namespaces/4321/minutes/move/{}"),
    ("PUT", "/internal/upcoming_reconciliations"),
    ("DELETE", "/internal/upcoming_reconciliations"),
    ("POST", "/namespaces/{}/storage/limit_exclusion"),
    ("DELETE", "/namespaces/{}/storage/limit_exclusion"),
    ("GET", "/namespaces/storage/limit_exclusions"),
    ("PUT", "/namespaces/{}"),
    ("GET", "/internal/gitlab_subscriptions/namespaces/{}"),
    ("PUT", "/internal/gitlab_subscriptions/namespaces/{}"),
    ("GET", "/internal/gitlab_subscriptions/namespaces/{}/owners"),
    ("GET", "/internal/gitlab_subscriptions/namespaces/1234/user_permissions/{}"),
    ("GET", "/internal/gitlab_subscriptions/users/{}"),
    ("POST", "/internal/gitlab_subscriptions/namespaces/{}/provision"),
    ("POST", "/internal/gitlab_subscriptions/namespaces/{}/subscription_add_on_purchases"),
];

const NAMES: &[&str] = &[
    "start_date",
    "end_date",
    "plan_code",
    "seats",
    "max_seats_used",
    "auto_renew",
    "trial",
    "trial_starts_on",
    "trial_extension_type",
    "quantity",
    "expires_on",
    "started_on",
    "purchase_xid",
    "number_of_minutes",
    "expires_at",
    "namespace_id",
    "next_reconciliation_date",
    "display_alert_from",
    "reason",
    "page",
    "per_page",
    "shared_runners_minutes_limit",
    "extra_shared_runners_minutes_limit",
    "additional_purchased_storage_size",
    "additional_purchased_storage_ends_on",
];

const PARTS: &[&str] = &["base_product", "main_plan", "storage", "compute_minutes", "add_on_purchases"];

const LISTS: &[&str] = &["duo_core", "duo_pro", "duo_enterprise", "product_analytics"];

/// Values as clients send them, and as they should not.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2i64..200).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            " ",
            "2021-06-13",
            "0001-01-01",
            "9999-12-31",
            "2021-02-30",
            "premium",
            "2147483647",
            "-2147483648",
            "99999999999999999999",
            "1.5",
            "\u{0}",
            "a\u{0}b",
            "\u{202e}",
            "1234",
            "4321",
            "yes",
            "127; drop table users",
        ])
        .prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    vec((prop::sample::select(NAMES.to_vec()), scalar()), 0..8)
        .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Parts of what was bought, and lists of add-ons among them.
fn parts() -> impl Strategy<Value = Value> {
    let named = |names: &'static [&'static str], values: BoxedStrategy<Value>| {
        vec((prop::sample::select(names.to_vec()), values), 0..4)
            .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>())
    };
    let lists = named(LISTS, prop_oneof![vec(object(), 0..3).prop_map(Value::from), scalar()].boxed());
    let lists = lists.boxed();
    prop_oneof![lists.clone(), named(PARTS, prop_oneof![3 => object(), 1 => lists, 1 => scalar()].boxed())]
}

fn body() -> impl Strategy<Value = Value> {
    let lists = prop_oneof![
        scalar(),
        parts(),
        vec(prop_oneof![object(), scalar()], 0..4).prop_map(Value::from),
        object(),
        vec(object(), 0..3).prop_map(|list| Value::from(Value::from(list).to_string())),
    ];
    let names = vec![
        "packs",
        "upcoming_reconciliations",
        "reason",
        "quantity",
        "gitlab_subscription_attributes",
        "provision",
        "add_on_purchases",
    ];
    (object(), prop::sample::select(names), lists).prop_map(|(mut body, name, list)| {
        body[name] = list;
        body
    })
}

/// A request of whom the route is for.
fn signed(world: &World, method: &str, path: &str) -> Builder {
    let request = World::bare(method, path);
    if path.starts_with("/internal/gitlab_subscriptions") {
        return request.header("X-Customers-Dot-Internal-Token", customers_dot::token(&world.app));
    }
    request.header("private-token", &world.token)
}

#[sqlx::test]
async fn nothing_that_is_sent_breaks_the_server(pool: PgPool) {
    let world = World::with(pool, &customers_dot::settings()).await;
    let ids = ["1234", "4321", "22", "1300", "900", "-1", "a-ns", "9223372036854775808", "%00", "%ff", "%E2%80%AE"];
    let mut runner = TestRunner::new(Config::default());
    let requests = (prop::sample::select(ROUTES.to_vec()), prop::sample::select(ids.to_vec()), body(), any::<bool>());
    let mut statuses = std::collections::BTreeMap::new();
    for _ in 0..CASES {
        let ((method, path), id, body, in_query) = requests.new_tree(&mut runner).unwrap().current();
        let path = path.replace("{}", id);
        let ledger = world.count("provisioning_ledger_entries").await;
        let reply = if in_query {
            let pairs: Vec<(String, String)> = body
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                .collect();
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let request = signed(&world, method, &format!("{path}?{query}"));
            world.app.send(request.body(Body::empty()).unwrap()).await
        } else {
            let request = signed(&world, method, &path).header("content-type", "application/json");
            world.app.send(request.body(Body::from(body.to_string())).unwrap()).await
        };
        let status = reply.status.as_u16();
        assert!(status < 500, "{method} {path} {body}: {}", reply.line());
        // Of these, a part that is right is done whatever is wrong with others.
        let in_parts = ["upcoming_reconciliations", "/provision"].iter().any(|end| path.ends_with(end));
        if status >= 400 && !in_parts {
            let after = world.count("provisioning_ledger_entries").await;
            assert_eq!(after, ledger, "{method} {path} {body}: {} and something was written", reply.line());
        }
        *statuses.entry(status / 100).or_insert(0) += 1;
    }
    assert!(statuses.contains_key(&2) && statuses.contains_key(&4), "{statuses:?}");
    super::races::ledger_agrees(&world).await;
}

/// Bodies that are no parameters at all.
#[sqlx::test]
async fn a_body_is_what_it_says_it_is(pool: PgPool) {
    let world = World::new(pool).await;
    let path = "/namespaces/1234/minutes";
    let send = async |media: &str, body: Vec<u8>| {
        let request = World::bare("POST", path).header("private-token", &world.token).header("content-type", media);
        world.app.send(request.body(Body::from(body)).unwrap()).await
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (media, body, status) in [
        ("application/json", b"{\"packs\":".to_vec(), 400),
        ("application/json", deep.into_bytes(), 400),
        ("application/json", b"[]".to_vec(), 400),
        ("application/json", vec![0xff, 0xfe], 400),
        ("text/plain", b"packs=1".to_vec(), 415),
        ("application/json", json!({ "packs": [] }).to_string().into_bytes(), 201),
    ] {
        let reply = send(media, body).await;
        assert_eq!(reply.status.as_u16(), status, "{media}: {}", reply.line());
    }
}
