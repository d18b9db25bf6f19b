//! `gatehouse serve`: secrets, log, pool, migrations, serve, drain.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app;
use crate::background;
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets::Secrets;
use crate::http::health::HealthState;
use crate::http::monitoring::{self, MonitoringState};
use crate::server::{self, InheritedListeners, Listener};
use crate::store::{self, DbBudgets};
use crate::telemetry::{self, TraceSender};

/// Serves until the process is asked to stop, and a moment longer for what is under way. Listeners that the service
/// manager handed over stand in for those of the settings.
pub async fn run(settings: Settings, mut inherited: InheritedListeners) -> anyhow::Result<()> {
    telemetry::log(&settings.gatehouse.log)?;
    let metrics = telemetry::metrics()?;
    let traces = TraceSender::start(&settings.gatehouse.tracing)?;
    let secrets = Secrets::load_or_create(&settings)?;
    let budgets = DbBudgets::new(&settings)?;
    let db = &budgets.upkeep;
    store::prepare(db, &settings.gatehouse.database).await.context("cannot bring the database's schema up to date")?;

    let app = app::build(&settings, &secrets, &budgets, &Clock::system()).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("; "))
    })?;
    let (stop, stopped) = watch::channel(false);
    let about_to_stop = app.stopping;
    let limits = &settings.gatehouse.limits;
    let mut tasks = JoinSet::new();
    if settings.gatehouse.database.read_only {
        tracing::warn!("the database is declared to take no writes: no jobs are run here");
    } else {
        let jobs = app::job_state(&settings, &secrets, app.gitaly, &Clock::system())?;
        let workers = background::start(jobs, stopped.clone());
        tasks.spawn(async { workers.await.context("the job queue failed") });
        let expiry = background::expire_memberships::run(db.clone(), Clock::system(), stopped.clone());
        tasks.spawn(async {
            expiry.await;
            Ok(())
        });
        let interval = settings.gatehouse.seat_refresh_interval;
        let seats = background::refresh_seats::run(db.clone(), Clock::system(), interval, stopped.clone());
        tasks.spawn(async {
            seats.await;
            Ok(())
        });
    }
    // From the first answer on, being asked to stop means to finish what is under way.
    let asked_to_stop = asked_to_stop()?;
    let gatehouse = &settings.gatehouse;
    // Bound before clients are answered: an address that cannot be had ends the start, and whoever finds the server up
    // finds all of it up.
    let on_admin = listeners(Vec::new(), gatehouse.admin.listen, tcp).await?;
    let on_tcp = listeners(inherited.clients_tcp()?, gatehouse.listen, tcp).await?;
    let on_unix = listeners(inherited.clients_unix()?, gatehouse.socket.as_deref(), unix).await?;
    let for_operators = listeners(inherited.operators()?, gatehouse.metrics_listen, tcp).await?;
    let mut servers = JoinSet::new();
    for listener in on_tcp.into_iter().chain(on_unix) {
        tracing::info!(address = %listener, "listening");
        servers.spawn(server::serve(listener, app.router.clone(), limits.clone(), stopped.clone()));
    }
    drop(app.router);
    for listener in on_admin {
        tracing::info!(address = %listener, "listening for administrators");
        servers.spawn(server::serve(listener, app.admin.clone(), limits.clone(), stopped.clone()));
    }
    drop(app.admin);
    // The operator's listeners answer to the very end, so that a probe sees the drain.
    let (_open, to_the_end) = watch::channel(false);
    let mut monitoring = JoinSet::new();
    let operators = monitoring::router(MonitoringState {
        health: HealthState { budgets: budgets.clone(), stopping: about_to_stop.subscribe() },
        clock: Clock::system(),
        metrics,
        openapi: serde_json::to_vec(&app::openapi(&settings.gitlab.url()))?.into(),
    });
    for listener in for_operators {
        tracing::info!(address = %listener, "listening for operators");
        monitoring.spawn(server::serve(listener, operators.clone(), limits.clone(), to_the_end.clone()));
    }
    drop(operators);

    tell(&[NotifyState::Ready]);
    let watchdog = sd_notify::watchdog_enabled().map(|patience| tokio::spawn(show_life(patience)));
    asked_to_stop.await;
    about_to_stop.send_replace(true);
    let blackout = settings.shutdown.blackout_seconds;
    if blackout > 0 {
        tracing::info!(seconds = blackout, "stopping soon: balancers see it by the readiness");
        tokio::time::sleep(Duration::from_secs(blackout.into())).await;
    }
    tracing::info!("stopping: no new connections, and what is under way is finished");
    tell(&[NotifyState::Stopping]);
    let _ = stop.send(true);
    let ending = async {
        servers.join_all().await;
        app.tasks.ended().await;
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task of the server's own failed")??;
        }
        app.background.await.context("the writer of notes failed")?;
        monitoring.abort_all();
        budgets.close().await;
        anyhow::Ok(())
    };
    if let Ok(ended) = tokio::time::timeout(Duration::from_secs(limits.drain_timeout.into()), ending).await {
        ended?;
    } else {
        tracing::warn!("something was still under way when the drain time-out ended, and is given up");
    }
    if let Some(traces) = traces {
        traces.end().await;
    }
    if let Some(watchdog) = watchdog {
        watchdog.abort();
    }
    tracing::info!("stopped");
    Ok(())
}

/// What was handed over; where nothing was, the listener that the settings name.
async fn listeners<A>(
    inherited: Vec<Listener>,
    address: Option<A>,
    listen: impl AsyncFnOnce(A) -> anyhow::Result<Listener>,
) -> anyhow::Result<Vec<Listener>> {
    match address {
        Some(address) if inherited.is_empty() => Ok(vec![listen(address).await?]),
        _ => Ok(inherited),
    }
}

async fn tcp(address: SocketAddr) -> anyhow::Result<Listener> {
    Listener::tcp(address).await.with_context(|| format!("cannot listen on {address}"))
}

async fn unix(path: &Path) -> anyhow::Result<Listener> {
    Listener::unix(path).await.with_context(|| format!("cannot listen on {}", path.display()))
}

/// Tells the service manager, where one listens.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager could not be told how this server is");
    }
}

/// Shows the service manager that the runtime runs its tasks: twice in the time after which it takes us for stuck.
async fn show_life(patience: Duration) {
    let mut ticks = tokio::time::interval(patience / 2);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// Listens to signals from now on, and ends with the first that asks to stop.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
