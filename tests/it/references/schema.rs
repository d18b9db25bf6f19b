//! A JSON Schema in words.

use std::fmt::Write as _;

use serde_json::Value;

use super::markdown::code;

/// The type and the limits of a value. `object` says what stands for a mapping with keys of its own.
pub fn describe(node: &Value, object: &dyn Fn(&Value) -> String) -> String {
    let mut words = kind(node, object);
    if is_nullable(node) {
        words += ", or null";
    }
    if let Some(example) = node["examples"].get(0) {
        write!(words, "; for example {}", value(example)).unwrap();
    }
    words
}

/// A value as YAML has it.
pub fn value(value: &Value) -> String {
    match value {
        Value::String(text) => code(text),
        other => code(&other.to_string()),
    }
}

/// The description, in one line.
pub fn description(node: &Value) -> String {
    node["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The mapping with keys of its own that a value is, or consists of: behind lists, names and alternatives.
pub fn inner_object(node: &Value) -> Option<&Value> {
    if node["properties"].is_object() || !node.is_object() {
        return Some(node).filter(|node| node.is_object());
    }
    let alternatives = node["anyOf"].as_array().into_iter().flatten();
    [&node["items"], &node["additionalProperties"]].into_iter().chain(alternatives).find_map(inner_object)
}

fn kind(node: &Value, object: &dyn Fn(&Value) -> String) -> String {
    if let Some(values) = node["enum"].as_array() {
        return alternatives(values.iter().filter(|one| !one.is_null()).map(value));
    }
    if let Some(choices) = node["anyOf"].as_array().or(node["oneOf"].as_array()) {
        let choices = choices.iter().filter(|choice| choice["type"] != "null");
        return alternatives(choices.map(|choice| kind(choice, object)));
    }
    if node.get("const").is_some() {
        return value(&node["const"]);
    }
    let types = match &node["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
        one => vec![one.as_str().unwrap_or_default()],
    };
    alternatives(types.into_iter().map(|one| match one {
        "string" => text(node),
        "integer" | "number" => format!("number{}", range(node, "minimum", "maximum", "")),
        "boolean" => format!("{} or {}", code("true"), code("false")),
        "array" => format!("list{} of {}", range(node, "minItems", "maxItems", ""), kind(&node["items"], object)),
        "object" if node["properties"].is_object() => object(node),
        "object" if node["additionalProperties"].is_object() => {
            format!("mapping of names to {}", kind(&node["additionalProperties"], object))
        }
        "object" => "mapping".to_owned(),
        _ => "any value".to_owned(),
    }))
}

fn text(node: &Value) -> String {
    let text = format!("text{}", range(node, "minLength", "maxLength", " characters"));
    match node["pattern"].as_str() {
        Some(pattern) => format!("{text} like {}", code(pattern)),
        None => text,
    }
}

fn range(node: &Value, least: &str, most: &str, unit: &str) -> String {
    match (node.get(least), node.get(most)) {
        (None, None) => String::new(),
        (Some(least), None) if !unit.is_empty() && least == 1 => " (not empty)".to_owned(),
        (Some(least), None) => format!(" (at least {least}{unit})"),
        (None, Some(most)) => format!(" (at most {most}{unit})"),
        (Some(least), Some(most)) => format!(" ({least} to {most}{unit})"),
    }
}

fn alternatives(choices: impl Iterator<Item = String>) -> String {
    let mut choices: Vec<String> = choices.collect();
    match choices.pop() {
        Some(last) if choices.is_empty() => last,
        Some(last) => format!("{} or {last}", choices.join(", ")),
        None => "any value".to_owned(),
    }
}

fn is_nullable(node: &Value) -> bool {
    let among =
        |types: &Value| types == "null" || types.as_array().is_some_and(|types| types.iter().any(|t| t == "null"));
    among(&node["type"])
        || node["anyOf"].as_array().is_some_and(|choices| choices.iter().any(|one| among(&one["type"])))
}
