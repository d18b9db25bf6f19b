//! An SSH certificate that somebody logs in with: does a group vouch for them? (shell.md 2.3)

use std::fmt;

/// A group that trusts the authority that signed the certificate, and what the user is to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateTrust {
    /// The group's full path.
    pub group: String,
    /// The user's name on this installation; none where nobody is meant.
    pub username: Option<String>,
    /// The user is a member of the group or of one above it.
    pub member: bool,
    /// The group manages the user's account.
    pub enterprise: bool,
}

/// Why nobody vouches. `Display` is what the SSH server is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateRefusal {
    /// No group trusts the authority.
    Certificate,
    /// Nobody is meant, or they are no member.
    User,
    /// The group does not manage the account.
    NotEnterprise,
}

impl fmt::Display for CertificateRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Certificate => "Certificate Not Found",
            Self::User => "User Not Found",
            Self::NotEnterprise => "Not an Enterprise User of the group",
        })
    }
}

/// The path of the first group that vouches, and the username that it vouches for.
///
/// # Errors
/// What the last group says against it.
pub fn decide(trusts: &[CertificateTrust]) -> Result<(&str, &str), CertificateRefusal> {
    let mut refusal = CertificateRefusal::Certificate;
    for trust in trusts {
        match trust {
            CertificateTrust { username: Some(username), member: true, enterprise: true, group } => {
                return Ok((group, username));
            }
            CertificateTrust { username: Some(_), member: true, enterprise: false, .. } => {
                refusal = CertificateRefusal::NotEnterprise;
            }
            CertificateTrust { .. } => refusal = CertificateRefusal::User,
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(username: Option<&str>, member: bool, enterprise: bool) -> CertificateTrust {
        CertificateTrust { group: "acme".to_owned(), username: username.map(str::to_owned), member, enterprise }
    }

    #[test]
    fn the_first_group_that_vouches_wins_and_otherwise_the_last_reason() {
        assert_eq!(decide(&[]), Err(CertificateRefusal::Certificate));
        assert_eq!(decide(&[trust(None, false, false)]), Err(CertificateRefusal::User));
        assert_eq!(decide(&[trust(Some("rubi"), false, true)]), Err(CertificateRefusal::User));
        assert_eq!(decide(&[trust(Some("rubi"), true, false)]), Err(CertificateRefusal::NotEnterprise));
        let both = [trust(Some("rubi"), true, false), trust(Some("rubi"), true, true)];
        assert_eq!(decide(&both), Ok(("acme", "rubi")));
    }
}
