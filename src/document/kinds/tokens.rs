//! `personal_access_tokens:`, of users.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, StatedDay, StatedId, stated};
use crate::domain::ids::UserId;
use crate::domain::personal_access_token::TokenPolicy;
use crate::domain::token;
use crate::store::Result;
use crate::store::sets::tokens;
use crate::store::tokens::TokenRow;

/// A personal access token, found by its name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// What the user calls it.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// What the token may be used for; a new one needs this.
    pub scopes: Option<Vec<TokenScope>>,
    /// The first day on which it is refused; null for never. Left out, a new token lives as long as the instance
    /// allows.
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

/// The words for what a token may be used for.
const SCOPES: [&str; 17] = [
    "api",
    "read_api",
    "read_user",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
    "read_virtual_registry",
    "write_virtual_registry",
    "sudo",
    "admin_mode",
    "create_runner",
    "manage_runner",
    "ai_features",
    "k8s_proxy",
    "self_rotate",
    "read_service_ping",
];

/// What a token may be used for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("enum" = SCOPES))]
pub struct TokenScope(String);

impl TokenScope {
    /// Whether a document has this word.
    pub(crate) fn is_one(word: &str) -> bool {
        SCOPES.contains(&word)
    }

    /// The word.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A token of the document, and whose it is.
pub(crate) struct StatedToken<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) user: UserId,
    pub(crate) whose: &'d str,
    pub(crate) entry: &'d TokenEntry,
    /// What is stored of the token that the document gives.
    digest: Option<String>,
}

impl<'d> StatedToken<'d> {
    /// Reads the token, where one is given; one that is nowhere is a problem.
    pub(crate) fn read(
        run: &mut ApplyRun<'_>,
        position: EntryPosition,
        (user, whose): (UserId, &'d str),
        entry: &'d TokenEntry,
    ) -> Self {
        // Of one that is to go, the name says enough.
        let given = entry.token.as_ref().filter(|_| !entry.ensure.is_absent());
        let text = given.and_then(|given| run.given(&position.place.key("token"), given));
        let digest = text.map(|text| run.digest(&text));
        Self { position, user, whose, entry, digest }
    }
}

/// The tokens of users that a document states.
pub(crate) struct UserTokens {
    known: HashMap<(UserId, String), TokenRow>,
    by_digest: HashMap<String, i64>,
    policies: HashMap<UserId, TokenPolicy>,
    ids: NewIds,
    rows: RowBatch<(UserId, TokenRow)>,
}

impl UserTokens {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            by_digest: HashMap::new(),
            policies: HashMap::new(),
            ids: NewIds::of("personal_access_tokens"),
            rows: RowBatch::default(),
        }
    }

    fn new_row(&self, run: &ApplyRun<'_>, user: UserId, entry: &TokenEntry) -> TokenRow {
        TokenRow {
            id: 0,
            name: entry.name.clone(),
            token_digest: String::new(),
            scopes: token::scopes_to_yaml(&[]),
            // As long as the instance allows.
            expires_at: self.policies.get(&user).and_then(|policy| policy.last_day(run.today())),
            revoked: false,
        }
    }

    /// A token that nobody can guess: the instance's prefix and 20 characters.
    fn mint(&self, user: UserId) -> String {
        token::mint(self.policies.get(&user).map_or("", |policy| &policy.prefix), rand::random())
    }
}

