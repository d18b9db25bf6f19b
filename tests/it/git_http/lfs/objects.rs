//! The objects themselves: by Workhorse, and without it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::json;
use sqlx::PgPool;

use super::{FORBIDDEN, LfsForge, NOT_FOUND, assert_lfs, oid};
use crate::git_http::{assert_allowed, assert_challenged, assert_refused, basic, signed, workhorse_token};
use crate::support::{Reply, TestWorkhorse};

const DEV: super::Login<'static> = Some(("dev", "T-dev"));

async fn counts(lfs: &LfsForge) -> (i64, i64) {
    let given = &lfs.forge.given;
    (
        given.value("select count(*) from lfs_objects").await,
        given.value("select count(*) from lfs_objects_projects").await,
    )
}

/// http-75
#[sqlx::test]
async fn workhorse_is_told_where_to_lay_an_object_down(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let id = oid(b"hello");
    let path = format!("/g/p.git/gitlab-lfs/objects/{id}/5/authorize");
    let said = assert_allowed(&lfs.forge.ask("PUT", &path, DEV).await);
    let folder = std::path::absolute(lfs.folder.path()).unwrap().join("tmp/uploads");
    assert_eq!(
        said,
        json!({
            "TempPath": folder.display().to_string(), "LfsOid": id, "LfsSize": 5, "MaximumSize": 5,
            "UploadHashFunctions": ["sha256"]
        })
    );
    assert_eq!(lfs.forge.ask("PUT", &path, Some(("rep", "T-rep"))).await.line(), FORBIDDEN);
    assert_eq!(lfs.forge.ask("PUT", &path, Some(("out", "T-out"))).await.line(), NOT_FOUND);
    assert_challenged(&lfs.forge.ask("PUT", &path, None).await);
    let unsigned = lfs.send("PUT", &path, Body::empty(), DEV).await;
    assert_refused(&unsigned, 403, "The request is not signed by GitLab Workhorse");
    for bad in [format!("{}/5", id.to_uppercase()), format!("{id}/-5"), format!("{id}/99999999999999999999")] {
        let reply = lfs.forge.ask("PUT", &format!("/g/p.git/gitlab-lfs/objects/{bad}/authorize"), DEV).await;
        assert_eq!(reply.line(), NOT_FOUND, "{bad}");
    }
}

/// http-76, http-81
#[sqlx::test]
async fn what_workhorse_has_laid_down_is_stored_and_counted(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    for (content, objects) in [(b"hello".as_slice(), 1), (b"", 2)] {
        let id = oid(content);
        let upload = lfs.laid_down(content);
        let reply = lfs.finalise("g/p", &id, content.len(), upload, DEV).await;
        assert_eq!(reply.line(), "200 ");
        assert_eq!(reply.headers["content-type"], "application/vnd.git-lfs+json");
        assert_eq!(std::fs::read(lfs.path(&id)).unwrap(), content);
        assert_eq!((counts(&lfs).await, lfs.temporary()), ((objects, objects), 0));
        let got = lfs.get(&format!("/g/p.git/gitlab-lfs/objects/{id}"), DEV).await;
        assert_eq!(got.text.as_bytes(), content);
    }
    let size = "select lfs_objects_size + storage_size from project_statistics";
    assert_eq!(lfs.forge.given.value::<i64>(size).await, 10);
    let file: String = lfs.forge.given.value("select file from lfs_objects where size = 5").await;
    assert_eq!(file, oid(b"hello")[4..]);
}

/// http-76
#[sqlx::test]
async fn an_object_goes_through_workhorse_both_ways(pool: PgPool) {
    let LfsForge { forge, folder, .. } = LfsForge::begins(pool).await;
    let given = forge.given;
    let workhorse = TestWorkhorse::start(Arc::new(forge.app), folder.path(), workhorse_token()).await;
    let (id, client) = (oid(b"hello"), reqwest::Client::new());
    let url = format!("http://{}/g/p.git/gitlab-lfs/objects/{id}", workhorse.address);
    let put = async |content: &'static [u8], token: &str| {
        let request = client.put(format!("{url}/5")).header("authorization", basic("dev", token));
        request.header("content-type", "application/octet-stream").body(content).send().await.unwrap().status().as_u16()
    };
    let files = || std::fs::read_dir(folder.path().join("tmp/uploads")).map_or(0, Iterator::count);
    assert_eq!((put(b"hello", "wrong").await, put(b"hell0", "T-dev").await, files()), (401, 400, 0));
    assert_eq!((put(b"hello", "T-dev").await, files()), (200, 0));
    assert_eq!(std::fs::read(folder.path().join(&id[..2]).join(&id[2..4]).join(&id[4..])).unwrap(), b"hello");
    let rows = "select concat_ws(' ', (select count(*) from lfs_objects), (select count(*) from lfs_objects_projects),
                (select lfs_objects_size from project_statistics))";
    assert_eq!(given.value::<String>(rows).await, "1 1 5");
    let got = client.get(&url).header("authorization", basic("dev", "T-dev")).send().await.unwrap();
    assert_eq!((got.status().as_u16(), got.text().await.unwrap().as_str()), (200, "hello"));
}

