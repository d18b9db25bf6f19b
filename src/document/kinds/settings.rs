//! `settings:`, the settings of the instance.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::push_rules::{self, PushRulesEntry};
use super::scim;
use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{BranchProtectionWord, GivenValue, NumberedWord, ProtocolWord, VisibilityWord, stated};
use crate::domain::scim::ScimScope;
use crate::store::push_rules::PushRuleOwner;
use crate::store::settings::{self, SettingsRow};
use crate::store::{Result, error_tracking};

/// The settings of the instance. Each may be left out, and null means no limit or none.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names of GitLab's own settings")]
pub struct SettingsEntry {
    pub enabled_git_access_protocol: Option<ProtocolWord>,
    /// The token that the error-tracking service shows.
    pub error_tracking_access_token: Option<GivenValue>,
    /// The token that the identity provider of the whole installation calls with.
    pub scim_token: Option<GivenValue>,
    /// Megabytes that one push may have.
    #[serde(deserialize_with = "stated")]
    #[schemars(range(min = 1))]
    pub receive_max_input_size: Option<Option<i32>>,
    /// Git operations over SSH in a minute, per user and project; 0 is no limit.
    #[schemars(range(min = 0))]
    pub gitlab_shell_operation_limit: Option<i32>,
    /// What clone URLs over HTTP start with; null for the address in the settings file.
    #[serde(deserialize_with = "stated")]
    #[schemars(regex(pattern = r"^https?://[^/]"), length(max = 511), extend("examples" = ["https://git.example.com"]))]
    pub custom_http_clone_url_root: Option<Option<String>>,
    #[schemars(range(min = 0))]
    pub push_event_hooks_limit: Option<i32>,
    #[schemars(range(min = 0))]
    pub push_event_activities_limit: Option<i32>,
    /// The least size of each type of SSH key, `any` or `forbidden`.
    pub key_restrictions: Option<KeyRestrictionsEntry>,
    /// Days that an SSH key may live; one that lives longer, or for ever, is refused.
    #[serde(deserialize_with = "stated")]
    #[schemars(range(min = 1))]
    pub max_ssh_key_lifetime: Option<Option<i32>>,
    /// Days.
    #[serde(deserialize_with = "stated")]
    #[schemars(range(min = 1))]
    pub max_personal_access_token_lifetime: Option<Option<i32>>,
    pub require_personal_access_token_expiry: Option<bool>,
    pub disable_personal_access_tokens: Option<bool>,
    /// Whether git over HTTP takes passwords beside tokens.
    pub password_authentication_enabled_for_git: Option<bool>,
    #[schemars(length(max = 20))]
    pub personal_access_token_prefix: Option<String>,
    pub admin_mode: Option<bool>,
    /// Git is for those who have accepted the terms of service.
    pub enforce_terms: Option<bool>,
    /// Minutes.
    #[schemars(range(min = 1, max = 10_080))]
    pub git_two_factor_session_expiry: Option<i32>,
    pub maintenance_mode: Option<bool>,
    pub silent_mode_enabled: Option<bool>,
    #[serde(deserialize_with = "stated")]
    #[schemars(length(max = 255))]
    pub default_branch_name: Option<Option<String>>,
    pub default_branch_protection: Option<BranchProtectionWord>,
    /// Bytes; 0 is no limit.
    #[schemars(range(min = 0))]
    pub repository_size_limit: Option<i64>,
    /// Address ranges that no group's restriction shuts out.
    pub globally_allowed_ips: Option<Vec<String>>,
    pub error_tracking_enabled: Option<bool>,
    /// Whether hooks of projects and groups may post to private addresses.
    pub allow_local_requests_from_web_hooks_and_services: Option<bool>,
    /// Whether hooks of the instance may.
    pub allow_local_requests_from_system_hooks: Option<bool>,
    pub default_project_visibility: Option<VisibilityWord>,
    /// Days between the word of a client of the public API and the end of a group or project; 0 ends it at once.
    #[schemars(range(min = 0, max = 90))]
    pub deletion_adjourned_period: Option<i32>,
    /// The rule that holds where neither project nor group has one.
    pub push_rules: Option<PushRulesEntry>,
}

/// The least size of each type of SSH key.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the types that OpenSSH has")]
pub struct KeyRestrictionsEntry {
    pub rsa: Option<KeyRestriction>,
    pub dsa: Option<KeyRestriction>,
    pub ecdsa: Option<KeyRestriction>,
    pub ed25519: Option<KeyRestriction>,
    pub ecdsa_sk: Option<KeyRestriction>,
    pub ed25519_sk: Option<KeyRestriction>,
}

/// Bits at least, or a word.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum KeyRestriction {
    /// So many bits at least.
    Bits(i32),
    /// No key, or every key.
    Word(KeyRestrictionWord),
}

/// No key, or every key.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum KeyRestrictionWord {
    Any,
    Forbidden,
}

// Derived, it would be a choice of two schemas, and a problem would be told in terms of both.
impl JsonSchema for KeyRestriction {
    fn schema_name() -> Cow<'static, str> {
        "KeyRestriction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Bits at least, or a word: `any` or `forbidden`.",
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": 65536,
            "pattern": "^(any|forbidden)$",
            "examples": [2048],
        })
    }
}

