//! What lists of the public REST API have in common: the part that is asked for, how many there are, what is searched for.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder};

use super::containing;
use crate::store::{Db, Result};

/// Rows up to which a list is counted.
pub const MOST_COUNTED: i64 = 10_000;
/// Characters from which on a search finds parts of words.
pub(super) const WORDS_FROM: usize = 3;

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The smallest first.
    #[default]
    Ascending,
    /// The largest first.
    Descending,
}

impl Direction {
    /// As SQL has it.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ListPart {
    /// Rows at most.
    pub limit: i64,
    /// Rows before it.
    pub offset: i64,
}

impl ListPart {
    /// In the statement's own words: of a limit and an offset that it is handed, PostgreSQL's plan supposes a tenth of all
    /// rows. Such a statement is no good for another part, and is not kept.
    pub(super) fn push(self, query: &mut QueryBuilder<Postgres>) {
        query.push(" limit ").push(self.limit).push(" offset ").push(self.offset);
    }
}

/// The ids on a part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The ids, in the order of the list.
    pub ids: Vec<i64>,
    /// How many there are in the whole list; of a long one, more than [`MOST_COUNTED`].
    pub total: i64,
}

#[derive(FromRow)]
struct ListedRow {
    id: Option<i64>,
    total: i64,
}

impl Listed {
    /// Fetches rows of an id, which is null where the part is empty, and the total.
    pub(super) async fn fetch(db: &Db, mut query: QueryBuilder<Postgres>) -> Result<Self> {
        let rows: Vec<ListedRow> = fetch_rows(db, &mut query).await?;
        let total = rows.first().map_or(0, |row| row.total);
        Ok(Self { ids: rows.into_iter().filter_map(|row| row.id).collect(), total })
    }
}

/// Whether a search matches a few rows or nearly all decides which index is a good one. So a list's statement is planned for
/// its own values, which other statements are not.
const PLANNED: &str = "begin read only; set local plan_cache_mode = force_custom_plan";

/// The rows of a list.
pub(super) async fn fetch_rows<T>(db: &Db, query: &mut QueryBuilder<Postgres>) -> Result<Vec<T>>
where
    T: Send + Unpin + for<'r> FromRow<'r, PgRow>,
{
    let mut transaction = Box::pin(db.begin_with(PLANNED)).await?;
    let rows = query.build_query_as().persistent(false).fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(rows)
}

/// The ids of a list.
pub(super) async fn fetch_ids(db: &Db, query: &mut QueryBuilder<Postgres>) -> Result<Vec<i64>> {
    Ok(fetch_rows::<(i64,)>(db, query).await?.into_iter().map(|row| row.0).collect())
}

/// How many rows a list has.
pub(super) async fn fetch_count(db: &Db, query: &mut QueryBuilder<Postgres>) -> Result<i64> {
    Ok(fetch_rows::<(i64,)>(db, query).await?.first().map_or(0, |row| row.0))
}

/// Finds what has the text in one of these columns, whatever the letter case; a short text is to be the whole value.
pub(super) fn push_search(query: &mut QueryBuilder<Postgres>, columns: &[&str], search: &str) {
    query.push(" and (");
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            query.push(" or ");
        }
        if search.chars().count() < WORDS_FROM {
            query.push(format!("lower({column}) = ")).push_bind(search.to_lowercase());
        } else {
            query.push(format!("{column} ilike ")).push_bind(containing(search));
        }
    }
    query.push(")");
}