/// http-77
#[sqlx::test]
async fn what_workhorse_did_not_sign_does_not_count(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let id = oid(b"hello");
    let changed = |name: &str, value: &str| {
        let mut upload = lfs.laid_down(b"hello");
        upload[name] = value.into();
        upload
    };
    for (upload, text) in [
        (changed("sha256", &oid(b"other")), "SHA256 or size mismatch"),
        (changed("size", "6"), "SHA256 or size mismatch"),
        (changed("path", "/etc/passwd"), "The file is not where it was to be laid down"),
        (changed("path", ""), "The file is not where it was to be laid down"),
        (json!("x"), "The file is not signed by GitLab Workhorse"),
        (json!({}), "SHA256 or size mismatch"),
    ] {
        assert_refused(&lfs.finalise("g/p", &id, 5, upload, DEV).await, 400, text);
    }
    // The file itself is shorter than what was signed.
    let upload = lfs.laid_down(b"hello");
    std::fs::write(upload["path"].as_str().unwrap(), "hell").unwrap();
    assert_refused(&lfs.finalise("g/p", &id, 5, upload, DEV).await, 400, "SHA256 or size mismatch");

    let path = format!("/g/p.git/gitlab-lfs/objects/{id}/5");
    let upload = lfs.laid_down(b"hello");
    let form = format!("file.path={}&file.size=5&file.sha256={id}", upload["path"].as_str().unwrap());
    let send = async |fields: Option<String>, form: String| {
        let mut request = signed("PUT", &path, DEV).header("content-type", "application/x-www-form-urlencoded");
        if let Some(fields) = fields {
            request = request.header("gitlab-workhorse-multipart-fields", fields);
        }
        lfs.forge.app.send(request.body(Body::from(form)).unwrap()).await
    };
    assert_refused(&send(None, form.clone()).await, 422, "Unprocessable entity");
    let fields = crate::git_http::workhorse_token_with(
        &json!({ "iss": "gitlab-workhorse", "rewritten_fields": { "file": upload["path"] } }),
    );
    let unsigned = "The file is not signed by GitLab Workhorse";
    assert_refused(&send(Some(fields.clone()), form.clone()).await, 400, unsigned);
    let forged = jsonwebtoken::encode(
        &jsonwebtoken::Header::default(),
        &json!({ "iss": "gitlab-workhorse", "upload": upload }),
        &jsonwebtoken::EncodingKey::from_secret(&[1; 32]),
    )
    .unwrap();
    let form = format!("{form}&file.gitlab-workhorse-upload={forged}");
    assert_refused(&send(Some(fields), form.clone()).await, 400, unsigned);
    assert_refused(&send(Some("x".to_owned()), form).await, 400, unsigned);
    assert_eq!(counts(&lfs).await, (0, 0));
}

/// http-79, http-83
#[sqlx::test]
async fn an_object_is_stored_once_and_a_lost_file_comes_back(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let id = lfs.object(&lfs.forge.open, b"hello").await;
    let path = format!("/g/p.git/gitlab-lfs/objects/{id}");
    assert_eq!(lfs.get(&path, DEV).await.line(), NOT_FOUND, "another project's is nobody's here");
    for _ in 0..2 {
        let upload = lfs.laid_down(b"hello");
        assert_eq!(lfs.finalise("g/p", &id, 5, upload, DEV).await.status, 200);
        assert_eq!(counts(&lfs).await, (1, 2));
    }
    assert_eq!(lfs.get(&path, DEV).await.line(), "200 hello");
    std::fs::remove_file(lfs.path(&id)).unwrap();
    assert_eq!(lfs.get(&path, DEV).await.line(), NOT_FOUND);
    let upload = lfs.laid_down(b"hello");
    assert_eq!(lfs.finalise("g/p", &id, 5, upload, DEV).await.status, 200);
    assert_eq!((lfs.get(&path, DEV).await.line().as_str(), counts(&lfs).await), ("200 hello", (1, 2)));
}

