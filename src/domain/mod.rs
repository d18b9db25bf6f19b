//! The rules: facts in, decisions out. Plain values, free of HTTP, SQL and serialization.

pub mod access;
pub mod full_path;
pub mod ids;
pub mod level;
pub mod project_creation;
pub mod repository;
pub mod ssh_key;
