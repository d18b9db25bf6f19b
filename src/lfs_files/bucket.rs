//! A bucket of LFS objects that speaks S3, named as GitLab names them: `ab/cd/rest of the id`. An object is in it whole or not at
//! all: parts become one when the last has come, and are given up where it does not.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::{HeaderMap, HeaderName, HeaderValue, Method, SignedUrlOptions, Signer, Url};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::{LfsContent, LfsOid};
use crate::config::ObjectStoreSettings;

/// The folder of what is not yet an object.
const TEMPORARY: &str = "tmp/uploads";

/// Bytes of an object that is held and written at once, and of a part of a larger one. Of parts two are held: one fills while
/// the other is sent.
pub const SMALL: u64 = 8 << 20;
/// Objects that are taken in at once: so many have a share of the memory.
const AT_ONCE: usize = 32;
/// Parts of an upload at most; S3 takes 10,000.
const PARTS: u64 = 9_000;
/// Bytes of what is copied at once: S3 copies up to 5 GiB in one call, within which an answer takes long.
const COPIED_PART: u64 = 512 << 20;
/// Parts that Workhorse gets URLs for at most, and of which size each is a multiple.
const SIGNED_PARTS: u64 = 100;
const SIGNED_PART: u64 = 5 << 20;
/// How long the URLs are good that clients and Workhorse are given.
const DOWNLOAD: Duration = Duration::from_hours(1);
const UPLOAD: Duration = Duration::from_mins(255);

/// The bucket.
#[derive(Debug, Clone)]
pub struct LfsBucket {
    store: Arc<AmazonS3>,
    http: reqwest::Client,
    places: Arc<Semaphore>,
    settings: Arc<ObjectStoreSettings>,
}

/// What Workhorse needs to lay an object down in the bucket.
#[derive(Debug)]
pub struct RemoteUpload {
    /// The name that it has there until it is stored.
    pub name: String,
    /// The upload in parts, to give it up by.
    pub upload: String,
    /// PUT of the whole.
    pub store: Url,
    /// GET of it.
    pub get: Url,
    /// DELETE of it.
    pub delete: Url,
    /// Bytes of each part but the last.
    pub part_size: u64,
    /// PUT of each part.
    pub parts: Vec<Url>,
    /// POST that makes one of them.
    pub complete: Url,
    /// DELETE that gives them up.
    pub abort: Url,
}

