//! The rules of SCIM: its two small languages, and what they may say about users and groups.

pub mod attribute_path;
pub mod audit;
pub mod email_owner;
pub mod filter;
pub mod group;
pub mod member_sync;
pub mod new_user;
pub mod refusal;
pub mod search;
pub mod tenant;
pub mod user_change;
pub mod username;
pub mod version;

use super::ids::NamespaceId;

/// Whose users a client provisions. The identities of two scopes have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimScope {
    /// Those of one top-level group.
    Group(NamespaceId),
    /// Those of the whole installation.
    Instance,
}
