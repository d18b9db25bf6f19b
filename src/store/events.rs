//! What happened, for activity feeds.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use super::web_hooks::HookOwner;
use crate::domain::ids::{ProjectId, PushId, UserId};
use crate::domain::push::{RefAction, RefType};

/// `events.action` of a push.
const PUSHED: i16 = 5;
/// Characters of a commit's title at most.
const TITLE: usize = 70;

/// One event of a push.
#[derive(Debug)]
pub struct PushEvent<'a> {
    /// The push, and which of its events this is: the two make it unique.
    pub push: (PushId, usize),
    /// Where.
    pub project: ProjectId,
    /// Who.
    pub author: UserId,
    /// When.
    pub at: DateTime<Utc>,
    /// What became of the ref, or of all of them.
    pub action: RefAction,
    /// What kind of ref.
    pub ref_type: RefType,
    /// One ref, or how many of them.
    pub refs: EventRefs<'a>,
}

/// What an event is about.
#[derive(Debug)]
pub enum EventRefs<'a> {
    /// One ref.
    One {
        /// Its name, without what says its type.
        name: &'a str,
        /// The object before, in hex; none where the ref is new.
        from: Option<&'a str>,
        /// The object after, in hex; none where the ref is gone.
        to: Option<&'a str>,
        /// How many commits that brought.
        commit_count: i64,
        /// The title of the newest of them.
        commit_title: Option<&'a str>,
    },
    /// So many that each by itself would say nothing.
    Many(i32),
}

/// Writes an event of a push. Where it is written already, nothing happens.
pub async fn insert_push(db: impl PgExecutor<'_>, event: &PushEvent<'_>) -> Result<()> {
    let fingerprint = format!("push:{}:{}", event.push.0, event.push.1).into_bytes();
    let (name, from, to, commit_count, title, ref_count) = match event.refs {
        EventRefs::One { name, from, to, commit_count, commit_title } => {
            (Some(name), from.and_then(bytes), to.and_then(bytes), commit_count, commit_title, None)
        }
        EventRefs::Many(count) => (None, None, None, 0, None, Some(count)),
    };
    sqlx::query!(
        "with event as (
           insert into events (project_id, author_id, action, fingerprint, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $5)
           on conflict do nothing
           returning id
         )
         insert into push_event_payloads (
           event_id, commit_count, action, ref_type, commit_from, commit_to, ref, commit_title, ref_count, project_id
         )
         select id, $6, $7, $8, $9, $10, $11, $12, $13, $1
         from event",
        event.project.0,
        event.author.0,
        PUSHED,
        fingerprint,
        event.at,
        commit_count,
        match event.action {
            RefAction::Created => 0,
            RefAction::Removed => 1,
            RefAction::Pushed => 2,
        },
        match event.ref_type {
            RefType::Branch => 0,
            RefType::Tag => 1,
        },
        from,
        to,
        name,
        title.map(|title| title.chars().take(TITLE).collect::<String>()),
        ref_count,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last push that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPush {
    /// Where.
    pub project: ProjectId,
    /// Who.
    pub author: UserId,
    /// The full name of the ref.
    pub name: String,
    /// The object before, in hex; zeros where the ref was new.
    pub old: String,
    /// The object after, in hex.
    pub new: String,
}

/// The last push to branches, or of `tags`, that hooks of this owner can have been told of.
pub async fn find_last_push(db: impl PgExecutor<'_>, owner: HookOwner, tags: bool) -> Result<Option<LastPush>> {
    let (project, group) = match owner {
        HookOwner::Project(id) => (Some(id.0), None),
        HookOwner::Group(id) => (None, Some(id.0)),
        HookOwner::Instance => (None, None),
    };
    let row = sqlx::query!(
        r#"
        select
          push.project_id as "project_id!",
          push.author_id as "author_id!",
          push.name as "name!",
          push.old,
          push.new as "new!"
        from projects
        left join namespaces on namespaces.id = projects.namespace_id
        cross join lateral (
          select
            events.id,
            events.project_id,
            events.author_id,
            payloads.ref as name,
            encode(payloads.commit_from, 'hex') as old,
            encode(payloads.commit_to, 'hex') as new
          from events
          join push_event_payloads as payloads on payloads.event_id = events.id
          where events.project_id = projects.id
            -- As in the index: a push.
            and events.action = 5
            and payloads.ref_type = case when $3 then 1 else 0 end
            and payloads.commit_to is not null
            and payloads.ref is not null
          order by events.id desc
          limit 1
        ) as push
        where (
            projects.id = $1
            or namespaces.traversal_ids @> array[$2::bigint]
            or $4
          )
        order by push.id desc
        limit 1
        "#,
        project,
        group,
        tags,
        owner == HookOwner::Instance
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| LastPush {
        project: ProjectId(row.project_id),
        author: UserId(row.author_id),
        name: format!("refs/{}/{}", if tags { "tags" } else { "heads" }, row.name),
        old: row.old.unwrap_or_else(|| "0".repeat(row.new.len())),
        new: row.new,
    }))
}

/// The bytes of an object id; none where it is no hex, as from a client that we do not know.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len() % 2 == 0)?;
    pairs.chunks_exact(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_are_kept_as_bytes() {
        assert_eq!(bytes("00ff1A"), Some(vec![0, 255, 26]));
        assert_eq!(bytes("0"), None);
        assert_eq!(bytes("zz"), None);
    }
}
