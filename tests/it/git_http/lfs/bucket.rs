//! Objects in a bucket: Workhorse lays them down there, clients fetch them there, and without Workhorse they go through us.

use axum::body::Body;
use axum::http::Request;
use base64::prelude::{BASE64_URL_SAFE, Engine};
use bytes::Bytes;
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::fmt::Write as _;

use super::{LfsForge, NOT_FOUND, assert_lfs, oid};
use crate::git_http::{assert_allowed, assert_refused, basic};
use crate::support::{Installation, Reply, TestBucket};

const DEV: super::Login<'static> = Some(("dev", "T-dev"));
const FOREIGN: &str = super::FORBIDDEN;

fn place(oid: &str) -> String {
    format!("{}/{}/{}", &oid[..2], &oid[2..4], &oid[4..])
}

/// So many bytes that repeat nowhere soon.
fn bytes(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(length).collect()
}

impl LfsForge {
    async fn in_bucket(pool: PgPool, bucket: &TestBucket, more: &str) -> Self {
        Self::kept(pool, &format!(", {}", bucket.settings(more)), "").await
    }

    async fn count(&self, table: &str) -> i64 {
        self.forge.given.value(&format!("select count(*) from {table}")).await
    }

    async fn authorize(&self, repository: &str, content: &[u8]) -> Value {
        let path = format!("/{repository}.git/gitlab-lfs/objects/{}/{}/authorize", oid(content), content.len());
        assert_allowed(&self.forge.ask("PUT", &path, DEV).await)
    }

    /// What Workhorse signs of what it has laid down under this name.
    async fn finalise_remote(&self, repository: &str, content: &[u8], remote_id: &Value) -> Reply {
        let size = content.len();
        let upload = json!({
            "name": "x", "path": "", "remote_id": remote_id, "size": size.to_string(), "sha256": oid(content)
        });
        self.finalise(repository, &oid(content), size, upload, DEV).await
    }

    async fn get_with(&self, path: &str, name: &'static str, value: &str) -> Reply {
        let request = Request::builder().uri(path).header("authorization", basic("dev", "T-dev")).header(name, value);
        self.forge.app.send(request.body(Body::empty()).unwrap()).await
    }
}

/// Sends the parts as Workhorse does, by the URLs that it was given.
async fn lay_down(bucket: &TestBucket, remote: &Value, content: &[u8]) {
    let multipart = &remote["MultipartUpload"];
    let size = usize::try_from(multipart["PartSize"].as_u64().unwrap()).unwrap();
    let urls = multipart["PartURLs"].as_array().unwrap();
    assert_eq!(urls.len(), content.chunks(size).count());
    let mut parts = String::new();
    for (number, (part, url)) in content.chunks(size).zip(urls).enumerate() {
        let sent = bucket.client.put(url.as_str().unwrap()).body(part.to_vec()).send().await.unwrap();
        let sent = sent.error_for_status().unwrap();
        let tag = sent.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
        write!(parts, "<Part><PartNumber>{}</PartNumber><ETag>\"{tag}\"</ETag></Part>", number + 1).unwrap();
    }
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let complete = bucket.client.post(multipart["CompleteURL"].as_str().unwrap());
    complete.header("content-type", "application/xml").body(body).send().await.unwrap().error_for_status().unwrap();
}

