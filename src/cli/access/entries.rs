//! Entries of lists of access as JSON lines and as CSV, written and read again.

use std::io::{BufRead, BufReader, Read};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use crate::services::list_access::{AccessEntry, HolderKind};

/// The columns, which are the fields of the objects too.
pub(super) const COLUMNS: [&str; 8] = ["kind", "id", "name", "state", "project_id", "project", "level", "reasons"];
/// Between two reasons in one cell.
const BETWEEN: &str = " | ";

pub(super) fn object(entry: &AccessEntry) -> Value {
    json!({
        "kind": entry.kind.word(),
        "id": entry.id,
        "name": entry.name,
        "state": entry.state,
        "project_id": entry.project_id,
        "project": entry.project,
        "level": entry.level,
        "reasons": entry.reasons,
    })
}

pub(super) fn record(entry: &AccessEntry) -> [String; 8] {
    [
        entry.kind.word().to_owned(),
        entry.id.to_string(),
        entry.name.clone(),
        entry.state.clone(),
        entry.project_id.to_string(),
        entry.project.clone(),
        entry.level.clone(),
        entry.reasons.join(BETWEEN),
    ]
}

/// The entries of a list that was written before, in their order; a broken one is an error and ends them.
pub(super) fn read<'a>(
    file: impl Read + 'a,
) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<AccessEntry>> + 'a>> {
    let mut file = BufReader::new(file);
    let start = file.fill_buf().context("cannot read the earlier list")?.first().copied();
    if start == Some(b'{') {
        let lines = file.lines().map(|line| parse_object(&line.context("cannot read the earlier list")?));
        return Ok(in_order(lines));
    }
    let mut reader = csv::Reader::from_reader(file);
    if start.is_some() && reader.headers().context("the earlier list is neither JSON nor CSV")? != COLUMNS.as_slice() {
        bail!("the earlier list has other columns than this command writes: {}", COLUMNS.join(","));
    }
    let records = reader.into_records().map(|record| parse_record(&record.context("the earlier list is broken")?));
    Ok(in_order(records))
}

/// Both lists are walked once, side by side, so that neither is held in memory.
fn in_order<'a>(
    entries: impl Iterator<Item = anyhow::Result<AccessEntry>> + 'a,
) -> Box<dyn Iterator<Item = anyhow::Result<AccessEntry>> + 'a> {
    let mut last = None;
    Box::new(entries.map(move |entry| {
        let entry = entry?;
        if last.is_some_and(|last| last >= entry.place()) {
            bail!("the earlier list is not in the order in which this command writes it, at {}", entry.name);
        }
        last = Some(entry.place());
        Ok(entry)
    }))
}

fn parse_object(line: &str) -> anyhow::Result<AccessEntry> {
    let object: Value = serde_json::from_str(line).context("the earlier list has a line that is no JSON object")?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| object.get(name).and_then(Value::as_i64);
    let reasons = object
        .get("reasons")
        .and_then(Value::as_array)
        .map(|reasons| reasons.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    let entry = || {
        Some(AccessEntry {
            kind: HolderKind::parse(&text("kind")?)?,
            id: number("id")?,
            name: text("name")?,
            state: text("state")?,
            project_id: number("project_id")?,
            project: text("project")?,
            level: text("level")?,
            reasons: reasons?,
        })
    };
    entry().ok_or_else(|| anyhow!("the earlier list has an entry that this command does not write: {line}"))
}

fn parse_record(record: &csv::StringRecord) -> anyhow::Result<AccessEntry> {
    let cell = |place: usize| record.get(place).map(str::to_owned);
    let entry = || {
        Some(AccessEntry {
            kind: HolderKind::parse(record.get(0)?)?,
            id: record.get(1)?.parse().ok()?,
            name: cell(2)?,
            state: cell(3)?,
            project_id: record.get(4)?.parse().ok()?,
            project: cell(5)?,
            level: cell(6)?,
            reasons: record.get(7)?.split(BETWEEN).filter(|reason| !reason.is_empty()).map(str::to_owned).collect(),
        })
    };
    entry().ok_or_else(|| anyhow!("the earlier list has a line that this command does not write: {record:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i64, name: &str) -> AccessEntry {
        AccessEntry {
            kind: HolderKind::User,
            id,
            name: name.to_owned(),
            state: "active".to_owned(),
            project_id: 7,
            project: "g/p".to_owned(),
            level: "developer".to_owned(),
            reasons: vec!["developer of `g`".to_owned(), "a \"quoted\", one".to_owned()],
        }
    }

    fn all(text: &str) -> anyhow::Result<Vec<AccessEntry>> {
        read(text.as_bytes())?.collect()
    }

    #[test]
    fn what_was_written_is_read_again() {
        let entries = [entry(3, "a,\nb"), entry(5, "dana")];
        let lines = entries.iter().map(|entry| object(entry).to_string()).collect::<Vec<_>>().join("\n");
        assert_eq!(all(&lines).unwrap(), entries);
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(COLUMNS).unwrap();
        for entry in &entries {
            table.write_record(record(entry)).unwrap();
        }
        let table = String::from_utf8(table.into_inner().unwrap()).unwrap();
        assert_eq!(all(&table).unwrap(), entries);
        assert_eq!(all("").unwrap(), []);
    }

    #[test]
    fn what_was_not_written_so_is_refused() {
        let line = |id| format!("{}\n", object(&entry(id, "x")));
        for bad in [
            "kind,id\nuser,1\n".to_owned(),
            "{\"kind\":\"user\"}\n".to_owned(),
            "{broken\n".to_owned(),
            format!("{}{}", line(5), line(3)),
            format!("{}{}", line(5), line(5)),
            format!("{}\nuser,x,,,,,,\n", COLUMNS.join(",")),
            format!("{}\nuser,1\n", COLUMNS.join(",")),
        ] {
            assert!(all(&bad).is_err(), "{bad}");
        }
    }
}
