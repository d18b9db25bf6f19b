//! `/namespaces/:id/gitlab_subscription`: what is made of a subscription, and what is said of it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::World;
use crate::support::Reply;

const S: &str = "/namespaces/1234/gitlab_subscription";
const NO_NAMESPACE: &str = r#"404 {"message":"404 Namespace Not Found"}"#;

async fn post(world: &World, parameters: &str) -> Reply {
    world.call("POST", &format!("{S}?{parameters}")).await
}

async fn put(world: &World, parameters: &str) -> Reply {
    world.call("PUT", &format!("{S}?{parameters}")).await
}

/// The contract's P80: 80 seats of premium for a year, two more in use.
async fn p80(world: &World, changes: &str) {
    let changes =
        if changes.is_empty() { String::new() } else { format!("update gitlab_subscriptions set {changes};") };
    world
        .given()
        .sql(&format!(
            "insert into gitlab_subscriptions (
               namespace_id, hosted_plan_id, start_date, end_date, seats, seats_in_use, max_seats_used, seats_owed,
               max_seats_used_changed_at, created_at, updated_at
             )
             select 1234, id, '2020-07-15', '2021-07-15', 80, 82, 82, 2, '2021-01-10', '2020-07-15', '2021-01-10'
             from plans
             where name = 'premium';
             {changes}"
        ))
        .await;
}

/// In the subscription, in use, most, owed.
fn usage(reply: &Reply) -> [i64; 4] {
    let usage = &reply.json()["usage"];
    ["seats_in_subscription", "seats_in_use", "max_seats_used", "seats_owed"]
        .map(|name| usage[name].as_i64().unwrap_or_else(|| panic!("{}", reply.line())))
}

async fn stored<T>(world: &World, column: &str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    world.given().value(&format!("select {column} from gitlab_subscriptions where namespace_id = 1234")).await
}

async fn histories(world: &World) -> i64 {
    world.count("gitlab_subscription_histories").await
}

/// provisioning-14
#[sqlx::test]
async fn a_namespace_without_a_subscription_has_nothing_in_every_place(pool: PgPool) {
    let world = World::new(pool).await;
    let expected = r#"{"plan":{"code":null,"name":null,"trial":null,"auto_renew":null,"upgradable":null,"exclude_guests":null},"usage":{"seats_in_subscription":null,"seats_in_use":null,"max_seats_used":null,"seats_owed":null},"billing":{"subscription_start_date":null,"subscription_end_date":null,"trial_ends_on":null}}"#;
    assert_eq!(world.call("GET", S).await.line(), format!("200 {expected}"));
    assert_eq!(world.count("gitlab_subscriptions").await, 0, "looking makes nothing");
}

