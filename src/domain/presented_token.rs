//! A personal access token that somebody presents: does it let them in? (provisioning.md 1.3)

use chrono::NaiveDate;

use super::access::{AccountDenial, UserState};
use super::ids::UserId;
use super::user_type::UserType;

/// A token that is known, and whose it is.
#[derive(Debug, Clone)]
pub struct PresentedToken {
    /// What it may do.
    pub scopes: Vec<String>,
    /// From this day on it is dead.
    pub expires_at: Option<NaiveDate>,
    /// It was taken back.
    pub revoked: bool,
    /// The instance asks administrators for the scope `admin_mode` as well.
    pub admin_mode_enforced: bool,
    /// Whose it is.
    pub owner: TokenOwner,
}

/// Whose token it is.
#[derive(Debug, Clone)]
pub struct TokenOwner {
    /// Their id.
    pub id: UserId,
    /// Their name on this installation.
    pub username: String,
    /// Whether they may act at all.
    pub state: UserState,
    /// What kind of account it is.
    pub kind: UserType,
    /// Administrators.
    pub admin: bool,
    /// External users, for whom what is internal is not.
    pub external: bool,
}

/// Why a token does not let its bearer in. Each is answered in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRejection {
    /// Its last day is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// Its owner's account may not act.
    Account(AccountDenial),
    /// It may do other things, but not this, for which it would need one of these scopes.
    Scope(&'static str),
    /// Its owner is no administrator.
    NotAnAdmin,
}

/// The scopes that open the public API, as GitLab names them to whoever lacks them.
pub const API_SCOPES: &str = "api read_api";

/// What a request needs a token to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenNeed {
    /// Any token: it may look at itself, and end itself.
    Any,
    /// Anybody's, to read.
    Reads,
    /// An administrator's, to read.
    AdminReads,
    /// An administrator's, to change something.
    AdminWrites,
}

impl TokenOwner {
    /// Why the account may not act, in the order of the contract.
    #[must_use]
    pub fn denial(&self) -> Option<AccountDenial> {
        match self.state {
            UserState::Blocked | UserState::Banned => Some(AccountDenial::Blocked),
            UserState::Deactivated => Some(AccountDenial::Deactivated),
            UserState::BlockedPendingApproval => Some(AccountDenial::PendingApproval),
            UserState::Active => self.kind.is_internal().then_some(AccountDenial::Internal),
        }
    }
}

impl PresentedToken {
    /// Whether its bearer may do what is needed. The reasons against it stand in the order of the contract.
    pub fn judge(&self, need: TokenNeed, today: NaiveDate) -> Result<(), TokenRejection> {
        if self.expires_at.is_some_and(|day| day <= today) {
            return Err(TokenRejection::Expired);
        }
        if self.revoked {
            return Err(TokenRejection::Revoked);
        }
        if let Some(denial) = self.owner.denial() {
            return Err(TokenRejection::Account(denial));
        }
        let may = |scope: &str| self.scopes.iter().any(|held| held == scope);
        let in_scope = match need {
            TokenNeed::Any => return Ok(()),
            TokenNeed::Reads | TokenNeed::AdminReads => may("api") || may("read_api"),
            TokenNeed::AdminWrites => may("api"),
        };
        if !in_scope {
            Err(TokenRejection::Scope(API_SCOPES))
        } else if need == TokenNeed::Reads || self.is_administrators() {
            Ok(())
        } else {
            Err(TokenRejection::NotAnAdmin)
        }
    }

    /// Whether its bearer is an administrator, and may be one by this token.
    #[must_use]
    pub fn is_administrators(&self) -> bool {
        self.makes_administrator(&self.owner)
    }

    /// Whether this account, which somebody acts as by this token, is an administrator's, and may be one by it.
    #[must_use]
    pub fn makes_administrator(&self, account: &TokenOwner) -> bool {
        account.admin && (!self.admin_mode_enforced || self.scopes.iter().any(|scope| scope == "admin_mode"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(change: impl FnOnce(&mut PresentedToken)) -> PresentedToken {
        let owner = TokenOwner {
            id: UserId(1),
            username: "root".to_owned(),
            state: UserState::Active,
            kind: UserType::Human,
            admin: true,
            external: false,
        };
        let mut token = PresentedToken {
            scopes: vec!["api".to_owned()],
            expires_at: None,
            revoked: false,
            admin_mode_enforced: false,
            owner,
        };
        change(&mut token);
        token
    }

    #[test]
    fn the_first_reason_against_a_token_counts() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let judge = |change: fn(&mut PresentedToken), need| token(change).judge(need, today);
        assert_eq!(judge(|_| {}, TokenNeed::AdminWrites), Ok(()));
        assert_eq!(
            judge(
                |token| (token.expires_at, token.revoked) = (NaiveDate::from_ymd_opt(2026, 11, 21), true),
                TokenNeed::Any
            ),
            Err(TokenRejection::Expired)
        );
        assert_eq!(judge(|token| token.expires_at = NaiveDate::from_ymd_opt(2026, 11, 22), TokenNeed::Any), Ok(()));
        assert_eq!(judge(|token| token.revoked = true, TokenNeed::Any), Err(TokenRejection::Revoked));
        assert_eq!(
            judge(|token| token.owner.state = UserState::Banned, TokenNeed::Any),
            Err(TokenRejection::Account(AccountDenial::Blocked))
        );
        assert_eq!(
            judge(|token| token.owner.kind = UserType::Ghost, TokenNeed::Any),
            Err(TokenRejection::Account(AccountDenial::Internal))
        );
        let read_api = |token: &mut PresentedToken| token.scopes = vec!["read_api".to_owned()];
        assert_eq!(judge(read_api, TokenNeed::AdminReads), Ok(()));
        assert_eq!(judge(read_api, TokenNeed::AdminWrites), Err(TokenRejection::Scope(API_SCOPES)));
        assert_eq!(judge(|token| token.owner.admin = false, TokenNeed::AdminReads), Err(TokenRejection::NotAnAdmin));
        assert_eq!(judge(|token| token.owner.admin = false, TokenNeed::Reads), Ok(()));
        assert_eq!(judge(|token| token.scopes.clear(), TokenNeed::Reads), Err(TokenRejection::Scope(API_SCOPES)));
        assert_eq!(
            judge(|token| token.admin_mode_enforced = true, TokenNeed::AdminWrites),
            Err(TokenRejection::NotAnAdmin)
        );
        let with_admin_mode = |token: &mut PresentedToken| {
            token.admin_mode_enforced = true;
            token.scopes.push("admin_mode".to_owned());
        };
        assert_eq!(judge(with_admin_mode, TokenNeed::AdminWrites), Ok(()));
    }
}
