//! A push about which Gitaly gave no answer: nothing is let through unasked.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::gitaly::{CheckSteps, GitalyError};
use crate::services::check_access::NO_GITALY;

/// The status, and the message that Gitaly shows to the user, whatever the status.
pub fn render(error: &GitalyError, steps: &CheckSteps) -> Response {
    tracing::warn!(%error, "Gitaly gave no answer about a push");
    let say = |status: StatusCode, message: String| (status, Json(json!({ "status": false, "message": message })));
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    match error {
        GitalyError::Deadline => {
            let heading = "Push operation timed out\n\nTiming information for debugging purposes:\n";
            say(busy, format!("{heading}{steps}")).into_response()
        }
        GitalyError::Exhausted { retry_after, .. } => {
            let seconds = retry_after.unwrap_or(Duration::from_secs(1)).as_secs().max(1);
            let message = "Upstream Gitaly has been exhausted. Try again later".to_owned();
            ([(RETRY_AFTER, seconds.to_string())], say(busy, message)).into_response()
        }
        GitalyError::TooMany { limit } => {
            let message = format!("Your push brings more than {limit} objects that must be checked. Push it in parts.");
            say(StatusCode::UNPROCESSABLE_ENTITY, message).into_response()
        }
        GitalyError::TooLarge { limit } => {
            let message = format!("Your push brings more than {limit} bytes that must be checked. Push it in parts.");
            say(StatusCode::UNPROCESSABLE_ENTITY, message).into_response()
        }
        GitalyError::Unavailable(_)
        | GitalyError::UnknownStorage(_)
        | GitalyError::NotFound(_)
        | GitalyError::Failed(_) => say(busy, NO_GITALY.to_owned()).into_response(),
    }
}
