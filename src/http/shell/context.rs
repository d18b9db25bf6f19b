//! `gitaly_client_context_bin`: what newer Gitalys send along, which must at least be what it says it is
//! (shell.md 1.8).

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::wire::WireText;

/// Nothing where the context is absent, or base64 of a JSON object.
///
/// # Errors
/// 400, with what it is instead.
pub fn readable_context(context: Option<&WireText>) -> Result<(), ApiError> {
    let Some(context) = context.filter(|context| !context.0.is_empty()) else { return Ok(()) };
    let malformed = || ApiError::BadRequest("malformed gitaly_client_context_bin".to_owned());
    let bytes = BASE64_STANDARD.decode(&context.0).map_err(|_| malformed())?;
    if serde_json::from_slice::<Value>(&bytes).map_err(|_| malformed())?.is_object() {
        return Ok(());
    }
    let reason = "Decoded gitaly_client_context_bin is not a valid JSON object";
    Err(ApiError::BadRequest(reason.to_owned()))
}