/// http-80
#[sqlx::test]
async fn twenty_deliveries_at_once_are_one_object(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let id = oid(b"hello");
    let deliveries = (0..20).map(|place| {
        let repository = if place % 2 == 0 { "g/p" } else { "g/open" };
        lfs.finalise(repository, &id, 5, lfs.laid_down(b"hello"), DEV)
    });
    for reply in join_all(deliveries).await {
        assert_eq!(reply.line(), "200 ");
    }
    assert_eq!(counts(&lfs).await, (1, 2));
    assert_eq!(lfs.forge.given.value::<i64>("select sum(lfs_objects_size)::bigint from project_statistics").await, 10);
}

/// http-82
#[sqlx::test]
async fn workhorse_sends_the_file_and_we_send_the_bytes(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let id = lfs.object(&lfs.forge.private, b"hello, world").await;
    let get = async |name: &'static str, value: &str| {
        let request = axum::http::Request::builder()
            .uri(format!("/g/p.git/gitlab-lfs/objects/{id}"))
            .header("authorization", crate::git_http::basic("dev", "T-dev"))
            .header(name, value);
        lfs.forge.app.send(request.body(Body::empty()).unwrap()).await
    };
    let by_workhorse: Reply = get("x-sendfile-type", "X-Sendfile").await;
    assert_eq!(by_workhorse.line(), "200 ");
    assert_eq!(by_workhorse.headers["x-sendfile"], lfs.path(&id).display().to_string());
    let whole = get("range", "lines=1-2").await;
    assert_eq!(whole.line(), "200 hello, world");
    assert_eq!(whole.headers["content-type"], "application/octet-stream");
    assert_eq!(whole.headers["content-disposition"], "attachment");
    let part = get("range", "bytes=0-9").await;
    assert_eq!(
        (part.line().as_str(), part.headers["content-range"].to_str().unwrap()),
        ("206 hello, wor", "bytes 0-9/12")
    );
    assert_eq!(get("range", "bytes=99-").await.status, 416);
    let head = lfs.send("HEAD", &format!("/g/p.git/gitlab-lfs/objects/{id}"), Body::empty(), DEV).await;
    assert_eq!((head.line().as_str(), head.headers["content-length"].to_str().unwrap()), ("200 ", "12"));
}

