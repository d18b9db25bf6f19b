//! `POST /Bulk`: requests about users and groups of the installation, many in one body (RFC 7644, section 3.7). Each is
//! answered by its own route, and stands or falls alone.

use std::collections::{HashMap, HashSet};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use super::body::{self, ScimBody};
use super::error::ScimError;
use super::schemas::{ScimBulkRequest, ScimBulkResponse};
use super::url::{below, encoded};
use super::{CONTENT, json_answer};
use crate::http::auth::scim::ScimCaller;

/// Operations in a request at most.
pub const MAX_OPERATIONS: usize = 100;

/// Bytes that are read of the answer to one operation.
const ANSWER_BYTES: usize = 64 << 20;
const REFERENCE: &str = "bulkId:";

/// Many requests about users and groups of the installation, each of which stands or falls alone.
///
/// Each is answered, in the order of the request, which is also the order in which they are done; but what an operation
/// refers to is made before it. Where as many have failed as the client says in `failOnErrors`, the rest is not done,
/// and not answered.
///
/// # Errors
/// 400 for what cannot be read, 413 for too many operations.
#[utoipa::path(
    post,
    path = "/Bulk",
    request_body = ScimBulkRequest,
    responses((status = 200, body = ScimBulkResponse))
)]
pub async fn bulk(
    State(resources): State<Router>,
    caller: ScimCaller,
    ScimBody(fields): ScimBody,
) -> Result<Response, ScimError> {
    let allowed = fail_on_errors(&fields)?;
    let operations = read(&fields)?;
    let (mut made, mut failed) = (HashMap::new(), 0);
    let mut answers: Vec<Option<Value>> = vec![None; operations.len()];
    for place in plan(&operations) {
        let operation = &operations[place];
        let done = if let Some(resolved) = operation.resolved(&made) {
            resolved.run(&resources, &caller).await
        } else {
            // What it refers to was not made, or cannot be before it.
            let refused = ScimError::Conflict("a bulkId that it refers to stands for nothing".to_owned());
            operation.outcome(refused.into_response(), &caller).await
        };
        if let (Some(name), Some(id)) = (&operation.bulk_id, done.id) {
            made.insert(name.clone(), id);
        }
        answers[place] = Some(done.answer);
        failed += usize::from(done.failed);
        if allowed.is_some_and(|allowed| failed >= allowed) {
            break;
        }
    }
    let answer = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
        "Operations": answers.into_iter().flatten().collect::<Vec<_>>(),
    });
    Ok(json_answer(StatusCode::OK, &answer))
}

/// The places of operations in the order in which they are done: each after those that it refers to.
fn plan(operations: &[BulkOperation]) -> Vec<usize> {
    fn visit(
        place: usize,
        operations: &[BulkOperation],
        named: &HashMap<&str, usize>,
        seen: &mut [bool],
        plan: &mut Vec<usize>,
    ) {
        // Of a circle, the one that is met first is left without what it refers to.
        if std::mem::replace(&mut seen[place], true) {
            return;
        }
        for name in operations[place].references() {
            if let Some(made) = named.get(name.as_str()) {
                visit(*made, operations, named, seen, plan);
            }
        }
        plan.push(place);
    }
    let named = |(place, operation): (usize, &'_ BulkOperation)| Some((operation.bulk_id.clone()?, place));
    let named: HashMap<String, usize> = operations.iter().enumerate().filter_map(named).collect();
    let named = named.iter().map(|(name, place)| (name.as_str(), *place)).collect();
    let (mut seen, mut plan) = (vec![false; operations.len()], Vec::new());
    for place in 0..operations.len() {
        visit(place, operations, &named, &mut seen, &mut plan);
    }
    plan
}

fn fail_on_errors(fields: &Map<String, Value>) -> Result<Option<usize>, ScimError> {
    let Some(value) = body::member(fields, "failOnErrors") else { return Ok(None) };
    let number = body::text(value).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| ScimError::InvalidValue("failOnErrors must be a number from 1".to_owned()))
}

fn read(fields: &Map<String, Value>) -> Result<Vec<BulkOperation>, ScimError> {
    let syntax = |detail: &str| ScimError::InvalidSyntax(detail.to_owned());
    let Some(Value::Array(operations)) = body::member(fields, "Operations") else {
        return Err(syntax("Operations must be an array"));
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(ScimError::TooLarge(format!("there are {MAX_OPERATIONS} operations at most")));
    }
    let mut names = HashSet::new();
    let operations = operations.iter().map(|operation| {
        let operation = operation.as_object().and_then(BulkOperation::read).ok_or_else(|| {
            syntax(
                "An operation needs a method, a path below /Users or /Groups, and but for DELETE data; POST a bulkId",
            )
        })?;
        match &operation.bulk_id {
            Some(name) if !names.insert(name.clone()) => Err(syntax("Each bulkId must stand for one operation")),
            _ => Ok(operation),
        }
    });
    operations.collect()
}

