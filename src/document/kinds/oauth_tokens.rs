//! `oauth_tokens:`, of users.

use std::collections::{BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha512};

use super::tokens::TokenScope;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, StatedId, stated};
use crate::domain::ids::UserId;
use crate::domain::token;
use crate::store::Result;
use crate::store::oauth_tokens::{self, OauthTokenRow};

/// Seconds that a new token lives where nothing is stated, as GitLab's own do.
const LIFETIME: i32 = 7200;

/// An OAuth access token that an application has for the user, found by the application. It opens git over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthTokenEntry {
    /// The name of the application; one that belongs to nobody is made where there is none.
    #[schemars(length(min = 1, max = 255))]
    pub application: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// What it may be used for; a new one needs this.
    #[schemars(length(min = 1))]
    pub scopes: Option<Vec<TokenScope>>,
    /// Seconds from its making that it lives; null for ever, 7200 where a new one says nothing.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(range(min = 1))]
    pub expires_in: Option<Option<i32>>,
    /// The token itself. Left out, it is made and printed once. A new text begins a new life.
    pub token: Option<GivenValue>,
    /// Refused, though it has not expired.
    pub revoked: Option<bool>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A token of the document, and whose it is.
pub(crate) struct StatedOauthToken<'d> {
    pub(crate) position: EntryPosition,
    user: UserId,
    whose: &'d str,
    entry: &'d OauthTokenEntry,
    /// What is stored of the token that the document gives.
    digest: Option<String>,
}

impl<'d> StatedOauthToken<'d> {
    /// Reads the token, where one is given; one that is nowhere is a problem.
    pub(crate) fn read(
        run: &mut ApplyRun<'_>,
        position: EntryPosition,
        (user, whose): (UserId, &'d str),
        entry: &'d OauthTokenEntry,
    ) -> Self {
        let given = entry.token.as_ref().filter(|_| !entry.ensure.is_absent());
        let text = given.and_then(|given| run.given(&position.place.key("token"), given));
        Self { position, user, whose, entry, digest: text.map(|text| digest(&text)) }
    }
}

/// The OAuth access tokens that a document states.
pub(crate) struct OauthTokens {
    known: HashMap<(UserId, String), OauthTokenRow>,
    by_digest: HashMap<String, i64>,
    ids: NewIds,
    rows: RowBatch<OauthTokenRow>,
}

impl OauthTokens {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            by_digest: HashMap::new(),
            ids: NewIds::of("oauth_access_tokens"),
            rows: RowBatch::default(),
        }
    }
}

