//! `subscriptions:`

use sqlx::PgPool;

use super::{applied, refused, rows};

const GROUP: &str = "users: [{username: rubi, email: r@x}]\ngroups: [{path: acme, members: {rubi: owner}}]\n";

#[sqlx::test]
async fn a_subscription_comes_changes_and_goes(pool: PgPool) {
    let document = "subscriptions: [{namespace: acme, plan_code: premium, start_date: 2026-07-15, end_date: 2027-07-15, \
                    seats: 10, auto_renew: true}, {namespace: rubi, start_date: 2026-07-15}]";
    let report = applied(&pool, &format!("{GROUP}{document}")).await;
    assert!(report.lines().contains(&"+ subscription of acme".to_owned()), "{:?}", report.lines());
    assert!(report.to_json()["subscriptions"]["acme"]["id"].is_i64());
    let report = applied(
        &pool,
        "subscriptions: [{namespace: acme, plan_code: ultimate, end_date: null, seats: 20, max_seats_used: 7}]",
    )
    .await;
    assert_eq!(
        report.lines(),
        ["~ subscription of acme plan_code premium → ultimate, end_date 2027-07-15 → unset, seats 10 → 20, \
          max_seats_used 0 → 7"]
    );
    let query = "
        select concat_ws(' ', plans.name, start_date, end_date, seats, max_seats_used, auto_renew)
        from gitlab_subscriptions
        join plans on plans.id = hosted_plan_id";
    assert_eq!(rows(&pool, query).await, "ultimate 2026-07-15 20 7 t");
    let report = applied(&pool, "subscriptions: [{namespace: acme, ensure: absent}]").await;
    assert_eq!(report.lines(), ["- subscription of acme"]);
    let query = "select concat_ws(' ', seats, change_type) from gitlab_subscription_histories order by id";
    assert_eq!(rows(&pool, query).await, "10 1\n20 2");
    let query = "
        select concat_ws(' ', author_type, state_before ->> 'seats', '→', state_after ->> 'seats')
        from provisioning_ledger_entries
        order by id";
    assert_eq!(rows(&pool, query).await, "operator → 10\noperator → 0\noperator 10 → 20\noperator 20 →");
}

#[sqlx::test]
async fn what_cannot_be_is_said_all_at_once(pool: PgPool) {
    let document = "subscriptions: [{namespace: nobody, start_date: 2026-07-15}, {namespace: acme, plan_code: platinum, \
                    start_date: 2026-02-30}, {namespace: rubi}, {namespace: ACME, start_date: 2026-07-15}]";
    insta::assert_snapshot!(refused(&pool, &format!("{GROUP}{document}")).await, @"
    subscriptions[0].namespace: there is no group or user nobody
    subscriptions[1].plan_code: there is no plan platinum
    subscriptions[1].start_date: is not in the calendar; write a date such as 2027-01-31
    subscriptions[2].start_date: is missing, for example 2027-01-31
    subscriptions[3].namespace: acme is that of subscriptions[1] as well
    ");
    assert_eq!(rows(&pool, "select 1::text from gitlab_subscriptions").await, "");
}

/// The ledger knows how a subscription ended, whatever ended it.
#[sqlx::test]
async fn a_namespace_that_is_removed_ends_its_subscription_first(pool: PgPool) {
    let document = "groups: [{path: acme}]\nusers: [{username: rubi, email: r@x}]\nsubscriptions: [{namespace: acme, \
                    start_date: 2026-07-15}, {namespace: rubi, start_date: 2026-07-15}]";
    applied(&pool, document).await;
    let report =
        applied(&pool, "groups: [{path: acme, ensure: absent}]\nusers: [{username: rubi, ensure: absent}]").await;
    assert_eq!(report.lines(), ["- subscription of rubi", "- user rubi", "- subscription of acme", "- group acme"]);
    let query = "select count(*)::text from provisioning_ledger_entries where state_after is null";
    assert_eq!(rows(&pool, query).await, "2");
}
