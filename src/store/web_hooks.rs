//! Web hooks: who is told of pushes, what waits to be told, and what was answered. URLs and tokens are ciphertexts.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::attr_encrypted::{ColumnKey, Undecryptable};
use crate::domain::egress::Egress;
use crate::domain::ids::{NamespaceId, ProjectId, WebHookId};
use crate::domain::web_hook::Listening;

/// Answers that are kept of each hook.
const LOGS: i64 = 20;

/// Whose pushes a hook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Those to one project.
    Project(ProjectId),
    /// Those to the projects of a group and of the groups below it.
    Group(NamespaceId),
    /// All of them.
    Instance,
}

impl Owner {
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
    pub listening: Listening,
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
pub enum Upserted {
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
pub async fn list(db: impl PgExecutor<'_>, owner: Owner, key: &ColumnKey) -> Result<Vec<(WebHookId, WebHook)>> {
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
          case when branch_filter_strategy = 0 then push_events_branch_filter end as branch_filter,
          coalesce(enable_ssl_verification, true) as "enable_ssl_verification!"
        from web_hooks
        where type = $1
          and project_id is not distinct from $2
          and group_id is not distinct from $3
        order by id
        "#,
        kind,
        project,
        group,
    )
    .fetch_all(db)
    .await?;
    let hooks = rows.into_iter().map(|row| {
        let listening = Listening {
            push_events: row.push_events,
            tag_push_events: row.tag_push_events,
            alert_events: row.alert_events,
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
    owner: Owner,
    hook: &WebHook,
    key: &ColumnKey,
) -> Result<(WebHookId, Upserted)> {
    let hooks = list(&mut *db, owner, key).await?;
    let same = hooks.into_iter().find(|(_, found)| found.url.expose_secret() == hook.url.expose_secret());
    match same {
        Some((id, found)) if found == *hook => Ok((id, Upserted::Unchanged)),
        Some((id, _)) => update(db, id, hook, key).await.map(|()| (id, Upserted::Updated)),
        None => insert(db, owner, hook, key).await.map(|id| (id, Upserted::Created)),
    }
}

async fn insert(db: &mut PgConnection, owner: Owner, hook: &WebHook, key: &ColumnKey) -> Result<WebHookId> {
    let (kind, project, group) = owner.columns();
    let url = key.encrypt(hook.url.expose_secret());
    let token = hook.token.as_ref().map(|token| key.encrypt(token.expose_secret()));
    let id = sqlx::query_scalar!(
        "insert into web_hooks (
           type, project_id, group_id, name, encrypted_url, encrypted_url_iv, encrypted_token, encrypted_token_iv,
           push_events, tag_push_events, push_events_branch_filter, enable_ssl_verification, alert_events
         )
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
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
    )
    .fetch_one(db)
    .await?;
    Ok(WebHookId(id))
}

async fn update(db: &mut PgConnection, id: WebHookId, hook: &WebHook, key: &ColumnKey) -> Result<()> {
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
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a hook, with what waits to be delivered to it. False where there was none.
///
/// # Errors
/// Where the database does not answer, or takes no writes.
pub async fn delete(db: impl PgExecutor<'_>, id: WebHookId) -> Result<bool> {
    let deleted = sqlx::query!("delete from web_hooks where id = $1", id.0).execute(db).await?;
    Ok(deleted.rows_affected() > 0)
}

/// The hooks that hear of pushes to a project: its own, those of the groups above it, and the instance's.
///
/// # Errors
/// Where the database does not answer.
pub async fn list_listening(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Vec<(WebHookId, Listening)>> {
    let rows = sqlx::query!(
        r#"
        select
          web_hooks.id,
          push_events,
          coalesce(tag_push_events, false) as "tag_push_events!",
          alert_events,
          case when branch_filter_strategy = 0 then push_events_branch_filter end as branch_filter
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        join web_hooks
          on (web_hooks.type = 'ProjectHook' and web_hooks.project_id = projects.id)
          or (web_hooks.type = 'GroupHook' and web_hooks.group_id = any (namespaces.traversal_ids))
          or web_hooks.type = 'SystemHook'
        where projects.id = $1
          and (push_events or tag_push_events)
        order by web_hooks.id
        "#,
        project.0,
    )
    .fetch_all(db)
    .await?;
    let hooks = rows.into_iter().map(|row| {
        let listening = Listening {
            push_events: row.push_events,
            tag_push_events: row.tag_push_events,
            alert_events: row.alert_events,
            branch_filter: row.branch_filter,
        };
        (WebHookId(row.id), listening)
    });
    Ok(hooks.collect())
}

/// The hooks that hear of alerts of a project: its own, those of the groups above it, and the instance's.
///
/// # Errors
/// Where the database does not answer.
pub async fn list_hearing_alerts(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Vec<WebHookId>> {
    let ids = sqlx::query_scalar!(
        "select web_hooks.id
         from projects
         join namespaces on namespaces.id = projects.namespace_id
         join web_hooks
           on (web_hooks.type = 'ProjectHook' and web_hooks.project_id = projects.id)
           or (web_hooks.type = 'GroupHook' and web_hooks.group_id = any (namespaces.traversal_ids))
           or web_hooks.type = 'SystemHook'
         where projects.id = $1
           and alert_events
         order by web_hooks.id",
        project.0,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(WebHookId).collect())
}

/// Keeps what a hook is to be told, and names it.
///
/// # Errors
/// Where the database does not answer, or takes no writes.
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

/// What is to be delivered, and how.
#[derive(Debug)]
pub struct Delivery {
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
    /// `push_hooks`, `tag_push_hooks` or `alert_hooks`
    pub trigger: String,
    /// The same for every hook that the same push sets off.
    pub event: Uuid,
    /// The body.
    pub body: String,
    /// Where the request may go.
    pub egress: Egress,
    /// No request leaves the instance now.
    pub silent: bool,
}

/// What waits to be delivered under this name; nothing where it is delivered, or its hook is gone.
///
/// # Errors
/// Where the database does not answer, or the hook cannot be decrypted.
pub async fn find_delivery(db: impl PgExecutor<'_>, id: Uuid, key: &ColumnKey) -> Result<Option<Delivery>> {
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
    Ok(Some(Delivery {
        hook: WebHookId(row.id),
        system: row.system,
        url: key.decrypt(&row.encrypted_url, &row.encrypted_url_iv).map_err(undecryptable)?,
        token: token(key, row.encrypted_token.as_deref(), row.encrypted_token_iv.as_deref())?,
        enable_ssl_verification: row.enable_ssl_verification,
        trigger: row.trigger,
        event: row.event_uuid,
        body: row.request_data,
        egress: Egress { local: local.unwrap_or_default(), exceptions: row.exceptions.unwrap_or_default() },
        silent: row.silent.unwrap_or_default(),
    }))
}

/// Forgets what was delivered.
///
/// # Errors
/// Where the database does not answer, or takes no writes.
pub async fn delete_delivery(db: impl PgExecutor<'_>, id: Uuid) -> Result<()> {
    sqlx::query!("delete from web_hook_deliveries where id = $1", id).execute(db).await?;
    Ok(())
}

/// Forgets what has waited since before `then`.
///
/// # Errors
/// Where the database does not answer, or takes no writes.
pub async fn delete_deliveries(db: impl PgExecutor<'_>, then: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query!("delete from web_hook_deliveries where created_at < $1", then).execute(db).await?;
    Ok(deleted.rows_affected())
}

/// What a receiver answered, or why it did not.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: Option<u16>,
    /// The beginning of its body.
    pub body: String,
    /// Why there is no status.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

/// Keeps an answer, and of each hook the last few.
///
/// # Errors
/// Where the database does not answer, or takes no writes.
pub async fn insert_log(db: &mut PgConnection, hook: WebHookId, trigger: &str, answer: &Answer) -> Result<()> {
    let status = answer.status.map_or_else(|| "internal error".to_owned(), |status| status.to_string());
    sqlx::query!(
        "insert into web_hook_logs (
           web_hook_id, trigger, execution_duration, response_status, response_body, internal_error_message
         )
         select id, $2, $3, $4, $5, $6
         from web_hooks
         where id = $1",
        hook.0,
        trigger,
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

fn token(key: &ColumnKey, text: Option<&str>, iv: Option<&str>) -> Result<Option<SecretString>> {
    match (text, iv) {
        (Some(text), Some(iv)) => key.decrypt(text, iv).map(Some).map_err(undecryptable),
        (Some(_) | None, _) => Ok(None),
    }
}

fn undecryptable(error: Undecryptable) -> super::Error {
    super::Error::Query(sqlx::Error::Decode(error.into()))
}
