//! The way of spans to the collector: a bounded queue, and a task that sends what is in it. A collector that is away
//! costs spans and two lines of the log, and no request waits for it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::trace;
use crate::config::TracingSettings;

/// Spans that wait at most; past this they are dropped.
const QUEUE: usize = 4096;
/// Spans that are sent at once.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last spans may take, when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The task that sends spans.
#[derive(Debug)]
pub struct TraceSender {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl TraceSender {
    /// Makes spans from now on, and sends them where the settings name a collector; in a task of the runtime that this is
    /// called in.
    ///
    /// # Errors
    /// Where the endpoint cannot be read, or spans are made already.
    pub fn start(settings: &TracingSettings) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &settings.endpoint else { return Ok(None) };
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_channel(channel(endpoint).context("gatehouse.tracing.endpoint")?)
            .with_timeout(PATIENCE)
            .build()?;
        let resource = Resource::builder()
            .with_service_name("gatehouse")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()))
            .build();
        exporter.set_resource(&resource);
        let (queue, spans) = mpsc::channel(QUEUE);
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
            .with_span_processor(SpanQueue(queue))
            .with_resource(resource)
            .build();
        anyhow::ensure!(trace::install(provider.tracer("gatehouse")), "spans are made already");
        let (stop, stopped) = oneshot::channel();
        let courier = SpanCourier { exporter, away: None };
        Ok(Some(Self { stop, task: tokio::spawn(courier.run(spans, stopped)) }))
    }

    /// Sends what is left, within a bound.
    pub async fn end(self) {
        let _ = self.stop.send(());
        if timeout(LAST_WORDS, self.task).await.is_err() {
            tracing::warn!("the collector did not take the last traces in time");
        }
    }
}

fn channel(endpoint: &str) -> anyhow::Result<Channel> {
    let mut endpoint = Endpoint::from_shared(endpoint.to_owned())?.connect_timeout(Duration::from_secs(2));
    if endpoint.uri().scheme_str() == Some("https") {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
    }
    Ok(endpoint.user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))?.connect_lazy())
}

/// The end of a span puts it into the queue, or drops it; it never waits.
#[derive(Debug)]
struct SpanQueue(mpsc::Sender<SpanData>);

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _span: &mut Span, _context: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.0.try_send(span).is_err() {
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct SpanCourier<E> {
    exporter: E,
    /// Since when the collector takes nothing.
    away: Option<Instant>,
}

impl<E: SpanExporter> SpanCourier<E> {
    async fn run(mut self, mut spans: mpsc::Receiver<SpanData>, mut stop: oneshot::Receiver<()>) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = gather(&mut spans, &mut batch) => self.send(std::mem::take(&mut batch)).await,
                _ = &mut stop => break,
            }
        }
        spans.close();
        while spans.recv_many(&mut batch, BATCH).await > 0 {}
        while !batch.is_empty() {
            let rest = batch.split_off(batch.len().min(BATCH));
            self.send(std::mem::replace(&mut batch, rest)).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        let sent = match timeout(PATIENCE, self.exporter.export(batch)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        count(if sent.is_ok() { "sent" } else { "lost" }, spans);
        match (sent, self.away) {
            (Err(error), None) => {
                self.away = Some(Instant::now());
                tracing::warn!(%error, "the collector takes no traces");
            }
            (Ok(()), Some(since)) => {
                self.away = None;
                tracing::info!(seconds = since.elapsed().as_secs_f64(), "no more: the collector takes no traces");
            }
            (Ok(()), None) | (Err(_), Some(_)) => {}
        }
    }
}

/// Waits for a span, and a moment for more of them. Where it is not waited for to its end, what it has is in `batch`.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    if spans.recv_many(batch, BATCH).await == 0 {
        return;
    }
    let until = tokio::time::Instant::now() + PAUSE;
    while batch.len() < BATCH {
        match timeout_at(until, spans.recv_many(batch, BATCH - batch.len())).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn count(outcome: &'static str, spans: u64) {
    metrics::counter!("gatehouse_spans_total", "outcome" => outcome).increment(spans);
}
