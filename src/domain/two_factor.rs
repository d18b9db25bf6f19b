//! Second factors: who may have recovery codes, who may show a one-time password, and whether it is right.

use std::fmt;

use chrono::{DateTime, Utc};
use totp_rs::{Algorithm, Builder, Secret};

use super::ids::KeyId;
use super::requester::{Requester, RequesterAccount, UnknownRequester};

/// Recovery codes that a user gets at once.
pub const RECOVERY_CODES: usize = 10;

/// Why a second factor was refused. `Display` is what users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwoFactorRefusal {
    /// The installation asks for no second factor before git.
    NotAvailable,
    /// There is no account to speak of.
    Unknown(UnknownRequester),
    /// A deploy key asks for recovery codes.
    DeployKeyForCodes,
    /// A deploy key shows a one-time password.
    DeployKeyForOtp,
    /// The account has no second factor.
    NotEnabled,
    /// The account may not log in now.
    Locked,
    /// The one-time password is wrong, or was used before.
    InvalidOtp,
}

impl fmt::Display for TwoFactorRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotAvailable => "Feature is not available",
            Self::Unknown(unknown) => return unknown.fmt(out),
            Self::DeployKeyForCodes => "Deploy keys cannot be used to retrieve recovery codes",
            Self::DeployKeyForOtp => "Deploy keys cannot be used for Two Factor",
            Self::NotEnabled => "Two-factor authentication is not enabled for this user",
            Self::Locked => "Your account is locked",
            Self::InvalidOtp => "Invalid OTP",
        })
    }
}

/// Whose recovery codes are replaced (shell.md 2.6).
pub fn recoverer(requester: &Requester) -> Result<&RequesterAccount, TwoFactorRefusal> {
    if requester.is_deploy_key() {
        return Err(TwoFactorRefusal::DeployKeyForCodes);
    }
    let account = requester.account().map_err(TwoFactorRefusal::Unknown)?;
    if account.two_factor { Ok(account) } else { Err(TwoFactorRefusal::NotEnabled) }
}

/// Whose one-time password is checked, and the key that it opens (shell.md 2.8).
pub fn verifier(requester: &Requester, now: DateTime<Utc>) -> Result<(KeyId, &RequesterAccount), TwoFactorRefusal> {
    // A user without a key has nothing that a session could belong to.
    let key = requester.key.ok_or(TwoFactorRefusal::Unknown(UnknownRequester::Key))?;
    if key.deploy {
        return Err(TwoFactorRefusal::DeployKeyForOtp);
    }
    let account = requester.account().map_err(TwoFactorRefusal::Unknown)?;
    if !account.two_factor {
        Err(TwoFactorRefusal::NotEnabled)
    } else if !account.may_log_in(now) {
        Err(TwoFactorRefusal::Locked)
    } else {
        Ok((key.id, account))
    }
}

/// Whether git over SSH asks for a second factor behind this key (shell.md 2.10).
///
/// # Errors
/// Where nobody is found behind it.
pub fn is_required(requester: &Requester) -> Result<bool, TwoFactorRefusal> {
    if requester.is_deploy_key() {
        return Ok(false);
    }
    requester.key.ok_or(TwoFactorRefusal::Unknown(UnknownRequester::Key))?;
    Ok(requester.account().map_err(TwoFactorRefusal::Unknown)?.two_factor)
}

/// The time step that the one-time password belongs to, now or a step away: six digits of HMAC-SHA-1 every 30 seconds.
#[must_use]
pub fn matching_step(base32: &str, attempt: &str, now: DateTime<Utc>) -> Option<i32> {
    let secret = secret(base32)?;
    let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1).with_step_duration(30);
    // The RFC asks for 128 bits; whoever set up a shorter secret can use it all the same.
    let totp = totp.with_secret(secret).build_noncompliant();
    let step = totp.check(&without_space(attempt), u64::try_from(now.timestamp()).ok()?)?;
    i32::try_from(step).ok()
}

/// Whether the text is a secret that an authenticator can hold.
#[must_use]
pub fn is_secret(base32: &str) -> bool {
    secret(base32).is_some()
}

fn secret(base32: &str) -> Option<Secret> {
    let text = without_space(base32).to_ascii_uppercase();
    Secret::try_from_base32(text.trim_end_matches('=')).ok().filter(|secret| !secret.as_bytes().is_empty())
}

fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}

/// A recovery code: 16 hex digits.
#[must_use]
pub fn recovery_code(random: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B: 12345678901234567890.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn a_code_of_the_rfc_is_right_for_its_step_and_one_around() {
        let step = |attempt: &str, at: i64| matching_step(SECRET, attempt, DateTime::from_timestamp(at, 0).unwrap());
        // T = 59 s is the second step; the RFC prints eight digits, of which the last six count.
        for (at, found) in [(59, Some(1)), (30, Some(1)), (89, Some(1)), (0, Some(1)), (90, None)] {
            assert_eq!(step("287082", at), found, "at {at}");
        }
        assert_eq!(step("287 082\n", 59), Some(1));
        for wrong in ["287083", "", "28708", "2870820", "+28708", "ABCDEF", "94287082"] {
            assert_eq!(step(wrong, 59), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_may_be_short_or_written_in_groups_but_not_empty() {
        let at = DateTime::from_timestamp(59, 0).unwrap();
        assert_eq!(matching_step("gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "287082", at), Some(1));
        assert_eq!(matching_step("", "328482", at), None);
        assert_eq!(matching_step("not base 32!", "328482", at), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(secret in "\\PC*", attempt in "\\PC*") {
            let _ = matching_step(&secret, &attempt, DateTime::from_timestamp(59, 0).unwrap());
        }
    }
}
