//! Messages to everyone.

use chrono::NaiveDateTime;
use sqlx::PgExecutor;

use super::Result;

/// A message to everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastMessageRow {
    /// `broadcast_messages.id`
    pub id: i64,
    /// `broadcast_messages.message`
    pub message: String,
    /// `broadcast_messages.message_html`
    pub message_html: String,
    /// `broadcast_messages.starts_at`
    pub starts_at: NaiveDateTime,
    /// `broadcast_messages.ends_at`
    pub ends_at: NaiveDateTime,
    /// `broadcast_messages.broadcast_type`
    pub broadcast_type: i16,
    /// `broadcast_messages.show_in_cli`
    pub show_in_cli: bool,
    /// `broadcast_messages.target_path`
    pub target_path: Option<String>,
    /// `broadcast_messages.target_access_levels`
    pub target_access_levels: Vec<i32>,
    /// `broadcast_messages.dismissable`
    pub dismissable: bool,
}

/// The message of that id, or the newest with that text where no id is given.
pub async fn find(db: impl PgExecutor<'_>, id: Option<i64>, message: &str) -> Result<Option<BroadcastMessageRow>> {
    let row = sqlx::query_as!(
        BroadcastMessageRow,
        r#"
        select
          id, message, message_html, starts_at, ends_at, broadcast_type, show_in_cli, target_path,
          target_access_levels, coalesce(dismissable, false) as "dismissable!"
        from broadcast_messages
        where id = $1
          or ($1 is null and message = $2)
        order by id desc
        limit 1
        "#,
        id,
        message
    );
    Ok(row.fetch_optional(db).await?)
}

/// A new message; `row.id` is looked at where it is not 0.
pub async fn insert(db: impl PgExecutor<'_>, row: &BroadcastMessageRow) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into broadcast_messages (
          id, message, message_html, starts_at, ends_at, broadcast_type, show_in_cli, target_path,
          target_access_levels, dismissable
        )
        values (
          coalesce(nullif($1::bigint, 0), nextval('broadcast_messages_id_seq')), $2, $3, $4, $5, $6, $7, $8, $9, $10
        )
        returning id
        ",
        row.id,
        row.message,
        row.message_html,
        row.starts_at,
        row.ends_at,
        row.broadcast_type,
        row.show_in_cli,
        row.target_path,
        &row.target_access_levels,
        row.dismissable
    );
    Ok(id.fetch_one(db).await?)
}

/// Writes a message.
pub async fn update(db: impl PgExecutor<'_>, row: &BroadcastMessageRow) -> Result<()> {
    sqlx::query!(
        "
        update broadcast_messages
        set message = $2,
            message_html = $3,
            starts_at = $4,
            ends_at = $5,
            broadcast_type = $6,
            show_in_cli = $7,
            target_path = $8,
            target_access_levels = $9,
            dismissable = $10,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        row.id,
        row.message,
        row.message_html,
        row.starts_at,
        row.ends_at,
        row.broadcast_type,
        row.show_in_cli,
        row.target_path,
        &row.target_access_levels,
        row.dismissable
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a message.
pub async fn delete(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from broadcast_messages where id = $1", id).execute(db).await?;
    Ok(())
}
