//! Parameters as GitLab's API reads them: from the query, a form or a JSON object alike, each of a declared type, and
//! all that is wrong with them said at once (kas.md 1.5, provisioning.md 1.7 to 1.9). GitLab's API is built on Grape.

mod coerce;
mod declared;
mod nested;

pub use coerce::{CoerceParameter, WrongType};

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::auth::personal_access_token::TokenRefusal;
use super::body::BegunBody;
use super::error::ApiError;
use super::extract::{BodyEncoding, OtherMedia, multipart};
use super::wire::name_with_nul;

/// What is said of all that is wrong with a request, at most. A body may hold as many wrong values as it has bytes.
const MOST_COMPLAINTS: usize = 100;

/// The parameters of a request. They are read before the caller is known, as GitLab does: a body that cannot be read is
/// refused whoever sends it.
#[derive(Debug, Clone, Default)]
pub struct GrapeParameters(Map<String, Value>);

/// Knows who may send a longer body than is read of strangers.
pub trait BodyDoorkeeper: Clone + Send + Sync + 'static {
    /// Nothing, where the head of the request shows that its sender is known.
    ///
    /// # Errors
    /// The refusal that the area has for strangers.
    fn admit_more(&self, head: &Parts) -> impl Future<Output = Result<(), TokenRefusal>> + Send;
}

/// The layer that reads a request's parameters, from a body of at most so many bytes, and leaves them on the request.
///
/// # Errors
/// 400 for a body that is not what its type says, 413 for one that is too large, 415 for one of any other type; and the
/// area's refusal of strangers for one that is longer than theirs may be.
pub async fn read<D: BodyDoorkeeper>(
    State((doorman, most)): State<(D, usize)>,
    request: Request,
    next: Next,
) -> Result<Response, TokenRefusal> {
    let (mut parts, body) = request.into_parts();
    let body = BegunBody::read(body).await.map_err(ApiError::from)?;
    if body.whole().is_none() {
        doorman.admit_more(&parts).await?;
    }
    let body = body.finish(most).await.map_err(ApiError::from)?;
    let parameters = GrapeParameters::of(parts.uri.query().unwrap_or_default(), &parts.headers, &body)?;
    parts.extensions.insert(parameters);
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

impl<S: Sync> FromRequestParts<S> for GrapeParameters {
    type Rejection = ApiError;

    /// What the layer left, or nothing where no layer reads bodies.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.remove().unwrap_or_default())
    }
}

impl GrapeParameters {
    /// The parameters in a query and a body. The body wins.
    ///
    /// # Errors
    /// 400 for a body that is not what its type says, and for a NUL; 415 for a body of a type that carries no
    /// parameters.
    pub fn of(query: &str, headers: &HeaderMap, body: &Bytes) -> Result<Self, ApiError> {
        let mut parameters = nested::parse(query.as_bytes())?;
        if !body.is_empty() {
            parameters.extend(in_body(headers, body)?);
        }
        match name_with_nul(&parameters) {
            Some(name) => Err(ApiError::Invalid(format!("{} is invalid", name.replace('\0', "")))),
            None => Ok(Self(parameters)),
        }
    }

    /// The parameters in a query.
    ///
    /// # Errors
    /// 400 for one that cannot be read.
    pub fn in_query(query: &str) -> Result<Self, ApiError> {
        Self::of(query, &HeaderMap::new(), &Bytes::new())
    }

