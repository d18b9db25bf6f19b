//! What tests share: an application over a database of the test's own, signed requests, and builders of its contents.

mod app;
mod given;

pub use app::{Reply, SHELL_SECRET, TestApp, read_only};
pub use given::{Given, GivenProject, dsa_1024_key, key_body, rsa_2048_key};
