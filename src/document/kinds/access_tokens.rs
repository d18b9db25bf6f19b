//! `access_tokens:`, of projects and groups: each has a user of its own, a bot, who is a member of the project or group.

use std::collections::HashMap;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::tokens::TokenScope;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, LevelWord, NumberedWord, StatedDay, StatedId, stated};
use crate::domain::ids::UserId;
use crate::domain::personal_access_token::TokenPolicy;
use crate::domain::token;
use crate::domain::user_type::UserType;
use crate::store::Result;
use crate::store::access_tokens::{self, NewBot};
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::sets::tokens;
use crate::store::tokens::TokenRow;
use crate::store::users::{self, UserRow};

/// A token that is a member of the project or group, found by its name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessTokenEntry {
    /// What people call it, and its bot.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// What it may do as a member; a new one needs this.
    pub level: Option<LevelWord>,
    /// What it may be used for; a new one needs this.
    #[schemars(length(min = 1))]
    pub scopes: Option<Vec<TokenScope>>,
    /// The first day on which it is refused, and no member any more; null for never. Left out, a new one lives as long as
    /// the instance allows.
    #[serde(default, deserialize_with = "stated")]
    pub expires_at: Option<Option<StatedDay>>,
    /// The token itself. Left out, it is made and printed once.
    pub token: Option<GivenValue>,
    /// Refused, though it has not expired.
    pub revoked: Option<bool>,
    /// `absent` removes it, and its bot.
    #[serde(default)]
    pub ensure: Ensure,
}

/// An access token of the document, and what it is of.
pub(crate) struct StatedAccessToken<'d> {
    pub(crate) position: EntryPosition,
    source: MemberSource,
    whose: &'d str,
    entry: &'d AccessTokenEntry,
    /// What is stored of the token that the document gives.
    digest: Option<String>,
}

impl<'d> StatedAccessToken<'d> {
    /// Reads the token, where one is given; one that is nowhere is a problem.
    pub(crate) fn read(
        run: &mut ApplyRun<'_>,
        position: EntryPosition,
        (source, whose): (MemberSource, &'d str),
        entry: &'d AccessTokenEntry,
    ) -> Self {
        let given = entry.token.as_ref().filter(|_| !entry.ensure.is_absent());
        let text = given.and_then(|given| run.given(&position.place.key("token"), given));
        let digest = text.map(|text| run.digest(&text));
        Self { position, source, whose, entry, digest }
    }

    /// Whether it is to go.
    pub(crate) fn is_absent(&self) -> bool {
        self.entry.ensure.is_absent()
    }

    /// Where the result names it.
    fn noun(&self) -> &'static str {
        match self.source {
            MemberSource::Project(..) => "projects",
            MemberSource::Group(_) => "groups",
        }
    }

    /// A username that nobody has.
    fn username(&self) -> String {
        let owner = match self.source {
            MemberSource::Project(id, _) => format!("project_{id}"),
            MemberSource::Group(id) => format!("group_{id}"),
        };
        format!("{owner}_bot_{}", Uuid::new_v4().simple())
    }
}

/// A token, and its bot as a member.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BotToken {
    user: UserId,
    source: MemberSource,
    token: TokenRow,
    grant: MemberGrant,
}

/// The access tokens that a document states.
pub(crate) struct AccessTokens {
    known: HashMap<(MemberSource, String), BotToken>,
    by_digest: HashMap<String, i64>,
    policy: TokenPolicy,
    ids: NewIds,
    bot_ids: NewIds,
    bots: Vec<NewBot>,
    rows: RowBatch<BotToken>,
}

