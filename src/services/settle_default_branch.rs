//! The default branch of a project, once its first push is in: known, and protected as its namespace says.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::default_branch::DefaultProtection;
use crate::domain::ids::ProjectId;
use crate::domain::level::AccessLevel;
use crate::domain::protected_ref::RefRight;
use crate::store::protected_refs::ProtectedRefAccess;
use crate::store::protections::{self, ProtectionOwner};
use crate::store::{self, default_branches, locks, pushed_projects};

/// Settles the project's default branch, and where a first push has made it, protects it as its namespace says: a
/// branch that was there before anybody told us is left as its people have it. Of several first pushes at once, the
/// first to come here decides. Nothing happens where the branch was settled before.
pub async fn settle(
    connection: &mut PgConnection,
    project: ProjectId,
    name: &str,
    made: bool,
    now: DateTime<Utc>,
) -> store::Result<()> {
    if default_branches::update_settled(&mut *connection, project, name, now).await? && made {
        protect(connection, project, name).await?;
    }
    Ok(())
}

/// A branch that some pattern of the project or of a group above it protects already stays as it is.
async fn protect(connection: &mut PgConnection, project: ProjectId, name: &str) -> store::Result<()> {
    let Some(protection) = default_branches::find_protection(&mut *connection, project).await? else { return Ok(()) };
    // Nobody protects it meanwhile.
    locks::take_project(&mut *connection, project).await?;
    let protected = pushed_projects::find_protected_refs(&mut *connection, project).await?;
    if !protection.protects || protected.cover_branch(name) {
        return Ok(());
    }
    let DefaultProtection { push, merge, allow_force_push, .. } = protection;
    let owner = ProtectionOwner::Project(project);
    let id = protections::insert_branch(&mut *connection, owner, name, allow_force_push).await?;
    let role = |level: AccessLevel| ProtectedRefAccess::Role(level.0);
    let levels = [(RefRight::Push, role(push)), (RefRight::Merge, role(merge))];
    protections::insert_levels(connection, id, &levels).await
}
