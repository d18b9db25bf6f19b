//! Requests at once: whatever they are, they end as if one had followed the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::World;
use crate::support::Reply;

/// Requests of a race.
const RACERS: usize = 32;

/// The answers of requests that are all sent at once, by how often each was given.
async fn race(world: &Arc<World>, request: impl Fn(usize) -> (&'static str, String, Value)) -> BTreeMap<String, usize> {
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (world, (method, path, body)) = (Arc::clone(world), request(racer));
        racers.spawn(async move { world.json(method, &path, body).await });
    }
    let mut answers = BTreeMap::new();
    for reply in racers.join_all().await {
        let reply: Reply = reply;
        assert!(reply.status.as_u16() < 500, "{}", reply.line());
        *answers.entry(reply.line()).or_insert(0) += 1;
    }
    answers
}

/// How often the answers had each status.
fn statuses(answers: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let mut statuses = BTreeMap::new();
    for (answer, times) in answers {
        *statuses.entry(answer[..3].to_owned()).or_insert(0) += times;
    }
    statuses
}

fn counts(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(status, times)| ((*status).to_owned(), *times)).collect()
}

fn pack(minutes: usize, xid: &str) -> Value {
    json!({ "number_of_minutes": minutes, "expires_at": "2022-01-01", "purchase_xid": xid })
}

async fn world(pool: PgPool) -> Arc<World> {
    Arc::new(World::new(pool).await)
}

/// What every pack, purchase, reconciliation and exclusion is, read from the ledger alone, and from the tables.
pub async fn ledger_agrees(world: &World) {
    let difference = "
        with replayed as (
          select distinct on (record_type, record_id)
                 record_type, record_id, namespace_id, state_after
          from provisioning_ledger_entries
          where record_type <> 'subscription'
          order by record_type, record_id, id desc
        ),
        kept as (select record_type, record_id, namespace_id, state_after from replayed where state_after is not null),
        stored as (
          select 'minutes_pack' as record_type, id as record_id, namespace_id,
                 jsonb_build_object('number_of_minutes', number_of_minutes, 'expires_at', expires_at,
                                    'purchase_xid', purchase_xid) as state_after
          from ci_minutes_additional_packs
          union all
          select 'add_on_purchase', purchase.id, purchase.namespace_id,
                 jsonb_build_object('add_on', case add_on.name when 1 then 'code_suggestions' when 2 then 'product_analytics'
                                              when 3 then 'duo_enterprise' when 5 then 'duo_core' end,
                                    'quantity', quantity, 'started_at', started_at, 'expires_on', expires_on,
                                    'purchase_xid', purchase_xid, 'trial', trial)
          from subscription_add_on_purchases as purchase
          join subscription_add_ons as add_on on add_on.id = purchase.subscription_add_on_id
          union all
          select 'reconciliation', id, namespace_id,
                 jsonb_build_object('next_reconciliation_date', next_reconciliation_date,
                                    'display_alert_from', display_alert_from)
          from upcoming_reconciliations
          union all
          select 'storage_exclusion', id, namespace_id, jsonb_build_object('reason', reason)
          from namespaces_storage_limit_exclusions
          union all
          select 'namespace_limits', namespaces.id, namespaces.id,
                 jsonb_build_object(
                   'shared_runners_minutes_limit', shared_runners_minutes_limit,
                   'extra_shared_runners_minutes_limit', extra_shared_runners_minutes_limit,
                   'additional_purchased_storage_size', coalesce(additional_purchased_storage_size, 0),
                   'additional_purchased_storage_ends_on', additional_purchased_storage_ends_on
                 )
          from namespaces
          left join namespace_limits on namespace_limits.namespace_id = namespaces.id
          where num_nonnulls(shared_runners_minutes_limit, extra_shared_runners_minutes_limit,
                             nullif(additional_purchased_storage_size, 0), additional_purchased_storage_ends_on) > 0
        )
        select coalesce(string_agg(concat_ws(' ', side, difference.record_type, record_id, namespace_id, state_after), '; '), '')
        from (
          select 'only in the ledger:' as side, * from (table kept except table stored) as lost
          union all
          select 'only in the tables:', * from (table stored except table kept) as silent
        ) as difference";
    assert_eq!(world.given().value::<String>(difference).await, "");
    // And each entry begins where the one before it ended.
    let broken = "
        select count(*)
        from (
          select state_before,
                 lag(state_after) over (partition by record_type, record_id order by id) as ended
          from provisioning_ledger_entries
        ) as entries
        where state_before is distinct from ended";
    assert_eq!(world.given().value::<i64>(broken).await, 0, "an entry does not begin where the one before it ended");
}

