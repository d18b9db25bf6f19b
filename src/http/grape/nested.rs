//! Names such as `packs[][minutes]` in a query or a form: objects and lists, as Rack reads them.

use serde_json::{Map, Value};

use crate::http::error::ApiError;
use crate::http::extract::MOST_FIELDS;

/// How deep names may nest.
const DEEPEST: usize = 16;

/// The parameters in a query or a form. The last of equal names wins.
///
/// # Errors
/// 400 where a text is not UTF-8, a name is too deep, or two names contradict each other.
pub fn parse(text: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut fields = Vec::new();
    for (name, value) in form_urlencoded::parse(text) {
        if fields.len() >= MOST_FIELDS {
            return Err(ApiError::Invalid("too many parameters".to_owned()));
        }
        if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(ApiError::Invalid("invalid UTF-8 in a parameter".to_owned()));
        }
        fields.push((name.into_owned(), Value::String(value.into_owned())));
    }
    collect(fields)
}

/// The parameters that these names and values are.
///
/// # Errors
/// 400 where a name is too deep, or two names contradict each other.
pub fn collect(fields: Vec<(String, Value)>) -> Result<Map<String, Value>, ApiError> {
    let mut parameters = Map::new();
    for (name, value) in fields {
        let (first, rest) = steps(&name);
        if first.is_empty() {
            continue;
        }
        if rest.len() > DEEPEST {
            return Err(ApiError::Invalid("a parameter is nested too deep".to_owned()));
        }
        let slot = parameters.entry(first).or_insert(Value::Null);
        put(slot, &rest, value)
            .ok_or_else(|| ApiError::Invalid("invalid parameter: a list and an object of one name".to_owned()))?;
    }
    Ok(parameters)
}

/// `a[b][]` is `a`, then `b`, then a list's next item. A name whose brackets do not close is a name like any other.
fn steps(name: &str) -> (&str, Vec<&str>) {
    let Some((first, rest)) = name.split_once('[') else { return (name, Vec::new()) };
    match rest.strip_suffix(']') {
        Some(inner) if !first.is_empty() => (first, inner.split("][").collect()),
        _ => (name, Vec::new()),
    }
}

/// Puts a value where the steps lead; `None` where something of another kind is in the way.
fn put(slot: &mut Value, steps: &[&str], value: Value) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else {
        if matches!(slot, Value::Array(_) | Value::Object(_)) {
            return None;
        }
        *slot = value;
        return Some(());
    };
    if !step.is_empty() {
        if slot.is_null() {
            *slot = Value::Object(Map::new());
        }
        return put(slot.as_object_mut()?.entry(*step).or_insert(Value::Null), rest, value);
    }
    if slot.is_null() {
        *slot = Value::Array(Vec::new());
    }
    let items = slot.as_array_mut()?;
    // `a[][x]=1&a[][y]=2&a[][x]=3` is two objects: a name that the last one has begins the next.
    let goes_on = items.last().and_then(Value::as_object).zip(rest.first());
    if goes_on.is_none_or(|(last, next)| last.contains_key(*next)) {
        items.push(Value::Null);
    }
    put(items.last_mut()?, rest, value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        parse(text.as_bytes()).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn names_nest() {
        assert_eq!(read("a=1&a=2&&=x&b").unwrap(), json!({ "a": "2", "b": "" }));
        assert_eq!(read("a[]=1&a%5B%5D=2").unwrap(), json!({ "a": ["1", "2"] }));
        assert_eq!(read("a[b][c]=1&a[b][d]=2").unwrap(), json!({ "a": { "b": { "c": "1", "d": "2" } } }));
        let packs = "p[][x]=1&p[][y]=2&p[][x]=3&p[][y]=4";
        assert_eq!(read(packs).unwrap(), json!({ "p": [{ "x": "1", "y": "2" }, { "x": "3", "y": "4" }] }));
        assert_eq!(read("a[=1&[b]=2").unwrap(), json!({ "a[": "1", "[b]": "2" }));
    }

    #[test]
    fn names_that_contradict_each_other_are_refused() {
        for text in ["a=1&a[b]=2", "a[b]=1&a=2", "a[]=1&a[b]=2", "a[b]=1&a[]=2"] {
            assert_eq!(read(text).unwrap_err(), "invalid parameter: a list and an object of one name", "{text}");
        }
        assert_eq!(read("a=%ff").unwrap_err(), "invalid UTF-8 in a parameter");
        assert_eq!(read(&format!("a{}=1", "[b]".repeat(17))).unwrap_err(), "a parameter is nested too deep");
        assert_eq!(read(&"a&".repeat(4_097)).unwrap_err(), "too many parameters");
    }
}
