//! `Params`: a request's parameters from its query and its body, JSON or form, refused in our words.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::wire::WRITTEN_BY_GIT;

/// The parameters of a request as a `T`. The body wins over the query.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let form = Form::of(request.headers())?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| too_large(&rejection))?;
        parse(&query, form, &body).map(Self)
    }
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/json`, or a type that ends in `+json`
    Json,
    /// `application/x-www-form-urlencoded`
    UrlEncoded,
    /// The request does not say; a body that starts like JSON is JSON.
    Unsaid,
}

impl Form {
    /// What the content type says.
    ///
    /// # Errors
    /// For a type that is neither JSON nor a form.
    pub fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Self::Unsaid) };
        let text = value.to_str().unwrap_or("not text");
        let media = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            "application/json" => Ok(Self::Json),
            media if media.ends_with("+json") => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::UrlEncoded),
            "" => Ok(Self::Unsaid),
            _ => Err(ApiError::UnsupportedMediaType),
        }
    }
}

/// The parameters in a query and a body.
///
/// # Errors
/// 400 where the body is not what its type says, or a value is not of its parameter's type.
pub fn parse<T: DeserializeOwned>(query: &str, form: Form, body: &[u8]) -> Result<T, ApiError> {
    let json = match form {
        Form::Json => true,
        Form::UrlEncoded => false,
        Form::Unsaid => body.trim_ascii_start().starts_with(b"{"),
    };
    if query.is_empty() && json && !body.is_empty() {
        return serde_json::from_slice(body).map_err(|error| json_refusal::<T>(&error, body));
    }
    typed(Value::Object(merged(query, json, body)?))
}

/// All parameters, whatever endpoint they are meant for.
///
/// # Errors
/// 400 where the body is not what its type says.
pub fn merged(query: &str, json: bool, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut parameters = urlencoded(query.as_bytes())?;
    if body.is_empty() {
        return Ok(parameters);
    }
    parameters.extend(if json {
        serde_json::from_slice::<Map<String, Value>>(body).map_err(|_| invalid_json())?
    } else {
        urlencoded(body)?
    });
    Ok(parameters)
}

/// `a=1&b[]=2&b[]=3`: the last of equal names wins, and `[]` collects.
fn urlencoded(text: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut parameters = Map::new();
    for (name, value) in form_urlencoded::parse(text) {
        let bytes = WRITTEN_BY_GIT.contains(&&*name);
        if !bytes && (name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(ApiError::BadRequest("invalid UTF-8 in a parameter".to_owned()));
        }
        match name.strip_suffix("[]") {
            None => {
                parameters.insert(name.into_owned(), Value::String(value.into_owned()));
            }
            Some(name) => match parameters.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(values) => values.push(Value::String(value.into_owned())),
                other => *other = Value::Array(vec![Value::String(value.into_owned())]),
            },
        }
    }
    Ok(parameters)
}

fn typed<T: DeserializeOwned>(parameters: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(parameters).map_err(|error| invalid_parameter(&error.path().to_string()))
}

/// The body is read a second time to find the parameter that is wrong; the first time need not keep the path.
fn json_refusal<T: DeserializeOwned>(error: &serde_json::Error, body: &[u8]) -> ApiError {
    if !error.is_data() {
        return invalid_json();
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(parameters @ Value::Object(_)) => match typed::<T>(parameters) {
            Err(refusal) => refusal,
            Ok(_) => invalid_json(),
        },
        _ => invalid_json(),
    }
}

fn invalid_json() -> ApiError {
    ApiError::BadRequest("invalid JSON body".to_owned())
}

fn invalid_parameter(name: &str) -> ApiError {
    // The names of flattened parameters are lost.
    let name = if name == "." { "a parameter" } else { name };
    ApiError::BadRequest(format!("{name} is invalid"))
}

/// Why the bytes of a body could not be had.
#[must_use]
pub fn too_large(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::BadRequest("the body could not be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::http::wire::{GitText, GitTexts, Text, Texts};

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        key_id: Option<Text>,
        #[serde(default)]
        scopes: Texts,
    }

    fn sample(query: &str, form: Form, body: &[u8]) -> Result<Sample, String> {
        parse(query, form, body).map_err(|error| error.to_string())
    }

    #[test]
    fn query_form_and_json_say_the_same() {
        let expected = Sample { key_id: Some(Text("11".to_owned())), scopes: Texts(vec!["api".to_owned()]) };
        assert_eq!(sample("key_id=11&scopes[]=api", Form::Json, b"").unwrap(), expected);
        assert_eq!(sample("key_id=9", Form::UrlEncoded, b"key_id=11&scopes%5B%5D=api").unwrap(), expected);
        assert_eq!(sample("", Form::Json, br#"{"key_id":11,"scopes":["api"],"more":{}}"#).unwrap(), expected);
        assert_eq!(sample("x=1", Form::Json, br#"{"key_id":"11","scopes":"api"}"#).unwrap(), expected);
        assert_eq!(sample("", Form::Unsaid, br#"{"key_id":"11","scopes":"api"}"#).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |body: &[u8]| sample("", Form::Json, body).unwrap_err();
        assert_eq!(wrong(br#"{"key_id":"#), "400 Bad request - invalid JSON body");
        assert_eq!(wrong(b"[]"), "400 Bad request - invalid JSON body");
        assert_eq!(wrong(br#"{"key_id":{"a":1}}"#), "400 Bad request - key_id is invalid");
        assert_eq!(wrong(br#"{"key_id":"a\u0000b"}"#), "400 Bad request - key_id is invalid");
        assert_eq!(
            sample("key_id=%ff", Form::Unsaid, b"").unwrap_err(),
            "400 Bad request - invalid UTF-8 in a parameter"
        );
    }

    #[test]
    fn what_git_wrote_is_read_whatever_its_bytes() {
        #[derive(Debug, Deserialize)]
        struct Written {
            changes: Option<GitText>,
            #[serde(default)]
            push_options: GitTexts,
            #[serde(flatten)]
            rest: serde_json::Map<String, Value>,
        }
        let read = |query: &str, form, body: &[u8]| {
            let Written { changes, push_options, rest } = parse(query, form, body).unwrap();
            (changes.unwrap().0, push_options.0, rest.len())
        };
        let expected = ("a \u{fffd}b".to_owned(), vec!["c\u{fffd}".to_owned()], 1);
        assert_eq!(read("", Form::Json, b"{\"changes\":\"a \xffb\",\"push_options\":[\"c\xc3\"],\"x\":1}"), expected);
        // As Gitaly's JSON encoder writes them, and as a text may end in half of a pair.
        assert_eq!(read("", Form::Json, br#"{"changes":"a \ufffdb","push_options":["c\ufffd"],"x":1}"#), expected);
        assert_eq!(read("", Form::UrlEncoded, b"changes=a+%FFb&push_options[]=c%c3&x=1"), expected);
        assert_eq!(read("changes=a+%FFb&push_options=c%c3&x=1", Form::Json, b""), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(query in "\\PC*", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for form in [Form::Json, Form::UrlEncoded, Form::Unsaid] {
                let _ = sample(&query, form, &body);
            }
        }

        #[test]
        fn any_text_in_a_json_string_is_read_or_refused(text in any::<String>()) {
            let body = serde_json::json!({ "key_id": text, "scopes": [text] }).to_string();
            prop_assert_eq!(sample("", Form::Json, body.as_bytes()).is_ok(), !text.contains('\0'));
        }
    }
}
