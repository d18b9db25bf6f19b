//! The access rules as values.
