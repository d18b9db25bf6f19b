//! Gatehouse.

pub mod cli;
pub mod clock;
pub mod config;
pub mod document;
pub mod domain;
pub mod secrets;
pub mod store;
