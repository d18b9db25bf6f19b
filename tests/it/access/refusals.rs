//! Refused attempts are kept for operators: what, who, where, why, and never too many.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::pushes::Working;
use crate::support::{Installation, TestApp};

/// The refusals that are kept, once there are so many.
async fn kept(app: &TestApp, count: i64) -> Vec<Value> {
    let given = app.given();
    given.eventually(&format!("select count(*) = {count} from access_refusals")).await;
    sqlx::query_scalar("select to_jsonb(access_refusals) from access_refusals order by id")
        .fetch_all(&app.pool)
        .await
        .unwrap()
}

#[sqlx::test]
async fn a_refused_attempt_leaves_a_row_that_says_why(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let given = app.given();
    let rubi = given.user("rubi").await;
    let key = given.key(rubi, "laptop").await;
    let project = given.project("g/p").await.reporter("rubi").await;
    let ask = async |id: &str, action: &str, changes: &str| {
        let body = json!({
            "action": action, "project": "g/p.git", "changes": changes, "protocol": "ssh", "key_id": key.to_string(),
            "check_ip": "192.0.2.7"
        });
        app.post_named(id, "/allowed", body).await.status
    };
    assert_eq!(ask("fetch", "git-upload-pack", "_any").await, 200);
    assert_eq!(ask("first", "git-receive-pack", "_any").await, 401);
    let (zero, new) = ("0".repeat(40), "b".repeat(40));
    assert_eq!(ask("second", "git-receive-pack", &format!("{zero} {new} refs/heads/topic\n")).await, 401);

    let rows = kept(&app, 2).await;
    let first = &rows[0];
    assert_eq!((&first["rule"], &first["correlation_id"]), (&json!("P5"), &json!("first")));
    assert_eq!(first["message"], "You are not allowed to push code to this project.");
    assert_eq!((&first["actor"], &first["username"]), (&json!(format!("key-{key}")), &json!("rubi")));
    assert_eq!((&first["target"], &first["project_id"]), (&json!("g/p"), &json!(project.id.0)));
    assert_eq!((&first["command"], &first["client_ip"]), (&json!("git-receive-pack"), &json!("192.0.2.7")));
    assert_eq!(first["ref_name"], Value::Null);
    assert_eq!(
        (&rows[1]["ref_name"], &rows[1]["old_id"], &rows[1]["new_id"]),
        (&json!("refs/heads/topic"), &Value::Null, &json!(new))
    );

    let installation = Installation::new(&pool, "");
    let list = |arguments: &[&str]| installation.run(&[&["access", "refusals"], arguments].concat());
    assert_eq!(list(&[]).stdout.lines().count(), 2);
    let one = list(&["--user", "rubi", "--project", "g/p", "--rule", "P5", "--correlation-id", "first", "--json"]);
    let one: Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!((&one["rule"], &one["ip"]), (&json!("P5"), &json!("192.0.2.7")));
    let none = list(&["--rule", "D10"]);
    assert!(none.code == 0 && none.stdout.is_empty() && none.stderr.contains("nothing was refused"), "{none:?}");
    assert_eq!(list(&["--user", "nobody"]).code, 1);
    assert_eq!(list(&["-n", "1"]).stdout.lines().count(), 1);
}

/// Of a push of several refs, the one that the rules refused.
#[sqlx::test]
async fn the_ref_that_was_refused_is_named(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let rubi = given.user("rubi").await;
    let key = given.key(rubi, "laptop").await;
    let project = given.project("g/p").await.developer("rubi").await.is("lfs_enabled = false").await;
    given.sql(&format!("insert into protected_tags (project_id, name) values ({}, 'v*')", project.id)).await;
    let new = "b".repeat(40);
    let line = |name: &str| format!("{} {new} {name}\n", "a".repeat(40));
    let changes = [line("refs/notes/x"), line("refs/tags/v1"), line("refs/tags/v2")].concat();
    let body = json!({
        "action": "git-receive-pack", "project": "g/p.git", "changes": changes, "protocol": "ssh",
        "key_id": key.to_string()
    });
    assert_eq!(app.post("/allowed", body).await.status, 401);
    assert_eq!(kept(&app, 1).await[0]["ref_name"], "refs/tags/v1");
}

