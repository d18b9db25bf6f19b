//! `Params`: a request's parameters from its query and its body, JSON or form, refused in our words.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::body::UnreadBody;
use super::error::ApiError;
use super::media_type;
use super::wire::{WRITTEN_BY_GIT, name_with_nul, says_nul};

/// Fields of a form at most.
pub const MOST_FIELDS: usize = 4_096;

/// The parameters of a request as a `T`. The body wins over the query.
#[derive(Debug)]
pub struct RequestParams<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for RequestParams<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let form = BodyEncoding::of(request.headers()).map_err(|OtherMedia(_)| ApiError::UnsupportedMediaType)?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        parse(&query, &form, &body).map(Self)
    }
}

/// How a body is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyEncoding {
    /// `application/json`, or a type that ends in `+json`
    Json,
    /// `application/x-www-form-urlencoded`
    UrlEncoded,
    /// `multipart/form-data`, with what stands between its parts.
    Multipart(String),
    /// The request does not say; a body that starts like JSON is JSON.
    Unsaid,
}

/// A type of body that carries no parameters.
#[derive(Debug)]
pub struct OtherMedia(pub String);

impl BodyEncoding {
    /// What the content type says.
    ///
    /// # Errors
    /// For a type that is neither JSON nor a form.
    pub fn of(headers: &HeaderMap) -> Result<Self, OtherMedia> {
        let Some(media) = media_type::of(headers) else { return Ok(Self::Unsaid) };
        match media.as_str() {
            "application/json" => Ok(Self::Json),
            media if media.ends_with("+json") => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::UrlEncoded),
            // Without a boundary there is no part, which is said where the body is read.
            "multipart/form-data" => {
                let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
                Ok(Self::Multipart(multer::parse_boundary(text).unwrap_or_default()))
            }
            _ => Err(OtherMedia(media)),
        }
    }

    /// Whether the body is JSON.
    #[must_use]
    pub fn is_json(&self, body: &[u8]) -> bool {
        match self {
            Self::Json => true,
            Self::UrlEncoded | Self::Multipart(_) => false,
            Self::Unsaid => body.trim_ascii_start().starts_with(b"{"),
        }
    }
}

/// The parameters in a query and a body.
///
/// # Errors
/// 400 where the body is not what its type says, or a value is not of its parameter's type.
pub fn parse<T: DeserializeOwned>(query: &str, form: &BodyEncoding, body: &Bytes) -> Result<T, ApiError> {
    if query.is_empty() && form.is_json(body) && !body.is_empty() && !says_nul(body) {
        return serde_json::from_slice(body).map_err(|error| json_refusal::<T>(&error, body));
    }
    typed(Value::Object(merged(query, form, body)?))
}

/// All parameters, whatever endpoint they are meant for.
///
/// # Errors
/// 400 where the body is not what its type says, or a text holds a NUL.
pub fn merged(query: &str, form: &BodyEncoding, body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    let mut parameters = collected(urlencoded(query.as_bytes())?);
    if !body.is_empty() {
        parameters.extend(match form {
            BodyEncoding::Multipart(boundary) => {
                let fields = multipart(boundary, body);
                collected(fields.ok_or_else(|| ApiError::BadRequest("invalid multipart body".to_owned()))?)
            }
            form if form.is_json(body) => {
                serde_json::from_slice::<Map<String, Value>>(body).map_err(|_| invalid_json())?
            }
            _ => collected(urlencoded(body)?),
        });
    }
    match name_with_nul(&parameters) {
        Some(name) => Err(invalid_parameter(&name.replace('\0', ""))),
        None => Ok(parameters),
    }
}

/// `a=1&b[]=2&b[]=3`: the last of equal names wins, and `[]` collects.
fn collected(fields: Vec<(String, Value)>) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (name, value) in fields {
        match name.strip_suffix("[]") {
            None => {
                parameters.insert(name, value);
            }
            Some(name) => match parameters.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(values) => values.push(value),
                other => *other = Value::Array(vec![value]),
            },
        }
    }
    parameters
}

fn urlencoded(text: &[u8]) -> Result<Vec<(String, Value)>, ApiError> {
    let mut fields = Vec::new();
    for (name, value) in form_urlencoded::parse(text) {
        let bytes = WRITTEN_BY_GIT.contains(&&*name);
        if !bytes && (name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(ApiError::BadRequest("invalid UTF-8 in a parameter".to_owned()));
        }
        fields.push((name.into_owned(), Value::String(value.into_owned())));
    }
    Ok(fields)
}

