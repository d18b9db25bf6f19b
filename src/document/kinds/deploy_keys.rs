//! `deploy_keys:`, of projects.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::keys::{midnight, new_row, write_keys};
use super::projects::AppliedProject;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, StatedDay, StatedId, stated};
use crate::domain::ids::{KeyId, ProjectId, UserId};
use crate::domain::ssh_key::PublicKey;
use crate::services::ghost_user;
use crate::store::Result;
use crate::store::keys::{self, KeyRow};
use crate::store::sets::keys::{self as key_sets, Fingerprint};
use crate::store::users;

/// A key that fetches from the project, and may push to it. It is found by its fingerprint; several projects may use
/// it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployKeyEntry {
    /// The public key: the line in the file that ends in `.pub`, or `$file:` with that file.
    #[schemars(extend("examples" = ["ssh-ed25519 AAAA… builder"]))]
    pub key: Option<GivenValue>,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// The comment of the key where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub title: Option<String>,
    /// Whether the key may push to this project.
    pub can_push: Option<bool>,
    /// Whether any project may enable the key.
    pub public: Option<bool>,
    /// The owner of the key, whose rights count when it pushes. Left out, a key that may push and has no owner gets the
    /// project's creator, and any other new key gets the ghost user.
    pub owner: Option<String>,
    /// The first day on which it is refused; null for never.
    #[serde(default, deserialize_with = "stated")]
    pub expires_at: Option<Option<StatedDay>>,
    /// `absent` takes the key from the project.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A deploy key of the document, and the project that states it.
pub(crate) struct StatedDeployKey<'d> {
    pub(crate) position: EntryPosition,
    project: ProjectId,
    whose: &'d str,
    creator: Option<UserId>,
    entry: &'d DeployKeyEntry,
    /// The key, where it is given and is one.
    key: Option<PublicKey>,
}

impl<'d> StatedDeployKey<'d> {
    /// Reads the key; one that is none is a problem.
    pub(crate) fn read(
        run: &mut ApplyRun<'_>,
        position: EntryPosition,
        project: &AppliedProject<'d>,
        entry: &'d DeployKeyEntry,
    ) -> Self {
        let place = position.place.key("key");
        let key = entry.key.as_ref().and_then(|given| run.ssh_key(&place, given));
        Self { position, project: project.id, whose: project.path(), creator: project.creator, entry, key }
    }
}

/// The deploy keys that a document states.
pub(crate) struct DeployKeys {
    known: HashMap<Fingerprint, KeyRow>,
    /// Whether the key may push, by key and project that uses it.
    uses: HashMap<(i64, ProjectId), bool>,
    ghost: Option<UserId>,
    ids: NewIds,
    rows: RowBatch<(KeyRow, Fingerprint)>,
    new_uses: HashMap<(i64, ProjectId), bool>,
}

