//! Documents people write: YAML in, and either a checked value or every mistake in it at once.
//!
//! The settings file and the state document share this. A document's shape is its Rust type; the JSON Schema derived
//! from that type finds all mistakes in one pass, where deserializing alone stops at the first.

use std::fmt;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One thing wrong with a document: where, why, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The place as a person would write it: `projects[2].members.dana`. Empty for the document itself.
    pub place: String,
    /// What is wrong, without the value that was given: it may be a secret.
    pub reason: String,
}

impl Problem {
    /// A mistake at `place`.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { out.write_str(&self.reason) } else { write!(out, "{}: {}", self.place, self.reason) }
    }
}

/// A key that is known, and that nothing would follow: stating it is a mistake, whose reason this is.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    /// Its place, with `[]` for any entry of a list: `projects[].mirror`.
    pub place: &'static str,
    /// The value that may be stated all the same, for it promises nothing.
    pub harmless: Option<bool>,
    /// Why it is refused.
    pub reason: &'static str,
}

impl Refused {
    /// A key that may not be stated at all.
    #[must_use]
    pub const fn key(place: &'static str, reason: &'static str) -> Self {
        Self { place, harmless: None, reason }
    }

    /// A key that may be stated with this value alone.
    #[must_use]
    pub const fn unless(place: &'static str, harmless: bool, reason: &'static str) -> Self {
        Self { place, harmless: Some(harmless), reason }
    }
}

/// The YAML (or JSON) text as a value; an empty text is an empty mapping.
///
/// # Errors
/// One mistake that names line and column where the text is not YAML.
pub fn read(text: &str) -> Result<Value, Problem> {
    if text.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
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
    let mut mistakes = mistakes(&validator, &schema, value);
    if !mistakes.is_empty() {
        mistakes.sort();
        mistakes.dedup();
        return Err(mistakes);
    }
    T::deserialize(value).map_err(|error| vec![Problem::new("", error.to_string())])
}

/// Takes the refused keys out of the value, and answers with a mistake for each that promises something.
pub fn take_refused(value: &mut Value, refused: &[Refused]) -> Vec<Problem> {
    let mut mistakes = Vec::new();
    for one in refused {
        take(value, one.place, "", one, &mut mistakes);
    }
    mistakes
}

fn take(node: &mut Value, rest: &str, place: &str, refused: &Refused, mistakes: &mut Vec<Problem>) {
    let (key, below) = rest.split_once('.').map_or((rest, None), |(key, below)| (key, Some(below)));
    let (key, is_list) = key.strip_suffix("[]").map_or((key, false), |key| (key, true));
    let place = join(place, key);
    match (below, is_list) {
        (None, _) => {
            let stated = node.as_object_mut().and_then(|object| object.remove(key));
            if stated.is_some_and(|stated| refused.harmless.is_none_or(|harmless| stated != harmless)) {
                mistakes.push(Problem::new(place, format!("is refused: {}", refused.reason)));
            }
        }
        (Some(below), false) => {
            if let Some(node) = node.get_mut(key) {
                take(node, below, &place, refused, mistakes);
            }
        }
        (Some(below), true) => {
            let entries = node.get_mut(key).and_then(Value::as_array_mut);
            for (index, entry) in entries.into_iter().flatten().enumerate() {
                take(entry, below, &format!("{place}[{index}]"), refused, mistakes);
            }
        }
    }
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

fn mistakes(validator: &Validator, schema: &Value, value: &Value) -> Vec<Problem> {
    validator.iter_errors(value).flat_map(|error| explain(&error, schema)).collect()
}

fn explain(error: &ValidationError<'_>, schema: &Value) -> Vec<Problem> {
    let place = spoken(error.instance_path().as_str());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let node = parent(schema, error.schema_path().as_str());
            let known: Vec<&str> =
                node["properties"].as_object().into_iter().flatten().map(|(key, _)| &**key).collect();
            let unknown = |key: &String| Problem::new(join(&place, key), unknown_key(key, &known));
            unexpected.iter().map(unknown).collect()
        }
        // The alternatives of an optional or many-shaped value: the one that got furthest into the value explains best.
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let depth = |errors: &Vec<ValidationError<'_>>| {
                errors.iter().map(|error| error.instance_path().as_str().len()).max().unwrap_or(0)
            };
            let shapes = context.iter().filter(|errors| !errors.is_empty());
            match shapes.max_by_key(|errors| depth(errors)) {
                Some(errors) if depth(errors) > error.instance_path().as_str().len() => {
                    errors.iter().flat_map(|error| explain(error, schema)).collect()
                }
                _ => vec![Problem::new(place, format!("must be {}", forms(context)))],
            }
        }
        kind => vec![Problem::new(place, reason(kind) + &example(schema, error.schema_path().as_str()))],
    }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => format!("unknown key; known here: {}", known.join(", ")),
    }
}

