//! SCIM: identity providers make, change and end the accounts of a group or of the installation.

pub mod projection;
