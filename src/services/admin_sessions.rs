//! Sessions of the Admin area begin with a personal access token, and end.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{ServiceError, ServiceResult, audit_log};
use crate::domain::admin_session::{self, IDLE, LONGEST, SessionEnd, SessionRight};
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, AuditTarget, EventAuthor, EventName};
use crate::domain::ids::UserId;
use crate::domain::presented_token::{TokenNeed, TokenRejection};
use crate::domain::token;
use crate::store::admin_sessions::{self, NewSession};
use crate::store::tokens::{self, KnownToken};
use crate::store::{self, Db, audit_events};

/// The browser at the other end.
#[derive(Debug, Clone, Default)]
pub struct AdminClient {
    /// Where it is.
    pub ip_address: Option<IpAddr>,
    /// What it calls itself.
    pub user_agent: String,
}

/// An administrator who does something in the Admin area, for the audit events.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// Their id.
    pub id: UserId,
    /// Their username.
    pub username: String,
    /// Where they are.
    pub ip_address: Option<IpAddr>,
}

impl Administrator {
    /// What they did to somebody or something.
    #[must_use]
    pub fn event(&self, name: EventName, entity: AuditEntity, message: impl Into<String>) -> AuditEvent {
        AuditEvent {
            name,
            author: AuditAuthor::User(self.id, self.username.clone()),
            entity,
            target: None,
            message: message.into(),
            ip_address: self.ip_address,
        }
    }
}

impl EventAuthor for Administrator {
    fn did(&self, name: EventName, entity: AuditEntity, message: String) -> AuditEvent {
        self.event(name, entity, message)
    }
}

/// A session that is good now.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// Its id.
    pub id: i64,
    /// What it opens.
    pub right: SessionRight,
    /// Whose it is.
    pub user: UserId,
    /// Their username.
    pub username: String,
}

/// Why nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInRefusal {
    /// There is no such token.
    Unknown,
    /// There is, and it does not do.
    Token(TokenRejection),
}

/// Begins a session of the bearer of this token: what its cookie holds.
pub async fn open(
    db: &Db,
    presented: &str,
    salt: &str,
    client: &AdminClient,
    secret: [u8; 32],
    now: DateTime<Utc>,
) -> ServiceResult<String, SignInRefusal> {
    let token = tokens::find_known(db.pool(), &token::digest(presented, salt)).await?;
    let refusal = match &token {
        None => Some(SignInRefusal::Unknown),
        Some(token) => {
            let verdict = token.presented.judge(TokenNeed::AdminReads, now.date_naive());
            verdict.err().map(SignInRefusal::Token)
        }
    };
    let (None, Some(token)) = (&refusal, &token) else {
        let refusal = refusal.unwrap_or(SignInRefusal::Unknown);
        audit_log::record(db, &refused(token.as_ref(), &refusal, client), now).await?;
        return Err(ServiceError::Refused(refusal));
    };
    let secret = admin_session::mint(secret);
    let owner = &token.presented.owner;
    let session = NewSession {
        digest: &token::sha256(&secret),
        user: owner.id,
        token: token.id,
        may_act: admin_session::may_act(&token.presented, now),
        ip_address: client.ip_address,
        user_agent: &client.user_agent,
        expires_at: now + LONGEST,
    };
    let words = if session.may_act { "looks and acts" } else { "looks" };
    let event = AuditEvent {
        name: EventName::AdminSignedIn,
        author: AuditAuthor::User(owner.id, owner.username.clone()),
        entity: AuditEntity::User(owner.id, owner.username.clone()),
        target: Some(target(token)),
        message: format!("Signed in to the Admin area, {words}"),
        ip_address: client.ip_address,
    };
    let mut transaction = db.begin().await?;
    admin_sessions::delete_ended(&mut *transaction, now, now - IDLE).await?;
    admin_sessions::insert(&mut *transaction, &session, now).await?;
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(secret)
}

/// The session whose cookie holds this, where it is good; its use is noted.
///
/// # Errors
/// Where the database does not answer. A note that cannot be written is none.
pub async fn find(db: &Db, secret: &str, now: DateTime<Utc>) -> store::Result<Option<Result<OpenSession, SessionEnd>>> {
    let Some(session) = admin_sessions::find(db.pool(), &token::sha256(secret)).await? else { return Ok(None) };
    let right = match session.facts.judge(now) {
        Ok(right) => right,
        Err(end) => return Ok(Some(Err(end))),
    };
    if session.facts.use_is_news(now)
        && let Err(error) = admin_sessions::update_last_used(db.pool(), session.id, now).await
    {
        tracing::warn!(%error, "the use of a session of the Admin area is not noted");
    }
    let owner = session.facts.token.owner;
    Ok(Some(Ok(OpenSession { id: session.id, right, user: owner.id, username: owner.username })))
}

/// Ends a session; false where there is no such session.
pub async fn end(db: &Db, id: i64, by: &Administrator, message: &str, now: DateTime<Utc>) -> store::Result<bool> {
    let mut transaction = db.begin().await?;
    let Some((user, username)) = admin_sessions::delete(&mut *transaction, id).await? else { return Ok(false) };
    let event = by.event(EventName::AdminSessionEnded, AuditEntity::User(user, username), message);
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(true)
}

fn refused(token: Option<&KnownToken>, refusal: &SignInRefusal, client: &AdminClient) -> AuditEvent {
    let owner = token.map(|token| &token.presented.owner);
    let message = match refusal {
        SignInRefusal::Unknown => "No such token",
        SignInRefusal::Token(TokenRejection::Expired) => "The token has expired",
        SignInRefusal::Token(TokenRejection::Revoked) => "The token was revoked",
        SignInRefusal::Token(TokenRejection::Account(_)) => "The account may not act",
        SignInRefusal::Token(TokenRejection::Scope(_)) => "The token lacks the scope read_api",
        SignInRefusal::Token(TokenRejection::NotAnAdmin) => "Not an administrator",
    };
    AuditEvent {
        name: EventName::AdminSignInRefused,
        author: owner.map_or(AuditAuthor::Unknown, |owner| AuditAuthor::User(owner.id, owner.username.clone())),
        entity: owner.map_or(AuditEntity::Instance, |owner| AuditEntity::User(owner.id, owner.username.clone())),
        target: token.map(target),
        message: message.to_owned(),
        ip_address: client.ip_address,
    }
}

fn target(token: &KnownToken) -> AuditTarget {
    AuditTarget { kind: "PersonalAccessToken", id: token.id, details: token.name.clone() }
}