impl ObjectKind for UserTokens {
    type Entry<'d> = StatedToken<'d>;
    const NOUN: &'static str = "tokens";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let users: Vec<i64> = entries.iter().map(|token| token.user.0).collect();
        for (user, row) in tokens::list(&mut *run.conn, &users).await? {
            self.known.entry((user, row.name.clone())).or_insert(row);
        }
        let digests: Vec<String> = entries.iter().filter_map(|token| token.digest.clone()).collect();
        self.by_digest = tokens::list_ids_by_digest(&mut *run.conn, &digests).await?;
        let is_new = |token: &&StatedToken<'_>| {
            let is_known = self.known.contains_key(&(token.user, token.entry.name.clone()));
            !is_known && !token.entry.ensure.is_absent()
        };
        let mut users: Vec<i64> = entries.iter().filter(is_new).map(|token| token.user.0).collect();
        let missing = entries.iter().filter(is_new).filter(|token| token.entry.id.is_none()).count();
        users.dedup();
        if !users.is_empty() {
            self.policies = tokens::list_policies(&mut *run.conn, &users).await?;
        }
        self.ids.reserve(run, missing).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedToken { position: EntryPosition { place, .. }, user, whose, entry, digest } = stated;
        let what = format!("token {} of {whose}", entry.name);
        let key = (*user, entry.name.clone());
        let existing = self.known.get(&key).cloned();
        if entry.ensure.is_absent() {
            if let Some(row) = existing {
                self.known.remove(&key);
                self.rows.remove(row.id);
                run.removed(&what);
            }
            return Ok(());
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = entry.id.map(|id| id.0);
        let table = "personal_access_tokens";
        let Some(found) = run.identify_fixed_row(place, table, stated_id, by_key).await? else { return Ok(()) };
        if existing.is_none() && entry.scopes.is_none() {
            run.problem(place, "scopes is missing, which a new token needs, for example [api]");
            return Ok(());
        }
        if entry.token.is_some() && digest.is_none() {
            return Ok(());
        }
        let expires_at = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
        let minted = (existing.is_none() && digest.is_none()).then(|| self.mint(*user));
        let digest = digest.clone().or_else(|| minted.as_ref().map(|token| run.digest(token)));
        if let Some(digest) = &digest
            && let Some(other) = self.by_digest.get(digest)
            && Some(*other) != by_key
        {
            run.problem(&place.key("token"), format!("is that of token {other} already"));
            return Ok(());
        }
        let before = existing.unwrap_or_else(|| self.new_row(run, *user, entry));
        let mut row = before.clone();
        let changes = entry.put_into(&mut row, expires_at, digest);
        match found {
            FoundRow::Missing(chosen) => {
                row.id = self.ids.next(run, chosen).await?;
                self.rows.insert(row.id, (*user, row.clone()));
                run.added(&what);
            }
            FoundRow::Existing(id) if !changes.is_empty() => {
                if row.token_digest != before.token_digest {
                    // A later entry may get the token that this one gave up, and the unique index looks at each row as it
                    // is written.
                    self.by_digest.remove(&before.token_digest);
                    tokens::update(&mut *run.conn, &[(id, before.clone(), row.clone())]).await?;
                }
                self.rows.change(id, (*user, before), (*user, row.clone()));
                run.updated(&what, &changes);
            }
            FoundRow::Existing(_) => {}
        }
        let mut object = json!({ "id": row.id });
        if let Some(token) = minted {
            object["token"] = run.minted(&token);
        }
        run.name_at(&["users", whose, "personal_access_tokens", &entry.name], object);
        self.by_digest.insert(row.token_digest.clone(), row.id);
        self.known.insert(key, row);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = self.rows.take_removals();
        if !removals.is_empty() {
            tokens::delete(&mut *run.conn, &removals).await?;
        }
        let changes = self.rows.take_changes().into_iter();
        let updates: Vec<_> = changes.map(|(id, (_, before), (_, row))| (id, before, row)).collect();
        if !updates.is_empty() {
            tokens::update(&mut *run.conn, &updates).await?;
        }
        let inserts: Vec<_> = self.rows.take_inserts().into_iter().map(|(_, row)| row).collect();
        if !inserts.is_empty() {
            tokens::insert(&mut *run.conn, &inserts).await?;
        }
        Ok(())
    }
}

impl TokenEntry {
    #[expect(clippy::option_option, reason = "a day that is not stated, null, or a day")]
    fn put_into(
        &self,
        row: &mut TokenRow,
        expires_at: Option<Option<chrono::NaiveDate>>,
        digest: Option<String>,
    ) -> FieldChanges {
        let mut changes = FieldChanges::default();
        if let Some(scopes) = &self.scopes
            && let scopes = scopes.iter().map(|scope| scope.0.clone()).collect::<Vec<_>>()
            && token::scopes_from_yaml(&row.scopes) != scopes
        {
            let show = |text: &String| token::scopes_from_yaml(text).join(" ");
            changes.set_as("scopes", &mut row.scopes, Some(token::scopes_to_yaml(&scopes)), show);
        }
        changes.set("expires_at", &mut row.expires_at, expires_at);
        changes.set("revoked", &mut row.revoked, self.revoked);
        if let Some(digest) = digest.filter(|digest| *digest != row.token_digest) {
            row.token_digest = digest;
            changes.note("token replaced");
        }
        changes
    }
}
