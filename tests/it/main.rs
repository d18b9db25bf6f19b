//! The integration tests, in one binary.

mod apply;
mod derived;
