//! Who is not Workhorse gets nowhere, and paths are what they seem.

use axum::body::Body;
use axum::http::Request;
use futures_util::stream;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use sqlx::PgPool;

use super::{Forge, assert_allowed, assert_refused, signed, workhorse_token_with};
use crate::support::Reply;

const FETCH: &str = "/g/open.git/info/refs?service=git-upload-pack";

async fn with_proof(forge: &Forge, token: Option<String>) -> Reply {
    let mut request = Request::builder().uri(FETCH);
    if let Some(token) = token {
        request = request.header("gitlab-workhorse-api-request", token);
    }
    forge.app.send(request.body(Body::empty()).unwrap()).await
}

/// http-1
#[sqlx::test]
async fn whoever_is_not_workhorse_is_refused_before_anything_else(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let claims = json!({ "iss": "gitlab-workhorse" });
    let other_key =
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&[1; 32])).unwrap();
    let shell = workhorse_token_with(&json!({ "iss": "gitlab-shell" }));
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJnaXRsYWItd29ya2hvcnNlIn0.".to_owned();
    for token in [None, Some(other_key), Some(shell), Some(unsigned), Some(String::new())] {
        let reply = with_proof(&forge, token).await;
        assert_refused(&reply, 403, "The request is not signed by GitLab Workhorse");
        assert!(!reply.headers.contains_key("www-authenticate"));
    }
    // Nor does a good credential help.
    let bare = Request::builder().uri(FETCH).header("authorization", super::basic("dev", "T-dev"));
    assert_eq!(forge.app.send(bare.body(Body::empty()).unwrap()).await.status, 403);
}

/// http-2, http-3
#[sqlx::test]
async fn the_proof_has_no_end_unless_it_says_so(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let now = forge.app.clock.now().timestamp();
    for (claims, status) in [
        (json!({ "iss": "gitlab-workhorse" }), 200),
        (json!({ "iss": "gitlab-workhorse", "iat": now - 365 * 86_400 }), 200),
        (json!({ "iss": "gitlab-workhorse", "exp": now - 61 }), 403),
        (json!({ "iss": "gitlab-workhorse", "nbf": now + 61 }), 403),
        (json!({ "iss": "gitlab-workhorse", "exp": now - 59 }), 200),
    ] {
        assert_eq!(with_proof(&forge, Some(workhorse_token_with(&claims))).await.status, status, "{claims}");
    }
}

/// http-4
#[sqlx::test]
async fn a_head_of_refs_is_refused_without_a_word(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let reply = forge.ask("HEAD", FETCH, None).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (403, ""));
}

/// http-5
#[sqlx::test]
async fn a_url_without_git_is_sent_to_the_one_with_it(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let unsigned = async |uri: &str| forge.app.send(Request::builder().uri(uri).body(Body::empty()).unwrap()).await;
    for (from, to) in [
        ("/g/open/info/refs?service=git-upload-pack", "/g/open.git/info/refs?service=git-upload-pack"),
        ("/g/open/info/refs?service=git-receive-pack", "/g/open.git/info/refs?service=git-receive-pack"),
        ("/g/open/info/refs", "/g/open.git/info/refs"),
        ("/nope/nix.wiki/info/refs", "/nope/nix.wiki.git/info/refs"),
        ("/snippets/3/info/refs", "/snippets/3.git/info/refs"),
        ("/g/p/snippets/3/info/refs", "/g/p/snippets/3.git/info/refs"),
    ] {
        let reply = unsigned(from).await;
        assert_eq!(reply.status, 301, "{from}: {}", reply.line());
        assert_eq!(reply.headers["location"], to, "{from}");
    }
    for lost in
        ["/g/open/info/refs?service=git-implode-pack", "/open/info/refs", "/g/open/info/refs?x", "/-/x/info/refs"]
    {
        assert_eq!(unsigned(lost).await.status, 404, "{lost}");
    }
    let post = Request::builder().method("POST").uri("/g/open/info/refs").body(Body::empty()).unwrap();
    assert_eq!(forge.app.send(post).await.status, 404);
}

/// http-7
#[sqlx::test]
async fn everything_lies_below_the_root_of_the_installation(pool: PgPool) {
    let forge = Forge::with(pool, "gitlab: {relative_url_root: /gitlab}").await;
    assert_allowed(&forge.ask("GET", &format!("/gitlab{FETCH}"), None).await);
    assert_refused(&forge.ask("GET", FETCH, None).await, 404, "Not found");
    let moved = forge.ask("GET", "/gitlab/g/open/info/refs", None).await;
    assert_eq!(moved.headers["location"], "/gitlab/g/open.git/info/refs");
    assert_eq!(forge.ask("GET", "/gitlabg/open.git/info/refs", None).await.status, 404);
    assert_eq!(forge.ask("GET", "/gitlab/api/v4/geo/proxy", None).await.status, 200);
}

/// http-8, http-10
#[sqlx::test]
async fn odd_paths_lead_nowhere(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    for path in [
        "/..%2f..%2fg/open.git/info/refs",
        "/g/op%00en.git/info/refs",
        "/g/open.git/../p.git/info/refs",
        "/g/%252e%252e/p.git/info/refs",
        "/favicon.ico",
        "/",
        "/g/open.git/HEAD",
        "/g/open.git/objects/info/packs",
    ] {
        let reply = forge.ask("GET", &format!("{path}?service=git-upload-pack"), Some(("dev", "T-dev"))).await;
        assert_refused(&reply, 404, "Not found");
    }
    assert_refused(&forge.ask("POST", "/g/open.git/foo", None).await, 404, "Not found");
    assert_refused(&forge.ask("POST", FETCH, None).await, 404, "Not found");
    let of_the_api = forge.ask("GET", "/api/v4/nothing", None).await;
    assert_eq!(of_the_api.line(), r#"404 {"error":"404 Not Found","message":"404 Not Found"}"#);
}

/// http-9
#[sqlx::test]
async fn there_is_no_geo(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let reply = forge.ask("GET", "/api/v4/geo/proxy", None).await;
    assert_eq!(reply.line(), r#"200 {"geo_enabled":false}"#);
    assert_eq!(reply.headers["content-type"], "application/vnd.gitlab-workhorse+json");
    let bare = Request::builder().uri("/api/v4/geo/proxy").body(Body::empty()).unwrap();
    assert_eq!(forge.app.send(bare).await.line(), r#"403 {"message":"403 Forbidden"}"#);
}

/// What comes without Workhorse may have any length; nobody reads it.
#[sqlx::test]
async fn the_body_of_a_stranger_is_not_read(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let endless = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let request = Request::builder().method("POST").uri("/g/p.git/git-receive-pack").body(endless).unwrap();
    assert_eq!(forge.app.send(request).await.status, 403);
    let endless = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let request = signed("POST", "/g/p.git/git-receive-pack", Some(("dev", "T-dev"))).body(endless).unwrap();
    assert_eq!(forge.app.send(request).await.status, 200, "the pack goes to Gitaly");
}
