//! Projects and where they are: what it means that one is there, whoever asks for it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, EventName};
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::projects::{self, FeaturesRow, ProjectRow};
use crate::store::sets::projects::{self as project_sets, PlacedProject};
use crate::store::{Result, audit_events, derived, ids, repositories};

/// Makes projects with their project namespaces, paths and places in the tree. Their features are the caller's to
/// write.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where something has a path, or a project of the same namespace a name.
pub async fn insert(conn: &mut PgConnection, rows: &[PlacedProject]) -> Result<()> {
    project_sets::insert(&mut *conn, rows).await?;
    let new: Vec<NamespaceId> = rows.iter().map(|(_, namespace, _)| *namespace).collect();
    derived::refresh_namespaces(conn, &new).await
}

/// Renames or moves a project; its former path becomes a redirect. Where it is moved, the answer is who reached it
/// before: with those who reach it now, they are whose authorizations the caller is to refresh.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where something has the path, or a project of the same namespace the name.
pub async fn relocate(
    conn: &mut PgConnection,
    (id, project_namespace): (ProjectId, NamespaceId),
    before: &ProjectRow,
    row: &ProjectRow,
) -> Result<Option<Vec<UserId>>> {
    let moved = row.namespace_id != before.namespace_id;
    let mut reaching = None;
    if moved {
        derived::lock_root(conn, project_namespace).await?;
        reaching = Some(derived::users_reaching(&mut *conn, &[project_namespace]).await?);
    }
    projects::move_project(conn, id, row).await?;
    derived::refresh_namespace(conn, project_namespace).await?;
    Ok(reaching)
}

/// What is known of the repository of a new project.
#[derive(Debug, Clone)]
pub enum NewRepository {
    /// It is on its storage, and its HEAD names this branch.
    Made(String),
    /// It is made once its storage has an address. Its HEAD will name this branch; none for what is usual then.
    Missing(Option<String>),
}

/// A new project, as one user makes it.
#[derive(Debug, Clone)]
pub struct NewProjectRecord {
    /// The id, which nobody else has.
    pub id: ProjectId,
    /// The row.
    pub row: ProjectRow,
    /// Who may use which feature.
    pub features: FeaturesRow,
    /// The repository.
    pub repository: NewRepository,
    /// The user in whose personal namespace it is.
    pub owner: Option<UserId>,
    /// Its full path.
    pub path: String,
}

/// Makes one project as a user makes one, by a request or by a push: its rows, its path, what is known of its
/// repository, a membership of the owner of a personal namespace, who reaches it, and the audit event.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where something has the path, or a project of the same namespace the name.
pub async fn create(
    conn: &mut PgConnection,
    project: NewProjectRecord,
    author: &AuditedMaker<'_>,
    now: DateTime<Utc>,
) -> Result<(NamespaceId, AuditEvent)> {
    let NewProjectRecord { id, row, features, repository, owner, path } = project;
    let namespace = ids::take(&mut *conn, "namespaces", 1).await?.into_iter().next().unwrap_or_default();
    let namespace = NamespaceId(namespace);
    let storage = row.repository_storage.clone();
    insert(conn, &[(id, namespace, row)]).await?;
    project_sets::upsert_features(&mut *conn, &[(id.0, features)]).await?;
    match &repository {
        NewRepository::Made(head) => repositories::upsert(conn, id, &storage, Some(head), now).await?,
        NewRepository::Missing(head) => {
            let missing = [(id, head.clone())];
            crate::store::sets::repositories::insert_missing(&mut *conn, &missing, now).await?;
        }
    }
    if let Some(owner) = owner {
        let grant = MemberGrant { level: AccessLevel::OWNER.0, expires_at: None };
        members::upsert(&mut *conn, &[(MemberSource::Project(id, namespace), owner, grant)], Some(owner)).await?;
    }
    let reaching = derived::users_reaching(&mut *conn, &[namespace]).await?;
    derived::refresh_authorizations(conn, &reaching, now.date_naive()).await?;
    let event = author.event(EventName::ProjectCreated, AuditEntity::Project(id, path), "Created the project");
    audit_events::insert(conn, &event, now).await?;
    Ok((namespace, event))
}

/// Who makes a project, for the audit event.
#[derive(Debug, Clone)]
pub enum AuditedMaker<'a> {
    /// By a request.
    Acting(&'a ActingUser),
    /// By a push.
    Pushing(UserId, &'a str),
}

impl AuditedMaker<'_> {
    fn event(&self, name: EventName, entity: AuditEntity, message: &str) -> AuditEvent {
        match self {
            Self::Acting(user) => user.event(name, entity, message),
            Self::Pushing(id, username) => AuditEvent {
                name,
                author: AuditAuthor::User(*id, (*username).to_owned()),
                entity,
                target: None,
                message: format!("{message} by a push"),
                ip_address: None,
            },
        }
    }
}
