//! Protected branches and tags, and who may do what to them.

use crate::domain::ids::{KeyId, NamespaceId, UserId};
use crate::domain::level::AccessLevel;

/// Who a protection lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectedRefAccess {
    /// Everybody from this access level up; level 0 is nobody.
    Role(i32),
    /// A user.
    User(UserId),
    /// The members of a group.
    Group(NamespaceId),
    /// A deploy key.
    DeployKey(KeyId),
}

impl ProtectedRefAccess {
    pub(super) fn from_columns(
        level: Option<i32>,
        user: Option<i64>,
        group: Option<i64>,
        deploy_key: Option<i64>,
    ) -> Self {
        match (user, group, deploy_key) {
            (Some(id), _, _) => Self::User(UserId(id)),
            (_, Some(id), _) => Self::Group(NamespaceId(id)),
            (_, _, Some(id)) => Self::DeployKey(KeyId(id)),
            _ => Self::Role(level.unwrap_or(AccessLevel::MAINTAINER.0)),
        }
    }
}

/// Rows of an access level table, column by column. Where a row names somebody, its level keeps the table's default.
pub(super) struct AccessColumns {
    pub(super) levels: Vec<i32>,
    pub(super) users: Vec<Option<i64>>,
    pub(super) groups: Vec<Option<i64>>,
    pub(super) deploy_keys: Vec<Option<i64>>,
}

impl AccessColumns {
    pub(super) fn of(rows: &[ProtectedRefAccess]) -> Self {
        Self {
            levels: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::Role(level) = row { *level } else { AccessLevel::MAINTAINER.0 })
                .collect(),
            users: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::User(id) = row { Some(id.0) } else { None })
                .collect(),
            groups: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::Group(id) = row { Some(id.0) } else { None })
                .collect(),
            deploy_keys: rows
                .iter()
                .map(|row| if let ProtectedRefAccess::DeployKey(id) = row { Some(id.0) } else { None })
                .collect(),
        }
    }
}

/// A protected branch, or a pattern of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedBranchRow {
    /// `protected_branches.id`
    pub id: i64,
    /// `protected_branches.allow_force_push`
    pub allow_force_push: bool,
    /// `protected_branches.code_owner_approval_required`
    pub code_owner_approval_required: bool,
}

pub(super) fn sorted(rows: impl Iterator<Item = ProtectedRefAccess>) -> Vec<ProtectedRefAccess> {
    let mut rows: Vec<ProtectedRefAccess> = rows.collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}
