//! A push has happened: keep that, and find what the person who pushed should read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::settle_default_branch;
use crate::domain::access::ActorName;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::push::{self, is_zero};
use crate::domain::push_messages::{self, MessageFacts};
use crate::domain::repository::GlRepository;
use crate::gitaly::{CallContext, GitalyClient};
use crate::store::received_pushes::{self, ReceivedPush};
use crate::store::{
    self, Db, actors, default_branches, jobs, post_push_messages, push_message_facts, reference_counters, repositories,
};

/// What Gitaly may take to say where HEAD is after a first push; the person who pushed waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What pushes are reported to.
#[derive(Debug)]
pub struct PushReporter {
    /// The database, for pushes.
    pub db: Db,
    /// What says where HEAD is after a first push.
    pub gitaly: GitalyClient,
    /// The installation's URL.
    pub url: String,
    /// Whether links to merge requests are printed after a push.
    pub mr_links: bool,
}

/// Keeps the push, and with it in one transaction its job, its count and the messages that waited for it. A report that
/// comes twice is kept once. What the messages depend on is found out afterwards.
pub async fn report(
    reporter: &PushReporter,
    key: &[u8],
    repository: GlRepository,
    push: &ReceivedPush,
) -> store::Result<MessageFacts> {
    let user = actors::find_acting_user(reporter.db.pool(), &ActorName::identified(&push.identifier)).await?;
    let user = user.map(|user| user.id);
    let first = first_push(reporter, repository, push).await?;
    // Gitaly never repeats a report, so we do; a push that is kept already is known by its key.
    let keep = || keep(reporter, key, push, user, first.as_ref());
    let stored = store::settled(&reporter.db, keep).await?;
    Ok(message_facts(reporter, push, repository, user, stored).await)
}

/// What the first push of a project says of its default branch.
enum FirstPush {
    /// It is this one from now on, and the push has made it, or it was there before.
    Settles { name: String, made: bool },
    /// Gitaly does not say.
    Unanswered,
}

/// What a push says of a default branch that nobody has settled yet.
async fn first_push(
    reporter: &PushReporter,
    repository: GlRepository,
    push: &ReceivedPush,
) -> store::Result<Option<(ProjectId, FirstPush)>> {
    let GlRepository::Project(project) = repository else { return Ok(None) };
    let made: Vec<&str> = push::parse(&push.changes)
        .filter(|change| is_zero(change.old))
        .filter_map(|change| change.pushed_branch())
        .collect();
    if made.is_empty() {
        return Ok(None);
    }
    let db = reporter.db.pool();
    let known = default_branches::find(db, project).await?;
    let named = match known {
        Some(branch) if branch.born => return Ok(None),
        Some(branch) if made.contains(&branch.name.as_str()) => {
            return Ok(Some((project, FirstPush::Settles { name: branch.name, made: true })));
        }
        known => known.map(|branch| branch.name),
    };
    let Some(places) = repositories::find(db, project).await? else { return Ok(None) };
    let context = CallContext::new("post_receive", Instant::now() + PATIENCE);
    let asked = async { reporter.gitaly.repository(places.code(), context)?.head().await };
    match asked.await {
        Ok(head) => {
            let initial = match named {
                Some(name) => name,
                None => default_branches::find_initial(db, project).await?,
            };
            // What HEAD named before this push was there; as long as it names nothing, all pushes are first ones.
            let new = |name: &str| made.contains(&name) || !head.is_born();
            let settles = |name: &str| FirstPush::Settles { name: name.to_owned(), made: new(name) };
            Ok(head.default_after(&made, &initial).map(|name| (project, settles(name))))
        }
        Err(error) => {
            // The push must be kept at once; its job asks until there is an answer.
            tracing::warn!(%error, project.id = project.0, "the default branch of a first push is settled later");
            Ok(Some((project, FirstPush::Unanswered)))
        }
    }
}

/// All that must not be lost, or done twice. The counter comes last: pushes to one repository meet there.
async fn keep(
    reporter: &PushReporter,
    key: &[u8],
    push: &ReceivedPush,
    user: Option<UserId>,
    first: Option<&(ProjectId, FirstPush)>,
) -> store::Result<Vec<String>> {
    let now = push.received_at;
    let mut transaction = reporter.db.begin().await?;
    let id = received_pushes::insert(&mut *transaction, key, push).await?;
    if let Some(id) = id {
        jobs::insert_post_receive(&mut *transaction, id).await?;
        match first {
            Some((project, FirstPush::Settles { name, made })) => {
                settle_default_branch::settle(&mut transaction, *project, name, *made, now).await?;
            }
            Some((project, FirstPush::Unanswered)) => {
                default_branches::insert_unsettled(&mut *transaction, *project, now).await?;
            }
            None => {}
        }
    }
    let stored = match user {
        Some(user) => post_push_messages::take(&mut *transaction, user, &push.gl_repository, now).await?,
        None => Vec::new(),
    };
    if id.is_some() {
        reference_counters::decrease(&mut *transaction, &push.gl_repository, now).await?;
    }
    transaction.commit().await?;
    Ok(stored)
}

/// What the messages depend on. The push is kept by now: what cannot be loaded is left out, and the rest is said.
async fn message_facts(
    reporter: &PushReporter,
    push: &ReceivedPush,
    repository: GlRepository,
    user: Option<UserId>,
    stored: Vec<String>,
) -> MessageFacts {
    let db = reporter.db.pool();
    let project = or_nothing(push_message_facts::find_project(db, repository, user).await);
    let (project_id, project) = project.unzip();
    let banners = or_nothing(push_message_facts::list_banners(db, push.received_at).await);
    let (url, links) = (reporter.url.clone(), reporter.mr_links);
    let merge_requests = BTreeMap::new();
    let mut facts = MessageFacts { url, links, repository, user, project, banners, merge_requests, stored };
    let branches = push_messages::linked_branches(&facts, &push.changes);
    if let Some(project) = project_id.filter(|_| !branches.is_empty()) {
        // A link to make a merge request would contradict one that is there, so without an answer there is none.
        let found = or_nothing(push_message_facts::list_merge_requests(db, project, &branches).await.map(Some));
        facts.links &= found.is_some();
        facts.merge_requests = found.unwrap_or_default();
    }
    facts
}

fn or_nothing<T: Default>(loaded: store::Result<T>) -> T {
    loaded.unwrap_or_else(|error| {
        tracing::warn!(%error, "a message after a push is left out");
        T::default()
    })
}
