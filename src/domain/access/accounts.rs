//! May the account use git at all?

use chrono::TimeDelta;

use super::denial::AccountDenial;
use super::facts::{AccessFacts, AccessUser, EmailConfirmation, UserState};
use crate::domain::account_lock::is_locked;

/// Why the account may not use git, in the order of the contract (2.1).
#[must_use]
pub fn account_denial(facts: &AccessFacts, user: &AccessUser) -> Option<AccountDenial> {
    let old_enough = |at: chrono::DateTime<chrono::Utc>, age: TimeDelta| at + age <= facts.now;
    let unconfirmed = !user.confirmed
        && match facts.instance.email_confirmation {
            EmailConfirmation::Off => false,
            EmailConfirmation::Soft => user.created_at.is_none_or(|at| old_enough(at, TimeDelta::days(3))),
            EmailConfirmation::Hard => true,
        };
    let password_expired = user.password_expires_at.is_some_and(|at| at <= facts.now)
        && !(user.bot || user.password_automatically_set || user.ldap);
    let locked = user.locked_at.is_some_and(|at| is_locked(at, facts.now));
    if user.internal {
        Some(AccountDenial::Internal)
    } else if user.state == UserState::BlockedPendingApproval {
        Some(AccountDenial::PendingApproval)
    } else if facts.instance.enforce_terms && !user.terms_accepted && !user.bot {
        Some(AccountDenial::TermsNotAccepted(user.username.clone()))
    } else if user.state == UserState::Deactivated {
        Some(AccountDenial::Deactivated)
    } else if unconfirmed {
        Some(AccountDenial::Unconfirmed)
    } else if matches!(user.state, UserState::Blocked | UserState::Banned) {
        Some(AccountDenial::Blocked)
    } else if password_expired {
        Some(AccountDenial::PasswordExpired)
    } else if locked {
        Some(AccountDenial::Blocked)
    } else {
        None
    }
}
