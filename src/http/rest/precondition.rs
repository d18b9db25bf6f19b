//! `If-Unmodified-Since` of what is to be deleted (rest.md 1.7).

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::header::IF_UNMODIFIED_SINCE;
use axum::http::request::Parts;
use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Content, ObjectBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Type};
use utoipa::{IntoParams, IntoResponses};

use super::RestState;
use super::fault::RestRefusal;

/// The time since which a row must not have changed for it to be deleted; none where the request does not say.
#[derive(Debug, Clone, Copy)]
pub struct UnmodifiedSince(Option<DateTime<Utc>>);

impl UnmodifiedSince {
    /// Refuses where the row changed later.
    ///
    /// # Errors
    /// 412
    pub fn check(self, updated_at: Option<NaiveDateTime>) -> Result<(), RestRefusal> {
        // The header knows whole seconds.
        let changed = updated_at.and_then(|at| at.with_nanosecond(0)).map(|at| at.and_utc());
        match (self.0, changed) {
            (Some(since), Some(changed)) if changed > since => Err(RestRefusal::ChangedMeanwhile),
            _ => Ok(()),
        }
    }
}

impl FromRequestParts<RestState> for UnmodifiedSince {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, _state: &RestState) -> Result<Self, RestRefusal> {
        let text = parts.headers.get(IF_UNMODIFIED_SINCE).and_then(|value| value.to_str().ok());
        let time = |text: &str| {
            let parsed = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
            parsed.ok().map(|at| at.with_timezone(&Utc))
        };
        Ok(Self(text.and_then(time)))
    }
}

impl IntoParams for UnmodifiedSince {
    fn into_params(_inside: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let since = ParameterBuilder::new()
            .name("If-Unmodified-Since")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("What changed after this moment stays: a date of HTTP, or RFC 3339"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        vec![since.build()]
    }
}

impl IntoResponses for UnmodifiedSince {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let failure = Content::new(Some(Ref::from_schema_name("FailureResponse")));
        let changed = ResponseBuilder::new()
            .description("It changed after the moment that `If-Unmodified-Since` names")
            .content("application/json", failure);
        BTreeMap::from([("412".to_owned(), changed.build().into())])
    }
}
