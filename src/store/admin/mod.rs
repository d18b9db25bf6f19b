//! What the pages of the Admin area show: lists by key, and the details of one row. Nothing here writes.
//!
//! Lists are put together from what is searched for, so that no record of `.sqlx` checks them: a test looks at each page.

pub mod agents;
pub mod audit;
pub mod expiring;
pub mod groups;
pub mod hooks;
pub mod projects;
pub mod provisioning;
pub mod refusals;
pub mod scim;
pub mod users;
