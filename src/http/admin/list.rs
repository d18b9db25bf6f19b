//! Pages of lists in addresses: `after=` and `before=` hold the key of a row, in a form that is nobody's to read.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::DateTime;

use crate::http::auth::admin::AdminQuery;
use crate::store::paging::{KeyValue, Page, PagePlace, PageRequest};

/// Rows of a page.
pub const ROWS: usize = 50;

/// The page that a query asks for: the first one, where it asks for none that there can be.
pub fn request(query: &AdminQuery) -> PageRequest {
    let key = |name| decode(query.get(name));
    let place = match (key("after"), key("before")) {
        (Some(key), _) => PagePlace::After(key),
        (None, Some(key)) => PagePlace::Before(key),
        (None, None) => PagePlace::Start,
    };
    PageRequest { place, rows: ROWS }
}

/// The addresses of the pages before and after this one, where there are any: the same search at another place.
pub fn neighbours<T>(
    path: &str,
    query: &AdminQuery,
    page: &Page<T>,
    key: impl Fn(&T) -> Vec<KeyValue>,
) -> (Option<String>, Option<String>) {
    let address = |name: &str, row: &T| {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.text.as_bytes()) {
            if name != "after" && name != "before" && !value.is_empty() {
                pairs.append_pair(&name, &value);
            }
        }
        format!("{path}?{}", pairs.append_pair(name, &encode(&key(row))).finish())
    };
    let before = page.rows.first().filter(|_| page.has_before).map(|row| address("before", row));
    let after = page.rows.last().filter(|_| page.has_after).map(|row| address("after", row));
    (before, after)
}

fn encode(key: &[KeyValue]) -> String {
    let values: Vec<String> = key
        .iter()
        .map(|value| match value {
            KeyValue::Text(text) => format!("t{text}"),
            KeyValue::Number(number) => format!("n{number}"),
            KeyValue::Day(day) => format!("d{day}"),
            KeyValue::Moment(moment) => format!("m{}", moment.timestamp_micros()),
            KeyValue::Local(moment) => format!("l{}", moment.and_utc().timestamp_micros()),
        })
        .collect();
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::Value::from(values).to_string())
}

fn decode(text: &str) -> Option<Vec<KeyValue>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let values: Vec<String> = serde_json::from_slice(&bytes).ok()?;
    values.iter().map(|value| decode_value(value)).collect()
}

fn decode_value(value: &str) -> Option<KeyValue> {
    let kind = value.chars().next()?;
    let rest = &value[kind.len_utf8()..];
    let moment = || DateTime::from_timestamp_micros(rest.parse().ok()?);
    match kind {
        't' => Some(KeyValue::Text(rest.replace('\0', ""))),
        'n' => rest.parse().ok().map(KeyValue::Number),
        'd' => rest.parse().ok().map(KeyValue::Day),
        'm' => moment().map(KeyValue::Moment),
        'l' => moment().map(|moment| KeyValue::Local(moment.naive_utc())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_as_it_was() {
        let moment = DateTime::from_timestamp_micros(1_796_000_000_123_456).unwrap();
        let key = vec![
            KeyValue::Text("a\"<b>\u{1f600}".to_owned()),
            KeyValue::Number(-7),
            KeyValue::Day(moment.date_naive()),
            KeyValue::Moment(moment),
            KeyValue::Local(moment.naive_utc()),
        ];
        assert_eq!(decode(&encode(&key)), Some(key));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in ["", "!", "bm8", &BASE64_URL_SAFE_NO_PAD.encode(r#"["x1"]"#), &encode(&[])[..2]] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
