//! Names that people read: two groups of one group, or two projects, have different ones.

use std::collections::HashMap;

use crate::document::run::ApplyRun;
use crate::domain::ids::NamespaceId;
use crate::store::Result;
use crate::store::sets::paths;

/// Which namespace of one type has which name in which parent, as far as somebody has asked.
pub(crate) struct NamesWithin {
    kind: &'static str,
    owners: HashMap<(i64, String), Option<NamespaceId>>,
}

impl NamesWithin {
    pub(crate) fn of(kind: &'static str) -> Self {
        Self { kind, owners: HashMap::new() }
    }

    /// Looks up all these names in one statement.
    pub(crate) async fn load(&mut self, run: &mut ApplyRun<'_>, names: Vec<(i64, String)>) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let (parents, words): (Vec<i64>, Vec<String>) = names.iter().cloned().unzip();
        for (parent, name, id) in paths::list_names(&mut *run.conn, self.kind, &parents, &words).await? {
            self.owners.insert((parent, name), Some(id));
        }
        for key in names {
            self.owners.entry(key).or_insert(None);
        }
        Ok(())
    }

    /// Which namespace has the name in the parent. What is in no parent may have any name.
    pub(crate) async fn find(
        &mut self,
        run: &mut ApplyRun<'_>,
        parent: Option<i64>,
        name: &str,
    ) -> Result<Option<NamespaceId>> {
        let Some(parent) = parent else { return Ok(None) };
        let key = (parent, name.to_owned());
        if !self.owners.contains_key(&key) {
            self.load(run, vec![key.clone()]).await?;
        }
        Ok(self.owners.get(&key).copied().flatten())
    }

    /// Notes which namespace has the name from now on.
    pub(crate) fn set(&mut self, parent: Option<i64>, name: &str, id: NamespaceId) {
        if let Some(parent) = parent {
            self.owners.insert((parent, name.to_owned()), Some(id));
        }
    }

    /// Notes that nobody has the name any more.
    pub(crate) fn forget(&mut self, parent: Option<i64>, name: &str) {
        if let Some(parent) = parent {
            self.owners.insert((parent, name.to_owned()), None);
        }
    }
}
