//! Git LFS: metadata, locks, and the objects themselves.

mod batch;
mod bucket;
mod locks;
mod objects;

use std::path::PathBuf;
use std::rc::Rc;

use axum::body::Body;
use axum::http::Request;
use gatehouse::config::{LfsSettings, Settings};
use gatehouse::lfs_files::LfsFiles;
use gatehouse::services::store_lfs_object;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::{Forge, Login, basic, signed, workhorse_token_with};
use crate::support::git::Folder;
use crate::support::{GivenProject, Reply, TestApp};

const NOT_FOUND: &str = r#"404 {"message":"Not found.","documentation_url":"http://localhost/help"}"#;
const NO_STORE: &str = "The storage of LFS objects is not available at this time. Please try again.";
const FORBIDDEN: &str =
    r#"403 {"message":"Access forbidden. Check your access level.","documentation_url":"http://localhost/help"}"#;

/// The id of a content.
pub fn oid(content: &[u8]) -> String {
    gatehouse::domain::token::hex(&Sha256::digest(content))
}

/// A forge whose objects lie in a folder of the test's own, or in a bucket.
pub struct LfsForge {
    pub forge: Forge,
    pub folder: Rc<Folder>,
    settings: LfsSettings,
}

impl LfsForge {
    pub async fn begins(pool: PgPool) -> Self {
        Self::with(pool, "").await
    }

    pub async fn with(pool: PgPool, settings: &str) -> Self {
        Self::kept(pool, "", settings).await
    }

    /// With these settings of LFS too.
    async fn kept(pool: PgPool, store: &str, settings: &str) -> Self {
        let folder = Folder::new();
        let yaml = yaml(&folder, store, settings);
        let settings = Settings::load(&yaml, []).unwrap().lfs;
        Self { forge: Forge::with(pool, &yaml).await, folder: Rc::new(folder), settings }
    }

    /// The same forge, started anew with other settings of LFS.
    fn again(before: &Self, pool: PgPool, store: &str) -> Self {
        let yaml = yaml(&before.folder, store, "");
        let settings = Settings::load(&yaml, []).unwrap().lfs;
        let forge = before.forge.again(TestApp::with(pool, &yaml));
        Self { forge, folder: Rc::clone(&before.folder), settings }
    }

    /// An object with this content, linked to a project.
    pub async fn object(&self, project: &GivenProject, content: &[u8]) -> String {
        let id = self.stored(content).await;
        let sql = format!(
            "insert into lfs_objects_projects (lfs_object_id, project_id, repository_type)
             select id, {}, 0 from lfs_objects where oid = '{id}'",
            project.id
        );
        self.forge.given.sql(&sql).await;
        id
    }

    /// An object with this content that no project has.
    pub async fn stored(&self, content: &[u8]) -> String {
        let id = oid(content);
        let path = self.path(&id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        let size = content.len();
        let sql = format!(
            "insert into lfs_objects (oid, size, file) values ('{id}', {size}, substring('{id}' from 5))
             on conflict do nothing"
        );
        self.forge.given.sql(&sql).await;
        id
    }

    /// Where the file of an object is.
    pub fn path(&self, oid: &str) -> PathBuf {
        self.folder.path().join(&oid[..2]).join(&oid[2..4]).join(&oid[4..])
    }

    /// Files that lie where those do that are not whole.
    pub fn temporary(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("tmp/uploads")).map_or(0, Iterator::count)
    }

    pub async fn batch(&self, repository: &str, operation: &str, objects: Value, login: Login<'_>) -> Reply {
        let body = json!({ "operation": operation, "objects": objects, "transfers": ["basic"] });
        self.post(&format!("/{repository}.git/info/lfs/objects/batch"), body, login).await
    }

    /// A request of git-lfs, which Workhorse hands on as it is.
    pub async fn post(&self, path: &str, body: Value, login: Login<'_>) -> Reply {
        self.send("POST", path, Body::from(body.to_string()), login).await
    }

    pub async fn get(&self, path: &str, login: Login<'_>) -> Reply {
        self.send("GET", path, Body::empty(), login).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Body, login: Login<'_>) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("content-type", "application/vnd.git-lfs+json; charset=utf-8");
        if let Some((login, password)) = login {
            request = request.header("authorization", basic(login, password));
        }
        self.forge.app.send(request.body(body).unwrap()).await
    }

    /// A request with a header as it stood in an answer.
    pub async fn send_as(&self, method: &str, path: &str, body: Body, authorization: &Value) -> Reply {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", authorization.as_str().unwrap());
        self.forge.app.send(request.body(body).unwrap()).await
    }

    /// What Workhorse reports after it has laid a file down: the form, and the two things that it signs.
    pub async fn finalise(&self, repository: &str, oid: &str, size: usize, upload: Value, login: Login<'_>) -> Reply {
        let path = upload["path"].as_str().unwrap_or_default().to_owned();
        let fields = json!({ "iss": "gitlab-workhorse", "rewritten_fields": { "file": path } });
        let upload = workhorse_token_with(&json!({ "iss": "gitlab-workhorse", "upload": upload }));
        let form = format!("file.name=x&file.path=/etc/passwd&file.size=1&file.gitlab-workhorse-upload={upload}");
        let request = signed("PUT", &format!("/{repository}.git/gitlab-lfs/objects/{oid}/{size}"), login)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("gitlab-workhorse-multipart-fields", workhorse_token_with(&fields));
        self.forge.app.send(request.body(Body::from(form)).unwrap()).await
    }

    /// A file that Workhorse has laid down, as it describes it.
    pub fn laid_down(&self, content: &[u8]) -> Value {
        let folder = self.folder.path().join("tmp/uploads");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{}-{}", oid(content), uuid::Uuid::new_v4()));
        std::fs::write(&path, content).unwrap();
        json!({
            "name": "x", "path": path.display().to_string(), "size": content.len().to_string(), "sha256": oid(content)
        })
    }

    /// The sweep for objects that no project has.
    pub async fn sweep(&self) -> u64 {
        let files = LfsFiles::new(&self.settings).unwrap();
        let (db, now) = (&self.forge.app.budgets.upkeep, self.forge.app.clock.now());
        store_lfs_object::remove_orphans(db, &files, now).await.unwrap()
    }
}

fn yaml(folder: &Folder, store: &str, settings: &str) -> String {
    format!("lfs: {{storage_path: {}{store}}}\n{settings}", folder.path().display())
}

/// What git-lfs reads.
#[track_caller]
pub fn assert_lfs(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.line());
    assert_eq!(reply.headers["content-type"], "application/vnd.git-lfs+json");
    reply.json()
}
