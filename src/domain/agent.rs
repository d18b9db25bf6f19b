//! Agents for Kubernetes: their names, their tokens, and when their use is noted.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, TimeDelta, Utc};

use super::ids::{AgentId, ProjectId, UserId};

/// Active tokens that an agent may have: one in use, one to change to.
pub const MOST_TOKENS: i64 = 2;
/// What the tokens of agents begin with.
const PREFIX: &str = "glagent-";
/// Characters behind the prefix.
const LENGTH: usize = 50;
/// The token that the documentation prints. Everybody knows it, so that it protects nothing anyway.
const DOCUMENTED: &str = "glagent-example";

/// An agent, as its token shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAgent {
    /// Its id.
    pub id: AgentId,
    /// Its name, unique in its project.
    pub name: String,
    /// The project that configures it.
    pub project: ProjectId,
    /// Who made it, and acts through it, unless they are gone.
    pub created_by: Option<UserId>,
}

/// Whether an agent may have the name: what Kubernetes calls a label, of at most 63 characters.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (bytes, ends) = (name.as_bytes(), [name.as_bytes().first(), name.as_bytes().last()]);
    bytes.len() <= 63
        && ends.iter().all(|end| end.is_some_and(|byte| plain(*byte)))
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
}

/// Whether a token is as long as GitLab's, behind its prefix where it has it; or the documented one. kas tells agents
/// apart by half of their tokens, and of short ones the halves may be the same.
#[must_use]
pub fn is_token(text: &str) -> bool {
    text == DOCUMENTED || text.strip_prefix(PREFIX).unwrap_or(text).chars().count() >= LENGTH
}

/// A new token, of random bytes: the prefix and 50 characters.
#[must_use]
pub fn mint(random: [u8; 38]) -> String {
    let text = BASE64_URL_SAFE_NO_PAD.encode(random);
    format!("{PREFIX}{}", &text[..LENGTH])
}

/// Whether the use of a token is worth a note: at most one a minute is.
#[must_use]
pub fn needs_note(last_used_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last_used_at.is_none_or(|at| at <= now - TimeDelta::minutes(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes_labels() {
        let long = "a".repeat(63);
        for name in ["prod", "a", "1", "eu-west-1", long.as_str()] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-prod", "prod-", "Prod", "prod.eu", "prod eu", "prod_eu", "é", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let token = mint([7; 38]);
        assert_eq!((token.len(), &token[..8]), (58, "glagent-"));
        assert_ne!(token, mint([8; 38]));
        assert!(is_token(&token) && is_token(&"x".repeat(50)) && is_token(DOCUMENTED));
        for short in ["", "glagent-", "glagent-example2", &token[..57], &token[9..], &"é".repeat(49)] {
            assert!(!is_token(short), "{short}");
        }
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let now = DateTime::UNIX_EPOCH;
        assert!(needs_note(None, now));
        assert!(needs_note(Some(now - TimeDelta::seconds(60)), now));
        assert!(!needs_note(Some(now - TimeDelta::seconds(59)), now));
    }
}
