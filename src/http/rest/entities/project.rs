//! Projects, as much of them as the one who looks may see (rest.md 8.1).

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::group::{MOST_PROJECTS, SharedGroupShape, StatisticsShape, feature_word, statistics_of};
use super::settings::ProjectSettingsShape;
use super::user::BasicUser;
use super::{local_moment, shapes_of, visibility_word};
use crate::domain::ids::NamespaceId;
use crate::domain::kept_settings::{KeptKind, KeptSetting, OF_PROJECTS, TOPICS};
use crate::domain::level::{AccessLevel, FeatureLevel, VisibilityLevel};
use crate::domain::rest_policy::{RestStanding, may_read_code};
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::services::project_change::ProjectFeature;
use crate::store::rest::lists::ListPart;
use crate::store::rest::projects::{self as rows, ProjectFilter, ProjectScope, ProjectShapeRow};
use crate::store::rest::statistics::{StatisticsRow, list_of_projects};
use crate::store::rest::{groups, users};
use crate::store::settings;

/// The namespace of a project.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectNamespaceShape {
    id: i64,
    name: String,
    path: String,
    /// `user` or `group`
    kind: &'static str,
    full_path: String,
    parent_id: Option<i64>,
    /// Always null.
    avatar_url: Option<String>,
    web_url: String,
}

/// What is shown of a project where little is asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SimpleProjectShape {
    id: i64,
    description: Option<String>,
    name: String,
    name_with_namespace: String,
    /// The last part of the full path.
    path: String,
    path_with_namespace: String,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = ProjectCodeShape)]
    code: Option<ProjectCodeShape>,
    /// Always empty, as `topics`.
    tag_list: Vec<String>,
    topics: Vec<String>,
    ssh_url_to_repo: String,
    http_url_to_repo: String,
    web_url: String,
    /// Always null: no pictures are kept here.
    avatar_url: Option<String>,
    /// Always 0.
    star_count: i64,
    #[schema(format = DateTime)]
    last_activity_at: Option<String>,
    /// `private`, `internal` or `public`
    visibility: &'static str,
    namespace: ProjectNamespaceShape,
    /// For administrators alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    repository_storage: Option<String>,
}

/// What is for those who may read the code.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectCodeShape {
    /// Of an empty repository, the one that it will have.
    default_branch: Option<String>,
    /// Always null.
    readme_url: Option<String>,
    /// Always 0.
    #[schema(required = false)]
    forks_count: i64,
}

/// What somebody has by one way.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccessShape {
    /// 5, 10, 15, 20, 30, 40 or 50
    access_level: i32,
    /// Always 3.
    notification_level: i32,
}

/// What the caller has.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PermissionsShape {
    /// By a membership of the project.
    project_access: Option<AccessShape>,
    /// By one of the groups around it.
    group_access: Option<AccessShape>,
}

/// All that is shown of a project.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's shape")]
pub struct ProjectShape {
    #[serde(flatten)]
    simple: SimpleProjectShape,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
    /// Whether nobody has pushed yet.
    empty_repo: bool,
    archived: bool,
    /// Of projects in personal namespaces alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    owner: Option<BasicUser>,
    creator_id: Option<i64>,
    #[serde(rename = "_links")]
    links: ProjectLinksShape,
    /// Always null: there is no registry here.
    container_registry_image_prefix: Option<String>,
    /// Who may use which feature, and settings that are kept and have no effect, by their names.
    #[serde(flatten)]
    #[schema(value_type = ProjectSettingsShape)]
    settings: Map<String, Value>,
    /// Whether git-lfs may store files.
    lfs_enabled: bool,
    /// Always false.
    can_create_merge_request_in: bool,
    /// The groups that it is shared with and that the caller sees.
    shared_with_groups: Vec<SharedGroupShape>,
    /// Whether git is told after a push where to ask for a merge.
    printing_merge_request_link_enabled: bool,
    /// Always null, as the next two: nothing is imported here.
    import_url: Option<String>,
    import_type: Option<String>,
    import_error: Option<String>,
    /// Always `none`.
    import_status: &'static str,
    /// Always 0.
    open_issues_count: i64,
    /// The day on which somebody deleted it, where it waits for its end.
    #[schema(format = Date)]
    marked_for_deletion_at: Option<String>,
    #[schema(format = Date)]
    marked_for_deletion_on: Option<String>,
    /// Always empty.
    compliance_frameworks: Vec<String>,
    /// Always false.
    mirror: bool,
    /// Always null.
    service_desk_address: Option<String>,
    /// For maintainers alone.
    #[serde(flatten)]
    #[schema(value_type = ProjectMaintainersShape)]
    for_maintainers: Option<ProjectMaintainersShape>,
    /// For reporters, where they ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    statistics: Option<StatisticsShape>,
    /// What the caller has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    permissions: Option<PermissionsShape>,
}

