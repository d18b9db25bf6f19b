//! The queue itself: dead servers, dead jobs, and an operator's commands.

use std::process::{Command, Output};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use gatehouse::store::{self, jobs};
use sqlx::PgPool;

use crate::support::TestApp;
use crate::support::pushes::{LEFT, NEW, OLD, WAITING, Working, app_with_queue, database_url, report, until};

/// A push whose job waits.
async fn story(pool: PgPool) -> TestApp {
    let app = app_with_queue(pool).await;
    let given = app.given();
    let project = given.project("g/p").await.developer("rubi").await;
    let rubi = given.user("rubi").await;
    let change = format!("{OLD} {NEW} refs/heads/main\n");
    app.post_receive(report(&format!("project-{}", project.id), &format!("user-{rubi}"), &change)).await;
    app
}

async fn events(app: &TestApp) -> i64 {
    app.given().value("select count(*) from events").await
}

#[sqlx::test]
async fn the_jobs_of_a_server_that_was_killed_are_taken_over(pool: PgPool) {
    let app = story(pool).await;
    // As a server leaves it that was killed while it worked: locked, and no sign of life since.
    app.given()
        .sql(
            "update graphile_worker._private_jobs
             set locked_by = 'graphile_worker_gone', locked_at = now() - interval '1 minute', attempts = 1",
        )
        .await;
    let working = Working::on(&app);
    until(&app, WAITING, 0).await;
    working.drain().await;
    assert_eq!(events(&app).await, 1);
}

#[sqlx::test]
async fn a_job_that_runs_twice_does_everything_once(pool: PgPool) {
    let app = story(pool).await;
    app.given()
        .sql("select graphile_worker.add_job('post_receive', (select payload from graphile_worker._private_jobs))")
        .await;
    let working = Working::on(&app);
    until(&app, WAITING, 0).await;
    working.drain().await;
    assert_eq!(events(&app).await, 1);
}

#[sqlx::test]
async fn a_job_that_fails_is_tried_again_and_keeps_its_error_when_it_is_dead(pool: PgPool) {
    let app = story(pool).await;
    let given = app.given();
    given.sql("alter table events add constraint broken check (action <> 5)").await;
    let working = Working::on(&app);
    until(&app, "select count(*) from graphile_worker.jobs where locked_at is null and attempts = 1", 1).await;
    let pause: f64 =
        given.value("select extract(epoch from run_at - updated_at)::double precision from graphile_worker.jobs").await;
    assert!((1.5..4.0).contains(&pause), "{pause}");
    given.sql("update graphile_worker._private_jobs set max_attempts = 2").await;
    until(&app, "select count(*) from graphile_worker.jobs where attempts = 2 and locked_at is null", 1).await;
    let mut connection = app.pool.acquire().await.unwrap();
    let dead = jobs::list(&mut *connection, Some("dead"), 10).await.unwrap();
    assert!(dead[0].last_error.as_ref().unwrap().contains("broken"), "{dead:?}");
    let facts = jobs::find_queue_facts(&mut *connection).await.unwrap();
    assert_eq!((facts.ready, facts.running, facts.dead), (0, 0, 1));

    given.sql("alter table events drop constraint broken").await;
    jobs::retry(&mut connection, &[dead[0].id]).await.unwrap();
    drop(connection);
    until(&app, LEFT, 0).await;
    working.drain().await;
    assert_eq!(events(&app).await, 1);
}

#[sqlx::test]
async fn the_age_of_the_oldest_job_is_known(pool: PgPool) {
    let app = story(pool).await;
    app.given().sql("update graphile_worker._private_jobs set run_at = now() - interval '90 seconds'").await;
    let facts = jobs::find_queue_facts(&app.pool).await.unwrap();
    assert_eq!((facts.ready, facts.retrying), (1, 0));
    assert!((89.0..100.0).contains(&facts.oldest_seconds), "{facts:?}");
}

#[sqlx::test]
async fn dead_jobs_are_forgotten_in_the_end(pool: PgPool) {
    let app = story(pool).await;
    app.given().sql("update graphile_worker._private_jobs set attempts = max_attempts").await;
    assert_eq!(jobs::delete_dead(&app.pool, Utc::now() - TimeDelta::days(1)).await.unwrap(), 0);
    assert_eq!(jobs::delete_dead(&app.pool, Utc::now() + TimeDelta::days(1)).await.unwrap(), 1);
}

#[sqlx::test]
async fn a_repeated_report_is_recognised_for_ten_minutes(pool: PgPool) {
    let app = story(pool).await;
    let working = Working::on(&app);
    until(&app, WAITING, 0).await;
    working.drain().await;
    let now = app.clock.now();
    let delete = async |after: i64| {
        store::received_pushes::delete_processed(&app.pool, now + TimeDelta::seconds(after)).await.unwrap()
    };
    assert_eq!(delete(599).await, 0);
    assert_eq!(delete(600).await, 1);
}

#[sqlx::test]
async fn an_operator_lists_retries_and_drops(pool: PgPool) {
    let app = story(pool).await;
    let url = database_url(&app).await;
    let run = |arguments: &[&str]| -> Output {
        Command::new(env!("CARGO_BIN_EXE_gatehouse"))
            .arg("jobs")
            .args(arguments)
            .env("DATABASE_URL", &url)
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap()
    };
    let text = |output: &Output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let id: i64 = app.given().value("select id from graphile_worker.jobs").await;
    let listed = text(&run(&["list"]));
    assert!(listed.starts_with(&format!("{id}\twaiting\tpost_receive\t0/25\t")), "{listed}");
    assert_eq!(text(&run(&["list", "--state", "dead"])), "no jobs\n");
    assert_eq!(text(&run(&["retry", &id.to_string()])), format!("job {id}: will be tried again now\n"));
    assert_eq!(text(&run(&["drop", &id.to_string()])), format!("job {id}: dropped\n"));
    let missed = run(&["drop", &id.to_string()]);
    assert!(!missed.status.success() && text(&missed).contains(&format!("being worked on: {id}")));
    assert!(!run(&["retry"]).status.success());
}

#[sqlx::test]
async fn an_empty_queue_leaves_the_database_alone(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let working = Working::on(&app);
    // Reads of the table of jobs, and not transactions: PostgreSQL counts those also where it tells idle connections about
    // changes of the catalog, which other databases of the cluster make.
    let reads = async || {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let sql = "select (coalesce(seq_scan, 0) + coalesce(idx_scan, 0))::bigint from pg_stat_user_tables
                   where schemaname = 'graphile_worker' and relname = '_private_jobs'";
        app.given().value::<i64>(sql).await
    };
    // PostgreSQL counts what was done at the start only some seconds later.
    let mut before = reads().await;
    let mut windows = Vec::new();
    while windows.last().is_none_or(|read| *read >= 300) {
        assert!(windows.len() < 5, "{windows:?} reads of the queue in three seconds of idleness each");
        let after = reads().await;
        windows.push(after - before);
        before = after;
    }
    working.drain().await;
}
