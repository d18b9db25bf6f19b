//! What `gatehouse export` reads: whole tables, as the entries of a state document.
//!
//! Entries are put together by PostgreSQL, with the keys that the document has. Numbers that the document has words for
//! are the caller's to translate.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::ProjectId;

/// Makes all that is read in the transaction be of one moment.
pub async fn take_snapshot(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!("set transaction isolation level repeatable read, read only").execute(db).await?;
    Ok(())
}

/// The people of these names, or all of them: ids in the order of names. Bots are no part of a document.
pub async fn list_people(db: impl PgExecutor<'_>, usernames: Option<&[String]>) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        r#"
        select id
        from users
        -- 0 is a human.
        where user_type = 0
          and username is not null
          and ($1::text[] is null or lower(username) = any($1))
        order by lower(username)
        "#,
        usernames
    );
    Ok(ids.fetch_all(db).await?)
}

/// The names of all people, by id.
pub async fn list_usernames(db: impl PgExecutor<'_>) -> Result<HashMap<i64, String>> {
    let rows =
        sqlx::query!(r#"select id, username as "username!" from users where user_type = 0 and username is not null"#);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.username)).collect())
}

/// The groups at these paths and below them, or all of them: ids in the order of paths.
pub async fn list_groups(db: impl PgExecutor<'_>, paths: Option<&[String]>) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        r#"
        select namespaces.id
        from namespaces
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        where namespaces.type = 'Group'
          and (
            $1::text[] is null
            or exists (
              select
              from unnest($1::text[]) as asked (path)
              where lower(routes.path) = asked.path
                or starts_with(lower(routes.path), asked.path || '/')
            )
          )
        order by lower(routes.path)
        "#,
        paths
    );
    Ok(ids.fetch_all(db).await?)
}

/// The projects at these paths and those below these groups, or all of them: ids in the order of paths.
pub async fn list_projects(
    db: impl PgExecutor<'_>,
    paths: Option<&[String]>,
    groups: Option<&[String]>,
) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        r#"
        select routes.source_id
        from routes
        where routes.source_type = 'Project'
          and (
            ($1::text[] is null and $2::text[] is null)
            or lower(routes.path) = any($1)
            or exists (
              select
              from unnest($2::text[]) as asked (path)
              where starts_with(lower(routes.path), asked.path || '/')
            )
          )
        order by lower(routes.path)
        "#,
        paths,
        groups
    );
    Ok(ids.fetch_all(db).await?)
}

/// The full paths of all groups and personal namespaces, by id.
pub async fn list_namespace_paths(db: impl PgExecutor<'_>) -> Result<HashMap<i64, String>> {
    let rows = sqlx::query!("select source_id, path from routes where source_type = 'Namespace'");
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.source_id, row.path)).collect())
}

/// The full paths of the projects that these are forks of.
pub async fn list_fork_sources(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<Vec<(ProjectId, String)>> {
    let rows = sqlx::query!(
        r#"
        select members.project_id, routes.path
        from fork_network_members as members
        join routes on routes.source_type = 'Project' and routes.source_id = members.forked_from_project_id
        where members.project_id = any ($1)
        "#,
        projects
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (ProjectId(row.project_id), row.path)).collect())
}

/// The entries of something that groups or projects have, by the owner's id.
pub type OwnedEntries = HashMap<i64, Vec<Value>>;

fn owned(rows: impl Iterator<Item = (i64, Value)>) -> OwnedEntries {
    let mut entries = OwnedEntries::new();
    for (owner, entry) in rows {
        entries.entry(owner).or_default().push(entry);
    }
    entries
}

