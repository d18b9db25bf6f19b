//! `/namespaces/:id/subscription_add_on_purchase/:add_on_name`: what is bought, changed and ended.

use axum::body::Body;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;

const Q: &str = "/namespaces/1234/subscription_add_on_purchase/code_suggestions";
const SOLD: &str = r#"{"namespace_id":1234,"namespace_name":"A Namespace Name","add_on":"Code Suggestions","quantity":10,"expires_on":"2024-07-15","purchase_xid":"A-S12345678"}"#;

async fn buy(world: &World) {
    let query = "quantity=10&expires_on=2024-07-15&purchase_xid=A-S12345678";
    assert_eq!(world.call("POST", &format!("{Q}?{query}")).await.line(), format!("201 {SOLD}"));
}

/// provisioning-44
#[sqlx::test]
async fn an_add_on_is_bought(pool: PgPool) {
    let world = World::new(pool).await;
    buy(&world).await;
    assert_eq!(world.call("GET", Q).await.line(), format!("200 {SOLD}"));
    assert_eq!(
        world.ledger().await,
        ["1234 add_on_purchase null → code_suggestions 2024-07-15 A-S12345678 10 null false, by administrator root"]
    );
}

/// provisioning-45
#[sqlx::test]
async fn an_add_on_is_bought_once(pool: PgPool) {
    let world = World::new(pool).await;
    buy(&world).await;
    let again = "400 Bad request - Add-on purchase for namespace A Namespace Name and add-on Code Suggestions already exists, update the existing record";
    for query in ["quantity=99&expires_on=2025-01-01&purchase_xid=other", "quantity=0&expires_on=&purchase_xid="] {
        let reply = world.call("POST", &format!("{Q}?{query}")).await;
        assert_eq!((reply.status.as_u16(), reply.message()), (400, again.to_owned()));
    }
    assert_eq!(world.call("GET", Q).await.line(), format!("200 {SOLD}"));
    assert_eq!(world.ledger().await.len(), 1);
}

