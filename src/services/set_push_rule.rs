//! A push rule is made, changed and removed. What one may say is the same for all who state one.

use sqlx::PgConnection;

use super::audited_change::AuditedChange;
use super::{ServiceError, ServiceResult};
use crate::domain::audit::EventName;
use crate::domain::push_rule::{self, ExpressionFault};
use crate::store::push_rules::{self, PushRuleOwner, PushRuleRow, StoredPushRule};
use crate::store::{self, locks};

/// What is said of a push rule. What is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the columns say it")]
pub struct PushRuleChange {
    pub deny_delete_tag: Option<bool>,
    pub member_check: Option<bool>,
    pub prevent_secrets: Option<bool>,
    pub max_file_size: Option<i32>,
    pub reject_unsigned_commits: Option<bool>,
    pub commit_committer_check: Option<bool>,
    pub commit_committer_name_check: Option<bool>,
    pub reject_non_dco_commits: Option<bool>,
    pub commit_message_regex: Option<Option<String>>,
    pub commit_message_negative_regex: Option<Option<String>>,
    pub author_email_regex: Option<Option<String>>,
    pub file_name_regex: Option<Option<String>>,
    pub branch_name_regex: Option<Option<String>>,
}

/// Why a rule is not made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushRuleRefusal {
    /// The owner has one.
    Exists,
    /// The owner has none.
    Missing,
    /// What is wrong with it: a column and a reason each.
    Faults(Vec<(&'static str, PushRuleFault)>),
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushRuleFault {
    /// It is no expression.
    Expression(ExpressionFault),
    /// It is a size below nothing.
    Negative,
}

/// Makes the owner's rule.
pub async fn create(
    change: &AuditedChange<'_>,
    owner: PushRuleOwner,
    stated: &PushRuleChange,
) -> ServiceResult<StoredPushRule, PushRuleRefusal> {
    let mut transaction = change.begin().await?;
    lock_owner(&mut transaction, owner).await?;
    if push_rules::find_id(&mut *transaction, owner).await?.is_some() {
        return Err(ServiceError::Refused(PushRuleRefusal::Exists));
    }
    stated.judge()?;
    let mut row = PushRuleRow::default();
    stated.put_into(&mut row);
    push_rules::insert(&mut transaction, owner, &row).await?;
    let rule = find_written(&mut transaction, owner).await?;
    change.commit(transaction, EventName::PushRuleCreated, ("PushRule", rule.id, ""), "Created").await?;
    Ok(rule)
}

/// Changes the owner's rule.
pub async fn update(
    change: &AuditedChange<'_>,
    owner: PushRuleOwner,
    stated: &PushRuleChange,
) -> ServiceResult<StoredPushRule, PushRuleRefusal> {
    let mut transaction = change.begin().await?;
    lock_owner(&mut transaction, owner).await?;
    let mut rule = find_written(&mut transaction, owner).await?;
    stated.judge()?;
    stated.put_into(&mut rule.row);
    push_rules::update(&mut *transaction, rule.id, &rule.row).await?;
    change.commit(transaction, EventName::PushRuleUpdated, ("PushRule", rule.id, ""), "Changed").await?;
    Ok(rule)
}

/// Removes the owner's rule.
pub async fn remove(change: &AuditedChange<'_>, owner: PushRuleOwner) -> ServiceResult<(), PushRuleRefusal> {
    let mut transaction = change.begin().await?;
    lock_owner(&mut transaction, owner).await?;
    let id = push_rules::find_id(&mut *transaction, owner).await?;
    let id = id.ok_or(ServiceError::Refused(PushRuleRefusal::Missing))?;
    push_rules::delete(&mut *transaction, id).await?;
    Ok(change.commit(transaction, EventName::PushRuleRemoved, ("PushRule", id, ""), "Removed").await?)
}

async fn find_written(conn: &mut PgConnection, owner: PushRuleOwner) -> ServiceResult<StoredPushRule, PushRuleRefusal> {
    push_rules::find_of(conn, owner).await?.ok_or(ServiceError::Refused(PushRuleRefusal::Missing))
}

async fn lock_owner(conn: &mut PgConnection, owner: PushRuleOwner) -> store::Result<()> {
    match owner {
        PushRuleOwner::Project(id) => locks::take_project(conn, id).await,
        PushRuleOwner::Group(id) => locks::take_namespace(conn, id).await,
        // Documents alone write it, one at a time.
        PushRuleOwner::Instance => Ok(()),
    }
}

impl PushRuleChange {
    /// Whether anything is said at all.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it: a column and a reason each.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, PushRuleFault)> {
        let expressions = [
            ("commit_message_regex", &self.commit_message_regex),
            ("commit_message_negative_regex", &self.commit_message_negative_regex),
            ("author_email_regex", &self.author_email_regex),
            ("file_name_regex", &self.file_name_regex),
            ("branch_name_regex", &self.branch_name_regex),
        ];
        let stated = expressions.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?.as_ref()?)));
        let faults = stated.filter_map(|(name, text)| {
            push_rule::fault(name, text).map(|fault| (name, PushRuleFault::Expression(fault)))
        });
        let size = self.max_file_size.filter(|size| *size < 0).map(|_| ("max_file_size", PushRuleFault::Negative));
        faults.chain(size).collect()
    }

    fn judge(&self) -> ServiceResult<(), PushRuleRefusal> {
        let faults = self.faults();
        if faults.is_empty() { Ok(()) } else { Err(ServiceError::Refused(PushRuleRefusal::Faults(faults))) }
    }

    fn put_into(&self, row: &mut PushRuleRow) {
        macro_rules! set {
            ($($field:ident)+) => {$(
                if let Some(stated) = &self.$field {
                    row.$field.clone_from(stated);
                }
            )+};
        }
        set!(deny_delete_tag member_check prevent_secrets max_file_size reject_unsigned_commits commit_committer_check);
        set!(commit_committer_name_check reject_non_dco_commits commit_message_regex commit_message_negative_regex);
        set!(author_email_regex file_name_regex branch_name_regex);
    }
}
