//! A session of the Admin area: what its cookie holds, how long it lasts, and what it opens.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::presented_token::{PresentedToken, TokenNeed, TokenRejection};

/// A session that was not used for so long is over.
pub const IDLE: TimeDelta = TimeDelta::minutes(30);
/// A session is over after so long, however it was used.
pub const LONGEST: TimeDelta = TimeDelta::hours(12);
/// Uses of a session that follow each other within so long are written down once.
pub const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What the cookie holds: 32 bytes that nobody can guess, as letters.
#[must_use]
pub fn mint(random: [u8; 32]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(random)
}

/// What each form of a session sends beside its cookie. It is made of the cookie's text, so that no other session has
/// it, and does not tell it.
#[must_use]
pub fn form_token(secret: &str) -> String {
    let digest = Sha256::new().chain_update("gatehouse admin form\0").chain_update(secret).finalize();
    BASE64_URL_SAFE_NO_PAD.encode(digest)
}

/// A session, and the token that it was exchanged for.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// Whether it was opened with a token that may act.
    pub may_act: bool,
    /// When it was last used, as far as was noted.
    pub last_used_at: DateTime<Utc>,
    /// Its end, however it is used.
    pub expires_at: DateTime<Utc>,
    /// The token as it is now, and its owner.
    pub token: PresentedToken,
}

/// What a session opens now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRight {
    /// Looks at everything.
    Looks,
    /// Looks, and acts.
    Acts,
}

/// Why a session opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// It was not used for too long, or its time is over.
    TimedOut,
    /// Its token, or whose token it is, is good no more.
    Token(TokenRejection),
}

impl SessionFacts {
    /// What the session opens at this moment. Its token is judged anew each time: a session outlives neither its token
    /// nor its owner's rights.
    ///
    /// # Errors
    /// Why it opens nothing.
    pub fn judge(&self, now: DateTime<Utc>) -> Result<SessionRight, SessionEnd> {
        if now >= self.expires_at || now - self.last_used_at >= IDLE {
            return Err(SessionEnd::TimedOut);
        }
        self.token.judge(TokenNeed::AdminReads, now.date_naive()).map_err(SessionEnd::Token)?;
        Ok(if self.may_act && may_act(&self.token, now) { SessionRight::Acts } else { SessionRight::Looks })
    }

    /// Whether this use is to be written down.
    #[must_use]
    pub fn use_is_news(&self, now: DateTime<Utc>) -> bool {
        now - self.last_used_at >= USE_NOTED_EVERY
    }
}

/// Whether a token lets its bearer change something.
#[must_use]
pub fn may_act(token: &PresentedToken, now: DateTime<Utc>) -> bool {
    token.judge(TokenNeed::AdminWrites, now.date_naive()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::UserState;
    use crate::domain::ids::UserId;
    use crate::domain::presented_token::TokenOwner;
    use crate::domain::user_type::UserType;

    fn session(scope: &str) -> SessionFacts {
        let owner = TokenOwner {
            id: UserId(1),
            username: "root".to_owned(),
            state: UserState::Active,
            kind: UserType::Human,
            admin: true,
            external: false,
        };
        let token = PresentedToken {
            scopes: vec![scope.to_owned()],
            expires_at: None,
            revoked: false,
            admin_mode_enforced: false,
            owner,
        };
        let began = DateTime::UNIX_EPOCH;
        SessionFacts { may_act: scope == "api", last_used_at: began, expires_at: began + LONGEST, token }
    }

    #[test]
    fn a_session_ends_idle_and_ends_at_last() {
        let began = DateTime::UNIX_EPOCH;
        let mut facts = session("api");
        assert_eq!(facts.judge(began + TimeDelta::minutes(29)), Ok(SessionRight::Acts));
        assert_eq!(facts.judge(began + TimeDelta::minutes(30)), Err(SessionEnd::TimedOut));
        facts.last_used_at = began + LONGEST - TimeDelta::minutes(1);
        assert_eq!(facts.judge(began + LONGEST), Err(SessionEnd::TimedOut));
    }

    #[test]
    fn a_session_goes_with_its_token_and_with_its_owner() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(session("read_api").judge(now), Ok(SessionRight::Looks));
        let mut facts = session("api");
        facts.token.scopes = vec!["read_api".to_owned()];
        assert_eq!(facts.judge(now), Ok(SessionRight::Looks), "a token that lost its scope");
        let mut facts = session("api");
        facts.may_act = false;
        assert_eq!(facts.judge(now), Ok(SessionRight::Looks), "a session that never acted");
        let mut facts = session("api");
        facts.token.revoked = true;
        assert_eq!(facts.judge(now), Err(SessionEnd::Token(TokenRejection::Revoked)));
        let mut facts = session("api");
        facts.token.owner.admin = false;
        assert_eq!(facts.judge(now), Err(SessionEnd::Token(TokenRejection::NotAnAdmin)));
    }

    #[test]
    fn a_form_token_is_the_sessions_own_and_does_not_tell_it() {
        let (one, other) = (mint([1; 32]), mint([2; 32]));
        assert_ne!(form_token(&one), form_token(&other));
        assert_ne!(form_token(&one), one);
        assert_eq!(form_token(&one), form_token(&one));
    }
}
