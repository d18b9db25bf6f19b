//! Types of parameters that the public REST API declares beside the plain ones (rest.md 1.6).

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use serde_json::Value;

use super::coerce::{CoerceParameter, WrongType};
use super::{OptionalParameter, ParameterReader};
use crate::domain::level::AccessLevel;

/// Items of a list at most.
const MOST_ITEMS: usize = 1_000;

/// RFC 3339 with or without a fraction, or a day, whose midnight it is. A blank is read as the `+` that a client did not
/// encode.
impl CoerceParameter for DateTime<Utc> {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        let text = match value {
            Value::Null => return Ok(None),
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::String(text) => text.trim(),
            _ => return Err(WrongType),
        };
        // No other year fits into all the columns and texts that it may come to stand in.
        let in_range = |at: DateTime<Utc>| if (1..=9999).contains(&at.year()) { Ok(Some(at)) } else { Err(WrongType) };
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return in_range(day.and_time(NaiveTime::MIN).and_utc());
        }
        let plus = |text: &str| match text.rsplit_once(' ') {
            Some((time, zone)) if time.contains('T') => format!("{time}+{zone}"),
            _ => text.to_owned(),
        };
        let parsed = DateTime::parse_from_rfc3339(&plus(text));
        in_range(parsed.map_err(|_| WrongType)?.with_timezone(&Utc))
    }
}

