//! Provisioning by a server that crashes: a script of purchases against a server that is killed while it answers. What was
//! not answered is sent again, and in the end the database holds what the script says, and the ledger each change once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::World;
use super::races::ledger_agrees;
use crate::support::crash::{CrashServer, PATIENCE, STORM, client, kill_until};
use crate::support::{DB_KEY_BASE, Installation};

/// Who provisions at once, each two namespaces of their own.
const PROVISIONERS: i64 = 4;

/// A request, and what it may be answered with: the first time, and where it was done before without an answer.
struct Step {
    method: Method,
    path: String,
    body: Value,
    first: u16,
    again: u16,
}

/// What the database must hold for one provisioner's two namespaces.
#[derive(Debug, Default, PartialEq, Eq)]
struct Model {
    seats: BTreeMap<i64, i64>,
    add_ons: BTreeMap<(i64, &'static str), (i64, String)>,
    packs: BTreeMap<String, (i64, i64)>,
    reconciliations: BTreeMap<i64, String>,
    exclusions: BTreeMap<i64, String>,
    /// Changes of subscriptions, each with a row in their history.
    history: i64,
    /// Changes of all, each with an entry in the ledger.
    changes: i64,
}

/// The next step of the script, and what it makes of the model.
fn next(random: &mut StdRng, model: &mut Model, namespaces: [i64; 2], number: usize) -> Step {
    let here = random.random_range(0..2);
    let (here, there) = (namespaces[here], namespaces[1 - here]);
    let step = |method: &'static str, path: String, body: Value, first: u16, again: u16| Step {
        method: method.parse().unwrap(),
        path,
        body,
        first,
        again,
    };
    let day = format!("2030-01-{:02}", random.random_range(1..29));
    let quantity: i64 = random.random_range(1..5);
    match random.random_range(0..12) {
        0 => {
            let path = format!("/namespaces/{here}/gitlab_subscription");
            let body = json!({ "start_date": "2020-07-15", "plan_code": "premium", "seats": quantity });
            if model.seats.contains_key(&here) {
                return step("POST", path, body, 400, 400);
            }
            model.seats.insert(here, quantity);
            model.changes += 1;
            step("POST", path, body, 201, 400)
        }
        1 => {
            let path = format!("/namespaces/{here}/gitlab_subscription");
            let body = json!({ "seats": quantity });
            let Some(seats) = model.seats.get_mut(&here) else { return step("PUT", path, body, 404, 404) };
            if *seats != quantity {
                *seats = quantity;
                model.history += 1;
                model.changes += 1;
            }
            step("PUT", path, body, 200, 200)
        }
        choice @ 2..=4 => {
            let add_on = if random.random() { "code_suggestions" } else { "duo_enterprise" };
            let path = format!("/namespaces/{here}/subscription_add_on_purchase/{add_on}");
            let body = json!({ "quantity": quantity, "expires_on": day, "purchase_xid": "A-S1" });
            let bought = model.add_ons.contains_key(&(here, add_on));
            match (choice, bought) {
                (2, true) => return step("POST", path, body, 400, 400),
                (3 | 4, false) => return step("PUT", path, body, 400, 400),
                _ => {}
            }
            let before = model.add_ons.insert((here, add_on), (quantity, day.clone()));
            model.changes += i64::from(before != Some((quantity, day)));
            if choice == 2 { step("POST", path, body, 201, 400) } else { step("PUT", path, body, 200, 200) }
        }
        5..=7 => {
            let mut packs: BTreeMap<String, i64> =
                (0..quantity).map(|at| (format!("{here}-{number}-{at}"), quantity)).collect();
            // An old purchase comes along, which may have moved meanwhile.
            let place = random.random_range(0..=model.packs.len());
            packs.extend(model.packs.keys().nth(place).map(|xid| (xid.clone(), 99)));
            let list: Vec<Value> = packs
                .iter()
                .map(|(xid, minutes)| json!({ "number_of_minutes": minutes, "expires_at": day, "purchase_xid": xid }))
                .collect();
            let path = format!("/namespaces/{here}/minutes");
            let body = json!({ "packs": list });
            if packs.keys().any(|xid| model.packs.get(xid).is_some_and(|(home, _)| *home != here)) {
                return step("POST", path, body, 400, 400);
            }
            for (xid, minutes) in packs {
                if !model.packs.contains_key(&xid) {
                    model.changes += 1;
                    model.packs.insert(xid, (here, minutes));
                }
            }
            step("POST", path, body, 201, 201)
        }
        8 => {
            for (home, _) in model.packs.values_mut().filter(|(home, _)| *home == here) {
                *home = there;
                // It leaves one namespace and arrives in the other.
                model.changes += 2;
            }
            step("PATCH", format!("/namespaces/{here}/minutes/move/{there}"), json!({}), 202, 202)
        }
        9 => {
            let element =
                |id: i64| json!({ "namespace_id": id, "next_reconciliation_date": day, "display_alert_from": day });
            for id in namespaces {
                model.changes += i64::from(model.reconciliations.insert(id, day.clone()).as_ref() != Some(&day));
            }
            // One that does not exist does not keep the others from being written.
            let (mut list, mut status) = (vec![element(here), element(there)], 200);
            if random.random() {
                list.insert(1, element(999_999));
                status = 400;
            }
            let body = json!({ "upcoming_reconciliations": list });
            step("PUT", "/internal/upcoming_reconciliations".to_owned(), body, status, status)
        }
        10 if random.random() => {
            let path = format!("/internal/upcoming_reconciliations?namespace_id={here}");
            let there = model.reconciliations.remove(&here).is_some();
            model.changes += i64::from(there);
            step("DELETE", path, json!({}), if there { 204 } else { 404 }, 404)
        }
        _ => {
            let path = format!("/namespaces/{here}/storage/limit_exclusion");
            if random.random() {
                let there = model.exclusions.remove(&here).is_some();
                model.changes += i64::from(there);
                return step("DELETE", path, json!({}), if there { 204 } else { 400 }, 400);
            }
            let body = json!({ "reason": day });
            if model.exclusions.contains_key(&here) {
                return step("POST", path, body, 400, 400);
            }
            model.exclusions.insert(here, day);
            model.changes += 1;
            step("POST", path, body, 201, 400)
        }
    }
}

