//! Web hooks: who is told of pushes, what waits to be told, and what was answered. URLs and tokens are ciphertexts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::crypto::attr_encrypted::{ColumnKey, UndecryptableColumns};
use crate::domain::egress::EgressPolicy;
use crate::domain::ids::{NamespaceId, ProjectId, WebHookId};
use crate::domain::web_hook::{HookHealth, HookSubscriptions, KEPT_EVENTS};

/// Answers that are kept of each hook.
const LOGS: i64 = 20;

/// Whose pushes a hook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookOwner {
    /// Those to one project.
    Project(ProjectId),
    /// Those to the projects of a group and of the groups below it.
    Group(NamespaceId),
    /// All of them.
    Instance,
}

impl HookOwner {
    fn columns(self) -> (&'static str, Option<i64>, Option<i64>) {
        match self {
            Self::Project(id) => ("ProjectHook", Some(id.0), None),
            Self::Group(id) => ("GroupHook", None, Some(id.0)),
            Self::Instance => ("SystemHook", None, None),
        }
    }
}

/// A hook, as it is configured.
#[derive(Debug, Clone)]
pub struct WebHook {
    /// Where it posts to. A URL may hold a secret, hence the wrapping.
    pub url: SecretString,
    /// What it sends as `X-Gitlab-Token`.
    pub token: Option<SecretString>,
    /// What people call it.
    pub name: Option<String>,
    /// What it listens to.
    pub listening: HookSubscriptions,
    /// Whether the receiver's certificate must be good.
    pub enable_ssl_verification: bool,
}

impl WebHook {
    /// Whether it posts to this URL.
    #[must_use]
    pub fn has_url(&self, url: &str) -> bool {
        self.url.expose_secret() == url
    }
}

impl PartialEq for WebHook {
    fn eq(&self, other: &Self) -> bool {
        let token = |hook: &Self| hook.token.as_ref().map(|token| token.expose_secret().to_owned());
        self.url.expose_secret() == other.url.expose_secret()
            && token(self) == token(other)
            && self.name == other.name
            && self.listening == other.listening
            && self.enable_ssl_verification == other.enable_ssl_verification
    }
}

/// What an upsert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsertedHook {
    /// There was no hook with this URL.
    Created,
    /// There was one, and something of it was different.
    Updated,
    /// It was as it should be.
    Unchanged,
}

/// The hooks of an owner, oldest first. A hook that this instance cannot decrypt is an error: it was written under
/// another `db_key_base`.
///
/// # Errors
/// Where the database does not answer, or a hook cannot be decrypted.
pub async fn list(db: impl PgExecutor<'_>, owner: HookOwner, key: &ColumnKey) -> Result<Vec<(WebHookId, WebHook)>> {
    let (kind, project, group) = owner.columns();
    let rows = sqlx::query!(
        r#"
        select
          id,
          encrypted_url,
          encrypted_url_iv,
          encrypted_token,
          encrypted_token_iv,
          name,
          push_events,
          coalesce(tag_push_events, false) as "tag_push_events!",
          alert_events,
          repository_update_events,
          case when branch_filter_strategy = 0 then push_events_branch_filter end as branch_filter,
          coalesce(enable_ssl_verification, true) as "enable_ssl_verification!"
        from web_hooks
        where (
            (type = 'ProjectHook' and project_id = $2)
            or (type = 'GroupHook' and group_id = $3)
            or (type = 'SystemHook' and $1 = 'SystemHook')
          )
        order by id
        "#,
        kind,
        project,
        group,
    )
    .fetch_all(db)
    .await?;
    let hooks = rows.into_iter().map(|row| {
        let listening = HookSubscriptions {
            push_events: row.push_events,
            tag_push_events: row.tag_push_events,
            alert_events: row.alert_events,
            repository_update_events: row.repository_update_events,
            branch_filter: row.branch_filter,
        };
        let hook = WebHook {
            url: key.decrypt(&row.encrypted_url, &row.encrypted_url_iv).map_err(undecryptable)?,
            token: token(key, row.encrypted_token.as_deref(), row.encrypted_token_iv.as_deref())?,
            name: row.name,
            listening,
            enable_ssl_verification: row.enable_ssl_verification,
        };
        Ok((WebHookId(row.id), hook))
    });
    hooks.collect()
}