#[sqlx::test]
async fn an_add_on_is_bought_by_one_of_many(pool: PgPool) {
    let world = world(pool).await;
    let answers = race(&world, |racer| {
        let body = json!({ "quantity": racer + 1, "expires_on": "2024-07-15", "purchase_xid": format!("A-{racer}") });
        ("POST", "/namespaces/1234/subscription_add_on_purchase/code_suggestions".to_owned(), body)
    });
    assert_eq!(statuses(&answers.await), counts(&[("201", 1), ("400", RACERS - 1)]));
    assert_eq!((world.count("subscription_add_on_purchases").await, world.count("subscription_add_ons").await), (1, 1));
    // Each change begins where another ended.
    let answers = race(&world, |racer| {
        let body = json!({ "quantity": racer + 1, "expires_on": "2024-07-15" });
        ("PUT", "/namespaces/1234/subscription_add_on_purchase/code_suggestions".to_owned(), body)
    });
    assert_eq!(statuses(&answers.await), counts(&[("200", RACERS)]));
    ledger_agrees(&world).await;
}

#[sqlx::test]
async fn a_pack_is_credited_by_one_of_many(pool: PgPool) {
    let world = world(pool).await;
    // All say the same, in two orders, with different minutes: the first to come counts.
    let answers = race(&world, |racer| {
        let mut packs: Vec<Value> = (0..8).map(|pack_number| pack(racer + 1, &format!("xid-{pack_number}"))).collect();
        if racer % 2 == 1 {
            packs.reverse();
        }
        ("POST", "/namespaces/1234/minutes".to_owned(), json!({ "packs": packs }))
    });
    assert_eq!(statuses(&answers.await), counts(&[("201", RACERS)]));
    assert_eq!((world.count("ci_minutes_additional_packs").await, world.ledger().await.len()), (8, 8));
    let kinds = world.count("(select distinct number_of_minutes from ci_minutes_additional_packs) as kinds").await;
    assert_eq!(kinds, 1, "an array was credited in part");
    ledger_agrees(&world).await;
}

#[sqlx::test]
async fn a_pack_is_credited_on_one_of_two_namespaces(pool: PgPool) {
    let world = world(pool).await;
    let answers = race(&world, |racer| {
        let namespace = if racer % 2 == 0 { 1234 } else { 4321 };
        let own = format!("own-{racer}");
        ("POST", format!("/namespaces/{namespace}/minutes"), json!({ "packs": [pack(1, &own), pack(10, "shared")] }))
    });
    assert_eq!(statuses(&answers.await), counts(&[("201", RACERS / 2), ("400", RACERS / 2)]));
    assert_eq!(usize::try_from(world.count("ci_minutes_additional_packs").await), Ok(RACERS / 2 + 1));
    let homes = world.count("(select distinct namespace_id from ci_minutes_additional_packs) as homes").await;
    assert_eq!(homes, 1, "what was refused left something behind");
    ledger_agrees(&world).await;
}

/// provisioning-86
#[sqlx::test]
async fn opposite_moves_follow_each_other(pool: PgPool) {
    let world = world(pool).await;
    for namespace in [1234, 4321] {
        let packs: Vec<Value> = (0..50).map(|number| pack(1, &format!("{namespace}-{number}"))).collect();
        let reply = world.json("POST", &format!("/namespaces/{namespace}/minutes"), json!({ "packs": packs })).await;
        assert_eq!(reply.status, 201);
    }
    let answers = race(&world, |racer| {
        let (source, target) = if racer % 2 == 0 { (1234, 4321) } else { (4321, 1234) };
        ("PATCH", format!("/namespaces/{source}/minutes/move/{target}"), json!({}))
    });
    assert_eq!(statuses(&answers.await), counts(&[("202", RACERS)]));
    let homes: String = world
        .given()
        .value("select string_agg(n::text, ' ') from (select count(*) as n from ci_minutes_additional_packs group by namespace_id) as homes")
        .await;
    assert_eq!(homes, "100");
    ledger_agrees(&world).await;
}

