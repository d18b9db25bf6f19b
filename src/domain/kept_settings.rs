//! Settings of projects that shape only what is not here: merge requests, CI, mail, pages, registries. Clients write them,
//! read them back and complain where they differ, so they are kept and have no effect (rest.md 1.11, 14). What promises
//! protection is not among them.

/// The feature levels that a setting may have.
pub const LEVELS: &[&str] = &["disabled", "private", "enabled"];

/// What a kept setting holds, and what it is where nothing was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptKind {
    /// Yes or no.
    Flag(bool),
    /// A whole number, not below zero, or none.
    Number(Option<i64>),
    /// A text of at most so many characters, or none.
    Text(Option<&'static str>, usize),
    /// One of these words; the first number is the place of the default.
    Word(usize, &'static [&'static str]),
    /// Several texts.
    Texts(&'static [&'static str]),
}

/// A kept setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSetting {
    /// GitLab's name of it.
    pub name: &'static str,
    /// What it holds.
    pub kind: KeptKind,
}

const fn kept(name: &'static str, kind: KeptKind) -> KeptSetting {
    KeptSetting { name, kind }
}

const ON: KeptKind = KeptKind::Flag(true);
const OFF: KeptKind = KeptKind::Flag(false);
const ENABLED: KeptKind = KeptKind::Word(2, LEVELS);
const TEMPLATE: KeptKind = KeptKind::Text(None, 5000);
const ROLES: &[&str] = &["no_one_allowed", "no one", "developer", "maintainer", "owner"];

const PROCESS_MODES: &[&str] = &["unordered", "oldest_first", "newest_first", "newest_ready_first"];

/// Labels of a project, by which lists can be filtered. They are shown where little else is, too.
pub const TOPICS: &str = "topics";

/// Those of projects, in the order in which they are shown.
pub const OF_PROJECTS: &[KeptSetting] = &[
    kept(TOPICS, KeptKind::Texts(&[])),
    kept("analytics_access_level", ENABLED),
    kept("releases_access_level", ENABLED),
    kept("environments_access_level", ENABLED),
    kept("feature_flags_access_level", ENABLED),
    kept("requirements_access_level", ENABLED),
    kept("model_experiments_access_level", ENABLED),
    kept("model_registry_access_level", ENABLED),
    kept("service_desk_enabled", OFF),
    kept("shared_runners_enabled", ON),
    kept("group_runners_enabled", ON),
    kept("request_access_enabled", ON),
    kept("merge_method", KeptKind::Word(0, &["merge", "rebase_merge", "ff"])),
    kept("squash_option", KeptKind::Word(3, &["never", "always", "default_on", "default_off"])),
    kept("remove_source_branch_after_merge", ON),
    kept("resolve_outdated_diff_discussions", OFF),
    kept("autoclose_referenced_issues", ON),
    kept("only_allow_merge_if_pipeline_succeeds", OFF),
    kept("only_allow_merge_if_all_discussions_are_resolved", OFF),
    kept("only_allow_merge_if_all_status_checks_passed", OFF),
    kept("allow_merge_on_skipped_pipeline", OFF),
    kept("allow_pipeline_trigger_approve_deployment", OFF),
    kept("approvals_before_merge", KeptKind::Number(Some(0))),
    kept("mr_default_target_self", OFF),
    kept("prevent_merge_without_jira_issue", OFF),
    kept("merge_pipelines_enabled", OFF),
    kept("merge_trains_enabled", OFF),
    kept("merge_trains_skip_train_allowed", OFF),
    kept("merge_commit_template", TEMPLATE),
    kept("squash_commit_template", TEMPLATE),
    kept("suggestion_commit_message", KeptKind::Text(None, 255)),
    kept("issue_branch_template", KeptKind::Text(None, 255)),
    kept("issues_template", TEMPLATE),
    kept("merge_requests_template", TEMPLATE),
    kept("merge_request_title_regex", KeptKind::Text(None, 255)),
    kept("merge_request_title_regex_description", KeptKind::Text(None, 255)),
    kept("mr_default_title_template", KeptKind::Text(None, 255)),
    kept("emails_enabled", ON),
    kept("show_diff_preview_in_email", ON),
    kept("public_jobs", ON),
    kept("keep_latest_artifact", ON),
    kept("max_artifacts_size", KeptKind::Number(None)),
    kept("build_git_strategy", KeptKind::Word(0, &["fetch", "clone"])),
    kept("build_timeout", KeptKind::Number(Some(3600))),
    kept("build_coverage_regex", KeptKind::Text(None, 255)),
    kept("auto_cancel_pending_pipelines", KeptKind::Word(0, &["enabled", "disabled"])),
    kept("auto_devops_enabled", OFF),
    kept("auto_devops_deploy_strategy", KeptKind::Word(0, &["continuous", "manual", "timed_incremental"])),
    kept("ci_config_path", KeptKind::Text(Some(""), 255)),
    kept("ci_default_git_depth", KeptKind::Number(Some(20))),
    kept("ci_delete_pipelines_in_seconds", KeptKind::Number(None)),
    kept("ci_forward_deployment_enabled", ON),
    kept("ci_forward_deployment_rollback_allowed", ON),
    kept("ci_allow_fork_pipelines_to_run_in_parent_project", ON),
    kept("ci_separated_caches", ON),
    kept("ci_push_repository_for_job_token_allowed", OFF),
    kept("ci_display_pipeline_variables", OFF),
    kept("resource_group_default_process_mode", KeptKind::Word(0, PROCESS_MODES)),
    kept("ci_id_token_sub_claim_components", KeptKind::Texts(&["project_path", "ref_type", "ref"])),
    kept("ci_restrict_pipeline_cancellation_role", KeptKind::Word(2, ROLES)),
    kept("ci_pipeline_variables_minimum_override_role", KeptKind::Word(2, ROLES)),
    kept("restrict_user_defined_variables", OFF),
    kept("runner_token_expiration_interval", KeptKind::Number(None)),
    kept("warn_about_potentially_unwanted_characters", ON),
    kept("external_authorization_classification_label", KeptKind::Text(Some(""), 255)),
];

/// The kept setting of that name.
#[must_use]
pub fn of_project(name: &str) -> Option<KeptSetting> {
    OF_PROJECTS.iter().copied().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_setting_stands_once_and_its_default_is_one_of_its_words() {
        let names: HashSet<&str> = OF_PROJECTS.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), OF_PROJECTS.len());
        for KeptSetting { name, kind } in OF_PROJECTS {
            if let KeptKind::Word(usual, words) = kind {
                assert!(*usual < words.len(), "{name}");
            }
            assert_eq!(of_project(name).map(|setting| setting.kind), Some(*kind));
        }
    }

    #[test]
    fn nothing_that_promises_protection_is_kept_without_effect() {
        let promises = ["code_owner_approval_required", "secret_push_protection_enabled", "mirror", "import_url"];
        assert!(promises.iter().all(|name| of_project(name).is_none()));
    }
}
