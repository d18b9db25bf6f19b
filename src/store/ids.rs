//! Ids that an operator chooses: whether one is free, and the sequences that make the others.

use sqlx::PgExecutor;

use super::Result;

/// Makes the table's next id greater than `id`. Like all that is done to a sequence, this outlives a rollback.
pub async fn move_past(db: impl PgExecutor<'_>, table: &str, id: i64) -> Result<()> {
    // A sequence that is past it is left alone: a document that changes nothing writes nothing.
    sqlx::query!(
        "
        select setval(sequence, $2)
        from (select pg_get_serial_sequence($1, 'id')::regclass as sequence) as named
        where coalesce(pg_sequence_last_value(sequence), 0) < $2
        ",
        table,
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(())
}

/// The table's next ids, in order.
pub async fn take(db: impl PgExecutor<'_>, table: &str, count: usize) -> Result<Vec<i64>> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    let ids = sqlx::query_scalar!(
        r#"select nextval(pg_get_serial_sequence($1, 'id')::regclass) as "id!" from generate_series(1, $2)"#,
        table,
        count
    );
    Ok(ids.fetch_all(db).await?)
}

/// Whether a row of the table has that id.
pub async fn exists(db: impl PgExecutor<'_>, table: &str, id: i64) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
        select case $1
          when 'broadcast_messages' then exists (select from broadcast_messages where id = $2)
          when 'cluster_agent_tokens' then exists (select from cluster_agent_tokens where id = $2)
          when 'cluster_agents' then exists (select from cluster_agents where id = $2)
          when 'emails' then exists (select from emails where id = $2)
          when 'deploy_tokens' then exists (select from deploy_tokens where id = $2)
          when 'error_tracking_client_keys' then exists (select from error_tracking_client_keys where id = $2)
          when 'group_ssh_certificates' then exists (select from group_ssh_certificates where id = $2)
          when 'group_scim_identities' then exists (select from group_scim_identities where id = $2)
          when 'scim_identities' then exists (select from scim_identities where id = $2)
          when 'identities' then exists (select from identities where id = $2)
          when 'keys' then exists (select from keys where id = $2)
          when 'namespaces' then exists (select from namespaces where id = $2)
          when 'oauth_access_tokens' then exists (select from oauth_access_tokens where id = $2)
          when 'personal_access_tokens' then exists (select from personal_access_tokens where id = $2)
          when 'plans' then exists (select from plans where id = $2)
          when 'projects' then exists (select from projects where id = $2)
          when 'protected_branches' then exists (select from protected_branches where id = $2)
          when 'protected_tags' then exists (select from protected_tags where id = $2)
          when 'users' then exists (select from users where id = $2)
        end as "found!"
        "#,
        table,
        id
    );
    Ok(found.fetch_one(db).await?)
}
