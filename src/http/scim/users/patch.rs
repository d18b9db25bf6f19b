//! `PATCH /Users/<id>`: several operations, all of them or none (scim.md 3.5).

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value};

use super::one::find;
use super::{failure, resource};
use crate::domain::scim::attribute_path::PatchPath;
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::search::USER_SCHEMA;
use crate::domain::scim::user_change::ScimUserChange;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::body::{self, ScimBody};
use crate::http::scim::error::{ScimError, attempt};
use crate::http::scim::patch_operation::{self, PatchOperation};
use crate::http::scim::schemas::{
    ScimChangeHeaders, ScimErrorResponse, ScimProjectionQuery, ScimUser, ScimUserPatchRequest, ScimUserPath,
};
use crate::http::scim::{ScimState, no_content, projection_of, version};
use crate::services::change_scim_user::change_scim_user;

/// Makes the changes that the operations ask for, all of them or none.
///
/// What a user has and SCIM does not change here is passed over.
///
/// # Errors
/// 400 for what cannot be read, 404 for an unknown id, 412 for what the rules refuse.
#[utoipa::path(
    patch,
    path = "/Users/{id}",
    params(ScimUserPath, ScimProjectionQuery, ScimChangeHeaders),
    request_body = ScimUserPatchRequest,
    responses(
        (status = 200, description = "The client says what it asks to see", body = ScimUser),
        (status = 204, description = "It is done"),
        (status = 412, description = "It has another version, or a rule stands against it", body = ScimErrorResponse)
    )
)]
pub async fn patch(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    ScimBody(fields): ScimBody,
) -> Result<Response, ScimError> {
    let projection = projection_of(USER_SCHEMA, query.as_deref());
    let change = parse_change(&fields)?;
    let fields = Value::Object(fields);
    let refused =
        |name: &str, refusal: ScimRefusal| ScimError::of_rule(&attempt("updating", name, &fields), &refusal, false);
    let id = change_scim_user(&scim.db, caller.tenant(), &id, &version::expected(&headers), &change, scim.clock.now())
        .await
        .map_err(|error| failure::translate(error, &id, refused))?;
    if !projection.is_asked_for() {
        return Ok(no_content());
    }
    Ok(resource::answer(&caller, &find(&scim, &caller, &id).await?, &projection, StatusCode::OK))
}

fn parse_change(fields: &Map<String, Value>) -> Result<ScimUserChange, ScimError> {
    let mut change = ScimUserChange::default();
    let Some(all) = patch_operation::find(fields) else { return Ok(change) };
    for PatchOperation { op, path, value } in patch_operation::parse_all(&all)? {
        match (op.as_str(), path) {
            // GitLab's documentation prints `Update`.
            ("add" | "replace" | "update", Some(path)) => put(&mut change, path, value)?,
            ("add" | "replace" | "update", None) => put_all(&mut change, value)?,
            ("remove", None) => return Err(ScimError::NoTarget),
            // What nobody understands changes nothing: one refusal would end a provider's whole run.
            _ => {}
        }
    }
    Ok(change)
}

/// Every value of a resource into the change. Each key is a path of its own.
fn put_all(change: &mut ScimUserChange, value: &Value) -> Result<(), ScimError> {
    patch_operation::parse_values(value)?.iter().try_for_each(|(path, value)| put(change, path, value))
}

/// One value into the change. Names that are not ours, and those that are not changed here, are passed over.
fn put(change: &mut ScimUserChange, path: &str, value: &Value) -> Result<(), ScimError> {
    // The schema itself means the resource, as no path does.
    if path.trim().eq_ignore_ascii_case(USER_SCHEMA) {
        return put_all(change, value);
    }
    let Ok(path) = PatchPath::parse(path) else {
        // To pass over it could leave a leaver with access.
        let active = patch_operation::is_about(path, USER_SCHEMA, "active");
        return if active { Err(invalid("the path about active cannot be read")) } else { Ok(()) };
    };
    let Some((name, part)) = path.attribute.of(USER_SCHEMA) else { return Ok(()) };
    match (name, part.or(path.sub.as_deref())) {
        // A choice among values of a plain truth value still looks like a deactivation.
        ("active", None) => change.active = body::active(value)?.or(change.active),
        ("active", Some(_)) => return Err(invalid("active has no parts")),
        ("id" | "externalid", None) if path.filter.is_none() => match value {
            Value::Null => {}
            value => {
                let text = body::text(value);
                change.extern_uid = Some(text.ok_or_else(|| invalid("id must be a string"))?);
            }
        },
        _ => {}
    }
    Ok(())
}

