//! A bucket that speaks S3: moto's server, a process of its own, until it is dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};

/// Somebody who says their name, which is enough until the server is locked up.
const SOMEBODY: &str = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request";

/// The server and its one bucket.
pub struct TestBucket {
    pub address: SocketAddr,
    pub client: Client,
    server: Child,
}

/// Where `bin/test` puts the server; it says so in `S3_TOOLS`, and then it must be there.
fn program() -> Option<PathBuf> {
    let told = std::env::var_os("S3_TOOLS").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join(".gatehouse/s3");
    let found = told.map(|folder| folder.join("bin/moto_server"));
    found.or_else(|| Some(usual.join("bin/moto_server")).filter(|program| program.exists()))
}

impl TestBucket {
    /// None where there is no such server here.
    pub async fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("skipped: no server of S3 here; bin/test installs one into .gatehouse/s3");
            return None;
        };
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bucket = Self { address, client: Client::new(), server };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < Duration::from_mins(1), "the server of S3 does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bucket.ask(Method::PUT, "/lfs-objects", "").await;
        Some(bucket)
    }

    /// Settings that lead to it.
    pub fn settings(&self, more: &str) -> String {
        format!(
            "object_store: {{enabled: true, {more} connection: {{endpoint: 'http://{}', path_style: true, \
             aws_access_key_id: id, aws_secret_access_key: secret}}}}",
            self.address
        )
    }

    /// What the server says to a request of somebody's.
    pub async fn ask(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> String {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.request(method, url).header("authorization", SOMEBODY);
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }

    /// The names of all that is in it.
    pub async fn names(&self) -> Vec<String> {
        texts(&self.ask(Method::GET, "/lfs-objects?list-type=2", "").await, "Key")
    }

    /// How many uploads in parts have not ended.
    pub async fn uploads(&self) -> usize {
        texts(&self.ask(Method::GET, "/lfs-objects?uploads", "").await, "UploadId").len()
    }

    /// The content under a name.
    pub async fn get(&self, name: &str) -> Vec<u8> {
        let url = format!("http://{}/lfs-objects/{name}", self.address);
        let answer = self.client.get(url).header("authorization", SOMEBODY).send().await.unwrap();
        answer.error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    /// From now on nobody comes in without a signature: the name of a key that opens everything, and the key.
    pub async fn lock_up(&self) -> (String, String) {
        self.manage("Action=CreateUser&UserName=gatehouse").await;
        let made = self.manage("Action=CreateAccessKey&UserName=gatehouse").await;
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22\
                      Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
        let all = format!("Action=PutUserPolicy&UserName=gatehouse&PolicyName=all&PolicyDocument={policy}");
        self.manage(&all).await;
        let url = format!("http://{}/moto-api/reset-auth", self.address);
        let locked = self.client.post(url).header("content-type", "text/plain").body("0").send().await.unwrap();
        assert!(locked.status().is_success(), "{locked:?}");
        let one = |name: &str| texts(&made, name).remove(0);
        (one("AccessKeyId"), one("SecretAccessKey"))
    }

    async fn manage(&self, form: &str) -> String {
        let request = self
            .client
            .post(format!("http://{}/", self.address))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request");
        let answer = request.body(format!("{form}&Version=2010-05-08")).send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    }
}

impl Drop for TestBucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The texts of all elements of this name.
fn texts(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}
