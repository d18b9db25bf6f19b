//! Keys of GitLab's that a state document may not state: nothing here would follow them, so stating one is a mistake.

use crate::document::Refused;

/// Each key, by its place in the document, and why it is refused.
pub const REFUSED: &[Refused] = &[
    // The instance.
    Refused::key(
        "settings.authorized_keys_enabled",
        "no authorized_keys file is written: SSH servers ask for each key",
    ),
    Refused::key("settings.check_namespace_plan", "is a key of the settings file: gatehouse.check_namespace_plan"),
    Refused::key("settings.enforce_namespace_storage_limit", "only repositories have a limit: repository_size_limit"),
    Refused::key("settings.error_tracking_api_url", "no client is told where to send errors"),
    Refused::key("settings.git_push_pipeline_limit", "a push starts no pipelines here"),
    Refused::key("settings.maintenance_mode_message", "there are no pages that would show it"),
    Refused::key("settings.password_authentication_enabled_for_git", "no password is taken for git here"),
    Refused::key(
        "settings.require_two_factor_authentication",
        "nobody signs in here; gatehouse.two_factor_for_git in the settings file asks for a second factor at git",
    ),
    Refused::key("settings.shared_runners_minutes", "minutes are sold and counted here, but no runner asks for them"),
    Refused::key("settings.snippet_size_limit", "the size of snippets is not looked at"),
    Refused::key("settings.two_factor_grace_period", "nobody signs in here"),
    // Users.
    Refused::key("users[].can_create_group", "groups are made by a state document alone"),
    Refused::key("users[].private_profile", "there are no profiles here"),
    // Groups.
    Refused::key("groups[].description", NOBODY_TOLD),
    Refused::key("groups[].membership_lock", "members of projects are what a state document says"),
    Refused::key(
        "groups[].repository_read_only",
        "is about wikis of groups, which are not served; archived stops pushes",
    ),
    Refused::key("groups[].require_two_factor_authentication", "nobody signs in here"),
    Refused::key(
        "groups[].shared_runners_minutes_limit",
        "minutes are sold and counted here, but no runner asks for them",
    ),
    Refused::key("groups[].subgroup_creation_level", "groups are made by a state document alone"),
    Refused::key("groups[].saml.certificate_fingerprint", "nobody signs in here; what counts of the provider is SCIM"),
    Refused::key("groups[].saml.sso_url", "nobody signs in here; what counts of the provider is SCIM"),
    Refused::unless(
        "groups[].saml.git_check_enforced",
        false,
        "needs sessions of single sign-on, which do not exist here",
    ),
    // Projects.
    Refused::key("projects[].mirror", "no repository is fetched from elsewhere here"),
    Refused::key("projects[].features.issues", NO_SUCH_PART),
    Refused::key("projects[].features.builds", NO_SUCH_PART),
    Refused::key("projects[].features.forking", NO_SUCH_PART),
    Refused::key("projects[].features.pages", NO_SUCH_PART),
    Refused::key("projects[].features.container_registry", NO_SUCH_PART),
    Refused::key("projects[].features.package_registry", NO_SUCH_PART),
    Refused::key("projects[].features.security_and_compliance", NO_SUCH_PART),
    Refused::key("projects[].features.monitor", NO_SUCH_PART),
    Refused::key("projects[].features.infrastructure", NO_SUCH_PART),
    Refused::key("projects[].features.operations", NO_SUCH_PART),
    Refused::key("projects[].agents[].tokens[].description", NOBODY_TOLD),
    Refused::unless(
        "projects[].protected_branches[].code_owner_approval_required",
        false,
        "nobody approves anything here, so such a branch would take no push that it should",
    ),
    // Push rules, of each owner.
    Refused::unless("settings.push_rules.regexp_uses_re2", true, RE2),
    Refused::unless("groups[].push_rules.regexp_uses_re2", true, RE2),
    Refused::unless("projects[].push_rules.regexp_uses_re2", true, RE2),
    // Hooks, of each owner.
    Refused::key("hooks[].name", NOBODY_TOLD),
    Refused::key("groups[].hooks[].name", NOBODY_TOLD),
    Refused::key("projects[].hooks[].name", NOBODY_TOLD),
    // Messages.
    Refused::key("broadcast_messages[].dismissable", "there are no pages that would show the message"),
];

const NOBODY_TOLD: &str = "no client is told of it";
const NO_SUCH_PART: &str = "projects have no such part here";
const RE2: &str = "expressions are always in the language of RE2";