impl AccessTokens {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            by_digest: HashMap::new(),
            policy: TokenPolicy::default(),
            ids: NewIds::of("personal_access_tokens"),
            bot_ids: NewIds::of("users"),
            bots: Vec::new(),
            rows: RowBatch::default(),
        }
    }

    /// Removes a token with its bot: there are few, and what a user has is in many tables.
    async fn remove(&mut self, run: &mut ApplyRun<'_>, stated: &StatedAccessToken<'_>) -> Result<()> {
        let Some(row) = self.known.remove(&(stated.source, stated.entry.name.clone())) else { return Ok(()) };
        self.by_digest.remove(&row.token.token_digest);
        users::delete(run.conn, row.user).await?;
        run.removed(&format!("access token {} of {}", stated.entry.name, stated.whose));
        Ok(())
    }

    /// A token and a bot of which nothing is known but the name.
    async fn new_token(&mut self, run: &mut ApplyRun<'_>, stated: &StatedAccessToken<'_>) -> Result<BotToken> {
        let user = UserId(self.bot_ids.next(run, None).await?);
        let username = stated.username();
        let row = UserRow {
            email: format!("{username}@noreply.invalid"),
            username,
            name: stated.entry.name.clone(),
            state: "active".to_owned(),
            user_type: UserType::ProjectBot.number(),
            admin: false,
            auditor: false,
            external: false,
            can_create_group: false,
            projects_limit: 0,
            private_profile: false,
            confirmed_at: Some(run.naive_now()),
        };
        self.bots.push(NewBot { id: user, namespace: stated.source.namespace(), creator: None, row });
        let expires_at = self.policy.last_day(run.today());
        let token = TokenRow {
            id: 0,
            name: stated.entry.name.clone(),
            token_digest: String::new(),
            scopes: token::scopes_to_yaml(&[]),
            expires_at,
            revoked: false,
        };
        Ok(BotToken { user, source: stated.source, token, grant: MemberGrant { level: 0, expires_at } })
    }
}

