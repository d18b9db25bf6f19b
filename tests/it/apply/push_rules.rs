//! `push_rules:` of projects, groups and the instance.

use sqlx::PgPool;

use super::{applied, refused};

#[sqlx::test]
async fn an_expression_that_is_not_re2s_is_refused_with_its_place(pool: PgPool) {
    let document = r"
settings: {push_rules: {commit_message_regex: '(?=x)'}}
groups: [{path: acme, push_rules: {branch_name_regex: '^a{1001}$', author_email_regex: '@acme\.example$'}}]
projects: [{path: acme/p, push_rules: {file_name_regex: '\Z', commit_message_negative_regex: '['}}]
";
    insta::assert_snapshot!(refused(&pool, document).await, @r"
    groups[0].push_rules.branch_name_regex: is no regular expression of RE2's: invalid repetition size: {1001}
    projects[0].push_rules.commit_message_negative_regex: is no regular expression of RE2's: missing ]: [
    projects[0].push_rules.file_name_regex: is no regular expression of RE2's: invalid escape sequence: \Z
    settings.push_rules.commit_message_regex: is no regular expression of RE2's: invalid perl operator: (?=
    ");
}

#[sqlx::test]
async fn what_re2_takes_is_taken(pool: PgPool) {
    applied(
        &pool,
        r"groups: [{path: acme, push_rules: {commit_message_regex: '^\Q[ACME]\E a{,2} \pL', branch_name_regex: null}}]",
    )
    .await;
}
