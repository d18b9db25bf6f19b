//! What every kind of object that a document states has in common: its rows are loaded at once, compared in memory, and
//! written at once.

use std::collections::{BTreeMap, VecDeque};

use super::place::DocumentPlace;
use super::report::LineOrder;
use super::run::ApplyRun;
use crate::store::{Error, Result, ids};

/// Where an entry stands in the document, and its lines in the report.
#[derive(Debug, Clone)]
pub struct EntryPosition {
    /// Its place in the document.
    pub place: DocumentPlace,
    /// Where its lines stand in the report.
    pub order: LineOrder,
}

/// A kind of object that a document states: users, keys, members.
///
/// The statements that a kind sends do not depend on how many of its objects a document states, nor on how many of them
/// change. An entry whose place or name changes is the exception: it is rare, and goes through statements of its own.
pub(crate) trait ObjectKind {
    /// What the document says of one, parsed, with what it belongs to.
    type Entry<'d>;
    /// The plural, as a progress line names it.
    const NOUN: &'static str;

    /// Where the entry stands.
    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition;

    /// Fetches everything that the database has of these entries.
    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()>;

    /// Finds the row that the entry means, compares the two, reports what differs, and remembers what is to be written.
    async fn diff(&mut self, run: &mut ApplyRun<'_>, entry: &Self::Entry<'_>) -> Result<()>;

    /// Writes what [`ObjectKind::diff`] remembered.
    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()>;
}

/// Makes the database agree with these entries, all of them of one kind.
pub(crate) async fn apply_kind<K: ObjectKind>(
    run: &mut ApplyRun<'_>,
    kind: &mut K,
    entries: &[K::Entry<'_>],
) -> Result<()> {
    let Some(first) = entries.first() else { return Ok(()) };
    run.progress(K::NOUN, 0, entries.len());
    kind.load(run, entries).await?;
    for (done, entry) in entries.iter().enumerate() {
        let position = K::position(entry);
        run.at(position.order);
        let answer = kind.diff(run, entry).await;
        run.failed_at(&position.place, answer)?;
        run.progress(K::NOUN, done + 1, entries.len());
    }
    let answer = kind.write(run).await;
    if let Err(Error::Duplicate(_)) = &answer {
        // The index does not say which of them it was.
        run.failed_at(&K::position(first).place, answer)?;
        return Ok(());
    }
    answer
}

/// Ids of rows that are to be made, taken from the table's sequence in one statement.
#[derive(Debug)]
pub(crate) struct NewIds {
    table: &'static str,
    ids: VecDeque<i64>,
}

impl NewIds {
    pub(crate) fn of(table: &'static str) -> Self {
        Self { table, ids: VecDeque::new() }
    }

    /// Takes as many as will be needed.
    pub(crate) async fn reserve(&mut self, run: &mut ApplyRun<'_>, count: usize) -> Result<()> {
        let more = count.saturating_sub(self.ids.len());
        if more > 0 {
            self.ids.extend(ids::take(&mut *run.conn, self.table, more).await?);
        }
        Ok(())
    }

    /// The id that the document chooses, or the next one.
    pub(crate) async fn next(&mut self, run: &mut ApplyRun<'_>, chosen: Option<i64>) -> Result<i64> {
        if let Some(id) = chosen {
            return Ok(id);
        }
        if self.ids.is_empty() {
            self.reserve(run, 1).await?;
        }
        Ok(self.ids.pop_front().unwrap_or_default())
    }
}

/// Rows that are to be written, by their ids.
#[derive(Debug)]
pub(crate) struct RowBatch<T> {
    inserts: BTreeMap<i64, T>,
    updates: BTreeMap<i64, T>,
    /// The rows that are updated, as they were loaded.
    loaded: BTreeMap<i64, T>,
    removals: Vec<i64>,
}

impl<T> Default for RowBatch<T> {
    fn default() -> Self {
        Self { inserts: BTreeMap::new(), updates: BTreeMap::new(), loaded: BTreeMap::new(), removals: Vec::new() }
    }
}

impl<T> RowBatch<T> {
    pub(crate) fn insert(&mut self, id: i64, row: T) {
        self.inserts.insert(id, row);
    }

    /// Writes a row that exists, or that is to be made by this very batch.
    pub(crate) fn update(&mut self, id: i64, row: T) {
        let rows = if self.inserts.contains_key(&id) { &mut self.inserts } else { &mut self.updates };
        rows.insert(id, row);
    }

    /// Like [`RowBatch::update`], with the row as it was loaded: only the columns that differ are written.
    pub(crate) fn change(&mut self, id: i64, loaded: T, row: T) {
        if !self.inserts.contains_key(&id) {
            self.loaded.entry(id).or_insert(loaded);
        }
        self.update(id, row);
    }

    pub(crate) fn remove(&mut self, id: i64) {
        self.updates.remove(&id);
        if self.inserts.remove(&id).is_none() {
            self.removals.push(id);
        }
    }

    /// What is to be made, in the order of ids; nothing is left of it.
    pub(crate) fn take_inserts(&mut self) -> Vec<(i64, T)> {
        std::mem::take(&mut self.inserts).into_iter().collect()
    }

    pub(crate) fn take_updates(&mut self) -> Vec<(i64, T)> {
        std::mem::take(&mut self.updates).into_iter().collect()
    }

    /// What is to be changed: the ids, the rows as they were loaded, and as they are to be.
    pub(crate) fn take_changes(&mut self) -> Vec<(i64, T, T)> {
        let mut loaded = std::mem::take(&mut self.loaded);
        let updates = std::mem::take(&mut self.updates).into_iter();
        updates.filter_map(|(id, row)| loaded.remove(&id).map(|before| (id, before, row))).collect()
    }

    pub(crate) fn take_removals(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.removals)
    }
}
