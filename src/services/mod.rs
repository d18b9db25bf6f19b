//! Workflows: each is one transaction, or a stated order of them. A service asks `store` for rows and `domain` for decisions, and
//! is called by `http`, `background` and the commands alike.

pub mod audit_log;
pub mod change_scim_group;
pub mod change_scim_user;
mod create_scim_account;
pub mod delete_scim_group;
mod deprovision_scim_user;
pub mod expire_memberships;
mod join_scim_group;
pub mod provision_scim_group;
pub mod provision_scim_user;
pub mod refresh_seats;
pub mod retry;
pub mod scim_error;
pub mod sync_scim_members;
