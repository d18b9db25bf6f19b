//! `emails:`, the further addresses of users.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::users::UserEntry;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, StatedId};
use crate::domain::ids::UserId;
use crate::store::Result;
use crate::store::sets::users::{self, NewEmail};
use crate::store::users::EmailRow;

/// A further address, found by itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct EmailEntry {
    /// The address.
    #[schemars(regex(pattern = r"^[^@\s]+@[^@\s]+$"), length(max = 254))]
    pub email: String,
    pub id: Option<StatedId>,
    /// Whether the user has shown that it is theirs.
    pub confirmed: Option<bool>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Whose addresses are whose, of those that a document states. Letter case makes no difference.
#[derive(Default)]
pub(crate) struct UserAddresses {
    first: HashMap<String, UserId>,
    further: HashMap<String, UserId>,
}

impl UserAddresses {
    /// Fetches who has the addresses of these entries.
    pub(crate) async fn load<'d>(
        &mut self,
        run: &mut ApplyRun<'_>,
        entries: impl Iterator<Item = &'d UserEntry>,
    ) -> Result<()> {
        let of = |user: &'d UserEntry| user.email.iter().chain(user.emails.iter().map(|email| &email.email));
        let mut addresses: Vec<String> = entries.flat_map(of).map(|address| address.to_lowercase()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if !addresses.is_empty() {
            (self.first, self.further) = users::list_addresses(&mut *run.conn, &addresses).await?;
        }
        Ok(())
    }

    /// Whose address this is, be it the first or a further one.
    pub(crate) fn find(&self, address: &str) -> Option<UserId> {
        let address = address.to_lowercase();
        self.first.get(&address).or(self.further.get(&address)).copied()
    }

    /// Notes the first address that a user has from now on.
    pub(crate) fn set_first(&mut self, user: UserId, before: Option<&str>, address: &str) {
        if let Some(before) = before {
            self.first.remove(&before.to_lowercase());
        }
        self.first.insert(address.to_lowercase(), user);
    }

    /// Forgets the addresses of a user who is gone.
    pub(crate) fn remove_user(&mut self, user: UserId) {
        self.first.retain(|_, owner| *owner != user);
        self.further.retain(|_, owner| *owner != user);
    }
}

/// A further address of the document, and whose it is.
pub(crate) struct StatedEmail<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) user: UserId,
    pub(crate) whose: &'d str,
    pub(crate) entry: &'d EmailEntry,
}

/// The further addresses that a document states.
pub(crate) struct EmailSet<'a> {
    addresses: &'a mut UserAddresses,
    known: HashMap<(UserId, String), EmailRow>,
    ids: NewIds,
    rows: RowBatch<NewEmail>,
}

impl<'a> EmailSet<'a> {
    pub(crate) fn new(addresses: &'a mut UserAddresses) -> Self {
        Self { addresses, known: HashMap::new(), ids: NewIds::of("emails"), rows: RowBatch::default() }
    }
}

impl ObjectKind for EmailSet<'_> {
    type Entry<'d> = StatedEmail<'d>;
    const NOUN: &'static str = "e-mail addresses";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let users: Vec<i64> = entries.iter().map(|email| email.user.0).collect();
        for (user, address, row) in users::list_emails(&mut *run.conn, &users).await? {
            self.known.insert((user, address.to_lowercase()), row);
        }
        let missing = |email: &&StatedEmail<'_>| {
            !email.entry.ensure.is_absent()
                && email.entry.id.is_none()
                && !self.known.contains_key(&(email.user, email.entry.email.to_lowercase()))
        };
        let missing = entries.iter().filter(missing).count();
        self.ids.reserve(run, missing).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, email: &Self::Entry<'_>) -> Result<()> {
        let StatedEmail { position: EntryPosition { place, .. }, user, whose, entry } = email;
        let what = format!("email {} of {whose}", entry.email);
        let key = (*user, entry.email.to_lowercase());
        let existing = self.known.get(&key).cloned();
        if entry.ensure.is_absent() {
            if let Some(row) = existing {
                self.known.remove(&key);
                self.addresses.further.remove(&key.1);
                self.rows.remove(row.id);
                run.removed(&what);
            }
            return Ok(());
        }
        if existing.is_none() && self.addresses.find(&entry.email).is_some() {
            run.problem(&place.key("email"), "is an address of another user, or the first one of this user");
            return Ok(());
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let found = run.identify_fixed_row(place, "emails", entry.id.map(|id| id.0), by_key).await?;
        let id = match (found, existing) {
            (Some(FoundRow::Missing(chosen)), _) => {
                let id = self.ids.next(run, chosen).await?;
                let confirmed_at = entry.confirmed.unwrap_or(true).then_some(run.naive_now());
                self.rows.insert(id, NewEmail { user: *user, email: entry.email.clone(), confirmed_at });
                self.addresses.further.insert(key.1.clone(), *user);
                self.known.insert(key, EmailRow { id, confirmed_at });
                run.added(&what);
                id
            }
            (Some(FoundRow::Existing(id)), Some(mut row)) => {
                let differs = |confirmed: &bool| *confirmed != row.confirmed_at.is_some();
                if let Some(confirmed) = entry.confirmed.filter(differs) {
                    row.confirmed_at = confirmed.then_some(run.naive_now());
                    let written = NewEmail { user: *user, email: entry.email.clone(), confirmed_at: row.confirmed_at };
                    self.rows.update(id, written);
                    self.known.insert(key, row);
                    let mut changes = FieldChanges::default();
                    changes.note(if confirmed { "confirmed" } else { "no longer confirmed" });
                    run.updated(&what, &changes);
                }
                id
            }
            _ => return Ok(()),
        };
        run.name_at(&["users", whose, "emails", &entry.email], json!({ "id": id }));
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = self.rows.take_removals();
        if !removals.is_empty() {
            users::delete_emails(&mut *run.conn, &removals).await?;
        }
        let updates = self.rows.take_updates();
        if !updates.is_empty() {
            let updates: Vec<_> = updates.into_iter().map(|(id, row)| (id, row.confirmed_at)).collect();
            users::update_emails(&mut *run.conn, &updates).await?;
        }
        let inserts = self.rows.take_inserts();
        if !inserts.is_empty() {
            users::insert_emails(&mut *run.conn, &inserts).await?;
        }
        Ok(())
    }
}
