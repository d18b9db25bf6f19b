//! A question about access as people write it, in the Admin area and in `gatehouse access explain`: read by one set of
//! rules, so that both understand the same words.

use std::net::IpAddr;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};

use super::explain_access::{AccessQuestion, AskedChange, AskedChangeKind};
use crate::domain::access::refs::{ObjectId, RefName, is_ref};
use crate::domain::access::{AccessProtocol, AccessTarget, ActorName, ClientIp, GitCommand};
use crate::domain::ids::{KeyId, UserId};
use crate::domain::repository::{GlRepository, RepositoryPath};
use crate::store::{self, Db, actors};

/// The ways to git that can be asked about.
pub const PROTOCOLS: [&str; 3] = ["ssh", "http", "web"];

/// Who is asked about, in words.
#[derive(Debug, Clone, Copy)]
pub enum AskedActor<'a> {
    /// A user: the username, or the id.
    User(&'a str),
    /// A user by username alone, digits included.
    Username(&'a str),
    /// An SSH key of a user's: its id, or its fingerprint as `ssh-keygen -l` prints it.
    Key(&'a str),
    /// A deploy key, by the same.
    DeployKey(&'a str),
}

/// A question in words.
#[derive(Debug, Clone)]
pub struct WrittenQuestion<'a> {
    /// Who.
    pub actor: AskedActor<'a>,
    /// The full path of the project, or what Gitaly calls it.
    pub project: &'a str,
    /// To fetch, or to push.
    pub command: GitCommand,
    /// One of [`PROTOCOLS`].
    pub protocol: &'a str,
    /// The scopes of the token that git shows over HTTP; none where it may do everything.
    pub scopes: Vec<String>,
    /// Of a push, the ref: in full, or a branch by its name alone.
    pub name: Option<&'a str>,
    /// What becomes of the ref.
    pub change: AskedChangeKind,
    /// The address that the client comes from.
    pub ip: Option<IpAddr>,
}

/// Why the words are no question.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The database failed.
    #[error("the database gives no answer")]
    Store(#[from] store::Error),
    /// They cannot be meant so; says what is wrong.
    #[error("{0}")]
    Refused(String),
    /// No key that may authenticate has the fingerprint.
    #[error("no key that may authenticate has the fingerprint {0}")]
    NoSuchKey(String),
}

/// What is asked, with keys found by their fingerprints.
pub async fn read(db: &Db, written: &WrittenQuestion<'_>) -> Result<AccessQuestion, QuestionError> {
    let change = match (written.command, written.name) {
        (GitCommand::Push, Some(name)) => Some(AskedChange { name: ref_name(name)?, kind: written.change.clone() }),
        (_, Some(_)) => {
            let words = "a ref is for a push: what a fetch gets does not depend on refs";
            return Err(QuestionError::Refused(words.to_owned()));
        }
        (_, None) => None,
    };
    let (actor, deploy_key) = find_actor(db, written.actor).await?;
    Ok(AccessQuestion {
        actor,
        deploy_key,
        target: GlRepository::parse(written.project)
            .map_or_else(|_| AccessTarget::Path(RepositoryPath::new(written.project)), AccessTarget::Repository),
        command: written.command,
        protocol: AccessProtocol::from(written.protocol),
        scopes: written.scopes.clone(),
        client_ip: written.ip.map(|ip| ClientIp::Known(ip.to_canonical())),
        change,
    })
}

/// Who is meant, and of a key whether it is to be a deploy key.
async fn find_actor(db: &Db, actor: AskedActor<'_>) -> Result<(ActorName, Option<bool>), QuestionError> {
    let (key, deploy) = match actor {
        AskedActor::User(user) => {
            let name = id(user).map_or_else(|| ActorName::Username(user.to_owned()), |id| ActorName::User(UserId(id)));
            return Ok((name, None));
        }
        AskedActor::Username(username) => return Ok((ActorName::Username(username.to_owned()), None)),
        AskedActor::Key(key) => (key, false),
        AskedActor::DeployKey(key) => (key, true),
    };
    let id = match id(key) {
        Some(id) => id,
        None => find_key(db, key).await?,
    };
    Ok((ActorName::Key(KeyId(id)), Some(deploy)))
}

fn id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id| *id > 0)
}

async fn find_key(db: &Db, fingerprint: &str) -> Result<i64, QuestionError> {
    let digest = fingerprint.strip_prefix("SHA256:").and_then(|text| {
        let bytes = BASE64_STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        <[u8; 32]>::try_from(bytes).ok()
    });
    let digest = digest.ok_or_else(|| {
        QuestionError::Refused(format!("{fingerprint} is neither an id nor a fingerprint as `ssh-keygen -l` prints it"))
    })?;
    let found = actors::find_login_key(db, &digest).await?;
    found.map(|key| key.id).ok_or_else(|| QuestionError::NoSuchKey(fingerprint.to_owned()))
}

/// A ref in full, or a branch by its name.
fn ref_name(text: &str) -> Result<RefName, QuestionError> {
    let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
    if !is_ref(&full) {
        return Err(QuestionError::Refused(format!("{text} is no name that git gives to a ref")));
    }
    Ok(RefName::parse(&full))
}

/// What becomes of a ref: `update`, `create`, `force`, `delete`, or `OLD..NEW` of two objects.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_change(text: &str) -> Result<AskedChangeKind, String> {
    Ok(match text {
        "create" => AskedChangeKind::Create,
        "update" => AskedChangeKind::Update,
        "force" => AskedChangeKind::Force,
        "delete" => AskedChangeKind::Delete,
        range => {
            let (old, new) = range.split_once("..").ok_or("a change is update, create, force, delete, or OLD..NEW")?;
            let (old, new) = (object_id(old)?, object_id(new)?);
            if old.is_none() && new.is_none() {
                return Err("one of the two objects must be named".to_owned());
            }
            AskedChangeKind::Between(old, new)
        }
    })
}

/// The object of a whole id; none where it is left out, or all zeros.
fn object_id(text: &str) -> Result<Option<ObjectId>, String> {
    let whole = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text {
        "" => Ok(None),
        text if whole => Ok(ObjectId::parse(&text.to_ascii_lowercase())),
        text => Err(format!("{text} is no object id: 40 or 64 hex digits, as `git rev-parse` prints it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_word_or_two_objects() {
        let (old, new) = ("a".repeat(40), "b".repeat(64));
        assert_eq!(parse_change("force").unwrap(), AskedChangeKind::Force);
        assert_eq!(
            parse_change(&format!("{old}..{new}")).unwrap(),
            AskedChangeKind::Between(ObjectId::parse(&old), ObjectId::parse(&new))
        );
        assert_eq!(parse_change(&format!("..{new}")).unwrap(), AskedChangeKind::Between(None, ObjectId::parse(&new)));
        let zeros = "0".repeat(40);
        assert_eq!(
            parse_change(&format!("{old}..{zeros}")).unwrap(),
            AskedChangeKind::Between(ObjectId::parse(&old), None)
        );
        for bad in ["", "..", "rewrite", "abc..def", &format!("{zeros}..{zeros}"), &format!("{old}..{new}x")] {
            assert!(parse_change(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_branch_may_be_named_without_its_beginning() {
        assert_eq!(ref_name("main").unwrap(), RefName::Branch("main".to_owned()));
        assert_eq!(ref_name("refs/tags/v1").unwrap(), RefName::Tag("v1".to_owned()));
        for bad in ["", "a b", "refs/heads/", "a..b"] {
            assert!(ref_name(bad).is_err(), "{bad}");
        }
    }
}
