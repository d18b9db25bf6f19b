//! A stand-in for Workhorse: it asks us before it moves a byte. Then it moves packs with git, whose repositories lie beside
//! it, and objects of LFS to and from where we say. Written from the contract (`git_http.md` 1 and 2), not from Workhorse.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use gatehouse::config::RequestLimits;
use gatehouse::server::{self, Listener};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tower::ServiceExt;

use super::TestApp;
use super::git::Folder;
use crate::git_http::workhorse_token_with;

/// The one type by which we say that Workhorse may go on.
const INTERNAL: &str = "application/vnd.gitlab-workhorse+json";

/// The server, until it is dropped.
pub struct TestWorkhorse {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _stop: watch::Sender<bool>,
    _hooks: Folder,
}

#[derive(Clone)]
struct Moving {
    app: Arc<TestApp>,
    storage: PathBuf,
    hooks: PathBuf,
    proof: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestWorkhorse {
    /// In front of this application, beside the repositories of this storage. `proof` is what it signs requests with.
    pub async fn start(app: Arc<TestApp>, storage: &Path, proof: String) -> Self {
        // For the client of a test.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let hooks = Folder::new();
        // What Gitaly's hook does: it asks us, and prints why a push is refused.
        let hook = "#!/bin/sh\n[ -z \"$REFUSED\" ] || { echo \"GitLab: $REFUSED\" >&2; exit 1; }\n";
        let file = hooks.path().join("pre-receive");
        std::fs::write(&file, hook).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let asked = Arc::default();
        let moving = Moving {
            app,
            storage: storage.to_owned(),
            hooks: hooks.path().to_owned(),
            proof,
            asked: Arc::clone(&asked),
        };
        let listener = Listener::tcp((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = listener.to_string().parse().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().fallback(answer).with_state(moving);
        tokio::spawn(server::serve(listener, router, RequestLimits::default(), stopped));
        Self { address, asked, _stop: stop, _hooks: hooks }
    }

    /// What it asked us: method, path and query, and the status of the answer.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Runs git in a folder, with nobody's settings, and without asking anybody for a password.
    pub async fn git(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(folder);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
        command.env("GIT_TERMINAL_PROMPT", "0").env_remove("GIT_ASKPASS").env_remove("SSH_ASKPASS");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Dana").env(format!("GIT_{role}_EMAIL"), "dana@example.com");
        }
        tokio::task::spawn_blocking(move || command.output().expect("git is installed")).await.unwrap()
    }
}

async fn answer(State(workhorse): State<Moving>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().to_owned();
    let service = ["git-upload-pack", "git-receive-pack"].into_iter().find(|service| {
        path.ends_with(&format!(".git/{service}"))
            || path.ends_with(".git/info/refs") && parts.uri.query() == Some(&format!("service={service}"))
    });
    let asked = format!("{} {}", parts.method, parts.uri);
    if parts.method == "PUT" && path.contains(".git/gitlab-lfs/objects/") {
        return workhorse.takes_in(&path, &parts.headers, &body).await;
    }
    let url = parts.uri.to_string();
    let (told, content) = if service.is_some() {
        workhorse.ask(&parts.method, &url, &parts.headers, true, Body::empty()).await
    } else {
        // Whatever moves no pack is handed on as it is.
        workhorse.ask(&parts.method, &url, &parts.headers, false, Body::from(body.clone())).await
    };
    workhorse.asked.lock().unwrap().push(format!("{asked} {}", told.status().as_u16()));
    if let Some(file) = told.headers().get("x-sendfile") {
        return Response::new(Body::from(std::fs::read(file.to_str().unwrap()).unwrap()));
    }
    let may_go_on = told.headers().get("content-type").is_some_and(|kind| kind == INTERNAL);
    let (Some(service), true) = (service, told.status() == 200 && may_go_on) else {
        return Response::from_parts(told.into_parts().0, Body::from(content));
    };
    let facts: Value = serde_json::from_slice(&content).unwrap();
    let body = if parts.headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        run(Command::new("gzip").arg("-dc"), &body).await
    } else {
        body.to_vec()
    };
    let refused = match service {
        "git-receive-pack" if path.ends_with(service) => workhorse.refusal(&facts, &body).await,
        _ => String::new(),
    };
    let repository = workhorse.storage.join(facts["Repository"]["relative_path"].as_str().unwrap());
    let mut git = Command::new("git");
    git.args(["-c", &format!("core.hooksPath={}", workhorse.hooks.display()), &service[4..], "--stateless-rpc"]);
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("REFUSED", refused);
    if let Some(protocol) = parts.headers.get("git-protocol") {
        git.env("GIT_PROTOCOL", protocol.to_str().unwrap());
    }
    let (kind, start) = if path.ends_with("/info/refs") {
        git.arg("--http-backend-info-refs");
        let line = format!("# service={service}\n");
        ("advertisement", format!("{:04x}{line}0000", line.len() + 4))
    } else {
        ("result", String::new())
    };
    let output = run(git.arg(repository), &body).await;
    let reply = Response::builder().header("content-type", format!("application/x-{service}-{kind}"));
    reply.header("cache-control", "no-cache").body(Body::from([start.into_bytes(), output].concat())).unwrap()
}

impl Moving {
    /// The client's own request, signed where it is about packs, and never with their bytes.
    async fn ask(
        &self,
        method: &axum::http::Method,
        uri: &str,
        headers: &HeaderMap,
        signed: bool,
        body: Body,
    ) -> (Response, Vec<u8>) {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            let dropped = ["content-type", "content-encoding", "content-length", "transfer-encoding"];
            if !signed || !dropped.contains(&name.as_str()) {
                request = request.header(name, value);
            }
        }
        request = if signed {
            request.header("gitlab-workhorse-api-request", &self.proof)
        } else {
            request.header("x-sendfile-type", "X-Sendfile")
        };
        let response = self.app.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (Response::from_parts(parts, Body::empty()), to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }

