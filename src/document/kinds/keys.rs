//! `keys:`, the SSH keys of users.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, KeyUsageWord, StatedDay, StatedId, stated};
use crate::domain::ids::{KeyId, UserId};
use crate::domain::ssh_key::PublicKey;
use crate::store::Result;
use crate::store::keys::{self, KeyRow};
use crate::store::sets::keys::{self as key_sets, Fingerprint};

/// An SSH key, found by its fingerprint. To remove one, its title or its id is enough.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// The public key: the line in the file that ends in `.pub`, or `$file:` with that file.
    #[schemars(extend("examples" = ["ssh-ed25519 AAAA… rubi@laptop"]))]
    pub key: Option<GivenValue>,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// The comment of the key where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub title: Option<String>,
    /// What the key is good for.
    pub usage: Option<KeyUsageWord>,
    /// The first day on which it is refused; null for never.
    #[serde(default, deserialize_with = "stated")]
    pub expires_at: Option<Option<StatedDay>>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A key of the document, and whose it is.
pub(crate) struct StatedKey<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) user: UserId,
    pub(crate) whose: &'d str,
    pub(crate) entry: &'d KeyEntry,
    /// The key, where it is given and is one.
    key: Option<PublicKey>,
}

impl<'d> StatedKey<'d> {
    /// Reads the key; one that is none is a problem.
    pub(crate) fn read(
        run: &mut ApplyRun<'_>,
        position: EntryPosition,
        (user, whose): (UserId, &'d str),
        entry: &'d KeyEntry,
    ) -> Self {
        let place = position.place.key("key");
        let key = entry.key.as_ref().and_then(|given| run.ssh_key(&place, given));
        Self { position, user, whose, entry, key }
    }
}

/// The keys of users that a document states.
pub(crate) struct UserKeys {
    known: HashMap<Fingerprint, KeyRow>,
    /// Keys that the database still has, and that are to go.
    gone: HashSet<KeyId>,
    ids: NewIds,
    rows: RowBatch<(KeyRow, Fingerprint)>,
}

impl UserKeys {
    pub(crate) fn new() -> Self {
        Self { known: HashMap::new(), gone: HashSet::new(), ids: NewIds::of("keys"), rows: RowBatch::default() }
    }

