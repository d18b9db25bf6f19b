//! `add_on_purchases:`, `minutes_packs:`, `reconciliations:` and `storage_exclusions:`

use gatehouse::domain::ids::NamespaceId;
use gatehouse::domain::ledger::{LedgerActor, LedgerAuthor};
use gatehouse::store::minutes_packs;
use sqlx::PgPool;

use super::{applied, now, refused, rows, run};

const GROUPS: &str = "users: [{username: rubi, email: r@x}]\ngroups: [{path: acme}, {path: acme/sub}]\n";
const BOUGHT: &str = "
add_on_purchases: [{namespace: acme, add_on: code_suggestions, quantity: 10, expires_on: 2027-07-15, purchase_xid: A-S1}]
minutes_packs: [{namespace: rubi, purchase_xid: x1, number_of_minutes: 1000, expires_at: 2027-01-01}]
reconciliations: [{namespace: acme, next_reconciliation_date: 2027-06-13, display_alert_from: 2027-06-06}]
storage_exclusions: [{namespace: acme, reason: theirs is archived}]
";

#[sqlx::test]
async fn purchases_come_change_and_go(pool: PgPool) {
    let report = applied(&pool, &format!("{GROUPS}{BOUGHT}")).await;
    assert_eq!(
        report.lines()[3..],
        [
            "+ purchase of code_suggestions by acme",
            "+ pack of minutes x1 of rubi",
            "+ reconciliation of acme",
            "+ storage exclusion of acme",
        ]
    );
    assert!(report.to_json()["add_on_purchases"]["acme code_suggestions"]["id"].is_i64());
    assert!(report.to_json()["minutes_packs"]["x1"]["id"].is_i64());
    let changed = "
add_on_purchases: [{namespace: acme, add_on: code_suggestions, quantity: 15, started_on: 2026-07-15}]
minutes_packs: [{namespace: rubi, purchase_xid: x1, number_of_minutes: 500}]
reconciliations: [{namespace: acme, display_alert_from: 2027-06-01}]
storage_exclusions: [{namespace: acme, reason: another}]
";
    assert_eq!(
        applied(&pool, changed).await.lines(),
        [
            "~ purchase of code_suggestions by acme quantity 10 → 15, started_on unset → 2026-07-15",
            "~ pack of minutes x1 of rubi number_of_minutes 1000 → 500",
            "~ reconciliation of acme display_alert_from 2027-06-06 → 2027-06-01",
            "~ storage exclusion of acme reason theirs is archived → another",
        ]
    );
    let gone = "
add_on_purchases: [{namespace: acme, add_on: code_suggestions, ensure: absent}]
minutes_packs: [{namespace: rubi, purchase_xid: x1, ensure: absent}]
reconciliations: [{namespace: acme, ensure: absent}]
storage_exclusions: [{namespace: acme, ensure: absent}]
";
    assert_eq!(
        applied(&pool, gone).await.lines(),
        [
            "- purchase of code_suggestions by acme",
            "- pack of minutes x1 of rubi",
            "- reconciliation of acme",
            "- storage exclusion of acme",
        ]
    );
    let ledger = "
        select concat_ws(' ', record_type, count(*), count(state_before), count(state_after), min(author_type))
        from provisioning_ledger_entries
        group by record_type
        order by record_type";
    assert_eq!(
        rows(&pool, ledger).await,
        "add_on_purchase 3 2 2 operator\nminutes_pack 3 2 2 operator\nreconciliation 3 2 2 operator\nstorage_exclusion 3 2 2 operator"
    );
}

