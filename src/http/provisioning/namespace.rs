//! The namespace that a path names, by its id or its full path (provisioning.md 1.6).

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::domain::provisioning::ProvisioningRefusal;
use crate::http::error::ApiError;
use crate::store::Db;
use crate::store::provisioned_namespaces::{self, ProvisionedNamespace};

/// What stands in the path for `{id}`, not looked up yet: whoever may not call does not learn what exists.
#[derive(Debug, Clone)]
pub struct NamespaceName(String);

impl NamespaceName {
    /// The namespace of that name.
    ///
    /// # Errors
    /// 404 where there is none.
    pub async fn find(&self, db: &Db) -> Result<ProvisionedNamespace, ApiError> {
        find(db, &self.0).await?.ok_or_else(no_such_namespace)
    }

    /// The group of that name.
    ///
    /// # Errors
    /// 404 where there is none.
    pub async fn find_group(&self, db: &Db) -> Result<ProvisionedNamespace, ApiError> {
        let group = find(db, &self.0).await?.filter(|namespace| !namespace.is_personal());
        group.ok_or_else(|| ApiError::Refused(StatusCode::NOT_FOUND, "404 Group Namespace Not Found".to_owned()))
    }
}

/// The namespace of that id or full path; nothing where there is none, or it is a project's.
pub async fn find(db: &Db, name: &str) -> Result<Option<ProvisionedNamespace>, ApiError> {
    Ok(provisioned_namespaces::find(db.pool(), name).await?)
}

/// What is said where there is no such namespace.
#[must_use]
pub fn no_such_namespace() -> ApiError {
    ProvisioningRefusal::NamespaceGone.into()
}

impl<S: Sync + Send> FromRequestParts<S> for NamespaceName {
    type Rejection = ApiError;

    /// A name that is no text is the name of nothing.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        captured(parts, state, "id").await.map(Self).ok_or_else(no_such_namespace)
    }
}

/// What stands in the path for `{target_id}`, not looked up yet.
#[derive(Debug, Clone)]
pub struct TargetName(String);

impl TargetName {
    /// The namespace of that name.
    ///
    /// # Errors
    /// 404 where there is none.
    pub async fn find(&self, db: &Db) -> Result<ProvisionedNamespace, ApiError> {
        find(db, &self.0).await?.ok_or_else(no_such_target)
    }
}

/// What is said where there is no such namespace to move something to.
#[must_use]
pub fn no_such_target() -> ApiError {
    ProvisioningRefusal::TargetGone.into()
}

impl<S: Sync + Send> FromRequestParts<S> for TargetName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        captured(parts, state, "target_id").await.map(Self).ok_or_else(no_such_target)
    }
}

/// What stands in the path for a parameter, where it is text that PostgreSQL knows too: no text there has a NUL.
pub async fn captured<S: Sync + Send>(parts: &mut Parts, state: &S, parameter: &str) -> Option<String> {
    let captured = RawPathParams::from_request_parts(parts, state).await.ok()?;
    captured.iter().find_map(|(name, value)| (name == parameter && !value.contains('\0')).then(|| value.to_owned()))
}
