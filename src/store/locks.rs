//! Locks: of the whole installation, for work that one process at a time may do, and of what a project or group has.

use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId};

/// Waits until no other document is being applied, and keeps others waiting until the transaction ends.
///
/// # Errors
/// Where the wait takes longer than a statement may.
pub async fn take_apply(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('gatehouse apply'))").fetch_one(&mut *conn).await?;
    // From here on, a statement writes what a whole document says of one kind.
    sqlx::query!("set local statement_timeout = '10min'").execute(conn).await?;
    Ok(())
}

/// Keeps others from writing what belongs to the project until the transaction ends, where they ask for the same.
pub async fn take_project(conn: &mut PgConnection, id: ProjectId) -> Result<()> {
    sqlx::query!("select id from projects where id = $1 for no key update", id.0).fetch_optional(conn).await?;
    Ok(())
}

/// Keeps others from writing what belongs to the group until the transaction ends, where they ask for the same.
pub async fn take_namespace(conn: &mut PgConnection, id: NamespaceId) -> Result<()> {
    sqlx::query!("select id from namespaces where id = $1 for no key update", id.0).fetch_optional(conn).await?;
    Ok(())
}

/// The same, and the project from being deleted.
///
/// # Errors
/// [`super::Error::is_gone`] where it was deleted before.
pub async fn keep_project(conn: &mut PgConnection, id: ProjectId) -> Result<()> {
    sqlx::query!("select id from projects where id = $1 for no key update", id.0).fetch_one(conn).await?;
    Ok(())
}

/// The same, and the group from being deleted.
///
/// # Errors
/// [`super::Error::is_gone`] where it was deleted before.
pub async fn keep_namespace(conn: &mut PgConnection, id: NamespaceId) -> Result<()> {
    sqlx::query!("select id from namespaces where id = $1 for no key update", id.0).fetch_one(conn).await?;
    Ok(())
}

/// A name that several writers may want at once, and that no unique index keeps apart: not in every letter case, or not
/// in all tables that have it.
#[derive(Debug, Clone, Copy)]
pub enum WantedName<'a> {
    /// An address of a user: their first or a further one.
    Email(&'a str),
    /// The name of a user.
    Username(&'a str),
    /// The full path of a namespace.
    Path(&'a str),
    /// What a user is called at a provider of the instance: the provider, and the name there.
    Identity(&'a str, &'a str),
    /// What an identity provider calls a user: its group, or the word `instance`, and the name there.
    ScimIdentity(&'a str, &'a str),
}

impl WantedName<'_> {
    fn key(self) -> String {
        let (kind, name) = match self {
            Self::Email(address) => ("email".to_owned(), address),
            Self::Username(username) => ("username".to_owned(), username),
            Self::Path(path) => ("path".to_owned(), path),
            Self::Identity(provider, name) => (format!("identity {provider}"), name),
            Self::ScimIdentity(scope, name) => (format!("scim {scope}"), name),
        };
        format!("{kind} {}", name.to_lowercase())
    }
}

/// Has others wait until the transaction ends who are about to take one of these names, whatever its letter case. All
/// take their locks in one order, so that no two wait for each other.
pub async fn take_names(db: impl PgExecutor<'_>, names: &[WantedName<'_>]) -> Result<()> {
    let keys: Vec<String> = names.iter().map(|name| name.key()).collect();
    sqlx::query!(
        r#"
        select pg_advisory_xact_lock(key)::text as "void"
        from (
          select distinct hashtextextended(text, 0) as key
          from unnest($1::text[]) as text
          order by key
        ) as keys
        "#,
        &keys
    )
    .fetch_all(db)
    .await?;
    Ok(())
}
