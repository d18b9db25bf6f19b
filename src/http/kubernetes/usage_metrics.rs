//! `POST /usage_metrics`: what kas has counted since the last report that was taken.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use utoipa::ToSchema;

use super::KubernetesState;
use crate::domain::kas_usage::{COUNTERS, TOP_LEVEL, UNIQUE_COUNTERS, UsageReport};
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::http::grape::{CoerceParameter, GrapeParameters, WrongType};

/// Ids of a set at most: kas sends those of a minute, or of as long as nobody took its reports.
const IDS: usize = 100_000;

/// Counts since the last report.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct UsageMetricsRequest {
    /// What to add to each counter; none below zero.
    #[schema(value_type = Option<HashMap<String, i64>>)]
    counters: Option<Value>,
    /// Ids to add to each set.
    #[schema(value_type = Option<HashMap<String, Vec<i64>>>)]
    unique_counters: Option<Value>,
    /// A counter of the oldest form.
    gitops_sync_count: Option<i64>,
    /// A counter of the oldest form.
    k8s_api_proxy_request_count: Option<i64>,
}

/// Takes a report. It is committed when this answers 204: kas sends what was not answered so again, and it would count
/// twice.
///
/// # Errors
/// 400 where something that we know is of the wrong type, or negative; nothing is counted then. Names that we do not
/// know are passed over.
#[utoipa::path(
    post,
    path = "/kubernetes/usage_metrics",
    request_body(
        content = UsageMetricsRequest,
        example = json!({
            "counters": { "flux_git_push_notifications_total": 1 },
            "unique_counters": { "agent_users_using_ci_tunnel": [7] }
        })
    ),
    responses((status = 204, description = "The report is counted"))
)]
pub async fn create(
    State(kubernetes): State<KubernetesState>,
    _caller: KasCaller,
    parameters: GrapeParameters,
) -> Result<StatusCode, ApiError> {
    let report = parse(&parameters)?;
    kubernetes.usage.add(report, kubernetes.clock.now().date_naive()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The three shapes that a report has had, all of them at once (kas.md 3.1).
fn parse(parameters: &GrapeParameters) -> Result<UsageReport, ApiError> {
    let report = parameters.read(|reader| {
        let mut counts: Vec<(&str, i64)> = Vec::new();
        for (name, counter) in TOP_LEVEL {
            counts.extend(reader.optional::<CounterValue>(name).value().map(|CounterValue(count)| (counter, count)));
        }
        let nested = reader.optional_object("counters", |counters| {
            COUNTERS
                .map(|name| counters.optional::<CounterValue>(name).value().map(|CounterValue(count)| (name, count)))
        });
        counts.extend(nested.value().into_iter().flatten().flatten());
        let unique = reader.optional_object("unique_counters", |counters| {
            UNIQUE_COUNTERS.map(|name| counters.optional_list::<i64>(name, IDS).value().map(|ids| (name, ids)))
        });
        UsageReport { counts, unique: unique.value().into_iter().flatten().flatten().collect() }
    })?;
    match report.counts.iter().find(|(_, count)| *count < 0) {
        Some((name, _)) => Err(ApiError::BadRequest(format!("{name} count must be greater than or equal to zero"))),
        None => Ok(report),
    }
}

/// An integer, or what is left of a number without its fraction.
struct CounterValue(i64);

impl CoerceParameter for CounterValue {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        /// Beyond this, floats and integers part.
        const LARGEST: f64 = 9_007_199_254_740_992.0;
        match value {
            Value::Number(number) if number.is_f64() => {
                let whole = number.as_f64().map(f64::trunc).filter(|whole| whole.abs() <= LARGEST);
                #[expect(clippy::cast_possible_truncation, reason = "whole, and far inside the range")]
                whole.map(|whole| Some(Self(whole as i64))).ok_or(WrongType)
            }
            _ => Ok(i64::coerce(value)?.map(Self)),
        }
    }
}
