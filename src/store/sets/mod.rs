//! Rows by the thousand: what a state document reads and writes, a statement for each table.
//!
//! The functions take every key at once and answer with every row at once. Rows with many columns travel as one JSON
//! text, whose keys are the columns; those with few as arrays.

use serde::Serialize;
use serde_json::{Map, Value};

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

/// The columns of a row that change.
#[derive(Debug, Serialize)]
pub(super) struct RowChanges {
    id: i64,
    changes: Map<String, Value>,
}

/// The columns in which rows differ from what was loaded. The others stay what they are by then: somebody else may have
/// written them while the document was compared.
pub(super) fn changes<T: Serialize>(rows: &[(i64, T, T)]) -> Vec<RowChanges> {
    let columns = |row: &T| match serde_json::to_value(row) {
        Ok(Value::Object(columns)) => columns,
        _ => Map::new(),
    };
    let changed = |(id, before, after): &(i64, T, T)| {
        let before = columns(before);
        let changes = columns(after).into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
        RowChanges { id: *id, changes }
    };
    rows.iter().map(changed).collect()
}
