//! What surrounds every request: its name in the logs, its span, its metrics, its time limit, the bounds of its body,
//! and what a panic becomes.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONNECTION, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use uuid::Uuid;

use super::body;
use super::error::ApiError;
use super::tasks::RequestTasks;
use crate::config::RequestLimits;
use crate::telemetry::figures::RequestFigures;
use crate::telemetry::trace::{TraceOrigin, TraceSpan};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long an LFS object may come in, at whatever pace.
const LONGEST_STREAM: Duration = Duration::from_hours(24);

#[derive(Debug, Clone)]
struct LayerState {
    time_limit: Duration,
    bodies: body::BodyBounds,
    tasks: RequestTasks,
    figures: Option<RequestFigures>,
}

/// The router with what surrounds every request, and with `others` for the paths that it has none for. Each request is a
/// task of its own among `tasks`, and is counted in `figures`.
pub fn layered(
    router: Router,
    others: Router,
    limits: &RequestLimits,
    tasks: &RequestTasks,
    figures: &RequestFigures,
) -> Router {
    let router = router.fallback_service(others).method_not_allowed_fallback(async || ApiError::MethodNotAllowed);
    surrounded(router, limits, tasks, Some(figures))
}

/// The router with what surrounds every request.
pub fn surrounded(
    router: Router,
    limits: &RequestLimits,
    tasks: &RequestTasks,
    figures: Option<&RequestFigures>,
) -> Router {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let surroundings = LayerState {
        time_limit: seconds(limits.request_timeout),
        bodies: body::BodyBounds::new(seconds(limits.body_timeout), limits.bodies_bytes),
        tasks: tasks.clone(),
        figures: figures.cloned(),
    };
    router.layer(CatchPanicLayer::custom(after_panic)).layer(from_fn_with_state(surroundings, observe))
}

