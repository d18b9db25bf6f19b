//! The rules: facts in, decisions out. Plain values, free of HTTP, SQL and serialization.

pub mod ids;
pub mod ssh_key;
