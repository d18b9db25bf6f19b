//! What is kept of an attempt that was refused.

use crate::domain::access::refs::{ObjectId, RefUpdate};
use crate::domain::access::{AccessFacts, AccessTarget, ActorName, Attempt, ClientIp, GitCommand, PushChanges};
use crate::store::access_refusals::AccessRefusal;

/// The refusal by this rule, with what the user was told and, of a push, the ref that was refused.
#[must_use]
pub fn record(
    attempt: &Attempt,
    facts: &AccessFacts,
    correlation_id: &str,
    rule: &str,
    message: &str,
    refused: Option<&RefUpdate>,
) -> AccessRefusal {
    let first = match &attempt.changes {
        PushChanges::Lines(lines) => {
            let end = lines.find('\n').map_or(lines.len(), |end| end + 1);
            RefUpdate::list(&lines[..end]).ok().and_then(|updates| updates.into_iter().next())
        }
        PushChanges::None | PushChanges::Any => None,
    };
    let update = refused.or(first.as_ref());
    let id = |id: Option<&ObjectId>| id.map(|id| id.as_str().to_owned());
    AccessRefusal {
        created_at: facts.now,
        rule: rule.to_owned(),
        message: message.to_owned(),
        actor: match &attempt.actor {
            ActorName::Key(id) => format!("key-{id}"),
            ActorName::User(id) => format!("user-{id}"),
            ActorName::Username(name) | ActorName::Kerberos(name) => name.clone(),
            ActorName::Credential(credential) => credential.login.clone(),
            ActorName::Nobody => "nobody".to_owned(),
        },
        user: facts.user.as_ref().map(|user| user.id),
        username: facts.user.as_ref().map(|user| user.username.clone()),
        target: match &attempt.target {
            AccessTarget::Path(path) => path.as_str().to_owned(),
            AccessTarget::Repository(repository) => repository.to_string(),
        },
        project: facts.project.as_ref().map(|project| project.id),
        command: match attempt.command {
            GitCommand::Download => "git-upload-pack",
            GitCommand::Push => "git-receive-pack",
            GitCommand::Unknown => "unknown",
        }
        .to_owned(),
        protocol: attempt.protocol.as_str().to_owned(),
        ref_name: update.map(|update| update.name.to_string()),
        old_id: update.and_then(|update| id(update.old.as_ref())),
        new_id: update.and_then(|update| id(update.new.as_ref())),
        client_ip: match attempt.client_ip {
            Some(ClientIp::Known(ip)) => Some(ip),
            Some(ClientIp::Garbage) | None => None,
        },
        correlation_id: correlation_id.to_owned(),
        skipped: 0,
    }
}
