//! A client makes a project: its repository on its storage first, then its rows.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use super::place_projects::{self, AuditedMaker, NewProjectRecord, NewRepository};
use super::project_change::ProjectChange;
use super::{ServiceError, ServiceResult, audit_log, choose_storage};
use crate::domain::audit::AuditEvent;
use crate::domain::default_branch::{USUAL, is_branch_name};
use crate::domain::ids::{NamespaceId, ProjectId};
use crate::domain::level::VisibilityLevel;
use crate::domain::place_names::{LONGEST_PATH, path_from_name};
use crate::domain::project_creation::{ParentNamespace, PlaceDenial, ProjectCreator, place_denial};
use crate::domain::record_faults::{RecordFaults, TAKEN};
use crate::domain::repository::{GlRepository, RepositoryLocation, hashed_path};
use crate::gitaly::{CallContext, GitalyClient, GitalyError};
use crate::store::projects::{FeaturesRow, ProjectRow};
use crate::store::sets::groups as group_sets;
use crate::store::{
    self, Db, Error, access_facts, derived, ids, kept_settings, namespaces, project_creation as rows,
    removed_repositories, settings,
};

/// What making the repository may take.
const BUDGET: Duration = Duration::from_secs(20);
/// After so long, a repository that was made for a project that never came to be is removed.
const ORPHANED_AFTER: Duration = Duration::from_hours(1);

/// What projects are made with.
#[derive(Debug, Clone)]
pub struct ProjectMaker {
    /// The database.
    pub db: Db,
    /// The storages.
    pub gitaly: GitalyClient,
    /// The names of the storages that the settings know, in order.
    pub storages: Vec<String>,
}

/// Where and as what a project is to be made.
#[derive(Debug, Clone)]
pub struct WantedProject {
    /// The namespace that it is to be in; the maker's own where none is named.
    pub namespace: Option<NamespaceId>,
    /// The storage of its repository; one that takes new ones where none is named.
    pub storage: Option<String>,
    /// What is said of it.
    pub stated: ProjectChange,
    /// Who makes it.
    pub maker: ProjectCreator,
    /// From where it is asked for.
    pub address: Option<IpAddr>,
}

/// Why a project is not made.
#[derive(Debug)]
pub enum ProjectRefusal {
    /// The maker has as many projects as they may have.
    LimitReached(i64),
    /// These things are wrong with it.
    Faults(RecordFaults),
    /// Its storage gave no answer.
    NoStorage(GitalyError),
    /// Something lies where its repository would be.
    StorageTaken,
}

type ProjectResult<T> = ServiceResult<T, ProjectRefusal>;

fn refused<T>(refusal: ProjectRefusal) -> ProjectResult<T> {
    Err(ServiceError::Refused(refusal))
}

/// A project that is about to be made: where, and its rows.
struct PlannedProject {
    parent: ParentNamespace,
    row: ProjectRow,
    features: FeaturesRow,
}

