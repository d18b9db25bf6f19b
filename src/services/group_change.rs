//! What a client says of a group, put into its rows, and what is wrong with it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::domain::default_branch::is_branch_name;
use crate::domain::full_path::PathPosition;
use crate::domain::place_names::{check_group_name, check_path};
use crate::domain::record_faults::RecordFaults;
use crate::store::namespaces::{GroupRow, GroupSettingsRow};

/// Who runs CI jobs of a group on shared runners: GitLab's `shared_runners_setting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedRunners {
    /// Everybody.
    Enabled,
    /// Nobody, unless a group or project in it says so.
    Overridable,
    /// Nobody.
    Disabled,
}

/// What is said of a group; what is left out stays.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct GroupChange {
    pub name: Option<String>,
    pub path: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<i32>,
    pub share_with_group_lock: Option<bool>,
    pub membership_lock: Option<bool>,
    pub require_two_factor_authentication: Option<bool>,
    pub two_factor_grace_period: Option<i32>,
    pub project_creation_level: Option<i32>,
    pub subgroup_creation_level: Option<i32>,
    pub lfs_enabled: Option<bool>,
    pub request_access_enabled: Option<bool>,
    pub default_branch: Option<Option<String>>,
    pub default_branch_protection: Option<i16>,
    /// The parts that are given; the others stay.
    pub default_branch_protection_defaults: Option<Map<String, Value>>,
    pub enabled_git_access_protocol: Option<i16>,
    pub shared_runners_minutes_limit: Option<Option<i32>>,
    pub extra_shared_runners_minutes_limit: Option<Option<i32>>,
    pub ip_restriction_ranges: Option<Vec<String>>,
    pub allowed_email_domains: Option<Vec<String>>,
    pub prevent_sharing_groups_outside_hierarchy: Option<bool>,
    pub auto_devops_enabled: Option<bool>,
    pub mentions_disabled: Option<bool>,
    pub shared_runners: Option<SharedRunners>,
    pub max_artifacts_size: Option<Option<i32>>,
    pub emails_enabled: Option<bool>,
    pub show_diff_preview_in_email: Option<bool>,
    pub only_allow_merge_if_pipeline_succeeds: Option<bool>,
    pub allow_merge_on_skipped_pipeline: Option<bool>,
    pub only_allow_merge_if_all_discussions_are_resolved: Option<bool>,
    pub math_rendering_limits_enabled: Option<bool>,
    pub lock_math_rendering_limits_enabled: Option<bool>,
    pub prevent_forking_outside_group: Option<bool>,
    pub wiki_access_level: Option<i32>,
}

fn put<T: Clone>(slot: &mut T, stated: Option<&T>) {
    if let Some(value) = stated {
        slot.clone_from(value);
    }
}

fn put_into<T: Clone>(slot: &mut Option<T>, stated: Option<&T>) {
    if let Some(value) = stated {
        *slot = Some(value.clone());
    }
}

impl GroupChange {
    /// Puts what is said into the rows.
    pub fn put_into(&self, row: &mut GroupRow, settings: &mut GroupSettingsRow) {
        put(&mut row.name, self.name.as_ref());
        put(&mut row.path, self.path.as_ref());
        put(&mut row.description, self.description.as_ref());
        put(&mut row.visibility_level, self.visibility.as_ref());
        put(&mut row.share_with_group_lock, self.share_with_group_lock.as_ref());
        put(&mut row.membership_lock, self.membership_lock.as_ref());
        put(&mut row.require_two_factor_authentication, self.require_two_factor_authentication.as_ref());
        put(&mut row.two_factor_grace_period, self.two_factor_grace_period.as_ref());
        put_into(&mut row.project_creation_level, self.project_creation_level.as_ref());
        put_into(&mut row.subgroup_creation_level, self.subgroup_creation_level.as_ref());
        put_into(&mut row.lfs_enabled, self.lfs_enabled.as_ref());
        put(&mut row.request_access_enabled, self.request_access_enabled.as_ref());
        put(&mut row.shared_runners_minutes_limit, self.shared_runners_minutes_limit.as_ref());
        put(&mut row.extra_shared_runners_minutes_limit, self.extra_shared_runners_minutes_limit.as_ref());
        put_into(&mut row.auto_devops_enabled, self.auto_devops_enabled.as_ref());
        put_into(&mut row.mentions_disabled, self.mentions_disabled.as_ref());
        put(&mut row.max_artifacts_size, self.max_artifacts_size.as_ref());
        if let Some(runners) = self.shared_runners {
            row.shared_runners_enabled = runners == SharedRunners::Enabled;
            row.allow_descendants_override_disabled_shared_runners = runners == SharedRunners::Overridable;
        }
        self.put_protection(row, settings);
        self.put_settings(settings);
    }

