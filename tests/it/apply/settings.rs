//! `settings:`

use sqlx::PgPool;

use super::{applied, refused, rows};

#[sqlx::test]
async fn settings_change_where_they_differ(pool: PgPool) {
    let report = applied(
        &pool,
        "
settings:
  enabled_git_access_protocol: ssh
  default_branch_protection: full
  max_personal_access_token_lifetime: 365
  key_restrictions: {rsa: 2048, dsa: forbidden}
  push_rules: {deny_delete_tag: true}
",
    )
    .await;
    insta::assert_snapshot!(report.lines().join("\n"), @"
    ~ settings enabled_git_access_protocol any → ssh, key_restrictions.rsa any → 2048, max_personal_access_token_lifetime unset → 365
    + push rules of the instance
    ");
    let query = "
        select concat_ws(' ', enabled_git_access_protocol, rsa_key_restriction, dsa_key_restriction, deny_delete_tag, is_sample)
        from application_settings
        join push_rules on push_rules.id = push_rule_id";
    assert_eq!(rows(&pool, query).await, "ssh 2048 -1 t t");
    let report = applied(
        &pool,
        "settings: {enabled_git_access_protocol: any, max_personal_access_token_lifetime: null, push_rules: {ensure: absent}}",
    )
    .await;
    assert_eq!(report.changes(), 2);
    let query = "select concat_ws(' ', enabled_git_access_protocol, max_personal_access_token_lifetime, push_rule_id) from application_settings";
    assert_eq!(rows(&pool, query).await, "");
}

#[sqlx::test]
async fn a_stated_branch_protection_clears_the_finer_form_that_would_win(pool: PgPool) {
    sqlx::query("update application_settings set default_branch_protection_defaults = '{\"allow_force_push\": true}'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(applied(&pool, "settings: {default_branch_protection: full}").await.changes(), 1);
    assert_eq!(rows(&pool, "select default_branch_protection_defaults::text from application_settings").await, "{}");
}

#[sqlx::test]
async fn settings_are_checked(pool: PgPool) {
    let document = "settings: {key_restrictions: {rsa: maybe}, receive_max_input_size: 0, globally_allowed_ips: [x]}";
    insta::assert_snapshot!(refused(&pool, document).await, @"
    settings.key_restrictions.rsa: must match ^(any|forbidden)$, for example 2048
    settings.receive_max_input_size: must be at least 1
    ");
    insta::assert_snapshot!(refused(&pool, "settings: {globally_allowed_ips: [x]}").await, @"settings.globally_allowed_ips[0]: must be an address or a range of addresses, for example 10.0.0.0/8");
}