/// The fields of a form that curl sends with `--form`: texts, and of a file an object, which no parameter is. `None`
/// where the body is no such form, has too many fields, or texts that are not UTF-8.
#[must_use]
pub fn multipart(boundary: &str, body: &Bytes) -> Option<Vec<(String, Value)>> {
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(body.clone())]);
    let mut form = multer::Multipart::new(whole, boundary);
    let read = async {
        let mut fields = Vec::new();
        while let Some(field) = form.next_field().await.ok()? {
            let Some(name) = field.name().map(str::to_owned) else { continue };
            let file = field.file_name().map(|file| json!({ "filename": file }));
            let text = String::from_utf8(field.bytes().await.ok()?.to_vec());
            fields.push((name, file.or_else(|| text.ok().map(Value::from))?));
            if fields.len() > MOST_FIELDS {
                return None;
            }
        }
        Some(fields)
    };
    // All bytes are there: nothing is waited for.
    read.now_or_never().flatten()
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
pub fn unread(rejection: &BytesRejection) -> UnreadBody {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => UnreadBody::TooLarge,
        _ => UnreadBody::of(rejection),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::http::wire::{GitText, GitTexts, WireText, WireTexts};

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        key_id: Option<WireText>,
        #[serde(default)]
        scopes: WireTexts,
    }

    fn sample(query: &str, form: &BodyEncoding, body: &[u8]) -> Result<Sample, String> {
        parse(query, form, &Bytes::copy_from_slice(body)).map_err(|error| error.to_string())
    }

    fn part(name: &str, more: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
    }

    #[test]
    fn query_form_and_json_say_the_same() {
        let expected = Sample { key_id: Some(WireText("11".to_owned())), scopes: WireTexts(vec!["api".to_owned()]) };
        assert_eq!(sample("key_id=11&scopes[]=api", &BodyEncoding::Json, b"").unwrap(), expected);
        assert_eq!(sample("key_id=9", &BodyEncoding::UrlEncoded, b"key_id=11&scopes%5B%5D=api").unwrap(), expected);
        assert_eq!(sample("", &BodyEncoding::Json, br#"{"key_id":11,"scopes":["api"],"more":{}}"#).unwrap(), expected);
        assert_eq!(sample("x=1", &BodyEncoding::Json, br#"{"key_id":"11","scopes":"api"}"#).unwrap(), expected);
        assert_eq!(sample("", &BodyEncoding::Unsaid, br#"{"key_id":"11","scopes":"api"}"#).unwrap(), expected);
    }

    #[test]
    fn a_form_may_come_in_parts() {
        let multipart = |body: &str| sample("key_id=9", &BodyEncoding::Multipart("b".to_owned()), body.as_bytes());
        let parts =
            part("key_id", "", "11") + &part("scopes[]", "", "api") + &part("scopes[]", "", "sudo") + "--b--\r\n";
        let scopes = WireTexts(vec!["api".to_owned(), "sudo".to_owned()]);
        assert_eq!(multipart(&parts).unwrap(), Sample { key_id: Some(WireText("11".to_owned())), scopes });
        let file = part("key_id", "; filename=\"x\"", "11") + "--b--\r\n";
        assert_eq!(multipart(&file).unwrap_err(), "400 Bad request - key_id is invalid");
        assert_eq!(multipart(&parts[..40]).unwrap_err(), "400 Bad request - invalid multipart body");
        let many = part("a", "", "1").repeat(MOST_FIELDS + 1) + "--b--\r\n";
        assert_eq!(multipart(&many).unwrap_err(), "400 Bad request - invalid multipart body");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |body: &[u8]| sample("", &BodyEncoding::Json, body).unwrap_err();
        assert_eq!(wrong(br#"{"key_id":"#), "400 Bad request - invalid JSON body");
        assert_eq!(wrong(b"[]"), "400 Bad request - invalid JSON body");
        assert_eq!(wrong(br#"{"key_id":{"a":1}}"#), "400 Bad request - key_id is invalid");
        assert_eq!(wrong(br#"{"key_id":"a\u0000b"}"#), "400 Bad request - key_id is invalid");
        assert_eq!(wrong(br#"{"key_id":1,"more":{"x":["\u0000"]}}"#), "400 Bad request - more is invalid");
        assert_eq!(sample("more=%00", &BodyEncoding::Unsaid, b"").unwrap_err(), "400 Bad request - more is invalid");
        assert_eq!(
            sample("key_id=%ff", &BodyEncoding::Unsaid, b"").unwrap_err(),
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
        let read = |query: &str, form: BodyEncoding, body: &[u8]| {
            let Written { changes, push_options, rest } = parse(query, &form, &Bytes::copy_from_slice(body)).unwrap();
            (changes.unwrap().0, push_options.0, rest.len())
        };
        let expected = ("a \u{fffd}b".to_owned(), vec!["c\u{fffd}".to_owned()], 1);
        assert_eq!(
            read("", BodyEncoding::Json, b"{\"changes\":\"a \xffb\",\"push_options\":[\"c\xc3\"],\"x\":1}"),
            expected
        );
        // As Gitaly's JSON encoder writes them, and as a text may end in half of a pair.
        assert_eq!(
            read("", BodyEncoding::Json, br#"{"changes":"a \ufffdb","push_options":["c\ufffd"],"x":1}"#),
            expected
        );
        assert_eq!(read("", BodyEncoding::UrlEncoded, b"changes=a+%FFb&push_options[]=c%c3&x=1"), expected);
        assert_eq!(read("changes=a+%FFb&push_options=c%c3&x=1", BodyEncoding::Json, b""), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(query in "\\PC*", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for form in [BodyEncoding::Json, BodyEncoding::UrlEncoded, BodyEncoding::Multipart("b".to_owned()), BodyEncoding::Unsaid] {
                let _ = sample(&query, &form, &body);
            }
        }

        #[test]
        fn any_text_in_a_json_string_is_read_or_refused(text in any::<String>()) {
            let body = serde_json::json!({ "key_id": text, "scopes": [text] }).to_string();
            prop_assert_eq!(sample("", &BodyEncoding::Json, body.as_bytes()).is_ok(), !text.contains('\0'));
        }
    }
}