/// A pack that is credited, credited again and moved meanwhile is there once.
#[sqlx::test]
async fn moves_and_credits_lose_and_double_nothing(pool: PgPool) {
    let world = world(pool).await;
    let answers = race(&world, |racer| match racer % 4 {
        0 => ("PATCH", "/namespaces/1234/minutes/move/4321".to_owned(), json!({})),
        1 => ("PATCH", "/namespaces/4321/minutes/move/1234".to_owned(), json!({})),
        _ => {
            let xid = format!("xid-{}", racer / 8);
            ("POST", "/namespaces/1234/minutes".to_owned(), json!({ "packs": [pack(7, &xid)] }))
        }
    });
    for answer in answers.await.keys() {
        assert!(["201", "202"].contains(&&answer[..3]) || answer.contains("Unable to save"), "{answer}");
    }
    let (packs, homes) = (
        world.count("ci_minutes_additional_packs").await,
        world.count("(select distinct namespace_id from ci_minutes_additional_packs) as homes").await,
    );
    assert_eq!(packs, 4);
    assert!(homes <= 2);
    ledger_agrees(&world).await;
}

/// A namespace that goes meanwhile takes its packs along: none is left without one.
#[sqlx::test]
async fn a_namespace_that_goes_meanwhile_leaves_nothing_behind(pool: PgPool) {
    let world = world(pool).await;
    let gone = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            world.given().sql("delete from namespaces where id = 4321").await;
        })
    };
    let answers = race(&world, |racer| match racer % 3 {
        0 => ("PATCH", "/namespaces/1234/minutes/move/4321".to_owned(), json!({})),
        1 => (
            "PUT",
            "/internal/upcoming_reconciliations".to_owned(),
            json!({ "upcoming_reconciliations": [
            { "namespace_id": 4321, "next_reconciliation_date": "2021-06-13", "display_alert_from": "2021-06-06" },
        ] }),
        ),
        _ => ("POST", "/namespaces/4321/minutes".to_owned(), json!({ "packs": [pack(7, &racer.to_string())] })),
    });
    answers.await;
    gone.await.unwrap();
    for table in ["ci_minutes_additional_packs", "upcoming_reconciliations"] {
        assert_eq!(world.count(&format!("{table} where namespace_id = 4321")).await, 0);
    }
}

#[sqlx::test]
async fn reconciliations_at_once_end_as_one_of_them(pool: PgPool) {
    let world = world(pool).await;
    let answers = race(&world, |racer| {
        let day = format!("2021-06-{:02}", racer % 28 + 1);
        let mut list: Vec<Value> = [1234, 4321, 1300, 22]
            .iter()
            .map(|id| json!({ "namespace_id": id, "next_reconciliation_date": day, "display_alert_from": day }))
            .collect();
        if racer % 2 == 1 {
            list.reverse();
        }
        ("PUT", "/internal/upcoming_reconciliations".to_owned(), json!({ "upcoming_reconciliations": list }))
    });
    assert_eq!(answers.await, BTreeMap::from([("200 200".to_owned(), RACERS)]));
    let days = world.count("(select distinct next_reconciliation_date from upcoming_reconciliations) as days").await;
    assert_eq!((world.count("upcoming_reconciliations").await, days), (4, 1), "a list was written in part");
    ledger_agrees(&world).await;

    let answers = race(&world, |racer| match racer % 2 {
        0 => ("DELETE", "/internal/upcoming_reconciliations?namespace_id=1234".to_owned(), json!({})),
        _ => (
            "PUT",
            "/internal/upcoming_reconciliations".to_owned(),
            json!({ "upcoming_reconciliations": [
            { "namespace_id": 1234, "next_reconciliation_date": "2022-06-13", "display_alert_from": "2022-06-06" },
        ] }),
        ),
    });
    for answer in answers.await.keys() {
        assert!(["200", "204", "404"].contains(&&answer[..3]), "{answer}");
    }
    ledger_agrees(&world).await;
}

#[sqlx::test]
async fn one_of_many_excludes_and_one_ends_it(pool: PgPool) {
    let world = world(pool).await;
    let path = || "/namespaces/1234/storage/limit_exclusion".to_owned();
    let answers = race(&world, |racer| ("POST", path(), json!({ "reason": racer.to_string() }))).await;
    assert_eq!(statuses(&answers), counts(&[("201", 1), ("400", RACERS - 1)]));
    let lost = r#"400 {"message":"400 Bad request - already excluded"}"#;
    assert_eq!(answers.get(lost), Some(&(RACERS - 1)));
    let answers = race(&world, |_| ("DELETE", path(), json!({}))).await;
    assert_eq!(statuses(&answers), counts(&[("204", 1), ("400", RACERS - 1)]));
    assert_eq!(world.ledger().await.len(), 2);
    ledger_agrees(&world).await;
}