impl DeployKeys {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            uses: HashMap::new(),
            ghost: None,
            ids: NewIds::of("keys"),
            rows: RowBatch::default(),
            new_uses: HashMap::new(),
        }
    }

    /// Takes a key from a project; its title is enough to say which.
    async fn remove(&mut self, run: &mut ApplyRun<'_>, stated: &StatedDeployKey<'_>) -> Result<()> {
        let StatedDeployKey { position: EntryPosition { place, .. }, project, whose, entry, key, .. } = stated;
        // A key that no project uses any more goes: what other projects get of it must be there.
        self.write(run).await?;
        let id = match (&entry.key, &entry.title) {
            (Some(_), _) => {
                let Some(key) = key else { return Ok(()) };
                self.known.get(&key.sha256()).map(|row| KeyId(row.id))
            }
            (None, Some(title)) => match keys::list_deploy_keys_by_title(&mut *run.conn, *project, title).await?[..] {
                [] => None,
                [id] => Some(id),
                _ => {
                    run.problem(&place.key("title"), format!("{whose} has several such keys; give the key itself"));
                    None
                }
            },
            (None, None) => {
                run.problem(place, "key is missing, or the title of the one to remove");
                None
            }
        };
        let Some(id) = id else { return Ok(()) };
        if keys::find_deploy_key_push(&mut *run.conn, id, *project).await?.is_some() {
            let title = keys::find_title(&mut *run.conn, id).await?.unwrap_or_default();
            keys::delete_deploy_key_project(run.conn, id, *project).await?;
            self.uses.remove(&(id.0, *project));
            if keys::find_title(&mut *run.conn, id).await?.is_none() {
                self.known.retain(|_, row| row.id != id.0);
            }
            run.removed(&format!("deploy key {title} of {whose}"));
        }
        Ok(())
    }

    /// A key pushes with its owner's rights, and the ghost user has none: one that may push gets an owner who is
    /// somebody.
    async fn owner(
        &mut self,
        run: &mut ApplyRun<'_>,
        stated: &StatedDeployKey<'_>,
        existing: Option<&KeyRow>,
        can_push: bool,
    ) -> Result<KeyOwner> {
        let place = stated.position.place.key("owner");
        let ghost = self.ghost;
        let somebody = |user: &UserId| Some(*user) != ghost;
        if let Some(username) = &stated.entry.owner {
            let Some(user) = run.user(&place, username).await? else { return Ok(KeyOwner::Unknown) };
            if can_push && !somebody(&user) {
                run.problem(&place, "is the ghost user, who may not push; name somebody who may");
                return Ok(KeyOwner::Unknown);
            }
            return Ok(KeyOwner::Is(user));
        }
        let had = existing.and_then(|row| row.user_id).map(UserId).filter(somebody);
        match existing {
            Some(_) if had.is_some() || !can_push => return Ok(KeyOwner::Stays),
            None if !can_push => {
                let ghost = find_or_make_ghost(run).await?;
                self.ghost = Some(ghost);
                return Ok(KeyOwner::Is(ghost));
            }
            _ => {}
        }
        let creator = stated.creator.filter(somebody);
        if creator.is_none() {
            let whose = stated.whose;
            run.problem(&place, format!("is missing: the key pushes as its owner, and {whose} has no creator"));
        }
        Ok(creator.map_or(KeyOwner::Unknown, KeyOwner::Is))
    }

    async fn diff_key(&mut self, run: &mut ApplyRun<'_>, stated: &StatedDeployKey<'_>, key: &PublicKey) -> Result<()> {
        let StatedDeployKey { position: EntryPosition { place, .. }, project, whose, entry, .. } = stated;
        let existing = self.known.get(&key.sha256()).cloned();
        if existing.as_ref().is_some_and(|row| row.kind.as_deref() != Some("DeployKey")) {
            run.problem(&place.key("key"), "is a user's key already, and may be there only once");
            return Ok(());
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let Some(found) = run.identify_fixed_row(place, "keys", entry.id.map(|id| id.0), by_key).await? else {
            return Ok(());
        };
        let before = by_key.and_then(|id| self.uses.get(&(id, *project)).copied());
        let mut can_push = before.unwrap_or(false);
        let mut use_changes = FieldChanges::default();
        use_changes.set("can_push", &mut can_push, entry.can_push);
        let owner = match self.owner(run, stated, existing.as_ref(), can_push).await? {
            KeyOwner::Stays => None,
            KeyOwner::Is(user) => Some(user),
            KeyOwner::Unknown => return Ok(()),
        };
        let expires_at = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
        let mut row = existing.unwrap_or_else(|| new_row(key, None, Some("DeployKey")));
        let mut changes = FieldChanges::default();
        changes.set("title", &mut row.title, entry.title.clone());
        changes.set_as("key", &mut row.key, Some(key.text().to_owned()), |_| "comment".to_owned());
        changes.set("public", &mut row.public, entry.public);
        changes.set("owner", &mut row.user_id, owner.map(|user| Some(user.0)));
        changes.set("expires_at", &mut row.expires_at, expires_at.map(|day| day.map(midnight)));
        match found {
            FoundRow::Missing(chosen) => {
                row.id = self.ids.next(run, chosen).await?;
                self.rows.insert(row.id, (row.clone(), key.sha256()));
            }
            FoundRow::Existing(id) if !changes.is_empty() => self.rows.update(id, (row.clone(), key.sha256())),
            FoundRow::Existing(_) => {}
        }
        if before != Some(can_push) {
            self.uses.insert((row.id, *project), can_push);
            self.new_uses.insert((row.id, *project), can_push);
        }
        let what = format!("deploy key {} of {whose}", row.title);
        use_changes.append(changes);
        if before.is_none() {
            run.added(&what);
        } else if !use_changes.is_empty() {
            run.updated(&what, &use_changes);
        }
        let value = json!({ "id": row.id, "fingerprint": key.fingerprint() });
        run.name_at(&["projects", whose, "deploy_keys", &row.title], value);
        self.known.insert(key.sha256(), row);
        Ok(())
    }
}

impl ObjectKind for DeployKeys {
    type Entry<'d> = StatedDeployKey<'d>;
    const NOUN: &'static str = "deploy keys";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let fingerprints: Vec<Fingerprint> =
            entries.iter().filter_map(|key| key.key.as_ref()).map(PublicKey::sha256).collect();
        self.known = key_sets::list_by_fingerprint(&mut *run.conn, &fingerprints).await?;
        let mut projects: Vec<i64> = entries.iter().map(|key| key.project.0).collect();
        projects.dedup();
        for used in key_sets::list_deploy_keys(&mut *run.conn, &projects).await? {
            self.uses.insert((used.key.id, used.project), used.can_push);
        }
        self.ghost = users::find_ghost(&mut *run.conn).await?;
        let new: std::collections::HashSet<Fingerprint> =
            fingerprints.into_iter().filter(|fingerprint| !self.known.contains_key(fingerprint)).collect();
        let chosen = entries.iter().filter(|key| key.entry.id.is_some()).count();
        self.ids.reserve(run, new.len().saturating_sub(chosen)).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        if stated.entry.ensure.is_absent() {
            return self.remove(run, stated).await;
        }
        if stated.entry.key.is_none() {
            run.problem(&stated.position.place, "key is missing");
        }
        match &stated.key {
            Some(key) => self.diff_key(run, stated, key).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        write_keys(run, &mut self.rows).await?;
        let uses = std::mem::take(&mut self.new_uses).into_iter();
        let uses: Vec<_> = uses.map(|((key, project), can_push)| (KeyId(key), project, can_push)).collect();
        if !uses.is_empty() {
            key_sets::upsert_deploy_key_uses(&mut *run.conn, &uses).await?;
        }
        Ok(())
    }
}

/// Whose the key is from now on.
enum KeyOwner {
    Stays,
    Is(UserId),
    /// A problem says why nobody is.
    Unknown,
}

/// The ghost user, who owns what nobody else owns; made when first needed.
async fn find_or_make_ghost(run: &mut ApplyRun<'_>) -> Result<UserId> {
    if let Some(id) = users::find_ghost(&mut *run.conn).await? {
        return Ok(id);
    }
    let mut username = "ghost".to_owned();
    let mut number = 0;
    while run.directory.find_user(run.conn, &username).await?.is_some() {
        number += 1;
        username = format!("ghost{number}");
    }
    let row = ghost_user::row(username, run.now);
    let id = users::insert(&mut *run.conn, None, &row).await?;
    run.directory.set_user(&row.username, Some(id));
    run.added(&format!("user {}", row.username));
    Ok(id)
}
