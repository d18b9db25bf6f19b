//! The page of settings: what their types say of each key, with the default that `config/gitlab.yml` shows.

use std::fmt::Write as _;

use gatehouse::config::Settings;
use gatehouse::document;
use serde_json::Value;

use super::markdown::{code, note, prose, table};
use super::schema;

const HEAD: [&str; 5] = ["Key", "Type and limits", "Default", "Environment", "Meaning"];

const INTRODUCTION: &str = "\
The settings file is `config/gitlab.yml`, or what `--config` or `GATEHOUSE_CONFIG` names. It has the layout of GitLab's \
`gitlab.yml`, so that one which exists can be used as it is; GitLab's other keys are skipped, and keys below `gatehouse` \
that are not listed here are refused. `gatehouse init` writes a file with all of these keys and their defaults.

A variable of the environment overrides its key. Lists are written as JSON there, and an empty text is null where a key may \
be null. `DATABASE_URL` is another name of `GATEHOUSE__DATABASE__URL`. `gatehouse schema settings` prints all of this as a \
JSON Schema; `gatehouse check` judges the settings that are in force.";

const FILE: &str = include_str!("../../../config/gitlab.yml");

/// The page.
pub fn page() -> String {
    let schema = document::schema_of::<Settings>();
    let defaults = document::read(FILE).unwrap();
    let mut page = note("the types in src/config and config/gitlab.yml") + "# Settings\n\n" + &prose(INTRODUCTION);
    section(&mut page, &schema, &defaults, &[]);
    page.trim_end().to_owned() + "\n"
}

/// The keys of a section, and then the sections in it.
fn section(page: &mut String, node: &Value, defaults: &Value, path: &[&str]) {
    let (mut rows, mut sections) = (Vec::new(), Vec::new());
    for (name, key) in node["properties"].as_object().unwrap() {
        let place: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        if key["properties"].is_object() {
            sections.push((place, key));
        } else if key["additionalProperties"].is_object() {
            sections.push((place.into_iter().chain(["NAME"]).collect(), &key["additionalProperties"]));
        } else {
            rows.push(row(key, defaults, &place));
        }
    }
    if !rows.is_empty() {
        *page += &table(&HEAD, &rows);
    }
    // GitLab's sections stand in the order of the file, ours last.
    sections.sort_by_key(|(place, _)| FILE.find(&format!("\n{}:", place[0])));
    for (place, inner) in sections {
        write!(page, "{} {}\n\n", "#".repeat(place.len().min(2) + 1), place.join(".")).unwrap();
        *page += &prose(&schema::description(inner));
        section(page, inner, defaults, &place);
    }
}

fn row(key: &Value, defaults: &Value, path: &[&str]) -> Vec<String> {
    let default = path.iter().try_fold(defaults, |node, name| node.get(name));
    vec![
        code(path.last().unwrap()),
        schema::describe(key, &|_| "mapping".to_owned()),
        default.map_or_else(|| "none".to_owned(), schema::value),
        code(&path.join("__").to_uppercase()),
        schema::description(key),
    ]
}