/// Makes the owner's hook with this URL what it should be. The caller's transaction keeps two of these apart.
///
/// # Errors
/// Where the database does not answer, or a hook of the owner cannot be decrypted.
pub async fn upsert(
    db: &mut PgConnection,
    owner: HookOwner,
    hook: &WebHook,
    key: &ColumnKey,
) -> Result<(WebHookId, UpsertedHook)> {
    let hooks = list(&mut *db, owner, key).await?;
    let same = hooks.into_iter().find(|(_, found)| found.url.expose_secret() == hook.url.expose_secret());
    match same {
        Some((id, found)) if found == *hook => Ok((id, UpsertedHook::Unchanged)),
        Some((id, _)) => update(&mut *db, id, hook, key).await.map(|()| (id, UpsertedHook::Updated)),
        None => insert(&mut *db, owner, hook, key).await.map(|id| (id, UpsertedHook::Created)),
    }
}

/// A new hook.
pub async fn insert(db: impl PgExecutor<'_>, owner: HookOwner, hook: &WebHook, key: &ColumnKey) -> Result<WebHookId> {
    let (kind, project, group) = owner.columns();
    let url = key.encrypt(hook.url.expose_secret());
    let token = hook.token.as_ref().map(|token| key.encrypt(token.expose_secret()));
    let id = sqlx::query_scalar!(
        "insert into web_hooks (
           type, project_id, group_id, name, encrypted_url, encrypted_url_iv, encrypted_token, encrypted_token_iv,
           push_events, tag_push_events, push_events_branch_filter, enable_ssl_verification, alert_events,
           repository_update_events
         )
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         returning id",
        kind,
        project,
        group,
        hook.name,
        url.text,
        url.iv,
        token.as_ref().map(|token| &token.text),
        token.as_ref().map(|token| &token.iv),
        hook.listening.push_events,
        hook.listening.tag_push_events,
        hook.listening.branch_filter,
        hook.enable_ssl_verification,
        hook.listening.alert_events,
        hook.listening.repository_update_events,
    )
    .fetch_one(db)
    .await?;
    Ok(WebHookId(id))
}