/// Where the parts of a project are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectLinksShape {
    #[serde(rename = "self")]
    own: String,
    issues: String,
    merge_requests: String,
    repo_branches: String,
    labels: String,
    events: String,
    members: String,
    cluster_agents: String,
}

/// What maintainers see of their project beside.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectMaintainersShape {
    /// Always null: no runner registers here.
    runners_token: Option<String>,
}

/// A project in a list.
#[derive(Debug)]
pub struct ListedProject;

shapes_of! {
    /// All that is shown of a project; with `simple` less of it.
    ListedProject: ProjectShape, SimpleProjectShape
}

/// Where an installation has its projects.
#[derive(Debug, Clone)]
pub struct ProjectUrls {
    /// The installation's URL.
    pub url: String,
    /// What clone URLs over HTTP begin with.
    pub http: String,
    /// What clone URLs over SSH begin with.
    pub ssh: String,
}

impl SimpleProjectShape {
    /// The project, as somebody of this standing sees it.
    #[must_use]
    pub fn of(row: &ProjectShapeRow, urls: &ProjectUrls, admin: bool) -> Self {
        let standing = RestStanding { level: AccessLevel(row.level), admin };
        let repository = FeatureLevel::from_level(Some(row.features.repository_access_level));
        let code = may_read_code(standing, VisibilityLevel::from_level(row.visibility_level), repository);
        let url = &urls.url;
        let user = row.owner_id.is_some();
        let topics = topics_of(row);
        let groups = if user { "" } else { "groups/" };
        Self {
            id: row.id,
            description: row.description.clone(),
            name: row.name.clone(),
            name_with_namespace: row.full_name.clone(),
            path: row.path.clone(),
            path_with_namespace: row.full_path.clone(),
            created_at: row.created_at.map(local_moment),
            code: code.then(|| ProjectCodeShape {
                default_branch: row.default_branch.clone(),
                readme_url: None,
                forks_count: 0,
            }),
            tag_list: topics.clone(),
            topics,
            ssh_url_to_repo: format!("{}{}.git", urls.ssh, row.full_path),
            http_url_to_repo: format!("{}/{}.git", urls.http, row.full_path),
            web_url: format!("{url}/{}", row.full_path),
            avatar_url: None,
            star_count: 0,
            last_activity_at: row.last_activity_at.or(row.created_at).map(local_moment),
            visibility: visibility_word(row.visibility_level),
            namespace: ProjectNamespaceShape {
                id: row.namespace_id,
                name: row.namespace_name.clone(),
                path: row.namespace_path.clone(),
                kind: if user { "user" } else { "group" },
                full_path: row.namespace_full_path.clone(),
                parent_id: row.namespace_parent_id,
                avatar_url: None,
                web_url: format!("{url}/{groups}{}", row.namespace_full_path),
            },
            repository_storage: admin.then(|| row.repository_storage.clone()),
        }
    }
}

