//! The public REST API, in the world that the contract's cases assume (rest.md 17).

mod access_tokens;
mod deploy_keys;
mod deploy_tokens;
mod hooks;
mod protected_refs;
mod push_rules;
mod same_as_apply;
mod world;
