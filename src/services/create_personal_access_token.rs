//! A personal access token for the user behind a key, or for one whom an operator names.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::audit_log;
use super::guard_call::{CallKey, CallTurn, GuardError, GuardedAnswer, IdempotencyGuard};
use super::{ServiceError, ServiceResult};
use crate::crypto::secrets::token_salt;
use crate::domain::audit::{AuditAuthor, AuditEvent, EventName};
use crate::domain::personal_access_token::{self, TokenCreationRefusal, TokenGrant, TokenPolicy, WantedToken};
use crate::domain::requester::Requester;
use crate::domain::token;
use crate::store::tokens::{self, TokenRow};
use crate::store::{Db, audit_events};

/// A token that was made: its text, which nobody will see again, and what it may do until when.
pub struct CreatedToken<'a> {
    /// The text.
    pub text: &'a SecretString,
    /// What was granted.
    pub grant: &'a TokenGrant,
}

/// A new token, or why there is none, once for all calls of this key; `render` says what is answered.
#[expect(clippy::too_many_arguments, reason = "each is of another kind")]
pub async fn create(
    db: &Db,
    guard: &IdempotencyGuard,
    db_key_base: &SecretString,
    key: CallKey,
    requester: &Requester,
    wanted: WantedToken<'_>,
    now: DateTime<Utc>,
    render: impl FnOnce(Result<CreatedToken<'_>, TokenCreationRefusal>) -> SecretString,
) -> Result<GuardedAnswer, GuardError> {
    let policy = tokens::find_policy(db.pool(), requester.account.as_ref().map(|account| account.id)).await?;
    let decision = personal_access_token::decide(requester, wanted, &policy, now.date_naive());
    let mut call = match guard.begin(key, now).await? {
        CallTurn::First(call) => call,
        CallTurn::Again(answer) => return Ok(answer),
    };
    let grant = match decision {
        Ok(grant) => grant,
        Err(refusal) => {
            let event = AuditEvent::of(requester, EventName::TokenRefused, refusal.to_string());
            return call.finish(render(Err(refusal)), event).await;
        }
    };
    let (text, row) = mint(&grant, &policy, db_key_base);
    let id = tokens::insert(call.connection(), grant.user, &row).await?;
    let event = AuditEvent::of(requester, EventName::TokenIssued, format!("Scopes: {}", grant.scopes.join(", ")));
    let answer = render(Ok(CreatedToken { text: &text, grant: &grant }));
    call.finish(answer, event.with_target("PersonalAccessToken", id, row.name)).await
}

/// A token that was made for a user whom an operator names.
#[derive(Debug)]
pub struct IssuedToken {
    /// Its id.
    pub id: i64,
    /// Its text, which nobody will see again.
    pub text: SecretString,
    /// What was granted.
    pub grant: TokenGrant,
}

/// A new token for this user, by the rules that hold for what they ask for themselves. Who does it on the command line is
/// nobody that we know.
pub async fn issue(
    db: &Db,
    db_key_base: &SecretString,
    whose: &Requester,
    wanted: WantedToken<'_>,
    now: DateTime<Utc>,
) -> ServiceResult<IssuedToken, TokenCreationRefusal> {
    let policy = tokens::find_policy(db.pool(), whose.account.as_ref().map(|account| account.id)).await?;
    let decision = personal_access_token::decide(whose, wanted, &policy, now.date_naive());
    let grant = decision.map_err(ServiceError::Refused)?;
    let (text, row) = mint(&grant, &policy, db_key_base);
    let mut transaction = db.begin().await?;
    let id = tokens::insert(&mut *transaction, grant.user, &row).await?;
    let event = AuditEvent::of(whose, EventName::TokenIssued, format!("Scopes: {}", grant.scopes.join(", ")));
    let event = AuditEvent { author: AuditAuthor::Unknown, ..event }.with_target("PersonalAccessToken", id, row.name);
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(IssuedToken { id, text, grant })
}

/// A token that nobody can guess, and its row.
fn mint(grant: &TokenGrant, policy: &TokenPolicy, db_key_base: &SecretString) -> (SecretString, TokenRow) {
    let text = SecretString::from(token::mint(&policy.prefix, rand::random()));
    let row = TokenRow {
        id: 0,
        name: grant.name.clone(),
        token_digest: token::digest(text.expose_secret(), token_salt(db_key_base)),
        scopes: token::scopes_to_yaml(&grant.scopes),
        expires_at: grant.expires_at,
        revoked: false,
    };
    (text, row)
}
