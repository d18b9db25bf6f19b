//! `push_rules:`, of projects, groups and the instance.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, stated};
use crate::domain::push_rule::{self, ExpressionFault};
use crate::store::Result;
use crate::store::push_rules::{self, PushRuleOwner, PushRuleRow};

/// What commits and pushes must be like. An expression that is null asks for nothing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names of GitLab's own rules")]
pub struct PushRulesEntry {
    pub ensure: Ensure,
    /// Tags may not be deleted by a push.
    pub deny_delete_tag: Option<bool>,
    /// Authors and committers must be users of this installation.
    pub member_check: Option<bool>,
    /// Files with names that secrets usually have may not be added.
    pub prevent_secrets: Option<bool>,
    /// Megabytes; 0 is no limit.
    #[schemars(range(min = 0))]
    pub max_file_size: Option<i32>,
    /// Commits must be signed.
    pub reject_unsigned_commits: Option<bool>,
    /// The committer must be the user who pushes, by a verified address.
    pub commit_committer_check: Option<bool>,
    /// The author's name must be that of the user who pushes.
    pub commit_committer_name_check: Option<bool>,
    /// Messages must be signed off (`Signed-off-by:`).
    pub reject_non_dco_commits: Option<bool>,
    /// What the message of each commit must match.
    #[serde(deserialize_with = "stated")]
    #[schemars(length(max = 511))]
    pub commit_message_regex: Option<Option<String>>,
    /// What the message of no commit may match.
    #[serde(deserialize_with = "stated")]
    #[schemars(length(max = 2047))]
    pub commit_message_negative_regex: Option<Option<String>>,
    /// What the author's and the committer's address must match.
    #[serde(deserialize_with = "stated")]
    #[schemars(length(max = 511))]
    pub author_email_regex: Option<Option<String>>,
    /// What the name of no added file may match.
    #[serde(deserialize_with = "stated")]
    #[schemars(length(max = 511))]
    pub file_name_regex: Option<Option<String>>,
    /// What the name of a branch must match.
    #[serde(deserialize_with = "stated")]
    #[schemars(length(max = 511))]
    pub branch_name_regex: Option<Option<String>>,
}

/// Brings the owner's push rules in line; `whose` names the owner. An expression that is not RE2's is a problem.
pub async fn apply(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    owner: PushRuleOwner,
    whose: &str,
    rules: &PushRulesEntry,
) -> Result<()> {
    rules.check(run, place);
    let what = format!("push rules of {whose}");
    let id = push_rules::find_id(&mut *run.conn, owner).await?;
    if rules.ensure.is_absent() {
        if let Some(id) = id {
            push_rules::delete(&mut *run.conn, id).await?;
            run.removed(&what);
        }
        return Ok(());
    }
    let found = match id {
        Some(id) => push_rules::find(&mut *run.conn, id).await?.map(|row| (id, row)),
        None => None,
    };
    if let Some((id, mut row)) = found {
        let changes = rules.put_into(&mut row);
        if !changes.is_empty() {
            push_rules::update(&mut *run.conn, id, &row).await?;
            run.updated(&what, &changes);
        }
    } else {
        let mut row = PushRuleRow::default();
        rules.put_into(&mut row);
        push_rules::insert(run.conn, owner, &row).await?;
        run.added(&what);
    }
    Ok(())
}

impl PushRulesEntry {
    fn check(&self, run: &mut ApplyRun<'_>, place: &DocumentPlace) {
        let expressions = [
            ("commit_message_regex", &self.commit_message_regex),
            ("commit_message_negative_regex", &self.commit_message_negative_regex),
            ("author_email_regex", &self.author_email_regex),
            ("file_name_regex", &self.file_name_regex),
            ("branch_name_regex", &self.branch_name_regex),
        ];
        for (name, expression) in expressions {
            // How long it may be is the schema's matter.
            if let Some(Some(text)) = expression
                && let Some(ExpressionFault::Syntax(error)) = push_rule::fault(name, text)
            {
                run.problem(&place.key(name), format!("is no regular expression of RE2's: {error}"));
            }
        }
    }

    fn put_into(&self, row: &mut PushRuleRow) -> FieldChanges {
        let mut changes = FieldChanges::default();
        macro_rules! set {
            ($($field:ident)+) => {$(
                changes.set(stringify!($field), &mut row.$field, self.$field.clone());
            )+};
        }
        set!(deny_delete_tag member_check prevent_secrets max_file_size reject_unsigned_commits commit_committer_check);
        set!(commit_committer_name_check reject_non_dco_commits commit_message_regex commit_message_negative_regex);
        set!(author_email_regex file_name_regex branch_name_regex);
        changes
    }
}
