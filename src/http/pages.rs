//! Pages of a list: which one is asked for, and the headers that lead to the others (provisioning.md 6, rest.md 1.8).

use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::grape::{OptionalParameter, ParameterReader};

/// Rows of a page, where the request does not say.
const USUAL: i32 = 20;
/// Rows of a page at most.
const MOST: i32 = 100;
/// Rows of a list up to which they are counted.
pub const MOST_COUNTED: i64 = 10_000;

/// Parameters that are not another page's: those that name the page, and tokens.
pub const NOT_LINKED: [&str; 5] = ["page", "per_page", "private_token", "access_token", "bearer_token"];

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPage {
    number: i64,
    size: i64,
}

impl ListPage {
    /// The page that `page` and `per_page` ask for.
    pub fn declare(reader: &mut ParameterReader<'_>) -> Self {
        let number: OptionalParameter<i32> = reader.optional("page");
        let size: OptionalParameter<i32> = reader.optional("per_page");
        if size == OptionalParameter::Is(0) {
            reader.refuse("per_page", "has a value not allowed");
        }
        Self {
            number: number.value().unwrap_or(1).max(1).into(),
            size: size.value().unwrap_or(USUAL).clamp(1, MOST).into(),
        }
    }

    /// Rows of the page.
    #[must_use]
    pub fn size(self) -> i64 {
        self.size
    }

    /// Rows before the page.
    #[must_use]
    pub fn offset(self) -> i64 {
        (self.number - 1) * self.size
    }

    /// The headers of the page of a list at this URL, asked for with this query, whose other parameters lead to the
    /// other pages too; but a token stays where it was sent. A list that is too long to be counted shows neither its
    /// length nor its end; whether there are more rows than the page's is known anyway.
    #[must_use]
    pub fn headers(self, url: &str, query: &str, total: i64, more: bool) -> HeaderMap {
        let counted = total <= MOST_COUNTED;
        let last = ((total + self.size - 1) / self.size).max(1);
        let previous = (self.number > 1).then(|| self.number - 1);
        let next = more.then(|| self.number + 1);
        let text = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        let others: Vec<_> =
            form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !NOT_LINKED.contains(&name.as_ref())).collect();
        let link = |relation: &str, number: i64| {
            let page = [("page", number.to_string()), ("per_page", self.size.to_string())];
            let query =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(&others).extend_pairs(page).finish();
            format!("<{url}?{query}>; rel=\"{relation}\"")
        };
        let links = [
            previous.map(|number| link("prev", number)),
            next.map(|number| link("next", number)),
            Some(link("first", 1)),
            counted.then(|| link("last", last)),
        ];
        let links: Vec<String> = links.into_iter().flatten().collect();
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        set(LINK, links.join(", "));
        set(HeaderName::from_static("x-page"), self.number.to_string());
        set(HeaderName::from_static("x-per-page"), self.size.to_string());
        set(HeaderName::from_static("x-next-page"), text(next));
        set(HeaderName::from_static("x-prev-page"), text(previous));
        if counted {
            set(HeaderName::from_static("x-total"), total.to_string());
            set(HeaderName::from_static("x-total-pages"), last.to_string());
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: i64, size: i64, total: i64, more: bool) -> String {
        let headers = ListPage { number, size }.headers("https://gitlab.example/list", "", total, more);
        let mut shown: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {:?}", value.to_str().unwrap())).collect();
        shown.sort();
        shown.join("\n")
    }

    #[test]
    fn the_other_parameters_lead_to_the_other_pages_and_tokens_do_not() {
        let query = "search=a%26b&page=1&order_by=id&ids[]=1&ids[]=2&per_page=10&private_token=glpat-x&access_token=y";
        let headers = ListPage { number: 1, size: 10 }.headers("https://gitlab.example/list", query, 25, true);
        let next = headers[LINK].to_str().unwrap().split(", ").next().unwrap();
        let filters = "search=a%26b&order_by=id&ids%5B%5D=1&ids%5B%5D=2";
        assert_eq!(next, format!("<https://gitlab.example/list?{filters}&page=2&per_page=10>; rel=\"next\""));
    }

    #[test]
    fn headers_lead_to_the_other_pages() {
        insta::assert_snapshot!(shown(2, 10, 25, true), @r#"
        link: "<https://gitlab.example/list?page=1&per_page=10>; rel=\"prev\", <https://gitlab.example/list?page=3&per_page=10>; rel=\"next\", <https://gitlab.example/list?page=1&per_page=10>; rel=\"first\", <https://gitlab.example/list?page=3&per_page=10>; rel=\"last\""
        x-next-page: "3"
        x-page: "2"
        x-per-page: "10"
        x-prev-page: "1"
        x-total-pages: "3"
        x-total: "25"
        "#);
        insta::assert_snapshot!(shown(1, 20, 0, false), @r#"
        link: "<https://gitlab.example/list?page=1&per_page=20>; rel=\"first\", <https://gitlab.example/list?page=1&per_page=20>; rel=\"last\""
        x-next-page: ""
        x-page: "1"
        x-per-page: "20"
        x-prev-page: ""
        x-total-pages: "1"
        x-total: "0"
        "#);
        insta::assert_snapshot!(shown(1, 100, MOST_COUNTED + 1, true), @r#"
        link: "<https://gitlab.example/list?page=2&per_page=100>; rel=\"next\", <https://gitlab.example/list?page=1&per_page=100>; rel=\"first\""
        x-next-page: "2"
        x-page: "1"
        x-per-page: "100"
        x-prev-page: ""
        "#);
    }
}
