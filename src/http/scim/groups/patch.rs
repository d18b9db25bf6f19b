//! `PATCH /Groups/{id}`: who comes and who goes, all of it or nothing.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value};

use super::{members, parse_uid, require, resource, translate};
use crate::domain::scim::attribute_path::PatchPath;
use crate::domain::scim::group::{GROUP_SCHEMA, ScimMemberChange};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::body::ScimBody;
use crate::http::scim::error::ScimError;
use crate::http::scim::patch_operation::{self, PatchOperation};
use crate::http::scim::schemas::{
    ScimChangeHeaders, ScimErrorResponse, ScimGroup, ScimGroupPatchRequest, ScimGroupPath, ScimProjectionQuery,
};
use crate::http::scim::{ScimState, no_content, projection_of, version};
use crate::services::change_scim_group::change_scim_group;

/// Makes the changes that the operations ask for, all of them or none.
///
/// What a group has beside members is passed over: its name is that of
/// the links, and its id stays.
///
/// # Errors
/// 400 for what is missing or cannot be read, 404 for an unknown id.
#[utoipa::path(
    patch,
    path = "/Groups/{id}",
    params(ScimGroupPath, ScimProjectionQuery, ScimChangeHeaders),
    request_body = ScimGroupPatchRequest,
    responses(
        (status = 200, description = "The client says what it asks to see", body = ScimGroup),
        (status = 204, description = "It is done"),
        (status = 412, description = "It has another version", body = ScimErrorResponse)
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
    let change = parse_change(&fields)?;
    let uid = parse_uid(&id)?;
    change_scim_group(&scim.db, uid, &version::expected(&headers), &change)
        .await
        .map_err(|error| translate(error, &id))?;
    let projection = projection_of(GROUP_SCHEMA, query.as_deref());
    if !projection.is_asked_for() {
        return Ok(no_content());
    }
    resource::answer(&scim, &caller, uid, &projection, StatusCode::OK).await
}

fn parse_change(fields: &Map<String, Value>) -> Result<ScimMemberChange, ScimError> {
    require(fields, &["schemas", "Operations"])?;
    let mut change = ScimMemberChange::default();
    let all = patch_operation::find(fields).unwrap_or_default();
    for (place, PatchOperation { op, path, value }) in patch_operation::parse_all(&all)?.into_iter().enumerate() {
        if !matches!(op.as_str(), "add" | "remove" | "replace") {
            return Err(ScimError::InvalidValue(format!("Operations[{place}][op] does not have a valid value")));
        }
        match path {
            Some(path) if !path.eq_ignore_ascii_case(GROUP_SCHEMA) => put(&mut change, &op, path, value)?,
            _ if op == "remove" => return Err(ScimError::NoTarget),
            _ => patch_operation::parse_values(value)?
                .iter()
                .try_for_each(|(path, value)| put(&mut change, &op, path, value))?,
        }
    }
    Ok(change)
}

