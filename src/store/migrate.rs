//! Bringing the schema up to date, on connections of its own: a step may take as long as it needs, but nobody waits
//! behind a step that waits itself.

use std::time::{Duration, Instant};

use graphile_worker::DbError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres};
use tokio::time::sleep;

use super::db::RetryPauses;
use super::fault::StatementFault;
use super::{Db, MIGRATIONS, Result, jobs};

/// What servers that start at the same moment take turns by: "gatehous" in ASCII.
const TURN: i64 = 0x6761_7465_686f_7573;
/// How long a step waits for a table that others use. Whoever wants to use it then waits behind the step, so it gives
/// way and tries again.
const LOCK_TIMEOUT: &str = "2s";
/// How often it is said that something is still waited for.
const WORD: Duration = Duration::from_secs(10);

/// Applies the migrations that the database lacks, and names them. A database that takes no writes must lack none; one
/// that a newer release has brought further must still be for us.
pub async fn migrate(db: &Db) -> anyhow::Result<Vec<String>> {
    let applied = list_applied(db).await?;
    serves(db, &applied).await?;
    let lacking = MIGRATIONS.iter().filter(|step| !applied.contains(&step.version)).count();
    if lacking == 0 && super::is_read_only(db).await? {
        tracing::warn!("the database takes no writes; its schema is up to date");
        return Ok(Vec::new());
    }
    if lacking > 0 && db.is_read_only() {
        anyhow::bail!(
            "the database lacks {lacking} migrations, and gatehouse.database.read_only says that it takes no writes"
        );
    }
    let pool = PgPoolOptions::new()
        .max_connections(3)
        .acquire_timeout(db.terms().patience)
        .connect_lazy_with(db.session().await?.options([("statement_timeout", "0"), ("lock_timeout", LOCK_TIMEOUT)]));
    let mut turn = take_turn(&pool).await?;
    // What was lacking may have been applied by whoever had their turn before.
    let applied = list_applied(db).await?;
    serves(db, &applied).await?;
    let lacking = MIGRATIONS.iter().filter(|step| !applied.contains(&step.version));
    let lacking: Vec<String> = lacking.map(|step| format!("{:04} {}", step.version, step.description)).collect();
    let migrated = run(&pool).await;
    // The lock is the connection's, and goes with it.
    turn.close_on_drop();
    drop(turn);
    pool.close().await;
    migrated.map(|()| lacking)
}

async fn take_turn(pool: &PgPool) -> Result<PoolConnection<Postgres>> {
    let mut connection = pool.acquire().await?;
    let mut waiting = MigrationWait::default();
    loop {
        let taken = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "taken!""#, TURN);
        if taken.fetch_one(&mut *connection).await? {
            return Ok(connection);
        }
        waiting.a_moment("another server brings the database's schema up to date; waiting for it").await;
    }
}

async fn run(pool: &PgPool) -> anyhow::Result<()> {
    let mut waiting = MigrationWait::default();
    // Steps of a newer release are none of ours.
    let mut steps = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    steps.set_ignore_missing(true);
    loop {
        let error: anyhow::Error = match steps.run(pool).await {
            Ok(()) => match jobs::migrate(&pool.clone().into()).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => error.into(),
        };
        // Steps that are through stay so; the one that gave way begins anew.
        if !gave_way(&error) {
            return Err(error);
        }
        waiting.a_moment("a migration waits for others who use its table").await;
    }
}

fn gave_way(error: &anyhow::Error) -> bool {
    let ours = match error.downcast_ref::<MigrateError>() {
        Some(MigrateError::ExecuteMigration(error, _) | MigrateError::Execute(error)) => {
            StatementFault::of(error) == StatementFault::Contention
        }
        _ => false,
    };
    let queues = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<DbError>().and_then(DbError::code) == Some("55P03")
    };
    ours || error.chain().any(queues)
}

/// Somebody waits, and says so from time to time.
#[derive(Debug)]
struct MigrationWait {
    pauses: RetryPauses,
    said: Option<Instant>,
}

impl Default for MigrationWait {
    fn default() -> Self {
        // Twice as long as a step may wait: who waited behind it goes on meanwhile.
        Self { pauses: RetryPauses::up_to(Duration::from_secs(4)), said: None }
    }
}

impl MigrationWait {
    async fn a_moment(&mut self, why: &'static str) {
        if self.said.is_none_or(|said| said.elapsed() >= WORD) {
            tracing::warn!("{why}");
            self.said = Some(Instant::now());
        }
        sleep(self.pauses.longer()).await;
    }
}

/// That servers like this one may work with the schema, where a newer release has brought it further.
async fn serves(db: &Db, applied: &[i64]) -> anyhow::Result<()> {
    let ours = MIGRATIONS.iter().map(|step| step.version).max().unwrap_or_default();
    let newest = applied.iter().copied().max().unwrap_or_default();
    if newest <= ours {
        return Ok(());
    }
    let oldest = sqlx::query_scalar!("select oldest_known_step from schema_requirements").fetch_one(db).await?;
    if oldest > ours {
        anyhow::bail!(
            "the database's schema is at step {newest} and for servers that know step {oldest}; this one knows {ours} at \
             most: install the newer release"
        );
    }
    tracing::warn!(newest, ours, "a newer release has brought the database's schema further; it still serves this one");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the table is the migrator's own, which builds do not know")]
async fn list_applied(db: &Db) -> Result<Vec<i64>> {
    let exists = sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "exists!""#);
    if !exists.fetch_one(db).await? {
        return Ok(Vec::new());
    }
    let versions = sqlx::query_scalar("select version from _sqlx_migrations where success");
    Ok(versions.fetch_all(db).await?)
}
