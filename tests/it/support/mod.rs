//! What tests share: an application over a database of the test's own, signed requests, and builders of its contents.

mod app;
mod binary;
mod given;
mod proxy;
mod wire;

pub use app::{Reply, SHELL_SECRET, TestApp, dead, read_only};
pub use binary::{DB_KEY_BASE, Installation, KAS_SECRET, Served};
pub use given::{Given, dsa_1024_key, key_body, rsa_key};
pub use proxy::Proxy;
pub use wire::Wire;