/// The kinds differ in their tables and keys alone, which a checked statement cannot take as parameters.
macro_rules! owned_entries {
    ($($(#[$doc:meta])* $name:ident $statement:literal)+) => {$(
        $(#[$doc])*
        pub async fn $name(db: impl PgExecutor<'_>, owners: &[i64]) -> Result<OwnedEntries> {
            let rows = sqlx::query!($statement, owners).fetch_all(db).await?;
            Ok(owned(rows.into_iter().map(|row| (row.owner, row.entry))))
        }
    )+};
}

owned_entries! {
    /// The address ranges of groups, as texts.
    list_ip_ranges
    r#"
    select group_id as "owner!", to_jsonb(range) as "entry!"
    from ip_restrictions
    where group_id = any($1)
    order by range
    "#
    /// The domains of which groups take members, as texts.
    list_email_domains
    r#"
    select group_id as "owner!", to_jsonb(lower(domain)) as "entry!"
    from allowed_email_domains
    where group_id = any($1)
    order by lower(domain)
    "#
    /// The SAML providers of groups.
    list_saml_providers
    r#"
    select
      group_id as "owner!",
      jsonb_build_object(
        'enabled', enabled, 'enforced_sso', enforced_sso, 'default_membership_role', default_membership_role
      ) as "entry!"
    from saml_providers
    where group_id = any($1)
    order by id
    "#
    /// The links of groups to groups of an identity provider.
    list_saml_group_links
    r#"
    select
      group_id as "owner!",
      jsonb_build_object('saml_group_name', saml_group_name, 'access_level', access_level) as "entry!"
    from saml_group_links
    where group_id = any($1)
    order by saml_group_name
    "#
    /// The users of groups' identity providers.
    list_group_scim_identities
    r#"
    select
      identities.group_id as "owner!",
      jsonb_build_object(
        'user', users.username, 'id', identities.id, 'extern_uid', identities.extern_uid,
        'active', coalesce(identities.active, false)
      ) as "entry!"
    from group_scim_identities as identities
    join users on users.id = identities.user_id
    where identities.group_id = any($1)
    order by lower(users.username)
    "#
    /// The certificate authorities of groups.
    list_certificate_authorities
    r#"
    select
      namespace_id as "owner!", jsonb_build_object('title', title, 'id', id, 'key', key) as "entry!"
    from group_ssh_certificates
    where namespace_id = any($1)
    order by id
    "#
    /// The merge requests of projects.
    list_merge_requests
    r#"
    select
      merge_requests.target_project_id as "owner!",
      jsonb_build_object(
        'iid', merge_requests.iid,
        'source_project', routes.path,
        'source_branch', merge_requests.source_branch,
        'target_branch', merge_requests.target_branch,
        'state', merge_requests.state_id,
        'allow_collaboration', coalesce(merge_requests.allow_maintainer_to_push, false),
        'in_progress_merge_commit_sha', merge_requests.in_progress_merge_commit_sha
      ) as "entry!"
    from merge_requests
    join routes on routes.source_type = 'Project' and routes.source_id = merge_requests.source_project_id
    where merge_requests.target_project_id = any($1)
      and merge_requests.iid is not null
    order by merge_requests.iid
    "#
    /// Whether projects take errors.
    list_error_tracking
    r#"
    select
      project_id as "owner!", jsonb_build_object('enabled', enabled, 'integrated', integrated) as "entry!"
    from project_error_tracking_settings
    where project_id = any($1)
    "#
    /// The keys that programs show to projects that take errors.
    list_client_keys
    r#"
    select
      project_id as "owner!",
      jsonb_build_object('public_key', public_key, 'id', id, 'active', active) as "entry!"
    from error_tracking_client_keys
    where project_id = any($1)
    order by id
    "#
    /// The security policies of projects: their file and when it changed.
    list_project_policies
    r#"
    select
      project_id as "owner!",
      jsonb_build_object('yaml', policy_yaml, 'updated_at', policy_last_updated_at) as "entry!"
    from security_orchestration_policy_configurations
    where project_id = any($1)
    order by id
    "#
    /// The security policies of groups: their file and when it changed.
    list_group_policies
    r#"
    select
      namespace_id as "owner!",
      jsonb_build_object('yaml', policy_yaml, 'updated_at', policy_last_updated_at) as "entry!"
    from security_orchestration_policy_configurations
    where namespace_id = any($1)
    order by id
    "#
}

/// The kinds differ in their tables and keys alone, which a checked statement cannot take as parameters.
macro_rules! all_entries {
    ($($(#[$doc:meta])* $name:ident $statement:literal)+) => {$(
        $(#[$doc])*
        pub async fn $name(db: impl PgExecutor<'_>) -> Result<Vec<Value>> {
            Ok(sqlx::query_scalar!($statement).fetch_all(db).await?)
        }
    )+};
}

all_entries! {
    /// All plans.
    list_plans
    r#"
    select jsonb_build_object('name', name, 'id', id, 'title', title) as "entry!"
    from plans
    where name <> ''
    order by name
    "#
    /// All snippets, as far as git depends on them.
    list_snippets
    r#"
    select
      jsonb_build_object(
        'id', snippets.id,
        'author', users.username,
        'project', routes.path,
        'visibility', snippets.visibility_level,
        'repository_read_only', snippets.repository_read_only,
        'storage', shards.name,
        'repository', case when repositories.snippet_id is null then 'absent' else 'present' end
      ) as "entry!"
    from snippets
    -- 0 is a human: no document has a bot.
    join users on users.id = snippets.author_id and users.user_type = 0
    left join routes on routes.source_type = 'Project' and routes.source_id = snippets.project_id
    left join snippet_repositories as repositories on repositories.snippet_id = snippets.id
    left join shards on shards.id = repositories.shard_id
    order by snippets.id
    "#
    /// All purchases of add-ons, by the numbers of the add-ons.
    list_add_on_purchases
    r#"
    select
      jsonb_build_object(
        'namespace', routes.path, 'add_on', add_ons.name, 'quantity', purchases.quantity,
        'started_on', purchases.started_at, 'expires_on', purchases.expires_on,
        'purchase_xid', purchases.purchase_xid, 'trial', purchases.trial
      ) as "entry!"
    from subscription_add_on_purchases as purchases
    join subscription_add_ons as add_ons on add_ons.id = purchases.subscription_add_on_id
    join routes on routes.source_type = 'Namespace' and routes.source_id = purchases.namespace_id
    order by routes.path, add_ons.name
    "#
    /// All packs of compute minutes that have a purchase.
    list_minutes_packs
    r#"
    select
      jsonb_build_object(
        'purchase_xid', packs.purchase_xid, 'namespace', routes.path, 'number_of_minutes', packs.number_of_minutes,
        'expires_at', packs.expires_at
      ) as "entry!"
    from ci_minutes_additional_packs as packs
    join routes on routes.source_type = 'Namespace' and routes.source_id = packs.namespace_id
    where char_length(packs.purchase_xid) between 1 and 32
      and packs.number_of_minutes > 0
    order by packs.purchase_xid
    "#
    /// All reconciliations.
    list_reconciliations
    r#"
    select
      jsonb_build_object(
        'namespace', routes.path, 'next_reconciliation_date', next_reconciliation_date,
        'display_alert_from', display_alert_from
      ) as "entry!"
    from upcoming_reconciliations
    join routes on routes.source_type = 'Namespace' and routes.source_id = upcoming_reconciliations.namespace_id
    order by routes.path
    "#
    /// All exclusions from storage limits.
    list_storage_exclusions
    r#"
    select jsonb_build_object('namespace', routes.path, 'reason', exclusions.reason) as "entry!"
    from namespaces_storage_limit_exclusions as exclusions
    join routes on routes.source_type = 'Namespace' and routes.source_id = exclusions.namespace_id
    order by routes.path
    "#
    /// All subscriptions.
    list_subscriptions
    r#"
    select
      jsonb_build_object(
        'namespace', routes.path, 'plan_code', plans.name, 'start_date', subscriptions.start_date,
        'end_date', subscriptions.end_date, 'seats', subscriptions.seats,
        'max_seats_used', subscriptions.max_seats_used, 'auto_renew', subscriptions.auto_renew,
        'trial', subscriptions.trial, 'trial_starts_on', subscriptions.trial_starts_on,
        'trial_ends_on', subscriptions.trial_ends_on
      ) as "entry!"
    from gitlab_subscriptions as subscriptions
    join routes on routes.source_type = 'Namespace' and routes.source_id = subscriptions.namespace_id
    left join plans on plans.id = subscriptions.hosted_plan_id
    where subscriptions.start_date is not null
    order by routes.path
    "#
    /// The users of the installation's identity provider.
    list_scim_identities
    r#"
    select
      jsonb_build_object(
        'user', users.username, 'id', identities.id, 'extern_uid', identities.extern_uid,
        'active', coalesce(identities.active, false)
      ) as "entry!"
    from scim_identities as identities
    join users on users.id = identities.user_id
    where identities.group_id is null
    order by lower(users.username)
    "#
    /// All messages to everyone.
    list_broadcast_messages
    r#"
    select
      jsonb_build_object(
        'message', message, 'id', id,
        'starts_at', to_char(starts_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'ends_at', to_char(ends_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'broadcast_type', broadcast_type, 'show_in_cli', show_in_cli, 'target_path', target_path,
        'target_access_levels', target_access_levels
      ) as "entry!"
    from broadcast_messages
    order by id
    "#
}

/// The push rules of projects, by the project's id.
pub async fn list_project_push_rules(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<HashMap<i64, i64>> {
    let rows = sqlx::query!(
        r#"
        select project_id as "project_id!", min(id) as "id!"
        from push_rules
        where project_id = any($1)
        group by project_id
        "#,
        projects
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.project_id, row.id)).collect())
}

/// The push rules of groups, by the group's id.
pub async fn list_group_push_rules(db: impl PgExecutor<'_>, groups: &[i64]) -> Result<HashMap<i64, i64>> {
    let rows = sqlx::query!(
        r#"select id, push_rule_id as "rule!" from namespaces where id = any($1) and push_rule_id is not null"#,
        groups
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.rule)).collect())
}
