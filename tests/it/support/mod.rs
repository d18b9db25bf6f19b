//! What tests share: an application over a database of the test's own, signed requests, and builders of its contents.

mod app;
mod given;

pub use app::{Reply, SHELL_SECRET, TestApp, dead, read_only};
pub use given::{Given, dsa_1024_key, key_body, rsa_key};
