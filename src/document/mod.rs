//! Documents people write: YAML in, and either a checked value or every problem in it at once.
//!
//! The settings file and the state document share the reading. A document's shape is its Rust type; the JSON Schema
//! derived from that type finds all problems in one pass, where deserializing alone stops at the first.
//!
//! The state document is [`state::StateDocument`]: [`reconcile`] makes the database agree with it, kind by kind, and
//! [`kinds`] has a file for each kind of object.

pub mod changes;
pub mod directory;
mod explain;
pub mod export;
pub mod kinds;
mod object_kind;
pub mod place;
mod problem;
pub mod progress;
pub mod reconcile;
pub mod refused;
pub mod report;
pub mod run;
pub mod sources;
pub mod state;
pub mod words;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::problem::Problem;
pub use self::refused::{RefusedKey, take_refused};

/// Mappings, lists and values of a document, at most: what aliases make of a small text must not fill the memory.
const MOST_NODES: usize = 4_000_000;

/// The YAML (or JSON) text as a value; an empty text is an empty mapping.
///
/// # Errors
/// One problem that names line and column where the text is not YAML.
pub fn read(text: &str) -> Result<Value, Problem> {
    if text.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    // The usual budget ends at some 10,000 users. How large a document may be is its reader's to say.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MOST_NODES, max_events: 4 * MOST_NODES },
    };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place =
            error.location().map_or_else(String::new, |at| format!("line {}, column {}", at.line(), at.column()));
        Problem::new(place, format!("not valid YAML: {}", first_line(&error.without_snippet().to_string())))
    })?;
    Ok(if value.is_null() { Value::Object(serde_json::Map::new()) } else { value })
}

/// The value as a `T`.
///
/// # Errors
/// Every place where the value departs from the schema of `T`, sorted by place.
///
/// # Panics
/// Never: a derived schema is a valid schema.
pub fn check<T: JsonSchema + DeserializeOwned>(value: &Value) -> Result<T, Vec<Problem>> {
    let schema = schema_of::<T>();
    let validator = jsonschema::validator_for(&schema).expect("a derived schema is a valid schema");
    let mut problems = explain::problems(&validator, &schema, value);
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(problems);
    }
    T::deserialize(value).map_err(|error| vec![Problem::new("", error.to_string())])
}

/// The JSON Schema of `T`, without references, so that a place in it can be read off directly.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The candidate a typing error most likely meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the shape matters here")]
    struct Garden {
        #[schemars(range(min = 1), extend("examples" = [4]))]
        beds: Option<u16>,
        #[serde(default)]
        plants: Vec<Plant>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the shape matters here")]
    struct Plant {
        name: String,
        kind: Option<PlantKind>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum PlantKind {
        Tree,
        Herb,
    }

    #[test]
    fn every_problem_is_reported_with_its_place() {
        let value = read("beds: 0\nplants:\n  - {name: 3, kind: fern}\n  - {nmae: x}\n").unwrap();
        let problems: Vec<String> = check::<Garden>(&value).unwrap_err().iter().map(Problem::to_string).collect();
        insta::assert_snapshot!(problems.join("\n"), @r"
        beds: must be at least 1, for example 4
        plants[0].kind: must be one of tree, herb
        plants[0].name: must be string
        plants[1]: name is missing
        plants[1].nmae: unknown key; did you mean `name`?
        ");
    }

    #[test]
    fn what_nothing_would_follow_is_refused_with_the_reason() {
        let refused = [
            RefusedKey::key("plants[].scent", "nobody smells here"),
            RefusedKey::unless("soil.wet", false, "there is no water"),
        ];
        let text = "beds: 1\nsoil: {wet: true}\nplants:\n  - {name: a, scent: null}\n  - {name: b}\n  - 3\n";
        let mut value = read(text).unwrap();
        let problems: Vec<String> = take_refused(&mut value, &refused).iter().map(Problem::to_string).collect();
        insta::assert_snapshot!(problems.join("\n"), @r"
        plants[0].scent: is refused: nobody smells here
        soil.wet: is refused: there is no water
        ");
        assert!(value["soil"].get("wet").is_none());
        let mut harmless = read("{soil: {wet: false}, plants: 7}").unwrap();
        assert!(take_refused(&mut harmless, &refused).is_empty());
    }

    #[test]
    fn a_document_may_be_that_of_a_large_installation() {
        let value = read(&format!("beds: [{}]", "1,".repeat(300_000))).unwrap();
        assert_eq!(value["beds"].as_array().map(Vec::len), Some(300_000));
    }

    #[test]
    fn text_that_is_not_yaml_names_its_line() {
        assert!(read("a: [1,").unwrap_err().place.starts_with("line "));
        assert!(check::<Garden>(&read("").unwrap()).is_ok());
    }
}
