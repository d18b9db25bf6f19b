//! Keys of GitLab's that a state document may not state: nothing here would follow them, so stating one is a problem.

use serde_json::Value;

use super::Problem;
use super::explain::join;

/// A key that is known, and that nothing would follow: stating it is a problem, whose reason this is.
#[derive(Debug, Clone, Copy)]
pub struct RefusedKey {
    /// Its place, with `[]` for any entry of a list: `projects[].mirror`.
    pub place: &'static str,
    /// The value that may be stated all the same, for it promises nothing.
    pub harmless: Option<bool>,
    /// Why it is refused.
    pub reason: &'static str,
}

impl RefusedKey {
    /// A key that may not be stated at all.
    #[must_use]
    pub const fn key(place: &'static str, reason: &'static str) -> Self {
        Self { place, harmless: None, reason }
    }

    /// A key that may be stated with this value alone.
    #[must_use]
    pub const fn unless(place: &'static str, harmless: bool, reason: &'static str) -> Self {
        Self { place, harmless: Some(harmless), reason }
    }
}

/// Each key, by its place in the document, and why it is refused.
pub const REFUSED: &[RefusedKey] = &[
    // The instance.
    RefusedKey::key(
        "settings.authorized_keys_enabled",
        "no authorized_keys file is written: SSH servers ask for each key",
    ),
    RefusedKey::key("settings.check_namespace_plan", "is a key of the settings file: gatehouse.check_namespace_plan"),
    RefusedKey::key(
        "settings.enforce_namespace_storage_limit",
        "only repositories have a limit: repository_size_limit",
    ),
    RefusedKey::key("settings.error_tracking_api_url", "no client is told where to send errors"),
    RefusedKey::key("settings.git_push_pipeline_limit", "a push starts no pipelines here"),
    RefusedKey::key("settings.maintenance_mode_message", "there are no pages that would show it"),
    RefusedKey::key(
        "settings.require_two_factor_authentication",
        "nobody signs in here; gatehouse.two_factor_for_git in the settings file asks for a second factor at git",
    ),
    RefusedKey::key(
        "settings.shared_runners_minutes",
        "minutes are sold and counted here, but no runner asks for them",
    ),
    RefusedKey::key("settings.snippet_size_limit", "the size of snippets is not looked at"),
    RefusedKey::key("settings.two_factor_grace_period", "nobody signs in here"),
    // Users.
    RefusedKey::key("users[].can_create_group", "groups are made by a state document alone"),
    RefusedKey::key("users[].private_profile", "there are no profiles here"),
    // Groups.
    RefusedKey::key("groups[].description", NOBODY_TOLD),
    RefusedKey::key("groups[].membership_lock", "members of projects are what a state document says"),
    RefusedKey::key(
        "groups[].repository_read_only",
        "is about wikis of groups, which are not served; archived stops pushes",
    ),
    RefusedKey::key("groups[].require_two_factor_authentication", "nobody signs in here"),
    RefusedKey::key(
        "groups[].shared_runners_minutes_limit",
        "minutes are sold and counted here, but no runner asks for them",
    ),
    RefusedKey::key("groups[].subgroup_creation_level", "groups are made by a state document alone"),
    RefusedKey::key(
        "groups[].saml.certificate_fingerprint",
        "nobody signs in here; what counts of the provider is SCIM",
    ),
    RefusedKey::key("groups[].saml.sso_url", "nobody signs in here; what counts of the provider is SCIM"),
    RefusedKey::unless(
        "groups[].saml.git_check_enforced",
        false,
        "needs sessions of single sign-on, which do not exist here",
    ),
    // Projects.
    RefusedKey::key("projects[].mirror", "no repository is fetched from elsewhere here"),
    RefusedKey::key("projects[].features.issues", NO_SUCH_PART),
    RefusedKey::key("projects[].features.builds", NO_SUCH_PART),
    RefusedKey::key("projects[].features.forking", NO_SUCH_PART),
    RefusedKey::key("projects[].features.pages", NO_SUCH_PART),
    RefusedKey::key("projects[].features.container_registry", NO_SUCH_PART),
    RefusedKey::key("projects[].features.package_registry", NO_SUCH_PART),
    RefusedKey::key("projects[].features.security_and_compliance", NO_SUCH_PART),
    RefusedKey::key("projects[].features.monitor", NO_SUCH_PART),
    RefusedKey::key("projects[].features.infrastructure", NO_SUCH_PART),
    RefusedKey::key("projects[].features.operations", NO_SUCH_PART),
    RefusedKey::key("projects[].agents[].tokens[].description", NOBODY_TOLD),
    RefusedKey::unless(
        "projects[].protected_branches[].code_owner_approval_required",
        false,
        "nobody approves anything here, so such a branch would take no push that it should",
    ),
    // Push rules, of each owner.
    RefusedKey::unless("settings.push_rules.regexp_uses_re2", true, RE2),
    RefusedKey::unless("groups[].push_rules.regexp_uses_re2", true, RE2),
    RefusedKey::unless("projects[].push_rules.regexp_uses_re2", true, RE2),
    // Hooks, of each owner.
    RefusedKey::key("hooks[].name", NOBODY_TOLD),
    RefusedKey::key("groups[].hooks[].name", NOBODY_TOLD),
    RefusedKey::key("projects[].hooks[].name", NOBODY_TOLD),
    // Messages.
    RefusedKey::key("broadcast_messages[].dismissable", "there are no pages that would show the message"),
];

const NOBODY_TOLD: &str = "no client is told of it";
const NO_SUCH_PART: &str = "projects have no such part here";
const RE2: &str = "expressions are always in the language of RE2";

/// Takes the refused keys out of the value, and answers with a problem for each that promises something.
pub fn take_refused(value: &mut Value, refused: &[RefusedKey]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for one in refused {
        take(value, one.place, "", one, &mut problems);
    }
    problems
}

fn take(node: &mut Value, rest: &str, place: &str, refused: &RefusedKey, problems: &mut Vec<Problem>) {
    let (key, below) = rest.split_once('.').map_or((rest, None), |(key, below)| (key, Some(below)));
    let (key, is_list) = key.strip_suffix("[]").map_or((key, false), |key| (key, true));
    let place = join(place, key);
    match (below, is_list) {
        (None, _) => {
            let stated = node.as_object_mut().and_then(|object| object.remove(key));
            if stated.is_some_and(|stated| refused.harmless.is_none_or(|harmless| stated != harmless)) {
                problems.push(Problem::new(place, format!("is refused: {}", refused.reason)));
            }
        }
        (Some(below), false) => {
            if let Some(node) = node.get_mut(key) {
                take(node, below, &place, refused, problems);
            }
        }
        (Some(below), true) => {
            let entries = node.get_mut(key).and_then(Value::as_array_mut);
            for (index, entry) in entries.into_iter().flatten().enumerate() {
                take(entry, below, &format!("{place}[{index}]"), refused, problems);
            }
        }
    }
}
