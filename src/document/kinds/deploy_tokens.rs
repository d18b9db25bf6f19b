//! `deploy_tokens:`, of projects and groups.

use std::collections::HashMap;

use chrono::{DateTime, NaiveTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::keys::midnight;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, StatedDay, StatedId, stated};
use crate::domain::{deploy_token, token};
use crate::store::Result;
use crate::store::deploy_tokens::{self, DeployTokenOwner, DeployTokenRow, NewDeployToken};

/// A token that fetches from a project, or from all projects of a group, and is nobody's. It is found by its name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployTokenEntry {
    /// What people call it.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// What git shows beside it; null, and left out for a new one, for `gitlab+deploy-token-` and its id.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9_.@+/-]+$"), length(max = 255))]
    pub username: Option<Option<String>>,
    /// What it is for; a new one needs this. Only `read_repository` opens anything here.
    #[schemars(length(min = 1))]
    pub scopes: Option<Vec<DeployTokenScope>>,
    /// The first day on which it is refused; null for never.
    #[serde(default, deserialize_with = "stated")]
    pub expires_at: Option<Option<StatedDay>>,
    /// The token itself. Left out, it is made and printed once.
    pub token: Option<GivenValue>,
    /// Refused, though it has not expired.
    pub revoked: Option<bool>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// What a deploy token is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("enum" = deploy_token::SCOPES))]
pub struct DeployTokenScope(String);

impl AsRef<str> for DeployTokenScope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A deploy token of the document, and what it is of.
pub(crate) struct StatedDeployToken<'d> {
    pub(crate) position: EntryPosition,
    owner: DeployTokenOwner,
    whose: &'d str,
    entry: &'d DeployTokenEntry,
    /// What is stored of the token that the document gives, the current form first.
    stored: Option<[String; 2]>,
}

impl<'d> StatedDeployToken<'d> {
    /// Reads the token, where one is given; one that is nowhere is a problem.
    pub(crate) fn read(
        run: &mut ApplyRun<'_>,
        position: EntryPosition,
        (owner, whose): (DeployTokenOwner, &'d str),
        entry: &'d DeployTokenEntry,
    ) -> Self {
        let given = entry.token.as_ref().filter(|_| !entry.ensure.is_absent());
        let text = given.and_then(|given| run.given(&position.place.key("token"), given));
        let stored = text.map(|text| run.ciphertexts(&text));
        Self { position, owner, whose, entry, stored }
    }

    /// Whether it is to go.
    pub(crate) fn is_absent(&self) -> bool {
        self.entry.ensure.is_absent()
    }

    /// Where the result names it.
    fn noun(&self) -> &'static str {
        match self.owner {
            DeployTokenOwner::Project(_) => "projects",
            DeployTokenOwner::Group(_) => "groups",
        }
    }
}

/// The deploy tokens that a document states.
pub(crate) struct DeployTokens {
    known: HashMap<(DeployTokenOwner, String), (i64, DeployTokenRow)>,
    by_text: HashMap<String, i64>,
    ids: NewIds,
    rows: RowBatch<(DeployTokenOwner, DeployTokenRow)>,
}

impl DeployTokens {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            by_text: HashMap::new(),
            ids: NewIds::of("deploy_tokens"),
            rows: RowBatch::default(),
        }
    }
}