/// provisioning-15
#[sqlx::test]
async fn what_does_not_exist_cannot_be_changed(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(put(&world, "seats=5").await.line(), r#"404 {"message":"404 GitlabSubscription Not Found"}"#);
    // What is missing comes before what is wrong in the record.
    assert_eq!(put(&world, "seats=").await.status, 404);
}

/// provisioning-16
#[sqlx::test]
async fn only_groups_and_personal_namespaces_are_found(pool: PgPool) {
    let world = World::new(pool).await;
    for id in ["999999", "900", "a-ns%2Fproject", "no-such", "-5", "99999999999999999999", "%00", "%ff", "a-ns%2F"] {
        for (method, parameters) in [("POST", "?start_date=2020-07-15"), ("PUT", "?seats=1"), ("GET", "")] {
            let reply = world.call(method, &format!("/namespaces/{id}/gitlab_subscription{parameters}")).await;
            assert_eq!(reply.line(), NO_NAMESPACE, "{method} {id}");
        }
    }
    for id in ["1234", "a-ns", "A-NS", "22", "owners-own"] {
        assert_eq!(world.call("GET", &format!("/namespaces/{id}/gitlab_subscription")).await.status, 200, "{id}");
    }
}

/// provisioning-17
#[sqlx::test]
async fn a_start_must_be_named(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.json("POST", S, json!({})).await.line(), r#"400 {"error":"start_date is missing"}"#);
    let all = world.json("POST", S, json!({ "end_date": "foo", "seats": "1.5", "auto_renew": [] })).await;
    assert_eq!(
        all.line(),
        r#"400 {"error":"start_date is missing, end_date is invalid, seats is invalid, auto_renew is invalid"}"#
    );
}

/// provisioning-19
#[sqlx::test]
async fn what_is_named_and_blank_is_said_of_the_record(pool: PgPool) {
    let world = World::new(pool).await;
    let blank = r#"400 {"message":{"seats":["can't be blank"],"start_date":["can't be blank"]}}"#;
    assert_eq!(world.json("POST", S, json!({ "start_date": null, "seats": null })).await.line(), blank);
    assert_eq!(post(&world, "start_date=&seats=").await.line(), blank);
    p80(&world, "").await;
    assert_eq!(world.json("PUT", S, json!({ "start_date": null, "seats": null })).await.line(), blank);
    assert_eq!(histories(&world).await, 0);
}

/// provisioning-20
#[sqlx::test]
async fn a_subscription_is_made(pool: PgPool) {
    let world = World::new(pool).await;
    let made = post(&world, "start_date=2020-07-15&plan_code=premium&seats=10").await;
    // The name is the plan's title as the row has it (ruling 4).
    let expected = r#"{"plan":{"code":"premium","name":"premium","trial":false,"auto_renew":null,"upgradable":true,"exclude_guests":false},"usage":{"seats_in_subscription":10,"seats_in_use":0,"max_seats_used":0,"seats_owed":0},"billing":{"subscription_start_date":"2020-07-15","subscription_end_date":null,"trial_ends_on":null}}"#;
    assert_eq!(made.line(), format!("201 {expected}"));
    assert_eq!(world.call("GET", S).await.line(), format!("200 {expected}"));
    assert_eq!(histories(&world).await, 0);
    world.given().sql("update plans set title = 'Premium'").await;
    assert_eq!(world.call("GET", S).await.json()["plan"]["name"], "Premium");
}

/// provisioning-21
#[sqlx::test]
async fn the_documentations_name_of_the_plan_works(pool: PgPool) {
    let world = World::new(pool).await;
    let made = post(&world, "start_date=2020-07-15&plan=premium&seats=10").await;
    assert_eq!((&made.json()["plan"]["code"], usage(&made)), (&json!("premium"), [10, 0, 0, 0]));
    // Where both are there, the true one counts.
    assert_eq!(put(&world, "plan=gold&plan_code=bronze").await.json()["plan"]["code"], "bronze");
    let cleared = world.json("PUT", S, json!({ "plan": "gold", "plan_code": null })).await;
    assert_eq!(cleared.json()["plan"]["code"], "free");
}

/// provisioning-22
#[sqlx::test]
async fn an_unknown_plan_is_none(pool: PgPool) {
    let world = World::new(pool).await;
    let made = post(&world, "start_date=2020-07-15&plan_code=Premium&seats=10").await;
    let json = made.json();
    assert_eq!((made.status.as_u16(), &json["plan"]["code"], &json["plan"]["name"]), (201, &Value::Null, &Value::Null));
    assert_eq!((&json["plan"]["upgradable"], usage(&made)), (&json!(false), [10, 1, 0, 0]));
    for plan in ["", "%22premium%22", "premium%20"] {
        assert_eq!(put(&world, &format!("plan_code={plan}")).await.json()["plan"]["code"], Value::Null, "{plan}");
    }
}

/// provisioning-23
#[sqlx::test]
async fn null_is_the_free_plan(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("POST", S, json!({ "start_date": "2020-07-15", "plan_code": null })).await;
    assert_eq!((made.status.as_u16(), &made.json()["plan"]["code"]), (201, &json!("free")));
    assert_eq!(made.json()["usage"]["seats_in_subscription"], 0);
}

/// provisioning-25
#[sqlx::test]
async fn dates_come_in_many_ways(pool: PgPool) {
    let world = World::new(pool).await;
    for (text, day) in [
        ("13 Jun 2021", "2021-06-13"),
        ("01/02/2018", "2018-02-01"),
        ("2020-07-15T23:00:00-08:00", "2020-07-15"),
        ("\"2020-07-15\"", "2020-07-15"),
    ] {
        let made = world.json("POST", S, json!({ "start_date": text })).await;
        assert_eq!(
            (made.status.as_u16(), &made.json()["billing"]["subscription_start_date"]),
            (201, &json!(day)),
            "{text}"
        );
        world.given().sql("delete from gitlab_subscriptions").await;
    }
    assert_eq!(post(&world, "start_date=13+Jun+2021").await.json()["billing"]["subscription_start_date"], "2021-06-13");
}

/// provisioning-26
#[sqlx::test]
async fn a_date_is_never_guessed(pool: PgPool) {
    let world = World::new(pool).await;
    for value in [json!("2021-02-30"), json!("07/15/2020"), json!("Monday"), json!("15"), json!(20_200_715)] {
        let refused = world.json("POST", S, json!({ "start_date": value })).await;
        assert_eq!(refused.line(), r#"400 {"error":"start_date is invalid"}"#, "{value}");
    }
}

/// provisioning-27
#[sqlx::test]
async fn a_number_that_no_column_holds_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let refused = post(&world, "start_date=2020-07-15&seats=99999999999").await;
    assert_eq!(refused.line(), r#"400 {"error":"seats is invalid"}"#);
    let refused = post(&world, "start_date=2020-07-15&trial_extension_type=3").await;
    assert_eq!(refused.line(), r#"400 {"error":"trial_extension_type is invalid"}"#);
    assert_eq!(post(&world, "start_date=2020-07-15&seats=-1&trial_extension_type=2").await.status, 201);
    assert_eq!(stored::<i16>(&world, "trial_extension_type").await, 2);
}

/// provisioning-28
#[sqlx::test]
async fn truth_comes_in_many_words(pool: PgPool) {
    let world = World::new(pool).await;
    let refused = post(&world, "start_date=2020-07-15&trial=maybe").await;
    assert_eq!(refused.line(), r#"400 {"error":"trial is invalid"}"#);
    let made = post(&world, "start_date=2020-07-15&auto_renew=on&trial=no").await;
    let plan = &made.json()["plan"];
    assert_eq!((made.status.as_u16(), &plan["auto_renew"], &plan["trial"]), (201, &json!(true), &json!(false)));
}

/// provisioning-29
#[sqlx::test]
async fn a_trial_starts_with_its_subscription(pool: PgPool) {
    let world = World::new(pool).await;
    let made = post(&world, "start_date=2021-06-01&plan_code=ultimate_trial&trial=true&trial_ends_on=2021-07-01").await;
    let json = made.json();
    assert_eq!(
        (made.status.as_u16(), &json["plan"]["trial"], &json["plan"]["upgradable"]),
        (201, &json!(true), &json!(false))
    );
    assert_eq!(json["billing"]["trial_ends_on"], "2021-07-01");
    assert_eq!(stored::<String>(&world, "trial_starts_on::text").await, "2021-06-01");
}

/// provisioning-31
#[sqlx::test]
async fn a_subgroup_may_subscribe(pool: PgPool) {
    let world = World::new(pool).await;
    let path = "/namespaces/a-ns%2Fsub/gitlab_subscription";
    let made = world.call("POST", &format!("{path}?start_date=2020-07-15&plan_code=ultimate&seats=1")).await;
    // The root's plan says whether guests take seats, and the root has none.
    assert_eq!((made.status.as_u16(), &made.json()["plan"]["exclude_guests"]), (201, &json!(false)));
    assert_eq!(world.count("gitlab_subscriptions where namespace_id = 1300").await, 1);
    let personal = world.call("POST", "/namespaces/22/gitlab_subscription?start_date=2020-07-15&plan_code=gold").await;
    assert_eq!((&personal.json()["plan"]["exclude_guests"], usage(&personal)), (&json!(false), [0, 1, 0, 0]));
}

/// provisioning-32
#[sqlx::test]
async fn a_change_keeps_what_was_in_the_history(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "").await;
    let changed = put(&world, "max_seats_used=0").await;
    assert_eq!((changed.status.as_u16(), usage(&changed)), (200, [80, 82, 0, 2]));
    let history: (i32, i16, DateTime<Utc>, DateTime<Utc>) = sqlx::query_as(
        "select history.max_seats_used, change_type, gitlab_subscription_created_at, gitlab_subscription_updated_at
         from gitlab_subscription_histories as history
         join gitlab_subscriptions on gitlab_subscriptions.id = gitlab_subscription_id",
    )
    .fetch_one(&world.app.pool)
    .await
    .unwrap();
    let day = |text: &str| format!("{text}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
    assert_eq!(history, (82, 1, day("2020-07-15"), day("2021-01-10")));
    assert_eq!(stored::<DateTime<Utc>>(&world, "max_seats_used_changed_at").await, world.app.clock.now());
    // The example's answer, which nobody counted anew, stays.
    assert_eq!(world.call("GET", S).await.text, changed.text);
}

/// provisioning-33
#[sqlx::test]
async fn a_repetition_leaves_no_history(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "").await;
    assert_eq!(usage(&put(&world, "seats=80").await), [80, 82, 82, 2]);
    assert_eq!((histories(&world).await, world.count("provisioning_ledger_entries").await), (0, 0));
    assert_eq!(stored::<DateTime<Utc>>(&world, "updated_at").await, world.app.clock.now());
}

/// provisioning-34
#[sqlx::test]
async fn more_seats_do_not_settle_what_is_owed(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "").await;
    assert_eq!(usage(&put(&world, "seats=100").await), [100, 82, 82, 2]);
    assert_eq!(histories(&world).await, 1);
}

/// provisioning-35
#[sqlx::test]
async fn a_new_term_counts_anew(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "").await;
    let renewed = put(&world, "start_date=2021-07-15&end_date=2022-07-15&max_seats_used=50").await;
    assert_eq!(usage(&renewed), [80, 1, 1, 0]);
    let history: (i32, String, String) =
        sqlx::query_as("select max_seats_used, start_date::text, end_date::text from gitlab_subscription_histories")
            .fetch_one(&world.app.pool)
            .await
            .unwrap();
    assert_eq!(history, (82, "2020-07-15".to_owned(), "2021-07-15".to_owned()));
}

/// provisioning-37, and its neighbour with a date
#[sqlx::test]
async fn a_start_after_the_last_count_counts_anew(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "max_seats_used_changed_at = null").await;
    assert_eq!(usage(&put(&world, "start_date=2021-02-01").await), [80, 82, 82, 2]);
    world.given().sql("delete from gitlab_subscriptions").await;
    p80(&world, "").await;
    assert_eq!(usage(&put(&world, "start_date=2021-02-01").await), [80, 1, 1, 0]);
}

