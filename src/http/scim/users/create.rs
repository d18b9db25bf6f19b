//! `POST /Users`: provisions a user, a new one or one who is here already (scim.md 2.4).

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::one::find;
use super::{failure, resource};
use crate::domain::scim::new_user::{NewScimUser, ScimNameAttributes, ScimUserAttributes};
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::search::USER_SCHEMA;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::body::{self, ScimBody};
use crate::http::scim::error::{ScimError, attempt};
use crate::http::scim::schemas::{ScimErrorResponse, ScimProjectionQuery, ScimUser, ScimUserRequest};
use crate::http::scim::{ScimState, projection_of};
use crate::services::provision_scim_user::provision_scim_user;

/// Provisions a user, a new one or one who is here already.
///
/// The answer is the user afterwards. To ask again with the same id is answered the same, so that providers may repeat
/// a request.
///
/// # Errors
/// 400 for what cannot be read, 409 where another user is the one that is asked for, 412 for what the rules refuse.
#[utoipa::path(
    post,
    path = "/Users",
    params(ScimProjectionQuery),
    request_body = ScimUserRequest,
    responses(
        (status = 201, body = ScimUser),
        (status = 409, description = "Another user is the one that is asked for", body = ScimErrorResponse),
        (status = 412, description = "A value is missing or refused", body = ScimErrorResponse)
    )
)]
pub async fn create(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    RawQuery(query): RawQuery,
    ScimBody(fields): ScimBody,
) -> Result<Response, ScimError> {
    let projection = projection_of(USER_SCHEMA, query.as_deref());
    let attributes = parse_user(&fields)?;
    let fields = Value::Object(fields);
    let refused = |refusal: ScimRefusal| ScimError::of_rule(&attempt("saving", "user", &fields), &refusal, true);
    let new_user = NewScimUser::new(attributes).map_err(refused)?;
    let id = new_user.extern_uid();
    provision_scim_user(&scim.db, caller.tenant(), &new_user, scim.clock.now())
        .await
        .map_err(|error| failure::translate(error, id, |_, refusal| refused(refusal)))?;
    let found = find(&scim, &caller, id).await?;
    Ok(resource::answer(&caller, &found, &projection, StatusCode::CREATED))
}

fn parse_user(fields: &Map<String, Value>) -> Result<ScimUserAttributes, ScimError> {
    let text = |name: &str| body::member(fields, name).and_then(body::text);
    let active = body::member(fields, "active").map(body::active).transpose()?.flatten();
    Ok(ScimUserAttributes {
        extern_uid: text("externalId").or_else(|| text("id")),
        user_name: text("userName"),
        email: parse_email(fields),
        name: parse_name(fields),
        active: active.unwrap_or(true),
    })
}

/// The first address for work, or the first one; where none is said to be either and there is only one, that.
fn parse_email(fields: &Map<String, Value>) -> Option<String> {
    let emails = match body::unwrapped(body::member(fields, "emails")?) {
        Value::Array(emails) => emails,
        one => vec![one],
    };
    let of_work = |email: &&Value| match email {
        Value::Object(email) => {
            let work = body::member(email, "type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
            let primary =
                body::member(email, "primary").is_some_and(|primary| matches!(body::active(primary), Ok(Some(true))));
            work || primary
        }
        _ => false,
    };
    let lone = || emails.first().filter(|_| emails.len() == 1);
    match emails.iter().find(of_work).or_else(lone)? {
        Value::Object(email) => body::member(email, "value").and_then(body::text),
        value => body::text(value),
    }
}

/// What a user is called, each text as it was sent. GitLab's flat `name.formatted` is another name of the one in
/// `name`.
fn parse_name(fields: &Map<String, Value>) -> ScimNameAttributes {
    let name = body::member(fields, "name").map(body::unwrapped);
    let part = |part: &str| {
        name.as_ref().and_then(Value::as_object).and_then(|name| body::member(name, part)).and_then(body::text)
    };
    let flat = |name: &str| body::member(fields, name).and_then(body::text);
    let formatted = part("formatted").filter(|text| !text.trim().is_empty());
    ScimNameAttributes {
        formatted: formatted.or_else(|| flat("name.formatted")),
        display: flat("displayName"),
        given: part("givenName"),
        family: part("familyName"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> ScimUserAttributes {
        parse_user(body.as_object().unwrap()).unwrap()
    }

    /// scim-50
    #[test]
    fn the_address_for_work_is_taken() {
        let email = |emails: Value| read(&json!({ "emails": emails })).email;
        let address = |kind: &str, value: &str| json!({ "type": kind, "value": value });
        assert_eq!(email(json!([address("home", "h@x"), address("work", "w@x")])).as_deref(), Some("w@x"));
        assert_eq!(email(json!([{"value": "a@x"}, {"value": "p@x", "primary": true}])).as_deref(), Some("p@x"));
        assert_eq!(email(json!([{"value": "p@x", "primary": "true"}])).as_deref(), Some("p@x"));
        assert_eq!(email(json!([address("home", "h@x")])).as_deref(), Some("h@x"));
        assert_eq!(email(json!(address("work", "w@x"))).as_deref(), Some("w@x"));
        assert_eq!(email(json!("[{\"type\":\"work\",\"value\":\"w@x\"}]")).as_deref(), Some("w@x"));
        assert_eq!(email(json!([address("home", "h@x"), address("other", "o@x")])), None);
        assert_eq!(email(json!([])), None);
        assert_eq!(email(json!([{"type": "work", "value": null}])), None);
    }

    #[test]
    fn a_name_is_read_as_it_was_sent() {
        let texts = |body: Value| {
            let ScimNameAttributes { formatted, display, given, family } = read(&body).name;
            [formatted, display, given, family].map(|text| text.unwrap_or_else(|| "-".to_owned())).join("|")
        };
        let parts = json!({"formatted": " ", "givenName": "Mary Jane", "familyName": " van der Berg"});
        assert_eq!(texts(json!({"name": parts, "displayName": "D"})), "-|D|Mary Jane| van der Berg");
        assert_eq!(texts(json!({"name": parts, "name.formatted": "Flat"})), "Flat|-|Mary Jane| van der Berg");
        assert_eq!(texts(json!({"name": "{\"formatted\": \"A B\"}", "name.formatted": "F"})), "A B|-|-|-");
        assert_eq!(texts(json!({"NAME": {"GivenName": 7}, "displayname": "D"})), "-|D|7|-");
        assert_eq!(texts(json!({})), "-|-|-|-");
    }

    #[test]
    fn numbers_are_texts_and_names_are_found_in_any_case() {
        let attributes = read(&json!({"ID": 12, "username": 7, "Active": "False"}));
        assert_eq!(
            (attributes.extern_uid.as_deref(), attributes.user_name.as_deref(), attributes.active),
            (Some("12"), Some("7"), false)
        );
        assert_eq!(read(&json!({"id": "a", "externalId": "b", "active": null})).extern_uid.as_deref(), Some("b"));
        assert!(try_read(&json!({"active": "perhaps"})).is_err());
    }

    fn try_read(body: &Value) -> Result<ScimUserAttributes, ScimError> {
        parse_user(body.as_object().unwrap())
    }
}