fn topics_of(row: &ProjectShapeRow) -> Vec<String> {
    let kept = row.kept_settings.get(TOPICS).and_then(Value::as_array);
    kept.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The switches that only repeat a level: their names, and the levels' in kept settings.
const KEPT_SWITCHES: &[(&str, &str)] = &[("requirements_enabled", "requirements_access_level")];

/// Who may use which feature, and the kept settings, with the older names that repeat them.
fn settings_of(row: &ProjectShapeRow) -> Map<String, Value> {
    let mut settings = Map::new();
    for (name, feature) in ProjectFeature::ALL {
        settings.insert((*name).to_owned(), feature_word(feature.level(&row.features)).into());
    }
    for (name, feature) in ProjectFeature::SWITCHES {
        settings.insert((*name).to_owned(), (feature.level(&row.features) > 0).into());
    }
    for setting in OF_PROJECTS.iter().filter(|setting| setting.name != TOPICS) {
        let kept = row.kept_settings.get(setting.name).cloned();
        settings.insert(setting.name.to_owned(), kept.unwrap_or_else(|| usual(*setting)));
    }
    for (switch, level) in KEPT_SWITCHES {
        let enabled = settings.get(*level).is_none_or(|level| level != "disabled");
        settings.insert((*switch).to_owned(), enabled.into());
    }
    let emails = settings.get("emails_enabled").is_none_or(|enabled| enabled == &Value::Bool(true));
    settings.insert("emails_disabled".to_owned(), (!emails).into());
    settings
}

/// What a kept setting is where nothing was said.
fn usual(setting: KeptSetting) -> Value {
    match setting.kind {
        KeptKind::Flag(value) => value.into(),
        KeptKind::Number(value) => value.into(),
        KeptKind::Text(value, _) => value.into(),
        KeptKind::Word(place, words) => words.get(place).copied().into(),
        KeptKind::Texts(values) => json!(values),
    }
}

fn links(urls: &ProjectUrls, id: i64) -> ProjectLinksShape {
    let own = format!("{}/api/v4/projects/{id}", urls.url);
    let below = |name: &str| format!("{own}/{name}");
    ProjectLinksShape {
        issues: below("issues"),
        merge_requests: below("merge_requests"),
        repo_branches: below("repository/branches"),
        labels: below("labels"),
        events: below("events"),
        members: below("members"),
        cluster_agents: below("cluster_agents"),
        own,
    }
}

/// What is added to a project's shape.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProjectExtras {
    /// What the caller has.
    pub permissions: bool,
    /// Sizes.
    pub statistics: bool,
}

impl RestState {
    /// Where this installation has its projects.
    ///
    /// # Errors
    /// Where the database gives no answer.
    pub async fn project_urls(&self) -> Result<ProjectUrls, RestRefusal> {
        let http = settings::find_http_clone_root(self.db.pool()).await?.unwrap_or_else(|| self.url.clone());
        Ok(ProjectUrls { url: self.url.clone(), http, ssh: self.ssh_prefix.clone() })
    }

    /// These projects where little is asked for, in the order of the ids.
    ///
    /// # Errors
    /// Where the database gives no answer.
    pub async fn simple_projects(
        &self,
        caller: &RestCaller,
        ids: &[i64],
    ) -> Result<Vec<SimpleProjectShape>, RestRefusal> {
        let urls = self.project_urls().await?;
        let today = self.clock.now().date_naive();
        let rows = rows::list_shapes(self.db.pool(), ids, caller.id(), today).await?;
        Ok(rows.iter().map(|row| SimpleProjectShape::of(row, &urls, caller.is_admin())).collect())
    }

