//! What a client says of a project, put into its rows, and what is wrong with it.

use serde_json::{Map, Value};

use crate::domain::full_path::PathPosition;
use crate::domain::place_names::{check_path, check_project_name};
use crate::domain::record_faults::RecordFaults;
use crate::store::projects::{FeaturesRow, ProjectRow};

/// A feature of a project that has a column for who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub enum ProjectFeature {
    Repository,
    Wiki,
    Snippets,
    Issues,
    MergeRequests,
    Builds,
    Forking,
    Pages,
    ContainerRegistry,
    PackageRegistry,
    SecurityAndCompliance,
    Monitor,
    Infrastructure,
    Operations,
}

impl ProjectFeature {
    /// All of them, as clients name their levels.
    pub const ALL: &[(&str, Self)] = &[
        ("issues_access_level", Self::Issues),
        ("repository_access_level", Self::Repository),
        ("merge_requests_access_level", Self::MergeRequests),
        ("forking_access_level", Self::Forking),
        ("wiki_access_level", Self::Wiki),
        ("builds_access_level", Self::Builds),
        ("snippets_access_level", Self::Snippets),
        ("pages_access_level", Self::Pages),
        ("container_registry_access_level", Self::ContainerRegistry),
        ("package_registry_access_level", Self::PackageRegistry),
        ("operations_access_level", Self::Operations),
        ("infrastructure_access_level", Self::Infrastructure),
        ("monitor_access_level", Self::Monitor),
        ("security_and_compliance_access_level", Self::SecurityAndCompliance),
    ];

    /// The older names, which know yes and no.
    pub const SWITCHES: &[(&str, Self)] = &[
        ("issues_enabled", Self::Issues),
        ("merge_requests_enabled", Self::MergeRequests),
        ("wiki_enabled", Self::Wiki),
        ("jobs_enabled", Self::Builds),
        ("snippets_enabled", Self::Snippets),
        ("container_registry_enabled", Self::ContainerRegistry),
        ("packages_enabled", Self::PackageRegistry),
        ("security_and_compliance_enabled", Self::SecurityAndCompliance),
    ];

    /// Who may use it.
    #[must_use]
    pub fn level(self, row: &FeaturesRow) -> i32 {
        let usual = |level: Option<i32>| level.unwrap_or(20);
        match self {
            Self::Repository => row.repository_access_level,
            Self::Wiki => usual(row.wiki_access_level),
            Self::Snippets => row.snippets_access_level,
            Self::Issues => usual(row.issues_access_level),
            Self::MergeRequests => usual(row.merge_requests_access_level),
            Self::Builds => usual(row.builds_access_level),
            Self::Forking => usual(row.forking_access_level),
            Self::Pages => row.pages_access_level,
            Self::ContainerRegistry => row.container_registry_access_level,
            Self::PackageRegistry => row.package_registry_access_level,
            Self::SecurityAndCompliance => row.security_and_compliance_access_level,
            Self::Monitor => row.monitor_access_level,
            Self::Infrastructure => row.infrastructure_access_level,
            Self::Operations => row.operations_access_level,
        }
    }

    fn put(self, row: &mut FeaturesRow, level: i32) {
        match self {
            Self::Repository => row.repository_access_level = level,
            Self::Wiki => row.wiki_access_level = Some(level),
            Self::Snippets => row.snippets_access_level = level,
            Self::Issues => row.issues_access_level = Some(level),
            Self::MergeRequests => row.merge_requests_access_level = Some(level),
            Self::Builds => row.builds_access_level = Some(level),
            Self::Forking => row.forking_access_level = Some(level),
            Self::Pages => row.pages_access_level = level,
            Self::ContainerRegistry => row.container_registry_access_level = level,
            Self::PackageRegistry => row.package_registry_access_level = level,
            Self::SecurityAndCompliance => row.security_and_compliance_access_level = level,
            Self::Monitor => row.monitor_access_level = level,
            Self::Infrastructure => row.infrastructure_access_level = level,
            Self::Operations => row.operations_access_level = level,
        }
    }
}

/// What is said of a project; what is left out stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct ProjectChange {
    pub name: Option<String>,
    pub path: Option<String>,
    pub description: Option<Option<String>>,
    pub visibility: Option<i32>,
    pub lfs_enabled: Option<bool>,
    pub printing_merge_request_link_enabled: Option<bool>,
    /// The name of the branch that HEAD is to name.
    pub default_branch: Option<String>,
    pub features: Vec<(ProjectFeature, i32)>,
    /// Settings that are kept and have no effect; null is the default.
    pub kept: Map<String, Value>,
}

impl ProjectChange {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.path.is_none()
            && self.description.is_none()
            && self.visibility.is_none()
            && self.lfs_enabled.is_none()
            && self.printing_merge_request_link_enabled.is_none()
            && self.default_branch.is_none()
            && self.features.is_empty()
            && self.kept.is_empty()
    }

    /// Puts what is said into the rows.
    pub fn put_into(&self, row: &mut ProjectRow, features: &mut FeaturesRow) {
        if let Some(name) = &self.name {
            row.name.clone_from(name);
        }
        if let Some(path) = &self.path {
            row.path.clone_from(path);
        }
        if let Some(description) = &self.description {
            row.description.clone_from(description);
        }
        if let Some(level) = self.visibility {
            row.visibility_level = level;
        }
        if self.lfs_enabled.is_some() {
            row.lfs_enabled = self.lfs_enabled;
        }
        if let Some(printing) = self.printing_merge_request_link_enabled {
            row.printing_merge_request_link_enabled = printing;
        }
        for (feature, level) in &self.features {
            feature.put(features, *level);
        }
    }

    /// Notes what is wrong with what is said, as far as the project alone tells.
    pub fn check(&self, faults: &mut RecordFaults) {
        if let Some(name) = &self.name {
            check_project_name(faults, name);
        }
        if let Some(path) = &self.path {
            check_path(faults, path, PathPosition::Project);
        }
        faults.check_length("description", self.description.as_ref().and_then(|text| text.as_deref()), 2000);
        faults.check_length("default_branch", self.default_branch.as_deref(), 255);
    }
}