#[sqlx::test]
async fn whatever_clients_name_is_kept_within_bounds(pool: PgPool) {
    let app = TestApp::new(pool);
    let long = format!("g/{}\u{0}{}", "ä".repeat(3000), "x");
    let body = json!({
        "action": "git-upload-pack", "project": long, "changes": "_any", "protocol": "p".repeat(300),
        "username": "n".repeat(300)
    });
    let status = app.post("/allowed", body).await.status;
    assert!(status == 404 || status == 400 || status == 401, "{status}");
    if status != 400 {
        let rows = kept(&app, 1).await;
        assert_eq!(rows[0]["target"].as_str().unwrap().chars().count(), 1024);
        assert_eq!(rows[0]["actor"].as_str().unwrap().len(), 255);
    }
}

#[sqlx::test]
async fn of_a_flood_some_are_kept_and_the_rest_is_counted(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {refusals: {rows_per_second: 2}}\n");
    let given = app.given();
    given.project("g/p").await;
    let body = json!({"action": "git-upload-pack", "project": "g/p.git", "changes": "_any", "protocol": "ssh"});
    for _ in 0..50 {
        assert_eq!(app.post("/allowed", body.clone()).await.status, 404);
    }
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(app.post("/allowed", body).await.status, 404);
    given.eventually("select sum(skipped + 1) = 51 from access_refusals").await;
    let rows: i64 = sqlx::query_scalar("select count(*) from access_refusals").fetch_one(&app.pool).await.unwrap();
    assert!((3..20).contains(&rows), "{rows}");
}

#[sqlx::test]
async fn none_are_kept_where_the_settings_say_so(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {refusals: {keep_rows: 0}}\n");
    app.given().project("g/p").await;
    let body = json!({"action": "git-upload-pack", "project": "g/p.git", "changes": "_any", "protocol": "ssh"});
    assert_eq!(app.post("/allowed", body).await.status, 404);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let rows: i64 = sqlx::query_scalar("select count(*) from access_refusals").fetch_one(&app.pool).await.unwrap();
    assert_eq!(rows, 0);
}

/// One refusal a day, of the last 40 days.
async fn forty_days(app: &TestApp) {
    let refusals = format!(
        "insert into access_refusals
           (created_at, rule, message, actor, target, command, protocol, correlation_id)
         select timestamptz '{}' - n * interval '1 day', 'P5', '', 'nobody', 'g/p', 'git-receive-pack', 'ssh', n::text
         from generate_series(40, 1, -1) as n",
        app.clock.now()
    );
    app.given().sql(&refusals).await;
}

/// `keep_days` is 30 where nobody says otherwise.
#[sqlx::test]
async fn old_refusals_are_forgotten_in_the_end(pool: PgPool) {
    let app = TestApp::new(pool);
    forty_days(&app).await;
    let working = Working::on(&app);
    app.given().eventually("select count(*) = 30 from access_refusals").await;
    working.drain().await;
}

#[sqlx::test]
async fn old_refusals_and_those_beyond_the_number_are_forgotten(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    forty_days(&app).await;
    let since = app.clock.now() - chrono::TimeDelta::days(30);
    let forget = async |keep: u32| gatehouse::store::access_refusals::delete_old(&pool, since, keep).await.unwrap();
    assert_eq!(forget(100).await, 10, "those before the 30th day");
    assert_eq!(forget(10).await, 20);
    assert_eq!(forget(10).await, 0);
    let left: String = sqlx::query_scalar("select string_agg(correlation_id, ' ' order by id) from access_refusals")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, "10 9 8 7 6 5 4 3 2 1");
}

#[sqlx::test]
async fn refusals_are_followed_as_they_happen(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    app.given().project("g/p").await;
    let installation = Installation::new(&pool, "");
    let mut following = installation
        .command(&["access", "refusals", "--follow", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(following.stdout.take().unwrap());
    let first = tokio::task::spawn_blocking(move || std::io::BufRead::lines(lines).next().unwrap().unwrap());
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let body = json!({"action": "git-upload-pack", "project": "g/p.git", "changes": "_any", "protocol": "ssh"});
    assert_eq!(app.post("/allowed", body).await.status, 404);
    let line: Value = serde_json::from_str(&first.await.unwrap()).unwrap();
    following.kill().unwrap();
    following.wait().unwrap();
    assert_eq!(line["rule"], "D10");
}
