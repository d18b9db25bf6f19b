//! `lfs:`, Git LFS: whether, and where the objects are.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::document::Problem;

/// `lfs:`, Git LFS.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LfsSettings {
    /// Whether this installation offers LFS.
    pub enabled: bool,
    /// The directory of the objects, laid out as GitLab's. Servers that share a database share it too.
    pub storage_path: PathBuf,
    /// A bucket in place of the directory. Objects that are in the directory already are read there.
    pub object_store: ObjectStoreSettings,
}

impl Default for LfsSettings {
    fn default() -> Self {
        Self { enabled: true, storage_path: "shared/lfs-objects".into(), object_store: ObjectStoreSettings::default() }
    }
}

/// `lfs.object_store:`, a bucket that speaks S3.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ObjectStoreSettings {
    /// Whether new objects go to the bucket.
    pub enabled: bool,
    /// The bucket.
    pub remote_directory: String,
    /// What stands before the names of objects in the bucket, without slashes at its ends.
    #[schemars(extend("examples" = ["gitlab/lfs"]))]
    pub bucket_prefix: Option<String>,
    /// Whether clients that cannot reach the bucket get objects from Workhorse, or from us where there is none, and not a
    /// URL in the bucket.
    pub proxy_download: bool,
    /// Where the bucket is and how it is entered.
    pub connection: ObjectStoreConnection,
}

impl Default for ObjectStoreSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            remote_directory: "lfs-objects".to_owned(),
            bucket_prefix: None,
            proxy_download: false,
            connection: ObjectStoreConnection::default(),
        }
    }
}

/// `lfs.object_store.connection:`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ObjectStoreConnection {
    /// `AWS`, for everything that speaks S3.
    pub provider: String,
    /// The name of the key.
    pub aws_access_key_id: Option<String>,
    /// The key itself.
    #[schemars(with = "Option<String>")]
    pub aws_secret_access_key: Option<SecretString>,
    /// A file with the key, in place of `aws_secret_access_key`.
    pub aws_secret_access_key_file: Option<PathBuf>,
    /// The region.
    pub region: String,
    /// The URL of a service that is not Amazon's.
    #[schemars(regex(pattern = r"^https?://"), extend("examples" = ["https://s3.example.com"]))]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of URLs, and not in the host.
    pub path_style: bool,
    /// Whether credentials come from the machine or the container, or from the environment as AWS names them, and not from
    /// here.
    pub use_iam_profile: bool,
}

impl Default for ObjectStoreConnection {
    fn default() -> Self {
        Self {
            provider: "AWS".to_owned(),
            aws_access_key_id: None,
            aws_secret_access_key: None,
            aws_secret_access_key_file: None,
            region: "us-east-1".to_owned(),
            endpoint: None,
            path_style: false,
            use_iam_profile: false,
        }
    }
}

impl ObjectStoreSettings {
    /// What must hold where objects go to a bucket.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let (place, connection) = ("lfs.object_store", &self.connection);
        let mut problems = Vec::new();
        if !self.enabled {
            return problems;
        }
        let mut say = |key: &str, problem: &str| problems.push(Problem::new(format!("{place}.{key}"), problem));
        if self.remote_directory.is_empty() || self.remote_directory.contains('/') {
            say("remote_directory", "must be the name of a bucket, for example lfs-objects");
        }
        if connection.provider != "AWS" {
            say("connection.provider", "must be AWS: no other protocol than S3 is spoken");
        }
        let id = connection.aws_access_key_id.is_some();
        let keys = u8::from(connection.aws_secret_access_key.is_some())
            + u8::from(connection.aws_secret_access_key_file.is_some());
        if connection.use_iam_profile && (id || keys > 0) {
            say("connection.use_iam_profile", "takes credentials from elsewhere: name no keys beside it");
        } else if !(connection.use_iam_profile || (id && keys == 1)) {
            let problem = "is needed, and one of aws_secret_access_key and aws_secret_access_key_file with it; or \
                           use_iam_profile";
            say("connection.aws_access_key_id", problem);
        }
        problems
    }
}