/// provisioning-38
#[sqlx::test]
async fn a_subscription_without_an_end_is_renewed_by_new_dates(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "end_date = null, max_seats_used_changed_at = null").await;
    assert_eq!(usage(&put(&world, "start_date=2021-01-01&end_date=2022-01-01").await), [80, 1, 1, 0]);
}

/// provisioning-39
#[sqlx::test]
async fn a_trial_that_is_bought_is_counted_anew(pool: PgPool) {
    let world = World::new(pool).await;
    p80(
        &world,
        "hosted_plan_id = (select id from plans where name = 'ultimate_trial'), trial = true, seats = 0,
         max_seats_used = 0, seats_in_use = 0, seats_owed = 0, max_seats_used_changed_at = null",
    )
    .await;
    let bought = put(&world, "trial=false&plan_code=premium&seats=5").await;
    assert_eq!((usage(&bought), &bought.json()["plan"]["code"]), ([5, 1, 1, 0], &json!("premium")));
}

/// provisioning-40
#[sqlx::test]
async fn null_clears_and_what_is_left_out_stays(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "").await;
    let changed = world.json("PUT", S, json!({ "end_date": null, "auto_renew": true })).await;
    let json = changed.json();
    assert_eq!((&json["billing"]["subscription_end_date"], &json["plan"]["auto_renew"]), (&Value::Null, &json!(true)));
    assert_eq!(usage(&changed), [80, 82, 82, 2]);
    let cleared = world.form("PUT", S, "max_seats_used=&auto_renew=").await.json();
    assert_eq!((&cleared["plan"]["auto_renew"], &cleared["usage"]["max_seats_used"]), (&Value::Null, &Value::Null));
    // A trial that becomes nothing has ended, so the seats are counted.
    let ended = world.form("PUT", S, "trial=").await;
    assert_eq!((&ended.json()["plan"]["trial"], usage(&ended)), (&Value::Null, [80, 1, 1, 0]));
}

