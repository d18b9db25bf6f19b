//! What is secret: seals over what we keep, columns as GitLab encrypts them, and the files that hold secrets.

pub mod attr_encrypted;
pub mod passwords;
pub mod seal;
pub mod secrets;
