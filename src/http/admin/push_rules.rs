//! Push rules of a project or a group, in words: a part of their pages.

use super::error::AdminError;
use super::page::{Cell, code, text};
use crate::store::Db;
use crate::store::push_rules::{self, PushRuleOwner, PushRuleRow};

/// What the owner's rule asks for.
pub async fn facts(db: &Db, owner: PushRuleOwner) -> Result<Vec<(&'static str, Cell)>, AdminError> {
    let Some(id) = push_rules::find_id(db, owner).await? else { return Ok(vec![("Rules", text("none of its own"))]) };
    let rule = push_rules::find(db, id).await?.unwrap_or_default();
    let facts = words(&rule);
    Ok(if facts.is_empty() { vec![("Rules", text("none"))] } else { facts })
}

fn words(rule: &PushRuleRow) -> Vec<(&'static str, Cell)> {
    let switches = [
        ("Removing tags", rule.deny_delete_tag, "is refused"),
        ("Authors", rule.member_check, "must be users"),
        ("Secrets", rule.prevent_secrets, "are refused"),
        ("Unsigned commits", rule.reject_unsigned_commits, "are refused"),
        ("Committers", rule.commit_committer_check, "must be the user, by address"),
        ("Names of committers", rule.commit_committer_name_check, "must be the user's"),
        ("Commits without a sign-off", rule.reject_non_dco_commits, "are refused"),
    ];
    let patterns = [
        ("Messages must match", &rule.commit_message_regex),
        ("Messages must not match", &rule.commit_message_negative_regex),
        ("Addresses of authors must match", &rule.author_email_regex),
        ("Names of files must not match", &rule.file_name_regex),
        ("Names of branches must match", &rule.branch_name_regex),
    ];
    let on = switches.into_iter().filter(|(_, on, _)| *on).map(|(what, _, said)| (what, text(said)));
    let given = patterns.into_iter().filter_map(|(what, pattern)| {
        let pattern = pattern.as_ref().filter(|pattern| !pattern.is_empty())?;
        Some((what, code(pattern.clone())))
    });
    let size = (rule.max_file_size > 0).then(|| ("Largest file", text(format!("{} MiB", rule.max_file_size))));
    on.chain(given).chain(size).collect()
}
