//! Who was last seen when: written behind the answers, never before them, and never a reason to fail one.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::domain::access::{AccessKey, AccessUser};
use crate::domain::git_credential::AccessToken;
use crate::domain::requester::Requester;
use crate::store::tokens::KnownToken;
use crate::store::{Db, Result, last_used};

/// Notes that wait at most; past this they are dropped, for the next request brings another.
const QUEUE: usize = 4096;

/// Somebody was seen.
#[derive(Debug, Clone, Copy)]
pub enum LastUse {
    /// A key was used; nothing where that was noted within the last day.
    Key(i64, DateTime<Utc>),
    /// A user fetched; nothing where that was noted today.
    User(i64, DateTime<Utc>),
    /// A personal access token was used; nothing where that was noted within the last ten minutes.
    Token(i64, DateTime<Utc>),
    /// Nothing to note.
    Nothing,
}

impl LastUse {
    /// The note that this key was used.
    #[must_use]
    pub fn key(key: &AccessKey, now: DateTime<Utc>) -> Self {
        let fresh = key.last_used_at.is_some_and(|at| at > now - TimeDelta::days(1));
        if fresh { Self::Nothing } else { Self::Key(key.id.0, now) }
    }

    /// The note that a key was used by somebody who asks for a credential.
    #[must_use]
    pub fn requester(requester: &Requester, now: DateTime<Utc>) -> Self {
        let stale = |at: Option<DateTime<Utc>>| at.is_none_or(|at| at <= now - TimeDelta::days(1));
        match requester.key {
            Some(key) if stale(key.last_used_at) => Self::Key(key.id.0, now),
            _ => Self::Nothing,
        }
    }

    /// The note that this token was used.
    #[must_use]
    pub fn token(token: &KnownToken, now: DateTime<Utc>) -> Self {
        let fresh = token.last_used_at.is_some_and(|at| at > now - TimeDelta::minutes(10));
        if fresh { Self::Nothing } else { Self::Token(token.id, now) }
    }

    /// The note that this token was used by git over HTTP.
    #[must_use]
    pub fn access_token(token: &AccessToken, now: DateTime<Utc>) -> Self {
        let fresh = token.last_used_at.is_some_and(|at| at > now - TimeDelta::minutes(10));
        if fresh { Self::Nothing } else { Self::Token(token.id, now) }
    }

    /// The note that this user was active.
    #[must_use]
    pub fn user(user: &AccessUser, now: DateTime<Utc>) -> Self {
        let fresh = user.last_activity_on.is_some_and(|on| on >= now.date_naive());
        if fresh { Self::Nothing } else { Self::User(user.id.0, now) }
    }
}

/// Where notes are left. Clones share the queue.
#[derive(Debug, Clone)]
pub struct LastUsedWriter(mpsc::Sender<LastUse>);

impl LastUsedWriter {
    /// A queue, and the task that empties it; the task ends after the last note once all clones are gone.
    #[must_use]
    pub fn start(db: impl Into<Db>) -> (Self, JoinHandle<()>) {
        let (sender, mut notes) = mpsc::channel(QUEUE);
        // To note twice what is so already changes nothing.
        let db = db.into().repeatable();
        let writer = tokio::spawn(async move {
            let mut batch = Vec::new();
            while notes.recv_many(&mut batch, QUEUE).await > 0 {
                if db.is_read_only() {
                    batch.clear();
                    continue;
                }
                match write(&db, &batch).await {
                    // The database's own troubles are in the log already.
                    Err(error) if error.is_about_the_database() => {
                        tracing::debug!(%error, notes = batch.len(), "could not note who was seen");
                    }
                    Err(error) => tracing::warn!(%error, notes = batch.len(), "could not note who was seen"),
                    Ok(()) => {}
                }
                batch.clear();
            }
        });
        (Self(sender), writer)
    }

    /// Leaves a note. Where too many wait already, it is dropped.
    pub fn note(&self, touch: LastUse) {
        if !matches!(touch, LastUse::Nothing) {
            let _ = self.0.try_send(touch);
        }
    }
}

async fn write(db: &Db, batch: &[LastUse]) -> Result<()> {
    let (mut keys, mut users, mut tokens, mut latest) = (Vec::new(), Vec::new(), Vec::new(), DateTime::<Utc>::MIN_UTC);
    for last_use in batch {
        let at = match *last_use {
            LastUse::Key(id, at) => {
                keys.push(id);
                at
            }
            LastUse::User(id, at) => {
                users.push(id);
                at
            }
            LastUse::Token(id, at) => {
                tokens.push(id);
                at
            }
            LastUse::Nothing => continue,
        };
        latest = latest.max(at);
    }
    if !keys.is_empty() {
        last_used::update_keys(db, &keys, latest).await?;
    }
    if !tokens.is_empty() {
        last_used::update_tokens(db, &tokens, latest).await?;
    }
    if !users.is_empty() {
        last_used::update_users(db, &users, latest.date_naive()).await?;
    }
    Ok(())
}