/// Makes a project. What is decided is decided before the first effect, and once more when its rows are written: the
/// repository comes between the two, so that no row is locked while Gitaly works. A repository without a project is
/// removed by a job, which is written down before the repository is made.
pub async fn create(
    maker: &ProjectMaker,
    wanted: &WantedProject,
    by: &ActingUser,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> ProjectResult<ProjectId> {
    let storage = match &wanted.storage {
        Some(storage) => storage.clone(),
        None => choose_storage::choose(&maker.db, &maker.storages).await?.unwrap_or_else(|| "default".to_owned()),
    };
    let mut connection = maker.db.acquire().await?;
    let plan = plan(&mut connection, wanted, &storage, now).await?;
    let id = ProjectId(ids::take(&mut *connection, "projects", 1).await?.into_iter().next().unwrap_or_default());
    let location = location(id, &plan, &storage);
    drop(connection);
    if maker.gitaly.serves(&storage) {
        note_orphan(&maker.db, &location, ORPHANED_AFTER).await?;
    }
    let made = match make_repository(maker, &location, &plan, wanted, correlation_id).await {
        Ok(repository) => write(maker, wanted, &storage, id, repository, by, now).await,
        Err(refusal) => Err(refusal),
    };
    match made {
        Ok(event) => {
            audit_log::log(&event);
            Ok(id)
        }
        Err(ServiceError::Refused(ProjectRefusal::StorageTaken)) => {
            removed_repositories::delete_at(maker.db.pool(), &location).await?;
            refused(ProjectRefusal::StorageTaken)
        }
        Err(error) => {
            // Sooner than in an hour, where that can be said: the job that waits does the same.
            if maker.gitaly.serves(&storage)
                && let Err(error) = note_orphan(&maker.db, &location, Duration::ZERO).await
            {
                tracing::debug!(%error, "a repository without a project is removed a little later");
            }
            Err(error)
        }
    }
}

async fn note_orphan(db: &Db, location: &RepositoryLocation, after: Duration) -> store::Result<()> {
    let mut transaction = db.begin().await?;
    removed_repositories::insert_orphan(&mut transaction, location, after).await?;
    transaction.commit().await
}

async fn write(
    maker: &ProjectMaker,
    wanted: &WantedProject,
    storage: &str,
    id: ProjectId,
    repository: NewRepository,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> ProjectResult<AuditEvent> {
    let mut last = None;
    for _ in 0..super::retry::ATTEMPTS {
        match write_once(maker, wanted, storage, id, &repository, by, now).await {
            Err(ServiceError::Store(error)) if error.is_lost_race() || error.is_undone() => last = Some(error),
            ended => return ended,
        }
    }
    Err(last.unwrap_or_else(|| Error::Duplicate("routes".to_owned())).into())
}

async fn write_once(
    maker: &ProjectMaker,
    wanted: &WantedProject,
    storage: &str,
    id: ProjectId,
    repository: &NewRepository,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> ProjectResult<AuditEvent> {
    let mut transaction = maker.db.begin().await?;
    if let Some(namespace) = find_namespace(&mut transaction, wanted).await? {
        derived::lock_root(&mut transaction, namespace).await?;
    }
    let plan = plan(&mut transaction, wanted, storage, now).await?;
    let path = format!("{}/{}", plan.parent.full_path, plan.row.path);
    let location = location(id, &plan, storage);
    let record = NewProjectRecord {
        id,
        row: plan.row,
        features: plan.features,
        repository: repository.clone(),
        owner: plan.parent.owner,
        path,
    };
    let (_, event) = place_projects::create(&mut transaction, record, &AuditedMaker::Acting(by), now).await?;
    if !wanted.stated.kept.is_empty() {
        kept_settings::update(&mut *transaction, id, &wanted.stated.kept).await?;
    }
    removed_repositories::delete_at(&mut *transaction, &location).await?;
    transaction.commit().await?;
    Ok(event)
}

/// What would be made, as things stand.
async fn plan(
    conn: &mut PgConnection,
    wanted: &WantedProject,
    storage: &str,
    now: DateTime<Utc>,
) -> ProjectResult<PlannedProject> {
    let not_valid = || refused(ProjectRefusal::Faults(RecordFaults::of("namespace", "is not valid")));
    let Some(namespace) = find_namespace(&mut *conn, wanted).await? else { return not_valid() };
    let Some(path) = namespaces::find_path(&mut *conn, namespace).await? else { return not_valid() };
    let today = now.date_naive();
    let Some(parent) = rows::find_parent(&mut *conn, &path, wanted.maker.id, today).await? else { return not_valid() };
    match place_denial(&parent, wanted.maker) {
        Some(PlaceDenial::LimitReached(limit)) => return refused(ProjectRefusal::LimitReached(limit)),
        Some(PlaceDenial::NotPermitted) => return not_valid(),
        None if parent.archived => return not_valid(),
        None => {}
    }
    let instance = settings::find(&mut *conn).await?;
    let everywhere = access_facts::globally_allowed(Some(&instance.globally_allowed_ips));
    if wanted.address.is_some_and(|address| !parent.root.welcomes(address, &everywhere)) {
        return not_valid();
    }
    let widest = group_sets::list_visibilities(&mut *conn, &[parent.id.0]).await?.remove(&parent.id);
    let usual = instance.default_project_visibility;
    let mut row = ProjectRow::new(parent.id, storage, widest.map_or(usual, |widest| usual.min(widest)));
    row.creator_id = Some(wanted.maker.id.0);
    let mut features = FeaturesRow::default();
    let stated = named(&wanted.stated);
    stated.put_into(&mut row, &mut features);
    let mut faults = RecordFaults::default();
    stated.check(&mut faults);
    check_place(conn, &mut faults, &parent.full_path, &row, None).await?;
    check_visibility(&mut faults, &row, widest);
    if stated.default_branch.as_ref().is_some_and(|name| !is_branch_name(name)) {
        faults.add("default_branch", "is not a valid branch name");
    }
    match faults.into_result() {
        Ok(()) => Ok(PlannedProject { parent, row, features }),
        Err(faults) => refused(ProjectRefusal::Faults(faults)),
    }
}

async fn find_namespace(conn: &mut PgConnection, wanted: &WantedProject) -> store::Result<Option<NamespaceId>> {
    match wanted.namespace {
        Some(namespace) => Ok(Some(namespace)),
        None => namespaces::find_personal(conn, wanted.maker.id).await,
    }
}

/// Of name and path, the one that is left out follows from the other.
fn named(stated: &ProjectChange) -> ProjectChange {
    let name = stated.name.clone().or_else(|| stated.path.clone());
    let path = stated.path.clone().or_else(|| name.as_deref().map(path_from_name));
    ProjectChange { name, path, ..stated.clone() }
}

/// Notes that another has the path or the name.
pub(super) async fn check_place(
    conn: &mut PgConnection,
    faults: &mut RecordFaults,
    namespace_path: &str,
    row: &ProjectRow,
    own: Option<(NamespaceId, &str)>,
) -> store::Result<()> {
    let (id, own_path) = own.map_or((None, None), |(id, path)| (Some(id), Some(path)));
    let path = format!("{namespace_path}/{}", row.path);
    let same = own_path.is_some_and(|own| own.to_lowercase() == path.to_lowercase());
    if !same && namespaces::is_path_taken(&mut *conn, &path).await? {
        faults.add("path", TAKEN);
    }
    if !same && path.chars().count() > LONGEST_PATH {
        faults.add("path", format!("is too long (maximum is {LONGEST_PATH} characters)"));
    }
    let namespace = NamespaceId(row.namespace_id);
    if namespaces::is_name_taken(conn, "Project", namespace, &row.name, id).await? {
        faults.add("name", TAKEN);
    }
    Ok(())
}

/// Notes that the project would be seen by more people than its group.
pub(super) fn check_visibility(faults: &mut RecordFaults, row: &ProjectRow, widest: Option<i32>) {
    if let Some(widest) = widest.filter(|widest| row.visibility_level > *widest) {
        let level = VisibilityLevel::from_level;
        let sentence = format!("{} is not allowed in a {} group.", level(row.visibility_level), level(widest));
        faults.add("visibility_level", sentence);
    }
}

fn location(id: ProjectId, plan: &PlannedProject, storage: &str) -> RepositoryLocation {
    RepositoryLocation {
        storage: storage.to_owned(),
        relative_path: format!("{}.git", hashed_path("@hashed", id.0)),
        gl_repository: GlRepository::Project(id).to_string(),
        gl_project_path: format!("{}/{}", plan.parent.full_path, plan.row.path),
    }
}

async fn make_repository(
    maker: &ProjectMaker,
    location: &RepositoryLocation,
    plan: &PlannedProject,
    wanted: &WantedProject,
    correlation_id: &str,
) -> ProjectResult<NewRepository> {
    let stated = wanted.stated.default_branch.clone();
    if !maker.gitaly.serves(&location.storage) {
        return Ok(NewRepository::Missing(stated));
    }
    let head = stated.or_else(|| plan.parent.default_branch.clone()).unwrap_or_else(|| USUAL.to_owned());
    let context = CallContext::new(correlation_id, Instant::now() + BUDGET);
    let made = async {
        let repository = maker.gitaly.repository(location.clone(), context)?;
        Ok(repository.create(&head).await? || !repository.has_branches().await?)
    };
    match made.await {
        Ok(true) => Ok(NewRepository::Made(head)),
        // After the database was restored, its ids may have been others' before.
        Ok(false) => refused(ProjectRefusal::StorageTaken),
        Err(error) => refused(ProjectRefusal::NoStorage(error)),
    }
}
