//! What operators watch: metrics after real requests; and a page, alerts and a dashboard that name what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use gatehouse::document;
use regex::Regex;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Installation, Served, TestApp, TestGitaly, Wire};
use crate::tidy::sources;

const PAGE: &str = "docs/operating/monitor.md";
const ALERTS: &str = "config/monitoring/alerts.yml";
const DASHBOARD: &str = "config/monitoring/dashboard.json";
/// Labels that Prometheus adds.
const OF_PROMETHEUS: [&str; 3] = ["instance", "job", "le"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The metrics that the sources describe: their names and kinds.
fn described() -> BTreeMap<String, String> {
    let describe = Regex::new(r#"describe_(counter|gauge|histogram)!\(\s*"(\w+)""#).unwrap();
    let mut all = BTreeMap::new();
    for (file, text) in sources("src") {
        for found in describe.captures_iter(&text) {
            let before = all.insert(found[2].to_owned(), found[1].to_owned());
            assert_eq!(before, None, "{file} describes {} again", &found[2]);
        }
    }
    all
}

/// The metrics that the page lists: their names, kinds and labels.
fn listed() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let row = Regex::new(r"(?m)^\| `(gatehouse_\w+)` \| (\w+) \|([^|]*)\|").unwrap();
    let page = read(PAGE);
    let label = Regex::new(r"`(\w+)`").unwrap();
    let labels = |cell: &str| label.captures_iter(cell).map(|found| found[1].to_owned()).collect();
    row.captures_iter(&page).map(|found| (found[1].to_owned(), (found[2].to_owned(), labels(&found[3])))).collect()
}

#[test]
fn every_metric_is_described_and_the_page_lists_those_alone() {
    let described = described();
    let listed: BTreeMap<String, String> = listed().into_iter().map(|(name, (kind, _))| (name, kind)).collect();
    assert_eq!(listed, described, "{PAGE} and the sources differ");
    let record = Regex::new(r#"\b(counter|gauge|histogram)!\(\s*"(\w+)""#).unwrap();
    for (file, text) in sources("src") {
        for found in record.captures_iter(&text) {
            assert_eq!(described.get(&found[2]).map(String::as_str), Some(&found[1]), "{file}: {}", &found[2]);
        }
    }
}

/// Metrics and spans call Gitaly's methods as Gitaly does.
#[test]
fn calls_of_gitaly_have_the_names_of_its_methods() {
    let proto = read("src/gitaly/proto/gitaly.proto");
    let methods: BTreeSet<&str> =
        Regex::new(r"\brpc (\w+)\(").unwrap().captures_iter(&proto).map(|found| found.extract::<1>().1[0]).collect();
    let call = Regex::new(r#"GitalyCall::(?:new|of_storage)\([^"]*"(\w+)""#).unwrap();
    let mut named = BTreeSet::new();
    for (_, text) in sources("src/gitaly") {
        named.extend(call.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    assert_eq!(named.iter().map(String::as_str).collect::<BTreeSet<_>>(), methods);
}

/// The queries of alerts and of the dashboard.
fn queries() -> Vec<(String, String)> {
    let alerts = document::read(&read(ALERTS)).unwrap();
    let rules = alerts["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut queries: Vec<_> = rules.map(|rule| (text(&rule["alert"]), text(&rule["expr"]))).collect();
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().into_iter().flatten();
        queries.extend(targets.map(|target| (text(&panel["title"]), text(&target["expr"]))));
    }
    queries
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_and_labels_that_exist() {
    let (listed, described) = (listed(), described());
    let metric = Regex::new(r"\bgatehouse_\w+").unwrap();
    let selector = Regex::new(r"\b(gatehouse_\w+)\{([^}]*)\}").unwrap();
    let label = Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*""#).unwrap();
    let bare = |name: &str| {
        let histogram = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
        histogram.filter(|name| described.get(*name).is_some_and(|kind| kind == "histogram")).unwrap_or(name).to_owned()
    };
    let queries = queries();
    for (place, query) in &queries {
        for found in metric.find_iter(query) {
            let name = bare(found.as_str());
            let known = described.contains_key(&name);
            assert!(known, "{place} asks for {name}, which is no metric");
        }
        for found in selector.captures_iter(query) {
            let Some((_, labels)) = listed.get(&bare(&found[1])) else { continue };
            for key in label.captures_iter(&found[2]) {
                let known = labels.contains(&key[1]) || OF_PROMETHEUS.contains(&&key[1]);
                assert!(known, "{place} asks for {} of {}", &key[1], &found[1]);
            }
        }
    }
    assert!(queries.len() > 25, "only {} queries were found", queries.len());
}

#[test]
fn the_page_says_what_to_do_at_each_alert_and_speaks_of_no_other() {
    let alerts = document::read(&read(ALERTS)).unwrap();
    let rules = alerts["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let mut named = BTreeSet::new();
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        assert_eq!(rule["annotations"]["runbook"], format!("{PAGE}#{}", name.to_lowercase()), "{name}");
        assert!(rule["annotations"]["summary"].is_string(), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        named.insert(name.to_owned());
    }
    let heading = Regex::new(r"(?m)^### (Gatehouse\w+)$").unwrap();
    let explained = heading.captures_iter(&read(PAGE)).map(|found| found[1].to_owned()).collect();
    assert_eq!(named, explained);
    let tested = Regex::new(r"alertname: (\w+)").unwrap();
    let tests = read("config/monitoring/alerts_test.yml");
    let tested: BTreeSet<String> = tested.captures_iter(&tests).map(|found| found[1].to_owned()).collect();
    assert_eq!(named, tested, "an alert has no test of its own");
}

/// A folder that goes when the test does.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where promtool is there.
#[test]
fn prometheus_reads_the_alerts_and_the_dashboard_and_raises_what_it_should() {
    if Command::new("promtool").arg("--version").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let promtool = |arguments: &[&str]| {
        let output = Command::new("promtool").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(output.status.success(), "{said}");
    };
    promtool(&["check", "rules", ALERTS]);
    promtool(&["test", "rules", "config/monitoring/alerts_test.yml"]);
    // The dashboard's queries, with what Grafana puts in, as rules that nobody uses.
    let rules: Vec<Value> = queries()
        .iter()
        .enumerate()
        .map(|(number, (_, query))| {
            let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
            json!({ "record": format!("query:{number}"), "expr": query })
        })
        .collect();
    let folder = Folder(std::env::temp_dir().join(format!("gatehouse-monitoring-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("queries.yml");
    fs::write(&file, json!({ "groups": [{ "name": "queries", "rules": rules }] }).to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()]);
}

fn scrape(served: &Served) -> String {
    // Clients are served a moment before operators are.
    let begun = Instant::now();
    let mut wire = loop {
        match Wire::tcp(served.installation.metrics) {
            Ok(wire) => break wire,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let answer = wire.ask("GET", "/-/metrics", "", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The value of a series; nothing where it is not there.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// Scrapes until the series is like this: on a machine that is busy the database may take longer than a scrape waits.
fn shows(served: &Served, series: &str, like: impl Fn(f64) -> bool) {
    let begun = Instant::now();
    loop {
        let metrics = scrape(served);
        if value(&metrics, series).is_some_and(&like) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{series}:\n{metrics}\n{}", served.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[sqlx::test]
async fn metrics_tell_what_was_decided_and_who_answered(pool: PgPool) {
    let gitaly = TestGitaly::start();
    let served = Installation::new(&pool, &gitaly.settings()).serve();
    let app = TestApp::new(pool);
    let given = app.given();
    let project = given.project("g/p").await.developer("rubi").await;
    let rubi = given.user("rubi").await;
    let key = given.key(rubi, "laptop").await;
    given.sql("update projects set archived = true where path = 'p'").await;
    let headers = format!("{}Content-Type: application/json\r\n", served.signature());
    let allowed = |action: &str, changes: &str| {
        let body =
            json!({ "action": action, "changes": changes, "protocol": "ssh", "project": "g/p.git", "key_id": key.0 });
        served.connect().ask("POST", "/api/v4/internal/allowed", &headers, &body.to_string()).status
    };
    assert_eq!(allowed("git-upload-pack", "_any"), 200);
    assert_eq!(allowed("git-receive-pack", "_any"), 401);
    let new = "b".repeat(40);
    assert_eq!(allowed("git-receive-pack", &format!("{} {new} refs/heads/topic", "0".repeat(40))), 401);
    given.sql("update projects set archived = false where path = 'p'").await;
    given.sql(&format!("insert into protected_branches (project_id, name) values ({}, 'main')", project.id)).await;
    // Whether this is a force push is asked of a repository that is not there.
    assert_ne!(allowed("git-receive-pack", &format!("{} {new} refs/heads/main", "a".repeat(40))), 200);
    for (base, times) in [("groups/g", 2), ("application", 1)] {
        for _ in 0..times {
            let path = format!("/api/scim/v2/{base}/Users");
            assert_eq!(served.connect().ask("GET", &path, "Authorization: Bearer nobody\r\n", "").status, 401);
        }
    }

    let metrics = scrape(&served);
    let decided = |call: &str, rule: &str| {
        value(&metrics, &format!(r#"gatehouse_decisions_total{{call="{call}",rule="{rule}"}}"#))
    };
    assert_eq!(decided("access", "allowed"), Some(1.0), "{metrics}");
    assert_eq!((decided("access", "P2"), decided("pre_receive", "P2")), (Some(1.0), Some(1.0)), "{metrics}");
    let scim = |scope: &str| {
        value(&metrics, &format!(r#"gatehouse_scim_requests_total{{scope="{scope}",outcome="unauthorized"}}"#))
    };
    assert_eq!((scim("group"), scim("instance")), (Some(2.0), Some(1.0)), "{metrics}");
    let asked: BTreeSet<&str> = gitaly.methods().into_iter().collect();
    assert!(!asked.is_empty());
    for method in asked {
        assert!(
            metrics.contains(&format!(r#"gatehouse_gitaly_seconds_count{{method="{method}",outcome=""#)),
            "{metrics}"
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    assert!(metrics.contains(&format!(r#"gatehouse_build_info{{version="{version}",revision=""#)), "{metrics}");
}

#[sqlx::test]
async fn a_scrape_says_how_old_the_oldest_job_is_and_which_are_dead(pool: PgPool) {
    // Nobody works on the queue.
    let served = Installation::new(&pool, "  jobs: {concurrency: 0}\n").serve();
    let given = TestApp::new(pool).given();
    given
        .sql("select graphile_worker.add_job('post_receive', '{\"push\": 1}', run_at => now() - interval '1 hour')")
        .await;
    given.sql("select graphile_worker.add_job('post_receive', '{\"push\": 2}')").await;
    given
        .sql(
            "update graphile_worker._private_jobs set attempts = max_attempts
             where id = (select max(id) from graphile_worker._private_jobs)",
        )
        .await;
    shows(&served, "gatehouse_jobs_oldest_seconds", |age| (3600.0..3700.0).contains(&age));
    shows(&served, r#"gatehouse_jobs{state="ready"}"#, |jobs| (1.0..2.0).contains(&jobs));
    shows(&served, r#"gatehouse_jobs{state="dead"}"#, |jobs| (1.0..2.0).contains(&jobs));
}

#[sqlx::test]
async fn a_scrape_says_when_the_first_secret_of_a_machine_expires(pool: PgPool) {
    let served = Installation::new(&pool, "").serve();
    let given = TestApp::new(pool).given();
    let token_expires = r#"gatehouse_secret_expiry_days{secret="administrator_token"}"#;
    let key_expires = r#"gatehouse_secret_expiry_days{secret="deploy_key"}"#;
    shows(&served, token_expires, f64::is_infinite);
    shows(&served, key_expires, f64::is_infinite);
    let (admin, rubi) = (given.user("admin").await, given.user("rubi").await);
    given.user_is(admin, "admin = true").await;
    let token = async |user: &str, days: i64, revoked: bool| {
        let day = Utc::now().date_naive() + TimeDelta::days(days);
        given
            .sql(&format!(
                "insert into personal_access_tokens (user_id, name, expires_at, revoked)
                 values ({user}, 'token', '{day}', {revoked})"
            ))
            .await;
    };
    let admin = admin.to_string();
    // Of another user, expired, and revoked: none of these counts.
    token(&rubi.to_string(), 2, false).await;
    token(&admin, -1, false).await;
    token(&admin, 3, true).await;
    shows(&served, token_expires, f64::is_infinite);
    token(&admin, 40, false).await;
    token(&admin, 20, false).await;
    shows(&served, token_expires, |left| (18.9..=20.0).contains(&left));
    let key = given.key(rubi, "laptop").await;
    given.sql(&format!("update keys set expires_at = now() + interval '36 hours' where id = {key}")).await;
    // The keys of users warn them by themselves.
    shows(&served, key_expires, f64::is_infinite);
    given.sql(&format!("update keys set type = 'DeployKey' where id = {key}")).await;
    shows(&served, key_expires, |left| (1.4..=1.5).contains(&left));
}
