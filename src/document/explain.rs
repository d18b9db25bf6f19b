//! What a JSON Schema's validator finds, in words that a person can act upon.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::{Problem, nearest};

/// Every place where the value departs from the schema.
pub(super) fn problems(validator: &Validator, schema: &Value, value: &Value) -> Vec<Problem> {
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

pub(super) fn join(place: &str, part: &str) -> String {
    match part.parse::<usize>() {
        Ok(index) => format!("{place}[{index}]"),
        Err(_) if place.is_empty() => part.to_owned(),
        Err(_) => format!("{place}.{part}"),
    }
}
