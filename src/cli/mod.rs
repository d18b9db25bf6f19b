//! The commands beside `serve`.

pub mod apply;
pub mod schema;
pub mod state;