fn invalid(detail: &str) -> ScimError {
    ScimError::InvalidValue(detail.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(operations: &Value) -> Result<ScimUserChange, String> {
        let body = json!({ "Operations": operations });
        parse_change(body.as_object().unwrap()).map_err(|error| error.to_string())
    }

    fn active(operation: &Value) -> Option<bool> {
        read(&json!([operation])).unwrap().active
    }

    /// scim-56, scim-57
    #[test]
    fn every_spelling_of_a_deactivation_is_understood() {
        for operation in [
            json!({"op": "Replace", "path": "active", "value": "False"}),
            json!({"op": "replace", "value": {"active": false}}),
            json!({"op": "UPDATE", "path": "active", "value": "false"}),
            json!({"op": "replace", "path": "active", "value": false}),
            json!({"op": "add", "path": " ACTIVE ", "value": 0}),
            json!({"op": "replace", "path": "active", "value": "\"false\""}),
            json!({"op": "Replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": " 0 "}),
            json!({"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:active": "FALSE"}}),
            json!({"op": "replace", "path": "", "value": {"displayName": "x", "Active": "false"}}),
            json!({"OP": "replace", "Value": "{\"active\":false}"}),
            json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User", "value": {"active": false}}),
            json!({"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {"active": "False"}}}),
        ] {
            assert_eq!(active(&operation), Some(false), "{operation}");
        }
        assert_eq!(active(&json!({"op": "replace", "path": "active", "value": null})), None);
    }

    #[test]
    fn what_looks_like_a_deactivation_and_is_not_understood_is_refused() {
        for value in [json!("no"), json!(2), json!([]), json!({}), json!("")] {
            assert!(read(&json!([{"op": "replace", "path": "active", "value": value}])).is_err(), "{value}");
            assert!(read(&json!([{"op": "replace", "value": {"active": value}}])).is_err(), "{value}");
        }
        for path in ["active.value", "active[value eq true].x", "Active[", "active eq", "active.", "active false"] {
            assert!(read(&json!([{"op": "replace", "path": path, "value": false}])).is_err(), "{path}");
        }
        for path in ["activated", "active-since", "activeX[", "urn:x:User:active", "urn:x:User:active["] {
            assert_eq!(active(&json!({"op": "replace", "path": path, "value": false})), None, "{path}");
        }
    }

    /// scim-63, scim-64
    #[test]
    fn what_is_not_changed_here_is_passed_over() {
        for operation in [
            json!({"op": "Replace", "path": "name.formatted", "value": "New Name"}),
            json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@b.c"}),
            json!({"op": "Replace", "path": "userName", "value": "x"}),
            json!({"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "1"}),
            json!({"op": "frobnicate"}),
            json!({"op": "Remove", "path": "title"}),
            json!({"op": "remove", "path": "active"}),
            json!({"op": "replace", "path": "](", "value": 1}),
            json!({"op": "replace", "value": {"emails[type eq \"work\"].value": "x", "name": {"active": false}}}),
        ] {
            assert_eq!(read(&json!([operation])), Ok(ScimUserChange::default()), "{operation}");
        }
        assert_eq!(parse_change(json!({"Garbage": 1}).as_object().unwrap()).unwrap(), ScimUserChange::default());
        assert_eq!(read(&json!([])), Ok(ScimUserChange::default()));
    }

    #[test]
    fn the_later_operation_on_a_target_wins() {
        let read = read(&json!([
            {"op": "replace", "path": "active", "value": true},
            {"op": "replace", "path": "id", "value": 1234},
            {"op": "replace", "value": {"active": "False", "externalId": "b"}},
            {"op": "replace", "path": "active", "value": null},
        ]));
        assert_eq!(read, Ok(ScimUserChange { active: Some(false), extern_uid: Some("b".to_owned()) }));
    }

    /// scim-65
    #[test]
    fn operations_that_cannot_be_read_are_refused() {
        for operations in [json!("x"), json!({}), json!([{"path": "active"}]), json!([{"op": 5}]), json!([null])] {
            assert!(read(&operations).is_err(), "{operations}");
        }
        assert_eq!(read(&json!([{"op": "remove"}])), Err("remove needs a path".to_owned()));
        assert!(read(&json!([{"op": "replace", "value": "x"}])).is_err());
    }

    proptest! {
        #[test]
        fn any_path_and_value_are_read_or_refused(path in "\\PC{0,20}|(active|id|[.\\[\\]]){0,4}", value in "\\PC{0,9}") {
            let _ = read(&json!([{"op": "replace", "path": path, "value": value}]));
            let mut values = Map::new();
            values.insert(path, value.into());
            let _ = read(&json!([{"op": "replace", "value": values}]));
        }
    }
}