    /// These projects, in the order of the ids.
    ///
    /// # Errors
    /// Where the database gives no answer.
    pub async fn project_shapes(
        &self,
        caller: &RestCaller,
        ids: &[i64],
        extras: ProjectExtras,
    ) -> Result<Vec<ProjectShape>, RestRefusal> {
        let urls = self.project_urls().await?;
        let today = self.clock.now().date_naive();
        let rows = rows::list_shapes(self.db.pool(), ids, caller.id(), today).await?;
        let owners: Vec<i64> = rows.iter().filter_map(|row| row.owner_id).collect();
        let owners =
            if owners.is_empty() { HashMap::new() } else { users::list_basic(self.db.pool(), &owners).await? };
        let shares = groups::list_projects_shared_with(self.db.pool(), ids).await?;
        let mut shares = self.visible_shares(caller, shares).await?;
        let sizes = if extras.statistics { list_of_projects(self.db.pool(), ids).await? } else { HashMap::new() };
        let shape = |row: ProjectShapeRow| {
            let owner = row.owner_id.and_then(|id| owners.get(&id).cloned());
            let owner = owner.map(|row| BasicUser::of(row, &self.url));
            let with_groups = shares.remove(&row.id).unwrap_or_default();
            let sizes = sizes.get(&row.id).copied().unwrap_or_default();
            project_shape(&row, &urls, caller.is_admin(), (extras, sizes), owner, with_groups)
        };
        Ok(rows.into_iter().map(shape).collect())
    }

    /// One project.
    ///
    /// # Errors
    /// 404 where it is gone meanwhile.
    pub async fn project_shape(
        &self,
        caller: &RestCaller,
        id: i64,
        extras: ProjectExtras,
    ) -> Result<ProjectShape, RestRefusal> {
        self.project_shapes(caller, &[id], extras).await?.pop().ok_or(RestRefusal::NotFound("Project"))
    }

    /// The first projects of a group, and of those that are shared with it, that the caller sees.
    pub(super) async fn projects_of_group(
        &self,
        caller: &RestCaller,
        group: i64,
    ) -> Result<(Vec<ProjectShape>, Vec<ProjectShape>), RestRefusal> {
        let part = ListPart { limit: MOST_PROJECTS, offset: 0 };
        let filter = |scope| ProjectFilter {
            user: caller.id().0,
            all: caller.is_admin(),
            open: caller.open_levels(),
            scope,
            ..ProjectFilter::default()
        };
        let own = ProjectScope::Group { group: NamespaceId(group), below: false, around: false, shared: false };
        let own = rows::list(&self.db, &filter(own), part).await?.ids;
        let shared = rows::list(&self.db, &filter(ProjectScope::SharedWith(NamespaceId(group))), part).await?.ids;
        let own = self.project_shapes(caller, &own, ProjectExtras::default()).await?;
        Ok((own, self.project_shapes(caller, &shared, ProjectExtras::default()).await?))
    }
}

fn project_shape(
    row: &ProjectShapeRow,
    urls: &ProjectUrls,
    admin: bool,
    (extras, sizes): (ProjectExtras, StatisticsRow),
    owner: Option<BasicUser>,
    shared_with_groups: Vec<SharedGroupShape>,
) -> ProjectShape {
    let access = |level: Option<i32>| level.map(|access_level| AccessShape { access_level, notification_level: 3 });
    let at_least = |level: AccessLevel| admin || row.level >= level.0;
    let marked = row.marked_for_deletion_at.map(|day| day.to_string());
    ProjectShape {
        simple: SimpleProjectShape::of(row, urls, admin),
        updated_at: row.updated_at.map(local_moment),
        empty_repo: row.empty_repo,
        archived: row.archived,
        owner,
        creator_id: row.creator_id,
        links: links(urls, row.id),
        container_registry_image_prefix: None,
        settings: settings_of(row),
        lfs_enabled: row.lfs_enabled,
        can_create_merge_request_in: false,
        shared_with_groups,
        printing_merge_request_link_enabled: row.printing_merge_request_link_enabled,
        import_url: None,
        import_type: None,
        import_error: None,
        import_status: "none",
        open_issues_count: 0,
        marked_for_deletion_at: marked.clone(),
        marked_for_deletion_on: marked,
        compliance_frameworks: Vec::new(),
        mirror: false,
        service_desk_address: None,
        for_maintainers: at_least(AccessLevel::MAINTAINER).then_some(ProjectMaintainersShape { runners_token: None }),
        statistics: (extras.statistics && at_least(AccessLevel::REPORTER)).then(|| statistics_of(sizes, true)),
        permissions: extras.permissions.then(|| PermissionsShape {
            project_access: access(row.project_access),
            group_access: access(row.group_access),
        }),
    }
}
