//! Many at once: the outcome is one of those that they could have had one after the other.

use std::sync::Arc;

use gatehouse::domain::scim::ScimScope;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

use super::{Scim, example, example_with, work_email};

/// The same database through more connections than a test usually has.
async fn wide(pool: &PgPool) -> PgPool {
    PgPoolOptions::new().max_connections(12).connect_with((*pool.connect_options()).clone()).await.unwrap()
}

async fn statuses(scim: &Arc<Scim>, bodies: Vec<Value>) -> Vec<(u16, String)> {
    let mut tasks = JoinSet::new();
    for body in bodies {
        let scim = Arc::clone(scim);
        tasks.spawn(async move {
            let reply = scim.post(&body).await;
            (reply.status.as_u16(), reply.text)
        });
    }
    let mut all = tasks.join_all().await;
    all.sort();
    all
}

#[sqlx::test]
async fn one_user_who_is_asked_for_many_times_is_made_once(pool: PgPool) {
    let pool = wide(&pool).await;
    for scim in [Scim::of_group(pool.clone()).await] {
        let scim = Arc::new(scim);
        let replies = statuses(&scim, vec![example(); 32]).await;
        assert!(replies.iter().all(|(status, text)| *status == 201 && text == &replies[0].1), "{replies:?}");
        assert_eq!(scim.counts().await, "1 1 1 1");
    }
    pool.close().await;
}

#[sqlx::test]
async fn many_users_of_one_name_are_all_made(pool: PgPool) {
    let pool = wide(&pool).await;
    let scim = Arc::new(Scim::of_group(pool.clone()).await);
    let names = ["jane", "jane@a", "jane1", "jane2", "-jane", "jane."];
    let body = |index: usize| {
        let email = work_email(&format!("{index}@x.example"));
        example_with(&json!({"externalId": index.to_string(), "userName": names[index % names.len()], "emails": email}))
    };
    let replies = statuses(&scim, (0..24).map(body).collect()).await;
    assert!(replies.iter().all(|(status, _)| *status == 201), "{replies:?}");
    let distinct: i64 = scim.given.value("select count(distinct lower(username)) from users").await;
    assert_eq!(distinct, 24);
    pool.close().await;
}

/// scim-79
#[sqlx::test]
async fn one_address_becomes_one_identity(pool: PgPool) {
    let pool = wide(&pool).await;
    let scim = Arc::new(Scim::of_group(pool.clone()).await);
    for round in 0..10 {
        let body = |id: &str| {
            let email = work_email(&format!("{round}@x.example"));
            example_with(&json!({"externalId": format!("{id}{round}"), "emails": email}))
        };
        let replies = statuses(&scim, vec![body("p"), body("q")]).await;
        let statuses: Vec<u16> = replies.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [201, 409], "{replies:?}");
    }
    assert_eq!(scim.counts().await, "10 10 10 10");
    pool.close().await;
}

/// scim-68
#[sqlx::test]
async fn of_two_owners_one_stays(pool: PgPool) {
    let pool = wide(&pool).await;
    let scim = Arc::new(Scim::of_group(pool.clone()).await);
    for name in ["dana", "eve"] {
        scim.member(name, 50).await;
        scim.identity(name, name).await;
    }
    for round in 0..50 {
        let (first, second) = tokio::join!(scim.delete("dana"), scim.delete("eve"));
        let mut both = [first.status.as_u16(), second.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [204, 412], "round {round}");
        for name in ["dana", "eve"] {
            let back = json!([{"op": "replace", "path": "active", "value": true}]);
            assert_eq!(scim.patch(name, &back).await.status, 204);
        }
        scim.given.sql("update members set access_level = 50").await;
    }
    pool.close().await;
}

#[sqlx::test]
async fn a_change_and_the_end_come_one_after_the_other(pool: PgPool) {
    let pool = wide(&pool).await;
    let scim = Arc::new(Scim::of_group(pool.clone()).await);
    scim.example().await;
    for _ in 0..20 {
        let on = json!([{"op": "replace", "path": "active", "value": true}]);
        let (patched, deleted) = tokio::join!(scim.patch("test_uid", &on), scim.delete("test_uid"));
        assert_eq!((patched.status.as_u16(), deleted.status.as_u16()), (204, 204));
        let active = scim.is_active("test_uid").await;
        assert_eq!(scim.level("username").await.is_some(), active, "the membership goes with the identity");
    }
    let moves = json!([{"op": "replace", "path": "id", "value": "moved"}]);
    let (moved, deleted) = tokio::join!(scim.patch("test_uid", &moves), scim.delete("test_uid"));
    assert_eq!(moved.status, 204);
    assert!(matches!(deleted.status.as_u16(), 204 | 404), "{}", deleted.line());
    pool.close().await;
}

#[sqlx::test]
async fn two_ids_are_not_moved_to_the_same_one(pool: PgPool) {
    let pool = wide(&pool).await;
    let scim = Arc::new(Scim::of_group(pool.clone()).await);
    for round in 0..10 {
        let (a, b, to) = (format!("a{round}"), format!("b{round}"), format!("c{round}"));
        scim.identity(&a, &a).await;
        scim.identity(&b, &b).await;
        let operations = json!([{"op": "replace", "path": "id", "value": to}]);
        let (first, second) = tokio::join!(scim.patch(&a, &operations), scim.patch(&b, &operations));
        let mut both = [first.status.as_u16(), second.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [204, 412]);
    }
    pool.close().await;
}

#[sqlx::test]
async fn two_scopes_may_change_one_user_at_once(pool: PgPool) {
    let pool = wide(&pool).await;
    let group = Scim::of_group(pool.clone()).await;
    group.given.scim_token(ScimScope::Instance, "TI").await;
    let app = crate::support::TestApp::new(pool.clone());
    let given = app.given();
    let instance = Scim { app, given, group: group.group, base: "/api/scim/v2/application", token: "TI" };
    let (first, second) = {
        let body = example();
        let (first, second) = tokio::join!(group.post(&body), instance.post(&body));
        (first.status.as_u16(), second.status.as_u16())
    };
    assert_eq!((first, second), (201, 201), "the later one links the user whom the earlier one made");
    let users: i64 = group.given.value("select count(*) from users").await;
    assert_eq!(users, 1);
    for _ in 0..10 {
        let off = json!([{"op": "replace", "path": "active", "value": false}]);
        let on = json!([{"op": "replace", "path": "active", "value": true}]);
        let (first, second) = tokio::join!(group.patch("test_uid", &off), instance.patch("test_uid", &off));
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (204, 204));
        assert_eq!((group.level("username").await, group.state("username").await.as_str()), (None, "ldap_blocked"));
        let (first, second) = tokio::join!(group.patch("test_uid", &on), instance.patch("test_uid", &on));
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (204, 204));
        assert_eq!((group.level("username").await, group.state("username").await.as_str()), (Some(30), "active"));
    }
    pool.close().await;
}