/// Sends the step until it is answered.
async fn carry_out(client: &Client, root: &str, token: &str, step: &Step) -> bool {
    let begun = Instant::now();
    let mut tried = false;
    loop {
        let request =
            client.request(step.method.clone(), format!("{root}{}", step.path)).header("private-token", token);
        let request = request.header("content-type", "application/json").body(step.body.to_string());
        match request.send().await {
            Ok(reply) => {
                let status = reply.status().as_u16();
                let Ok(text) = reply.text().await else {
                    tried = true;
                    continue;
                };
                let expected = status == step.first || (tried && status == step.again);
                assert!(expected, "{} {} {}: {status} {text}", step.method, step.path, step.body);
                return tried;
            }
            // Nobody listened: it was certainly not done.
            Err(error) if error.is_connect() => {}
            Err(_) => tried = true,
        }
        assert!(begun.elapsed() < PATIENCE, "no answer to {} {}", step.method, step.path);
        sleep(Duration::from_millis(10)).await;
    }
}

/// What the database holds for these namespaces.
async fn stored(world: &World, namespaces: [i64; 2]) -> Model {
    let [a, b] = namespaces;
    let rows = async |query: &str| -> Vec<Value> {
        let query = format!(
            "select coalesce(jsonb_agg(to_jsonb(r)), '[]') from ({query}) as r where r.namespace_id in ({a}, {b})"
        );
        let rows: Value = world.given().value(&query).await;
        rows.as_array().unwrap().clone()
    };
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let subscriptions = rows("select namespace_id, seats from gitlab_subscriptions").await;
    let add_ons = rows(
        "select namespace_id, name, quantity, expires_on
         from subscription_add_on_purchases as purchase
         join subscription_add_ons as add_on on add_on.id = purchase.subscription_add_on_id",
    )
    .await;
    let packs = rows("select namespace_id, purchase_xid, number_of_minutes from ci_minutes_additional_packs").await;
    let reconciliations =
        rows("select namespace_id, next_reconciliation_date as day from upcoming_reconciliations").await;
    let exclusions = rows("select namespace_id, reason from namespaces_storage_limit_exclusions").await;
    let within = format!("where namespace_id in ({a}, {b})");
    let add_on = |row: &Value| if row["name"] == 1 { "code_suggestions" } else { "duo_enterprise" };
    Model {
        seats: subscriptions.iter().map(|row| (number(row, "namespace_id"), number(row, "seats"))).collect(),
        add_ons: add_ons
            .iter()
            .map(|row| ((number(row, "namespace_id"), add_on(row)), (number(row, "quantity"), text(row, "expires_on"))))
            .collect(),
        packs: packs
            .iter()
            .map(|row| (text(row, "purchase_xid"), (number(row, "namespace_id"), number(row, "number_of_minutes"))))
            .collect(),
        reconciliations: reconciliations.iter().map(|row| (number(row, "namespace_id"), text(row, "day"))).collect(),
        exclusions: exclusions.iter().map(|row| (number(row, "namespace_id"), text(row, "reason"))).collect(),
        history: world.count(&format!("gitlab_subscription_histories {within}")).await,
        changes: world.count(&format!("provisioning_ledger_entries {within}")).await,
    }
}

