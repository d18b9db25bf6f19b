//! A collector of OpenTelemetry: a real gRPC server that takes traces by OTLP, and keeps them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// The server, until it is dropped.
pub struct TestCollector {
    pub address: SocketAddr,
    taken: Taken,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// A span as it arrived, with what its resource says.
#[derive(Debug, Clone)]
pub struct TakenSpan {
    pub resource: Vec<KeyValue>,
    pub span: Span,
}

impl TakenSpan {
    /// An attribute as text; empty where there is none.
    pub fn says(&self, key: &str) -> String {
        text(&self.span.attributes, key)
    }

    /// An attribute of the resource as text.
    pub fn resource(&self, key: &str) -> String {
        text(&self.resource, key)
    }

    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    pub fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    pub fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(bytes))
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

#[derive(Debug, Clone, Default)]
struct Taken(Arc<Mutex<Vec<TakenSpan>>>);

#[tonic::async_trait]
impl TraceService for Taken {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for spans in request.into_inner().resource_spans {
            let resource = spans.resource.map(|resource| resource.attributes).unwrap_or_default();
            let spans = spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0.lock().unwrap().extend(spans.map(|span| TakenSpan { resource: resource.clone(), span }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl TestCollector {
    pub fn start() -> Self {
        Self::on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Listens on an address that was free a moment ago.
    pub fn on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Taken::default();
        let service = TraceServiceServer::new(taken.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener).unwrap());
                let serving = Server::builder().add_service(service).serve_with_incoming(incoming);
                tokio::select! { outcome = serving => outcome.unwrap(), _ = stopped => {} }
            });
        });
        Self { address, taken, running: Some((stop, thread)) }
    }

    /// Settings that send traces here, with this share of them.
    pub fn settings(&self, ratio: &str) -> String {
        format!("  tracing: {{endpoint: 'http://{}', sample_ratio: {ratio}}}\n", self.address)
    }

    /// What has arrived.
    pub fn spans(&self) -> Vec<TakenSpan> {
        self.taken.0.lock().unwrap().clone()
    }

    /// The first span that is like this, as soon as it arrives.
    pub fn awaits(&self, like: impl Fn(&TakenSpan) -> bool) -> TakenSpan {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.spans().into_iter().find(&like) {
                return found;
            }
            let names: Vec<String> = self.spans().into_iter().map(|taken| taken.span.name).collect();
            assert!(begun.elapsed() < Duration::from_secs(20), "no such span among {names:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first span of this name, as soon as it arrives.
    pub fn span(&self, name: &str) -> TakenSpan {
        self.awaits(|taken| taken.span.name == name)
    }
}

impl Drop for TestCollector {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }
}
