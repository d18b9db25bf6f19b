//! Who may pass the protection of a ref: as clients state it, and as they read it.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::{KeyId, NamespaceId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::protected_ref::{RefRight, description};
use crate::http::grape::{OptionalParameter, ParameterReader};
use crate::http::rest::fault::RestRefusal;
use crate::services::protect_ref::{LevelChange, ProtectionRefusal, StatedLevel};
use crate::store::protected_refs::ProtectedRefAccess;
use crate::store::protections::LevelRow;

/// A level, or somebody, that may pass.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessLevelShape {
    id: i64,
    /// Null where somebody is named; of a deploy key 40.
    access_level: Option<i32>,
    access_level_description: String,
    user_id: Option<i64>,
    group_id: Option<i64>,
    /// Of a deploy key alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deploy_key_id: Option<i64>,
}

impl AccessLevelShape {
    fn of(row: &LevelRow) -> Self {
        let (level, user_id, group_id, deploy_key_id) = match row.allowed {
            ProtectedRefAccess::Role(level) => (Some(level), None, None, None),
            ProtectedRefAccess::User(id) => (None, Some(id.0), None, None),
            ProtectedRefAccess::Group(id) => (None, None, Some(id.0), None),
            ProtectedRefAccess::DeployKey(id) => (Some(AccessLevel::MAINTAINER.0), None, None, Some(id.0)),
        };
        let words = || description(AccessLevel(level.unwrap_or_default())).to_owned();
        Self {
            id: row.id,
            access_level: level,
            access_level_description: row.name.clone().unwrap_or_else(words),
            user_id,
            group_id,
            deploy_key_id,
        }
    }
}

/// The rows of one right.
pub fn shapes(rows: &[LevelRow], right: RefRight) -> Vec<AccessLevelShape> {
    rows.iter().filter(|row| row.right == right).map(AccessLevelShape::of).collect()
}

/// A row as a client states it.
struct StatedRow {
    id: Option<i64>,
    gone: bool,
    allowed: Option<ProtectedRefAccess>,
}

/// The names of the parameters of a right: of one level, and of a list.
fn names(right: RefRight) -> (&'static str, &'static str) {
    match right {
        RefRight::Push => ("push_access_level", "allowed_to_push"),
        RefRight::Merge => ("merge_access_level", "allowed_to_merge"),
        RefRight::Unprotect => ("unprotect_access_level", "allowed_to_unprotect"),
        RefRight::Create => ("create_access_level", "allowed_to_create"),
    }
}

/// Reads who may do these things with what is protected anew: `push_access_level` and `allowed_to_push` both count.
pub fn declare_new(reader: &mut ParameterReader<'_>, rights: &[RefRight]) -> Vec<StatedLevel> {
    let mut stated = Vec::new();
    for right in rights {
        let (level, list) = names(*right);
        if let OptionalParameter::Is(level) = reader.access_level(level, right.levels()) {
            stated.push((*right, ProtectedRefAccess::Role(level.0)));
        }
        let rows = declare_rows(reader, *right, list, true);
        stated.extend(rows.into_iter().filter_map(|row| Some((*right, row.allowed?))));
    }
    stated
}

/// Reads what becomes of the rows of these rights: one without an id is added, one with an id is changed, and one that is
/// to be destroyed goes.
pub fn declare_changes(reader: &mut ParameterReader<'_>, rights: &[RefRight]) -> Vec<LevelChange> {
    let mut changes = Vec::new();
    for right in rights {
        for row in declare_rows(reader, *right, names(*right).1, false) {
            changes.extend(match row {
                StatedRow { id: Some(id), gone: true, .. } => Some(LevelChange::Remove(*right, id)),
                StatedRow { id: Some(id), allowed: Some(allowed), .. } => {
                    Some(LevelChange::Change(*right, id, allowed))
                }
                StatedRow { id: None, allowed: Some(allowed), .. } => Some(LevelChange::Add(*right, allowed)),
                StatedRow { allowed: None, .. } => None,
            });
        }
    }
    changes
}

fn declare_rows(reader: &mut ParameterReader<'_>, right: RefRight, list: &str, new: bool) -> Vec<StatedRow> {
    let rows = reader.objects_in_any_form(list, |reader| {
        let id = reader.optional::<i64>("id").value().filter(|_| !new);
        let gone = reader.optional::<bool>("_destroy").value() == Some(true) && !new;
        let level = reader.access_level("access_level", right.levels()).value();
        let user = reader.optional::<i64>("user_id").value();
        let group = reader.optional::<i64>("group_id").value();
        let key = if right.takes_deploy_keys() { reader.optional::<i64>("deploy_key_id").value() } else { None };
        let named = ["user_id", "group_id", "deploy_key_id", "access_level"];
        let named = if right.takes_deploy_keys() { &named[..] } else { &["user_id", "group_id", "access_level"][..] };
        if !gone {
            if id.is_none() {
                reader.at_least_one(named);
            }
            reader.exclusive(named);
        }
        let allowed = user
            .map(|id| ProtectedRefAccess::User(UserId(id)))
            .or(group.map(|id| ProtectedRefAccess::Group(NamespaceId(id))))
            .or(key.map(|id| ProtectedRefAccess::DeployKey(KeyId(id))))
            .or(level.map(|level| ProtectedRefAccess::Role(level.0)));
        StatedRow { id, gone, allowed }
    });
    rows.value().unwrap_or_default()
}

/// What is said of a rule that cannot be, in GitLab's list of sentences.
pub fn refusal(refusal: ProtectionRefusal, exists: impl FnOnce() -> RestRefusal) -> RestRefusal {
    match refusal {
        ProtectionRefusal::Exists => exists(),
        ProtectionRefusal::Faults(faults) => sentences(&faults.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
}

/// 422 with these sentences.
pub fn sentences(said: &[String]) -> RestRefusal {
    RestRefusal::Message(StatusCode::UNPROCESSABLE_ENTITY, said.into())
}

/// Somebody, as a request names them.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct AllowedParameters {
    /// 0 nobody, 30 developers, 40 maintainers, 60 administrators.
    access_level: Option<i32>,
    user_id: Option<i64>,
    group_id: Option<i64>,
    /// Where one may push or create.
    deploy_key_id: Option<i64>,
    /// The row that is to be changed or destroyed.
    id: Option<i64>,
    #[schema(rename = "_destroy")]
    destroy: Option<bool>,
}
