//! One file for each kind of object that a state document states: its shape, and how the database is made to agree with
//! it.
//!
//! Kinds of which an installation has many implement `ObjectKind`; what few groups or projects have
//! is applied entry by entry.

pub mod access_tokens;
pub mod add_on_purchases;
pub mod agent_tokens;
pub mod agents;
pub mod broadcast_messages;
pub mod deploy_keys;
pub mod deploy_tokens;
pub mod emails;
pub mod error_tracking;
pub(crate) mod forks;
pub(crate) mod group_extras;
pub mod groups;
pub mod hooks;
pub mod identities;
pub mod keys;
pub mod members;
pub mod merge_requests;
pub mod minutes_packs;
mod names_within;
pub mod oauth_tokens;
pub mod plans;
pub mod projects;
pub mod protected_branches;
pub mod protected_tags;
pub mod provisioned;
pub mod push_rules;
pub mod reconciliations;
pub mod ref_principals;
pub(crate) mod repositories;
pub mod saml_group_links;
pub mod scim;
pub mod security_policies;
pub mod settings;
pub(crate) mod shares;
pub mod snippets;
pub mod storage_exclusions;
pub mod subscriptions;
pub mod tokens;
pub mod users;
