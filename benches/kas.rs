//! `bin/bench kas`: how many reports of kas a second are counted, in one process, with none lost.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::NaiveDate;
use clap::Parser;
use gatehouse::background::kas_usage_batcher::KasUsageBatcher;
use gatehouse::domain::kas_usage::UsageReport;
use gatehouse::store::kas_usage;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

const COUNTER: &str = "k8s_api_proxy_request";

/// Counts reports of one increment and one id for a while, in a migrated database whose counters are empty.
#[derive(Debug, Parser)]
struct Kas {
    /// Where the database is
    #[arg(long, env, hide_env_values = true)]
    database_url: String,
    /// Reports under way at once
    #[arg(long, default_value_t = 256)]
    tasks: i64,
    /// How long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Cargo passes this to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let kas = Kas::parse();
    let pool = PgPoolOptions::new().max_connections(5).connect(&kas.database_url).await?;
    let usage = KasUsageBatcher::over(pool.clone());
    let day = NaiveDate::from_ymd_opt(2026, 11, 21).context("a day of the calendar")?;
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..kas.tasks {
        let usage = usage.clone();
        tasks.spawn(async move {
            let mut taken = 0;
            while started.elapsed() < Duration::from_secs(kas.seconds) {
                let report = UsageReport {
                    counts: vec![(COUNTER, 1)],
                    unique: vec![("agent_users_using_ci_tunnel", vec![task])],
                };
                usage.add(report, day).await?;
                taken += 1;
            }
            anyhow::Ok(taken)
        });
    }
    let taken: i64 = tasks.join_all().await.into_iter().sum::<anyhow::Result<i64>>()?;
    let elapsed = started.elapsed();
    let counted = kas_usage::list_totals(&pool, None).await?;
    ensure!(counted == [(COUNTER.to_owned(), taken)], "{taken} reports were taken, and counted are {counted:?}");
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = taken as f64 / elapsed.as_secs_f64();
    println!("{taken} reports of one increment and one id in {elapsed:?}: {rate:.0} a second, none lost");
    Ok(())
}