/// http-85
#[sqlx::test]
async fn workhorse_lays_an_object_down_in_the_bucket(pool: PgPool) {
    let Some(bucket) = TestBucket::start().await else { return };
    let lfs = LfsForge::in_bucket(pool, &bucket, "bucket_prefix: /lfs/,").await;
    for content in [b"hello".to_vec(), bytes(9 << 20)] {
        let id = oid(&content);
        let said = lfs.authorize("g/p", &content).await;
        let remote = &said["RemoteObject"];
        assert_eq!(said.get("TempPath"), None);
        assert_eq!((&said["LfsOid"], &said["MaximumSize"]), (&json!(id), &json!(content.len())));
        assert_eq!(remote["Timeout"], json!(14_400), "a whole number");
        let name = format!("lfs/tmp/uploads/{}", remote["ID"].as_str().unwrap());
        assert_eq!(remote["RemoteTempObjectID"], json!(name));
        for url in ["StoreURL", "GetURL", "DeleteURL"] {
            let start = format!("http://{}/lfs-objects/{name}?X-Amz-", bucket.address);
            assert!(remote[url].as_str().unwrap().starts_with(&start), "{url}: {}", remote[url]);
        }
        assert_eq!(remote["MultipartUpload"]["PartSize"], json!(5 << 20));
        let config = json!({
            "Bucket": "lfs-objects", "Region": "us-east-1", "Endpoint": format!("http://{}", bucket.address),
            "PathStyle": true, "UseIamProfile": false
        });
        assert_eq!(remote["ObjectStorage"], json!({ "Provider": "AWS", "S3Config": config }));
        assert_eq!((&remote["UseWorkhorseClient"], &remote["CustomPutHeaders"]), (&json!(true), &json!(true)));
        assert_eq!(lfs.finalise_remote("g/p", &content, &remote["ID"]).await.line(), FOREIGN, "nothing is there yet");
        lay_down(&bucket, remote, &content).await;
        // What was laid down for one project, or for one object, is of use for nothing else.
        assert_eq!(lfs.finalise_remote("g/open", &content, &remote["ID"]).await.line(), FOREIGN);
        assert_eq!(lfs.finalise_remote("g/p", b"other", &remote["ID"]).await.line(), FOREIGN);
        assert_eq!(lfs.finalise_remote("g/p", &content, &json!("1-2-3")).await.line(), FOREIGN);
        assert_eq!(lfs.finalise_remote("g/p", &content, &remote["ID"]).await.line(), "200 ");
        assert!(bucket.get(&format!("lfs/{}", place(&id))).await == content);
        assert_eq!(lfs.count(&format!("lfs_objects where file_store = 2 and oid = '{id}'")).await, 1);
    }
    assert_eq!(bucket.names().await.len(), 2, "what was laid down has gone: {:?}", bucket.names().await);
    let left =
        (bucket.uploads().await, lfs.count("lfs_pending_uploads").await, lfs.count("lfs_objects_projects").await);
    assert_eq!(left, (0, 0, 2));
    // An empty object has no parts: Workhorse lays a file down.
    let said = lfs.authorize("g/p", b"").await;
    assert_eq!((said["RemoteObject"].is_null(), said["TempPath"].is_string()), (true, true));
    assert_eq!(lfs.finalise("g/p", &oid(b""), 0, lfs.laid_down(b""), DEV).await.line(), "200 ");
    assert_eq!(bucket.get(&format!("lfs/{}", place(&oid(b"")))).await, b"");
}

