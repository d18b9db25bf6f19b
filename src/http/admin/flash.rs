//! What a page has to say about the form before it: a cookie that lives until it is read.

use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use crate::http::auth::admin::{AdminAuth, CookieName};

/// Characters of what is said at most.
const LONGEST: usize = 300;
/// Seconds after which nobody reads it any more.
const SECONDS: i64 = 60;

/// The text of such a cookie. Whatever it says is shown as text.
#[must_use]
pub fn decode(cookie: &str) -> Option<String> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cookie).ok()?).ok()?;
    (!text.is_empty()).then(|| text.chars().take(LONGEST).collect())
}

/// Sends the browser on to a page, which says this.
#[must_use]
pub fn see_other(auth: &AdminAuth, headers: &HeaderMap, to: &str, said: &str) -> Response {
    let said: String = said.chars().take(LONGEST).collect();
    let cookie = auth.cookie(headers, CookieName::Flash, &BASE64_URL_SAFE_NO_PAD.encode(said), SECONDS);
    (StatusCode::SEE_OTHER, [(LOCATION, to.to_owned())], [(SET_COOKIE, cookie)]).into_response()
}
