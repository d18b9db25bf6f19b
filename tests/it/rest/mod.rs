//! The public REST API, in the world that the contract's cases assume (rest.md 17).

mod groups;
mod members;
mod projects;
mod races;
mod world;