impl LfsBucket {
    /// The bucket of the settings. Nobody is asked yet whether it is there.
    ///
    /// # Errors
    /// Where the file with the key cannot be read, or the URL is none.
    pub fn new(settings: &ObjectStoreSettings) -> anyhow::Result<Self> {
        // TLS needs one provider for the whole process; where there is one already, that one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let connection = &settings.connection;
        let patience = Duration::from_secs(30);
        // A whole object may take longer than any request, but not a silence.
        let client = ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(Duration::from_secs(5))
            .with_read_timeout(patience)
            .with_timeout_disabled();
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 3, retry_timeout: patience };
        let start = if connection.use_iam_profile { AmazonS3Builder::from_env() } else { AmazonS3Builder::new() };
        let mut builder = start
            .with_client_options(client)
            .with_retry(retry)
            .with_region(&connection.region)
            .with_bucket_name(&settings.remote_directory)
            .with_virtual_hosted_style_request(!connection.path_style);
        if let (Some(id), Some(key)) = (&connection.aws_access_key_id, key(settings)?) {
            builder = builder.with_access_key_id(id).with_secret_access_key(key.expose_secret());
        }
        if let Some(endpoint) = &connection.endpoint {
            builder = builder.with_endpoint(if connection.path_style {
                endpoint.trim_end_matches('/').to_owned()
            } else {
                with_host(endpoint, &settings.remote_directory)?
            });
        }
        let store = builder.build().context("lfs.object_store")?;
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).timeout(UPLOAD).build()?;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { store: Arc::new(store), http, places, settings: Arc::new(settings.clone()) })
    }

    /// What the settings say of it.
    #[must_use]
    pub fn settings(&self) -> &ObjectStoreSettings {
        &self.settings
    }

    /// The name of an object.
    #[must_use]
    pub fn place(&self, oid: &LfsOid) -> String {
        let oid = oid.as_str();
        self.name(&format!("{}/{}/{}", &oid[..2], &oid[2..4], &oid[4..]))
    }

    fn name(&self, below: &str) -> String {
        match self.settings.bucket_prefix.as_deref().map(|prefix| prefix.trim_matches('/')).unwrap_or_default() {
            "" => below.to_owned(),
            prefix => format!("{prefix}/{below}"),
        }
    }

    /// Waits for a place among those who are taken in.
    pub async fn take_place(&self) -> io::Result<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)
    }

    /// The size of what has this name; none where nothing has.
    pub async fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match self.store.head(&Path::from(name)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// So many bytes of an object, from here on.
    pub async fn read(&self, oid: &LfsOid, from: u64, length: u64) -> io::Result<LfsContent> {
        if length == 0 {
            return Ok(futures_util::stream::empty().boxed());
        }
        let range = Some(GetRange::Bounded(from..from + length));
        let options = GetOptions { range, ..GetOptions::default() };
        let got = self.store.get_opts(&Path::from(self.place(oid)), options).await.map_err(failed)?;
        Ok(got.into_stream().map(|piece| piece.map_err(failed)).boxed())
    }

    /// Writes an object at once.
    pub async fn put(&self, oid: &LfsOid, content: Vec<u8>) -> io::Result<()> {
        self.store.put(&Path::from(self.place(oid)), PutPayload::from(content)).await.map_err(failed)?;
        Ok(())
    }

    /// Removes what has this name, where anything has.
    pub async fn remove(&self, name: &str) -> io::Result<()> {
        match self.store.delete(&Path::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Makes an object of what has this name.
    pub async fn copy(&self, name: &str, oid: &LfsOid) -> io::Result<()> {
        self.store.copy(&Path::from(name), &Path::from(self.place(oid))).await.map_err(failed)
    }

    /// Begins an object that comes in parts.
    pub async fn begin(&self, oid: &LfsOid, size: u64) -> io::Result<PartsUpload> {
        let name = self.place(oid);
        let upload = self.store.create_multipart(&Path::from(name.as_str())).await.map_err(failed)?;
        let part = usize::try_from(SMALL.max(size.div_ceil(PARTS))).map_err(io::Error::other)?;
        let own = self.clone();
        Ok(PartsUpload {
            bucket: own,
            name,
            upload: Some(upload),
            part,
            held: Vec::new(),
            sent: Vec::new(),
            flying: None,
        })
    }

    /// Gives up parts that are no object yet; those that are gone already are no failure.
    pub async fn give_up(&self, name: &str, upload: &str) -> io::Result<()> {
        match self.store.abort_multipart(&Path::from(name), &upload.to_owned()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// A URL at which anybody may fetch the object for an hour, and how long that is.
    pub async fn download_url(&self, oid: &LfsOid) -> io::Result<(Url, Duration)> {
        let url = self.store.signed_url(Method::GET, &Path::from(self.place(oid)), DOWNLOAD).await;
        Ok((url.map_err(failed)?, DOWNLOAD))
    }

    /// Lets Workhorse lay down so many bytes under a temporary name that ends in this.
    pub async fn open_for_workhorse(&self, id: &str, size: u64) -> io::Result<RemoteUpload> {
        let name = self.name(&format!("{TEMPORARY}/{id}"));
        let path = Path::from(name.as_str());
        let upload = self.store.create_multipart(&path).await.map_err(failed)?;
        let part_size = size.div_ceil(SIGNED_PARTS).div_ceil(SIGNED_PART).max(1) * SIGNED_PART;
        let url = async |method: Method, query: &[(&str, &str)]| {
            let options = SignedUrlOptions::default().with_query(query.iter().copied());
            self.store.signed_url_opts(method, &path, UPLOAD, &options).await.map_err(failed)
        };
        let mut parts = Vec::new();
        for number in 1..=size.div_ceil(part_size).max(1) {
            parts.push(url(Method::PUT, &[("partNumber", &number.to_string()), ("uploadId", &upload)]).await?);
        }
        Ok(RemoteUpload {
            store: url(Method::PUT, &[]).await?,
            get: url(Method::GET, &[]).await?,
            delete: url(Method::DELETE, &[]).await?,
            complete: url(Method::POST, &[("uploadId", &upload)]).await?,
            abort: url(Method::DELETE, &[("uploadId", &upload)]).await?,
            name,
            upload,
            part_size,
            parts,
        })
    }

    /// Whether an object can be written, read and removed again.
    pub async fn try_to_keep(&self) -> io::Result<()> {
        let path = Path::from(self.name(&format!("{TEMPORARY}/gatehouse-check-{}", uuid::Uuid::new_v4().simple())));
        self.store.put(&path, PutPayload::from_static(b"gatehouse check")).await.map_err(failed)?;
        let read = async { self.store.get(&path).await?.bytes().await }.await;
        self.store.delete(&path).await.map_err(failed)?;
        match read.map_err(failed)? {
            read if read == b"gatehouse check".as_slice() => Ok(()),
            _ => Err(io::Error::other("what was read is not what was written")),
        }
    }
}

/// The parts of an object that comes in. They are given up where this goes before they are one.
#[derive(Debug)]
pub struct PartsUpload {
    bucket: LfsBucket,
    name: String,
    /// None once it has ended.
    upload: Option<String>,
    part: usize,
    held: Vec<u8>,
    sent: Vec<PartId>,
    flying: Option<JoinHandle<object_store::Result<PartId>>>,
}

impl PartsUpload {
    /// The name of the object, and the upload's own in the bucket.
    #[must_use]
    pub fn names(&self) -> (&str, &str) {
        (&self.name, self.upload.as_deref().unwrap_or_default())
    }

    /// Takes more.
    pub async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.part - self.held.len()));
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() == self.part {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Takes the content of what has this name, so many bytes, without reading it.
    pub async fn copy(&mut self, from: &str, size: u64) -> io::Result<()> {
        for start in (0..size).step_by(usize::try_from(COPIED_PART).map_err(io::Error::other)?) {
            let part = self.copy_part(from, start, size.min(start + COPIED_PART) - 1).await?;
            self.sent.push(part);
        }
        Ok(())
    }

    /// Makes one object of the parts.
    pub async fn complete(mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.send().await?;
        }
        self.land().await?;
        let Some(upload) = &self.upload else { return Ok(()) };
        let (path, parts) = (Path::from(self.name.as_str()), std::mem::take(&mut self.sent));
        self.bucket.store.complete_multipart(&path, upload, parts).await.map_err(failed)?;
        self.upload = None;
        Ok(())
    }

    /// Gives the parts up.
    pub async fn abort(mut self) -> io::Result<()> {
        // A part that comes in after the end would be kept for ever.
        if let Some(flying) = self.flying.take() {
            let _ = flying.await;
        }
        match self.upload.take() {
            Some(upload) => self.bucket.give_up(&self.name, &upload).await,
            None => Ok(()),
        }
    }

    /// Sends what is held, once the part before has come.
    async fn send(&mut self) -> io::Result<()> {
        self.land().await?;
        let part = PutPayload::from(std::mem::take(&mut self.held));
        let (store, path) = (Arc::clone(&self.bucket.store), Path::from(self.name.as_str()));
        let (upload, index) = (self.upload.clone().unwrap_or_default(), self.sent.len());
        self.flying = Some(tokio::spawn(async move { store.put_part(&path, &upload, index, part).await }));
        Ok(())
    }

    async fn land(&mut self) -> io::Result<()> {
        if let Some(flying) = self.flying.take() {
            self.sent.push(flying.await.map_err(io::Error::other)?.map_err(failed)?);
        }
        Ok(())
    }

    async fn copy_part(&self, from: &str, start: u64, end: u64) -> io::Result<PartId> {
        let text = |value: String| HeaderValue::from_str(&value).map_err(io::Error::other);
        let headers: HeaderMap = [
            ("x-amz-copy-source", text(format!("{}/{from}", self.bucket.settings.remote_directory))?),
            ("x-amz-copy-source-range", text(format!("bytes={start}-{end}"))?),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), value))
        .collect();
        let number = (self.sent.len() + 1).to_string();
        let mut options = SignedUrlOptions::default()
            .with_query([("partNumber", number.as_str()), ("uploadId", self.upload.as_deref().unwrap_or_default())]);
        options.signed_headers.clone_from(&headers);
        let path = Path::from(self.name.as_str());
        let url = self.bucket.store.signed_url_opts(Method::PUT, &path, UPLOAD, &options).await.map_err(failed)?;
        let answer = self.bucket.http.put(url).headers(headers).send().await.map_err(without_url)?;
        let said = answer.error_for_status().map_err(without_url)?.text().await.map_err(without_url)?;
        // An error may come under a good status, once the copy has begun.
        let tag = said.split_once("<ETag>").and_then(|(_, rest)| rest.split_once("</ETag>"));
        let (tag, _) = tag.ok_or_else(|| io::Error::other("the bucket did not copy a part"))?;
        Ok(PartId { content_id: tag.replace("&quot;", "\"").replace("&#34;", "\"") })
    }
}

