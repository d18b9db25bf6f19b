//! What clients see: one folder per area, and what the areas share.

pub mod auth;
pub mod error;
pub mod extract;
pub mod observe;
pub mod operate;
pub mod shell;
pub mod wire;