#[sqlx::test]
async fn what_cannot_be_bought_is_said_all_at_once(pool: PgPool) {
    applied(&pool, &format!("{GROUPS}{BOUGHT}")).await;
    let wrong = "
add_on_purchases:
  - {namespace: acme/sub, add_on: duo_core, quantity: 1, expires_on: 2027-01-01, purchase_xid: A}
  - {namespace: rubi, add_on: duo_core}
  - {namespace: nobody, add_on: duo_core, quantity: 1, expires_on: 2027-01-01, purchase_xid: A}
  - {namespace: RUBI, add_on: duo_core, quantity: 1, expires_on: 2027-02-30, purchase_xid: A}
minutes_packs:
  - {namespace: acme, purchase_xid: x1, number_of_minutes: 1}
  - {namespace: acme, purchase_xid: x2}
  - {namespace: acme, purchase_xid: x2, number_of_minutes: 1, expires_at: 2027-01-01}
reconciliations: [{namespace: rubi}]
storage_exclusions: [{namespace: acme/sub, reason: x}, {namespace: rubi}]
";
    insta::assert_snapshot!(refused(&pool, wrong).await, @"
    add_on_purchases[0].namespace: must be a root group or a user's own namespace
    add_on_purchases[1].expires_on: can't be blank
    add_on_purchases[1].purchase_xid: can't be blank
    add_on_purchases[1].quantity: can't be blank
    add_on_purchases[2].namespace: there is no group or user nobody
    add_on_purchases[3].add_on: rubi duo_core is that of add_on_purchases[1] as well
    add_on_purchases[3].expires_on: is not in the calendar; write a date such as 2027-01-31
    minutes_packs[0].namespace: the purchase belongs to rubi; PATCH .../minutes/move moves packs
    minutes_packs[1].expires_at: is missing, for example 2027-01-31
    minutes_packs[1].number_of_minutes: is missing
    minutes_packs[2].purchase_xid: x2 is that of minutes_packs[1] as well
    reconciliations[0].display_alert_from: is missing, for example 2027-01-31
    reconciliations[0].next_reconciliation_date: is missing, for example 2027-01-31
    storage_exclusions[0].namespace: must be a root group or a user's own namespace
    storage_exclusions[1].reason: can't be blank
    ");
}

/// A document is applied again after CustomersDot moved what it states.
#[sqlx::test]
async fn a_pack_that_was_moved_stays_where_it_is(pool: PgPool) {
    applied(&pool, &format!("{GROUPS}{BOUGHT}")).await;
    let mut conn = pool.acquire().await.unwrap();
    let ids = rows(
        &pool,
        "select string_agg(id::text, ' ' order by path = 'acme') from namespaces where path in ('rubi', 'acme')",
    );
    let ids = ids.await;
    let (rubi, acme) = ids.split_once(' ').unwrap();
    let [rubi, acme] = [rubi, acme].map(|id| NamespaceId(id.parse().unwrap()));
    let customers_dot = LedgerAuthor { actor: LedgerActor::CustomersPortal, request_id: None };
    minutes_packs::move_all(&mut conn, rubi, acme, &customers_dot, now()).await.unwrap();
    let again = run(&pool, BOUGHT, false).await.unwrap();
    let said = "! pack of minutes x1 of rubi was moved to acme, and stays there: state that namespace";
    assert_eq!((again.lines(), again.changes()), ([said.to_owned()].as_slice(), 0));
    let more = "minutes_packs: [{namespace: rubi, purchase_xid: x1, number_of_minutes: 5}]";
    let more = run(&pool, more, false).await.unwrap();
    assert_eq!(more.lines(), [said, "~ pack of minutes x1 of acme number_of_minutes 1000 → 5"]);
    assert_eq!(rows(&pool, "select number_of_minutes || ' ' || path from ci_minutes_additional_packs join namespaces on namespaces.id = namespace_id").await, "5 acme");
    assert_eq!(applied(&pool, "minutes_packs: [{namespace: acme, purchase_xid: x1}]").await.changes(), 0);
    // Nobody takes a pack from a namespace by naming another one.
    let absent = "minutes_packs: [{namespace: rubi, purchase_xid: x1, ensure: absent}]";
    let elsewhere = "minutes_packs: [{namespace: acme/sub, purchase_xid: x1}]";
    for document in [absent, elsewhere] {
        let belongs = "minutes_packs[0].namespace: the purchase belongs to acme; PATCH .../minutes/move moves packs";
        assert_eq!(refused(&pool, document).await, belongs);
    }
}

/// The ledger knows how all ended, whatever ended it.
#[sqlx::test]
async fn a_namespace_that_is_removed_ends_its_purchases_first(pool: PgPool) {
    applied(&pool, &format!("{GROUPS}{BOUGHT}")).await;
    let removal = "groups: [{path: acme/sub, ensure: absent}, {path: acme, ensure: absent}]\n\
                   users: [{username: rubi, ensure: absent}]";
    applied(&pool, removal).await;
    let query = "select count(*)::text from provisioning_ledger_entries where state_after is null";
    assert_eq!(rows(&pool, query).await, "4");
}