    /// Removes a key; its title or its id is enough to say which.
    async fn remove(&mut self, run: &mut ApplyRun<'_>, stated: &StatedKey<'_>) -> Result<()> {
        let StatedKey { position: EntryPosition { place, .. }, user, whose, entry, key } = stated;
        let id = match (&entry.key, &entry.title, entry.id) {
            (Some(_), _, _) => {
                let Some(key) = key else { return Ok(()) };
                let row = self.known.get(&key.sha256());
                row.filter(|row| row.user_id == Some(user.0) && row.kind.is_none()).map(|row| KeyId(row.id))
            }
            (None, Some(title), _) => {
                let mut titled = keys::list_by_title(&mut *run.conn, *user, title).await?;
                titled.retain(|id| !self.gone.contains(id));
                if titled.len() > 1 {
                    run.problem(&place.key("title"), format!("{whose} has several such keys; give the key itself"));
                    return Ok(());
                }
                titled.first().copied()
            }
            (None, None, Some(id)) => {
                let found = keys::find_id_of_user(&mut *run.conn, KeyId(id.0), *user).await?;
                found.filter(|id| !self.gone.contains(id))
            }
            (None, None, None) => {
                run.problem(place, "key is missing, or the title or the id of the one to remove");
                return Ok(());
            }
        };
        if let Some(id) = id {
            let title = keys::find_title(&mut *run.conn, id).await?.unwrap_or_default();
            self.rows.remove(id.0);
            self.gone.insert(id);
            self.known.retain(|_, row| row.id != id.0);
            run.removed(&format!("key {title} of {whose}"));
        }
        Ok(())
    }
}

impl ObjectKind for UserKeys {
    type Entry<'d> = StatedKey<'d>;
    const NOUN: &'static str = "keys";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let fingerprints: Vec<Fingerprint> =
            entries.iter().filter_map(|key| key.key.as_ref()).map(PublicKey::sha256).collect();
        self.known = key_sets::list_by_fingerprint(&mut *run.conn, &fingerprints).await?;
        let missing = |stated: &&StatedKey<'_>| {
            let is_new = stated.key.as_ref().is_some_and(|key| !self.known.contains_key(&key.sha256()));
            is_new && stated.entry.id.is_none() && !stated.entry.ensure.is_absent()
        };
        let missing = entries.iter().filter(missing).count();
        self.ids.reserve(run, missing).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedKey { position: EntryPosition { place, .. }, user, whose, entry, key } = stated;
        if entry.ensure.is_absent() {
            return self.remove(run, stated).await;
        }
        if entry.key.is_none() {
            run.problem(place, "key is missing");
        }
        let Some(key) = key else { return Ok(()) };
        let existing = self.known.get(&key.sha256()).cloned();
        if let Some(row) = &existing
            && let Some(owner) = other_owner(run, row, *user).await?
        {
            run.problem(&place.key("key"), format!("is {owner} already, and may be there only once"));
            return Ok(());
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let Some(found) = run.identify_fixed_row(place, "keys", entry.id.map(|id| id.0), by_key).await? else {
            return Ok(());
        };
        let expires_at = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
        let mut row = existing.unwrap_or_else(|| new_row(key, Some(*user), None));
        let mut changes = FieldChanges::default();
        changes.set("title", &mut row.title, entry.title.clone());
        changes.set_as("key", &mut row.key, Some(key.text().to_owned()), |_| "comment".to_owned());
        changes.small_word("usage", &mut row.usage_type, entry.usage);
        changes.set("expires_at", &mut row.expires_at, expires_at.map(|day| day.map(midnight)));
        let what = format!("key {} of {whose}", row.title);
        match found {
            FoundRow::Missing(chosen) => {
                row.id = self.ids.next(run, chosen).await?;
                self.rows.insert(row.id, (row.clone(), key.sha256()));
                run.added(&what);
            }
            FoundRow::Existing(id) if !changes.is_empty() => {
                self.rows.update(id, (row.clone(), key.sha256()));
                run.updated(&what, &changes);
            }
            FoundRow::Existing(_) => {}
        }
        let value = json!({ "id": row.id, "fingerprint": key.fingerprint() });
        run.name_at(&["users", whose, "keys", &row.title], value);
        self.known.insert(key.sha256(), row);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        write_keys(run, &mut self.rows).await
    }
}

/// Writes what is to be written of keys, of users or of projects.
pub(crate) async fn write_keys(run: &mut ApplyRun<'_>, rows: &mut RowBatch<(KeyRow, Fingerprint)>) -> Result<()> {
    let removals = rows.take_removals();
    if !removals.is_empty() {
        key_sets::delete(&mut *run.conn, &removals).await?;
    }
    let updates: Vec<KeyRow> = rows.take_updates().into_iter().map(|(_, (row, _))| row).collect();
    if !updates.is_empty() {
        key_sets::update(&mut *run.conn, &updates).await?;
    }
    let inserts: Vec<_> = rows.take_inserts().into_iter().map(|(_, row)| row).collect();
    if !inserts.is_empty() {
        key_sets::insert(&mut *run.conn, &inserts).await?;
    }
    Ok(())
}

/// The row of a key that is not in the table; its title is the key's comment, unless stated.
pub(crate) fn new_row(key: &PublicKey, user: Option<UserId>, kind: Option<&str>) -> KeyRow {
    KeyRow {
        id: 0,
        user_id: user.map(|user| user.0),
        title: if key.comment().is_empty() { key.fingerprint() } else { key.comment().to_owned() },
        key: key.text().to_owned(),
        kind: kind.map(str::to_owned),
        public: false,
        usage_type: 0,
        expires_at: None,
    }
}

/// The start of a day in UTC, as a key's expiry is stored.
#[must_use]
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

async fn other_owner(run: &mut ApplyRun<'_>, row: &KeyRow, user: UserId) -> Result<Option<String>> {
    Ok(match (row.kind.as_deref(), row.user_id) {
        (Some("DeployKey"), _) => Some(format!("deploy key {}", row.id)),
        (_, Some(owner)) if owner == user.0 => None,
        (_, Some(owner)) => Some(format!("key {} of {}", row.id, run.name_of(UserId(owner)).await?)),
        (_, None) => Some(format!("key {}", row.id)),
    })
}