fn reason(kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::Type { kind: TypeKind::Single(one) } => format!("must be {one}"),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(many) } => {
            let names: Vec<String> = many.iter().map(|one| one.to_string()).filter(|name| name != "null").collect();
            format!("must be {}", names.join(" or "))
        }
        ValidationErrorKind::Enum { options } => format!("must be one of {}", list(options)),
        ValidationErrorKind::Constant { expected_value } => {
            format!("must be {}", expected_value.as_str().map_or_else(|| expected_value.to_string(), str::to_owned))
        }
        ValidationErrorKind::Required { property } => format!("{} is missing", property.as_str().unwrap_or_default()),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
        ValidationErrorKind::Format { format } => format!("must be a {format}"),
        other => format!("fails the schema's `{}`", other.keyword()),
    }
}

fn forms(context: &[Vec<ValidationError<'_>>]) -> String {
    let forms: Vec<String> = context.iter().flatten().map(|error| reason(error.kind())).collect();
    forms.iter().map(|form| form.trim_start_matches("must be ")).collect::<Vec<_>>().join(" or ")
}

/// The example that the schema gives for the place, as the end of a sentence.
fn example(schema: &Value, schema_path: &str) -> String {
    match &parent(schema, schema_path)["examples"][0] {
        Value::Null => String::new(),
        Value::String(text) => format!(", for example {text}"),
        value => format!(", for example {value}"),
    }
}

fn parent<'a>(schema: &'a Value, schema_path: &str) -> &'a Value {
    let (parent, _keyword) = schema_path.rsplit_once('/').unwrap_or_default();
    schema.pointer(parent).unwrap_or(&Value::Null)
}

fn list(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let words = options.iter().filter(|option| !option.is_null());
    words.map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned)).collect::<Vec<_>>().join(", ")
}

/// `/projects/2/members/dana` as `projects[2].members.dana`.
fn spoken(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
    parts.fold(String::new(), |place, part| join(&place, &part))
}

fn join(place: &str, part: &str) -> String {
    match part.parse::<usize>() {
        Ok(index) => format!("{place}[{index}]"),
        Err(_) if place.is_empty() => part.to_owned(),
        Err(_) => format!("{place}.{part}"),
    }
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
        kind: Option<Kind>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Tree,
        Herb,
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let value = read("beds: 0\nplants:\n  - {name: 3, kind: fern}\n  - {nmae: x}\n").unwrap();
        let mistakes: Vec<String> = check::<Garden>(&value).unwrap_err().iter().map(Problem::to_string).collect();
        insta::assert_snapshot!(mistakes.join("\n"), @r"
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
            Refused::key("plants[].scent", "nobody smells here"),
            Refused::unless("soil.wet", false, "there is no water"),
        ];
        let text = "beds: 1\nsoil: {wet: true}\nplants:\n  - {name: a, scent: null}\n  - {name: b}\n  - 3\n";
        let mut value = read(text).unwrap();
        let mistakes: Vec<String> = take_refused(&mut value, &refused).iter().map(Problem::to_string).collect();
        insta::assert_snapshot!(mistakes.join("\n"), @r"
        plants[0].scent: is refused: nobody smells here
        soil.wet: is refused: there is no water
        ");
        assert!(value["soil"].get("wet").is_none());
        let mut harmless = read("{soil: {wet: false}, plants: 7}").unwrap();
        assert!(take_refused(&mut harmless, &refused).is_empty());
    }

    #[test]
    fn text_that_is_not_yaml_names_its_line() {
        assert!(read("a: [1,").unwrap_err().place.starts_with("line "));
        assert!(check::<Garden>(&read("").unwrap()).is_ok());
    }
}
