//! Where a project's repository is, as kas dials it (kas.md 2.1).

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::KubernetesState;
use crate::domain::default_branch::RepositoryHead;
use crate::domain::repository::GlRepository;
use crate::gitaly::{self, CallContext, RepositoryLocation};
use crate::http::error::ApiError;
use crate::store::agent_projects::AgentProject;
use crate::store::default_branches;

/// What Gitaly may take to name a default branch that no table knows.
const BUDGET: Duration = Duration::from_secs(2);

/// The repository, and the Gitaly that has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentRepositoryResponse {
    project_id: i64,
    gitaly_info: GitalyInfo,
    gitaly_repository: GitalyRepository,
    default_branch: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct GitalyInfo {
    address: String,
    token: Option<String>,
    features: GitalyFeatures,
}

/// Feature flags of Gitaly: none.
#[derive(Debug, Serialize, ToSchema)]
struct GitalyFeatures {}

#[derive(Debug, Serialize, ToSchema)]
struct GitalyRepository {
    storage_name: String,
    relative_path: String,
    git_object_directory: &'static str,
    #[schema(value_type = Vec<String>)]
    git_alternate_object_directories: [&'static str; 0],
    gl_repository: String,
    gl_project_path: String,
}

impl AgentRepositoryResponse {
    /// The answer for a project.
    ///
    /// # Errors
    /// 503 where the settings lack its storage, or nobody can say which branch is its default one.
    pub async fn of(state: &KubernetesState, project: AgentProject) -> Result<Self, ApiError> {
        let storage = state.settings.storages.find(&project.storage)?;
        let default_branch = match project.default_branch.clone() {
            Some(name) => name,
            None => named_by_repository(state, &project).await?,
        };
        Ok(Self {
            project_id: project.id.0,
            gitaly_info: GitalyInfo {
                address: storage.address.clone(),
                token: storage.token.as_ref().map(|token| token.expose_secret().to_owned()),
                features: GitalyFeatures {},
            },
            gitaly_repository: GitalyRepository {
                storage_name: project.storage,
                relative_path: project.relative_path,
                git_object_directory: "",
                git_alternate_object_directories: [],
                gl_repository: GlRepository::Project(project.id).to_string(),
                gl_project_path: project.path,
            },
            default_branch,
        })
    }
}

/// The branch that the repository's HEAD names, kept for the next who asks: a push, or whoever moves HEAD, keeps
/// another. A guess would have kas read another branch, and take what it does not find there for an empty
/// configuration.
async fn named_by_repository(state: &KubernetesState, project: &AgentProject) -> Result<String, ApiError> {
    let location = RepositoryLocation {
        storage: project.storage.clone(),
        relative_path: project.relative_path.clone(),
        gl_repository: GlRepository::Project(project.id).to_string(),
        gl_project_path: project.path.clone(),
    };
    let context = CallContext::new("default-branch", Instant::now() + BUDGET);
    let asked_at = state.clock.now();
    let asked = async { state.gitaly.repository(location, context)?.head().await };
    let head = match asked.await {
        Ok(head) => head,
        // There is no repository yet, so its first branch will have the name that new ones get.
        Err(gitaly::GitalyError::NotFound(_)) => RepositoryHead::default(),
        Err(error) => return Err(ApiError::Unavailable(error.into())),
    };
    match head.branch.or(head.named) {
        Some(name) => {
            if let Err(error) = default_branches::insert(state.db.pool(), project.id, &name, asked_at).await {
                tracing::warn!(%error, project.id = project.id.0, "a default branch is not kept, and will be asked again");
            }
            Ok(name)
        }
        None => Ok(default_branches::find_initial(state.db.pool(), project.id).await?),
    }
}
