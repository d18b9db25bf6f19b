//! SCIM as identity providers see it.

mod search;