fn put(change: &mut ScimMemberChange, op: &str, path: &str, value: &Value) -> Result<(), ScimError> {
    let Ok(path) = PatchPath::parse(path) else {
        // To pass over it could leave a leaver with access.
        return if patch_operation::is_about(path, GROUP_SCHEMA, "members") {
            Err(members::unreadable())
        } else {
            Ok(())
        };
    };
    let Some(("members", part)) = path.attribute.of(GROUP_SCHEMA) else { return Ok(()) };
    match (op, part.or(path.sub.as_deref()), &path.filter) {
        ("add", None, None) => change.add(members::parse_known_ids(value)?),
        ("replace", None, None) if !value.is_null() => change.replace(members::parse_ids(value)?),
        ("remove", None, None) if value.is_null() => change.replace([]),
        ("remove", None, None) => change.remove(members::parse_ids(value)?),
        ("remove", None, Some(filter)) => change.remove(members::parse_filter_ids(filter)?),
        _ => return Err(members::unreadable()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(operations: &Value) -> Result<ScimMemberChange, String> {
        let body = json!({ "schemas": [], "Operations": operations });
        parse_change(body.as_object().unwrap()).map_err(|error| error.to_string())
    }

    fn added_removed(operation: &Value) -> (String, String, bool) {
        let read = read(&json!([operation])).unwrap();
        (read.added().join(" "), read.removed().join(" "), read.replaces())
    }

    #[test]
    fn members_come_and_go_in_every_spelling() {
        let is = |operation: Value, added: &str, removed: &str, replaces: bool| {
            assert_eq!(added_removed(&operation), (added.to_owned(), removed.to_owned(), replaces), "{operation}");
        };
        is(json!({"op": "Add", "path": "members", "value": [{"value": "a"}, {"value": "b"}]}), "a b", "", false);
        is(json!({"op": "ADD", "path": "MEMBERS", "value": {"value": 7}}), "7", "", false);
        is(json!({"op": "add", "path": "members", "value": "[{\"value\":\"a\"}]"}), "a", "", false);
        is(json!({"op": "add", "value": {"members": [{"value": "a"}], "displayName": "x"}}), "a", "", false);
        is(
            json!({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": ["a"]}),
            "a",
            "",
            false,
        );
        is(json!({"op": "add", "path": "members", "value": [{"display": "x"}, {"value": " "}, null]}), "", "", false);
        is(json!({"op": "Remove", "path": "members", "value": [{"value": "a"}]}), "", "a", false);
        is(json!({"op": "remove", "path": "members[value eq \"a\"]"}), "", "a", false);
        is(json!({"op": "remove", "path": "members[value eq 'a']"}), "", "a", false);
        is(json!({"op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]"}), "", "a b", false);
        is(json!({"op": "remove", "path": "members", "value": []}), "", "", false);
        is(json!({"op": "remove", "path": "members"}), "", "", true);
        is(json!({"op": "replace", "path": "members", "value": [{"value": "a"}]}), "a", "", true);
        is(json!({"op": "replace", "value": {"members": []}}), "", "", true);
        is(json!({"op": "add", "path": "externalId", "value": "new"}), "", "", false);
        is(json!({"op": "replace", "value": {"id": "x", "displayName": "new"}}), "", "", false);
        is(json!({"op": "remove", "path": "displayName"}), "", "", false);
    }

    #[test]
    fn what_is_missing_or_cannot_be_read_is_refused() {
        let is = |operations: Value, detail: &str| assert_eq!(read(&operations).unwrap_err(), detail, "{operations}");
        is(json!([{"op": "add"}, {"op": "move"}]), "The value of an operation without a path must be an object");
        is(json!([{"op": "move", "path": "members"}]), "Operations[0][op] does not have a valid value");
        is(json!([{"op": "update", "path": "members"}]), "Operations[0][op] does not have a valid value");
        is(json!([{"op": "remove"}]), "remove needs a path");
        is(json!("x"), "Operations must be an array");
        is(json!([{"op": "add", "path": "members", "value": "a"}]), "members cannot be read");
        for path in [
            "members.value",
            "members[display eq \"x\"]",
            "members[",
            "members[value eq \"x\"].display",
            "members[value eq \"a\" \"b\"]",
            "members[value eq \"a\", value eq \"b\"]",
            "members[value eq a and]",
        ] {
            is(json!([{"op": "remove", "path": path}]), "members cannot be read");
        }
        // Somebody might stay who should go, or all go who should stay.
        for value in [json!([{"id": "a"}]), json!([{"value": "a"}, {"$ref": "…/Users/b"}]), json!([null]), json!(5)] {
            for op in ["remove", "replace"] {
                is(json!([{"op": op, "path": "members", "value": value}]), "members cannot be read");
            }
        }
        is(json!([{"op": "replace", "path": "members"}]), "members cannot be read");
        is(json!([{"op": "add", "path": "members[value eq \"x\"]", "value": []}]), "members cannot be read");
        let missing = |body: Value| parse_change(body.as_object().unwrap()).unwrap_err().to_string();
        assert_eq!(missing(json!({"schemas": []})), "Operations is missing");
        assert_eq!(missing(json!({"Operations": null})), "schemas is missing, Operations is missing");
    }
}