impl ObjectKind for OauthTokens {
    type Entry<'d> = StatedOauthToken<'d>;
    const NOUN: &'static str = "OAuth tokens";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let users: Vec<i64> = entries.iter().map(|token| token.user.0).collect();
        for row in oauth_tokens::list(&mut *run.conn, &users).await? {
            self.known.entry((row.user, row.application.clone())).or_insert(row);
        }
        let digests: Vec<String> = entries.iter().filter_map(|token| token.digest.clone()).collect();
        self.by_digest = oauth_tokens::list_ids_by_digest(&mut *run.conn, &digests).await?;
        let is_new = |token: &&StatedOauthToken<'_>| {
            let is_known = self.known.contains_key(&(token.user, token.entry.application.clone()));
            !is_known && token.entry.id.is_none() && !token.entry.ensure.is_absent()
        };
        let new = entries.iter().filter(is_new).count();
        self.ids.reserve(run, new).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedOauthToken { position: EntryPosition { place, .. }, user, whose, entry, digest } = stated;
        let what = format!("OAuth token for {} of {whose}", entry.application);
        let key = (*user, entry.application.clone());
        let existing = self.known.get(&key).cloned();
        if entry.ensure.is_absent() {
            if let Some(row) = existing {
                self.known.remove(&key);
                self.by_digest.remove(&row.token);
                self.rows.remove(row.id);
                run.removed(&what);
            }
            return Ok(());
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = entry.id.map(|id| id.0);
        let found = run.identify_fixed_row(place, "oauth_access_tokens", stated_id, by_key).await?;
        let Some(found) = found else { return Ok(()) };
        if existing.is_none() && entry.scopes.is_none() {
            run.problem(place, "scopes is missing, which a new token needs, for example [read_repository]");
            return Ok(());
        }
        if entry.token.is_some() && digest.is_none() {
            return Ok(());
        }
        let minted = (existing.is_none() && digest.is_none()).then(|| token::hex(&rand::random::<[u8; 32]>()));
        let digest = digest.clone().or_else(|| minted.as_deref().map(self::digest));
        let other = digest.as_ref().and_then(|digest| self.by_digest.get(digest).copied());
        if let Some(other) = other.filter(|other| Some(*other) != by_key) {
            run.problem(&place.key("token"), format!("is that of OAuth token {other} already"));
            return Ok(());
        }
        let mut row = existing.unwrap_or_else(|| OauthTokenRow {
            id: 0,
            user: *user,
            application: entry.application.clone(),
            token: String::new(),
            scopes: String::new(),
            expires_in: Some(LIFETIME),
            revoked: false,
        });
        let changes = entry.put_into(&mut row, digest);
        match found {
            FoundRow::Missing(chosen) => {
                row.id = self.ids.next(run, chosen).await?;
                self.rows.insert(row.id, row.clone());
                run.added(&what);
            }
            FoundRow::Existing(id) if !changes.is_empty() => {
                self.rows.update(id, row.clone());
                run.updated(&what, &changes);
            }
            FoundRow::Existing(_) => {}
        }
        let mut object = json!({ "id": row.id });
        if let Some(token) = minted {
            object["token"] = run.minted(&token);
        }
        run.name_at(&["users", whose, "oauth_tokens", &entry.application], object);
        self.by_digest.insert(row.token.clone(), row.id);
        self.known.insert(key, row);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = self.rows.take_removals();
        if !removals.is_empty() {
            oauth_tokens::delete(&mut *run.conn, &removals).await?;
        }
        let updates: Vec<_> = self.rows.take_updates().into_iter().map(|(_, row)| row).collect();
        if !updates.is_empty() {
            oauth_tokens::update(&mut *run.conn, &updates, run.now).await?;
        }
        let inserts: Vec<_> = self.rows.take_inserts().into_iter().map(|(_, row)| row).collect();
        if !inserts.is_empty() {
            let names: BTreeSet<String> = inserts.iter().map(|row| row.application.clone()).collect();
            let names: Vec<String> = names.into_iter().collect();
            let uids: Vec<String> = names.iter().map(|_| token::hex(&rand::random::<[u8; 32]>())).collect();
            oauth_tokens::insert_applications(&mut *run.conn, &names, &uids).await?;
            oauth_tokens::insert(&mut *run.conn, &inserts, run.now).await?;
        }
        Ok(())
    }
}

impl OauthTokenEntry {
    fn put_into(&self, row: &mut OauthTokenRow, digest: Option<String>) -> FieldChanges {
        let mut changes = FieldChanges::default();
        let scopes = self.scopes.as_ref().map(|scopes| {
            let scopes: Vec<&str> = scopes.iter().map(TokenScope::as_str).collect();
            scopes.join(" ")
        });
        changes.set("scopes", &mut row.scopes, scopes);
        let shown =
            |seconds: &Option<i32>| seconds.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds} s"));
        changes.set_as("expires_in", &mut row.expires_in, self.expires_in, shown);
        changes.set("revoked", &mut row.revoked, self.revoked);
        if let Some(digest) = digest.filter(|digest| *digest != row.token) {
            row.token = digest;
            changes.note("token replaced");
        }
        changes
    }
}

/// What is stored of a token.
fn digest(token: &str) -> String {
    token::hex(&Sha512::digest(token))
}
