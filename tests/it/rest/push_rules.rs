//! Push rules of projects and groups.

use serde_json::json;
use sqlx::PgPool;

use super::world::{FORBIDDEN, World};

const RULE: &str = "/projects/20/push_rule";
const OF_GROUP: &str = "/groups/10/push_rule";
const NONE: &str = r#"404 {"message":"404 Not Found"}"#;

/// rest-91
#[sqlx::test]
async fn a_project_has_one_rule_or_none(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.call("mai", "GET", RULE).await.line(), "200 null");
    let made = world.json("mai", "POST", RULE, json!({ "deny_delete_tag": true, "max_file_size": 7 })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let rule = made.json();
    assert_eq!(
        (&rule["project_id"], &rule["deny_delete_tag"], &rule["max_file_size"]),
        (&json!(20), &json!(true), &json!(7))
    );
    let again = world.json("mai", "POST", RULE, json!({ "member_check": true })).await;
    assert_eq!(again.line(), r#"422 {"message":"422 Unprocessable Entity - Project push rule exists"}"#);
    let broken = world.json("mai", "PUT", RULE, json!({ "commit_message_regex": "(", "member_check": true })).await;
    assert_eq!(broken.status, 400);
    let said = broken.json()["message"]["commit_message_regex"][0].as_str().unwrap().to_owned();
    assert!(said.starts_with("not valid RE2 syntax: "), "{said}");
    assert_eq!(world.call("mai", "GET", RULE).await.json(), rule, "refused means unchanged");
    let changed =
        world.json("mai", "PUT", RULE, json!({ "branch_name_regex": "^a", "deny_delete_tag": "" })).await.json();
    assert_eq!((&changed["branch_name_regex"], &changed["deny_delete_tag"]), (&json!("^a"), &json!(true)));
    let changed = world.json("mai", "PUT", RULE, json!({ "branch_name_regex": "" })).await.json();
    assert_eq!(changed["branch_name_regex"], json!(null), "an empty text asks for nothing");
    for (body, name, said) in [
        (json!({ "max_file_size": -1 }), "max_file_size", "must be greater than or equal to 0"),
        (json!({ "file_name_regex": "x".repeat(512) }), "file_name_regex", "is too long (maximum is 511 characters)"),
    ] {
        assert_eq!(world.json("mai", "PUT", RULE, body).await.json()["message"][name][0], said);
    }
    let nothing = world.json("mai", "PUT", RULE, json!({ "id": 1 })).await;
    assert!(
        nothing.json()["error"].as_str().unwrap().ends_with("are missing, at least one parameter must be provided")
    );
    assert_eq!(world.call("mai", "DELETE", RULE).await.line(), "204 ");
    assert_eq!(world.call("mai", "DELETE", RULE).await.line(), r#"404 {"message":"404 Push Rule Not Found"}"#);
    let gone = world.json("mai", "PUT", RULE, json!({ "member_check": true })).await;
    assert_eq!(gone.line(), r#"404 {"message":"404 Push Rule Not Found"}"#);
    assert_eq!(world.call("dev", "GET", RULE).await.line(), FORBIDDEN);
    assert_eq!(
        world.events().await,
        ["push_rule_created", "push_rule_updated", "push_rule_updated", "push_rule_removed"]
    );
}

#[sqlx::test]
async fn a_rule_of_a_group_is_its_owners(pool: PgPool) {
    let world = World::new(pool).await;
    for method in ["GET", "DELETE"] {
        assert_eq!(world.call("mai", method, OF_GROUP).await.line(), NONE);
    }
    assert_eq!(world.json("mai", "POST", OF_GROUP, json!({ "member_check": true })).await.line(), NONE);
    assert_eq!(world.call("own", "GET", OF_GROUP).await.line(), NONE);
    let missing = world.json("own", "PUT", OF_GROUP, json!({ "member_check": true })).await;
    assert_eq!(missing.line(), r#"404 {"message":"404 Push rule Not Found"}"#);
    let made = world.json("own", "POST", OF_GROUP, json!({ "member_check": true })).await;
    assert_eq!((made.status.as_u16(), made.json().get("project_id")), (201, None), "{}", made.text);
    let again = world.json("own", "POST", OF_GROUP, json!({ "member_check": true })).await;
    assert_eq!(again.message(), "422 Unprocessable Entity - Group push rule exists, try updating");
    assert_eq!(world.call("own", "GET", OF_GROUP).await.json(), made.json());
    assert_eq!(world.call("own", "DELETE", OF_GROUP).await.line(), "204 ");
    assert_eq!(world.call("own", "GET", OF_GROUP).await.line(), NONE);
}
