//! The page of the state document: each kind of entry with its keys, as the types of `src/document/kinds` have them.

use std::fmt::Write as _;

use gatehouse::document;
use gatehouse::document::state::StateDocument;
use serde_json::Value;

use super::markdown::{anchor, code, note, prose, table};
use super::schema;

/// The kinds that nearly every document has come first.
const FIRST: [&str; 4] = ["settings", "users", "groups", "projects"];

const INTRODUCTION: &str = "\
A state document is YAML or JSON. `gatehouse apply -f FILE` makes the database agree with it in one transaction, and \
`gatehouse export` prints one of what is there. What a document leaves out stays as it is; an entry with `ensure: absent` is \
removed. Keys that are not listed here are refused. Below, a key in bold is required. `gatehouse schema state` prints all of \
this as a JSON Schema, for editors.";

/// The page.
pub fn page() -> String {
    let schema = document::schema_of::<StateDocument>();
    let mut sections = Sections::default();
    let kinds = schema["properties"].as_object().unwrap();
    let rest = kinds.keys().map(String::as_str).filter(|kind| !FIRST.contains(kind));
    let mut rows = Vec::new();
    for kind in FIRST.into_iter().chain(rest) {
        let node = &kinds[kind];
        let shape = if node["items"].is_object() { "list" } else { "mapping" };
        sections.add(kind, node, 2);
        let at = schema::inner_object(node).and_then(|entry| sections.find(entry)).unwrap();
        rows.push(vec![format!("[`{kind}`](#{at})"), shape.to_owned(), schema::description(node)]);
    }
    let introduction = note("the types in src/document") + "# The state document\n\n" + &prose(INTRODUCTION);
    introduction + &table(&["Key", "Type", "Meaning"], &rows) + sections.text.trim_end() + "\n"
}

/// What is written so far, and where the keys of each shape are described.
#[derive(Default)]
struct Sections {
    text: String,
    described: Vec<(Value, String)>,
}

impl Sections {
    /// A section with the keys of an entry, unless another has the same ones; then the sections of what is in it.
    fn add(&mut self, title: &str, node: &Value, level: usize) {
        let Some(entry) = schema::inner_object(node) else { return };
        if self.find(entry).is_some() {
            return;
        }
        self.described.push((entry["properties"].clone(), anchor(title)));
        let keys = entry["properties"].as_object().unwrap();
        let place = self.text.len();
        // The sections of what is in it come first, because the rows link to them.
        for (name, key) in keys {
            self.add(&format!("{title}.{name}"), key, 3);
        }
        let inner = self.text.split_off(place);
        let mut rows: Vec<_> =
            keys.iter().map(|(name, key)| (!is_required(entry, name), self.row(entry, name, key))).collect();
        rows.sort_by_key(|(optional, _)| *optional);
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
        write!(self.text, "{} {title}\n\n{}", "#".repeat(level), prose(&schema::description(entry))).unwrap();
        self.text += &table(&["Key", "Type and limits", "Meaning"], &rows);
        self.text += &inner;
    }

    fn row(&self, entry: &Value, name: &str, key: &Value) -> Vec<String> {
        let shown = if is_required(entry, name) { format!("**{}**", code(name)) } else { code(name) };
        let keys = |object: &Value| {
            self.find(object).map_or_else(|| "mapping".to_owned(), |at| format!("[mapping with keys](#{at})"))
        };
        vec![shown, schema::describe(key, &keys), schema::description(key)]
    }

    fn find(&self, entry: &Value) -> Option<&str> {
        let found = self.described.iter().find(|(keys, _)| *keys == entry["properties"]);
        found.map(|(_, anchor)| anchor.as_str())
    }
}

fn is_required(entry: &Value, name: &str) -> bool {
    entry["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name))
}
