//! The log line of an audit event, for handlers that write one themselves.

pub use crate::services::audit_log::log;