impl KeyRestriction {
    fn number(self) -> i32 {
        match self {
            Self::Bits(bits) => bits,
            Self::Word(KeyRestrictionWord::Any) => 0,
            Self::Word(KeyRestrictionWord::Forbidden) => -1,
        }
    }

    pub(crate) fn word_of(number: i32) -> String {
        match number {
            -1 => "forbidden".to_owned(),
            0 => "any".to_owned(),
            bits => bits.to_string(),
        }
    }
}

/// Brings the settings in line.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, settings: &SettingsEntry) -> Result<()> {
    for (index, range) in settings.globally_allowed_ips.iter().flatten().enumerate() {
        super::group_extras::check_range(run, &place.key("globally_allowed_ips").item(index), range);
    }
    let mut row = settings::find(&mut *run.conn).await?;
    let changes = settings.put_into(&mut row);
    if !changes.is_empty() {
        settings::update(&mut *run.conn, &row).await?;
        run.updated("settings", &changes);
    }
    if let Some(token) = &settings.scim_token {
        scim::apply_token(run, &place.key("scim_token"), ScimScope::Instance, "the instance", token).await?;
    }
    if let Some(given) = &settings.error_tracking_access_token
        && let Some(text) = run.given(&place.key("error_tracking_access_token"), given)
    {
        let [newest, older] = run.ciphertexts(&text);
        let known = error_tracking::find_access_token(&mut *run.conn).await?;
        if ![Some(&newest), Some(&older)].contains(&known.as_ref()) {
            error_tracking::update_access_token(&mut *run.conn, &newest).await?;
            run.changed("settings error_tracking_access_token replaced");
        }
    }
    if let Some(rules) = &settings.push_rules {
        push_rules::apply(run, &place.key("push_rules"), PushRuleOwner::Instance, "the instance", rules).await?;
    }
    Ok(())
}

impl SettingsEntry {
    fn put_into(&self, row: &mut SettingsRow) -> FieldChanges {
        let mut changes = FieldChanges::default();
        let protocol = self.enabled_git_access_protocol.map(|protocol| match protocol {
            ProtocolWord::Any => None,
            ProtocolWord::Ssh | ProtocolWord::Http => Some(ProtocolWord::word_of(protocol.number())),
        });
        // GitLab also writes an empty text for both.
        row.enabled_git_access_protocol = row.enabled_git_access_protocol.take().filter(|word| !word.is_empty());
        let show = |word: &Option<String>| word.clone().unwrap_or_else(|| "any".to_owned());
        changes.set_as("enabled_git_access_protocol", &mut row.enabled_git_access_protocol, protocol, show);

        let given = self.key_restrictions.clone().unwrap_or_default();
        let restrictions = [
            ("rsa", &mut row.rsa_key_restriction, given.rsa),
            ("dsa", &mut row.dsa_key_restriction, given.dsa),
            ("ecdsa", &mut row.ecdsa_key_restriction, given.ecdsa),
            ("ed25519", &mut row.ed25519_key_restriction, given.ed25519),
            ("ecdsa_sk", &mut row.ecdsa_sk_key_restriction, given.ecdsa_sk),
            ("ed25519_sk", &mut row.ed25519_sk_key_restriction, given.ed25519_sk),
        ];
        for (kind, slot, restriction) in restrictions {
            let show = |number: &i32| KeyRestriction::word_of(*number);
            changes.set_as(&format!("key_restrictions.{kind}"), slot, restriction.map(KeyRestriction::number), show);
        }

        macro_rules! set {
            ($($field:ident)+) => {$(
                changes.set(stringify!($field), &mut row.$field, self.$field.clone());
            )+};
        }
        set!(receive_max_input_size custom_http_clone_url_root push_event_hooks_limit push_event_activities_limit);
        set!(max_ssh_key_lifetime max_personal_access_token_lifetime require_personal_access_token_expiry);
        set!(disable_personal_access_tokens admin_mode enforce_terms git_two_factor_session_expiry maintenance_mode);
        set!(password_authentication_enabled_for_git);
        set!(silent_mode_enabled default_branch_name repository_size_limit error_tracking_enabled);
        set!(allow_local_requests_from_web_hooks_and_services allow_local_requests_from_system_hooks);
        let limit = self.gitlab_shell_operation_limit.map(Some);
        changes.set("gitlab_shell_operation_limit", &mut row.gitlab_shell_operation_limit, limit);
        let prefix = self.personal_access_token_prefix.clone().map(Some);
        changes.set("personal_access_token_prefix", &mut row.personal_access_token_prefix, prefix);
        let ranges = self.globally_allowed_ips.as_ref().map(|ranges| ranges.join(","));
        changes.set("globally_allowed_ips", &mut row.globally_allowed_ips, ranges);
        changes.word(
            "default_project_visibility",
            &mut row.default_project_visibility,
            self.default_project_visibility,
        );
        let period = self.deletion_adjourned_period;
        changes.set("deletion_adjourned_period", &mut row.deletion_adjourned_period, period);

        changes.word("default_branch_protection", &mut row.default_branch_protection, self.default_branch_protection);
        let finer = &mut row.default_branch_protection_defaults;
        if self.default_branch_protection.is_some() && finer.as_object().is_some_and(|rules| !rules.is_empty()) {
            // The newer and finer form would win over the word that is stated.
            *finer = serde_json::json!({});
            changes.note("default_branch_protection_defaults cleared");
        }
        changes
    }
}