    /// An object: we say where it is laid down, and hear of it when it is.
    async fn takes_in(&self, path: &str, headers: &HeaderMap, content: &[u8]) -> Response {
        let put = axum::http::Method::PUT;
        let (told, said) = self.ask(&put, &format!("{path}/authorize"), headers, true, Body::empty()).await;
        if told.status() != StatusCode::OK {
            return Response::from_parts(told.into_parts().0, Body::from(said));
        }
        let told: Value = serde_json::from_slice(&said).unwrap();
        let folder = PathBuf::from(told["TempPath"].as_str().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("gitlab-workhorse-upload{}", uuid::Uuid::new_v4()));
        std::fs::write(&file, content).unwrap();
        let found = gatehouse::domain::token::hex(&Sha256::digest(content));
        let upload = json!({
            "name": told["LfsOid"], "path": file.display().to_string(), "size": content.len().to_string(), "sha256": found
        });
        let fields = json!({ "iss": "gitlab-workhorse", "rewritten_fields": { "file": file.display().to_string() } });
        let upload = workhorse_token_with(&json!({ "iss": "gitlab-workhorse", "upload": upload }));
        let mut request = Request::builder().method(put).uri(path);
        request = request
            .header("gitlab-workhorse-api-request", &self.proof)
            .header("gitlab-workhorse-multipart-fields", workhorse_token_with(&fields))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(login) = headers.get("authorization") {
            request = request.header("authorization", login);
        }
        let form = format!("file.path=x&file.gitlab-workhorse-upload={upload}");
        let response = self.app.router.clone().oneshot(request.body(Body::from(form)).unwrap()).await.unwrap();
        // What was not moved away goes with the request.
        let _ = std::fs::remove_file(file);
        response
    }

    /// What Gitaly's hook asks of a push, and why we refuse it.
    async fn refusal(&self, facts: &Value, body: &[u8]) -> String {
        let user = facts["GL_ID"].as_str().unwrap().trim_start_matches("user-").to_owned();
        let asked = json!({
            "action": "git-receive-pack", "gl_repository": facts["GL_REPOSITORY"], "project": "", "protocol": "http",
            "user_id": user, "changes": changes(body), "env": "{}"
        });
        let reply = self.app.post("/allowed", asked).await;
        if reply.status == StatusCode::OK { String::new() } else { reply.message() }
    }
}

/// The ref updates that stand before a pack, a line each.
fn changes(mut body: &[u8]) -> String {
    let mut changes = String::new();
    loop {
        let length = usize::from_str_radix(std::str::from_utf8(&body[..4]).unwrap(), 16).unwrap();
        if length == 0 {
            return changes;
        }
        let line = String::from_utf8_lossy(&body[4..length]);
        changes += line.split('\0').next().unwrap().trim_end();
        changes.push('\n');
        body = &body[length..];
    }
}

/// Runs a program over an input, and takes what it writes.
async fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let ran = tokio::task::spawn_blocking(move || {
        // On a thread of its own: git may write before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join().unwrap();
        output.stdout
    });
    ran.await.unwrap()
}