impl ObjectKind for AccessTokens {
    type Entry<'d> = StatedAccessToken<'d>;
    const NOUN: &'static str = "access tokens";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let sources: HashMap<i64, MemberSource> =
            entries.iter().map(|token| (token.source.namespace().0, token.source)).collect();
        let namespaces: Vec<i64> = sources.keys().copied().collect();
        for (namespace, user, token, grant) in access_tokens::list_stated(&mut *run.conn, &namespaces).await? {
            let Some(source) = sources.get(&namespace.0).copied() else { continue };
            let row = BotToken { user, source, token, grant };
            self.known.entry((source, row.token.name.clone())).or_insert(row);
        }
        let digests: Vec<String> = entries.iter().filter_map(|token| token.digest.clone()).collect();
        self.by_digest = tokens::list_ids_by_digest(&mut *run.conn, &digests).await?;
        let is_new = |token: &&StatedAccessToken<'_>| {
            let is_known = self.known.contains_key(&(token.source, token.entry.name.clone()));
            !is_known && !token.entry.ensure.is_absent()
        };
        let new = entries.iter().filter(is_new).count();
        let unchosen = entries.iter().filter(is_new).filter(|token| token.entry.id.is_none()).count();
        if new > 0 {
            // Of nobody's: what the instance says.
            self.policy = tokens::list_policies(&mut *run.conn, &[0]).await?.remove(&UserId(0)).unwrap_or_default();
        }
        self.bot_ids.reserve(run, new).await?;
        self.ids.reserve(run, unchosen).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedAccessToken { position: EntryPosition { place, .. }, source, whose, entry, digest } = stated;
        if entry.ensure.is_absent() {
            return self.remove(run, stated).await;
        }
        let what = format!("access token {} of {whose}", entry.name);
        let key = (*source, entry.name.clone());
        let existing = self.known.get(&key).cloned();
        let by_key = existing.as_ref().map(|row| row.token.id);
        let stated_id = entry.id.map(|id| id.0);
        let found = run.identify_fixed_row(place, "personal_access_tokens", stated_id, by_key).await?;
        let Some(found) = found else { return Ok(()) };
        for (missing, problem) in [
            (entry.scopes.is_none(), "scopes is missing, which a new token needs, for example [read_repository]"),
            (entry.level.is_none(), "level is missing, which a new token needs, for example developer"),
        ] {
            if missing && existing.is_none() {
                run.problem(place, problem);
                return Ok(());
            }
        }
        if entry.token.is_some() && digest.is_none() {
            return Ok(());
        }
        let other = digest.as_ref().and_then(|digest| self.by_digest.get(digest).copied());
        if let Some(other) = other.filter(|other| Some(*other) != by_key) {
            run.problem(&place.key("token"), format!("is that of token {other} already"));
            return Ok(());
        }
        let expires_at = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
        let minted = (existing.is_none() && digest.is_none()).then(|| token::mint(&self.policy.prefix, rand::random()));
        let digest = digest.clone().or_else(|| minted.as_ref().map(|token| run.digest(token)));
        let before = match existing {
            Some(row) => row,
            None => self.new_token(run, stated).await?,
        };
        let mut row = before.clone();
        let changes = entry.put_into(&mut row, expires_at, digest);
        match found {
            FoundRow::Missing(chosen) => {
                row.token.id = self.ids.next(run, chosen).await?;
                self.rows.insert(row.token.id, row.clone());
                run.touch_user(row.user);
                run.added(&what);
            }
            FoundRow::Existing(id) if !changes.is_empty() => {
                self.rows.change(id, before, row.clone());
                run.touch_user(row.user);
                run.updated(&what, &changes);
            }
            FoundRow::Existing(_) => {}
        }
        let mut object = json!({ "id": row.token.id, "user_id": row.user.0 });
        if let Some(token) = minted {
            object["token"] = run.minted(&token);
        }
        run.name_at(&[stated.noun(), whose, "access_tokens", &entry.name], object);
        self.by_digest.insert(row.token.token_digest.clone(), row.token.id);
        self.known.insert(key, row);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let changes = self.rows.take_changes();
        let inserts = self.rows.take_inserts();
        let bots = std::mem::take(&mut self.bots);
        if !bots.is_empty() {
            access_tokens::insert_bots(&mut *run.conn, &bots).await?;
        }
        let regranted = changes.iter().filter(|(_, before, row)| before.grant != row.grant).map(|(_, _, row)| row);
        let granted = regranted.chain(inserts.iter().map(|(_, row)| row));
        let grants: Vec<_> = granted.map(|row| (row.source, row.user, row.grant)).collect();
        if !grants.is_empty() {
            members::upsert(&mut *run.conn, &grants, None).await?;
        }
        let updates: Vec<_> = changes.into_iter().map(|(id, before, row)| (id, before.token, row.token)).collect();
        if !updates.is_empty() {
            tokens::update(&mut *run.conn, &updates).await?;
        }
        let inserts: Vec<_> = inserts.into_iter().map(|(_, row)| (row.user, row.token)).collect();
        if !inserts.is_empty() {
            tokens::insert(&mut *run.conn, &inserts).await?;
        }
        Ok(())
    }
}

impl AccessTokenEntry {
    #[expect(clippy::option_option, reason = "a day that is not stated, null, or a day")]
    fn put_into(
        &self,
        row: &mut BotToken,
        expires_at: Option<Option<NaiveDate>>,
        digest: Option<String>,
    ) -> FieldChanges {
        let mut changes = FieldChanges::default();
        let level = self.level.map(NumberedWord::number);
        changes.set_as("level", &mut row.grant.level, level, |number| LevelWord::word_of(*number));
        if let Some(scopes) = &self.scopes
            && let scopes = scopes.iter().map(|scope| scope.as_str().to_owned()).collect::<Vec<_>>()
            && token::scopes_from_yaml(&row.token.scopes) != scopes
        {
            let show = |text: &String| token::scopes_from_yaml(text).join(" ");
            changes.set_as("scopes", &mut row.token.scopes, Some(token::scopes_to_yaml(&scopes)), show);
        }
        changes.set("expires_at", &mut row.token.expires_at, expires_at);
        // Of a membership without a token's end nothing is left when that comes.
        row.grant.expires_at = row.token.expires_at;
        changes.set("revoked", &mut row.token.revoked, self.revoked);
        if let Some(digest) = digest.filter(|digest| *digest != row.token.token_digest) {
            row.token.token_digest = digest;
            changes.note("token replaced");
        }
        changes
    }
}
