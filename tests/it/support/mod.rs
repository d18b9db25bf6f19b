//! What tests share: an application over a database of the test's own, signed requests, and builders of its contents.

mod app;
mod given;
pub mod pushes;
pub mod receiver;

pub use app::{Reply, TestApp};
pub use given::Given;
