//! What tests share: an application over a database of the test's own, signed requests, and builders of its contents.

mod app;
mod given;

pub use app::{Reply, TestApp, WORKHORSE_SECRET};
pub use given::Given;
