//! A personal access token for the user behind a key.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::guard_call::{CallKey, CallTurn, GuardError, GuardedAnswer, IdempotencyGuard};
use crate::crypto::secrets::token_salt;
use crate::domain::audit::{AuditEvent, EventName};
use crate::domain::personal_access_token::{self, TokenCreationRefusal, TokenGrant, WantedToken};
use crate::domain::requester::Requester;
use crate::domain::token;
use crate::store::Db;
use crate::store::tokens::{self, TokenRow};

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
    let text = SecretString::from(token::mint(&policy.prefix, rand::random()));
    let row = TokenRow {
        id: 0,
        name: grant.name.clone(),
        token_digest: token::digest(text.expose_secret(), token_salt(db_key_base)),
        scopes: token::scopes_to_yaml(&grant.scopes),
        expires_at: grant.expires_at,
        revoked: false,
    };
    let id = tokens::insert(call.connection(), grant.user, &row).await?;
    let event = AuditEvent::of(requester, EventName::TokenIssued, format!("Scopes: {}", grant.scopes.join(", ")));
    let answer = render(Ok(CreatedToken { text: &text, grant: &grant }));
    call.finish(answer, event.with_target("PersonalAccessToken", id, row.name)).await
}