impl ParameterReader<'_> {
    /// A list in any form that clients send: JSON, `a[]=1&a[]=2`, `a[0]=1`, or one text with commas.
    pub fn array<T: CoerceParameter>(&mut self, name: &str) -> OptionalParameter<Vec<T>> {
        let values = match self.value(name) {
            None => return OptionalParameter::Absent,
            Some(Value::Null) => return OptionalParameter::Null,
            Some(value) => items(value),
        };
        if values.len() > MOST_ITEMS {
            self.refuse(name, &format!("is too long (maximum is {MOST_ITEMS})"));
            return OptionalParameter::Absent;
        }
        let read: Result<Vec<Option<T>>, _> = values.iter().map(T::coerce).collect();
        if let Ok(values) = read {
            OptionalParameter::Is(values.into_iter().flatten().collect())
        } else {
            self.refuse(name, "is invalid");
            OptionalParameter::Absent
        }
    }

    /// A list, each item one of these words.
    pub fn choices(&mut self, name: &str, words: &[&str]) -> OptionalParameter<Vec<String>> {
        let values: OptionalParameter<Vec<String>> = self.array(name);
        if let OptionalParameter::Is(values) = &values
            && values.iter().any(|value| !words.contains(&value.as_str()))
        {
            self.refuse(name, "does not have a valid value");
        }
        values
    }

    /// One of these words, as what stands beside it.
    pub fn choice<T: Clone>(&mut self, name: &str, words: &[(&str, T)]) -> OptionalParameter<T> {
        let text = match self.optional::<String>(name) {
            OptionalParameter::Is(text) => text,
            OptionalParameter::Absent => return OptionalParameter::Absent,
            OptionalParameter::Null => return OptionalParameter::Null,
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            OptionalParameter::Is(value.clone())
        } else {
            self.refuse(name, "does not have a valid value");
            OptionalParameter::Absent
        }
    }

    /// One of these words as it is.
    pub fn word(&mut self, name: &str, words: &[&'static str]) -> OptionalParameter<&'static str> {
        let words: Vec<(&str, &'static str)> = words.iter().map(|word| (*word, *word)).collect();
        self.choice(name, &words)
    }

    /// An access level, one of these.
    pub fn access_level(&mut self, name: &str, levels: &[i32]) -> OptionalParameter<AccessLevel> {
        let level: OptionalParameter<i32> = self.optional(name);
        if let OptionalParameter::Is(level) = level
            && !levels.contains(&level)
        {
            self.refuse(name, "does not have a valid value");
        }
        match level {
            OptionalParameter::Is(level) => OptionalParameter::Is(AccessLevel(level)),
            OptionalParameter::Absent => OptionalParameter::Absent,
            OptionalParameter::Null => OptionalParameter::Null,
        }
    }

    /// Texts by their names: `custom_attributes[a]=b`, or a JSON object.
    pub fn texts(&mut self, name: &str) -> OptionalParameter<BTreeMap<String, String>> {
        let object = match self.value(name) {
            None => return OptionalParameter::Absent,
            Some(Value::Null) => return OptionalParameter::Null,
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.refuse(name, "is invalid");
                return OptionalParameter::Absent;
            }
        };
        let read: Result<BTreeMap<String, String>, WrongType> =
            object.iter().map(|(key, value)| Ok((key.clone(), String::coerce(value)?.unwrap_or_default()))).collect();
        if let Ok(texts) = read {
            OptionalParameter::Is(texts)
        } else {
            self.refuse(name, "is invalid");
            OptionalParameter::Absent
        }
    }

    /// A list of objects, in JSON, as `a[][x]=1` or as `a[0][x]=1`; absent where it is not named.
    pub fn objects_in_any_form<T>(
        &mut self,
        name: &str,
        mut declare: impl FnMut(&mut ParameterReader<'_>) -> T,
    ) -> OptionalParameter<Vec<T>> {
        let values = match self.value(name) {
            None => return OptionalParameter::Absent,
            Some(Value::Null) => return OptionalParameter::Null,
            Some(value @ (Value::Array(_) | Value::Object(_))) => items(value),
            Some(Value::String(text)) if text.is_empty() => return OptionalParameter::Null,
            Some(_) => Vec::from([Value::Bool(false)]),
        };
        let objects: Option<Vec<_>> = values.iter().map(Value::as_object).collect();
        let Some(objects) = objects.filter(|objects| objects.len() <= MOST_ITEMS) else {
            self.refuse(name, "is invalid");
            return OptionalParameter::Absent;
        };
        let read = objects.into_iter().enumerate();
        let read = read.map(|(at, object)| self.inside(object, &format!("{}[{at}]", self.name(name)), &mut declare));
        OptionalParameter::Is(read.collect())
    }

    /// Whether the request names the parameter with something but null.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !value.is_null())
    }

    /// Refuses a request that names none of these.
    pub fn at_least_one(&mut self, names: &[&str]) {
        if !names.iter().any(|name| self.names(name)) {
            self.refuse_all(names, "are missing, at least one parameter must be provided");
        }
    }

    /// Refuses a request that names several of these.
    pub fn exclusive(&mut self, names: &[&str]) {
        let present: Vec<&str> = names.iter().copied().filter(|name| self.names(name)).collect();
        if present.len() > 1 {
            self.refuse_all(&present, "are mutually exclusive");
        }
    }

    /// Refuses a request that names some of these and not all.
    pub fn all_or_none(&mut self, names: &[&str]) {
        let present = names.iter().filter(|name| self.names(name)).count();
        if present > 0 && present < names.len() {
            self.refuse_all(names, "provide all or none of parameters");
        }
    }

    fn refuse_all(&mut self, names: &[&str], complaint: &str) {
        let full: Vec<String> = names.iter().map(|name| self.name(name)).collect();
        self.complain_of(&full.join(", "), complaint);
    }
}

/// What a list holds, whatever its form.
fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Object(object) => {
            let mut numbered: Vec<(u64, &Value)> =
                object.iter().filter_map(|(key, value)| Some((key.parse().ok()?, value))).collect();
            if numbered.len() < object.len() {
                // An object is no list.
                return Vec::from([value.clone()]);
            }
            numbered.sort_by_key(|(place, _)| *place);
            numbered.into_iter().map(|(_, value)| value.clone()).collect()
        }
        Value::String(text) => {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(std::convert::Into::into).collect()
        }
        other => Vec::from([other.clone()]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::grape::GrapeParameters;

    fn read<T>(query: &str, declare: impl FnOnce(&mut ParameterReader<'_>) -> T) -> Result<T, String> {
        GrapeParameters::in_query(query).unwrap().read(declare).map_err(|error| error.to_string())
    }

    /// rest-13
    #[test]
    fn lists_come_in_every_form() {
        for query in ["a[]=1&a[]=2", "a=1,2", "a[0]=1&a[1]=2", "a[1]=2&a[0]=1", "a=1, 2,"] {
            assert_eq!(
                read(query, |reader| reader.array::<i64>("a")),
                Ok(OptionalParameter::Is(vec![1, 2])),
                "{query}"
            );
        }
        assert_eq!(read("a=1,x", |reader| reader.array::<i64>("a")).unwrap_err(), "a is invalid");
        assert_eq!(read("a=", |reader| reader.array::<i64>("a")), Ok(OptionalParameter::Is(vec![])));
        assert_eq!(read("a=x", |reader| reader.choices("a", &["y"])).unwrap_err(), "a does not have a valid value");
        let object = json!({ "b": 1 });
        assert_eq!(items(&object), std::slice::from_ref(&object));
    }

    #[test]
    fn moments_have_a_zone_or_are_days() {
        let at = |text: &str| DateTime::<Utc>::coerce(&json!(text)).map(|at| at.map(|at| at.to_rfc3339())).ok();
        let noon = Some(Some("2026-06-01T10:00:00+00:00".to_owned()));
        assert_eq!(at("2026-06-01T10:00:00Z"), noon);
        assert_eq!(at("2026-06-01T10:00:00.000Z"), noon);
        assert_eq!(at("2026-06-01T12:00:00+02:00"), noon);
        assert_eq!(at("2026-06-01T12:00:00 02:00"), noon);
        assert_eq!(at("2026-06-01"), Some(Some("2026-06-01T00:00:00+00:00".to_owned())));
        assert_eq!(at(""), Some(None));
        assert_eq!([at("2026-06-01T10:00:00"), at("yesterday")], [None, None]);
        assert_eq!(
            [at("-9999-01-01"), at("10000-01-01"), at("0000-01-01"), at("+10000-01-01T00:00:00Z")],
            [const { None }; 4]
        );
    }

    #[test]
    fn parameters_depend_on_each_other() {
        let one = |reader: &mut ParameterReader<'_>| reader.at_least_one(&["a", "b"]);
        assert_eq!(read("", one).unwrap_err(), "a, b are missing, at least one parameter must be provided");
        assert_eq!(read("b=1", one), Ok(()));
        let either = |reader: &mut ParameterReader<'_>| reader.exclusive(&["a", "b"]);
        assert_eq!(read("a=1&b=1", either).unwrap_err(), "a, b are mutually exclusive");
        let both = |reader: &mut ParameterReader<'_>| reader.all_or_none(&["a", "b"]);
        assert_eq!(read("a=1", both).unwrap_err(), "a, b provide all or none of parameters");
        let level = |reader: &mut ParameterReader<'_>| reader.access_level("a", &[30, 40]);
        assert_eq!(read("a=35", level).unwrap_err(), "a does not have a valid value");
        assert_eq!(read("a=40", level), Ok(OptionalParameter::Is(AccessLevel(40))));
    }

    #[test]
    fn objects_come_in_every_form() {
        let users = |reader: &mut ParameterReader<'_>| {
            reader.objects_in_any_form("a", |reader| reader.optional::<i64>("user_id").value())
        };
        for query in ["a[][user_id]=1&a[][user_id]=2", "a[0][user_id]=1&a[1][user_id]=2"] {
            assert_eq!(read(query, users), Ok(OptionalParameter::Is(vec![Some(1), Some(2)])), "{query}");
        }
        assert_eq!(read("a[0][user_id]=x", users).unwrap_err(), "a[0][user_id] is invalid");
        assert_eq!(read("a=1", users).unwrap_err(), "a is invalid");
    }
}