/// Makes a hook what it should be.
pub async fn update(db: impl PgExecutor<'_>, id: WebHookId, hook: &WebHook, key: &ColumnKey) -> Result<()> {
    let url = key.encrypt(hook.url.expose_secret());
    let token = hook.token.as_ref().map(|token| key.encrypt(token.expose_secret()));
    sqlx::query!(
        "update web_hooks
         set
           name = $2,
           encrypted_token = $3,
           encrypted_token_iv = $4,
           push_events = $5,
           tag_push_events = $6,
           push_events_branch_filter = $7,
           branch_filter_strategy = 0,
           enable_ssl_verification = $8,
           alert_events = $9,
           repository_update_events = $10,
           encrypted_url = $11,
           encrypted_url_iv = $12,
           updated_at = now() at time zone 'utc'
         where id = $1",
        id.0,
        hook.name,
        token.as_ref().map(|token| &token.text),
        token.as_ref().map(|token| &token.iv),
        hook.listening.push_events,
        hook.listening.tag_push_events,
        hook.listening.branch_filter,
        hook.enable_ssl_verification,
        hook.listening.alert_events,
        hook.listening.repository_update_events,
        url.text,
        url.iv,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What else clients write of a hook and read back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookDetails {
    /// `web_hooks.description`
    pub description: Option<String>,
    /// The branches are not filtered, and that was said.
    pub all_branches: bool,
    /// The events among [`KEPT_EVENTS`] that it is said to listen to.
    pub kept_events: BTreeSet<String>,
}

/// Writes what else clients say of a hook.
pub async fn update_details(db: impl PgExecutor<'_>, id: WebHookId, details: &HookDetails) -> Result<()> {
    let kept: BTreeMap<&str, bool> =
        KEPT_EVENTS.into_iter().map(|name| (name, details.kept_events.contains(name))).collect();
    sqlx::query!(
        "
        update web_hooks
        set description = $2,
            branch_filter_strategy = case when $3 then 2 else 0 end,
            (
              issues_events, confidential_issues_events, merge_requests_events, note_events, confidential_note_events,
              job_events, pipeline_events, wiki_page_events, deployment_events, feature_flag_events, releases_events,
              milestone_events, emoji_events, resource_access_token_events, resource_deploy_token_events,
              vulnerability_events, subgroup_events, member_events, project_events
            ) = (
              select
                issues_events, confidential_issues_events, merge_requests_events, note_events,
                confidential_note_events, job_events, pipeline_events, wiki_page_events, deployment_events,
                feature_flag_events, releases_events, milestone_events, emoji_events, resource_access_token_events,
                resource_deploy_token_events, vulnerability_events, subgroup_events, member_events, project_events
              from jsonb_populate_record(null::web_hooks, $4)
            )
        where id = $1
        ",
        id.0,
        details.description,
        details.all_branches,
        Json(kept) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A hook with everything that clients read of it.
#[derive(Debug, Clone)]
pub struct StoredHook {
    /// `web_hooks.id`
    pub id: WebHookId,
    /// When it was made.
    pub created_at: Option<NaiveDateTime>,
    /// When it was changed last.
    pub updated_at: Option<NaiveDateTime>,
    /// How its receiver does.
    pub health: HookHealth,
    /// What it is.
    pub hook: WebHook,
    /// What else is said of it.
    pub details: HookDetails,
}

/// Which hooks of an owner are looked for.
#[derive(Debug, Clone, Copy)]
pub struct HookRange {
    /// That one alone.
    pub id: Option<WebHookId>,
    /// Hooks at most.
    pub limit: i64,
    /// Hooks before them.
    pub offset: i64,
}

impl HookRange {
    /// One hook.
    #[must_use]
    pub fn one(id: WebHookId) -> Self {
        Self { id: Some(id), limit: 1, offset: 0 }
    }
}

/// Hooks of an owner, the oldest first.
///
/// # Errors
/// Where the database does not answer, or a hook cannot be decrypted.
pub async fn list_stored(
    db: impl PgExecutor<'_>,
    owner: HookOwner,
    range: HookRange,
    key: &ColumnKey,
) -> Result<Vec<StoredHook>> {
    let (kind, project, group) = owner.columns();
    let rows = sqlx::query!(
        r#"
        select
          id,
          created_at,
          updated_at,
          encrypted_url,
          encrypted_url_iv,
          encrypted_token,
          encrypted_token_iv,
          name,
          description,
          push_events,
          coalesce(tag_push_events, false) as "tag_push_events!",
          alert_events,
          repository_update_events,
          branch_filter_strategy = 2 as "all_branches!",
          case when branch_filter_strategy = 0 then push_events_branch_filter end as branch_filter,
          coalesce(enable_ssl_verification, true) as "enable_ssl_verification!",
          recent_failures,
          disabled_until,
          array(
            select kept.name
            from jsonb_each(to_jsonb(web_hooks)) as kept (name, value)
            where kept.name = any ($4)
              and kept.value = 'true'::jsonb
          ) as "kept_events!: Vec<String>"
        from web_hooks
        where (
            (type = 'ProjectHook' and project_id = $2)
            or (type = 'GroupHook' and group_id = $3)
            or (type = 'SystemHook' and $1 = 'SystemHook')
          )
          and ($5::bigint is null or id = $5)
        order by id
        limit $6
        offset $7
        "#,
        kind,
        project,
        group,
        &KEPT_EVENTS.map(str::to_owned)[..],
        range.id.map(|id| id.0),
        range.limit,
        range.offset
    )
    .fetch_all(db)
    .await?;
    let hooks = rows.into_iter().map(|row| {
        let listening = HookSubscriptions {
            push_events: row.push_events,
            tag_push_events: row.tag_push_events,
            alert_events: row.alert_events,
            repository_update_events: row.repository_update_events,
            branch_filter: row.branch_filter,
        };
        let hook = WebHook {
            url: key.decrypt(&row.encrypted_url, &row.encrypted_url_iv).map_err(undecryptable)?,
            token: token(key, row.encrypted_token.as_deref(), row.encrypted_token_iv.as_deref())?,
            name: row.name,
            listening,
            enable_ssl_verification: row.enable_ssl_verification,
        };
        let details = HookDetails {
            description: row.description,
            all_branches: row.all_branches,
            kept_events: row.kept_events.into_iter().collect(),
        };
        let health = HookHealth::of(owner == HookOwner::Instance, row.recent_failures, row.disabled_until);
        Ok(StoredHook {
            id: WebHookId(row.id),
            created_at: row.created_at,
            updated_at: row.updated_at,
            health,
            hook,
            details,
        })
    });
    hooks.collect()
}

/// Whether the hook is that owner's.
pub async fn belongs_to(db: impl PgExecutor<'_>, owner: HookOwner, id: WebHookId) -> Result<bool> {
    let (kind, project, group) = owner.columns();
    let found = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from web_hooks
          where id = $1
            and type = $2
            and project_id is not distinct from $3
            and group_id is not distinct from $4
        ) as "found!"
        "#,
        id.0,
        kind,
        project,
        group
    );
    Ok(found.fetch_one(db).await?)
}

/// How many hooks an owner has.
pub async fn count(db: impl PgExecutor<'_>, owner: HookOwner) -> Result<i64> {
    let (kind, project, group) = owner.columns();
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from web_hooks
        where (
            (type = 'ProjectHook' and project_id = $2)
            or (type = 'GroupHook' and group_id = $3)
            or (type = 'SystemHook' and $1 = 'SystemHook')
          )
        "#,
        kind,
        project,
        group
    );
    Ok(count.fetch_one(db).await?)
}

/// Where requests of hooks may go: of the instance's own, or of the others.
pub async fn find_egress(db: impl PgExecutor<'_>, system: bool) -> Result<EgressPolicy> {
    let row = sqlx::query!(
        r#"
        select
          case
            when $1 then allow_local_requests_from_system_hooks
            else allow_local_requests_from_web_hooks_and_services
          end as "local!",
          outbound_local_requests_whitelist as exceptions
        from application_settings
        order by id desc
        limit 1
        "#,
        system
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| EgressPolicy { local: row.local, exceptions: row.exceptions }).unwrap_or_default())
}

