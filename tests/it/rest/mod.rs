//! The public REST API, in the world that the contract's cases assume (rest.md 17).

mod callers;
mod deletion;
mod emails;
mod instance;
mod keys;
mod namespaces;
mod tokens;
mod users;
mod world;