/// http-85
#[sqlx::test]
async fn clients_fetch_from_the_bucket_where_they_can_reach_it(pool: PgPool) {
    let Some(bucket) = TestBucket::start().await else { return };
    let lfs = LfsForge::in_bucket(pool.clone(), &bucket, "").await;
    let (id, path) = (oid(b"hello, world"), format!("/g/p.git/gitlab-lfs/objects/{}", oid(b"hello, world")));
    assert_eq!(lfs.send("PUT", &format!("{path}/12"), Body::from("hello, world"), DEV).await.line(), "200 ");
    let asked = json!([{ "oid": id, "size": 12 }]);
    let said = assert_lfs(&lfs.batch("g/p", "download", asked.clone(), DEV).await, 200);
    let action = &said["objects"][0]["actions"]["download"];
    assert_eq!((&action["header"], &action["expires_in"]), (&json!({}), &json!(3600)));
    assert_eq!(said["objects"][0]["authenticated"], json!(true), "git-lfs shows the bucket no credential");
    let fetched = bucket.client.get(action["href"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
    assert_eq!(fetched, "hello, world");
    let sent_on = lfs.get(&path, DEV).await;
    assert_eq!(sent_on.status, 302);
    let fetched = bucket.client.get(sent_on.headers["location"].to_str().unwrap()).send().await.unwrap();
    assert_eq!(fetched.text().await.unwrap(), "hello, world");
    assert!(assert_lfs(&lfs.batch("g/p", "upload", asked.clone(), DEV).await, 200)["objects"][0]["actions"].is_null());

    // And by Workhorse, or by us, where they cannot.
    let settings = format!(", {}", bucket.settings("proxy_download: true,"));
    let lfs = LfsForge::again(&lfs, pool, &settings);
    let said = assert_lfs(&lfs.batch("g/p", "download", asked, DEV).await, 200);
    let action = &said["objects"][0]["actions"]["download"];
    assert_eq!(action["href"], json!(format!("http://localhost{path}")));
    assert!(action["header"]["Authorization"].is_string());
    let told = lfs.get_with(&path, "x-sendfile-type", "X-Sendfile").await;
    assert_eq!(told.line(), "200 ");
    let told = told.headers["gitlab-workhorse-send-data"].to_str().unwrap();
    let told = BASE64_URL_SAFE.decode(told.strip_prefix("send-url:").unwrap()).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["AllowRedirects"], json!(false));
    let fetched = bucket.client.get(told["URL"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
    assert_eq!(fetched, "hello, world");
    assert_eq!(lfs.get(&path, DEV).await.line(), "200 hello, world");
    assert_eq!(lfs.get_with(&path, "range", "bytes=7-").await.line(), "206 world");
    bucket.ask(Method::DELETE, &format!("/lfs-objects/{}", place(&id)), "").await;
    assert_eq!(lfs.get(&path, DEV).await.line(), NOT_FOUND);
}

/// http-85
#[sqlx::test]
async fn what_comes_without_workhorse_is_in_the_bucket_whole_or_not_at_all(pool: PgPool) {
    let Some(bucket) = TestBucket::start().await else { return };
    let lfs = LfsForge::in_bucket(pool, &bucket, "").await;
    let content = bytes((16 << 20) + 7);
    let (id, size) = (oid(&content), content.len());
    let path = format!("/g/p.git/gitlab-lfs/objects/{id}/{size}");
    let pieces = |content: &[u8]| {
        let pieces: Vec<_> = content.chunks(64 << 10).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Body::from_stream(stream::iter(pieces.into_iter().chain([Ok::<_, std::io::Error>(Bytes::new())])))
    };
    let mut wrong = content.clone();
    wrong[size - 1] ^= 1;
    let stops = stream::iter([
        Ok(Bytes::copy_from_slice(&content[..9 << 20])),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ]);
    for (body, status) in [
        (pieces(&wrong), 400),
        (pieces(&content[1..]), 400),
        (pieces(&[content.as_slice(), b"!"].concat()), 413),
        (Body::from_stream(stops), 400),
    ] {
        let reply = lfs.send("PUT", &path, body, DEV).await;
        assert_eq!(reply.status.as_u16(), status, "{}", reply.line());
        let left = (bucket.names().await.len(), bucket.uploads().await, lfs.count("lfs_pending_uploads").await);
        assert_eq!((left, lfs.count("lfs_objects").await), ((0, 0, 0), 0), "{}", reply.line());
    }
    for _ in 0..2 {
        assert_eq!(lfs.send("PUT", &path, pieces(&content), DEV).await.line(), "200 ");
        assert_eq!((bucket.uploads().await, lfs.count("lfs_pending_uploads").await), (0, 0));
    }
    assert!(bucket.get(&place(&id)).await == content);
    assert_eq!((lfs.count("lfs_objects").await, lfs.temporary()), (1, 0));
    let size: i64 = lfs.forge.given.value("select lfs_objects_size from project_statistics").await;
    assert_eq!(usize::try_from(size).unwrap(), content.len());
}

#[sqlx::test]
async fn the_sweep_leaves_nothing_in_the_bucket_that_nobody_has(pool: PgPool) {
    let Some(bucket) = TestBucket::start().await else { return };
    let lfs = LfsForge::in_bucket(pool, &bucket, "").await;
    // Workhorse was let in, and never came back, nor did a server that was killed.
    let large = bytes(9 << 20);
    let remote = lfs.authorize("g/p", &large).await["RemoteObject"].clone();
    lay_down(&bucket, &remote, &large).await;
    lfs.authorize("g/p", b"never").await;
    let orphan = oid(b"orphan");
    let path = format!("/g/p.git/gitlab-lfs/objects/{orphan}/6");
    assert_eq!(lfs.send("PUT", &path, Body::from("orphan"), DEV).await.line(), "200 ");
    lfs.forge.given.sql("delete from lfs_objects_projects").await;
    assert_eq!((lfs.sweep().await, bucket.names().await.len(), bucket.uploads().await), (0, 2, 1));
    lfs.forge.given.sql("update lfs_objects set created_at = created_at - interval '25 hours'").await;
    lfs.forge.given.sql("update lfs_pending_uploads set created_at = created_at - interval '25 hours'").await;
    assert_eq!((lfs.sweep().await, bucket.names().await.len(), bucket.uploads().await), (1, 0, 0));
    assert_eq!(lfs.count("lfs_pending_uploads").await, 0);
}

/// A directory that was used before a bucket is read as before.
#[sqlx::test]
async fn what_lies_in_the_directory_is_found_there(pool: PgPool) {
    let Some(bucket) = TestBucket::start().await else { return };
    let lfs = LfsForge::in_bucket(pool, &bucket, "").await;
    let id = lfs.object(&lfs.forge.private, b"hello").await;
    let path = format!("/g/p.git/gitlab-lfs/objects/{id}");
    assert_eq!(lfs.get(&path, DEV).await.line(), "200 hello");
    let asked = json!([{ "oid": id, "size": 5 }]);
    let said = assert_lfs(&lfs.batch("g/p", "download", asked.clone(), DEV).await, 200);
    assert!(said["objects"][0]["actions"]["download"]["href"].as_str().unwrap().ends_with(&path));
    assert_eq!(lfs.send("PUT", &format!("{path}/5"), Body::from("hello"), DEV).await.line(), "200 ");
    assert_eq!(bucket.names().await.len(), 0, "it is there already");
    std::fs::remove_file(lfs.path(&id)).unwrap();
    let said = assert_lfs(&lfs.batch("g/p", "upload", asked, DEV).await, 200);
    assert!(said["objects"][0]["actions"]["upload"].is_object());
    assert_eq!(lfs.send("PUT", &format!("{path}/5"), Body::from("hello"), DEV).await.line(), "200 ");
    assert_eq!(bucket.names().await, [place(&id)]);
    assert_eq!(lfs.get(&path, DEV).await.status, 302);
}

/// A bucket that is away is an error to try again after, and nothing is linked.
#[sqlx::test]
async fn a_bucket_that_does_not_answer_is_no_object_that_is_missing(pool: PgPool) {
    let Some(bucket) = TestBucket::start().await else { return };
    let lfs = LfsForge::in_bucket(pool, &bucket, "").await;
    let path = format!("/g/p.git/gitlab-lfs/objects/{}", oid(b"hello"));
    assert_eq!(lfs.send("PUT", &format!("{path}/5"), Body::from("hello"), DEV).await.line(), "200 ");
    drop(bucket);
    assert_refused(&lfs.get(&path, DEV).await, 503, super::NO_STORE);
    let other = format!("/g/p.git/gitlab-lfs/objects/{}/5", oid(b"other"));
    assert_refused(&lfs.send("PUT", &other, Body::from("other"), DEV).await, 503, super::NO_STORE);
    assert_eq!(lfs.count("lfs_objects").await, 1);
}

/// `gatehouse check` enters the bucket with the key that the settings say.
#[sqlx::test]
async fn the_bucket_is_entered_with_the_key_of_the_settings(pool: PgPool) {
    let Some(bucket) = TestBucket::start().await else { return };
    let (id, key) = bucket.lock_up().await;
    let checked = |connection: &str, environment: &[(&str, &str)]| {
        let store = format!(
            "{{enabled: true, remote_directory: lfs-objects, connection: {{provider: AWS, region: us-east-1, endpoint: \
             'http://{}', path_style: true, {connection}}}}}",
            bucket.address
        );
        let installation = Installation::new(&pool, &format!("\nlfs: {{object_store: {store}}}\n"));
        std::fs::write(installation.folder.join("key"), format!("{key}\n")).unwrap();
        let mut command = installation.command(&["check", "--json"]);
        command.envs(environment.iter().copied());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("LFS objects")).unwrap_or_else(|| panic!("{text}"));
        assert!(!text.contains(&key), "{text}");
        line.contains(r#""ok":true"#) || line.contains("the bucket lfs-objects")
    };
    assert!(checked(&format!("aws_access_key_id: {id}, aws_secret_access_key: {key}"), &[]));
    assert!(checked(&format!("aws_access_key_id: {id}, aws_secret_access_key_file: key"), &[]));
    assert!(!checked(&format!("aws_access_key_id: {id}, aws_secret_access_key: wrong"), &[]));
    assert!(!checked(&format!("aws_access_key_id: nobody, aws_secret_access_key: {key}"), &[]));
    let environment = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", key.as_str())];
    assert!(checked("use_iam_profile: true", &environment));
}
