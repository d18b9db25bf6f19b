//! Users: looked for, made, changed, blocked.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::{FORBIDDEN, World};

fn ids(reply: &crate::support::Reply) -> Vec<i64> {
    reply.json().as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect()
}

fn zoe(also: &Value) -> Value {
    let mut user = json!({ "email": "zoe@example.com", "username": "zoe", "name": "Zoe", "password": "correct horse" });
    user.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
    user
}

/// rest-11, for the half that is of users
#[sqlx::test]
async fn users_are_listed_by_key(pool: PgPool) {
    let world = World::new(pool).await;
    let mut path = "/users?pagination=keyset&order_by=username&sort=asc&per_page=3&private_token=T_root".to_owned();
    let mut seen = Vec::new();
    for page in 0..3 {
        let reply = world.call("root", "GET", &path).await;
        seen.extend(ids(&reply));
        assert!(!reply.headers.contains_key("x-total"));
        let Some(link) = reply.headers.get("link") else {
            assert_eq!(page, 2);
            break;
        };
        let link = link.to_str().unwrap();
        assert!(
            link.contains("cursor=") && link.ends_with("rel=\"next\"") && !link.contains("private_token"),
            "{link}"
        );
        path = link[link.find("/users").unwrap()..link.find('>').unwrap()].to_owned();
    }
    // blk, dev, ext, gue, mai, out, own, root
    assert_eq!(seen, [8, 4, 7, 5, 3, 6, 2, 1]);
    let broken = world.call("root", "GET", "/users?pagination=keyset&cursor=x").await;
    assert_eq!(broken.line(), r#"400 {"error":"cursor is invalid"}"#);
}

/// rest-14
#[sqlx::test]
async fn pages_have_their_bounds(pool: PgPool) {
    let world = World::new(pool).await;
    let error = async |query: &str| world.call("root", "GET", &format!("/users?{query}")).await.line();
    assert_eq!(error("per_page=0").await, r#"400 {"error":"per_page has a value not allowed"}"#);
    assert_eq!(error("page=x").await, r#"400 {"error":"page is invalid"}"#);
    let all = world.call("root", "GET", "/users?per_page=500").await;
    assert_eq!((all.headers["x-per-page"].to_str().unwrap(), ids(&all).len()), ("100", 8));
    let page = world.call("root", "GET", "/users?per_page=3&page=2&search=&humans=true").await;
    assert_eq!(ids(&page), [5, 4, 3]);
    let link = page.headers["link"].to_str().unwrap();
    assert!(link.contains("humans=true&page=3&per_page=3>; rel=\"next\""), "{link}");
    assert_eq!(world.call("root", "GET", "/users?page=9").await.line(), "200 []");
}

/// rest-16, rest-17, rest-19
#[sqlx::test]
async fn an_administrator_makes_an_account(pool: PgPool) {
    let world = World::new(pool).await;
    let missing = world.json("root", "POST", "/users", json!({})).await;
    assert_eq!(
        missing.line(),
        r#"400 {"error":"email is missing, name is missing, username is missing, password, reset_password, force_random_password are missing, at least one parameter must be provided"}"#
    );
    let made = world.json("root", "POST", "/users", zoe(&json!({ "skip_confirmation": true, "bio": "b" }))).await;
    let user = made.json();
    assert_eq!((made.status.as_u16(), &user["state"], &user["bio"]), (201, &json!("active"), &json!("b")));
    assert_eq!(user["created_by"]["id"], json!(1));
    assert!(user["confirmed_at"].is_string() && user["namespace_id"].is_i64());
    assert_eq!(ids(&world.call("root", "GET", "/users?username=ZOE").await), [user["id"].as_i64().unwrap()]);
    let namespace = world.call("root", "GET", "/namespaces/zoe").await.json();
    assert_eq!((&namespace["kind"], &namespace["id"]), (&json!("user"), &user["namespace_id"]));
    assert_eq!(world.events().await, ["user_created"]);

    let refused = async |also: Value| world.json("root", "POST", "/users", zoe(&also)).await.line();
    assert_eq!(refused(json!({})).await, r#"409 {"message":"Email has already been taken"}"#);
    let name = json!({ "email": "other@example.com" });
    assert_eq!(refused(name).await, r#"409 {"message":"Username has already been taken"}"#);
    let group = json!({ "email": "other@example.com", "username": "ACME" });
    assert_eq!(refused(group).await, r#"400 {"message":{"username":["has already been taken"]}}"#);
    let fresh = json!({ "email": "y@example.com", "username": "y", "password": "short1" });
    assert_eq!(refused(fresh).await, r#"400 {"message":{"password":["is too short (minimum is 8 characters)"]}}"#);
    let odd = json!({ "email": "not one", "username": "admin", "name": "", "projects_limit": -1 });
    assert_eq!(
        refused(odd).await,
        r#"400 {"message":{"email":["is invalid"],"name":["can't be blank"],"projects_limit":["must be greater than or equal to 0"],"username":["admin is a reserved name"]}}"#
    );
    let users: i64 = world.given().value("select count(*) from users").await;
    assert_eq!(users, 9);
}

#[sqlx::test]
async fn an_address_waits_for_its_confirmation_where_that_is_asked_for(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().setting("email_confirmation_setting = 2").await;
    let made = world.json("root", "POST", "/users", zoe(&json!({ "force_random_password": "True" }))).await.json();
    assert_eq!(made["confirmed_at"], Value::Null);
    let path = format!("/users/{}", made["id"]);
    let other = json!({ "email": "new@example.com" });
    assert_eq!(world.json("root", "PUT", &path, other.clone()).await.json()["email"], json!("zoe@example.com"));
    let waiting: String = world.given().value("select unconfirmed_email from users where username = 'zoe'").await;
    assert_eq!(waiting, "new@example.com");
    let mut at_once = other;
    at_once["skip_reconfirmation"] = json!(true);
    assert_eq!(world.json("root", "PUT", &path, at_once).await.json()["email"], json!("new@example.com"));
    // The present one in other letters is no new one, which would wait to be confirmed.
    let present = world.json("root", "PUT", &path, json!({ "email": "NEW@example.com" })).await;
    assert_eq!((present.status.as_u16(), &present.json()["email"]), (200, &json!("new@example.com")));
    let waiting = "select coalesce(unconfirmed_email, '') from users where username = 'zoe'";
    assert_eq!(world.given().value::<String>(waiting).await, "");
    let taken = world.json("root", "PUT", &path, json!({ "email": "DEV@example.com" })).await;
    assert_eq!(taken.line(), r#"409 {"message":"Email has already been taken"}"#);
}

/// rest-20
#[sqlx::test]
async fn users_see_little_of_each_other(pool: PgPool) {
    let world = World::new(pool).await;
    let mai = world.call("dev", "GET", "/users/3").await.json();
    assert!(mai.get("email").is_none() && mai.get("is_admin").is_none() && mai["created_at"].is_string(), "{mai}");
    assert_eq!(ids(&world.call("dev", "GET", "/users?created_after=2099-01-01").await).len(), 7);
    assert_eq!(ids(&world.call("root", "GET", "/users?created_after=2099-01-01").await).len(), 0);
    // Of whom nobody knows when they came, nobody knows whether it was before.
    world.given().sql("update users set created_at = null where id = 6").await;
    let before = ids(&world.call("root", "GET", "/users?created_before=2099-01-01").await);
    assert_eq!(before, [8, 7, 5, 4, 3, 2, 1]);
    assert_eq!(world.call("dev", "GET", "/users?search=blk").await.line(), "200 []");
    assert_eq!(ids(&world.call("root", "GET", "/users?search=blk").await), [8]);
    let detail = world.call("root", "GET", "/users/3").await.json();
    assert_eq!((&detail["email"], &detail["highest_role"]), (&json!("mai@example.com"), &json!(40)));
    world.given().sql("update users set private_profile = true where id = 3").await;
    assert!(world.call("dev", "GET", "/users/3").await.json().get("created_at").is_none());
    assert!(world.call("mai", "GET", "/users/3").await.json()["created_at"].is_string());
    assert_eq!(world.call("dev", "GET", "/users/99").await.line(), r#"404 {"message":"404 User Not Found"}"#);
    assert_eq!(world.call("dev", "GET", "/users/mai").await.line(), r#"404 {"error":"404 Not Found"}"#);
}

/// Each filter of the list, by the ids that it leaves.
#[sqlx::test]
async fn users_are_looked_for(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "update users set user_type = 6, name = 'Bot' where id = 6;
             update users set public_email = 'shown@example.com', name = '100% Own_er' where id = 2;
             update users set otp_required_for_login = true, created_at = '2020-01-01' where id = 3;
             insert into identities (user_id, provider, extern_uid) values (4, 'saml', 'Uid');
             insert into emails (user_id, email) values (5, 'further@example.com')",
        )
        .await;
    for (query, expected) in [
        ("blocked=true", vec![8]),
        ("active=true", vec![7, 6, 5, 4, 3, 2, 1]),
        ("external=true", vec![7]),
        ("admins=true", vec![1]),
        ("humans=true&exclude_active=true", vec![8]),
        ("without_project_bots=true&exclude_external=true&active=true", vec![5, 4, 3, 2, 1]),
        ("exclude_humans=true", vec![6]),
        ("exclude_internal=true&humans=True", vec![8, 7, 5, 4, 3, 2, 1]),
        ("provider=saml&extern_uid=UID", vec![4]),
        ("two_factor=enabled", vec![3]),
        ("created_before=2021-01-01", vec![3]),
        ("without_projects=true&active=true", vec![7, 6, 1]),
        ("search=shown@example.com", vec![2]),
        ("search=FURTHER@example.com", vec![5]),
        ("search=dev@example.com", vec![4]),
        ("search=0%25", vec![]),
        ("search=100%25", vec![2]),
        ("search=n_e", vec![2]),
        ("search=ow", vec![]),
        ("search=@own", vec![2]),
        ("order_by=name&sort=asc&per_page=2", vec![2, 8]),
    ] {
        assert_eq!(ids(&world.call("root", "GET", &format!("/users?{query}")).await), expected, "{query}");
    }
    let order = world.call("root", "GET", "/users?order_by=x").await;
    assert_eq!(order.line(), r#"400 {"error":"order_by does not have a valid value"}"#);
    // Names of addresses are for administrators to look for.
    assert_eq!(world.call("dev", "GET", "/users?search=dev@example.com").await.line(), "200 []");
}

/// rest-21, rest-22
#[sqlx::test]
async fn an_account_is_changed(pool: PgPool) {
    let world = World::new(pool).await;
    let alone = world.json("root", "PUT", "/users/4", json!({ "provider": "saml" })).await;
    assert_eq!(alone.line(), r#"400 {"error":"provider, extern_uid provide all or none of parameters"}"#);
    let both = json!({ "provider": "saml", "extern_uid": "u" });
    let shown = world.json("root", "PUT", "/users/4", both.clone()).await.json();
    assert_eq!(shown["identities"][0], json!({ "provider": "saml", "extern_uid": "u", "saml_provider_id": null }));
    let taken = world.json("root", "PUT", "/users/3", both).await;
    assert_eq!(taken.line(), r#"400 {"message":{"identities.extern_uid":["has already been taken"]}}"#);
    assert_eq!(world.call("root", "DELETE", "/users/4/identities/saml").await.status, 204);
    let again = world.call("root", "DELETE", "/users/4/identities/saml").await;
    assert_eq!(again.line(), r#"404 {"message":"404 Identity Not Found"}"#);

    let made = world.json("root", "POST", "/users", zoe(&json!({}))).await.json();
    let path = format!("/users/{}", made["id"]);
    let renamed = json!({ "username": "devi", "name": "Devi", "note": "n", "can_create_group": false });
    let renamed = world.json("root", "PUT", &path, renamed).await.json();
    assert_eq!((&renamed["username"], &renamed["note"]), (&json!("devi"), &json!("n")));
    assert_eq!(renamed["can_create_group"], json!(false));
    assert_eq!(world.call("root", "GET", "/namespaces/devi").await.json()["name"], json!("Devi"));
    let led_on: String = world.given().value("select path from redirect_routes").await;
    assert_eq!(led_on, "zoe");
    for (change, said) in [
        (json!({ "public_email": "other@example.com" }), r#"{"public_email":["must be an email you have verified"]}"#),
        (json!({ "bio": "x".repeat(256) }), r#"{"bio":["is too long (maximum is 255 characters)"]}"#),
        (
            json!({ "username": "a b" }),
            r#"{"username":["can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'"]}"#,
        ),
    ] {
        let line = world.json("root", "PUT", &path, change).await.line();
        assert_eq!(line, format!(r#"400 {{"message":{said}}}"#));
    }
    let own = world.json("root", "PUT", "/users/1", json!({ "admin": false })).await;
    assert_eq!(own.line(), r#"400 {"message":{"admin":["cannot be taken from yourself"]}}"#);
    let shown = world.json("root", "PUT", &path, json!({ "public_email": "zoe@example.com" })).await.json();
    assert_eq!(shown["public_email"], json!("zoe@example.com"));
}

#[sqlx::test]
async fn a_password_that_an_administrator_sets_is_good(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.json("root", "PUT", "/users/4", json!({ "password": "correct horse" })).await.status, 200);
    let hash: String = world.given().value("select encrypted_password from users where id = 4").await;
    assert!(gatehouse::crypto::passwords::matches("correct horse", &hash));
    let short = world.json("root", "PUT", "/users/4", json!({ "password": "DEV" })).await;
    assert!(short.line().contains("is too short"));
}

/// rest-23
#[sqlx::test]
async fn an_account_is_shut_and_opened(pool: PgPool) {
    let world = World::new(pool).await;
    let post = async |path: &str| world.call("root", "POST", path).await.line();
    for (call, expected) in [
        ("/users/4/block", "201 true"),
        ("/users/4/block", "201 null"),
        ("/users/4/unblock", "201 true"),
        ("/users/4/unblock", "201 false"),
        ("/users/8/deactivate", r#"403 {"message":"Error occurred. A blocked user cannot be deactivated"}"#),
        ("/users/8/ban", r#"403 {"message":"You cannot ban blocked users."}"#),
        ("/users/1/block", r#"403 {"message":"403 Forbidden - The API initiating user cannot be blocked by the API"}"#),
        ("/users/4/deactivate", "201 true"),
        ("/users/4/deactivate", "201 null"),
        ("/users/4/activate", "201 true"),
        ("/users/4/ban", "201 true"),
        ("/users/4/unban", "201 true"),
        ("/users/4/unban", r#"403 {"message":"You cannot unban active users."}"#),
        ("/users/4/approve", r#"409 {"message":"The user you are trying to approve is not pending approval"}"#),
        ("/users/4/reject", r#"409 {"message":"User does not have a pending request"}"#),
    ] {
        assert_eq!(post(call).await, expected, "{call}");
    }
    let expected =
        ["user_blocked", "user_unblocked", "user_deactivated", "user_activated", "user_banned", "user_unbanned"];
    assert_eq!(world.events().await, expected);
    assert_eq!(post("/users/4/block").await, "201 true");
    assert_eq!(world.call("dev", "GET", "/user").await.status, 403);
    world.given().sql("update users set state = 'blocked_pending_approval' where id in (3, 4)").await;
    assert_eq!(post("/users/4/approve").await, r#"201 {"message":"Success"}"#);
    assert_eq!(post("/users/3/reject").await, r#"201 {"message":"Success"}"#);
    assert_eq!(world.call("root", "GET", "/users/3").await.status, 404);
}

#[sqlx::test]
async fn a_second_factor_is_taken_away(pool: PgPool) {
    let world = World::new(pool).await;
    let disable =
        async |user: i64| world.call("root", "PATCH", &format!("/users/{user}/disable_two_factor")).await.line();
    let none = r#"400 {"message":"400 Bad request - Two-factor authentication is not enabled for this user"}"#;
    assert_eq!(disable(4).await, none);
    let secret = "JBSWY3DPEHPK3PXP";
    world.given().one_time_passwords(gatehouse::domain::ids::UserId(4), world.key(), secret).await;
    let key = "insert into webauthn_registrations (user_id, credential_xid, name) values (4, 'x', 'key')";
    world.given().sql(key).await;
    assert_eq!(disable(4).await, "204 ");
    assert_eq!(disable(4).await, none);
    assert!(disable(1).await.starts_with("403"));
}

/// rest-26
#[sqlx::test]
async fn accounts_are_for_administrators(pool: PgPool) {
    let world = World::new(pool).await;
    for (method, path) in [
        ("POST", "/users"),
        ("PUT", "/users/4"),
        ("DELETE", "/users/4"),
        ("POST", "/users/4/block"),
        ("PATCH", "/users/4/disable_two_factor"),
        ("GET", "/users/4/memberships"),
        ("GET", "/users/4/associations_count"),
        ("GET", "/users/4/emails"),
        ("GET", "/keys/1"),
        ("GET", "/users/4/impersonation_tokens"),
        ("POST", "/users/4/personal_access_tokens"),
    ] {
        assert_eq!(world.call("own", method, path).await.line(), FORBIDDEN, "{method} {path}");
    }
}

#[sqlx::test]
async fn where_an_account_is_a_member(pool: PgPool) {
    let world = World::new(pool).await;
    world.project_member(21, 4, 30).await;
    let places = world.call("root", "GET", "/users/4/memberships").await.json();
    assert_eq!(
        places,
        json!([
            { "source_id": 10, "source_name": "acme", "source_type": "Namespace", "access_level": 30 },
            { "source_id": 21, "source_name": "lib", "source_type": "Project", "access_level": 30 },
        ])
    );
    let projects = world.call("root", "GET", "/users/4/memberships?type=Project").await;
    assert_eq!((projects.json().as_array().unwrap().len(), &projects.headers["x-total"]), (1, &"1".parse().unwrap()));
    let counts = world.call("dev", "GET", "/users/4/associations_count").await.json();
    assert_eq!(counts, json!({ "groups_count": 1, "projects_count": 1, "issues_count": 0, "merge_requests_count": 0 }));
}
