//! What kas counts: every shape that a report has had, nothing counted of a bad one, and nothing lost or doubled.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use chrono::NaiveDate;
use gatehouse::background::kas_usage_batcher::KasUsageBatcher;
use gatehouse::domain::kas_usage::{UsagePeriod, UsageReport};
use gatehouse::store::kas_usage;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::story::Story;
use crate::support::{Installation, Wire};

const PATH: &str = "/usage_metrics";
const TOTALS: &str = "select coalesce(string_agg(name || ' ' || total, ', ' order by name), '') from (
                        select name, sum(total) as total from kas_counters group by name
                      ) as totals";

async fn weekly_ids(story: &Story) -> i64 {
    story.number("select count(*) from kas_unique_ids where period like '____-W__'").await
}

/// kas-15, kas-16
#[sqlx::test]
async fn counters_add_up_and_ids_are_counted_once(pool: PgPool) {
    let story = Story::new(pool).await;
    let report = json!({
        "counters": { "k8s_api_proxy_request": 5 },
        "unique_counters": { "k8s_api_proxy_requests_unique_users_via_ci_access": [10, 10, 11] },
    });
    assert_eq!(story.kas(PATH, &report).await.line(), "204 ");
    assert_eq!(story.text(TOTALS).await, "k8s_api_proxy_request 5");
    assert_eq!(weekly_ids(&story).await, 2);
    assert_eq!(story.kas(PATH, &report).await.line(), "204 ");
    assert_eq!(story.text(TOTALS).await, "k8s_api_proxy_request 10");
    assert_eq!(weekly_ids(&story).await, 2);
}

/// kas-17
#[sqlx::test]
async fn the_oldest_kas_counts_at_the_top_level(pool: PgPool) {
    let story = Story::new(pool).await;
    let report = json!({ "gitops_sync_count": 1, "k8s_api_proxy_request_count": 2 });
    assert_eq!(story.kas(PATH, &report).await.status, 204);
    assert_eq!(story.text(TOTALS).await, "gitops_sync 1, k8s_api_proxy_request 2");
}

/// The same as query and as form; and a report in two shapes at once counts both.
#[sqlx::test]
async fn reports_come_in_every_encoding(pool: PgPool) {
    let story = Story::new(pool).await;
    assert_eq!(story.kas(&format!("{PATH}/?gitops_sync_count=1"), &json!({})).await.status, 204);
    let form =
        Body::from("counters[gitops_sync]=2&gitops_sync_count=4&unique_counters[agent_users_using_ci_tunnel][]=7");
    let mut request = story.request("POST", PATH).body(form).unwrap();
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    assert_eq!(story.send(request).await.line(), "204 ");
    assert_eq!(story.text(TOTALS).await, "gitops_sync 7");
    assert_eq!(weekly_ids(&story).await, 1);
}

/// Every name that any version of kas has sent.
#[sqlx::test]
async fn every_name_of_every_version_is_counted(pool: PgPool) {
    use gatehouse::domain::kas_usage::{COUNTERS, UNIQUE_COUNTERS};
    let story = Story::new(pool).await;
    let report = json!({
        "counters": COUNTERS.map(|name| (name, 1)).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "unique_counters":
            UNIQUE_COUNTERS.map(|name| (name, [1])).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    });
    assert_eq!(story.kas(PATH, &report).await.status, 204);
    assert_eq!(story.number("select count(distinct name) from kas_counters where total = 1").await, 6);
    assert_eq!(weekly_ids(&story).await, 8);
}

