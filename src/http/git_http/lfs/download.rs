//! `GET /gitlab-lfs/objects/{oid}`: an object goes out: by Workhorse, which is told its file, or by ourselves.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_URL_SAFE, Engine};
use serde_json::json;

use super::LfsCaller;
use super::batch::{given_away, may_download_from};
use super::error::LfsRefusal;
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};
use crate::lfs_files::{FileStore, LfsOid};
use crate::store::lfs_objects;

/// What a proxy offers to send by itself.
const SENDFILE_TYPE: &str = "x-sendfile-type";
static SENDFILE: HeaderName = HeaderName::from_static("x-sendfile");
/// What Workhorse does by itself, and with what.
static SEND_DATA: HeaderName = HeaderName::from_static("gitlab-workhorse-send-data");

/// Other projects of a fork network that are looked at, at most.
const MOST: i64 = 20;

/// The object, where the project has it, or another one of its fork network that the client may download from.
#[utoipa::path(
    get,
    path = "/gitlab-lfs/objects/{oid}",
    params((
        "oid" = String,
        Path,
        description = "The object's id",
        example = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    )),
    responses(
        (
            status = 200,
            description = "The content; or to Workhorse where that is, in `X-Sendfile` or `Gitlab-Workhorse-Send-Data`",
            body = String,
            content_type = "application/octet-stream"
        ),
        (status = 302, description = "To the bucket that it is in"),
        (
            status = 206,
            description = "A part of it",
            body = String,
            content_type = "application/octet-stream"
        ),
        (status = 416, description = "There is no such part")
    )
)]
pub async fn show(
    State(git): State<GitHttpState>,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    Path(oid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, LfsRefusal> {
    let url = &git.settings.url;
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    caller.may_download(url)?;
    let oid = LfsOid::parse(&oid).ok_or_else(|| LfsRefusal::not_found(url))?;
    if !is_held(&git, &caller, &oid).await? {
        return Err(LfsRefusal::not_found(url));
    }
    let store = lfs_objects::find_store(&git.db.repeatable(), oid.as_str()).await?;
    let store = store.ok_or_else(|| LfsRefusal::not_found(url))?;
    let size = git.files.size(&oid, store).await?.ok_or_else(|| LfsRefusal::not_found(url))?;
    metrics::counter!("gatehouse_lfs_objects_total", "operation" => "download").increment(1);
    if let Some(bucket) = given_away(&git, store) {
        let (place, _) = bucket.download_url(&oid).await?;
        return Ok((StatusCode::FOUND, [(LOCATION, String::from(place))]).into_response());
    }
    if headers.get(SENDFILE_TYPE).is_some_and(|kind| kind == "X-Sendfile") {
        let mut response = attachment(Body::empty(), 0);
        let (name, value) = told_workhorse(&git, &oid, store).await?;
        let value = HeaderValue::from_str(&value).map_err(|_| LfsRefusal::not_found(url))?;
        response.headers_mut().insert(name, value);
        return Ok(response);
    }
    let (from, length) = match headers.get(RANGE).map(|range| part(range, size)) {
        None | Some(AskedPart::Whole) => (0, size),
        Some(AskedPart::Part(from, length)) => (from, length),
        Some(AskedPart::Nowhere) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let whole = HeaderValue::from_str(&format!("bytes */{size}"));
            response.headers_mut().extend(whole.ok().map(|whole| (CONTENT_RANGE, whole)));
            return Ok(response);
        }
    };
    let mut response = attachment(Body::from_stream(git.files.read(&oid, store, from, length).await?), length);
    if length < size {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let end = from + length.saturating_sub(1);
        let range = HeaderValue::from_str(&format!("bytes {from}-{end}/{size}"));
        response.headers_mut().extend(range.ok().map(|range| (CONTENT_RANGE, range)));
    }
    Ok(response)
}

/// Where Workhorse finds what it is to send.
async fn told_workhorse(
    git: &GitHttpState,
    oid: &LfsOid,
    store: FileStore,
) -> Result<(HeaderName, String), LfsRefusal> {
    match git.files.bucket().filter(|_| store == FileStore::Remote) {
        Some(bucket) => {
            let (place, _) = bucket.download_url(oid).await?;
            let told = json!({ "URL": place.as_str(), "AllowRedirects": false }).to_string();
            Ok((SEND_DATA.clone(), format!("send-url:{}", BASE64_URL_SAFE.encode(told))))
        }
        None => Ok((SENDFILE.clone(), git.files.directory().path(oid).display().to_string())),
    }
}

/// Whether the project has the object, or one of its relatives that the client may download from.
async fn is_held(git: &GitHttpState, caller: &LfsCaller, oid: &LfsOid) -> Result<bool, LfsRefusal> {
    let db = git.db.repeatable();
    let oids = [oid.as_str().to_owned()];
    if !lfs_objects::list_linked(&db, caller.project, &oids).await?.is_empty() {
        return Ok(true);
    }
    for other in lfs_objects::list_holders_in_network(&db, caller.project, oid.as_str(), MOST).await? {
        if may_download_from(git, caller, other).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn attachment(body: Body, length: u64) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, length.into());
    response
}

/// Which part is asked for.
#[derive(Debug, PartialEq, Eq)]
enum AskedPart {
    Whole,
    /// From here on, so many bytes.
    Part(u64, u64),
    Nowhere,
}

/// One part is given; of several, and of what cannot be read, the whole.
fn part(range: &HeaderValue, size: u64) -> AskedPart {
    let read = || {
        let (from, to) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        match (from, to) {
            ("", last) => {
                let last = number(last)?.min(size);
                Some(if last == 0 { AskedPart::Nowhere } else { AskedPart::Part(size - last, last) })
            }
            (from, to) => {
                let from = number(from)?;
                let to = if to.is_empty() { size.saturating_sub(1) } else { number(to)?.min(size.saturating_sub(1)) };
                Some(match to.checked_sub(from) {
                    Some(more) if from < size => AskedPart::Part(from, more + 1),
                    _ if from >= size => AskedPart::Nowhere,
                    _ => AskedPart::Whole,
                })
            }
        }
    };
    read().unwrap_or(AskedPart::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_given_where_it_is_there() {
        let part = |range: &str, size| super::part(&range.parse().unwrap(), size);
        assert_eq!(part("bytes=0-9", 100), AskedPart::Part(0, 10));
        assert_eq!(part("bytes=90-", 100), AskedPart::Part(90, 10));
        assert_eq!(part("bytes=90-999", 100), AskedPart::Part(90, 10));
        assert_eq!(part("bytes=-5", 100), AskedPart::Part(95, 5));
        assert_eq!(part("bytes=-500", 100), AskedPart::Part(0, 100));
        assert_eq!(part("bytes=100-", 100), AskedPart::Nowhere);
        assert_eq!(part("bytes=0-", 0), AskedPart::Nowhere);
        for whole in ["bytes=9-5", "bytes=0-1,5-6", "bytes=", "bytes=-", "lines=0-1", "bytes=+1-2", "x"] {
            assert_eq!(part(whole, 100), AskedPart::Whole, "{whole}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_part_is_within_the_object(range in "(bytes=)?[0-9-]{0,24}", size in proptest::num::u64::ANY) {
            if let AskedPart::Part(from, length) = part(&range.parse().unwrap(), size) {
                proptest::prop_assert!(length > 0 && from.checked_add(length).is_some_and(|end| end <= size));
            }
        }
    }
}