impl Drop for PartsUpload {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else { return };
        let (bucket, name, flying) = (self.bucket.clone(), std::mem::take(&mut self.name), self.flying.take());
        runtime.spawn(async move {
            if let Some(flying) = flying {
                let _ = flying.await;
            }
            // Where this fails too, the sweep does it.
            if let Err(error) = bucket.give_up(&name, &upload).await {
                tracing::warn!(%error, "could not give up the parts of an LFS object");
            }
        });
    }
}

/// The key that the settings have, or the file that they name.
fn key(settings: &ObjectStoreSettings) -> anyhow::Result<Option<SecretString>> {
    let connection = &settings.connection;
    let Some(file) = &connection.aws_secret_access_key_file else {
        return Ok(connection.aws_secret_access_key.clone());
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Some(text.trim().into()))
}

/// The URL with the bucket before its host.
fn with_host(endpoint: &str, bucket: &str) -> anyhow::Result<String> {
    let mut url: Url = endpoint.parse().context("lfs.object_store.connection.endpoint")?;
    let host = url.host_str().context("lfs.object_store.connection.endpoint has no host")?.to_owned();
    url.set_host(Some(&format!("{bucket}.{host}"))).context("lfs.object_store.remote_directory")?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn failed(error: object_store::Error) -> io::Error {
    match error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound.into(),
        error => io::Error::other(error),
    }
}