impl ObjectKind for DeployTokens {
    type Entry<'d> = StatedDeployToken<'d>;
    const NOUN: &'static str = "deploy tokens";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let owners: Vec<DeployTokenOwner> = entries.iter().map(|token| token.owner).collect();
        let mut rows = deploy_tokens::list(&mut *run.conn, &owners).await?;
        // Of several of one name, one that is not revoked, then the newest.
        rows.sort_by_key(|(_, id, row)| (row.revoked, std::cmp::Reverse(*id)));
        for (owner, id, row) in rows {
            self.known.entry((owner, row.name.clone())).or_insert((id, row));
        }
        let texts: Vec<String> = entries.iter().filter_map(|token| token.stored.as_ref()).flatten().cloned().collect();
        self.by_text = deploy_tokens::list_ids_by_ciphertext(&mut *run.conn, &texts).await?;
        let is_new = |token: &&StatedDeployToken<'_>| {
            let is_known = self.known.contains_key(&(token.owner, token.entry.name.clone()));
            !is_known && token.entry.id.is_none() && !token.entry.ensure.is_absent()
        };
        let new = entries.iter().filter(is_new).count();
        self.ids.reserve(run, new).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedDeployToken { position: EntryPosition { place, .. }, owner, whose, entry, stored } = stated;
        let what = format!("deploy token {} of {whose}", entry.name);
        let key = (*owner, entry.name.clone());
        let existing = self.known.get(&key).cloned();
        if entry.ensure.is_absent() {
            if let Some((id, _)) = existing {
                self.known.remove(&key);
                self.by_text.retain(|_, known| *known != id);
                self.rows.remove(id);
                run.removed(&what);
            }
            return Ok(());
        }
        let by_key = existing.as_ref().map(|(id, _)| *id);
        let stated_id = entry.id.map(|id| id.0);
        let found = run.identify_fixed_row(place, "deploy_tokens", stated_id, by_key).await?;
        let Some(found) = found else { return Ok(()) };
        if existing.is_none() && entry.scopes.is_none() {
            run.problem(place, "scopes is missing, which a new token needs, for example [read_repository]");
            return Ok(());
        }
        if entry.token.is_some() && stored.is_none() {
            return Ok(());
        }
        let other = stored.iter().flatten().find_map(|text| self.by_text.get(text).copied());
        if let Some(other) = other.filter(|other| Some(*other) != by_key) {
            run.problem(&place.key("token"), format!("is that of deploy token {other} already"));
            return Ok(());
        }
        let minted =
            (existing.is_none() && stored.is_none()).then(|| token::mint(deploy_token::PREFIX, rand::random()));
        let text = minted.as_ref().map(|token| run.ciphertexts(token)).or_else(|| stored.clone());
        let end = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
        let end = end.map(|day| day.map_or_else(deploy_token::forever, midnight));
        let before = existing.map_or_else(|| new_row(entry), |(_, row)| row);
        let mut row = before.clone();
        let changes = entry.put_into(&mut row, end, text);
        let id = match found {
            FoundRow::Missing(chosen) => {
                let id = self.ids.next(run, chosen).await?;
                self.rows.insert(id, (*owner, row.clone()));
                run.added(&what);
                id
            }
            FoundRow::Existing(id) => {
                if !changes.is_empty() {
                    self.rows.change(id, (*owner, before), (*owner, row.clone()));
                    run.updated(&what, &changes);
                }
                id
            }
        };
        let username = row.username.clone().unwrap_or_else(|| deploy_token::default_username(id));
        let mut object = json!({ "id": id, "username": username });
        if let Some(token) = minted {
            object["token"] = run.minted(&token);
        }
        run.name_at(&[stated.noun(), whose, "deploy_tokens", &entry.name], object);
        self.by_text.insert(row.token_encrypted.clone(), id);
        self.known.insert(key, (id, row));
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = self.rows.take_removals();
        if !removals.is_empty() {
            deploy_tokens::delete(&mut *run.conn, &removals).await?;
        }
        let changes = self.rows.take_changes().into_iter();
        let updates: Vec<_> = changes.map(|(id, (_, before), (_, row))| (id, before, row)).collect();
        if !updates.is_empty() {
            deploy_tokens::update(&mut *run.conn, &updates).await?;
        }
        let inserts = self.rows.take_inserts().into_iter();
        let inserts: Vec<_> =
            inserts.map(|(id, (owner, row))| NewDeployToken { id, owner, creator: None, row }).collect();
        if !inserts.is_empty() {
            deploy_tokens::insert(&mut *run.conn, &inserts).await?;
        }
        Ok(())
    }
}

fn new_row(entry: &DeployTokenEntry) -> DeployTokenRow {
    DeployTokenRow {
        name: entry.name.clone(),
        username: None,
        token_encrypted: String::new(),
        expires_at: deploy_token::forever(),
        revoked: false,
        read_repository: false,
        read_registry: false,
        write_registry: false,
        read_package_registry: false,
        write_package_registry: false,
        read_virtual_registry: false,
        write_virtual_registry: false,
    }
}

impl DeployTokenEntry {
    fn put_into(
        &self,
        row: &mut DeployTokenRow,
        end: Option<DateTime<Utc>>,
        text: Option<[String; 2]>,
    ) -> FieldChanges {
        let mut changes = FieldChanges::default();
        changes.set("username", &mut row.username, self.username.clone());
        if let Some(scopes) = &self.scopes {
            let before = row.scopes().join(" ");
            row.set_scopes(scopes);
            let after = row.scopes().join(" ");
            if before != after {
                changes.note(&format!("scopes {before} → {after}"));
            }
        }
        // A day is all that a document says of an end.
        let end = end.filter(|end| last_day(*end) != last_day(row.expires_at));
        changes.set_as("expires_at", &mut row.expires_at, end, |end| end.date_naive().to_string());
        changes.set("revoked", &mut row.revoked, self.revoked);
        if let Some([text, _]) = text.filter(|stored| !stored.contains(&row.token_encrypted)) {
            row.token_encrypted = text;
            changes.note("token replaced");
        }
        changes
    }
}

/// The first day on which a token of this end is refused.
pub(crate) fn last_day(end: DateTime<Utc>) -> chrono::NaiveDate {
    if end.time() == NaiveTime::MIN { end.date_naive() } else { end.date_naive() + chrono::Days::new(1) }
}