#[sqlx::test]
async fn what_is_provisioned_is_exact_whoever_is_killed(pool: PgPool) {
    let seed: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let world = World::new(pool.clone()).await;
    let given = world.given();
    given.personal_access_token(world.admin, &DB_KEY_BASE.into(), "glpat-provisioner", &["api"]).await;
    // The server's clock is the system's.
    given.sql("update personal_access_tokens set expires_at = null").await;
    given
        .sql(&format!(
            "insert into namespaces (id, name, path, type, visibility_level, traversal_ids)
             select id, 'N' || id, 'n' || id, 'Group', 0, array[id] from generate_series(7000, {}) as id",
            6999 + 2 * PROVISIONERS
        ))
        .await;
    let mut servers = [CrashServer::start(Installation::new(&pool, ""), &[]).await];
    let client = client(Duration::from_secs(10));
    let root = format!("http://127.0.0.1:{}/api/v4", servers[0].port);

    let end = Instant::now() + STORM;
    let mut provisioners = JoinSet::new();
    for provisioner in 0..PROVISIONERS {
        let (client, root) = (client.clone(), root.clone());
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(provisioner.unsigned_abs()));
        provisioners.spawn(async move {
            let namespaces = [7000 + 2 * provisioner, 7001 + 2 * provisioner];
            let (mut model, mut steps, mut repeated) = (Model::default(), 0, 0);
            while Instant::now() < end {
                let step = next(&mut random, &mut model, namespaces, steps);
                repeated += usize::from(carry_out(&client, &root, "glpat-provisioner", &step).await);
                steps += 1;
            }
            (namespaces, model, steps, repeated)
        });
    }
    let mut random = StdRng::seed_from_u64(seed);
    let pause = || Duration::from_millis(random.random_range(100..700));
    let kills = kill_until(end, &mut servers, pause).await;
    let (mut steps, mut repeated) = (0, 0);
    for (namespaces, model, made, again) in provisioners.join_all().await {
        assert_eq!(stored(&world, namespaces).await, model, "SEED={seed}");
        steps += made;
        repeated += again;
    }
    ledger_agrees(&world).await;
    println!("{steps} requests, {kills} kills, {repeated} requests sent again after they may have been done");
    assert!(kills >= 3 && steps >= 20, "{steps} requests and {kills} kills show nothing");
}