    /// The parameters as they are, where no type is declared.
    #[must_use]
    pub fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The parameters with another value under this name.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// What `declare` reads from the parameters.
    ///
    /// # Errors
    /// 400 with all that is wrong with them.
    pub fn read<T>(&self, declare: impl FnOnce(&mut ParameterReader<'_>) -> T) -> Result<T, ApiError> {
        let mut reader = ParameterReader { object: &self.0, within: String::new(), complaints: Vec::new() };
        let value = declare(&mut reader);
        if reader.complaints.is_empty() { Ok(value) } else { Err(ApiError::Invalid(reader.complaints.join(", "))) }
    }
}

fn in_body(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    let form = BodyEncoding::of(headers).map_err(|OtherMedia(media)| ApiError::UnsupportedContentType(media))?;
    let malformed = || ApiError::Invalid("message body does not match declared format".to_owned());
    if let BodyEncoding::Multipart(boundary) = &form {
        return nested::collect(multipart(boundary, body).ok_or_else(malformed)?);
    }
    if !form.is_json(body) {
        return nested::parse(body);
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(parameters)) => Ok(parameters),
        // Grape takes any other JSON for no parameters at all.
        Ok(_) => Ok(Map::new()),
        Err(_) => Err(malformed()),
    }
}

/// A parameter that need not be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OptionalParameter<T> {
    /// The request does not name it.
    #[default]
    Absent,
    /// The request says null, or an empty text where the type has none.
    Null,
    /// The request states it.
    Is(T),
}

impl<T> OptionalParameter<T> {
    /// The value, where one is stated.
    #[must_use]
    pub fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// What the request says of the parameter: `None` where it does not name it, `Some(None)` for null.
    #[must_use]
    pub fn stated(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Is(value) => Some(Some(value)),
        }
    }
}

/// Reads declared parameters of one object, and keeps what is wrong with them. What it hands out for a wrong one is a
/// stand-in: the request is refused before anyone looks at it.
#[derive(Debug)]
pub struct ParameterReader<'a> {
    object: &'a Map<String, Value>,
    within: String,
    complaints: Vec<String>,
}

