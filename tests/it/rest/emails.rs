//! Further addresses of users.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::World;

#[sqlx::test]
async fn users_have_further_addresses(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("dev", "POST", "/user/emails", json!({ "email": "second@example.com" })).await;
    let shape = made.json();
    assert_eq!((made.status.as_u16(), &shape["confirmed_at"]), (201, &Value::Null));
    assert_eq!(world.call("dev", "GET", "/user/emails").await.json(), json!([shape]));
    let path = format!("/emails/{}", shape["id"]);
    assert_eq!(world.call("dev", "GET", &format!("/user{path}")).await.json(), shape);
    assert_eq!(world.call("root", "GET", &format!("/users/4{path}")).await.json(), shape);
    let gone = r#"404 {"message":"404 Email Not Found"}"#;
    assert_eq!(world.call("mai", "GET", &format!("/user{path}")).await.line(), gone);
    for (email, said) in [
        ("SECOND@example.com", "has already been taken"),
        ("dev@example.com", "has already been taken"),
        ("nobody", "is invalid"),
        ("", "can't be blank"),
    ] {
        let refused = world.json("mai", "POST", "/user/emails", json!({ "email": email })).await;
        assert_eq!(refused.line(), format!(r#"400 {{"message":{{"email":["{said}"]}}}}"#), "{email}");
    }
    let sure = json!({ "email": "third@example.com", "skip_confirmation": true });
    let sure = world.json("root", "POST", "/users/4/emails", sure).await.json();
    assert_eq!(sure["confirmed_at"], json!("2026-06-01T10:00:00.000Z"));
    let shown = world.json("root", "PUT", "/users/4", json!({ "public_email": "third@example.com" })).await.json();
    assert_eq!(shown["public_email"], json!("third@example.com"));
    assert_eq!(world.call("root", "DELETE", &format!("/users/4/emails/{}", sure["id"])).await.line(), "204 ");
    assert_eq!(world.call("dev", "GET", "/user").await.json()["public_email"], Value::Null);
    assert_eq!(world.call("dev", "DELETE", &format!("/user{path}")).await.line(), "204 ");
    assert_eq!(world.call("dev", "DELETE", &format!("/user{path}")).await.line(), gone);
}
