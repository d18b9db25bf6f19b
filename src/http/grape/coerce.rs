//! What a JSON value is as a parameter of a declared type (provisioning.md 1.8).

use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::domain::date;
use crate::http::wire::name_with_nul;

/// The value is not of the declared type.
#[derive(Debug)]
pub struct WrongType;

/// A type that parameters can be declared to have.
pub trait CoerceParameter: Sized {
    /// The value as this type; `None` for null and what stands for it.
    ///
    /// # Errors
    /// Where it is of another type.
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType>;

    /// Whether the value says nothing, though it is there.
    fn is_blank(&self) -> bool {
        false
    }
}

impl CoerceParameter for String {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(value) => Ok(Some(value.to_string())),
            Value::Array(_) | Value::Object(_) => Err(WrongType),
        }
    }

    fn is_blank(&self) -> bool {
        self.trim().is_empty()
    }
}

impl CoerceParameter for i64 {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => text.trim_matches(' ').parse().map(Some).map_err(|_| WrongType),
            Value::Number(number) => whole(number).map(Some),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(WrongType),
        }
    }
}

/// `1.0` is 1, and `1.5` no whole number.
fn whole(number: &serde_json::Number) -> Result<i64, WrongType> {
    /// Up to here every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = number.as_i64() {
        return Ok(number);
    }
    let float = number.as_f64().ok_or(WrongType)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and far inside the range")]
    if float.fract() == 0.0 && float.abs() <= EXACT { Ok(float as i64) } else { Err(WrongType) }
}

impl CoerceParameter for i32 {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        i64::coerce(value)?.map(Self::try_from).transpose().map_err(|_| WrongType)
    }
}

impl CoerceParameter for bool {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        let text = match value {
            Value::Null => return Ok(None),
            Value::Bool(value) => return Ok(Some(*value)),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) => return Err(WrongType),
        };
        let capitalised = text.get(..1).map(|first| first.to_uppercase() + &text[1..].to_lowercase());
        let one_case =
            text == text.to_lowercase() || text == text.to_uppercase() || Some(&text) == capitalised.as_ref();
        match text.to_lowercase().as_str() {
            "" => Ok(None),
            "true" | "t" | "1" | "yes" | "y" | "on" if one_case => Ok(Some(true)),
            "false" | "f" | "0" | "no" | "n" | "off" if one_case => Ok(Some(false)),
            _ => Err(WrongType),
        }
    }
}

impl CoerceParameter for NaiveDate {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => date::parse(text).map(Some).ok_or(WrongType),
            _ => Err(WrongType),
        }
    }
}

/// An object, or a text that holds one.
impl CoerceParameter for Map<String, Value> {
    fn coerce(value: &Value) -> Result<Option<Self>, WrongType> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => match serde_json::from_str(text) {
                Ok(object) if name_with_nul(&object).is_none() => Ok(Some(object)),
                _ => Err(WrongType),
            },
            Value::Object(object) => Ok(Some(object.clone())),
            _ => Err(WrongType),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read<T: CoerceParameter>(value: &Value) -> Result<Option<T>, ()> {
        T::coerce(value).map_err(|WrongType| ())
    }

    #[test]
    fn whole_numbers() {
        for value in [json!(10), json!("10"), json!(" +10 "), json!("010"), json!(10.0)] {
            assert_eq!(read::<i32>(&value), Ok(Some(10)), "{value}");
        }
        assert_eq!(read::<i32>(&json!("-10")), Ok(Some(-10)));
        assert_eq!([read::<i32>(&json!("")), read(&json!(null))], [Ok(None), Ok(None)]);
        let wrong = [
            json!("1.5"),
            json!(1.5),
            json!("1e3"),
            json!("0x1F"),
            json!("abc"),
            json!("\"10\""),
            json!(true),
            json!([1]),
            json!("1_000"),
            json!("  "),
            json!(99_999_999_999_i64),
            json!(1e20),
            json!("99999999999"),
        ];
        for value in wrong {
            assert_eq!(read::<i32>(&value), Err(()), "{value}");
        }
        assert_eq!(read::<i64>(&json!("99999999999")), Ok(Some(99_999_999_999)));
    }

    #[test]
    fn truth_values() {
        for text in ["true", "T", "1", "YES", "Yes", "y", "on"] {
            assert_eq!(read::<bool>(&json!(text)), Ok(Some(true)), "{text}");
        }
        for text in ["false", "F", "0", "NO", "No", "n", "Off"] {
            assert_eq!(read::<bool>(&json!(text)), Ok(Some(false)), "{text}");
        }
        assert_eq!([read::<bool>(&json!(1)), read(&json!(false))], [Ok(Some(true)), Ok(Some(false))]);
        assert_eq!([read::<bool>(&json!("")), read(&json!(null))], [Ok(None), Ok(None)]);
        for value in [json!("maybe"), json!("tRUE"), json!(2), json!([]), json!("é")] {
            assert_eq!(read::<bool>(&value), Err(()), "{value}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(read::<String>(&json!(7)), Ok(Some("7".to_owned())));
        assert_eq!(read::<String>(&json!(true)), Ok(Some("true".to_owned())));
        assert_eq!(read::<String>(&json!("")), Ok(Some(String::new())));
        assert_eq!(read::<String>(&json!(null)), Ok(None));
        assert_eq!([read::<String>(&json!([])), read(&json!({}))], [Err(()), Err(())]);
    }

    #[test]
    fn dates_are_texts() {
        let day = NaiveDate::from_ymd_opt(2020, 7, 15);
        assert_eq!(read::<NaiveDate>(&json!("15 Jul 2020")), Ok(day));
        assert_eq!([read::<NaiveDate>(&json!("")), read(&json!(null))], [Ok(None), Ok(None)]);
        assert_eq!([read::<NaiveDate>(&json!(20_200_715)), read(&json!("  "))], [Err(()), Err(())]);
    }
}
