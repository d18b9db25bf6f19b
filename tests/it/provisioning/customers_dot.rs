//! CustomersDot's tokens, by keys in a file and by keys that it is asked for.

use axum::body::Body;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::World;
use crate::support::receiver::Receiver;
use crate::support::{Reply, customers_dot};

const OLD: &str = "/namespaces/1234/gitlab_subscription";
const NEW: &str = "/internal/gitlab_subscriptions/namespaces/1234/gitlab_subscription";
const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

async fn by_customers_dot(world: &World, method: &str, path: &str, token: &str) -> Reply {
    let request = World::bare(method, path).header("X-Customers-Dot-Internal-Token", token);
    world.app.send(request.body(Body::empty()).unwrap()).await
}

#[sqlx::test]
async fn customers_dot_provisions_at_both_mounts(pool: PgPool) {
    let world = World::with(pool, &customers_dot::settings()).await;
    let token = customers_dot::token(&world.app);
    let path = format!("{NEW}?start_date=2020-07-15&plan_code=premium&seats=10");
    let made = by_customers_dot(&world, "POST", &path, &token).await;
    assert_eq!((made.status.as_u16(), &made.json()["plan"]["code"]), (201, &json!("premium")));
    let rsa = customers_dot::sign(&customers_dot::claims(&world.app), Algorithm::RS256, "rsa");
    let changed = by_customers_dot(&world, "PUT", &format!("{OLD}?seats=11"), &rsa).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["usage"]["seats_in_subscription"]), (200, &json!(11)));
    assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.text, changed.text);
    assert_eq!(world.count("provisioning_ledger_entries where author_type = 'customers_portal'").await, 2);
    // An administrator's token opens the older mount alone.
    assert_eq!(world.call("GET", NEW).await.line(), UNAUTHORIZED);
    assert_eq!(world.call("GET", OLD).await.status, 200);
}

#[sqlx::test]
async fn a_bad_token_of_customers_dot_is_not_made_good_by_another(pool: PgPool) {
    let world = World::with(pool, &customers_dot::settings()).await;
    let with_both = async |customers_dot: &str| {
        let request = World::bare("GET", OLD).header("X-Customers-Dot-Internal-Token", customers_dot);
        let request = request.header("PRIVATE-TOKEN", &world.token);
        world.app.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(with_both("nonsense").await.line(), UNAUTHORIZED);
    assert_eq!(with_both("").await.status, 200, "a blank header is none");
}

#[sqlx::test]
async fn every_claim_and_the_signature_count(pool: PgPool) {
    let world = World::with(pool, &customers_dot::settings()).await;
    let now = world.app.clock.now().timestamp();
    let good = customers_dot::claims(&world.app);
    let with = |changes: Value| {
        let mut claims = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        customers_dot::sign(&claims, Algorithm::EdDSA, "ed")
    };
    for changes in [
        json!({ "iss": "https://customers.example.net" }),
        json!({ "iss": null }),
        json!({ "aud": "gitlab" }),
        json!({ "aud": null }),
        json!({ "sub": "somebody" }),
        json!({ "sub": null }),
        json!({ "exp": now - 60 }),
        json!({ "exp": null }),
        json!({ "nbf": now + 61 }),
        json!({ "iat": now + 61 }),
    ] {
        assert_eq!(
            by_customers_dot(&world, "GET", NEW, &with(changes.clone())).await.line(),
            UNAUTHORIZED,
            "{changes}"
        );
    }
    assert_eq!(by_customers_dot(&world, "GET", NEW, &with(json!({ "exp": now - 59 }))).await.status, 200);
    for (algorithm, id) in [
        // Signed by the key of another name, of another kind, and with what is published taken for a secret.
        (Algorithm::EdDSA, "rsa"),
        (Algorithm::EdDSA, "unknown"),
        (Algorithm::RS384, "rsa"),
        (Algorithm::HS256, "rsa"),
        (Algorithm::HS256, "ed"),
    ] {
        let token = customers_dot::sign(&good, algorithm, id);
        assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.line(), UNAUTHORIZED, "{algorithm:?} {id}");
    }
    let token = customers_dot::token(&world.app);
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    assert_eq!(by_customers_dot(&world, "GET", NEW, &format!("{unsigned}.")).await.line(), UNAUTHORIZED);
}

#[sqlx::test]
async fn without_customers_dot_nobody_is_it(pool: PgPool) {
    let world = World::new(pool).await;
    let token = customers_dot::token(&world.app);
    assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.line(), UNAUTHORIZED);
}

#[sqlx::test]
async fn customers_dot_is_asked_for_its_keys(pool: PgPool) {
    let site = Receiver::start().await;
    let url = format!("http://127.0.0.1:{}", site.port);
    let about = json!({
        "issuer": format!("{}/", customers_dot::URL),
        "jwks_uri": format!("{url}/oauth/discovery/keys"),
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256"],
    });
    let mut keys = customers_dot::jwks(&[("ed", Algorithm::EdDSA), ("rsa", Algorithm::RS256)]);
    // Keys of kinds that nobody here knows do no harm.
    keys["keys"].as_array_mut().unwrap().push(json!({ "kty": "unheard-of", "kid": "x" }));
    site.will_answer(200, &about.to_string());
    site.will_answer(200, &keys.to_string());
    let world = World::with(pool, &format!("gatehouse: {{customers_dot: {{url: '{url}/'}}}}")).await;
    let token = customers_dot::token(&world.app);
    assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.status, 200);
    // CustomersDot says that it signs with another algorithm.
    let rsa = customers_dot::sign(&customers_dot::claims(&world.app), Algorithm::RS256, "rsa");
    assert_eq!(by_customers_dot(&world, "GET", NEW, &rsa).await.line(), UNAUTHORIZED);
    assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.status, 200);
    // Whatever strangers send, CustomersDot is not asked again at once.
    let unknown = customers_dot::sign(&customers_dot::claims(&world.app), Algorithm::EdDSA, "unknown");
    assert_eq!(by_customers_dot(&world, "GET", NEW, &unknown).await.line(), UNAUTHORIZED);
    let asked: Vec<String> = site.requests().iter().map(|request| request.uri.to_string()).collect();
    assert_eq!(asked, ["/.well-known/openid-configuration", "/oauth/discovery/keys"]);
}

/// Keys are good while CustomersDot that published them is away.
#[sqlx::test]
async fn old_keys_outlive_customers_dot_being_away(pool: PgPool) {
    let site = Receiver::start().await;
    let url = format!("http://127.0.0.1:{}", site.port);
    let about = json!({
        "issuer": format!("{}/", customers_dot::URL),
        "jwks_uri": format!("{url}/keys"),
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    site.will_answer(200, &about.to_string());
    site.will_answer(200, &customers_dot::jwks(&[("ed", Algorithm::EdDSA)]).to_string());
    site.will_answer(503, "away");
    let world = World::with(pool, &format!("gatehouse: {{customers_dot: {{url: '{url}', refresh: 1}}}}")).await;
    let token = customers_dot::token(&world.app);
    assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.status, 200);
    assert_eq!(site.requests().len(), 3);
}

#[sqlx::test]
async fn a_customers_dot_that_does_not_answer_lets_nobody_in(pool: PgPool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let world = World::with(pool, &format!("gatehouse: {{customers_dot: {{url: '{url}'}}}}")).await;
    let token = customers_dot::token(&world.app);
    assert_eq!(by_customers_dot(&world, "GET", NEW, &token).await.line(), UNAUTHORIZED);
    assert_eq!(world.call("GET", OLD).await.status, 200, "administrators come in all the same");
}
