//! A web hook is sent a sample, so that somebody sees whether its receiver takes it: the last push again.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::hook_payload::{self, InstallationUrls, PushPayload};
use super::outbound::{OutboundClient, UnsentReason};
use super::pushed_repositories::PushedRepositories;
use super::{ServiceError, ServiceResult, record_delivery};
use crate::domain::push::RefChange;
use crate::store::events::{self, LastPush};
use crate::store::web_hooks::{self, HookDelivery, HookOwner, ReceiverAnswer, StoredHook};
use crate::store::{Db, pushed_projects};

/// What tests are made with.
#[derive(Debug, Clone, Copy)]
pub struct HookTester<'a> {
    /// The database.
    pub db: &'a Db,
    /// What is asked about repositories.
    pub repositories: &'a PushedRepositories,
    /// The installation, as bodies name it.
    pub urls: &'a InstallationUrls,
    /// The way out.
    pub outbound: &'a OutboundClient,
    /// When.
    pub now: DateTime<Utc>,
}

/// What a hook can be tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookTrigger {
    /// A push to a branch.
    Push,
    /// A push of a tag.
    TagPush,
}

/// Why nothing was sent, or nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookTestRefusal {
    /// Nobody has pushed yet.
    NoPush,
    /// The receiver did not take it, or may not be reached.
    NotTaken(String),
}

/// Sends the hook a sample, and waits for its receiver.
pub async fn test(
    tester: HookTester<'_>,
    owner: HookOwner,
    stored: &StoredHook,
    trigger: HookTrigger,
) -> ServiceResult<(), HookTestRefusal> {
    let not_taken = |reason: &str| Err(ServiceError::Refused(HookTestRefusal::NotTaken(reason.to_owned())));
    let tags = trigger == HookTrigger::TagPush;
    let last = events::find_last_push(tester.db.pool(), owner, tags).await?;
    let Some(last) = last else { return Err(ServiceError::Refused(HookTestRefusal::NoPush)) };
    let Some((body, silent)) = sample(tester, &last).await? else {
        return Err(ServiceError::Refused(HookTestRefusal::NoPush));
    };
    if silent {
        return not_taken("The instance is in silent mode.");
    }
    let system = owner == HookOwner::Instance;
    let delivery = HookDelivery {
        hook: stored.id,
        system,
        url: stored.hook.url.clone(),
        token: stored.hook.token.clone(),
        enable_ssl_verification: stored.hook.enable_ssl_verification,
        trigger: if tags { "tag_push_hooks" } else { "push_hooks" }.to_owned(),
        event: Uuid::new_v4(),
        body: body.to_string(),
        egress: web_hooks::find_egress(tester.db.pool(), system).await?,
        silent,
        health: stored.health,
        created_at: tester.now,
    };
    let id = Uuid::new_v4();
    match tester.outbound.post(&id.to_string(), &delivery, &tester.urls.url).await {
        Ok(answer) => {
            let taken = matches!(answer.status, Some(200..=299));
            record_delivery::record(tester.db, id, &delivery, &answer, taken, tester.now).await?;
            match answer {
                _ if taken => Ok(()),
                ReceiverAnswer { status: Some(status), .. } => {
                    not_taken(&format!("Hook execution failed: the receiver answered {status}"))
                }
                ReceiverAnswer { status: None, .. } => not_taken("Hook execution failed"),
            }
        }
        // Where a name leads to in the network around us is nobody's business who tests a hook.
        Err(UnsentReason::Refused(_)) => {
            not_taken("Hook execution failed: Requests to the local network are not allowed")
        }
        Err(UnsentReason::Unreachable(_)) => not_taken("Hook execution failed: the receiver cannot be reached"),
    }
}

/// The body of the last push, and whether no hook is told anything now.
async fn sample(tester: HookTester<'_>, last: &LastPush) -> crate::store::Result<Option<(Value, bool)>> {
    let Some(project) = pushed_projects::find(tester.db.pool(), last.project).await? else { return Ok(None) };
    let Some(author) = pushed_projects::find_author(tester.db.pool(), last.author).await? else { return Ok(None) };
    let change = RefChange { old: &last.old, new: &last.new, name: &last.name };
    let brought = tester.repositories.brought(&project, change.name, change.old, change.new).await;
    let files = match &brought {
        Some(brought) => tester.repositories.changed_files(&project, &brought.commits).await,
        None => Vec::new(),
    };
    let protected = pushed_projects::find_protected_refs(tester.db.pool(), project.id).await?;
    let payload = PushPayload {
        project: &project,
        author: &author,
        change: &change,
        protected: protected.cover(&change),
        brought: brought.as_ref(),
        files: &files,
        push_options: &json!({}),
    };
    Ok(Some((hook_payload::push(tester.urls, &payload), project.silent)))
}
