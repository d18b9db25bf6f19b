//! The parameters of a request, and the page of a list that it asks for (rest.md 1.6, 1.8, 1.9).

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::RestState;
use super::fault::RestRefusal;
use crate::http::grape::{GrapeParameters, ParameterReader};
use crate::http::pages::{ListPage, NOT_LINKED};

/// The parameters of a request, of its query and its body alike.
#[derive(Debug, Clone)]
pub struct RestParams {
    parameters: GrapeParameters,
    /// The URL of the request without its query, as clients see it.
    url: String,
    query: String,
}

impl FromRequestParts<RestState> for RestParams {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        let parameters = parts.extensions.get::<GrapeParameters>().cloned().unwrap_or_default();
        Ok(Self { parameters, url: sent_url(parts, state), query: parts.uri.query().unwrap_or_default().to_owned() })
    }
}

/// The URL of the request without its query, at the installation's address, with its path as it was sent: here it begins
/// below the mount.
pub fn sent_url(parts: &Parts, state: &RestState) -> String {
    format!("{}/api/v4{}", state.url, parts.uri.path())
}

impl RestParams {
    /// What `declare` reads from the parameters.
    ///
    /// # Errors
    /// 400 with all that is wrong with them.
    pub fn read<T>(&self, declare: impl FnOnce(&mut ParameterReader<'_>) -> T) -> Result<T, RestRefusal> {
        Ok(self.parameters.read(declare)?)
    }

    /// Refuses parameters that promise what is not kept here, unless they ask for nothing (rest.md 1.11).
    ///
    /// # Errors
    /// 400
    pub fn refuse_unsupported(&self, names: &[&str]) -> Result<(), RestRefusal> {
        let asks = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !matches!(text.as_str(), "" | "false" | "False" | "0"),
            Value::Array(values) => !values.is_empty(),
            Value::Object(values) => !values.is_empty(),
            Value::Bool(true) | Value::Number(_) => true,
        };
        let asked = |name: &&&str| self.parameters.map().get(**name).is_some_and(asks);
        names.iter().find(asked).map_or(Ok(()), |name| Err(RestRefusal::not_supported(name)))
    }

    /// What `declare` reads from the parameters, and the page of a list that they ask for.
    ///
    /// # Errors
    /// 400 with all that is wrong with them.
    pub fn read_list<T>(
        &self,
        declare: impl FnOnce(&mut ParameterReader<'_>) -> T,
    ) -> Result<(T, RestPage), RestRefusal> {
        let (value, page) = self.read(|reader| (declare(reader), ListPage::declare(reader)))?;
        Ok((value, RestPage { page, url: self.url.clone(), query: self.query.clone() }))
    }

    /// A header that leads to the rest of a list by key: all parameters of this request but tokens and `page`, with
    /// these put in their place.
    #[must_use]
    pub fn next_by_key(&self, replaced: &[(&str, String)]) -> HeaderMap {
        let others = form_urlencoded::parse(self.query.as_bytes()).filter(|(name, _)| {
            let is_of_page = name == "per_page" || !NOT_LINKED.contains(&name.as_ref());
            is_of_page && !replaced.iter().any(|(other, _)| other == name)
        });
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(others).extend_pairs(replaced).finish();
        let mut headers = HeaderMap::new();
        if let Ok(link) = HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", self.url)) {
            headers.insert(LINK, link);
        }
        headers
    }
}

/// Which page of a list a request asks for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct PageQuery {
    /// Which page; 1 where none is named.
    page: Option<i32>,
    /// Rows of a page: 20 where it is not said, and up to 100.
    per_page: Option<i32>,
}

/// The page of a list that a request asks for.
#[derive(Debug, Clone)]
pub struct RestPage {
    page: ListPage,
    url: String,
    query: String,
}

impl RestPage {
    /// Rows to fetch: one more than the page has, which shows whether there are others behind it.
    #[must_use]
    pub fn limit(&self) -> i64 {
        self.page.size() + 1
    }

    /// Rows of the page.
    #[must_use]
    pub fn size(&self) -> i64 {
        self.page.size()
    }

    /// Rows before the page.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.page.offset()
    }

    /// The rows of the page, of those that were fetched, and whether others follow.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>) -> (Vec<T>, bool) {
        let more = i64::try_from(rows.len()).is_ok_and(|rows| rows > self.page.size());
        rows.truncate(usize::try_from(self.page.size()).unwrap_or(usize::MAX));
        (rows, more)
    }

    /// How many rows the list has, where so many are on this page and others follow it or do not: the last page shows it,
    /// and only for others the count is asked.
    ///
    /// # Errors
    /// What the count fails with.
    pub async fn total<E>(
        &self,
        rows: usize,
        more: bool,
        count: impl Future<Output = Result<i64, E>>,
    ) -> Result<i64, E> {
        if more || (rows == 0 && self.offset() > 0) {
            return count.await;
        }
        Ok(self.offset().saturating_add(i64::try_from(rows).unwrap_or(i64::MAX)))
    }

    /// The answer with these rows of [`RestPage::cut`], of a list of so many in all. A list of more than
    /// [`crate::http::pages::MOST_COUNTED`] need not be counted further than that.
    pub fn answer<T: Serialize>(&self, rows: &[T], more: bool, total: i64) -> Response {
        (self.page.headers(&self.url, &self.query, total, more), Json(rows)).into_response()
    }

    /// The answer with the page of a list that is held in memory as a whole.
    #[must_use]
    pub fn answer_of_all<T: Serialize>(&self, all: Vec<T>) -> Response {
        let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let before = usize::try_from(self.page.offset()).unwrap_or(usize::MAX);
        let fetched = all.into_iter().skip(before).take(usize::try_from(self.limit()).unwrap_or(usize::MAX));
        let (rows, more) = self.cut(fetched.collect());
        self.answer(&rows, more, total)
    }
}