/// http-10
#[sqlx::test]
async fn an_object_comes_in_without_workhorse_too(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let (id, content) = (oid(b"hello"), b"hello".as_slice());
    let path = format!("/g/p.git/gitlab-lfs/objects/{id}/5");
    let pieces =
        |pieces: Vec<&'static [u8]>| Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
    // A stranger's is not read, however long it says it is.
    let endless = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    assert_challenged(&lfs.send("PUT", &path, endless, None).await);
    let endless = Body::from_stream(stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    assert_eq!(lfs.send("PUT", &path, endless, Some(("rep", "T-rep"))).await.line(), FORBIDDEN);
    // What lies leaves nothing behind.
    for (body, status) in [
        (pieces(vec![b"hel", b"l0"]), 400),
        (pieces(vec![b"hell"]), 400),
        (pieces(vec![b"hello", b"!"]), 413),
        (Body::from("hello!"), 413),
    ] {
        let reply = lfs.send("PUT", &path, body, DEV).await;
        assert_eq!(reply.status.as_u16(), status, "{}", reply.line());
        assert_eq!((counts(&lfs).await, lfs.temporary(), lfs.path(&id).exists()), ((0, 0), 0, false));
    }
    let request = axum::http::Request::builder()
        .method("PUT")
        .uri(&path)
        .header("authorization", crate::git_http::basic("dev", "T-dev"))
        .header("content-length", "1073741824");
    let reply = lfs.forge.app.send(request.body(Body::from("hello")).unwrap()).await;
    assert_refused(&reply, 400, "SHA256 or size mismatch");
    assert_eq!(lfs.send("PUT", &path, pieces(vec![b"he", b"llo"]), DEV).await.line(), "200 ");
    assert_eq!(lfs.send("PUT", &path, Body::from(content), DEV).await.line(), "200 ");
    assert_eq!((counts(&lfs).await, lfs.temporary()), ((1, 1), 0));
    assert_eq!(lfs.get(&format!("/g/p.git/gitlab-lfs/objects/{id}"), DEV).await.line(), "200 hello");
}

/// An SSH-only forge has LFS too: the token and the address that SSH hands out work by themselves.
#[sqlx::test]
async fn what_lfs_authenticate_hands_out_works_by_itself(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let key = lfs.forge.given.key(lfs.forge.dev, "laptop").await;
    let body = json!({ "operation": "upload", "project": "g/p", "key_id": key.to_string() });
    let told = lfs.forge.app.post("/lfs_authenticate", body).await.json();
    let login = Some((told["username"].as_str().unwrap(), told["lfs_token"].as_str().unwrap()));
    let path = told["repository_http_path"].as_str().unwrap().strip_prefix("http://localhost").unwrap();
    let id = oid(b"hello");
    let batch = json!({ "operation": "upload", "objects": [{ "oid": id, "size": 5 }] });
    let said = assert_lfs(&lfs.post(&format!("{path}/info/lfs/objects/batch"), batch, login).await, 200);
    let action = &said["objects"][0]["actions"]["upload"];
    let href = action["href"].as_str().unwrap().strip_prefix("http://localhost").unwrap();
    let sent = lfs.send_as("PUT", href, Body::from("hello"), &action["header"]["Authorization"]).await;
    assert_eq!(sent.line(), "200 ");
    assert_eq!(lfs.get(&format!("{path}/gitlab-lfs/objects/{id}"), login).await.line(), "200 hello");
}

/// Objects that no project has go after a day, and never one that was just linked.
#[sqlx::test]
async fn orphans_go_after_a_day(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let linked = lfs.object(&lfs.forge.private, b"linked").await;
    let orphan = lfs.stored(b"orphan").await;
    assert_eq!(lfs.sweep().await, 0);
    // Whoever delivers it again in the meantime keeps it.
    let saved = lfs.stored(b"saved").await;
    lfs.forge.given.sql("update lfs_objects set created_at = created_at - interval '25 hours'").await;
    let both = async {
        let upload = lfs.laid_down(b"saved");
        lfs.finalise("g/p", &saved, 5, upload, DEV).await
    };
    let (reply, _) = tokio::join!(both, lfs.sweep());
    assert_eq!(reply.status, 200);
    lfs.sweep().await;
    assert!(lfs.path(&linked).exists() && lfs.path(&saved).exists() && !lfs.path(&orphan).exists());
    assert_eq!(counts(&lfs).await, (2, 2));
    assert_eq!(lfs.get(&format!("/g/p.git/gitlab-lfs/objects/{saved}"), DEV).await.line(), "200 saved");
}

/// What was never whole goes too; a delivery that stops is given up, and its file with it.
#[sqlx::test]
async fn a_delivery_that_stops_leaves_nothing(pool: PgPool) {
    let lfs = LfsForge::with(pool, "gatehouse: {limits: {body_timeout: 1}}").await;
    let path = format!("/g/p.git/gitlab-lfs/objects/{}/5", oid(b"hello"));
    let begun = stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"he"))]);
    let stops = Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending()));
    let reply = tokio::time::timeout(Duration::from_secs(20), lfs.send("PUT", &path, stops, DEV)).await.unwrap();
    assert_eq!(reply.status, 408, "{}", reply.line());
    assert_eq!((counts(&lfs).await, lfs.temporary()), ((0, 0), 0));
}

/// A value that no JSON number can have, or none at all, is never a failure of ours.
#[sqlx::test]
async fn odd_urls_of_objects_lead_nowhere(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let id = oid(b"hello");
    for path in [
        "/g/p.git/gitlab-lfs/objects/x".to_owned(),
        format!("/g/p.git/gitlab-lfs/objects/{}", &id[1..]),
        format!("/g/p.git/gitlab-lfs/objects/{id}%00"),
        format!("/g/p.git/gitlab-lfs/objects/..%2f{}", &id[3..]),
    ] {
        let reply = lfs.get(&path, DEV).await;
        assert_eq!(reply.status, 404, "{path}: {}", reply.line());
    }
    let reply = lfs.send("PUT", &format!("/g/p.git/gitlab-lfs/objects/{id}/+5"), Body::from("hello"), DEV).await;
    assert_eq!(reply.status, 404);
}
