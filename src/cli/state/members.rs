//! `members:` and `shared_with:`, of groups and projects.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::run::{Changes, Place, Run};
use super::words::{Day, Ensure, Level, Word, stated};
use crate::domain::ids::NamespaceId;
use crate::store::members::{self, Grant, Source};
use crate::store::{Result, namespaces};

/// What somebody gets: a level, or a level until a date.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Membership {
    /// A level, for good.
    Level(Level),
    /// All that can be said.
    Terms(Terms),
}

/// A level and until when, or the end of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// What it grants.
    pub level: Option<Level>,
    /// The first day on which it is over; null for never.
    #[serde(deserialize_with = "stated")]
    pub expires_at: Option<Option<Day>>,
    /// `absent` ends it.
    pub ensure: Ensure,
}

impl Membership {
    fn terms(&self) -> Terms {
        match self {
            Self::Level(level) => Terms { level: Some(*level), ..Terms::default() },
            Self::Terms(terms) => terms.clone(),
        }
    }
}

/// Brings memberships in line; `whose` names the group or the project.
pub async fn bring(
    run: &mut Run<'_>,
    place: &Place,
    source: Source,
    whose: &str,
    stated: &BTreeMap<String, Membership>,
) -> Result<()> {
    for (username, membership) in stated {
        let place = place.key(username);
        let terms = membership.terms();
        let Some(user) = run.user(&place, username).await? else { continue };
        let existing = members::find(&mut *run.conn, source, user).await?;
        let what = format!("member {username} of {whose}");
        if terms.ensure.is_absent() {
            if existing.is_some() {
                members::delete(&mut *run.conn, source, user).await?;
                run.touch_user(user);
                run.removed(&what);
            }
            continue;
        }
        let Some((grant, changes)) = granted(run, &place, &terms, existing.map(|row| row.grant)) else { continue };
        if existing.is_none() && !members::admits_address(&mut *run.conn, source, user).await? {
            run.mistake(&place, "has no address in allowed_email_domains of the root group");
            continue;
        }
        match existing {
            None => run.added(&what),
            Some(row) if !row.active => run.updated(&what, &note("accepted")),
            Some(_) if changes.is_empty() => continue,
            Some(_) => run.updated(&what, &changes),
        }
        members::upsert(&mut *run.conn, source, user, grant).await?;
        run.touch_user(user);
    }
    Ok(())
}

/// Finds the mistakes of memberships and shares whose group or project could not be brought about.
pub async fn check(
    run: &mut Run<'_>,
    place: &Place,
    members: &BTreeMap<String, Membership>,
    shared_with: &BTreeMap<String, Membership>,
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

/// Brings shares with groups in line; `whose` names the group or the project.
pub async fn bring_shares(
    run: &mut Run<'_>,
    place: &Place,
    source: Source,
    whose: &str,
    stated: &BTreeMap<String, Membership>,
) -> Result<()> {
    for (path, membership) in stated {
        let place = place.key(path);
        let terms = membership.terms();
        let Some(with) = run.group(&place, path).await? else { continue };
        let existing = members::find_link(&mut *run.conn, source, with).await?;
        let what = format!("share of {whose} with {path}");
        if terms.ensure.is_absent() {
            if existing.is_some() {
                run.touch_before(with).await?;
                members::delete_link(&mut *run.conn, source, with).await?;
                run.removed(&what);
            }
            continue;
        }
        if shares_with_itself(run, source, with).await? {
            run.mistake(&place, "is the group itself or one around it, whose members get in anyway");
            continue;
        }
        let Some((grant, changes)) = granted(run, &place, &terms, existing) else { continue };
        match existing {
            None => run.added(&what),
            Some(_) if changes.is_empty() => continue,
            Some(_) => run.updated(&what, &changes),
        }
        members::upsert_link(&mut *run.conn, source, with, grant).await?;
        run.touch(with);
    }
    Ok(())
}

async fn shares_with_itself(run: &mut Run<'_>, source: Source, with: NamespaceId) -> Result<bool> {
    let inner = match source {
        Source::Group(group) => group,
        Source::Project(_, shadow) => shadow,
    };
    namespaces::is_within(&mut *run.conn, inner, with).await
}

/// What is granted and how that differs from what is there.
fn granted(run: &mut Run<'_>, place: &Place, terms: &Terms, existing: Option<Grant>) -> Option<(Grant, Changes)> {
    let level = terms.level.map(Word::number).or(existing.map(|grant| grant.level));
    let Some(level) = level else {
        run.mistake(place, "level is missing, for example developer");
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
    let mut grant = existing.unwrap_or(Grant { level, expires_at: None });
    let mut changes = Changes::default();
    changes.set_as("level", &mut grant.level, Some(level), |number| Level::word_of(*number));
    changes.set("expires_at", &mut grant.expires_at, expires_at);
    Some((grant, changes))
}

fn note(change: &str) -> Changes {
    let mut changes = Changes::default();
    changes.note(change);
    changes
}
