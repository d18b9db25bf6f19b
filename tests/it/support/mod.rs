//! What tests share: an application over a database of the test's own, signed requests, builders of its contents,
//! and a Gitaly that answers from git repositories.

mod app;
pub mod git;
mod gitaly;
mod given;

pub use app::{Reply, SHELL_SECRET, TestApp, WORKHORSE_SECRET, read_only};
pub use gitaly::TestGitaly;
pub use given::{Given, GivenProject, dsa_1024_key, key_body, rsa_2048_key};
