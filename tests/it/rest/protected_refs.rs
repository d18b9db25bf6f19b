//! Protected branches and tags.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::{FORBIDDEN, NO_ROW, World};
use crate::support::key_body;

const BRANCHES: &str = "/projects/20/protected_branches";
const TAGS: &str = "/projects/20/protected_tags";

/// What people read of the levels of a right.
fn words(reply: &Value, list: &str) -> Vec<String> {
    let rows = reply[list].as_array().unwrap_or_else(|| panic!("{reply}"));
    rows.iter().map(|row| row["access_level_description"].as_str().unwrap().to_owned()).collect()
}

/// rest-76
#[sqlx::test]
async fn a_pattern_is_protected_once_and_found_by_its_name(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("mai", "POST", BRANCHES, json!({ "name": "rel/*" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let rule = made.json();
    for list in ["push_access_levels", "merge_access_levels"] {
        assert_eq!((&rule[list][0]["access_level"], words(&rule, list)), (&json!(40), vec!["Maintainers".to_owned()]));
    }
    assert_eq!((&rule["inherited"], &rule["allow_force_push"]), (&json!(false), &json!(false)));
    assert_eq!((&rule["unprotect_access_levels"], &rule["code_owner_approval_required"]), (&json!([]), &json!(false)));
    let again = world.json("mai", "POST", BRANCHES, json!({ "name": "rel/*" })).await;
    assert_eq!(again.line(), r#"409 {"message":"Protected branch 'rel/*' already exists"}"#);
    let found = world.call("mai", "GET", &format!("{BRANCHES}/rel%2F%2A")).await;
    assert_eq!((found.status.as_u16(), found.json()), (200, rule));
    assert_eq!(world.call("mai", "GET", &format!("{BRANCHES}/rel%2F1")).await.line(), NO_ROW, "the name is literal");
    assert_eq!(world.call("mai", "DELETE", &format!("{BRANCHES}/rel%2F%2A")).await.line(), "204 ");
    assert_eq!(world.call("mai", "DELETE", &format!("{BRANCHES}/rel%2F%2A")).await.line(), NO_ROW);
    assert_eq!(world.events().await, ["protected_branch_created", "protected_branch_removed"]);
}

/// rest-77
#[sqlx::test]
async fn users_keys_and_levels_may_push_who_have_access(pool: PgPool) {
    let world = World::new(pool).await;
    let key = json!({ "title": "K", "key": format!("ssh-ed25519 {}", key_body("k")), "can_push": true });
    let key = world.json("mai", "POST", "/projects/20/deploy_keys", key).await.json()["id"].clone();
    let push = json!([{ "user_id": 4 }, { "deploy_key_id": key }, { "access_level": 0 }]);
    let made = world.json("mai", "POST", BRANCHES, json!({ "name": "main", "allowed_to_push": push })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let rule = made.json();
    assert_eq!(words(&rule, "push_access_levels"), ["Dev", "K", "No one"]);
    let push = &rule["push_access_levels"];
    assert_eq!((&push[0]["access_level"], &push[0]["user_id"]), (&Value::Null, &json!(4)));
    assert_eq!((&push[1]["access_level"], &push[1]["deploy_key_id"]), (&json!(40), &key));
    assert_eq!((&push[2]["access_level"], push[2].get("deploy_key_id")), (&json!(0), None));
    let refused = async |list: &str, named: Value| {
        let reply = world.json("mai", "POST", BRANCHES, json!({ "name": "x", list: [named] })).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        reply.json()["message"].clone()
    };
    let said = json!(["Push access levels user is not a member of the project"]);
    assert_eq!(refused("allowed_to_push", json!({ "user_id": 6 })).await, said);
    let said = json!(["Merge access levels group does not have access to the project"]);
    assert_eq!(refused("allowed_to_merge", json!({ "group_id": 12 })).await, said);
    let said = json!(["Push access levels deploy key is not enabled for this project"]);
    assert_eq!(refused("allowed_to_push", json!({ "deploy_key_id": 999 })).await, said);
    let twice = json!({ "name": "x", "push_access_level": 30, "allowed_to_push": [{ "access_level": 30 }] });
    let reply = world.json("mai", "POST", BRANCHES, twice).await;
    assert_eq!(reply.json()["message"], json!(["Push access levels access level has already been taken"]));
    let none: i64 = world.given().value("select count(*) from protected_branches where name = 'x'").await;
    assert_eq!(none, 0, "refused means unchanged");
}

#[sqlx::test]
async fn parameters_of_rules_are_read_in_every_form(pool: PgPool) {
    let world = World::new(pool).await;
    let form = format!("{BRANCHES}?name=main&push_access_level=0&allowed_to_merge[][user_id]=4&allow_force_push=True");
    let rule = world.call("mai", "POST", &form).await.json();
    assert_eq!(
        (words(&rule, "push_access_levels"), words(&rule, "merge_access_levels")),
        (vec!["No one".to_owned()], vec!["Dev".to_owned()])
    );
    assert_eq!(rule["allow_force_push"], true);
    for (body, said) in [
        (json!({}), "name is missing"),
        (json!({ "name": "x", "push_access_level": 35 }), "push_access_level does not have a valid value"),
        (json!({ "name": "x", "unprotect_access_level": 0 }), "unprotect_access_level does not have a valid value"),
        (
            json!({ "name": "x", "allowed_to_push": [{ "user_id": 4, "group_id": 10 }] }),
            "allowed_to_push[0][user_id], allowed_to_push[0][group_id] are mutually exclusive",
        ),
    ] {
        let reply = world.json("mai", "POST", BRANCHES, body).await;
        assert_eq!(reply.line(), format!("400 {}", json!({ "error": said })));
    }
    let owners = json!({ "name": "x", "code_owner_approval_required": true });
    let reply = world.json("mai", "POST", BRANCHES, owners).await;
    assert_eq!(reply.message(), "400 Bad request - code_owner_approval_required is not supported");
    let long = json!({ "name": "x".repeat(256) });
    let reply = world.json("mai", "POST", BRANCHES, long).await;
    assert_eq!(reply.json()["message"], json!(["Name is too long (maximum is 255 characters)"]));
}

/// rest-79
#[sqlx::test]
async fn developers_read_rules_and_guests_do_not(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.call("dev", "GET", BRANCHES).await.line(), "200 []");
    assert_eq!(world.json("dev", "POST", BRANCHES, json!({ "name": "x" })).await.line(), FORBIDDEN);
    assert_eq!(world.call("gue", "GET", BRANCHES).await.line(), FORBIDDEN);
    assert_eq!(world.json("gue", "POST", BRANCHES, json!({ "name": "x" })).await.line(), FORBIDDEN);
    assert_eq!(world.call("out", "GET", BRANCHES).await.line(), r#"404 {"message":"404 Project Not Found"}"#);
    assert_eq!(world.call("dev", "GET", TAGS).await.line(), FORBIDDEN);
}

/// rest-80
#[sqlx::test]
async fn a_rule_of_a_group_holds_for_all_projects_below_it(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("own", "POST", "/groups/11/protected_branches", json!({ "name": "main" })).await;
    assert_eq!((made.status.as_u16(), made.json().get("inherited")), (201, None), "{}", made.text);
    let listed = world.call("dev", "GET", "/projects/21/protected_branches").await.json();
    assert_eq!((&listed[0]["name"], &listed[0]["inherited"]), (&json!("main"), &json!(true)));
    assert_eq!(world.call("dev", "GET", BRANCHES).await.line(), "200 []", "the project is not below that group");
    let shown = world.call("dev", "GET", "/projects/21/protected_branches/main").await.json();
    assert_eq!((&shown["id"], &shown["inherited"]), (&listed[0]["id"], &json!(true)));
    let own = world.json("mai", "PATCH", "/projects/21/protected_branches/main", json!({ "allow_force_push": true }));
    assert_eq!(own.await.line(), NO_ROW, "the project has no rule of its own to change");
    let today = world.app.clock.now().date_naive();
    let facts = async |project: i64| {
        let project = gatehouse::domain::ids::ProjectId(project);
        let facts = gatehouse::store::push_facts::find(&world.app.pool, project, None, today, &[]).await;
        facts.unwrap().unwrap().branches.len()
    };
    assert_eq!([facts(21).await, facts(20).await], [1, 0], "what pushes are judged by");
    assert_eq!(
        world.json("mai", "POST", "/groups/10/protected_branches", json!({ "name": "x" })).await.line(),
        FORBIDDEN
    );
    assert_eq!(world.call("mai", "GET", "/groups/10/protected_branches").await.line(), FORBIDDEN);
    let rule =
        world.json("own", "PATCH", "/groups/11/protected_branches/main", json!({ "allow_force_push": true })).await;
    assert_eq!(rule.json()["allow_force_push"], true);
    assert_eq!(world.call("own", "DELETE", "/groups/11/protected_branches/main").await.line(), "204 ");
}

#[sqlx::test]
async fn rows_are_added_changed_and_removed_and_none_by_halves(pool: PgPool) {
    let world = World::new(pool).await;
    let path = format!("{BRANCHES}/main");
    let rule = world.json("mai", "POST", BRANCHES, json!({ "name": "main" })).await.json();
    let (push, merge) = (&rule["push_access_levels"][0]["id"], &rule["merge_access_levels"][0]["id"]);
    let change = json!({
        "allow_force_push": true,
        "allowed_to_push": [{ "id": push, "access_level": 30 }, { "user_id": 4 }],
        "allowed_to_merge": [{ "id": merge, "_destroy": true }],
    });
    let changed = world.json("mai", "PATCH", &path, change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let rule = changed.json();
    assert_eq!(words(&rule, "push_access_levels"), ["Developers + Maintainers", "Dev"]);
    assert_eq!((&rule["push_access_levels"][0]["id"], &rule["merge_access_levels"]), (push, &json!([])));
    assert_eq!(rule["allow_force_push"], true);
    let wrong = json!({ "allow_force_push": false, "allowed_to_push": [{ "user_id": 4 }] });
    let reply = world.json("mai", "PATCH", &path, wrong).await;
    assert_eq!(reply.json()["message"], json!(["Push access levels user has already been taken"]));
    let foreign = json!({ "allow_force_push": false, "allowed_to_push": [{ "id": 999, "_destroy": true }] });
    assert_eq!(world.json("mai", "PATCH", &path, foreign).await.status, 422);
    assert_eq!(world.call("mai", "GET", &path).await.json(), rule, "refused means unchanged");
    let blank = world.json("mai", "PATCH", &path, json!({ "allow_force_push": null })).await;
    assert_eq!(blank.line(), r#"400 {"error":"allow_force_push is empty"}"#);
}

#[sqlx::test]
async fn who_may_lift_a_protection_can_be_named(pool: PgPool) {
    let world = World::new(pool).await;
    let path = format!("{BRANCHES}/main");
    let named = json!({ "name": "main", "allowed_to_unprotect": [{ "user_id": 2 }] });
    assert_eq!(world.json("mai", "POST", BRANCHES, named).await.status, 201);
    assert_eq!(world.json("mai", "PATCH", &path, json!({ "allow_force_push": true })).await.line(), FORBIDDEN);
    assert_eq!(world.call("mai", "DELETE", &path).await.line(), FORBIDDEN);
    assert_eq!(world.call("own", "DELETE", &path).await.line(), "204 ");
    let group = json!({ "name": "main", "allowed_to_unprotect": [{ "group_id": 10 }] });
    assert_eq!(world.json("mai", "POST", BRANCHES, group).await.status, 201);
    assert_eq!(world.call("mai", "DELETE", &path).await.line(), "204 ", "a member of the group that is named");
    let admins = json!({ "name": "main", "unprotect_access_level": 60 });
    assert_eq!(world.json("mai", "POST", BRANCHES, admins).await.status, 201);
    assert_eq!(world.call("own", "DELETE", &path).await.line(), FORBIDDEN);
    assert_eq!(world.call("root", "DELETE", &path).await.line(), "204 ");
}

/// rest-81
#[sqlx::test]
async fn tags_are_protected_once_and_never_changed(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("mai", "POST", TAGS, json!({ "name": "v*", "create_access_level": 30 })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let rule = made.json();
    assert_eq!(
        (&rule["name"], words(&rule, "create_access_levels")),
        (&json!("v*"), vec!["Developers + Maintainers".to_owned()])
    );
    let again = world.json("mai", "POST", TAGS, json!({ "name": "v*" })).await;
    assert_eq!(again.line(), r#"422 {"message":["Name has already been taken"]}"#);
    let patched = world.json("mai", "PATCH", &format!("{TAGS}/v%2A"), json!({})).await;
    assert_eq!(patched.status, 405);
    assert_eq!(world.call("mai", "GET", &format!("{TAGS}/v%2A")).await.json(), rule);
    assert_eq!(world.call("mai", "GET", TAGS).await.json(), json!([rule]));
    assert_eq!(world.call("mai", "DELETE", &format!("{TAGS}/v%2A")).await.line(), "204 ");
    assert_eq!(world.call("mai", "DELETE", &format!("{TAGS}/v%2A")).await.line(), NO_ROW);
}

#[sqlx::test]
async fn rules_are_listed_by_name_and_searched(pool: PgPool) {
    let world = World::new(pool).await;
    for name in ["main", "rel/2", "rel/1"] {
        world.json("mai", "POST", BRANCHES, json!({ "name": name })).await;
    }
    let names = |reply: Value| {
        let rows = reply.as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let found = world.call("mai", "GET", &format!("{BRANCHES}?search=REL&per_page=1")).await;
    assert_eq!(
        (found.headers["x-total"].to_str().unwrap(), found.headers["x-next-page"].to_str().unwrap()),
        ("2", "2")
    );
    assert_eq!(names(found.json()), ["rel/1"]);
    assert_eq!(names(world.call("mai", "GET", BRANCHES).await.json()), ["main", "rel/1", "rel/2"]);
}

/// Of several at once, one makes the rule.
#[sqlx::test]
async fn of_several_who_protect_a_branch_at_once_one_does(pool: PgPool) {
    let world = World::new(pool).await;
    let posts = (0..8).map(|_| world.json("mai", "POST", BRANCHES, json!({ "name": "main" })));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(posts).await.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    let rows: i64 = world.given().value("select count(*) from protected_branches").await;
    assert_eq!(rows, 1);
}

/// What changed since a client looked is not deleted.
#[sqlx::test]
async fn what_was_changed_meanwhile_is_not_deleted(pool: PgPool) {
    let world = World::new(pool).await;
    let delete = async |path: &str, since: &str| {
        let request = axum::http::Request::builder().method("DELETE").uri(format!("/api/v4{path}"));
        let request = request.header("private-token", "T_own").header("if-unmodified-since", since);
        world.app.send(request.body(axum::body::Body::empty()).unwrap()).await.status.as_u16()
    };
    let id = async |path: &str, body: Value| {
        let made = world.json("own", "POST", path, body).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        format!("{path}/{}", made.json()["id"])
    };
    let mut rows = vec![
        id("/projects/20/hooks", json!({ "url": "https://ci.example.com/" })).await,
        id("/groups/10/hooks", json!({ "url": "https://ci.example.com/" })).await,
        id("/projects/20/deploy_keys", json!({ "title": "k", "key": format!("ssh-ed25519 {}", key_body("k")) })).await,
        id("/projects/20/access_tokens", json!({ "name": "x", "scopes": ["api"] })).await,
        id("/projects/20/deploy_tokens", json!({ "name": "x", "scopes": ["read_repository"] })).await,
    ];
    for (path, row) in [
        (BRANCHES, "main"),
        ("/groups/10/protected_branches", "main"),
        (TAGS, "main"),
        ("/projects/20/push_rule", ""),
        ("/groups/10/push_rule", ""),
    ] {
        let made = world.json("own", "POST", path, json!({ "name": "main", "member_check": true })).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        rows.push(format!("{path}/{row}").trim_end_matches('/').to_owned());
    }
    for row in rows {
        assert_eq!(delete(&row, "Wed, 01 Jan 2020 00:00:00 GMT").await, 412, "{row}");
        assert_eq!(delete(&row, "Fri, 01 Jan 2100 00:00:00 GMT").await, 204, "{row}");
    }
}