/// The request with a path that routes: single slashes, and none at its end. Clients join a base that ends in a slash
/// with a path that starts with one, and a redirect would turn their POST into a GET.
pub fn with_plain_path<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let path = request.uri().path();
    // An id at the end of a SCIM path may have slashes anywhere; that area takes its paths apart by itself.
    if path.contains(super::scim::MOUNT) {
        return request;
    }
    if path.contains("//") || (path.len() > 1 && path.ends_with('/')) {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        if let Ok(uri) = format!("/{}{query}", segments.join("/")).parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The name of the request in the logs of everything that works on it.
#[derive(Debug, Clone)]
pub struct CorrelationId(pub String);

/// On an answer: the pattern of the path that it came from, where the router that asked for it cannot know.
#[derive(Debug, Clone)]
pub struct MatchedRoute(pub String);

async fn observe(State(around): State<LayerState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = correlation_id(&request);
    let (mut parts, body) = request.into_parts();
    // An LFS object is written away as it comes, for as long as it comes.
    let streamed = super::git_http::is_upload(&parts.method, parts.uri.path());
    let (body, arrival) = if streamed { around.bodies.guard_stream(body) } else { around.bodies.guard(body) };
    let time_limit = if streamed { LONGEST_STREAM } else { around.time_limit };
    parts.extensions.insert(CorrelationId(id.to_str().unwrap_or_default().to_owned()));
    let method = parts.method.clone();
    let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        correlation_id = id.to_str().unwrap_or_default(),
        %method,
        route = tracing::field::Empty
    );
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let trace = TraceSpan::request(label(&method), || TraceOrigin {
        parent: header("traceparent"),
        state: header("tracestate"),
    });
    if let Some(route) = &route {
        span.record("route", route);
    }

    let work = async move {
        let request = Request::from_parts(parts, body);
        let answered = tokio::time::timeout(time_limit, next.run(request));
        let mut response = match trace.around(answered).await {
            Ok(response) => response,
            Err(_) if !arrival.has_ended() => ApiError::TooSlow.into_response(),
            Err(elapsed) => ApiError::Unavailable(elapsed.into()).into_response(),
        };
        let route = route.unwrap_or_else(|| {
            let route = response
                .extensions_mut()
                .remove::<MatchedRoute>()
                .map_or_else(|| "none".to_owned(), |MatchedRoute(route)| route);
            tracing::Span::current().record("route", &route);
            route
        });
        let (status, duration) = (response.status(), started.elapsed());
        #[expect(clippy::cast_possible_truncation, reason = "a request ends long before this overflows")]
        let micros = duration.as_micros() as u64;
        tracing::info!(status = status.as_u16(), duration_us = micros, "answered");
        if let Some(figures) = &around.figures {
            figures.note(&route, status.as_u16(), duration);
        }
        describe(&trace, &method, &route, status, &id);
        let labels = [("method", label(&method).to_owned()), ("route", route), ("status", status.as_str().to_owned())];
        metrics::counter!("gatehouse_requests_total", &labels).increment(1);
        metrics::histogram!("gatehouse_request_seconds", "route" => labels[1].1.clone()).record(duration);
        response.headers_mut().insert(REQUEST_ID.clone(), id);
        if !arrival.has_ended() {
            // Between this answer and the next request there would be the rest of a body.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    };
    let answer = around.tasks.spawn(work.instrument(span)).await;
    answer.unwrap_or_else(|error| ApiError::Unavailable(error.into()).into_response())
}

/// Says of a trace's request what OpenTelemetry has words for, and whose request it was.
fn describe(trace: &TraceSpan, method: &Method, route: &str, status: StatusCode, id: &HeaderValue) {
    trace.rename(|| format!("{} {route}", label(method)));
    trace.set("http.request.method", || label(method));
    trace.set("http.route", || route.to_owned());
    trace.set("http.response.status_code", || i64::from(status.as_u16()));
    trace.set("gatehouse.area", || area(method, route));
    trace.set("correlation_id", || id.to_str().unwrap_or_default().to_owned());
    if status.is_server_error() {
        trace.fail(|| status.to_string());
    }
}

/// The area that answers a method of a route, as the document of the API calls it.
fn area(method: &Method, route: &str) -> &'static str {
    let within = |mount: &str| route.contains(mount);
    match route {
        "none" => "none",
        _ if route.starts_with("/admin") => "admin",
        _ if within("/-/") => "monitoring",
        _ if within("{repository}") || within("/geo/proxy") => "git_http",
        _ if within("/api/scim/") => "scim",
        _ if within("/internal/kubernetes/") || within("/internal/agents/") => "kubernetes",
        _ if within("/internal/gitlab_subscriptions/") => "gitlab_subscriptions",
        _ if within("/internal/upcoming_reconciliations") => "provisioning",
        _ if within("/api/v4/internal/") => "shell",
        _ if within("/gitlab_subscription") || within("/minutes") || within("/subscription_add_on_purchase") => {
            "provisioning"
        }
        _ if within("/storage/limit_exclusion") => "provisioning",
        _ if *method == Method::PUT && route.ends_with("/api/v4/namespaces/{id}") => "provisioning",
        _ => "rest",
    }
}

/// The method as a label: a client can send any word, and each would be a series of its own for ever.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The id that the caller gave the request, or one of our own.
fn correlation_id(request: &Request) -> HeaderValue {
    let given = request.headers().get(&REQUEST_ID);
    let usable =
        |id: &&HeaderValue| id.len() <= 255 && id.as_bytes().iter().all(u8::is_ascii_graphic) && !id.is_empty();
    given.filter(usable).cloned().unwrap_or_else(|| {
        let id = Uuid::new_v4().simple().to_string();
        HeaderValue::from_str(&id).expect("a UUID is ASCII")
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn after_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
    ApiError::Internal(format!("panic: {text}").into()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use serde_json::Value;

    use super::area;

    #[test]
    fn a_route_is_of_the_area_that_the_document_of_the_api_has_it_in() {
        let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
        let mut seen = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let Some(tag) = operation["tags"][0].as_str() else { continue };
                let method = method.to_uppercase().parse().unwrap();
                let found = (area(&method, path), area(&method, &format!("/gitlab{path}")));
                assert_eq!(found, (tag, tag), "{method} {path}");
                seen += 1;
            }
        }
        assert!(seen > 80, "{seen}");
        assert_eq!(area(&Method::GET, "none"), "none");
    }
}
