//! Spans: what a request, a call, a batch or a job did and for how long, each below what led to it. Where no collector
//! is told of them, a span is nothing, and costs a look at whether there is one.

use std::borrow::Cow;
use std::sync::OnceLock;

use futures_util::future::Either;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    FutureExt, Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, WithContext,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

/// W3C's header with the trace, the span above, and whether the trace is taken.
const PARENT: &str = "traceparent";
/// What other tracing systems want to be passed on.
const STATE: &str = "tracestate";

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// From now on spans are made by this tracer. False where there is one already.
pub(super) fn install(tracer: SdkTracer) -> bool {
    TRACER.set(tracer).is_ok()
}

/// What a caller says of the trace that its request is part of, as it was sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceOrigin<'a> {
    /// `traceparent`
    pub parent: Option<&'a str>,
    /// `tracestate`
    pub state: Option<&'a str>,
}

impl TraceOrigin<'_> {
    /// The span above; one without a trace, where nothing or nothing valid is said.
    fn context(self) -> Context {
        // The library is lenient with signs, spaces and lengths.
        let exact = self.parent.is_some_and(|parent| {
            let lengths: Vec<usize> = parent.split('-').map(str::len).collect();
            let digits = parent.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
            digits && lengths.starts_with(&[2, 32, 16, 2])
        });
        let context = Context::new();
        if exact { TraceContextPropagator::new().extract_with_context(&context, &self) } else { context }
    }
}

impl Extractor for TraceOrigin<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            PARENT => self.parent,
            STATE => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT, STATE]
    }
}

/// A piece of work that is traced. It ends when this goes.
#[derive(Debug, Default)]
pub struct TraceSpan(Option<Context>);

impl TraceSpan {
    /// A request that arrived.
    #[must_use]
    pub fn request<'a>(method: &'static str, origin: impl FnOnce() -> TraceOrigin<'a>) -> Self {
        Self::start(|| (SpanBuilder::from_name(method).with_kind(SpanKind::Server), origin().context()))
    }

    /// An attempt of a job, below what made the job.
    #[must_use]
    pub fn job(kind: &'static str, origin: TraceOrigin<'_>) -> Self {
        Self::start(|| (SpanBuilder::from_name(kind).with_kind(SpanKind::Consumer), origin.context()))
    }

    /// A question to somebody else, below the span that is current.
    #[must_use]
    pub fn call(name: impl FnOnce() -> Cow<'static, str>) -> Self {
        Self::start(|| (SpanBuilder::from_name(name()).with_kind(SpanKind::Client), Context::current()))
    }

    /// One piece of work for many: it is below the first of those that are taken, and has links to the others. Nothing, where
    /// none is taken.
    #[must_use]
    pub fn shared<'a>(name: &'static str, waiting: impl Iterator<Item = &'a TraceMark>) -> Self {
        let mut taken = waiting.filter_map(|mark| mark.0.clone()).filter(SpanContext::is_sampled);
        let Some(first) = taken.next() else { return Self::default() };
        let links = taken.map(Link::with_context).collect();
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_links(links);
        Self::start(|| (builder, Context::new().with_remote_span_context(first)))
    }

    fn start(begin: impl FnOnce() -> (SpanBuilder, Context)) -> Self {
        Self(TRACER.get().map(|tracer| {
            let (builder, parent) = begin();
            parent.with_span(tracer.build_with_context(builder, &parent))
        }))
    }

    /// The work, with this as the span that is current.
    pub fn around<F: Future>(&self, work: F) -> Either<WithContext<F>, F> {
        match &self.0 {
            Some(context) => Either::Left(work.with_context(context.clone())),
            None => Either::Right(work),
        }
    }

    /// Says something of the work. The value is not made where nobody is told.
    pub fn set<V: Into<Value>>(&self, key: &'static str, value: impl FnOnce() -> V) {
        if let Some(context) = self.0.as_ref().filter(|context| context.span().is_recording()) {
            context.span().set_attribute(KeyValue::new(key, value()));
        }
    }

    /// Calls the work by a name that was not known at its start.
    pub fn rename(&self, name: impl FnOnce() -> String) {
        if let Some(context) = &self.0 {
            context.span().update_name(name());
        }
    }

    /// The work failed.
    pub fn fail(&self, reason: impl FnOnce() -> String) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(reason()));
        }
    }

    /// What a span of others can have a link to.
    #[must_use]
    pub fn mark(&self) -> TraceMark {
        TraceMark(self.0.as_ref().map(|context| context.span().span_context().clone()))
    }
}

impl Drop for TraceSpan {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

/// Which span something belongs to.
#[derive(Debug, Clone, Default)]
pub struct TraceMark(Option<SpanContext>);

/// The headers that tell whoever is called of the span that is current.
pub fn headers() -> impl Iterator<Item = (&'static str, String)> {
    let state = current().map(|context| context.trace_state().header()).filter(|state| !state.is_empty());
    parent().map(|parent| (PARENT, parent)).into_iter().chain(state.map(|state| (STATE, state)))
}

/// The `traceparent` of the span that is current.
#[must_use]
pub fn parent() -> Option<String> {
    let context = current()?;
    let flags = context.trace_flags().to_u8();
    Some(format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()))
}

fn current() -> Option<SpanContext> {
    TRACER.get()?;
    let context = Context::current().span().span_context().clone();
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parent: &str) -> Option<SpanContext> {
        let context = TraceOrigin { parent: Some(parent), state: None }.context();
        let span = context.span().span_context().clone();
        span.is_valid().then_some(span)
    }

    #[test]
    fn a_trace_goes_on_where_its_header_is_w3cs() {
        let span = read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(span.is_sampled() && span.is_remote());
        assert!(!read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").unwrap().is_sampled());
        // A later version may say more.
        assert!(read("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-00").is_some());
    }

    #[test]
    fn a_header_that_is_none_begins_a_trace_of_its_own() {
        for parent in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-00",
            "00-af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        ] {
            assert_eq!(read(parent), None, "{parent}");
        }
    }

    #[tokio::test]
    async fn without_a_collector_there_is_nothing() {
        let span = TraceSpan::request("GET", || unreachable!("nobody is told"));
        span.set("never", || -> String { unreachable!("nobody is told") });
        span.around(async { assert_eq!(headers().count(), 0) }).await;
        assert_eq!(parent(), None);
    }
}
