//! Logs, metrics and traces: set up once, at start.

mod collector;
pub mod figures;
pub mod trace;

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::ChronoUtc;

pub use self::collector::TraceSender;
use crate::config::{LogFormat, LogSettings};

/// Upper bounds of the latency histograms, in seconds: from an answer out of memory to a push that took long to decide.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
/// Upper bounds of how many questions share a statement.
const SIZES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// How often the samples of histograms are counted: at most what is recorded meanwhile takes memory.
const UPKEEP: Duration = Duration::from_secs(1);

/// Sends log lines to standard output.
///
/// # Errors
/// Where the level is no filter, or logs are set up already.
pub fn log(settings: &LogSettings) -> anyhow::Result<()> {
    // PostgreSQL tells those who make sure that something exists that it does.
    let filter = format!("sqlx::postgres::notice=warn,{}", settings.level);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_timer(ChronoUtc::rfc_3339())
        .with_target(false);
    let set = match settings.format {
        LogFormat::Text => {
            let colours = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
            builder.with_ansi(colours).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    };
    set.map_err(|error| anyhow::anyhow!("cannot set up the log: {error}"))
}

/// Collects metrics for `/-/metrics`, in a task of the runtime that this is called in.
///
/// # Errors
/// Where metrics are collected already.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?;
    let handle = builder.install_recorder()?;
    // Samples of histograms lie in a queue until they are counted: unasked for, that would be never.
    let queue = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            queue.run_upkeep();
        }
    });
    metrics::describe_counter!("gatehouse_requests_total", "Requests answered, by method, route and status");
    metrics::describe_counter!("gatehouse_connections_refused_total", "Connections of addresses that had their share");
    metrics::describe_histogram!("gatehouse_request_seconds", "Seconds from a request's head to its answer, by route");
    metrics::describe_histogram!("gatehouse_batch_seconds", "Seconds of a statement that answers a batch");
    metrics::describe_histogram!("gatehouse_batch_size", "Questions that shared a statement");
    metrics::describe_counter!("gatehouse_kas_usage_total", "What kas has counted, of all time and all servers");
    metrics::describe_gauge!(
        "gatehouse_kas_usage_unique",
        "Different users, agents and projects that kas has counted in this ISO week or month"
    );
    metrics::describe_gauge!("gatehouse_pool_connections", "Database connections of the pool, open and idle");
    metrics::describe_gauge!("gatehouse_database_writable", "1 where the database takes writes, or else 0");
    metrics::describe_counter!(
        "gatehouse_access_facts_total",
        "Attempts whose facts were read from the primary, from a replica, or from a replica while the primary was away"
    );
    metrics::describe_gauge!(
        "gatehouse_replica_lag_seconds",
        "How far a replica was behind when it was asked last: 0 where it had caught up"
    );
    metrics::describe_counter!(
        "gatehouse_pool_failures_total",
        "Waits for a connection that ended without one, by pool; all: the database could not be reached"
    );
    metrics::describe_counter!("gatehouse_refusals_skipped_total", "Refused attempts that were not kept");
    metrics::describe_counter!("gatehouse_decisions_total", "Decisions about git, by the call and the rule");
    metrics::describe_counter!(
        "gatehouse_git_credentials_refused_total",
        "Credentials of git over HTTP that are nobody's"
    );
    metrics::describe_counter!("gatehouse_lfs_objects_total", "LFS objects that came in and went out, by operation");
    metrics::describe_counter!("gatehouse_git_auth_bans_total", "Addresses shut out of git over HTTP");
    metrics::describe_histogram!("gatehouse_gitaly_seconds", "Seconds of a call of Gitaly, by method and outcome");
    metrics::describe_counter!("gatehouse_admin_sign_ins_total", "Attempts to sign in to the Admin area, by outcome");
    metrics::describe_counter!("gatehouse_scim_requests_total", "Requests of identity providers, by scope and outcome");
    metrics::describe_counter!("gatehouse_spans_total", "Spans of traces, by what became of them");
    metrics::describe_gauge!("gatehouse_secret_expiry_days", "Days until the first secret of this kind expires");
    metrics::describe_gauge!("gatehouse_build_info", "1, with the version and the commit of this binary");
    let build = [("version", env!("CARGO_PKG_VERSION")), ("revision", env!("GATEHOUSE_REVISION"))];
    metrics::gauge!("gatehouse_build_info", &build).set(1.0);
    Ok(handle)
}
