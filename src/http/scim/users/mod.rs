//! `/Users`: the accounts that an identity provider looks after.

pub mod create;
pub mod delete;
mod failure;
pub mod list;
pub mod one;
pub mod patch;
pub mod replace;
mod resource;
