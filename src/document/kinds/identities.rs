//! `identities:`, who users are at other providers.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, StatedId};
use crate::domain::ids::UserId;
use crate::store::Result;
use crate::store::sets::users::{self, NewIdentity};
use crate::store::users::IdentityRow;

/// Who a user is at another provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityEntry {
    /// The provider's name.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["kerberos"]))]
    pub provider: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// The user's name there; a new identity needs one.
    #[schemars(length(min = 1, max = 255))]
    pub extern_uid: Option<String>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// An identity of the document, and whose it is.
pub(crate) struct StatedIdentity<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) user: UserId,
    pub(crate) whose: &'d str,
    pub(crate) entry: &'d IdentityEntry,
}

/// The identities that a document states.
pub(crate) struct IdentitySet {
    known: HashMap<(UserId, String), IdentityRow>,
    /// By provider and name there, in lower case.
    owners: HashMap<(String, String), UserId>,
    ids: NewIds,
    rows: RowBatch<NewIdentity>,
}

impl IdentitySet {
    pub(crate) fn new() -> Self {
        Self { known: HashMap::new(), owners: HashMap::new(), ids: NewIds::of("identities"), rows: RowBatch::default() }
    }

    /// Notes what a provider calls the user from now on.
    fn set_owner(&mut self, user: UserId, provider: &str, before: Option<&str>, extern_uid: &str) {
        if let Some(before) = before {
            self.owners.remove(&(provider.to_owned(), before.to_lowercase()));
        }
        self.owners.insert((provider.to_owned(), extern_uid.to_lowercase()), user);
    }
}

impl ObjectKind for IdentitySet {
    type Entry<'d> = StatedIdentity<'d>;
    const NOUN: &'static str = "identities";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let users: Vec<i64> = entries.iter().map(|identity| identity.user.0).collect();
        for (user, provider, row) in users::list_identities(&mut *run.conn, &users).await? {
            self.known.entry((user, provider)).or_insert(row);
        }
        let named = |identity: &StatedIdentity<'_>| {
            let extern_uid = identity.entry.extern_uid.as_ref()?.to_lowercase();
            Some((identity.entry.provider.clone(), extern_uid))
        };
        let (providers, extern_uids): (Vec<String>, Vec<String>) = entries.iter().filter_map(named).unzip();
        for (provider, extern_uid, user) in
            users::list_identity_owners(&mut *run.conn, &providers, &extern_uids).await?
        {
            self.owners.insert((provider, extern_uid), user);
        }
        let missing = |identity: &&StatedIdentity<'_>| {
            let entry = identity.entry;
            let is_known = self.known.contains_key(&(identity.user, entry.provider.clone()));
            !entry.ensure.is_absent() && entry.id.is_none() && entry.extern_uid.is_some() && !is_known
        };
        let missing = entries.iter().filter(missing).count();
        self.ids.reserve(run, missing).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, identity: &Self::Entry<'_>) -> Result<()> {
        let StatedIdentity { position: EntryPosition { place, .. }, user, whose, entry } = identity;
        let (user, provider) = (*user, &entry.provider);
        let what = format!("identity {provider} of {whose}");
        let key = (user, provider.clone());
        let existing = self.known.get(&key).cloned();
        if entry.ensure.is_absent() {
            if let Some(row) = existing {
                self.known.remove(&key);
                self.owners.remove(&(provider.clone(), row.extern_uid.to_lowercase()));
                self.rows.remove(row.id);
                run.removed(&what);
            }
            return Ok(());
        }
        if let Some(extern_uid) = &entry.extern_uid
            && let Some(other) = self.owners.get(&(provider.clone(), extern_uid.to_lowercase())).copied()
            && other != user
        {
            let other = run.name_of(other).await?;
            run.problem(&place.key("extern_uid"), format!("is that of {other}"));
            return Ok(());
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let found = run.identify_fixed_row(place, "identities", entry.id.map(|id| id.0), by_key).await?;
        let id = match (found, existing) {
            (Some(FoundRow::Missing(chosen)), _) => {
                let Some(extern_uid) = &entry.extern_uid else {
                    run.problem(place, "extern_uid is missing, which a new identity needs");
                    return Ok(());
                };
                let id = self.ids.next(run, chosen).await?;
                self.set_owner(user, provider, None, extern_uid);
                let row = NewIdentity { user, provider: provider.clone(), extern_uid: extern_uid.clone() };
                self.rows.insert(id, row);
                self.known.insert(key, IdentityRow { id, extern_uid: extern_uid.clone() });
                run.added(&what);
                id
            }
            (Some(FoundRow::Existing(id)), Some(mut row)) => {
                let before = row.extern_uid.clone();
                let mut changes = FieldChanges::default();
                changes.set("extern_uid", &mut row.extern_uid, entry.extern_uid.clone());
                if !changes.is_empty() {
                    self.set_owner(user, provider, Some(&before), &row.extern_uid);
                    let extern_uid = row.extern_uid.clone();
                    self.rows.update(id, NewIdentity { user, provider: provider.clone(), extern_uid });
                    self.known.insert(key, row);
                    run.updated(&what, &changes);
                }
                id
            }
            _ => return Ok(()),
        };
        run.name_at(&["users", whose, "identities", provider], json!({ "id": id }));
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = self.rows.take_removals();
        if !removals.is_empty() {
            users::delete_identities(&mut *run.conn, &removals).await?;
        }
        let updates = self.rows.take_updates();
        if !updates.is_empty() {
            let updates: Vec<_> = updates.into_iter().map(|(id, row)| (id, row.extern_uid)).collect();
            users::update_identities(&mut *run.conn, &updates).await?;
        }
        let inserts = self.rows.take_inserts();
        if !inserts.is_empty() {
            users::insert_identities(&mut *run.conn, &inserts).await?;
        }
        Ok(())
    }
}
