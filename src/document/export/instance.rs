//! What an exported document says of the instance, of purchases and of other things that no group or project has.

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::entry::{entry, push_rules, put_list, stated, translate, word};
use crate::document::kinds::settings::KeyRestriction;
use crate::document::words::{BranchProtectionWord, BroadcastTypeWord, LevelWord, VisibilityWord};
use crate::domain::add_on::AddOn;
use crate::store::push_rules::PushRuleOwner;
use crate::store::settings::SettingsRow;
use crate::store::{Result, exports, push_rules as rules, settings};

/// What makes an entry of a row's columns; nothing where it cannot be stated.
type FinishEntry = fn(Map<String, Value>) -> Option<Map<String, Value>>;

/// All of it, by the document's keys.
pub(super) async fn all(conn: &mut PgConnection) -> Result<Map<String, Value>> {
    let mut document = Map::new();
    let mut of_instance = of_instance(&settings::find(&mut *conn).await?);
    if let Some(id) = rules::find_id(&mut *conn, PushRuleOwner::Instance).await?
        && let Some(row) = rules::find(&mut *conn, id).await?
    {
        of_instance.insert("push_rules".to_owned(), push_rules(row));
    }
    document.insert("settings".to_owned(), Value::Object(of_instance));
    let mut put = |key: &str, rows: Vec<Value>, finish: FinishEntry| {
        let entries = rows.into_iter().filter_map(|row| finish(stated(row))).map(Value::Object);
        put_list(&mut document, key, entries.collect());
    };
    put("plans", exports::list_plans(&mut *conn).await?, Some);
    put("snippets", exports::list_snippets(&mut *conn).await?, |mut snippet| {
        translate::<VisibilityWord>(&mut snippet, "visibility");
        Some(snippet)
    });
    put("add_on_purchases", exports::list_add_on_purchases(&mut *conn).await?, |mut purchase| {
        let number = purchase.get("add_on").and_then(Value::as_i64);
        let add_on = AddOn::NUMBERED.into_iter().find(|add_on| Some(i64::from(add_on.number())) == number)?;
        purchase.insert("add_on".to_owned(), json!(add_on.name()));
        Some(purchase)
    });
    put("minutes_packs", exports::list_minutes_packs(&mut *conn).await?, Some);
    put("reconciliations", exports::list_reconciliations(&mut *conn).await?, Some);
    put("storage_exclusions", exports::list_storage_exclusions(&mut *conn).await?, Some);
    put("subscriptions", exports::list_subscriptions(&mut *conn).await?, Some);
    put("scim_identities", exports::list_scim_identities(&mut *conn).await?, Some);
    put("broadcast_messages", exports::list_broadcast_messages(&mut *conn).await?, |mut message| {
        translate::<BroadcastTypeWord>(&mut message, "broadcast_type");
        let levels = message.get("target_access_levels").and_then(Value::as_array).cloned().unwrap_or_default();
        let numbers = levels.iter().filter_map(Value::as_i64).filter_map(|level| i32::try_from(level).ok());
        let words: Vec<Value> = numbers.map(word::<LevelWord>).collect();
        // One that no word is known for cannot be stated, and then none is.
        if words.iter().any(Value::is_null) {
            message.remove("target_access_levels");
        } else {
            message.insert("target_access_levels".to_owned(), Value::Array(words));
        }
        Some(message)
    });
    Ok(document)
}

fn of_instance(row: &SettingsRow) -> Map<String, Value> {
    let protocol = row.enabled_git_access_protocol.as_deref().filter(|word| matches!(*word, "ssh" | "http"));
    let finer = row.default_branch_protection_defaults.as_object().is_some_and(|rules| !rules.is_empty());
    // Stated, the word would win over the finer rules that are in force.
    let protection = if finer { Value::Null } else { word::<BranchProtectionWord>(row.default_branch_protection) };
    let positive = |number: Option<i32>| json!(number.filter(|number| *number > 0));
    let mut settings = entry([
        ("enabled_git_access_protocol", json!(protocol.unwrap_or("any"))),
        ("receive_max_input_size", positive(row.receive_max_input_size)),
        ("gitlab_shell_operation_limit", json!(row.gitlab_shell_operation_limit)),
        ("custom_http_clone_url_root", json!(row.custom_http_clone_url_root.as_ref().filter(|url| !url.is_empty()))),
        ("push_event_hooks_limit", json!(row.push_event_hooks_limit)),
        ("push_event_activities_limit", json!(row.push_event_activities_limit)),
        ("key_restrictions", key_restrictions(row)),
        ("max_ssh_key_lifetime", positive(row.max_ssh_key_lifetime)),
        ("max_personal_access_token_lifetime", positive(row.max_personal_access_token_lifetime)),
        ("require_personal_access_token_expiry", json!(row.require_personal_access_token_expiry)),
        ("disable_personal_access_tokens", json!(row.disable_personal_access_tokens)),
        ("password_authentication_enabled_for_git", json!(row.password_authentication_enabled_for_git)),
        ("personal_access_token_prefix", json!(row.personal_access_token_prefix)),
        ("admin_mode", json!(row.admin_mode)),
        ("enforce_terms", json!(row.enforce_terms)),
        ("git_two_factor_session_expiry", json!(row.git_two_factor_session_expiry)),
        ("maintenance_mode", json!(row.maintenance_mode)),
        ("silent_mode_enabled", json!(row.silent_mode_enabled)),
        ("default_branch_name", json!(row.default_branch_name)),
        ("default_branch_protection", protection),
        ("repository_size_limit", json!(row.repository_size_limit)),
        ("error_tracking_enabled", json!(row.error_tracking_enabled)),
        ("default_project_visibility", word::<VisibilityWord>(row.default_project_visibility)),
        ("deletion_adjourned_period", row.deletion_adjourned_period.into()),
    ]);
    for (key, value) in [
        ("allow_local_requests_from_web_hooks_and_services", row.allow_local_requests_from_web_hooks_and_services),
        ("allow_local_requests_from_system_hooks", row.allow_local_requests_from_system_hooks),
    ] {
        settings.insert(key.to_owned(), json!(value));
    }
    let ranges: Vec<&str> = row.globally_allowed_ips.split(',').filter(|range| !range.is_empty()).collect();
    if ranges.join(",") == row.globally_allowed_ips {
        settings.insert("globally_allowed_ips".to_owned(), json!(ranges));
    }
    settings
}

fn key_restrictions(row: &SettingsRow) -> Value {
    json!({
        "rsa": restriction(row.rsa_key_restriction),
        "dsa": restriction(row.dsa_key_restriction),
        "ecdsa": restriction(row.ecdsa_key_restriction),
        "ed25519": restriction(row.ed25519_key_restriction),
        "ecdsa_sk": restriction(row.ecdsa_sk_key_restriction),
        "ed25519_sk": restriction(row.ed25519_sk_key_restriction),
    })
}

/// A size, or a word.
fn restriction(number: i32) -> Value {
    if number > 0 { json!(number) } else { json!(KeyRestriction::word_of(number)) }
}