/// A signed URL is a secret, and stays out of the log.
fn without_url(error: reqwest::Error) -> io::Error {
    io::Error::other(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ObjectStoreConnection;

    fn bucket(prefix: Option<&str>, path_style: bool) -> LfsBucket {
        let connection = ObjectStoreConnection {
            aws_access_key_id: Some("id".to_owned()),
            aws_secret_access_key: Some("key-of-tests".into()),
            endpoint: Some("http://s3.example.com:9000/".to_owned()),
            path_style,
            ..ObjectStoreConnection::default()
        };
        let prefix = prefix.map(str::to_owned);
        LfsBucket::new(&ObjectStoreSettings { bucket_prefix: prefix, connection, ..ObjectStoreSettings::default() })
            .unwrap()
    }

    #[tokio::test]
    async fn objects_are_named_as_gitlab_names_them() {
        let oid = LfsOid::parse(&"ab".repeat(32)).unwrap();
        let rest = "ab".repeat(30);
        for (prefix, path_style, start) in [
            (None, true, "http://s3.example.com:9000/lfs-objects/ab/ab/"),
            (None, false, "http://lfs-objects.s3.example.com:9000/ab/ab/"),
            (Some("/a/b/"), true, "http://s3.example.com:9000/lfs-objects/a/b/ab/ab/"),
        ] {
            let (url, _) = bucket(prefix, path_style).download_url(&oid).await.unwrap();
            assert!(url.as_str().starts_with(&format!("{start}{rest}?X-Amz-Algorithm=AWS4-HMAC-SHA256")), "{url}");
            assert!(url.as_str().contains("X-Amz-Expires=3600"), "{url}");
        }
    }

    #[tokio::test]
    async fn a_url_is_signed_for_the_region() {
        let oid = LfsOid::parse(&"ab".repeat(32)).unwrap();
        let connection = ObjectStoreConnection {
            aws_access_key_id: Some("id".to_owned()),
            aws_secret_access_key: Some("key-of-tests".into()),
            region: "eu-central-1".to_owned(),
            ..ObjectStoreConnection::default()
        };
        let settings = ObjectStoreSettings { connection, ..ObjectStoreSettings::default() };
        let (url, _) = LfsBucket::new(&settings).unwrap().download_url(&oid).await.unwrap();
        assert!(url.as_str().starts_with("https://lfs-objects.s3.eu-central-1.amazonaws.com/ab/ab/"), "{url}");
        assert!(url.as_str().contains("eu-central-1%2Fs3%2Faws4_request"), "{url}");
    }

    #[test]
    fn the_key_is_not_printed() {
        assert!(!format!("{:?}", bucket(None, true)).contains("key-of-tests"), "{:?}", bucket(None, true));
    }
}
