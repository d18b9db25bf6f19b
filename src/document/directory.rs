//! Who has which username and which path, as far as an application of a document has asked.
//!
//! Everything that a document names is asked for in two statements at its beginning. From then on the directory is kept
//! up to date by whoever makes, renames or removes a user, a group or a project; what nobody asked for is looked up
//! when it is needed.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use crate::domain::ids::UserId;
use crate::store::Result;
use crate::store::namespaces::PathOwner;
use crate::store::sets::paths;

/// Who has which username and which path. Letter case makes no difference.
#[derive(Debug, Default)]
pub struct NameDirectory {
    users: HashMap<String, Option<UserId>>,
    /// By path in lower case; each with its own letter case, for two paths may differ in nothing else.
    owners: HashMap<String, Vec<(String, PathOwner)>>,
}

impl NameDirectory {
    /// Looks up all these names, in one statement for users and one for paths.
    pub async fn load<'a>(
        &mut self,
        conn: &mut PgConnection,
        usernames: impl Iterator<Item = &'a str>,
        paths: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let unknown: HashSet<String> =
            usernames.map(str::to_lowercase).filter(|name| !self.users.contains_key(name)).collect();
        let unknown: Vec<String> = unknown.into_iter().collect();
        if !unknown.is_empty() {
            for (name, id) in paths::list_users(&mut *conn, &unknown).await? {
                self.users.insert(name, Some(id));
            }
            for name in unknown {
                self.users.entry(name).or_insert(None);
            }
        }
        let unknown: HashSet<String> =
            paths.map(str::to_lowercase).filter(|path| !self.owners.contains_key(path)).collect();
        let unknown: Vec<String> = unknown.into_iter().collect();
        if !unknown.is_empty() {
            for found in paths::list_owners(&mut *conn, &unknown).await? {
                self.owners.entry(found.asked).or_default().push((found.path, found.owner));
            }
            for path in unknown {
                self.owners.entry(path).or_default();
            }
        }
        Ok(())
    }

    /// Who has the username.
    pub async fn find_user(&mut self, conn: &mut PgConnection, username: &str) -> Result<Option<UserId>> {
        let name = username.to_lowercase();
        if !self.users.contains_key(&name) {
            self.load(conn, std::iter::once(username), std::iter::empty()).await?;
        }
        Ok(self.users.get(&name).copied().flatten())
    }

    /// Like [`NameDirectory::find_user`], of a name that was asked for before.
    #[must_use]
    pub fn known_user(&self, username: &str) -> Option<UserId> {
        self.users.get(&username.to_lowercase()).copied().flatten()
    }

    /// The usernames that somebody has, in lower case.
    pub fn usernames(&self) -> impl Iterator<Item = &str> {
        self.users.iter().filter(|(_, id)| id.is_some()).map(|(name, _)| name.as_str())
    }

    /// Notes who has the username from now on.
    pub fn set_user(&mut self, username: &str, id: Option<UserId>) {
        self.users.insert(username.to_lowercase(), id);
    }

    /// Who has the path; of two that differ in letter case alone, the one that is written as asked goes first.
    pub async fn find_owner(&mut self, conn: &mut PgConnection, path: &str) -> Result<Option<PathOwner>> {
        let key = path.to_lowercase();
        if !self.owners.contains_key(&key) {
            self.load(conn, std::iter::empty(), std::iter::once(path)).await?;
        }
        Ok(self.known_owner(path))
    }

    /// Like [`NameDirectory::find_owner`], of a path that was asked for before.
    #[must_use]
    pub fn known_owner(&self, path: &str) -> Option<PathOwner> {
        let owners = self.owners.get(&path.to_lowercase())?;
        let exact = owners.iter().find(|(spelt, _)| spelt == path);
        exact.or(owners.first()).map(|(_, owner)| *owner)
    }

    /// Notes who has the path from now on.
    pub fn set_owner(&mut self, path: &str, owner: PathOwner) {
        self.owners.insert(path.to_lowercase(), vec![(path.to_owned(), owner)]);
    }

    /// Forgets what is known of a path and of all below it, because it moved or went.
    pub fn forget_below(&mut self, path: &str) {
        let top = path.to_lowercase();
        let below = format!("{top}/");
        self.owners.retain(|path, _| *path != top && !path.starts_with(&below));
    }
}
