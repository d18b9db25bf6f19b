//! `/Groups` of the installation: groups of its identity provider, each tied to all groups here whose SAML group link
//! has its name (scim.md 5.3). Who is in one is answered at once; memberships here follow by a job.

pub mod create;
pub mod delete;
pub mod list;
mod members;
pub mod one;
pub mod patch;
pub mod replace;
mod resource;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::body;
use super::error::ScimError;
use crate::services::scim_refusal::{ScimGroupError, ScimGroupRefusal};

/// A UUID as it is usually written; GitLab knows no other form.
fn parse_uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// The id in a URL.
fn parse_uid(id: &str) -> Result<Uuid, ScimError> {
    parse_uuid(id).ok_or_else(|| ScimError::NoSuchGroup(id.to_owned()))
}

/// Refuses a body that lacks one of these, in the words of GitLab's API.
fn require(fields: &Map<String, Value>, names: &[&str]) -> Result<(), ScimError> {
    let missing = names.iter().filter(|name| body::member(fields, name).is_none());
    let missing: Vec<String> = missing.map(|name| format!("{name} is missing")).collect();
    if missing.is_empty() { Ok(()) } else { Err(ScimError::InvalidValue(missing.join(", "))) }
}

/// What a client is told where a change of the group with this id in the URL is not made.
fn translate(error: ScimGroupError, id: &str) -> ScimError {
    match error {
        ScimGroupError::Refused(ScimGroupRefusal::NoSuchGroup) => ScimError::NoSuchGroup(id.to_owned()),
        ScimGroupError::Refused(ScimGroupRefusal::NoSuchName(name)) => {
            ScimError::Refused(format!("No matching SAML group found with name: {name}"))
        }
        ScimGroupError::Refused(ScimGroupRefusal::UidTaken) => {
            ScimError::Conflict("Scim group uid has already been taken".to_owned())
        }
        ScimGroupError::Refused(ScimGroupRefusal::OtherVersion) => ScimError::Changed,
        ScimGroupError::Store(error) => error.into(),
    }
}