impl ParameterReader<'_> {
    /// A parameter that may be left out.
    pub fn optional<T: CoerceParameter>(&mut self, name: &str) -> OptionalParameter<T> {
        let Some(value) = self.object.get(name) else { return OptionalParameter::Absent };
        match T::coerce(value) {
            Ok(Some(value)) => OptionalParameter::Is(value),
            Ok(None) => OptionalParameter::Null,
            Err(coerce::WrongType) => self.complain(name, "is invalid"),
        }
    }

    /// A parameter that must be named, if only with null.
    pub fn required<T: CoerceParameter>(&mut self, name: &str) -> OptionalParameter<T> {
        if self.object.contains_key(name) { self.optional(name) } else { self.complain(name, "is missing") }
    }

    /// A parameter that must have a value: null, and text of spaces, are none.
    pub fn filled<T: CoerceParameter + Default>(&mut self, name: &str) -> T {
        let wrong = self.object.get(name).is_some_and(|value| T::coerce(value).is_err());
        let value = self.required::<T>(name);
        let blank = !matches!(&value, OptionalParameter::Is(value) if !value.is_blank());
        // Grape says both of a parameter that is not there, and nothing more of one that is wrong in itself.
        if blank && !wrong {
            self.complain::<()>(name, "is empty");
        }
        value.value().unwrap_or_default()
    }

    /// A list of values that may be left out.
    pub fn optional_list<T: CoerceParameter>(&mut self, name: &str, most: usize) -> OptionalParameter<Vec<T>> {
        let values = match self.object.get(name) {
            None => return OptionalParameter::Absent,
            Some(Value::Null) => return OptionalParameter::Null,
            Some(Value::Array(values)) => values,
            Some(_) => return self.complain(name, "is invalid"),
        };
        if values.len() > most {
            return self.complain(name, &format!("is too long (maximum is {most})"));
        }
        let read: Result<Option<Vec<T>>, _> = values.iter().map(T::coerce).collect();
        match read {
            Ok(Some(values)) => OptionalParameter::Is(values),
            Ok(None) | Err(coerce::WrongType) => self.complain(name, "is invalid"),
        }
    }

    /// A list of values that must be named.
    pub fn required_list<T: CoerceParameter>(&mut self, name: &str, most: usize) -> OptionalParameter<Vec<T>> {
        if self.object.contains_key(name) { self.optional_list(name, most) } else { self.complain(name, "is missing") }
    }

    /// An object that may be left out.
    pub fn optional_object<T>(
        &mut self,
        name: &str,
        declare: impl FnOnce(&mut ParameterReader<'_>) -> T,
    ) -> OptionalParameter<T> {
        match self.object.get(name) {
            None => OptionalParameter::Absent,
            Some(Value::Null) => OptionalParameter::Null,
            Some(Value::String(text)) if text.is_empty() => OptionalParameter::Null,
            Some(Value::Object(object)) => OptionalParameter::Is(self.inside(object, &self.name(name), declare)),
            Some(_) => self.complain(name, "is invalid"),
        }
    }

    /// An object that must be there. Of one that is not, what it must hold is said to be missing too.
    pub fn required_object<T>(&mut self, name: &str, declare: impl FnOnce(&mut ParameterReader<'_>) -> T) -> Option<T> {
        match self.object.get(name) {
            Some(Value::Object(object)) => Some(self.inside(object, &self.name(name), declare)),
            Some(Value::Null) | None => {
                self.complain::<()>(name, "is missing");
                self.inside(&Map::new(), &self.name(name), declare);
                None
            }
            Some(_) => {
                self.complain::<()>(name, "is invalid");
                None
            }
        }
    }

    /// A list of objects that may be left out; what is wrong with one is said with its place in the list.
    pub fn optional_objects<T>(
        &mut self,
        name: &str,
        most: usize,
        declare: impl FnMut(&mut ParameterReader<'_>) -> T,
    ) -> Vec<T> {
        if matches!(self.object.get(name), None | Some(Value::Null)) {
            return Vec::new();
        }
        self.required_objects(name, most, declare)
    }

    /// A list of objects that must be there; what is wrong with one is said with its place in the list.
    pub fn required_objects<T>(
        &mut self,
        name: &str,
        most: usize,
        mut declare: impl FnMut(&mut ParameterReader<'_>) -> T,
    ) -> Vec<T> {
        let objects = self.objects(name, most);
        let numbered = objects.into_iter().enumerate();
        numbered.map(|(at, object)| self.inside(object, &format!("{}[{at}]", self.name(name)), &mut declare)).collect()
    }

    /// A list of objects that must be there; what is wrong is said once, without its place in the list.
    pub fn required_objects_unnumbered<T>(
        &mut self,
        name: &str,
        most: usize,
        mut declare: impl FnMut(&mut ParameterReader<'_>) -> T,
    ) -> Vec<T> {
        let objects = self.objects(name, most);
        objects.into_iter().map(|object| self.inside(object, &self.name(name), &mut declare)).collect()
    }

    /// Notes something else that is wrong with a parameter: `is invalid`, `does not have a valid value`.
    pub fn refuse(&mut self, name: &str, complaint: &str) {
        self.complain::<()>(name, complaint);
    }

    fn complain<T>(&mut self, name: &str, complaint: &str) -> T
    where
        T: Default,
    {
        self.complain_of(&self.name(name), complaint);
        T::default()
    }

    /// Notes what is wrong with parameters that are named as a whole.
    fn complain_of(&mut self, names: &str, complaint: &str) {
        if self.complaints.len() < MOST_COMPLAINTS {
            let complaint = format!("{names} {complaint}");
            if !self.complaints.contains(&complaint) {
                self.complaints.push(complaint);
            }
        }
    }

    /// The parameter's name from the request's root: `packs[1][number_of_minutes]`.
    fn name(&self, name: &str) -> String {
        if self.within.is_empty() {
            return name.to_owned();
        }
        let mut full = self.within.clone();
        write!(full, "[{name}]").expect("a text takes all that is written to it");
        full
    }

    fn inside<T>(
        &mut self,
        object: &Map<String, Value>,
        within: &str,
        declare: impl FnOnce(&mut ParameterReader<'_>) -> T,
    ) -> T {
        let complaints = std::mem::take(&mut self.complaints);
        let mut reader = ParameterReader { object, within: within.to_owned(), complaints };
        let value = declare(&mut reader);
        self.complaints = reader.complaints;
        value
    }
}

impl<'a> ParameterReader<'a> {
    /// A parameter as it is, where its type is not one that can be declared.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name)
    }

    fn objects(&mut self, name: &str, most: usize) -> Vec<&'a Map<String, Value>> {
        let object = self.object;
        let values = match object.get(name) {
            None | Some(Value::Null) => return self.complain(name, "is missing"),
            Some(Value::Array(values)) => values,
            Some(_) => return self.complain(name, "is invalid"),
        };
        if values.len() > most {
            return self.complain(name, &format!("is too long (maximum is {most})"));
        }
        let objects: Option<Vec<_>> = values.iter().map(Value::as_object).collect();
        objects.unwrap_or_else(|| self.complain(name, "is invalid"))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_TYPE;
    use chrono::NaiveDate;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parameters(query: &str, media: &str, body: &str) -> Result<GrapeParameters, String> {
        let mut headers = HeaderMap::new();
        if !media.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(media).unwrap());
        }
        GrapeParameters::of(query, &headers, &Bytes::from(body.to_owned())).map_err(|error| error.to_string())
    }

    fn json(body: &Value) -> GrapeParameters {
        parameters("", "application/json", &body.to_string()).unwrap()
    }

    fn wrong<T: std::fmt::Debug>(body: &Value, declare: impl FnOnce(&mut ParameterReader<'_>) -> T) -> String {
        json(body).read(declare).unwrap_err().to_string()
    }

    #[test]
    fn query_form_and_json_are_one_and_the_body_wins() {
        let seats = |parameters: GrapeParameters| parameters.read(|reader| reader.optional::<i32>("seats")).unwrap();
        assert_eq!(seats(parameters("seats=10", "", "").unwrap()), OptionalParameter::Is(10));
        assert_eq!(
            seats(parameters("&&seats=1", "application/json; charset=utf-8", r#"{"seats":10}"#).unwrap()),
            OptionalParameter::Is(10)
        );
        assert_eq!(
            seats(parameters("seats=1", "application/x-www-form-urlencoded", "seats=10").unwrap()),
            OptionalParameter::Is(10)
        );
        assert_eq!(seats(parameters("", "", r#"{"seats":10}"#).unwrap()), OptionalParameter::Is(10));
        assert_eq!(seats(parameters("seats=10", "application/json", "[]").unwrap()), OptionalParameter::Is(10));
        assert_eq!(seats(parameters("seats=", "", "").unwrap()), OptionalParameter::Null);
        assert_eq!(seats(parameters("", "", "").unwrap()), OptionalParameter::Absent);
        assert_eq!(
            parameters("", "text/plain", "seats=10").unwrap_err(),
            "The provided content-type 'text/plain' is not supported."
        );
        assert!(parameters("seats=10", "text/plain", "").is_ok(), "without a body its type says nothing");
        assert_eq!(
            parameters("", "application/json", "{bad").unwrap_err(),
            "message body does not match declared format"
        );
        let parts = "--b\r\nContent-Disposition: form-data; name=\"packs[][minutes]\"\r\n\r\n7\r\n--b--\r\n";
        let packs = parameters("packs=x", "multipart/form-data; boundary=b", parts).unwrap();
        assert_eq!(packs.map()["packs"], json!([{ "minutes": "7" }]));
        let whole = "message body does not match declared format";
        assert_eq!(parameters("", "multipart/form-data", parts).unwrap_err(), whole);
        assert_eq!(parameters("", "multipart/form-data; boundary=c", parts).unwrap_err(), whole);
    }

    #[test]
    fn a_nul_is_refused_wherever_it_is() {
        let nested = json!({ "agent_id": 1, "agent_config": { "a": [{ "b\0": 1 }] } }).to_string();
        assert_eq!(parameters("", "application/json", &nested).unwrap_err(), "agent_config is invalid");
        assert_eq!(parameters("a[b]=%00", "", "").unwrap_err(), "a is invalid");
        assert_eq!(parameters("", "application/x-www-form-urlencoded", "a%00b=1").unwrap_err(), "ab is invalid");
        let in_text = json!({ "config": json!({ "a": "\0" }).to_string() });
        assert_eq!(wrong(&in_text, |reader| reader.optional::<Map<String, Value>>("config")), "config is invalid");
    }

    #[test]
    fn what_is_wrong_with_many_values_is_said_of_a_hundred() {
        let body = json!({ "packs": vec![json!({ "a": "x", "b": "y" }); 20_000] });
        let said = wrong(&body, |reader| {
            reader.required_objects("packs", 30_000, |pack| (pack.required::<i32>("a"), pack.required::<i32>("b")))
        });
        assert_eq!(said.split(", ").count(), MOST_COMPLAINTS);
        assert!(said.ends_with("packs[49][b] is invalid"), "{said}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_in_the_order_of_declaration() {
        let said = wrong(&json!({ "end_date": "foo", "seats": "1.5" }), |reader| {
            (
                reader.required::<NaiveDate>("start_date"),
                reader.optional::<NaiveDate>("end_date"),
                reader.optional::<i32>("seats"),
            )
        });
        assert_eq!(said, "start_date is missing, end_date is invalid, seats is invalid");
    }

    #[test]
    fn filled_means_that_there_is_something() {
        let read = |body: Value| wrong(&body, |reader| reader.filled::<i32>("namespace_id"));
        assert_eq!(read(json!({})), "namespace_id is missing, namespace_id is empty");
        assert_eq!(read(json!({ "namespace_id": "" })), "namespace_id is empty");
        assert_eq!(read(json!({ "namespace_id": null })), "namespace_id is empty");
        assert_eq!(read(json!({ "namespace_id": "abc" })), "namespace_id is invalid");
        assert_eq!(wrong(&json!({ "a": "  " }), |reader| reader.filled::<String>("a")), "a is empty");
        assert_eq!(json(&json!({ "a": "7" })).read(|reader| reader.filled::<i32>("a")).unwrap(), 7);
    }

    #[test]
    fn what_is_wrong_inside_is_named_from_the_root() {
        let packs = |body: Value| {
            wrong(&body, |reader| reader.required_objects("packs", 2, |pack| pack.required::<i32>("minutes")))
        };
        assert_eq!(packs(json!({ "packs": [{ "minutes": 1 }, { "minutes": "abc" }] })), "packs[1][minutes] is invalid");
        assert_eq!(packs(json!({})), "packs is missing");
        assert_eq!(packs(json!({ "packs": "x" })), "packs is invalid");
        assert_eq!(packs(json!({ "packs": [1] })), "packs is invalid");
        assert_eq!(packs(json!({ "packs": [{}, {}, {}] })), "packs is too long (maximum is 2)");

        let rows = json!({ "rows": [{ "id": null }, { "id": "" }] });
        let said = wrong(&rows, |reader| reader.required_objects_unnumbered("rows", 9, |row| row.filled::<i32>("id")));
        assert_eq!(said, "rows[id] is empty");
        let rows = json!({ "rows": [{ "id": "x" }, { "id": "y" }] });
        let said = wrong(&rows, |reader| reader.required_objects_unnumbered("rows", 9, |row| row.filled::<i32>("id")));
        assert_eq!(said, "rows[id] is invalid");

        let report = |body: Value| {
            wrong(&body, |reader| reader.required_object("report", |report| report.required::<String>("name")))
        };
        assert_eq!(report(json!({})), "report is missing, report[name] is missing");
        assert_eq!(report(json!({ "report": "x" })), "report is invalid");
        assert_eq!(report(json!({ "report": {} })), "report[name] is missing");

        let ids = json!({ "unique": { "users": ["a"] } });
        let said =
            wrong(&ids, |reader| reader.optional_object("unique", |unique| unique.optional_list::<i64>("users", 10)));
        assert_eq!(said, "unique[users] is invalid");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(query in "\\PC*", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for media in ["application/json", "application/x-www-form-urlencoded", ""] {
                let mut headers = HeaderMap::new();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
                let _ = GrapeParameters::of(&query, &headers, &Bytes::from(body.clone()));
            }
        }
    }
}
