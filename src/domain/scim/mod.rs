//! The rules of SCIM: its two small languages, and what they may say about a user.

pub mod filter;
pub mod path;
pub mod search;
