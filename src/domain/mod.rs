//! The rules: facts in, decisions out. Plain values, free of HTTP, SQL and serialization.

pub mod access;
pub mod asker;
pub mod audit;
pub mod certificate;
pub mod date;
pub mod egress;
pub mod full_path;
pub mod glob;
pub mod ids;
pub mod level;
pub mod personal_access_token;
pub mod presented_token;
pub mod project_creation;
pub mod push;
pub mod push_messages;
pub mod push_options;
pub mod repository;
pub mod scim;
pub mod ssh_key;
pub mod token;
pub mod two_factor;
pub mod web_hook;
