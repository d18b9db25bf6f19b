//! Pages of long lists, by key: a page begins after the last row of the one before it, or ends before the first row of the
//! one after it. Each is a range of one index, however far down the list it is.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder};

use super::{Db, Result};

/// A value of the key that a list is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyValue {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A day.
    Day(NaiveDate),
    /// A moment.
    Moment(DateTime<Utc>),
    /// A moment of a column that knows no zone.
    Local(NaiveDateTime),
}

/// Where a page is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum PagePlace {
    /// At the beginning.
    #[default]
    Start,
    /// After the row of this key.
    After(Vec<KeyValue>),
    /// Before the row of this key.
    Before(Vec<KeyValue>),
}

/// The page that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PageRequest {
    /// Where it is.
    pub place: PagePlace,
    /// Rows at most.
    pub rows: usize,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Its rows, in the order of the list.
    pub rows: Vec<T>,
    /// Whether there are rows before it.
    pub has_before: bool,
    /// Whether there are rows after it.
    pub has_after: bool,
}

/// How a list is sorted: by expressions that together differ from row to row.
#[derive(Debug, Clone, Copy)]
pub struct KeyOrder {
    /// The expressions.
    pub columns: &'static [&'static str],
    /// The greatest first.
    pub descending: bool,
}

/// The page of what `select` selects: a statement that ends within its `where`.
pub async fn fetch<T>(
    db: &Db,
    mut select: QueryBuilder<Postgres>,
    order: KeyOrder,
    request: &PageRequest,
) -> Result<Page<T>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let (values, backwards) = match &request.place {
        PagePlace::Start => (None, false),
        PagePlace::After(values) => (Some(values), false),
        PagePlace::Before(values) => (Some(values), true),
    };
    // A key of another list is none.
    let values = values.filter(|values| values.len() == order.columns.len());
    let downwards = order.descending != backwards;
    if let Some(values) = values {
        select.push(" and (").push(order.columns.join(", ")).push(if downwards { ") < (" } else { ") > (" });
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                select.push(", ");
            }
            match value {
                KeyValue::Text(text) => select.push_bind(text.clone()),
                KeyValue::Number(number) => select.push_bind(*number),
                KeyValue::Day(day) => select.push_bind(*day),
                KeyValue::Moment(moment) => select.push_bind(*moment),
                KeyValue::Local(moment) => select.push_bind(*moment),
            };
        }
        select.push(")");
    }
    select.push(" order by ");
    let direction = if downwards { " desc" } else { "" };
    for (place, column) in order.columns.iter().enumerate() {
        select.push(if place > 0 { ", " } else { "" }).push(column).push(direction);
    }
    // In the statement's own words: of a limit that it is handed, PostgreSQL's plan supposes a tenth of all rows.
    select.push(" limit ").push(request.rows.saturating_add(1));
    let mut rows: Vec<T> = select.build_query_as().fetch_all(db).await?;
    let more = rows.len() > request.rows;
    rows.truncate(request.rows);
    if backwards {
        rows.reverse();
    }
    let (has_before, has_after) = if backwards { (more, true) } else { (values.is_some(), more) };
    Ok(Page { rows, has_before, has_after })
}

/// Adds that a text begins with these letters, in any case: a range of an index by bytes.
pub(super) fn push_prefix(select: &mut QueryBuilder<Postgres>, column: &str, prefix: &str) {
    let prefix = prefix.to_lowercase();
    select.push(" and ").push(column).push(" >= ").push_bind(prefix.clone());
    // No text that begins so is beyond the prefix with the last of all characters.
    select.push(" and ").push(column).push(" < ").push_bind(format!("{prefix}\u{10FFFF}"));
}
