//! Web hooks of projects, groups and the installation.

use gatehouse::domain::web_hook::KEPT_EVENTS;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::{FORBIDDEN, NO_ROW, World};
use crate::support::pushes::{NEW, ZERO};
use crate::support::receiver::Receiver;

const HOOKS: &str = "/projects/20/hooks";

/// rest-86
#[sqlx::test]
async fn a_token_is_never_shown_and_stays_until_the_url_is_another(pool: PgPool) {
    let world = World::new(pool).await;
    let url = "https://ci.example.com/hook";
    let made = world.json("mai", "POST", HOOKS, json!({ "url": url, "token": "s3cret" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let hook = made.json();
    assert_eq!((&hook["token_present"], hook.get("token"), &hook["project_id"]), (&json!(true), None, &json!(20)));
    assert!(!made.text.contains("s3cret"));
    assert_eq!(
        (&hook["push_events"], &hook["enable_ssl_verification"], &hook["tag_push_events"]),
        (&json!(true), &json!(true), &json!(false))
    );
    let path = format!("{HOOKS}/{}", hook["id"]);
    assert_eq!(world.call("mai", "GET", &path).await.json(), hook);
    let same = world.json("mai", "PUT", &path, json!({ "url": url, "name": "CI" })).await.json();
    assert_eq!((&same["token_present"], &same["name"]), (&json!(true), &json!("CI")));
    let other = world.json("mai", "PUT", &path, json!({ "url": "https://other.example.com/" })).await.json();
    assert_eq!((&other["token_present"], &other["url"]), (&json!(false), &json!("https://other.example.com/")));
    let listed = world.call("mai", "GET", HOOKS).await.json();
    assert_eq!((&listed[0]["id"], listed[0].get("url_variables")), (&hook["id"], None));
    assert_eq!(world.call("mai", "DELETE", &path).await.line(), "204 ");
    assert_eq!(world.call("mai", "DELETE", &path).await.line(), NO_ROW);
    assert_eq!(world.call("mai", "GET", &path).await.line(), NO_ROW);
    assert_eq!(world.events().await, ["webhook_created", "webhook_updated", "webhook_updated", "webhook_destroyed"]);
    let sealed: i64 = world.given().value("select count(*) from audit_events where details like '%example.com%'").await;
    assert_eq!(sealed, 0, "a URL may hold a secret");
}

/// rest-87
#[sqlx::test]
async fn a_url_must_be_one_that_hooks_may_go_to(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.json("mai", "POST", HOOKS, json!({})).await.line(), r#"400 {"error":"url is missing"}"#);
    let invalid = r#"422 {"error":"Invalid url given"}"#;
    let blocked = r#"422 {"error":"Url is blocked: Requests to localhost are not allowed"}"#;
    let network = r#"422 {"error":"Url is blocked: Requests to the local network are not allowed"}"#;
    for (url, said) in [
        ("ftp://x", invalid),
        ("", invalid),
        ("http://127.0.0.1/", blocked),
        ("http://[::1]/", blocked),
        ("http://10.0.0.1/", network),
    ] {
        assert_eq!(world.json("mai", "POST", HOOKS, json!({ "url": url })).await.line(), said, "{url}");
    }
    world.given().setting("allow_local_requests_from_web_hooks_and_services = true").await;
    let made = world.json("mai", "POST", HOOKS, json!({ "url": "http://127.0.0.1/" })).await;
    assert_eq!(made.status, 201);
    let path = format!("{HOOKS}/{}", made.json()["id"]);
    assert_eq!(world.json("mai", "PUT", &path, json!({ "url": "nonsense" })).await.line(), invalid);
    let headers = json!({ "url": "https://x.example/", "custom_headers": [{ "key": "a", "value": "b" }] });
    let reply = world.json("mai", "POST", HOOKS, headers).await;
    assert_eq!(reply.message(), "400 Bad request - custom_headers is not supported");
    let regex = json!({ "url": "https://x.example/", "branch_filter_strategy": "regex" });
    assert_eq!(world.json("mai", "POST", HOOKS, regex).await.status, 400);
    let token = json!({ "url": "https://x.example/", "token": "a\nb" });
    assert_eq!(world.json("mai", "POST", HOOKS, token).await.line(), r#"422 {"error":"Token is invalid"}"#);
    let hooks: i64 = world.given().value("select count(*) from web_hooks").await;
    assert_eq!(hooks, 1);
}

/// rest-89
#[sqlx::test]
async fn every_event_is_kept_and_read_back(pool: PgPool) {
    let world = World::new(pool).await;
    let more = ["push_events", "tag_push_events", "repository_update_events", "enable_ssl_verification"];
    for (who, path, lacks) in [
        ("mai", HOOKS, vec!["subgroup_events", "member_events", "project_events"]),
        ("own", "/groups/10/hooks", vec!["resource_deploy_token_events"]),
        ("root", "/hooks", KEPT_EVENTS.into_iter().filter(|name| *name != "merge_requests_events").collect()),
    ] {
        let mut body =
            json!({ "url": "https://ci.example.com/", "description": "all", "push_events_branch_filter": "rel/*" });
        for name in KEPT_EVENTS.iter().chain(&more) {
            body[*name] = true.into();
        }
        let made = world.json(who, "POST", path, body).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        let hook = made.json();
        for name in KEPT_EVENTS.iter().chain(&more) {
            let expected = (!lacks.contains(name)).then_some(&Value::Bool(true));
            assert_eq!(hook.get(*name), expected, "{path}: {name}");
        }
        assert_eq!((&hook["description"], &hook["push_events_branch_filter"]), (&json!("all"), &json!("rel/*")));
        assert_eq!((&hook["alert_status"], &hook["custom_headers"]), (&json!("executable"), &json!([])));
        let one = format!("{path}/{}", hook["id"]);
        let off = world
            .json(who, "PUT", &one, json!({ "push_events": false, "branch_filter_strategy": "all_branches" }))
            .await
            .json();
        assert_eq!((&off["push_events"], &off["branch_filter_strategy"]), (&json!(false), &json!("all_branches")));
        assert_eq!((&off["push_events_branch_filter"], &off["merge_requests_events"]), (&Value::Null, &json!(true)));
    }
    assert_eq!(world.call("dev", "GET", HOOKS).await.line(), FORBIDDEN);
    assert_eq!(world.call("mai", "GET", "/groups/10/hooks").await.line(), FORBIDDEN);
    assert_eq!(world.call("own", "GET", "/hooks").await.line(), FORBIDDEN);
    let id: i64 = world.given().value("select id from web_hooks where type = 'GroupHook'").await;
    assert_eq!(world.call("mai", "GET", &format!("{HOOKS}/{id}")).await.line(), NO_ROW, "it is another owner's");
    assert_eq!(world.call("mai", "DELETE", &format!("{HOOKS}/{id}")).await.line(), NO_ROW);
}

/// rest-88
#[sqlx::test]
async fn a_test_sends_the_last_push_again(pool: PgPool) {
    let world = World::new(pool).await;
    world.given().setting("allow_local_requests_from_web_hooks_and_services = true").await;
    let receiver = Receiver::start().await;
    let body = json!({ "url": receiver.url(), "token": "s3cret", "push_events": true });
    let id = world.json("mai", "POST", HOOKS, body).await.json()["id"].clone();
    let test = async |who: &str, trigger: &str| world.call(who, "POST", &format!("{HOOKS}/{id}/test/{trigger}")).await;
    let none = test("mai", "push_events").await;
    assert_eq!(none.line(), r#"422 {"message":"Ensure the project has at least one commit."}"#);
    world
        .given()
        .sql(&format!(
            "with event as (
               insert into events (project_id, author_id, action) values (20, 4, 5) returning id
             )
             insert into push_event_payloads (event_id, commit_count, action, ref_type, commit_to, ref)
             select id, 1, 0, 0, decode('{NEW}', 'hex'), 'main' from event"
        ))
        .await;
    let sent = test("mai", "push_events").await;
    assert_eq!(sent.line(), r#"201 {"message":"201 Created"}"#);
    let told = &receiver.requests()[0];
    assert_eq!((told.header("x-gitlab-token"), told.header("x-gitlab-event")), ("s3cret", "Push Hook"));
    let body = told.json();
    assert_eq!((&body["ref"], &body["before"], &body["after"]), (&json!("refs/heads/main"), &json!(ZERO), &json!(NEW)));
    assert_eq!((&body["project"]["path_with_namespace"], &body["user_username"]), (&json!("acme/app"), &json!("dev")));
    let unknown = test("mai", "nope").await;
    assert_eq!(unknown.line(), r#"400 {"error":"trigger does not have a valid value"}"#);
    assert_eq!(test("mai", "issues_events").await.status, 422);
    receiver.will_answer(500, "no");
    let refused = test("mai", "push_events").await;
    assert_eq!(refused.message(), "Hook execution failed: the receiver answered 500");
    assert_eq!(test("dev", "push_events").await.line(), FORBIDDEN);
    assert_eq!(test("mai", "tag_push_events").await.status, 422, "no tag was pushed");
    let often = test("mai", "push_events").await;
    assert_eq!(often.status, 429, "{}", often.text);
    assert!(often.headers.contains_key("retry-after"));
    let logs: i64 = world.given().value("select count(*) from web_hook_logs").await;
    assert_eq!(logs, 2);
    world.given().setting("allow_local_requests_from_web_hooks_and_services = false").await;
    let blocked = test("own", "push_events").await;
    assert_eq!(blocked.message(), "Hook execution failed: Requests to the local network are not allowed");
    assert_eq!(receiver.requests().len(), 2);
}

#[sqlx::test]
async fn a_project_has_a_hundred_hooks_at_most(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql("insert into web_hooks (project_id, encrypted_url, encrypted_url_iv) select 20, 'x', 'y' from generate_series(1, 100)")
        .await;
    let reply = world.json("mai", "POST", HOOKS, json!({ "url": "https://ci.example.com/" })).await;
    assert_eq!(reply.line(), r#"422 {"error":"Maximum number of project hooks (100) exceeded"}"#);
}
