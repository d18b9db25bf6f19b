//! What tests share: an application over a database of the test's own, signed requests, builders of its contents,
//! the built binary, servers that are killed, and a Gitaly that answers from git repositories.

mod app;
mod binary;
mod bucket;
pub mod cluster;
pub mod collector;
pub mod crash;
pub mod customers_dot;
pub mod git;
mod gitaly;
mod given;
mod proxy;
pub mod pushes;
pub mod receiver;
pub mod unchanged;
mod wire;
mod workhorse;

pub use app::{Reply, SHELL_SECRET, TestApp, WORKHORSE_SECRET, dead, read_only, unmigrate};
pub use binary::{DB_KEY_BASE, Installation, KAS_SECRET, Ran, Served};
pub use bucket::TestBucket;
pub use gitaly::TestGitaly;
pub use given::{Given, GivenProject, dsa_1024_key, key_body, rsa_key};
pub use proxy::Proxy;
pub use wire::{Answer, Wire};
pub use workhorse::TestWorkhorse;
