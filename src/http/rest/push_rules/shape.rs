//! A push rule as clients state it, and as they read it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::push_rule::ExpressionFault;
use crate::http::grape::ParameterReader;
use crate::http::rest::entities::local_moment;
use crate::http::rest::fault::RestRefusal;
use crate::services::ServiceError;
use crate::services::set_push_rule::{PushRuleChange, PushRuleFault, PushRuleRefusal};
use crate::store::push_rules::StoredPushRule;

/// The parameters, one of which must be given.
const NAMES: [&str; 13] = [
    "deny_delete_tag",
    "member_check",
    "prevent_secrets",
    "commit_message_regex",
    "commit_message_negative_regex",
    "branch_name_regex",
    "author_email_regex",
    "file_name_regex",
    "max_file_size",
    "commit_committer_check",
    "commit_committer_name_check",
    "reject_unsigned_commits",
    "reject_non_dco_commits",
];

/// A push rule.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's shape")]
pub struct PushRuleShape {
    id: i64,
    /// Of a project's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    project_id: Option<i64>,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    commit_message_regex: Option<String>,
    commit_message_negative_regex: Option<String>,
    branch_name_regex: Option<String>,
    /// Whether tags may not be removed.
    deny_delete_tag: bool,
    /// Whether authors must be users.
    member_check: bool,
    /// Whether files are refused that look like secrets.
    prevent_secrets: bool,
    author_email_regex: Option<String>,
    file_name_regex: Option<String>,
    /// In megabytes; 0 for no limit.
    max_file_size: i32,
    commit_committer_check: bool,
    commit_committer_name_check: bool,
    reject_unsigned_commits: bool,
    reject_non_dco_commits: bool,
}

/// What is said of a push rule.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct PushRuleParameters {
    deny_delete_tag: Option<bool>,
    member_check: Option<bool>,
    prevent_secrets: Option<bool>,
    commit_message_regex: Option<String>,
    commit_message_negative_regex: Option<String>,
    branch_name_regex: Option<String>,
    author_email_regex: Option<String>,
    file_name_regex: Option<String>,
    max_file_size: Option<i32>,
    commit_committer_check: Option<bool>,
    commit_committer_name_check: Option<bool>,
    reject_unsigned_commits: Option<bool>,
    reject_non_dco_commits: Option<bool>,
}

impl PushRuleShape {
    /// The rule of that project, or of a group.
    pub fn of(rule: StoredPushRule, project_id: Option<i64>) -> Self {
        let row = rule.row;
        Self {
            id: rule.id,
            project_id,
            created_at: rule.created_at.map(local_moment),
            commit_message_regex: row.commit_message_regex,
            commit_message_negative_regex: row.commit_message_negative_regex,
            branch_name_regex: row.branch_name_regex,
            deny_delete_tag: row.deny_delete_tag,
            member_check: row.member_check,
            prevent_secrets: row.prevent_secrets,
            author_email_regex: row.author_email_regex,
            file_name_regex: row.file_name_regex,
            max_file_size: row.max_file_size,
            commit_committer_check: row.commit_committer_check,
            commit_committer_name_check: row.commit_committer_name_check,
            reject_unsigned_commits: row.reject_unsigned_commits,
            reject_non_dco_commits: row.reject_non_dco_commits,
        }
    }
}

/// Reads what is said of a rule.
pub fn declare(reader: &mut ParameterReader<'_>) -> PushRuleChange {
    reader.at_least_one(&NAMES);
    let mut expression = |name: &str| {
        // An empty text asks for nothing, as null does.
        reader.optional::<String>(name).stated().map(|text| text.filter(|text| !text.is_empty()))
    };
    PushRuleChange {
        commit_message_regex: expression("commit_message_regex"),
        commit_message_negative_regex: expression("commit_message_negative_regex"),
        branch_name_regex: expression("branch_name_regex"),
        author_email_regex: expression("author_email_regex"),
        file_name_regex: expression("file_name_regex"),
        deny_delete_tag: reader.optional("deny_delete_tag").value(),
        member_check: reader.optional("member_check").value(),
        prevent_secrets: reader.optional("prevent_secrets").value(),
        max_file_size: reader.optional("max_file_size").value(),
        commit_committer_check: reader.optional("commit_committer_check").value(),
        commit_committer_name_check: reader.optional("commit_committer_name_check").value(),
        reject_unsigned_commits: reader.optional("reject_unsigned_commits").value(),
        reject_non_dco_commits: reader.optional("reject_non_dco_commits").value(),
    }
}

/// What is said of a rule that cannot be, that is there already, or that is not.
pub fn refusal(error: ServiceError<PushRuleRefusal>, exists: &str, missing: RestRefusal) -> RestRefusal {
    match error {
        ServiceError::Refused(PushRuleRefusal::Exists) => RestRefusal::Unprocessable(Some(exists.to_owned())),
        ServiceError::Refused(PushRuleRefusal::Missing) => missing,
        ServiceError::Refused(PushRuleRefusal::Faults(faults)) => {
            RestRefusal::Record(faults.into_iter().map(|(name, fault)| (name.to_owned(), complaint(fault))).collect())
        }
        ServiceError::Store(error) => error.into(),
    }
}

fn complaint(fault: PushRuleFault) -> String {
    match fault {
        PushRuleFault::Expression(ExpressionFault::Syntax(error)) => format!("not valid RE2 syntax: {error}"),
        PushRuleFault::Expression(ExpressionFault::TooLong(most)) => {
            format!("is too long (maximum is {most} characters)")
        }
        PushRuleFault::Negative => "must be greater than or equal to 0".to_owned(),
    }
}