/// kas-19, kas-20, kas-22
#[sqlx::test]
async fn a_bad_report_counts_nothing(pool: PgPool) {
    let story = Story::new(pool).await;
    let good = json!({ "gitops_sync": 3 });
    let with = |name: &str, value: Value| {
        let mut counters = good.clone();
        counters[name] = value;
        json!({ "counters": counters })
    };
    let unique = |value: Value| json!({ "counters": good, "unique_counters": { "flux_git_push_notified_unique_projects": value } });
    let negative =
        r#"400 {"message":"400 Bad request - k8s_api_proxy_request count must be greater than or equal to zero"}"#;
    let counter = r#"400 {"error":"counters[k8s_api_proxy_request] is invalid"}"#;
    let ids = r#"400 {"error":"unique_counters[flux_git_push_notified_unique_projects] is invalid"}"#;
    let cases = [
        (with("k8s_api_proxy_request", json!(-1)), negative),
        (json!({ "gitops_sync_count": 1, "k8s_api_proxy_request_count": "-2" }), negative),
        (with("k8s_api_proxy_request", json!("string")), counter),
        (with("k8s_api_proxy_request", json!([5])), counter),
        (with("k8s_api_proxy_request", json!(1e300)), counter),
        (with("k8s_api_proxy_request", json!("99999999999999999999")), counter),
        (unique(json!(1)), ids),
        (unique(json!(["a"])), ids),
        (unique(json!([1, null])), ids),
        (unique(json!({ "1": 2 })), ids),
        (json!({ "counters": 5, "gitops_sync_count": 1 }), r#"400 {"error":"counters is invalid"}"#),
        (json!({ "unique_counters": [1], "counters": good }), r#"400 {"error":"unique_counters is invalid"}"#),
        (json!({ "gitops_sync_count": {}, "counters": good }), r#"400 {"error":"gitops_sync_count is invalid"}"#),
    ];
    for (report, refusal) in cases {
        assert_eq!(story.kas(PATH, &report).await.line(), refusal, "{report}");
        assert_eq!(story.text(TOTALS).await, "", "{report}");
    }
    assert_eq!(story.number("select count(*) from kas_unique_ids").await, 0);
}

/// kas-21
#[sqlx::test]
async fn counts_may_be_texts_and_fractions_are_cut(pool: PgPool) {
    let story = Story::new(pool).await;
    for count in [json!("5"), json!(5.9), json!(9_223_372_036_854_775_807_i64), json!(9_223_372_036_854_775_807_i64)] {
        assert_eq!(story.kas(PATH, &json!({ "counters": { "k8s_api_proxy_request": count } })).await.status, 204);
    }
    // Past what a bigint holds, the sum is exact still.
    assert_eq!(story.text(TOTALS).await, "k8s_api_proxy_request 18446744073709551624");
    let read = kas_usage::list_totals(&story.app.pool, None).await.unwrap();
    assert_eq!(read, [("k8s_api_proxy_request".to_owned(), i64::MAX)]);
}

/// kas-23
#[sqlx::test]
async fn what_is_unknown_or_nothing_is_passed_over(pool: PgPool) {
    let story = Story::new(pool).await;
    let reports = [
        json!({ "counters": { "nope": 1 }, "x": 2 }),
        json!({}),
        json!({ "counters": { "k8s_api_proxy_request": 0 } }),
        json!({ "counters": null }),
        json!({ "counters": { "k8s_api_proxy_request": null, "nope": "text" }, "unique_counters": null }),
        json!({ "unique_counters": { "agent_users_using_ci_tunnel": [], "nope": "text" } }),
        json!({ "unique_counters": { "agent_users_using_ci_tunnel": null } }),
    ];
    for report in reports {
        assert_eq!(story.kas(PATH, &report).await.line(), "204 ", "{report}");
    }
    let empty = story.request("POST", PATH).body(Body::empty()).unwrap();
    assert_eq!(story.send(empty).await.line(), "204 ");
    assert_eq!(story.number("select count(*) from kas_counters").await, 0);
    assert_eq!(story.number("select count(*) from kas_unique_ids").await, 0);
}

/// kas-25
#[sqlx::test]
async fn a_body_that_cannot_be_read_is_refused_whoever_sends_it(pool: PgPool) {
    let story = Story::new(pool).await;
    let bare = || story.app.bare("POST", "/kubernetes/usage_metrics");
    let bad = bare().header("content-type", "application/json").body(Body::from("{bad")).unwrap();
    let reply = story.send(bad).await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"].is_string(), "{}", reply.text);
    let text = bare().header("content-type", "text/plain").body(Body::from("x")).unwrap();
    assert_eq!(
        story.send(text).await.line(),
        r#"415 {"error":"The provided content-type 'text/plain' is not supported."}"#
    );
    let good = bare().header("content-type", "application/json").body(Body::from("{}")).unwrap();
    assert_eq!(story.send(good).await.line(), r#"401 {"message":"KAS JWT authentication invalid"}"#);
}

/// A list may be long, and has an end.
#[sqlx::test]
async fn lists_of_ids_are_bounded(pool: PgPool) {
    let story = Story::with(pool, "gatehouse: {limits: {body_bytes: 4000000}}").await;
    let ids =
        |count: usize| json!({ "unique_counters": { "agent_users_using_ci_tunnel": (1..=count).collect::<Vec<_>>() } });
    assert_eq!(story.kas(PATH, &ids(100_000)).await.status, 204);
    assert_eq!(weekly_ids(&story).await, 100_000);
    let reply = story.kas(PATH, &ids(100_001)).await;
    assert_eq!(
        reply.line(),
        r#"400 {"error":"unique_counters[agent_users_using_ci_tunnel] is too long (maximum is 100000)"}"#
    );
}

/// An id counts once a week, and once a month, and again in the next ones.
#[sqlx::test]
async fn ids_are_counted_by_week_and_by_month(pool: PgPool) {
    let usage = KasUsageBatcher::over(pool.clone());
    let name = "agent_users_using_ci_tunnel";
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    // A Monday, the Sunday after it, the next Monday, and the day after that, which begins a month.
    for (on, ids) in [("2027-02-22", [1, 2]), ("2027-02-28", [2, 3]), ("2027-02-22", [4, 4]), ("2027-03-01", [1, 9])] {
        let report = UsageReport { counts: vec![("gitops_sync", 10)], unique: vec![(name, ids.to_vec())] };
        usage.add(report, day(on)).await.unwrap();
    }
    let unique =
        async |period: UsagePeriod| kas_usage::list_unique(&pool, period).await.unwrap().first().map(|(_, ids)| *ids);
    assert_eq!(unique(UsagePeriod::parse_week("2027-08").unwrap()).await, Some(4));
    assert_eq!(unique(UsagePeriod::parse_week("2027-09").unwrap()).await, Some(2));
    assert_eq!(unique(UsagePeriod::parse_month("2027-02").unwrap()).await, Some(4));
    assert_eq!(unique(UsagePeriod::parse_month("2027-03").unwrap()).await, Some(2));
    assert_eq!(unique(UsagePeriod::parse_month("2027-04").unwrap()).await, None);
    let total = async |days| kas_usage::list_totals(&pool, days).await.unwrap().first().map_or(0, |(_, total)| *total);
    assert_eq!(total(None).await, 40);
    assert_eq!(total(Some(UsagePeriod::parse_week("2027-08").unwrap().days())).await, 30);
    assert_eq!(total(Some(UsagePeriod::parse_month("2027-03").unwrap().days())).await, 10);
}

/// 32 tasks at once, on counters and ids that they share: nothing is lost, and nothing counts twice.
#[sqlx::test]
async fn reports_at_the_same_moment_all_count(pool: PgPool) {
    let story = Arc::new(Story::new(pool).await);
    let mut tasks = JoinSet::new();
    for task in 0..32_i64 {
        let story = Arc::clone(&story);
        tasks.spawn(async move {
            for round in 0..20_i64 {
                let report = json!({
                    "counters": { "k8s_api_proxy_request": 3, "gitops_sync": task },
                    "unique_counters": { "agent_users_using_ci_tunnel": [task, round, 1000 + task * 20 + round] },
                });
                assert_eq!(story.kas(PATH, &report).await.status, 204);
            }
        });
    }
    tasks.join_all().await;
    // 0 to 31 sum up to 496, and the ids are 0 to 31 and 640 above them.
    assert_eq!(story.text(TOTALS).await, format!("gitops_sync {}, k8s_api_proxy_request {}", 496 * 20, 32 * 20 * 3));
    assert_eq!(weekly_ids(&story).await, 32 + 640);
    assert_eq!(story.number("select count(*) from kas_unique_ids").await, 2 * (32 + 640));
}

/// A report that could not be written was not written in part, and kas may send it again.
#[sqlx::test]
async fn a_report_is_written_whole_or_not_at_all(pool: PgPool) {
    let story = Story::new(pool).await;
    story
        .app
        .given()
        .sql(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
             create trigger refuse before insert on kas_unique_ids for each row when (new.entity_id = 13)
             execute function refuse()",
        )
        .await;
    let report = |id: i64| {
        json!({
            "counters": { "gitops_sync": 1 }, "unique_counters": { "agent_users_using_ci_tunnel": [id] },
        })
    };
    assert_eq!(story.kas(PATH, &report(13)).await.status, 500);
    assert_eq!(story.text(TOTALS).await, "");
    // Others who were gathered with it are not its victims.
    let replies = futures(&story, [report(13), report(14), report(13), report(15)]).await;
    assert_eq!(replies, [500, 204, 500, 204]);
    assert_eq!(story.text(TOTALS).await, "gitops_sync 2");
    story.app.given().sql("drop trigger refuse on kas_unique_ids").await;
    assert_eq!(story.kas(PATH, &report(13)).await.status, 204);
    assert_eq!(story.text(TOTALS).await, "gitops_sync 3");
}

async fn futures(story: &Story, reports: [Value; 4]) -> [u16; 4] {
    let [a, b, c, d] = &reports;
    let (a, b, c, d) = tokio::join!(story.kas(PATH, a), story.kas(PATH, b), story.kas(PATH, c), story.kas(PATH, d));
    [a, b, c, d].map(|reply| reply.status.as_u16())
}

/// A database that breaks its connections does not make reports count twice, nor lose one that was taken.
#[sqlx::test]
async fn broken_connections_neither_lose_nor_double(pool: PgPool) {
    let usage = KasUsageBatcher::over(pool.clone());
    let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let report = || UsageReport { counts: vec![("gitops_sync", 1)], unique: vec![] };
    let (mut taken, mut refused) = (0, 0);
    for round in 0..20 {
        if usage.add(report(), day).await.is_ok() {
            taken += 1;
        } else {
            refused += 1;
        }
        if round % 4 == 3 {
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                        where datname = current_database() and pid <> pg_backend_pid() and state = 'idle'";
            sqlx::query(kill).execute(&pool).await.ok();
        }
    }
    // Idle connections that broke are found out before they are used.
    assert_eq!((taken, refused), (20, 0));
    assert_eq!(kas_usage::list_totals(&pool, None).await.unwrap(), [("gitops_sync".to_owned(), 20)]);
}

/// Old days are folded into one row a counter, to the same sums, and ids go when nobody asks for them any more.
#[sqlx::test]
async fn what_is_old_is_tidied_up(pool: PgPool) {
    let sql = "insert into kas_counters values
                 ('gitops_sync', '2026-11-01', 0, 1), ('gitops_sync', '2026-11-01', 3, 2),
                 ('gitops_sync', '2026-11-01', 7, 4), ('gitops_sync', '2026-11-21', 5, 8);
               insert into kas_unique_ids values ('a', '2025-01', 1, '2025-01-05'), ('a', '2026-11', 1, '2026-11-05')";
    sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let mut connection = pool.acquire().await.unwrap();
    kas_usage::tidy(&mut connection, today).await.unwrap();
    let rows: Vec<String> =
        sqlx::query_scalar("select concat_ws(' ', day, shard, total) from kas_counters order by day")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    assert_eq!(rows, ["2026-11-01 0 7", "2026-11-21 5 8"]);
    let left: i64 =
        sqlx::query_scalar("select count(*) from kas_unique_ids").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(left, 1);
    assert_eq!(kas_usage::tidy(&mut connection, today).await.unwrap(), 0);
}

/// An operator sees the figures among the metrics, and by `gatehouse usage`.
#[sqlx::test]
async fn an_operator_sees_what_was_counted(pool: PgPool) {
    let usage = KasUsageBatcher::over(pool.clone());
    let name = "k8s_api_proxy_requests_unique_users_via_ci_access";
    let today = chrono::Utc::now().date_naive();
    for day in [NaiveDate::from_ymd_opt(2026, 11, 16).unwrap(), today] {
        let report = UsageReport { counts: vec![("gitops_sync", 3)], unique: vec![(name, vec![1, 2])] };
        usage.add(report, day).await.unwrap();
    }
    tokio::task::spawn_blocking(move || {
        let served = Installation::new(&pool, "").serve();
        let listens = || Wire::tcp(served.installation.metrics).ok();
        let mut wire = (0..1000).find_map(|_| {
            listens().or_else(|| {
                std::thread::sleep(Duration::from_millis(10));
                None
            })
        });
        let text = wire.as_mut().unwrap().ask("GET", "/-/metrics", "", "").body;
        for line in [
            r#"gatehouse_kas_usage_total{counter="gitops_sync"} 6"#.to_owned(),
            format!(r#"gatehouse_kas_usage_unique{{counter="{name}",period="week"}} 2"#),
            format!(r#"gatehouse_kas_usage_unique{{counter="{name}",period="month"}} 2"#),
            r#"gatehouse_kas_usage_unique{counter="agent_users_using_ci_tunnel",period="week"} 0"#.to_owned(),
        ] {
            assert!(text.contains(&line), "{line} in {text}");
        }
        let run = |arguments: &[&str]| served.installation.run(arguments);
        let all = run(&["usage", "--json"]);
        assert_eq!(serde_json::from_str::<Value>(&all.stdout).unwrap()["counters"]["gitops_sync"], 6, "{all:?}");
        let week = run(&["usage", "--week", "2026-47", "--json"]);
        let week: Value = serde_json::from_str(&week.stdout).unwrap();
        assert_eq!((&week["period"], &week["unique_counters"]["2026-W47"][name]), (&json!("2026-W47"), &json!(2)));
        let month = run(&["usage", "--month", "2026-10"]);
        assert!(month.stdout.contains("gitops_sync") && !month.stdout.contains('3'), "{}", month.stdout);
        let wrong = run(&["usage", "--week", "2026-54"]);
        assert!(wrong.code == 2 && wrong.stderr.contains("a week is written 2026-47"), "{wrong:?}");
        assert_eq!(run(&["usage", "--week", "2026-47", "--month", "2026-11"]).code, 2);
    })
    .await
    .unwrap();
}
