//! Gatehouse answers GitLab's internal API from PostgreSQL.
//!
//! A reader who knows a URL finds its code by name. A request runs down these layers, and imports point the same way:
//!
//! - [`app`] builds each area's state and mounts it; [`server`] listens; [`cli`] holds the commands beside `serve`.
//! - [`http`] is what clients see: [`http::auth`] knows callers, and each area has a folder with one file per endpoint.
//! - [`background`] is what runs beside requests: the batcher, last-used writes, the queue and one durable job a file.
//! - [`document`] reads documents, and makes the database agree with a state document.
//! - [`services`] are the workflows: where transactions begin and end.
//! - [`store`] is where SQL lives; [`gitaly`] asks Gitaly about a repository.
//! - [`domain`] decides: plain values, facts in, decisions out.
//! - [`clock`], [`config`], [`crypto`], [`security_policies`] and [`telemetry`] are what the layers above
//!   `domain` share.

pub mod app;
pub mod background;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod document;
pub mod domain;
pub mod gitaly;
pub mod http;
pub mod lfs_files;
pub mod security_policies;
pub mod server;
pub mod services;
pub mod store;
pub mod telemetry;