/// provisioning-46, provisioning-47
#[sqlx::test]
async fn the_namespace_and_the_add_on_come_before_the_parameters(pool: PgPool) {
    let world = World::new(pool).await;
    for name in ["code-suggestions", "Code_Suggestions", "1", "code_suggestions%00"] {
        for method in ["POST", "PUT", "GET"] {
            let path = format!("/namespaces/1234/subscription_add_on_purchase/{name}");
            let reply = world.call(method, &path).await;
            assert_eq!(reply.line(), r#"404 {"message":"404 Subscription Add-on Not Found"}"#, "{method} {name}");
        }
    }
    for id in ["999999", "900"] {
        let path = format!("/namespaces/{id}/subscription_add_on_purchase/nonsense");
        assert_eq!(world.call("POST", &path).await.line(), r#"404 {"message":"404 Namespace Not Found"}"#);
    }
    let missing = r#"400 {"error":"quantity is missing, expires_on is missing, purchase_xid is missing"}"#;
    assert_eq!(world.call("POST", Q).await.line(), missing);
    let wrong = world.json("POST", Q, json!({ "quantity": "1.5", "expires_on": 20_240_715, "purchase_xid": [] })).await;
    assert_eq!(wrong.line(), r#"400 {"error":"quantity is invalid, expires_on is invalid, purchase_xid is invalid"}"#);
}

#[sqlx::test]
async fn what_a_purchase_cannot_say_is_said_of_the_record(pool: PgPool) {
    let world = World::new(pool).await;
    let good = json!({ "quantity": 10, "expires_on": "2024-07-15", "purchase_xid": "A-S12345678" });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, said) in [
        (with("quantity", json!(0)), json!({ "quantity": ["must be greater than or equal to 1"] })),
        (with("quantity", json!(-1)), json!({ "quantity": ["must be greater than or equal to 1"] })),
        (with("quantity", Value::Null), json!({ "quantity": ["can't be blank", "is not a number"] })),
        (with("expires_on", Value::Null), json!({ "expires_on": ["can't be blank"] })),
        (with("purchase_xid", json!(" ")), json!({ "purchase_xid": ["can't be blank"] })),
        (
            with("purchase_xid", json!("x".repeat(256))),
            json!({ "purchase_xid": ["is too long (maximum is 255 characters)"] }),
        ),
    ] {
        let reply = world.json("POST", Q, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (400, json!({ "message": said })), "{body}");
    }
    let blank = json!({ "quantity": null, "expires_on": null, "purchase_xid": "" });
    assert_eq!(
        world.json("POST", Q, blank).await.line(),
        r#"400 {"message":{"expires_on":["can't be blank"],"quantity":["can't be blank","is not a number"],"purchase_xid":["can't be blank"]}}"#,
        "in the order of the contract"
    );
    assert_eq!(world.json("POST", Q, with("purchase_xid", json!("日".repeat(255)))).await.status, 201);
}

/// As curl's `--form` sends it.
#[sqlx::test]
async fn a_form_may_come_in_parts(pool: PgPool) {
    let world = World::new(pool).await;
    let part = |name: &str, value: &str| {
        format!("--parts\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let send = async |path: &str, parts: String| {
        let request = World::bare("POST", path).header("private-token", &world.token);
        let request = request.header("content-type", "multipart/form-data; boundary=parts");
        world.app.send(request.body(Body::from(parts + "--parts--\r\n")).unwrap()).await
    };
    let wanted = part("quantity", "10") + &part("expires_on", "2024-07-15");
    assert_eq!(send(Q, wanted.clone()).await.line(), r#"400 {"error":"purchase_xid is missing"}"#);
    assert_eq!(send(Q, wanted + &part("purchase_xid", "A-S1")).await.status, 201);
    let pack = part("packs[][number_of_minutes]", "7")
        + &part("packs[][purchase_xid]", "x1")
        + &part("packs[][expires_at]", "2030-01-01");
    let reply = send("/namespaces/1234/minutes", pack).await;
    assert_eq!((reply.status.as_u16(), &reply.json()[0]["number_of_minutes"]), (201, &json!(7)));
    // The token too is a parameter, which is read of strangers.
    let reply = send("/namespaces/1234/minutes", part("private_token", "wrong")).await;
    assert_eq!(reply.status, 401);
}

/// provisioning-49
#[sqlx::test]
async fn a_subgroup_buys_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let path = "/namespaces/1300/subscription_add_on_purchase/code_suggestions";
    let reply = world.call("POST", &format!("{path}?quantity=0&expires_on=2024-07-15&purchase_xid=A")).await;
    assert_eq!(reply.line(), r#"400 {"message":"400 Bad request - Namespace Sub is not a root namespace"}"#);
    let reply = world.call("PUT", &format!("{path}?expires_on=2024-07-15")).await;
    assert_eq!(
        reply.message(),
        "400 Bad request - Add-on purchase for namespace Sub and add-on Code Suggestions does not exist, create a new record instead"
    );
    let personal = "/namespaces/22/subscription_add_on_purchase/code_suggestions";
    assert_eq!(
        world.call("POST", &format!("{personal}?quantity=1&expires_on=2024-07-15&purchase_xid=A")).await.status,
        201
    );
}

/// provisioning-50
#[sqlx::test]
async fn an_add_on_may_be_over_when_it_is_bought(pool: PgPool) {
    let world = World::new(pool).await;
    let reply = world.call("POST", &format!("{Q}?quantity=10&expires_on=2020-01-01&purchase_xid=A")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["expires_on"]), (201, &json!("2020-01-01")));
}

/// provisioning-51
#[sqlx::test]
async fn what_was_not_bought_is_not_changed(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(
        world.call("PUT", &format!("{Q}?expires_on=2024-07-15")).await.message(),
        "400 Bad request - Add-on purchase for namespace A Namespace Name and add-on Code Suggestions does not exist, create a new record instead"
    );
}

/// provisioning-52, provisioning-53
#[sqlx::test]
async fn a_change_states_the_end_and_leaves_what_it_does_not_state(pool: PgPool) {
    let world = World::new(pool).await;
    buy(&world).await;
    assert_eq!(world.call("PUT", &format!("{Q}?quantity=15")).await.line(), r#"400 {"error":"expires_on is missing"}"#);
    let changed = world.call("PUT", &format!("{Q}?quantity=15&expires_on=2024-07-15")).await;
    assert_eq!(changed.line(), format!("200 {}", SOLD.replace("10", "15")));
    // The same again changes nothing, and null leaves all alone.
    assert_eq!(world.call("PUT", &format!("{Q}?quantity=15&expires_on=2024-07-15")).await.text, changed.text);
    let null = json!({ "quantity": null, "expires_on": null, "purchase_xid": null });
    assert_eq!(world.json("PUT", Q, null).await.line(), changed.line());
    assert_eq!(
        world.json("PUT", Q, json!({ "expires_on": null, "purchase_xid": "", "quantity": 0 })).await.json(),
        json!({ "message": { "quantity": ["must be greater than or equal to 1"], "purchase_xid": ["can't be blank"] } })
    );
    assert_eq!(world.call("GET", Q).await.text, changed.text);
    assert_eq!(
        world.ledger().await[1..],
        [
            "1234 add_on_purchase code_suggestions 2024-07-15 A-S12345678 10 null false → code_suggestions 2024-07-15 A-S12345678 15 null false, by administrator root"
        ]
    );
}

/// provisioning-55
#[sqlx::test]
async fn what_was_not_bought_is_not_found(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.call("GET", Q).await.line(), r#"404 {"message":"404 Not found"}"#);
}

/// provisioning-56
#[sqlx::test]
async fn a_purchase_id_may_stand_for_several_purchases(pool: PgPool) {
    let world = World::new(pool).await;
    buy(&world).await;
    let query = "quantity=10&expires_on=2024-07-15&purchase_xid=A-S12345678";
    for (namespace, add_on, title) in [
        (4321, "code_suggestions", "Code Suggestions"),
        (1234, "duo_amazon_q", "Duo Amazon Q"),
        (1234, "self_hosted_dap", "Self Hosted Dap"),
        (1234, "product_analytics", "Product Analytics"),
    ] {
        let path = format!("/namespaces/{namespace}/subscription_add_on_purchase/{add_on}?{query}");
        let reply = world.call("POST", &path).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["add_on"]), (201, &json!(title)));
    }
}
