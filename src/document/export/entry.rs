//! Entries of an exported document.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value, json};

use crate::document::check;
use crate::document::kinds::security_policies::SecurityPoliciesEntry;
use crate::document::words::NumberedWord;
use crate::domain::re2::{AnchorMode, Re2};
use crate::domain::ssh_key::PublicKey;
use crate::security_policies::to_file;
use crate::store::push_rules::PushRuleRow;

/// An entry of these keys. What is null is left out: the document says nothing of it.
pub(super) fn entry<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let stated = fields.into_iter().filter(|(_, value)| !value.is_null());
    stated.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The same entry with a list, or without it where the list is empty.
pub(super) fn put_list(entry: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        entry.insert(key.to_owned(), Value::Array(list));
    }
}

/// The same entry with a mapping, or without it where the mapping is empty.
pub(super) fn put_map(entry: &mut Map<String, Value>, key: &str, map: Map<String, Value>) {
    if !map.is_empty() {
        entry.insert(key.to_owned(), Value::Object(map));
    }
}

/// The word for a number; nothing where the document has none.
pub(super) fn word<W: NumberedWord>(number: impl Into<i32>) -> Value {
    let word = W::word_of(number.into());
    if word.parse::<i32>().is_ok() { Value::Null } else { json!(word) }
}

/// Turns the number at a key into its word.
pub(super) fn translate<W: NumberedWord>(entry: &mut Map<String, Value>, key: &str) {
    let number = entry.get(key).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    match number.map_or(Value::Null, word::<W>) {
        Value::Null => entry.remove(key),
        word => entry.insert(key.to_owned(), word),
    };
}

/// An object that PostgreSQL put together, without what is null in it.
pub(super) fn stated(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

/// A text that the document may hold: one that is not empty.
pub(super) fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

/// The day of an expiry at midnight. Any other moment has no place in a document.
pub(super) fn day(at: Option<DateTime<Utc>>) -> Value {
    at.filter(|at| at.time() == NaiveTime::MIN).map_or(Value::Null, |at| json!(at.date_naive().to_string()))
}

/// What somebody gets: a level, or a level until a date. Nothing where the document has no word for the level.
pub(super) fn membership<W: NumberedWord>(level: i32, expires_at: Option<NaiveDate>) -> Value {
    match (word::<W>(level), expires_at) {
        (Value::Null, _) => Value::Null,
        (level, None) => level,
        (level, Some(day)) => json!({ "level": level, "expires_at": day.to_string() }),
    }
}

/// A key that applying would store as it is.
pub(super) fn public_key(text: &str) -> Option<PublicKey> {
    PublicKey::parse(text).ok().filter(|key| key.text() == text)
}

/// Push rules, but those in Ruby's syntax.
pub(super) fn push_rules(row: PushRuleRow) -> Value {
    Value::Object(entry([
        ("deny_delete_tag", json!(row.deny_delete_tag)),
        ("member_check", json!(row.member_check)),
        ("prevent_secrets", json!(row.prevent_secrets)),
        ("max_file_size", json!(row.max_file_size)),
        ("reject_unsigned_commits", json!(row.reject_unsigned_commits)),
        ("commit_committer_check", json!(row.commit_committer_check)),
        ("commit_committer_name_check", json!(row.commit_committer_name_check)),
        ("reject_non_dco_commits", json!(row.reject_non_dco_commits)),
        ("commit_message_regex", expression(row.commit_message_regex, AnchorMode::Lines)),
        ("commit_message_negative_regex", expression(row.commit_message_negative_regex, AnchorMode::Lines)),
        ("author_email_regex", expression(row.author_email_regex, AnchorMode::Text)),
        ("file_name_regex", expression(row.file_name_regex, AnchorMode::Text)),
        ("branch_name_regex", expression(row.branch_name_regex, AnchorMode::Text)),
    ]))
}

/// An expression that applying would take.
fn expression(text: Option<String>, anchors: AnchorMode) -> Value {
    text.filter(|text| Re2::new(text, anchors).is_ok()).map_or(Value::Null, Value::String)
}

/// The policies of a file, where applying them would write the same file.
pub(super) fn security_policies(file: &Value) -> Option<Value> {
    let yaml = file["yaml"].as_str()?;
    let policies: Value = serde_saphyr::from_str(yaml).ok()?;
    let mut entry = stated(policies);
    entry.retain(|key, _| key == "scan_execution_policy" || key == "approval_policy");
    entry.insert("updated_at".to_owned(), file["updated_at"].clone());
    let value = Value::Object(entry);
    let read: SecurityPoliciesEntry = check(&value).ok()?;
    let written = to_file(&read.scan_execution_policy, &read.approval_policy).ok()?;
    (written == yaml).then_some(value)
}
