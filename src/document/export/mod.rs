//! `gatehouse export`: the state document of what is there.
//!
//! It is sorted, says the same of the same database, and holds no secrets: what is stored encrypted or as a digest is left
//! out, and applying the document leaves that alone. Applied to the database that it came from, it changes nothing, with
//! one exception: a document has no word for some who may pass a protection, such as a bot, and names the others alone.

mod entry;
mod groups;
mod instance;
mod projects;
mod tokens;
mod users;

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value};
use sqlx::{Connection, PgConnection};

use super::state::StateDocument;
use super::{Problem, check};
use crate::store::namespaces::PathOwner;
use crate::store::sets::paths;
use crate::store::{self, exports};

/// What the document begins with.
const HEADER: &str = "\
# The state of a Gatehouse installation, as `gatehouse export` printed it. `gatehouse apply -f` reads it.
#
# Left out, because it is secret or stored in a form that cannot be read back: passwords and second factors of users, the text
# of tokens, SCIM tokens, the error tracking token, hooks with their addresses and secrets, and push rules in Ruby's syntax.
# Applied where these exist, the document leaves them alone; applied elsewhere, tokens are made anew and printed once.
# Bots, but for their access tokens, and the ghost user are left out as well. So are they, and deploy keys that are not exported, where protected
# branches and tags name them: applying the document takes their access away.
";

/// What is exported. Nothing named is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportSelection {
    /// Full paths of groups, with all that is in them.
    pub groups: Vec<String>,
    /// Full paths of projects.
    pub projects: Vec<String>,
    /// Usernames.
    pub users: Vec<String>,
}

impl ExportSelection {
    fn is_everything(&self) -> bool {
        self.groups.is_empty() && self.projects.is_empty() && self.users.is_empty()
    }
}

/// Why there is no document.
#[derive(Debug)]
pub enum ExportFailure {
    /// What is named is not there, or the database holds what a document cannot state.
    Problems(Vec<Problem>),
    /// The database failed.
    Store(store::Error),
    /// It cannot be written as YAML.
    Yaml(String),
}

impl fmt::Display for ExportFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problems(problems) => {
                out.write_str("nothing was exported:")?;
                problems.iter().try_for_each(|problem| write!(out, "\n  {problem}"))
            }
            Self::Store(error) => write!(out, "nothing was exported: {error}"),
            Self::Yaml(error) => write!(out, "nothing was exported: {error}"),
        }
    }
}

impl std::error::Error for ExportFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Problems(_) | Self::Yaml(_) => None,
        }
    }
}

impl From<store::Error> for ExportFailure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// How ids are written in a document.
pub(super) struct ExportNames {
    /// People, by their ids.
    users: HashMap<i64, String>,
    /// Groups and personal namespaces, by their ids.
    namespaces: HashMap<i64, String>,
}

/// The document, as YAML.
///
/// # Errors
/// Where something that is named is not there, or the database fails.
pub async fn export(conn: &mut PgConnection, selection: &ExportSelection) -> Result<String, ExportFailure> {
    // One moment for all statements.
    let mut transaction = conn.begin().await.map_err(store::Error::from)?;
    exports::take_snapshot(&mut *transaction).await?;
    let problems = missing(&mut transaction, selection).await?;
    if !problems.is_empty() {
        return Err(ExportFailure::Problems(problems));
    }
    let value = Value::Object(document(&mut transaction, selection).await?);
    transaction.rollback().await.map_err(store::Error::from)?;
    check::<StateDocument>(&value).map_err(ExportFailure::Problems)?;
    let yaml = serde_saphyr::to_string(&value).map_err(|error| ExportFailure::Yaml(error.to_string()))?;
    Ok(format!("{HEADER}{yaml}"))
}

/// What the selection names and nobody has.
async fn missing(conn: &mut PgConnection, selection: &ExportSelection) -> store::Result<Vec<Problem>> {
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    let mut problems = Vec::new();
    let users: Vec<String> = lower(&selection.users);
    let known = paths::list_users(&mut *conn, &users).await?;
    for user in users.iter().filter(|user| !known.iter().any(|(name, _)| name == *user)) {
        problems.push(Problem::new("--user", format!("there is no user {user}")));
    }
    for (option, noun, names) in
        [("--group", "group", &selection.groups), ("--project", "project", &selection.projects)]
    {
        let names = lower(names);
        let known = paths::list_owners(&mut *conn, &names).await?;
        let is_known = |name: &String| {
            known.iter().any(|found| {
                found.asked == *name
                    && matches!(
                        (option, found.owner),
                        ("--group", PathOwner::Group(_)) | ("--project", PathOwner::Project(_))
                    )
            })
        };
        for name in names.iter().filter(|name| !is_known(name)) {
            problems.push(Problem::new(option, format!("there is no {noun} {name}")));
        }
    }
    Ok(problems)
}

async fn document(conn: &mut PgConnection, selection: &ExportSelection) -> store::Result<Map<String, Value>> {
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    let everything = selection.is_everything();
    let of = |names: &[String]| if everything { None } else { Some(lower(names)) };
    let names = ExportNames {
        users: exports::list_usernames(&mut *conn).await?,
        namespaces: exports::list_namespace_paths(&mut *conn).await?,
    };
    let people = exports::list_people(&mut *conn, of(&selection.users).as_deref()).await?;
    let group_paths = of(&selection.groups);
    let groups = exports::list_groups(&mut *conn, group_paths.as_deref()).await?;
    let project_paths = of(&selection.projects);
    let projects = exports::list_projects(&mut *conn, project_paths.as_deref(), group_paths.as_deref()).await?;
    let mut document = Map::new();
    let mut put = |key: &str, entries: Vec<Value>| {
        if !entries.is_empty() {
            document.insert(key.to_owned(), Value::Array(entries));
        }
    };
    put("users", users::list(conn, &names, &people).await?);
    put("groups", groups::list(conn, &names, &groups).await?);
    put("projects", projects::list(conn, &names, &projects).await?);
    if everything {
        document.extend(instance::all(conn).await?);
    }
    Ok(document)
}