/// Removes a hook, with what waits to be delivered to it. False where there was none.
pub async fn delete(db: impl PgExecutor<'_>, id: WebHookId) -> Result<bool> {
    let deleted = sqlx::query!("delete from web_hooks where id = $1", id.0).execute(db).await?;
    Ok(deleted.rows_affected() > 0)
}

/// A hook that subscribes to what happens to a project.
#[derive(Debug, Clone)]
pub struct HookSubscriber {
    /// The hook.
    pub id: WebHookId,
    /// What it listens to.
    pub listening: HookSubscriptions,
    /// The same text for all hooks that post to one server: where one of them waits for an answer, so may the others.
    pub receiver: String,
}

/// The hooks that subscribe to anything that happens to a project: its own, those of the groups above it, and the
/// instance's. Hooks that are disabled for good are left out.
pub async fn list_listening(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    key: &ColumnKey,
) -> Result<Vec<HookSubscriber>> {
    let rows = sqlx::query!(
        r#"
        select
          web_hooks.id,
          encrypted_url,
          encrypted_url_iv,
          push_events,
          coalesce(tag_push_events, false) as "tag_push_events!",
          alert_events,
          repository_update_events and web_hooks.type = 'SystemHook' as "repository_update_events!",
          case when branch_filter_strategy = 0 then push_events_branch_filter end as branch_filter
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        join web_hooks
          on (web_hooks.type = 'ProjectHook' and web_hooks.project_id = projects.id)
          or (web_hooks.type = 'GroupHook' and web_hooks.group_id = any (namespaces.traversal_ids))
          or web_hooks.type = 'SystemHook'
        where projects.id = $1
          and recent_failures < $2
        order by web_hooks.id
        "#,
        project.0,
        HookHealth::LAST_FAILURE,
    )
    .fetch_all(db)
    .await?;
    let hooks = rows.into_iter().map(|row| {
        let listening = HookSubscriptions {
            push_events: row.push_events,
            tag_push_events: row.tag_push_events,
            alert_events: row.alert_events,
            repository_update_events: row.repository_update_events,
            branch_filter: row.branch_filter,
        };
        // A URL that cannot be decrypted goes nowhere, as its delivery will find out.
        let url = key.decrypt(&row.encrypted_url, &row.encrypted_url_iv).ok();
        let receiver = url.map_or_else(|| format!("hook {}", row.id), |url| receiver(key, url.expose_secret()));
        HookSubscriber { id: WebHookId(row.id), listening, receiver }
    });
    Ok(hooks.collect())
}

