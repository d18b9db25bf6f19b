//! Positions in the write-ahead log: what a primary has written, and what a standby has replayed.

use std::time::Duration;

use sqlx::PgExecutor;

use super::Result;

/// A place in the log of a primary. Places of different timelines are not comparable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalPosition {
    lsn: String,
    timeline: i32,
}

/// How far a standby is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplicaProgress {
    /// Whether it has replayed everything before the position that was asked about.
    pub caught_up: bool,
    /// The age of the last transaction that it has replayed, by the clocks of both; none where it has replayed none, is
    /// no standby, or follows an earlier primary.
    pub last_transaction: Option<Duration>,
}

/// The place behind everything that a transaction of this primary has made visible by now.
pub async fn position(primary: impl PgExecutor<'_>) -> Result<WalPosition> {
    let now = sqlx::query_as!(
        WalPosition,
        r#"select
          pg_current_wal_insert_lsn()::text as "lsn!",
          ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int as "timeline!""#
    );
    Ok(now.fetch_one(primary).await?)
}

/// How far the standby behind this connection is. After a failover, one that has not followed the new primary yet has
/// not caught up, however far it came with the old one, and its transactions say nothing. One that follows a later
/// primary than the one whose position this is has not caught up either, for the two logs are not comparable; but what
/// it has replayed is as true as that primary, and as old as it says.
pub async fn progress(replica: impl PgExecutor<'_>, position: &WalPosition) -> Result<ReplicaProgress> {
    let row = sqlx::query!(
        r#"select
          case when pg_is_in_recovery() then
            -- The receiver's timeline is shown to monitors alone, and there is none while it is away.
            coalesce(
              (select received_tli from pg_stat_get_wal_receiver()),
              (select min_recovery_end_timeline from pg_control_recovery())
            )
          end as timeline,
          coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false) as "replayed!",
          extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 as age"#,
        position.lsn.as_str(),
    )
    .fetch_one(replica)
    .await?;
    let follows = row.timeline == Some(position.timeline);
    let age = row.age.filter(|_| row.timeline.is_some_and(|timeline| timeline >= position.timeline));
    let last_transaction = age.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(ReplicaProgress { caught_up: follows && row.replayed, last_transaction })
}