/// One of the requests.
#[derive(Debug, Clone)]
struct BulkOperation {
    method: Method,
    bulk_id: Option<String>,
    path: String,
    version: Option<HeaderValue>,
    data: Value,
}

/// What came of it.
struct BulkResult {
    answer: Value,
    /// The id of what it made.
    id: Option<String>,
    failed: bool,
}

impl BulkOperation {
    fn read(operation: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| body::member(operation, name).and_then(body::text);
        let method = match text("method")?.to_ascii_uppercase().as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => return None,
        };
        let bulk_id = text("bulkId");
        let path = text("path").filter(|path| path.starts_with('/') && !path.ends_with("/.search"))?;
        let version = match body::member(operation, "version") {
            None => None,
            Some(version) => Some(HeaderValue::try_from(version.as_str()?).ok()?),
        };
        let data = body::member(operation, "data").cloned().unwrap_or_default();
        let complete = (method != Method::POST || bulk_id.is_some()) && (method == Method::DELETE || !data.is_null());
        complete.then_some(Self { method, bulk_id, path, version, data })
    }

    /// The names that it refers to.
    fn references(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut note = |name: &str| {
            names.push(name.to_owned());
            Some(String::new())
        };
        let _ = self.replaced(&mut note);
        names
    }

    /// The operation with ids for all its references; `None` where one is not known.
    fn resolved(&self, made: &HashMap<String, String>) -> Option<Self> {
        self.replaced(&mut |name| made.get(name).cloned())
    }

    fn replaced(&self, id_of: &mut dyn FnMut(&str) -> Option<String>) -> Option<Self> {
        let path = self.path.split('/').map(|segment| match segment.strip_prefix(REFERENCE) {
            Some(name) => id_of(name).map(|id| encoded(&id)),
            None => Some(segment.to_owned()),
        });
        let path = path.collect::<Option<Vec<_>>>()?.join("/");
        Some(Self { path, data: replaced(&self.data, id_of)?, ..self.clone() })
    }

    async fn run(&self, resources: &Router, caller: &ScimCaller) -> BulkResult {
        let mut request = Request::builder().method(&self.method).header(CONTENT_TYPE, CONTENT);
        if let Some(version) = &self.version {
            request = request.header(IF_MATCH, version);
        }
        let mut path = below(&self.path).unwrap_or_default();
        if self.method == Method::POST {
            // Nobody looks at the members of what is made.
            path.push_str("?excludedAttributes=members");
        }
        let body = if self.data.is_null() { Body::empty() } else { Body::from(self.data.to_string()) };
        let response = match request.uri(path).extension(caller.clone()).body(body) {
            Ok(request) => resources.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
            Err(_) => ScimError::NoSuchUrl.into_response(),
        };
        self.outcome(response, caller).await
    }

    async fn outcome(&self, response: Response, caller: &ScimCaller) -> BulkResult {
        let (head, body) = response.into_parts();
        let body: Value = match to_bytes(body, ANSWER_BYTES).await {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(_) => Value::Null,
        };
        let failed = !head.status.is_success();
        let mut answer = json!({ "method": self.method.as_str(), "status": head.status.as_str() });
        if let Some(name) = &self.bulk_id {
            answer["bulkId"] = name.as_str().into();
        }
        if let Some(version) = head.headers.get(ETAG).and_then(|version| version.to_str().ok()) {
            answer["version"] = version.into();
        }
        if let Some(place) = body["meta"]["location"].as_str() {
            answer["location"] = place.into();
        } else if self.method != Method::POST {
            answer["location"] = format!("{}{}", caller.base_url(), self.path).into();
        }
        let id = body["id"].as_str().map(str::to_owned).filter(|_| !failed);
        if failed {
            answer["response"] = body;
        }
        BulkResult { answer, id, failed }
    }
}

/// A value with ids in the place of references, be it the whole of a text or in the filter of a path.
fn replaced(value: &Value, id_of: &mut dyn FnMut(&str) -> Option<String>) -> Option<Value> {
    Some(match value {
        Value::String(text) => match text.strip_prefix(REFERENCE) {
            Some(name) => Value::String(id_of(name)?),
            None => Value::String(in_quotes_replaced(text, id_of)?),
        },
        Value::Array(values) => Value::Array(values.iter().map(|value| replaced(value, id_of)).collect::<Option<_>>()?),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Some((name.clone(), replaced(value, id_of)?)));
            Value::Object(fields.collect::<Option<_>>()?)
        }
        simple => simple.clone(),
    })
}

fn in_quotes_replaced(text: &str, id_of: &mut dyn FnMut(&str) -> Option<String>) -> Option<String> {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("\"bulkId:") {
        let Some((name, after)) = after.split_once('"') else { break };
        done.push_str(before);
        done.push_str(&Value::String(id_of(name)?).to_string());
        rest = after;
    }
    done.push_str(rest);
    Some(done)
}
