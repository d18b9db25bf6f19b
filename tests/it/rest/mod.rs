//! The public REST API, in the world that the contract's cases assume (rest.md 17).

mod access_tokens;
mod callers;
mod deletion;
mod deploy_keys;
mod deploy_tokens;
mod emails;
mod groups;
mod hooks;
mod instance;
mod keys;
mod members;
mod namespaces;
mod projects;
mod protected_refs;
mod push_rules;
mod races;
mod round;
mod same_as_apply;
mod suites;
mod tokens;
mod users;
mod world;
