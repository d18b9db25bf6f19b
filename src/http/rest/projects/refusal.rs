//! Why a project is not made, changed or moved, as clients are told.

use axum::http::StatusCode;
use serde_json::json;

use crate::http::rest::fault::RestRefusal;
use crate::services::check_access::NO_GITALY;
use crate::services::create_project::ProjectRefusal;
use crate::services::update_project::ProjectChangeRefusal;

impl From<ProjectRefusal> for RestRefusal {
    fn from(refusal: ProjectRefusal) -> Self {
        match refusal {
            ProjectRefusal::LimitReached(limit) => {
                let sentence =
                    format!("Your project limit is {limit} projects! Please contact your administrator to increase it");
                Self::Error(StatusCode::FORBIDDEN, json!([sentence]))
            }
            ProjectRefusal::Faults(faults) => faults.into(),
            ProjectRefusal::NoStorage(error) => silent(&error),
            ProjectRefusal::StorageTaken => {
                tracing::error!("a new project's repository is there already, with branches");
                let sentence = "Its repository belongs to somebody. Please contact your administrator.";
                Self::Conflict(sentence.to_owned())
            }
        }
    }
}

fn silent(error: &crate::gitaly::GitalyError) -> RestRefusal {
    tracing::warn!(%error, "a storage gave no answer to a request of the public API");
    RestRefusal::Message(StatusCode::SERVICE_UNAVAILABLE, NO_GITALY.into())
}

impl From<ProjectChangeRefusal> for RestRefusal {
    fn from(refusal: ProjectChangeRefusal) -> Self {
        match refusal {
            ProjectChangeRefusal::NoSuchProject => Self::NotFound("Project"),
            ProjectChangeRefusal::NoSuchNamespace => Self::NotFound("Namespace"),
            ProjectChangeRefusal::Faults(faults) => faults.into(),
            ProjectChangeRefusal::NoSuchBranch(branch) => {
                let sentence = "Could not set the default branch. Do you have a branch named";
                Self::record("base", format!("{sentence} '{branch}' in your repository?"))
            }
            ProjectChangeRefusal::NoStorage(error) => silent(&error),
            ProjectChangeRefusal::Forbidden => Self::Forbidden,
            ProjectChangeRefusal::Impossible(sentence) => {
                let text = serde_json::Value::from(sentence).to_string();
                let text = format!("Failed to transfer project {{:new_namespace=>[{text}]}}");
                Self::Message(StatusCode::BAD_REQUEST, text.into())
            }
        }
    }
}
