//! What a request says its body is.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

/// The content type in lower case and without its parameters; nothing where there is none, or an empty one.
#[must_use]
pub fn of(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?;
    // What is no text is the name of no type.
    let text = value.to_str().unwrap_or("not text");
    let media = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!media.is_empty()).then_some(media)
}