/// The server that a URL leads to, so that the text says it to nobody who does not have the key.
fn receiver(key: &ColumnKey, url: &str) -> String {
    let beginning = url.find("://").map_or(0, |at| at + 3);
    let authority = url[beginning..].split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    key.fingerprint(&host.to_ascii_lowercase())
}

/// Keeps what a hook is to be told, and names it.
pub async fn insert_delivery(
    db: impl PgExecutor<'_>,
    hook: WebHookId,
    trigger: &str,
    event: Uuid,
    body: &str,
) -> Result<Uuid> {
    let id = sqlx::query_scalar!(
        "insert into web_hook_deliveries (web_hook_id, trigger, event_uuid, request_data)
         values ($1, $2, $3, $4)
         returning id",
        hook.0,
        trigger,
        event,
        body,
    )
    .fetch_one(db)
    .await?;
    Ok(id)
}

/// Keeps what a hook was told to be told it again, under the same name; none where that is not kept any more, or it still
/// waits to be delivered.
pub async fn insert_delivery_again(db: impl PgExecutor<'_>, hook: WebHookId, log: i64) -> Result<Option<Uuid>> {
    let id = sqlx::query_scalar!(
        "insert into web_hook_deliveries (id, web_hook_id, trigger, event_uuid, request_data)
         select delivery_id, web_hook_id, trigger, event_uuid, request_data
         from web_hook_logs
         where id = $1
           and web_hook_id = $2
           and num_nulls(delivery_id, trigger, event_uuid, request_data) = 0
         on conflict (id) do nothing
         returning id",
        log,
        hook.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(id)
}

/// What is to be delivered, and how.
#[derive(Debug)]
pub struct HookDelivery {
    /// The hook.
    pub hook: WebHookId,
    /// Whether it is the instance's own.
    pub system: bool,
    /// Where to.
    pub url: SecretString,
    /// `X-Gitlab-Token`
    pub token: Option<SecretString>,
    /// Whether the receiver's certificate must be good.
    pub enable_ssl_verification: bool,
    /// `push_hooks`, `tag_push_hooks`, `repository_update_hooks` or `alert_hooks`
    pub trigger: String,
    /// The same for every hook that the same push sets off.
    pub event: Uuid,
    /// The body.
    pub body: String,
    /// Where the request may go.
    pub egress: EgressPolicy,
    /// No request leaves the instance now.
    pub silent: bool,
    /// How the hook's receiver does.
    pub health: HookHealth,
    /// When it was to be delivered first.
    pub created_at: DateTime<Utc>,
}

/// What waits to be delivered under this name; nothing where it is delivered, or its hook is gone.
///
/// # Errors
/// Where the database does not answer, or the hook cannot be decrypted.
pub async fn find_delivery(db: impl PgExecutor<'_>, id: Uuid, key: &ColumnKey) -> Result<Option<HookDelivery>> {
    let row = sqlx::query!(
        r#"
        select
          web_hooks.id,
          web_hooks.type = 'SystemHook' as "system!",
          encrypted_url,
          encrypted_url_iv,
          encrypted_token,
          encrypted_token_iv,
          coalesce(enable_ssl_verification, true) as "enable_ssl_verification!",
          trigger,
          event_uuid,
          request_data,
          web_hook_deliveries.created_at,
          recent_failures,
          disabled_until,
          settings.allow_local_requests_from_web_hooks_and_services as "hooks_local?",
          settings.allow_local_requests_from_system_hooks as "system_local?",
          settings.outbound_local_requests_whitelist as "exceptions?",
          settings.silent_mode_enabled as "silent?"
        from web_hook_deliveries
        join web_hooks on web_hooks.id = web_hook_deliveries.web_hook_id
        left join lateral (
          select *
          from application_settings
          order by id desc
          limit 1
        ) as settings on true
        where web_hook_deliveries.id = $1
        "#,
        id,
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let local = if row.system { row.system_local } else { row.hooks_local };
    Ok(Some(HookDelivery {
        hook: WebHookId(row.id),
        system: row.system,
        url: key.decrypt(&row.encrypted_url, &row.encrypted_url_iv).map_err(undecryptable)?,
        token: token(key, row.encrypted_token.as_deref(), row.encrypted_token_iv.as_deref())?,
        enable_ssl_verification: row.enable_ssl_verification,
        trigger: row.trigger,
        event: row.event_uuid,
        body: row.request_data,
        egress: EgressPolicy { local: local.unwrap_or_default(), exceptions: row.exceptions.unwrap_or_default() },
        silent: row.silent.unwrap_or_default(),
        health: HookHealth::of(row.system, row.recent_failures, row.disabled_until),
        created_at: row.created_at,
    }))
}

/// Forgets what was delivered.
pub async fn delete_delivery(db: impl PgExecutor<'_>, id: Uuid) -> Result<()> {
    sqlx::query!("delete from web_hook_deliveries where id = $1", id).execute(db).await?;
    Ok(())
}

/// Forgets what was made before `then` and has no job any more: those of a hook that pauses live for weeks.
#[expect(clippy::disallowed_methods, reason = "the queue's schema is its library's, which builds do not know")]
pub async fn delete_deliveries(db: impl PgExecutor<'_>, then: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query(
        "delete from web_hook_deliveries
         where created_at < $1
           and not exists (select from graphile_worker.jobs where jobs.key = web_hook_deliveries.id::text)",
    )
    .bind(then)
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}

/// What a receiver answered, or why it did not.
#[derive(Debug)]
pub struct ReceiverAnswer {
    /// Its status.
    pub status: Option<u16>,
    /// The beginning of its body.
    pub body: String,
    /// Why there is no status.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

/// What was sent to a receiver.
#[derive(Debug, Clone, Copy)]
pub struct SentRequest<'a> {
    /// The delivery.
    pub delivery: Uuid,
    /// The same for every hook that the same push sets off.
    pub event: Uuid,
    /// The body.
    pub body: &'a str,
}

/// Keeps an answer with what it answers, and of each hook the last few.
pub async fn insert_log(
    db: &mut PgConnection,
    hook: WebHookId,
    trigger: &str,
    sent: Option<SentRequest<'_>>,
    answer: &ReceiverAnswer,
) -> Result<()> {
    let status = answer.status.map_or_else(|| "internal error".to_owned(), |status| status.to_string());
    sqlx::query!(
        "insert into web_hook_logs (
           web_hook_id, trigger, delivery_id, event_uuid, request_data, execution_duration, response_status,
           response_body, internal_error_message
         )
         select id, $2, $3, $4, $5, $6, $7, $8, $9
         from web_hooks
         where id = $1",
        hook.0,
        trigger,
        sent.map(|sent| sent.delivery),
        sent.map(|sent| sent.event),
        sent.map(|sent| sent.body),
        answer.duration.as_secs_f64(),
        status,
        answer.body,
        answer.error,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from web_hook_logs
         where web_hook_id = $1
           and id <= (
             select id
             from web_hook_logs
             where web_hook_id = $1
             order by id desc
             offset $2
             limit 1
           )",
        hook.0,
        LOGS,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How the receiver of a hook does, which nobody else changes before the caller's transaction ends; none where there is
/// no such hook.
pub async fn lock_health(db: impl PgExecutor<'_>, hook: WebHookId) -> Result<Option<HookHealth>> {
    let row = sqlx::query!(
        r#"
        select type = 'SystemHook' as "system!", recent_failures, disabled_until
        from web_hooks
        where id = $1
        for no key update
        "#,
        hook.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| HookHealth::of(row.system, row.recent_failures, row.disabled_until)))
}

/// Keeps how the receiver of a hook does.
pub async fn update_health(db: impl PgExecutor<'_>, hook: WebHookId, health: HookHealth) -> Result<()> {
    sqlx::query!(
        "update web_hooks set recent_failures = $2, disabled_until = $3 where id = $1",
        hook.0,
        health.recent_failures,
        health.disabled_until,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets the failures of these hooks. Answers with those that there are.
pub async fn enable(db: impl PgExecutor<'_>, hooks: &[i64]) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        "update web_hooks
         set recent_failures = 0, disabled_until = null
         where id = any ($1)
         returning id",
        hooks,
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// A hook whose receiver fails, for people to read.
#[derive(Debug)]
pub struct FailingHook {
    /// Its id.
    pub id: i64,
    /// Whose it is: a path, or `the instance`.
    pub owner: String,
    /// How its receiver does.
    pub health: HookHealth,
    /// What waits to be delivered to it, or has failed for good.
    pub deliveries: i64,
    /// What its receiver answered last: a status, or why there is none.
    pub last_answer: Option<String>,
}

/// The hooks whose receivers have failed since their last success, the worst first.
pub async fn list_failing(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<FailingHook>> {
    let rows = sqlx::query!(
        r#"
        select
          web_hooks.id,
          web_hooks.type = 'SystemHook' as "system!",
          routes.path as "path?",
          recent_failures,
          disabled_until,
          (
            select count(*)
            from web_hook_deliveries
            where web_hook_deliveries.web_hook_id = web_hooks.id
          ) as "deliveries!",
          (
            select coalesce(internal_error_message, response_status)
            from web_hook_logs
            where web_hook_logs.web_hook_id = web_hooks.id
            order by web_hook_logs.id desc
            limit 1
          ) as last_answer
        from web_hooks
        left join routes
          on (routes.source_type = 'Project' and routes.source_id = web_hooks.project_id)
          or (routes.source_type = 'Namespace' and routes.source_id = web_hooks.group_id)
        where recent_failures > 0
        order by recent_failures desc, web_hooks.id
        limit $1
        "#,
        limit,
    )
    .fetch_all(db)
    .await?;
    let hooks = rows.into_iter().map(|row| FailingHook {
        id: row.id,
        owner: row.path.unwrap_or_else(|| "the instance".to_owned()),
        health: HookHealth::of(row.system, row.recent_failures, row.disabled_until),
        deliveries: row.deliveries,
        last_answer: row.last_answer,
    });
    Ok(hooks.collect())
}

fn token(key: &ColumnKey, text: Option<&str>, iv: Option<&str>) -> Result<Option<SecretString>> {
    match (text, iv) {
        (Some(text), Some(iv)) => key.decrypt(text, iv).map(Some).map_err(undecryptable),
        (Some(_) | None, _) => Ok(None),
    }
}

fn undecryptable(error: UndecryptableColumns) -> super::Error {
    super::Error::Query(sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_of_one_server_have_one_receiver() {
        let key = ColumnKey::new(&"0123456789abcdef0123456789abcdef".into());
        let of = |url: &str| receiver(&key, url);
        let first = of("https://ci.example.com/hook?secret=1");
        for same in ["https://ci.example.com/other", "https://user:p@CI.example.com", "http://ci.example.com#x"] {
            assert_eq!(of(same), first, "{same}");
        }
        for other in ["https://ci.example.com:8080/hook", "https://example.com/", "nonsense", ""] {
            assert_ne!(of(other), first, "{other}");
        }
        assert!(!first.contains("example"), "{first}");
        let other = ColumnKey::new(&"fedcba9876543210fedcba9876543210".into());
        assert_ne!(receiver(&other, "https://ci.example.com/"), first);
    }
}
