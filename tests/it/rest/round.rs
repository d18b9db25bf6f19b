//! A round as Terraform makes it, by python-gitlab against the built server: all that it makes reads back as it was written,
//! and when it has taken everything away again, the database is what it was.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;

use super::suites::{TOKEN, beside, serve, suites};
use crate::support::unchanged::everything;
use crate::support::{Served, TestGitaly};

/// Groups, projects and members of the round that every run of the tests makes; `ROUND` has others.
const SIZE: &str = "5 12 40";

/// rest.md 16: a round as Terraform makes it
#[sqlx::test]
async fn a_round_reads_back_what_it_wrote_and_leaves_the_database_as_it_was(pool: PgPool) {
    let python = suites().join("python/bin/python3");
    if !python.exists() {
        println!("skipped: no python-gitlab here; bin/test installs it into .gatehouse/suites");
        return;
    }
    let size = std::env::var("ROUND").unwrap_or_else(|_| SIZE.to_owned());
    let [groups, projects, members] = size.split(' ').collect::<Vec<_>>()[..] else {
        panic!("ROUND is three numbers: groups, projects, members");
    };
    let gitaly = TestGitaly::start();
    let (served, port) = serve(&pool, &gitaly.settings());
    let standing = served.installation.run(&["apply", "--file", &beside("standing.yml").display().to_string()]);
    assert_eq!(standing.code, 0, "{}", standing.stderr);
    make_the_ghost(&served);
    let (document, state) = (export(&served), settled(&pool, &gitaly).await);
    let ran = Command::new(&python)
        .arg("-B")
        .arg(beside("round.py"))
        .args(["--url", &format!("http://127.0.0.1:{port}"), "--token", TOKEN])
        .args(["--groups", groups, "--projects", projects, "--members", members])
        .env_clear()
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    println!("{said}");
    assert_eq!(export(&served), document);
    let after = settled(&pool, &gitaly).await;
    let other: Vec<&String> =
        state.keys().chain(after.keys()).filter(|key| state.get(*key) != after.get(*key)).collect();
    assert!(other.is_empty(), "{other:#?}\n{said}");
}

/// What somebody who goes wrote elsewhere is the ghost's, an account that stays from then on: so one went before.
fn make_the_ghost(served: &Served) {
    let headers = format!("PRIVATE-TOKEN: {TOKEN}\r\nContent-Type: application/json\r\n");
    let body =
        json!({ "username": "once", "name": "Once", "email": "once@example.com", "password": "a horse on a staple" });
    let mut wire = served.connect();
    let made = wire.ask("POST", "/api/v4/users", &headers, &body.to_string());
    let gone = wire.ask("DELETE", &format!("/api/v4/users/{}", made.json()["id"]), &headers, "");
    assert_eq!((made.status, gone.status), (201, 204));
}

fn export(served: &Served) -> String {
    let exported = served.installation.run(&["export"]);
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    exported.stdout
}

/// Every table but the queue's and the ledger, and every file of the storage, once no job is due any more: the repositories of projects that
/// are gone are removed by jobs. Hooks whose receivers cannot be reached are called again later. Folders that are empty now
/// stay.
async fn settled(pool: &PgPool, gitaly: &TestGitaly) -> BTreeMap<String, String> {
    let begun = Instant::now();
    let waiting = "select (select count(*) from removed_repositories)
                  + (select count(*) from graphile_worker.jobs where run_at <= now())";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.unwrap() > 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "jobs wait");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // When authorizations were last computed, which is when a round touched them.
    let stamps = "update user_details set project_authorizations_recalculated_at = 'epoch'";
    sqlx::query(stamps).execute(pool).await.unwrap();
    let mut all = everything(pool, gitaly.storage()).await;
    let logs = |name: &str| name.starts_with("graphile_worker.") || name == "public.provisioning_ledger_entries";
    all.retain(|name, digest| !logs(name) && digest != "a folder");
    all
}