    /// The two forms of the protection of new default branches: of what is said, the newer one wins.
    fn put_protection(&self, row: &mut GroupRow, settings: &mut GroupSettingsRow) {
        let defaults = &mut settings.default_branch_protection_defaults;
        if let Some(level) = self.default_branch_protection {
            row.default_branch_protection = Some(level);
            *defaults = Value::Object(Map::new());
        }
        if let Some(stated) = &self.default_branch_protection_defaults {
            let mut merged = defaults.as_object().cloned().unwrap_or_default();
            merged.extend(stated.clone());
            *defaults = Value::Object(merged);
        }
    }

    fn put_settings(&self, settings: &mut GroupSettingsRow) {
        put(&mut settings.default_branch_name, self.default_branch.as_ref());
        put(&mut settings.enabled_git_access_protocol, self.enabled_git_access_protocol.as_ref());
        let within = self.prevent_sharing_groups_outside_hierarchy.as_ref();
        put(&mut settings.prevent_sharing_groups_outside_hierarchy, within);
        put(&mut settings.emails_enabled, self.emails_enabled.as_ref());
        put(&mut settings.show_diff_preview_in_email, self.show_diff_preview_in_email.as_ref());
        let pipeline = self.only_allow_merge_if_pipeline_succeeds.as_ref();
        put(&mut settings.only_allow_merge_if_pipeline_succeeds, pipeline);
        put(&mut settings.allow_merge_on_skipped_pipeline, self.allow_merge_on_skipped_pipeline.as_ref());
        let discussions = self.only_allow_merge_if_all_discussions_are_resolved.as_ref();
        put(&mut settings.only_allow_merge_if_all_discussions_are_resolved, discussions);
        put(&mut settings.math_rendering_limits_enabled, self.math_rendering_limits_enabled.as_ref());
        put(&mut settings.lock_math_rendering_limits_enabled, self.lock_math_rendering_limits_enabled.as_ref());
        put(&mut settings.prevent_forking_outside_group, self.prevent_forking_outside_group.as_ref());
    }

    /// Notes what is wrong with what is said, as far as the group alone tells.
    pub fn check(&self, faults: &mut RecordFaults, position: PathPosition) {
        if let Some(name) = &self.name {
            check_group_name(faults, name);
        }
        if let Some(path) = &self.path {
            check_path(faults, path, position);
        }
        faults.check_length("description", self.description.as_deref(), 500);
        let branch = self.default_branch.as_ref().and_then(|name| name.as_deref()).filter(|name| !name.is_empty());
        if branch.is_some_and(|name| !is_branch_name(name)) {
            faults.add("default_branch_name", "is not a valid branch name");
        }
        faults.check_length("default_branch_name", self.default_branch.as_ref().and_then(|name| name.as_deref()), 255);
        let least = "must be greater than or equal to 0";
        let numbers = [
            ("two_factor_grace_period", self.two_factor_grace_period),
            ("shared_runners_minutes_limit", self.shared_runners_minutes_limit.flatten()),
            ("extra_shared_runners_minutes_limit", self.extra_shared_runners_minutes_limit.flatten()),
            ("max_artifacts_size", self.max_artifacts_size.flatten()),
        ];
        for (field, _) in numbers.into_iter().filter(|(_, number)| number.is_some_and(|number| number < 0)) {
            faults.add(field, least);
        }
        if position != PathPosition::Root {
            self.check_of_roots_alone(faults);
        }
        let bad_range = |range: &&String| range.parse::<IpNet>().is_err() && range.parse::<IpAddr>().is_err();
        for range in self.ip_restriction_ranges.iter().flatten().filter(bad_range) {
            faults.add("ip_restriction_ranges", format!("{range} is an invalid IP address range"));
        }
        for domain in self.allowed_email_domains.iter().flatten().filter(|domain| !is_domain(domain)) {
            faults.add("allowed_email_domains_list", format!("{domain} is not a valid domain"));
        }
    }

    /// What is looked for at the root of a tree alone would have no effect further down.
    fn check_of_roots_alone(&self, faults: &mut RecordFaults) {
        let protocol = self.enabled_git_access_protocol.is_some_and(|protocol| protocol != 0);
        let ranges = self.ip_restriction_ranges.as_ref().is_some_and(|ranges| !ranges.is_empty());
        let domains = self.allowed_email_domains.as_ref().is_some_and(|domains| !domains.is_empty());
        let within = self.prevent_sharing_groups_outside_hierarchy == Some(true);
        let stated = [
            ("enabled_git_access_protocol", protocol),
            ("ip_restriction_ranges", ranges),
            ("allowed_email_domains_list", domains),
            ("prevent_sharing_groups_outside_hierarchy", within),
        ];
        for (field, _) in stated.into_iter().filter(|(_, stated)| *stated) {
            faults.add(field, "is for top-level groups: it holds for everything in them");
        }
    }
}

/// Labels of letters, digits and dashes, two of them at least.
fn is_domain(text: &str) -> bool {
    let label =
        |label: &str| !label.is_empty() && label.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    text.len() <= 255 && text.contains('.') && text.split('.').all(label)
}
