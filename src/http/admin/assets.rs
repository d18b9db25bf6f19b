//! `/admin/assets/{file}`: the style sheet, and htmx. Their addresses name their contents, so that browsers keep them for
//! ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use super::error::AdminError;
use crate::domain::token;

/// A file that pages name.
#[derive(Debug)]
pub struct Asset {
    /// Its address, with a digest of what it holds.
    pub url: String,
    digest: String,
    kind: &'static str,
    bytes: &'static str,
}

/// The style sheet.
pub static CSS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("admin.css", "text/css; charset=utf-8", include_str!("assets/admin.css")));
/// htmx 2.0.11, as its package has it. Pages do without it.
pub static HTMX: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("htmx.min.js", "text/javascript; charset=utf-8", include_str!("assets/htmx.min.js")));

/// The picture beside a page's title.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")));

impl Asset {
    fn new(name: &str, kind: &'static str, bytes: &'static str) -> Self {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(&token::sha256(bytes)[..9]);
        Self { url: format!("/admin/assets/{name}?{digest}"), digest, kind, bytes }
    }
}

/// A file.
pub async fn show(Path(file): Path<String>) -> Result<Response, AdminError> {
    let asset = match file.as_str() {
        "admin.css" => &CSS,
        "htmx.min.js" => &HTMX,
        "icon.svg" => &ICON,
        _ => return Err(AdminError::NoSuch("file")),
    };
    let headers = [
        (CONTENT_TYPE, asset.kind.to_owned()),
        (CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (ETAG, format!("\"{}\"", asset.digest)),
    ];
    Ok((headers, asset.bytes).into_response())
}