/// provisioning-41
#[sqlx::test]
async fn a_trial_that_goes_on_keeps_its_start(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "trial_starts_on = '2021-05-05'").await;
    assert_eq!(put(&world, "trial=true").await.status, 200);
    assert_eq!(stored::<String>(&world, "trial_starts_on::text").await, "2021-05-05");
    assert_eq!(put(&world, "trial=true&start_date=2021-05-20").await.status, 200);
    assert_eq!(stored::<String>(&world, "trial_starts_on::text").await, "2021-05-20");
}

/// provisioning-43
#[sqlx::test]
async fn guests_take_no_seat_of_the_highest_plans(pool: PgPool) {
    let world = World::new(pool).await;
    for (plan, upgradable, exclude_guests) in
        [("ultimate", false, true), ("gold", false, true), ("opensource", false, false), ("premium", true, false)]
    {
        p80(&world, &format!("hosted_plan_id = (select id from plans where name = '{plan}')")).await;
        let json = world.call("GET", S).await.json();
        let expected = (&json!(upgradable), &json!(exclude_guests));
        assert_eq!((&json["plan"]["upgradable"], &json["plan"]["exclude_guests"]), expected, "{plan}");
        world.given().sql("delete from gitlab_subscriptions").await;
    }
    p80(&world, "end_date = '2021-05-31'").await;
    assert_eq!(world.call("GET", S).await.json()["plan"]["upgradable"], false, "it has ended");
}

