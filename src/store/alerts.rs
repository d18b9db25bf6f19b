//! Alerts of projects. The same thing again, while it is not resolved, counts one alert up.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::alert::Alert;
use crate::domain::ids::{AlertId, ProjectId};

/// `threat_monitoring`
const THREAT_MONITORING: i16 = 1;
/// Alerts among the kinds of numbers that projects give out.
const ALERT_NUMBERS: i32 = 8;

/// Whether hooks subscribe to the project's alerts. Nothing where the project is gone.
pub async fn find_audience(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<bool>> {
    let heard = sqlx::query_scalar!(
        r#"
        select exists (
          select 1
          from web_hooks
          where alert_events
            and (
              type = 'SystemHook'
              or web_hooks.project_id = projects.id
              or web_hooks.group_id = any (namespaces.traversal_ids)
            )
        ) as "heard!"
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        where projects.id = $1
          and not coalesce(projects.pending_delete, false)
          and not projects.hidden
        "#,
        project.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(heard)
}

/// Counts the alert of this fingerprint up, unless there is none that is not resolved.
pub async fn count_up(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    fingerprint: &[u8; 20],
    now: DateTime<Utc>,
) -> Result<Option<AlertId>> {
    let id = sqlx::query_scalar!(
        "update alert_management_alerts
         set events = least(events::bigint + 1, 2147483647)::integer, updated_at = $3
         where project_id = $1
           and fingerprint = $2
           and status <> 2
         returning id",
        project.0,
        fingerprint,
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(AlertId))
}

/// Keeps a new alert, under the project's next number; or counts up the one that somebody else has kept meanwhile, and
/// answers none.
pub async fn insert(
    db: &mut PgConnection,
    project: ProjectId,
    alert: &Alert,
    now: DateTime<Utc>,
) -> Result<Option<AlertId>> {
    sqlx::query!(
        "insert into internal_ids (project_id, usage, last_value)
         values ($1, $2, 0)
         on conflict (usage, project_id) where project_id is not null do nothing",
        project.0,
        ALERT_NUMBERS,
    )
    .execute(&mut *db)
    .await?;
    // Whoever keeps a new alert of the project takes turns here, so that no number is left out.
    let last = sqlx::query_scalar!(
        "select last_value
         from internal_ids
         where project_id = $1
           and usage = $2
         for no key update",
        project.0,
        ALERT_NUMBERS,
    )
    .fetch_one(&mut *db)
    .await?;
    if count_up(&mut *db, project, &alert.fingerprint, now).await?.is_some() {
        return Ok(None);
    }
    let id = sqlx::query_scalar!(
        "with numbered as (
           update internal_ids
           set last_value = $2
           where project_id = $1
             and usage = $3
         )
         insert into alert_management_alerts (
           project_id, iid, title, description, monitoring_tool, fingerprint, payload, domain, started_at, created_at,
           updated_at
         )
         values ($1, $2, $4, $5, $6, $7, $8::text::jsonb, $9, $10, $10, $10)
         returning id",
        project.0,
        last.saturating_add(1),
        ALERT_NUMBERS,
        alert.title,
        alert.description,
        alert.monitoring_tool,
        &alert.fingerprint,
        alert.payload,
        THREAT_MONITORING,
        now,
    )
    .fetch_one(db)
    .await?;
    Ok(Some(AlertId(id)))
}

/// An alert, as hooks are told of it.
#[derive(Debug, Clone)]
pub struct AlertRow {
    /// Its project.
    pub project: ProjectId,
    /// Its number in the project.
    pub iid: i32,
    /// What happened.
    pub title: String,
    /// `critical`, `high` …
    pub severity: &'static str,
    /// `triggered`, `acknowledged` …
    pub status: &'static str,
    /// How often it happened.
    pub events: i32,
    /// Since when.
    pub started_at: DateTime<Utc>,
}

/// Takes an alert that no hook has been told of, for the transaction to tell them.
pub async fn take_unannounced(db: impl PgExecutor<'_>, id: AlertId, now: DateTime<Utc>) -> Result<Option<AlertRow>> {
    let row = sqlx::query!(
        "update alert_management_alerts
         set announced_at = $2
         where id = $1
           and announced_at is null
         returning project_id, iid, title, severity, status, events, started_at",
        id.0,
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| AlertRow {
        project: ProjectId(row.project_id),
        iid: row.iid,
        title: row.title,
        severity: word(&["critical", "high", "medium", "low", "info"], row.severity, "unknown"),
        status: word(&["triggered", "acknowledged", "resolved"], row.status, "ignored"),
        events: row.events,
        started_at: row.started_at,
    }))
}

fn word(words: &[&'static str], number: i16, otherwise: &'static str) -> &'static str {
    usize::try_from(number).ok().and_then(|at| words.get(at).copied()).unwrap_or(otherwise)
}
