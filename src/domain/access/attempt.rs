//! What somebody tries to do to a repository, as a request says it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::git_credential::CredentialName;
use crate::domain::ids::{KeyId, UserId};
use crate::domain::repository::{GlRepository, RepositoryPath};

/// What somebody tries to do to a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The git command.
    pub command: GitCommand,
    /// How the user reached git.
    pub protocol: AccessProtocol,
    /// On whose behalf git acts, as the request names them.
    pub actor: ActorName,
    /// Which repository, as the request names it.
    pub target: AccessTarget,
    /// What a push changes.
    pub changes: PushChanges,
    /// The client's address, where the request tells it.
    pub client_ip: Option<ClientIp>,
    /// The group whose certificate authority signed the login's certificate.
    pub certified_by: Option<String>,
}

/// Who does what to which repository: what the facts about an attempt are looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSubject {
    /// The git command.
    pub command: GitCommand,
    /// On whose behalf git acts, as the request names them.
    pub actor: ActorName,
    /// Which repository, as the request names it.
    pub target: AccessTarget,
}

impl Attempt {
    /// What its facts are looked up by.
    #[must_use]
    pub fn subject(&self) -> AccessSubject {
        AccessSubject { command: self.command, actor: self.actor.clone(), target: self.target.clone() }
    }
}

/// The git command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GitCommand {
    /// `git-upload-pack` or `git-upload-archive`
    Download,
    /// `git-receive-pack`
    Push,
    /// Anything else, which nobody may run.
    Unknown,
}

/// How the user reached git.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccessProtocol {
    /// git over SSH
    Ssh,
    /// git over HTTP
    Http,
    /// a page or an API of the web application
    Web,
    /// a word we do not know
    Other(String),
}

impl AccessProtocol {
    /// The word that clients send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ssh => "ssh",
            Self::Http => "http",
            Self::Web => "web",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for AccessProtocol {
    fn from(word: &str) -> Self {
        match word {
            "ssh" => Self::Ssh,
            "http" => Self::Http,
            "web" => Self::Web,
            word => Self::Other(word.to_owned()),
        }
    }
}

/// On whose behalf git acts, as a request names them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ActorName {
    /// `key_id`, a user's key or a deploy key
    Key(KeyId),
    /// `user_id`
    User(UserId),
    /// `username`, without regard to case
    Username(String),
    /// `krb5principal`
    Kerberos(String),
    /// Whoever a login and a password or token of git over HTTP name.
    Credential(Arc<CredentialName>),
    /// No parameter, or one that cannot name anybody.
    Nobody,
}

/// Which repository, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccessTarget {
    /// `gl_repository`
    Repository(GlRepository),
    /// `project`
    Path(RepositoryPath),
}

/// What a push changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushChanges {
    /// A download.
    None,
    /// `_any`: gitlab-shell asks whether the user may push at all.
    Any,
    /// The ref updates, a line each.
    Lines(String),
}

/// The address that the client connected from, or text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIp {
    /// An address.
    Known(IpAddr),
    /// The client passes on what it was given, whatever that was.
    Garbage,
}

impl ClientIp {
    /// The address that a client passes on. Ranges know neither of the zone through which it is reached,
    /// `fe80::1%eth0`, nor of IPv4 in the clothes of IPv6, `::ffff:10.0.0.1`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (address, zone) = text.split_once('%').map_or((text, false), |(address, _)| (address, true));
        match address.parse::<IpAddr>() {
            Ok(address) if !(zone && address.is_ipv4()) => Self::Known(address.to_canonical()),
            Ok(_) | Err(_) => Self::Garbage,
        }
    }
}

impl ActorName {
    /// Who an `identifier` of Gitaly's names: `user-7` or `key-11`. Nobody acts by a deploy token.
    #[must_use]
    pub fn identified(identifier: &str) -> Self {
        match identifier.split_once('-') {
            Some(("user", user)) => positive(user).map_or(Self::Nobody, |id| Self::User(UserId(id))),
            Some(("key", key)) => positive(key).map_or(Self::Nobody, |id| Self::Key(KeyId(id))),
            _ => Self::Nobody,
        }
    }
}

fn positive(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_names_a_user_or_a_key() {
        assert_eq!(ActorName::identified("user-7"), ActorName::User(UserId(7)));
        assert_eq!(ActorName::identified("key-11"), ActorName::Key(KeyId(11)));
        for other in ["deploy-token-5", "user-", "user-0", "key-0", "user-x", "user-+7", "user--7", "", "-7", "key-x"] {
            assert_eq!(ActorName::identified(other), ActorName::Nobody, "{other}");
        }
    }

    #[test]
    fn an_address_is_read_as_ranges_know_it() {
        for (text, address) in [
            ("10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("fe80::1%eth0", "fe80::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(ClientIp::parse(text), ClientIp::Known(address.parse().unwrap()), "{text}");
        }
        for garbage in ["10.0.0.1%eth0", "", "10.0.0.1:22", "nonsense"] {
            assert_eq!(ClientIp::parse(garbage), ClientIp::Garbage, "{garbage}");
        }
    }

    #[test]
    fn protocols_are_the_words_that_clients_send() {
        for word in ["ssh", "http", "web", "carrier pigeon"] {
            assert_eq!(AccessProtocol::from(word).as_str(), word);
        }
        assert_eq!(AccessProtocol::from("web"), AccessProtocol::Web);
        assert_eq!(AccessProtocol::from("ssh"), AccessProtocol::Ssh);
        assert_eq!(AccessProtocol::from("http"), AccessProtocol::Http);
    }
}
