//! Files whose names say that they hold secrets: the list that GitLab's documentation of `prevent_secrets` gives.

use std::sync::LazyLock;

use regex::RegexSet;

use super::expressions::without_line_end;

/// Users read the pattern in the refusal, so each is written as GitLab writes it.
const PATTERNS: [&str; 10] = [
    r"aws\/credentials$",
    r"(ssh|config)\/(personal|server)_(rsa|dsa|ed25519|ecdsa|ecdsa_sk|ed25519_sk)",
    "id_rsa$",
    "id_dsa$",
    "id_ed25519$",
    "id_ecdsa$",
    "id_ecdsa_sk$",
    "id_ed25519_sk$",
    r"\.(pem|key)$",
    "[._]history$",
];

static COMPILED: LazyLock<RegexSet> = LazyLock::new(|| RegexSet::new(PATTERNS).expect("a test compiles each pattern"));

/// The first pattern that the path matches, where it is the path of a secret.
pub fn pattern_of(path: &str) -> Option<&'static str> {
    let first = COMPILED.matches(without_line_end(path)).iter().next()?;
    Some(PATTERNS[first])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of GitLab's documentation, and what looks like them.
    #[test]
    fn names_of_secrets_are_known_by_the_pattern_that_says_so() {
        let rows = [
            (".aws/credentials aws/credentials homefolder/aws/credentials", Some(PATTERNS[0])),
            ("a/ssh/personal_rsa .ssh/personal_dsa config/server_ecdsa_sk.txt", Some(PATTERNS[1])),
            ("ssh/id_rsa id_rsa .id_rsa", Some("id_rsa$")),
            ("id_dsa .id_dsa", Some("id_dsa$")),
            ("ssh/id_ed25519 .id_ed25519", Some("id_ed25519$")),
            ("id_ecdsa", Some("id_ecdsa$")),
            ("id_ecdsa_sk", Some("id_ecdsa_sk$")),
            ("ssh/id_ed25519_sk .id_ed25519_sk", Some("id_ed25519_sk$")),
            ("secret.pem tls/private.key .key", Some(r"\.(pem|key)$")),
            ("pry.history .bash_history", Some("[._]history$")),
            ("id_rsa.pub monkey history aws/credentials.md key.pem.example README", None),
        ];
        for (paths, pattern) in rows {
            for path in paths.split(' ') {
                assert_eq!(pattern_of(path), pattern, "{path}");
            }
        }
    }

    #[test]
    fn a_line_break_in_a_name_hides_nothing_and_finds_nothing() {
        assert_eq!(pattern_of("id_rsa\nREADME"), None);
        assert_eq!(pattern_of("README\nid_rsa"), Some("id_rsa$"));
        for end in ["\n", "\r\n", "\r"] {
            assert_eq!(pattern_of(&format!("id_rsa{end}")), Some("id_rsa$"), "{end:?}");
        }
    }
}
