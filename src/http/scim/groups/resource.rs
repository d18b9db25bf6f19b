//! A group as SCIM shows it.

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::domain::scim::group::GROUP_SCHEMA;
use crate::domain::scim::version::version_of;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::projection::AttributeProjection;
use crate::http::scim::url::encoded;
use crate::http::scim::{ScimState, moment, resource_answer};
use crate::store::scim_groups::{self, ScimGroupMemberRow, ScimGroupRow};

/// Members in one answer at most.
const MAX_MEMBERS: usize = 100_000;

/// Who is in which group.
pub type MembersByGroup = HashMap<Uuid, Vec<ScimGroupMemberRow>>;

/// The members of groups, as far as they are shown. Groups whose members no answer has room for any more are taken off
/// the end of the list.
///
/// # Errors
/// 400 where not even the first one's fit.
pub async fn members(
    scim: &ScimState,
    groups: &mut Vec<ScimGroupRow>,
    projection: &AttributeProjection,
) -> Result<MembersByGroup, ScimError> {
    let mut members = MembersByGroup::new();
    if groups.is_empty() || !projection.shows("members") {
        return Ok(members);
    }
    let uids: Vec<Uuid> = groups.iter().map(|group| group.uid).collect();
    let limit = i64::try_from(MAX_MEMBERS + 1).unwrap_or(i64::MAX);
    let rows = scim_groups::list_members(scim.db.pool(), &uids, limit).await?;
    if rows.len() > MAX_MEMBERS {
        let cut = rows.last().and_then(|row| uids.iter().position(|uid| *uid == row.uid)).unwrap_or_default();
        if cut == 0 {
            return Err(ScimError::TooMany);
        }
        groups.truncate(cut);
    }
    for row in rows {
        members.entry(row.uid).or_default().push(row);
    }
    Ok(members)
}

/// The resource, with what the client asked to see of it.
#[must_use]
pub fn render(
    caller: &ScimCaller,
    group: &ScimGroupRow,
    members: &MembersByGroup,
    projection: &AttributeProjection,
) -> Map<String, Value> {
    let member = |row: &ScimGroupMemberRow| {
        let place = format!("{}/Users/{}", caller.base_url(), encoded(&row.extern_uid));
        json!({ "value": row.extern_uid, "$ref": place, "display": row.name, "type": "User" })
    };
    let members: Vec<Value> = members.get(&group.uid).into_iter().flatten().map(member).collect();
    let Value::Object(resource) = json!({
        "schemas": [GROUP_SCHEMA],
        "id": group.uid,
        "externalId": group.uid,
        "displayName": group.name,
        "members": members,
        "meta": {
            "resourceType": "Group",
            "created": moment(group.created_at),
            "lastModified": moment(group.updated_at),
            "location": location(caller, group),
            "version": version_of(group.updated_at),
        },
    }) else {
        return Map::new();
    };
    projection.apply(resource)
}

/// The answer that is a group as it is now. After a change, more members than an answer has room for are left out of
/// it.
///
/// # Errors
/// 404 where it is gone.
pub async fn answer(
    scim: &ScimState,
    caller: &ScimCaller,
    uid: Uuid,
    projection: &AttributeProjection,
    status: StatusCode,
) -> Result<Response, ScimError> {
    let group = scim_groups::find(scim.db.pool(), uid).await?;
    let group = group.ok_or_else(|| ScimError::NoSuchGroup(uid.to_string()))?;
    match answer_with(scim, caller, group.clone(), projection, status).await {
        Err(ScimError::TooMany) => {
            let without = AttributeProjection::new(GROUP_SCHEMA, [], ["members"]);
            answer_with(scim, caller, group, &without, status).await
        }
        answered => answered,
    }
}

/// The answer that is this group.
///
/// # Errors
/// 400 where its members are too many for one answer.
pub async fn answer_with(
    scim: &ScimState,
    caller: &ScimCaller,
    group: ScimGroupRow,
    projection: &AttributeProjection,
    status: StatusCode,
) -> Result<Response, ScimError> {
    let (updated_at, location) = (group.updated_at, location(caller, &group));
    let mut groups = vec![group];
    let members = members(scim, &mut groups, projection).await?;
    let resource = groups.iter().map(|group| render(caller, group, &members, projection)).next().unwrap_or_default();
    Ok(resource_answer(status, resource, updated_at, &location))
}

fn location(caller: &ScimCaller, group: &ScimGroupRow) -> String {
    format!("{}/Groups/{}", caller.base_url(), group.uid)
}
