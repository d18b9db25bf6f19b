//! What an application of a document did, for people and as JSON.

use serde_json::{Map, Value, json};

/// The parts of an application, in the order in which a report tells of them. Rows are written kind by kind; a report
/// tells of them entry by entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names of the document's parts say it")]
pub enum ReportPhase {
    #[default]
    Settings,
    Plans,
    RemovedProjects,
    RemovedUsers,
    Users,
    Groups,
    GroupShares,
    EnterpriseGroups,
    Projects,
    ProjectAccess,
    Snippets,
    Purchases,
    Subscriptions,
    RemovedGroups,
    ScimIdentities,
    Hooks,
    BroadcastMessages,
}

/// Where a line stands in a report: the part of the application, the entry of the document, and the part of that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineOrder {
    /// The part of the application.
    pub phase: ReportPhase,
    /// The entry, in the order in which entries are applied.
    pub entry: usize,
    /// The part of the entry.
    pub part: u8,
    /// Which of several in that part, where one of them has lines of several kinds.
    pub item: usize,
}

impl LineOrder {
    /// The same entry's other part.
    #[must_use]
    pub fn part(self, part: u8) -> Self {
        Self { part, ..self }
    }

    /// One of several in the same part.
    #[must_use]
    pub fn item(self, item: usize) -> Self {
        Self { item, ..self }
    }
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct ApplyReport {
    lines: Vec<String>,
    changes: usize,
    dry_run: bool,
    named: Map<String, Value>,
}

impl ApplyReport {
    /// A line per change, in the order in which they were made, and warnings.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How many rows were created, updated or removed.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// The end of the report, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.changes, self.dry_run) {
            (0, _) => "nothing to change".to_owned(),
            (1, false) => "1 change".to_owned(),
            (count, false) => format!("{count} changes"),
            (1, true) => "1 change, not made: this was a dry run".to_owned(),
            (count, true) => format!("{count} changes, not made: this was a dry run"),
        }
    }

    /// The ids of everything that the document names, and the secrets that were made.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object =
            Map::from_iter([("changes".to_owned(), json!(self.changes)), ("dry_run".to_owned(), json!(self.dry_run))]);
        object.extend(self.named.clone());
        Value::Object(object)
    }
}

/// A report while it is written.
#[derive(Debug, Default)]
pub struct ReportDraft {
    lines: Vec<(LineOrder, String)>,
    changes: usize,
    named: Map<String, Value>,
    /// Where the next line stands.
    pub order: LineOrder,
}

impl ReportDraft {
    /// A line about a row that was created, updated or removed.
    pub fn change(&mut self, line: String) {
        self.changes += 1;
        self.lines.push((self.order, line));
    }

    /// A line that an operator should read.
    pub fn warning(&mut self, line: String) {
        self.lines.push((self.order, line));
    }

    /// Puts an object into the result: `["users", "rubi"]` and `{"id": 7}`. What lies below it already stays.
    pub fn name(&mut self, path: &[&str], fields: Map<String, Value>) {
        let mut object = &mut self.named;
        for key in path {
            let node = object.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if !node.is_object() {
                *node = Value::Object(Map::new());
            }
            let Value::Object(below) = node else { return };
            object = below;
        }
        object.extend(fields);
    }

    /// The report as it is read.
    #[must_use]
    pub fn finish(mut self, dry_run: bool) -> ApplyReport {
        self.lines.sort_by_key(|(order, _)| *order);
        ApplyReport {
            lines: self.lines.into_iter().map(|(_, line)| line).collect(),
            changes: self.changes,
            dry_run,
            named: self.named,
        }
    }
}
