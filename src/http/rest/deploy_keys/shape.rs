//! A deploy key as clients state it, and as they read it.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::record_faults::RecordFaults;
use crate::http::grape::ParameterReader;
use crate::http::rest::entities::{local_moment, moment};
use crate::http::rest::fault::RestRefusal;
use crate::services::ServiceError;
use crate::services::use_deploy_key::NewDeployKey;
use crate::store::deploy_keys::{DeployKeyRow, UsingProjectRow};

/// A deploy key.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployKeyShape {
    id: i64,
    title: String,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// From then on it is refused.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// `auth_and_signing`, `auth` or `signing`
    usage_type: &'static str,
    key: String,
    /// By MD5, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fingerprint: Option<String>,
    /// By SHA-256.
    fingerprint_sha256: Option<String>,
    /// Whether it may push to the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    can_push: Option<bool>,
    /// Of the installation's keys: the projects that it may push to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    projects_with_write_access: Option<Vec<UsingProject>>,
    /// Of the installation's keys: the projects that it fetches from alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    projects_with_readonly_access: Option<Vec<UsingProject>>,
}

/// A project that uses a deploy key.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsingProject {
    id: i64,
    description: Option<String>,
    name: String,
    name_with_namespace: String,
    path: String,
    path_with_namespace: String,
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

/// What is said of a deploy key.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct DeployKeyParameters {
    /// The line of the file that ends in `.pub`.
    key: String,
    title: String,
    /// Of a project: whether it may push there.
    can_push: Option<bool>,
    /// RFC 3339, or a day.
    expires_at: Option<String>,
}

impl DeployKeyShape {
    /// The key of a project.
    pub fn of_project(row: DeployKeyRow) -> Self {
        let can_push = row.can_push;
        Self { can_push: Some(can_push), ..Self::plain(row) }
    }

    /// The key of the installation, with those of these projects that use it.
    pub fn of_instance(row: DeployKeyRow, uses: &[UsingProjectRow]) -> Self {
        let id = row.id;
        let using = |can_push: bool| {
            let uses = uses.iter().filter(|using| using.key == id && using.can_push == can_push);
            Some(uses.map(UsingProject::of).collect())
        };
        Self {
            projects_with_write_access: using(true),
            projects_with_readonly_access: using(false),
            ..Self::plain(row)
        }
    }

    fn plain(row: DeployKeyRow) -> Self {
        let sha256 = |digest: Vec<u8>| format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(digest));
        Self {
            id: row.id,
            title: row.title,
            created_at: row.created_at.map(local_moment),
            expires_at: row.expires_at.map(moment),
            last_used_at: row.last_used_at.map(local_moment),
            usage_type: match row.usage_type {
                1 => "auth",
                2 => "signing",
                _ => "auth_and_signing",
            },
            key: row.key,
            fingerprint: row.fingerprint,
            fingerprint_sha256: row.fingerprint_sha256.map(sha256),
            can_push: None,
            projects_with_write_access: None,
            projects_with_readonly_access: None,
        }
    }
}

impl UsingProject {
    fn of(row: &UsingProjectRow) -> Self {
        Self {
            id: row.id,
            description: row.description.clone(),
            name: row.name.clone(),
            name_with_namespace: row.full_name.clone(),
            path: row.path.clone(),
            path_with_namespace: row.full_path.clone(),
            created_at: row.created_at.map(local_moment),
        }
    }
}

/// Reads a key that somebody brings.
pub fn declare(reader: &mut ParameterReader<'_>) -> NewDeployKey {
    NewDeployKey {
        key: reader.required("key").value().unwrap_or_default(),
        title: reader.required("title").value().unwrap_or_default(),
        can_push: reader.optional("can_push").value().unwrap_or(false),
        expires_at: reader.optional("expires_at").value(),
    }
}

/// What is said of a key that cannot be. GitLab names the values of a key of a `project` with what they are of.
pub fn refusal(error: ServiceError<RecordFaults>, project: bool) -> RestRefusal {
    let name = |field: &str| if project { format!("deploy_key.{field}") } else { field.to_owned() };
    match error {
        ServiceError::Refused(faults) => {
            let said = faults.iter().flat_map(|(field, faults)| {
                faults.iter().map(move |fault| (name(field), fault.clone())).collect::<Vec<_>>()
            });
            RestRefusal::Record(said.collect())
        }
        ServiceError::Store(error) => error.into(),
    }
}
