//! `members:`, of groups and projects.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, ObjectKind};
use crate::document::place::DocumentPlace;
use crate::document::report::LineOrder;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, LevelWord, NumberedWord, StatedDay, stated};
use crate::domain::ids::UserId;
use crate::store::Result;
use crate::store::members::{self, AddressRules, MemberGrant, MemberSource, MembershipRow};

/// What somebody gets: a level, or a level until a date.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MembershipEntry {
    /// A level, for good.
    Level(LevelWord),
    /// All that can be said.
    Terms(MembershipTerms),
}

/// A level and until when, or the end of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MembershipTerms {
    /// What it grants.
    pub level: Option<LevelWord>,
    /// The first day on which it is over; null for never.
    #[serde(deserialize_with = "stated")]
    pub expires_at: Option<Option<StatedDay>>,
    /// `absent` ends it.
    pub ensure: Ensure,
}

impl MembershipEntry {
    fn terms(&self) -> MembershipTerms {
        match self {
            Self::Level(level) => MembershipTerms { level: Some(*level), ..MembershipTerms::default() },
            Self::Terms(terms) => terms.clone(),
        }
    }
}

/// A membership, or a share, of the document.
pub(crate) struct StatedMember<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) source: MemberSource,
    /// The path of the group or the project.
    pub(crate) whose: &'d str,
    /// The username; of a share the path of the other group.
    pub(crate) name: &'d str,
    pub(crate) terms: MembershipTerms,
}

impl<'d> StatedMember<'d> {
    /// Those of one group or project.
    pub(crate) fn list(
        place: &DocumentPlace,
        order: LineOrder,
        source: MemberSource,
        whose: &'d str,
        stated: &'d BTreeMap<String, MembershipEntry>,
    ) -> impl Iterator<Item = Self> {
        stated.iter().map(move |(name, membership)| Self {
            position: EntryPosition { place: place.key(name), order },
            source,
            whose,
            name,
            terms: membership.terms(),
        })
    }
}

/// The memberships that a document states.
#[derive(Default)]
pub(crate) struct MemberSet {
    known: HashMap<(MemberSource, UserId), MembershipRow>,
    rules: AddressRules,
    upserts: BTreeMap<(MemberSource, UserId), MemberGrant>,
    removals: BTreeSet<(MemberSource, UserId)>,
}

impl MemberSet {
    /// Whether the root group around it takes members with the user's address.
    fn admits_address(&self, source: MemberSource, user: UserId) -> bool {
        let (rules, user) = (self.rules.rules.get(&source.namespace()), self.rules.users.get(&user));
        rules.zip(user).is_none_or(|(rules, (user_type, email))| rules.admits_address(*user_type, email))
    }
}

impl ObjectKind for MemberSet {
    type Entry<'d> = StatedMember<'d>;
    const NOUN: &'static str = "members";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        run.directory.load(run.conn, entries.iter().map(|member| member.name), std::iter::empty()).await?;
        let users = entries.iter().filter_map(|member| run.directory.known_user(member.name));
        let mut users: Vec<i64> = users.map(|user| user.0).collect();
        users.sort_unstable();
        users.dedup();
        let mut sources: Vec<MemberSource> = entries.iter().map(|member| member.source).collect();
        sources.sort_unstable();
        sources.dedup();
        self.known = members::list(&mut *run.conn, &sources, Some(&users)).await?;
        let namespaces: Vec<i64> = sources.iter().map(|source| source.namespace().0).collect();
        self.rules = members::list_address_rules(run.conn, &namespaces, &users).await?;
        Ok(())
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, member: &Self::Entry<'_>) -> Result<()> {
        let StatedMember { position: EntryPosition { place, .. }, source, whose, name, terms } = member;
        let Some(user) = run.user(place, name).await? else { return Ok(()) };
        let key = (*source, user);
        let existing = self.known.get(&key).copied();
        let what = format!("member {name} of {whose}");
        if terms.ensure.is_absent() {
            if existing.is_some() {
                self.known.remove(&key);
                self.upserts.remove(&key);
                self.removals.insert(key);
                run.touch_user(user);
                run.removed(&what);
            }
            return Ok(());
        }
        let Some((grant, changes)) = granted(run, place, terms, existing.map(|row| row.grant)) else { return Ok(()) };
        if existing.is_none() && !self.admits_address(*source, user) {
            run.problem(place, "has no address in allowed_email_domains of the root group");
            return Ok(());
        }
        match existing {
            None => run.added(&what),
            Some(row) if !row.active => run.updated(&what, &note("accepted")),
            Some(_) if changes.is_empty() => return Ok(()),
            Some(_) => run.updated(&what, &changes),
        }
        self.known.insert(key, MembershipRow { grant, active: true });
        self.removals.remove(&key);
        self.upserts.insert(key, grant);
        run.touch_user(user);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals: Vec<_> = std::mem::take(&mut self.removals).into_iter().collect();
        if !removals.is_empty() {
            members::delete(&mut *run.conn, &removals).await?;
        }
        let upserts = std::mem::take(&mut self.upserts);
        if !upserts.is_empty() {
            let upserts: Vec<_> = upserts.into_iter().map(|((source, user), grant)| (source, user, grant)).collect();
            members::upsert(&mut *run.conn, &upserts, None).await?;
        }
        Ok(())
    }
}

/// Finds the problems of memberships and shares whose group or project could not be made.
pub(crate) async fn check_members(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    members: &BTreeMap<String, MembershipEntry>,
    shared_with: &BTreeMap<String, MembershipEntry>,
) -> Result<()> {
    for (username, membership) in members {
        let place = place.key("members").key(username);
        run.user(&place, username).await?;
        run.optional_day(&place.key("expires_at"), membership.terms().expires_at.as_ref());
    }
    for (path, membership) in shared_with {
        let place = place.key("shared_with").key(path);
        run.group(&place, path).await?;
        run.optional_day(&place.key("expires_at"), membership.terms().expires_at.as_ref());
    }
    Ok(())
}

/// What is granted and how that differs from what is there.
pub(crate) fn granted(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    terms: &MembershipTerms,
    existing: Option<MemberGrant>,
) -> Option<(MemberGrant, FieldChanges)> {
    let level = terms.level.map(NumberedWord::number).or(existing.map(|grant| grant.level));
    let Some(level) = level else {
        run.problem(place, "level is missing, for example developer");
        return None;
    };
    let expires_at = match &terms.expires_at {
        Some(Some(day)) => Some(Some(run.day(&place.key("expires_at"), day)?)),
        Some(None) => Some(None),
        None => None,
    };
    if expires_at.flatten().is_some_and(|day| day <= run.today()) && existing.is_none() {
        // The document was right once, and nothing needs to be done for it to be right again.
        run.warn(&format!("{place}: not granted, for its last day has passed"));
        return None;
    }
    let mut grant = existing.unwrap_or(MemberGrant { level, expires_at: None });
    let mut changes = FieldChanges::default();
    changes.set_as("level", &mut grant.level, Some(level), |number| LevelWord::word_of(*number));
    changes.set("expires_at", &mut grant.expires_at, expires_at);
    Some((grant, changes))
}

fn note(change: &str) -> FieldChanges {
    let mut changes = FieldChanges::default();
    changes.note(change);
    changes
}