/// provisioning-85
#[sqlx::test]
async fn of_racing_subscriptions_one_is_made(pool: PgPool) {
    let world = World::new(pool).await;
    let posts = (0..32).map(|seats| post_seats(&world, seats));
    let replies = futures_util::future::join_all(posts).await;
    let taken = r#"400 {"message":{"namespace_id":["has already been taken"]}}"#;
    let made: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert_eq!((made.len(), replies.iter().filter(|reply| reply.line() == taken).count()), (1, 31));
    assert_eq!(world.call("GET", S).await.text, made[0].text);
    assert_eq!(world.count("provisioning_ledger_entries").await, 1);
}

/// Each history row shows what was right before its own change.
#[sqlx::test]
async fn racing_changes_stand_in_a_row(pool: PgPool) {
    let world = World::new(pool).await;
    p80(&world, "").await;
    let changes = (1..=32).map(|seats| put_seats(&world, seats));
    for reply in futures_util::future::join_all(changes).await {
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    let last: i32 = stored(&world, "seats").await;
    let mut seen: Vec<i32> = sqlx::query_scalar("select seats from gitlab_subscription_histories order by id")
        .fetch_all(&world.app.pool)
        .await
        .unwrap();
    assert_eq!(seen[0], 80);
    seen.push(last);
    let ledger: Vec<(i32, i32)> = sqlx::query_as(
        "select (state_before ->> 'seats')::int, (state_after ->> 'seats')::int
         from provisioning_ledger_entries order by id",
    )
    .fetch_all(&world.app.pool)
    .await
    .unwrap();
    let steps: Vec<(i32, i32)> = seen.windows(2).map(|step| (step[0], step[1])).collect();
    assert_eq!(ledger, steps);
    seen.remove(0);
    seen.sort_unstable();
    assert_eq!(seen, (1..=32).collect::<Vec<_>>());
}

async fn post_seats(world: &World, seats: i32) -> Reply {
    post(world, &format!("start_date=2020-07-15&seats={seats}")).await
}

async fn put_seats(world: &World, seats: i32) -> Reply {
    put(world, &format!("seats={seats}")).await
}

#[sqlx::test]
async fn the_ledger_says_who_changed_what(pool: PgPool) {
    let world = World::new(pool).await;
    let request = World::bare("POST", &format!("{S}?start_date=2020-07-15&plan_code=premium&seats=10"));
    let request = request.header("private-token", &world.token).header("x-request-id", "order-1");
    assert_eq!(world.app.send(request.body(axum::body::Body::empty()).unwrap()).await.status, 201);
    let row: (String, i64, String, String, Option<Value>, Value, i64) = sqlx::query_as(
        "select author_type, author_id, author_name, request_id, state_before, state_after, namespace_id
         from provisioning_ledger_entries",
    )
    .fetch_one(&world.app.pool)
    .await
    .unwrap();
    let (author, id, name, request, before, after, namespace) = row;
    assert_eq!(
        (author.as_str(), id, name.as_str(), request.as_str()),
        ("administrator", world.admin.0, "root", "order-1")
    );
    assert_eq!((before, &after["seats"], &after["plan_code"], namespace), (None, &json!(10), &json!("premium"), 1234));
    // It takes new rows alone.
    for statement in [
        "update provisioning_ledger_entries set author_name = 'nobody'",
        "delete from provisioning_ledger_entries",
        "truncate provisioning_ledger_entries",
    ] {
        let refused = sqlx::query(statement).execute(&world.app.pool).await.unwrap_err().to_string();
        assert!(refused.contains("takes new rows alone"), "{statement}: {refused}");
    }
}

/// The namespace may go away while somebody subscribes: the subscription goes with it, or is not made.
#[sqlx::test]
async fn a_namespace_that_goes_away_takes_its_subscription_along(pool: PgPool) {
    let world = World::new(pool).await;
    for round in 0..10 {
        world
            .given()
            .sql("insert into namespaces (id, name, path, type, traversal_ids) values (50, 'x', 'x', 'Group', '{50}')")
            .await;
        let remove = world.given();
        let (reply, ()) = tokio::join!(
            world.call("POST", "/namespaces/50/gitlab_subscription?start_date=2020-07-15"),
            remove.sql("delete from namespaces where id = 50")
        );
        assert!([201, 404].contains(&reply.status.as_u16()), "{round}: {}", reply.line());
        assert_eq!(world.count("gitlab_subscriptions where namespace_id = 50").await, 0);
    }
}

#[sqlx::test]
async fn bodies_of_other_types_are_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let send = async |media: &str, body: &str| {
        let request = World::bare("POST", S).header("private-token", &world.token).header("content-type", media);
        world.app.send(request.body(axum::body::Body::from(body.to_owned())).unwrap()).await.line()
    };
    assert_eq!(
        send("text/plain", "start_date=2020-07-15").await,
        r#"415 {"error":"The provided content-type 'text/plain' is not supported."}"#
    );
    assert!(send("application/json", "{start").await.contains("message body does not match declared format"));
    assert_eq!(send("application/json", "[]").await, r#"400 {"error":"start_date is missing"}"#);
}
