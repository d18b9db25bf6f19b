//! Rows by the thousand: what a state document reads and writes, a statement for each table.
//!
//! The functions take every key at once and answer with every row at once. Rows with many columns travel as one JSON text,
//! whose keys are the columns; those with few as arrays.

use serde::Serialize;

pub mod agents;
pub mod groups;
pub mod keys;
pub mod paths;
pub mod projects;
pub mod protected_refs;
pub mod repositories;
pub mod tokens;
pub mod users;

/// A row and the id that it has or gets.
#[derive(Debug, Serialize)]
struct RowWithId<'a, T> {
    id: i64,
    #[serde(flatten)]
    row: &'a T,
}

fn with_ids<T>(rows: &[(i64, T)]) -> Vec<RowWithId<'_, T>> {
    rows.iter().map(|(id, row)| RowWithId { id: *id, row }).collect()
}
