//! Web hooks and their deliveries as administrators see them. URLs and tokens are ciphertexts, and stay where they are: a
//! URL may hold a secret.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::{FromRow, PgExecutor, QueryBuilder};
use uuid::Uuid;

use crate::domain::web_hook::HookHealth;
use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::web_hooks::HookOwner;
use crate::store::{Db, Result};

/// A hook, in the list.
#[derive(Debug, Clone, FromRow)]
pub struct HookRow {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Whether it is the instance's own.
    pub system: bool,
    /// The path of its owner.
    pub owner: Option<String>,
    /// What it listens to.
    pub events: String,
    /// Failures since the last success.
    pub recent_failures: i16,
    /// The end of its pause.
    pub disabled_until: Option<DateTime<Utc>>,
}

impl HookRow {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Number(self.id)]
    }

    /// How its receiver does.
    #[must_use]
    pub fn health(&self) -> HookHealth {
        HookHealth::of(self.system, self.recent_failures, self.disabled_until)
    }
}

const ROWS: &str = "select web_hooks.id, coalesce(web_hooks.name, '') as name, web_hooks.type = 'SystemHook' as system,
    routes.path as owner,
    concat_ws(', ', case when push_events then 'pushes' end, case when tag_push_events then 'tags' end,
      case when alert_events then 'alerts' end, case when repository_update_events then 'repository updates' end) as events,
    recent_failures, disabled_until
  from web_hooks
  left join routes
    on (routes.source_type = 'Project' and routes.source_id = web_hooks.project_id)
    or (routes.source_type = 'Namespace' and routes.source_id = web_hooks.group_id)
  where true";

/// A page of the hooks; of those alone whose receivers fail, where that is asked for.
pub async fn list(db: &Db, failing: bool, request: &PageRequest) -> Result<Page<HookRow>> {
    let mut select = QueryBuilder::new(ROWS);
    if failing {
        select.push(" and recent_failures > 0");
    }
    paging::fetch(db, select, KeyOrder { columns: &["web_hooks.id"], descending: false }, request).await
}

/// The first hundred hooks of an owner.
pub async fn list_of(db: &Db, owner: HookOwner) -> Result<Vec<HookRow>> {
    let mut select = QueryBuilder::new(ROWS);
    match owner {
        HookOwner::Project(id) => select.push(" and web_hooks.type = 'ProjectHook' and project_id = ").push_bind(id.0),
        HookOwner::Group(id) => select.push(" and web_hooks.type = 'GroupHook' and group_id = ").push_bind(id.0),
        HookOwner::Instance => select.push(" and web_hooks.type = 'SystemHook'"),
    };
    let request = PageRequest { place: paging::PagePlace::Start, rows: 100 };
    let order = KeyOrder { columns: &["web_hooks.id"], descending: false };
    Ok(paging::fetch(db, select, order, &request).await?.rows)
}

/// The hook with that id.
pub async fn find(db: &Db, id: i64) -> Result<Option<HookRow>> {
    let mut select = QueryBuilder::new(ROWS);
    select.push(" and web_hooks.id = ").push_bind(id);
    let request = PageRequest { place: paging::PagePlace::Start, rows: 1 };
    let order = KeyOrder { columns: &["web_hooks.id"], descending: false };
    Ok(paging::fetch(db, select, order, &request).await?.rows.pop())
}

/// What a receiver answered.
#[derive(Debug, Clone)]
pub struct HookAnswer {
    /// Its id.
    pub id: i64,
    /// Whether what it answers is kept, and does not wait to be delivered: it can be sent again.
    pub repeatable: bool,
    /// The beginning of what it was told.
    pub request: String,
    /// `push_hooks` and so on.
    pub trigger: String,
    /// The status, where there was an answer.
    pub status: String,
    /// Why there was none.
    pub error: Option<String>,
    /// What the receiver said, as far as it is kept.
    pub body: String,
    /// Seconds that it took.
    pub seconds: Option<f64>,
    /// When.
    pub created_at: NaiveDateTime,
}

/// The answers of a hook's receiver that are kept, the newest first.
pub async fn list_answers(db: impl PgExecutor<'_>, hook: i64) -> Result<Vec<HookAnswer>> {
    let rows = sqlx::query_as!(
        HookAnswer,
        r#"
        select
          id,
          request_data is not null and not exists (
            select
            from web_hook_deliveries
            where web_hook_deliveries.id = web_hook_logs.delivery_id
          ) as "repeatable!",
          left(coalesce(request_data, ''), 1000) as "request!",
          coalesce(trigger, '') as "trigger!",
          coalesce(response_status, '') as "status!",
          internal_error_message as error,
          left(coalesce(response_body, ''), 1000) as "body!",
          execution_duration as seconds,
          created_at
        from web_hook_logs
        where web_hook_id = $1
        order by id desc
        limit 20
        "#,
        hook
    );
    Ok(rows.fetch_all(db).await?)
}

/// What waits to be delivered.
#[derive(Debug, Clone)]
pub struct WaitingDelivery {
    /// Its id, which receivers get as `Idempotency-Key`.
    pub id: Uuid,
    /// `push_hooks` and so on.
    pub trigger: String,
    /// The beginning of its body.
    pub body: String,
    /// When it was to be delivered first.
    pub created_at: DateTime<Utc>,
}

/// What waits to be delivered to a hook, the oldest first; the first fifty.
pub async fn list_waiting(db: impl PgExecutor<'_>, hook: i64) -> Result<Vec<WaitingDelivery>> {
    let rows = sqlx::query_as!(
        WaitingDelivery,
        r#"
        select id, trigger, left(request_data, 1000) as "body!", created_at
        from web_hook_deliveries
        where web_hook_id = $1
        order by created_at
        limit 50
        "#,
        hook
    );
    Ok(rows.fetch_all(db).await?)
}
