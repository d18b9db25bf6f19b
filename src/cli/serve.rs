//! `gatehouse serve`: secrets, log, pool, migrations, serve, drain.

use std::future::pending;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app;
use crate::background;
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets::Secrets;
use crate::http::monitoring::{self, MonitoringState};
use crate::server::{self, Listener};
use crate::store::{self, DbBudgets};
use crate::telemetry;

/// Serves until the process is asked to stop, and a moment longer for what is under way.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    telemetry::log(&settings.gatehouse.log)?;
    let metrics = telemetry::metrics()?;
    let secrets = Secrets::load_or_create(&settings)?;
    let budgets = DbBudgets::new(&settings)?;
    let db = &budgets.upkeep;
    store::migrate(db).await.context("cannot bring the database's schema up to date")?;

    let app = app::build(&settings, &secrets, &budgets, &Clock::system()).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("; "))
    })?;
    let (stop, stopped) = watch::channel(false);
    let limits = &settings.gatehouse.limits;
    let workers =
        background::start(app::job_state(&settings, &secrets, app.gitaly, &Clock::system())?, stopped.clone());
    let expiry = tokio::spawn(background::expire_memberships::run(db.clone(), Clock::system(), stopped.clone()));
    let seats = tokio::spawn(background::refresh_seats::run(
        db.clone(),
        Clock::system(),
        settings.gatehouse.seat_refresh_interval,
        stopped.clone(),
    ));
    let mut servers = JoinSet::new();
    if let Some(address) = settings.gatehouse.listen {
        let listener = Listener::tcp(address).await.with_context(|| format!("cannot listen on {address}"))?;
        servers.spawn(server::serve(listener, app.router.clone(), limits.clone(), stopped.clone()));
        tracing::info!(%address, "listening");
    }
    if let Some(path) = &settings.gatehouse.socket {
        let listener = Listener::unix(path).await.with_context(|| format!("cannot listen on {}", path.display()))?;
        servers.spawn(server::serve(listener, app.router.clone(), limits.clone(), stopped.clone()));
        tracing::info!(socket = %path.display(), "listening");
    }
    drop(app.router);
    // The operator's listener answers to the very end, so that a probe sees the drain.
    let monitoring = match settings.gatehouse.metrics_listen {
        Some(address) => {
            let listener = Listener::tcp(address).await.with_context(|| format!("cannot listen on {address}"))?;
            let openapi = serde_json::to_vec(&app::openapi(&settings.gitlab.url()))?.into();
            let router = monitoring::router(MonitoringState {
                budgets: budgets.clone(),
                clock: Clock::system(),
                metrics,
                openapi,
            });
            tracing::info!(%address, "listening for operators");
            tokio::spawn(server::serve(listener, router, limits.clone(), stopped))
        }
        None => tokio::spawn(pending()),
    };

    asked_to_stop().await?;
    tracing::info!("stopping: no new connections, and what is under way is finished");
    let _ = stop.send(true);
    let ending = async {
        servers.join_all().await;
        app.tasks.ended().await;
        workers.await.context("the job queue failed")?;
        expiry.await.context("the removal of expired memberships failed")?;
        seats.await.context("the count of seats failed")?;
        app.background.await.context("the writer of notes failed")?;
        monitoring.abort();
        budgets.close().await;
        anyhow::Ok(())
    };
    if let Ok(ended) = tokio::time::timeout(Duration::from_secs(limits.drain_timeout.into()), ending).await {
        ended?;
    } else {
        tracing::warn!("something was still under way when the drain time-out ended, and is given up");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
