//! `/Users`: the accounts that an identity provider looks after.

mod change;
pub mod create;
pub mod delete;
pub mod list;
pub mod one;
pub mod patch;
pub mod replace;
mod resource;
