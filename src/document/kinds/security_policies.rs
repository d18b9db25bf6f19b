//! `security_policies:`, of projects and groups.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::Ensure;
use crate::security_policies::{self, ApprovalPolicy, ScanPolicy};
use crate::store::Result;
use crate::store::security_policies::{self as files, PolicyFile, PolicyOwner};

/// What GitLab keeps in the file `.gitlab/security-policies/policy.yml` of another project, and when it was changed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityPoliciesEntry {
    /// When the file was changed; left out, the moment at which it changes here.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub updated_at: Option<DateTime<Utc>>,
    /// Policies that have scans run.
    #[serde(default)]
    pub scan_execution_policy: Vec<ScanPolicy>,
    /// Policies that keep protected branches from being pushed to.
    #[serde(default)]
    pub approval_policy: Vec<ApprovalPolicy>,
    /// `absent` removes all of them.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Makes the owner's policies those that are stated; `whose` is its path.
pub async fn apply(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    owner: PolicyOwner,
    whose: &str,
    stated: &SecurityPoliciesEntry,
) -> Result<()> {
    let what = format!("security policies of {whose}");
    if stated.ensure.is_absent() {
        if files::delete(&mut *run.conn, owner).await? {
            run.removed(&what);
        }
        return Ok(());
    }
    let problems = run.problems();
    for (index, policy) in stated.scan_execution_policy.iter().enumerate() {
        let place = place.key("scan_execution_policy").item(index);
        for (within, problem) in policy.problems() {
            run.problem(&place.key(&within), problem);
        }
    }
    for (index, policy) in stated.approval_policy.iter().enumerate() {
        let place = place.key("approval_policy").item(index);
        for (within, problem) in policy.problems() {
            run.problem(&place.key(&within), problem);
        }
    }
    if run.problems() > problems {
        return Ok(());
    }
    let yaml = match security_policies::to_file(&stated.scan_execution_policy, &stated.approval_policy) {
        Ok(yaml) => yaml,
        Err(error) => {
            run.problem(place, format!("cannot be written as YAML: {error}"));
            return Ok(());
        }
    };
    let existing = files::find(&mut *run.conn, owner).await?;
    let kept = existing.as_ref().filter(|file| file.yaml == yaml).map(|file| file.updated_at);
    let updated_at = stated.updated_at.or(kept).unwrap_or(run.now);
    let file = PolicyFile { yaml, updated_at };
    if existing.as_ref() == Some(&file) {
        return Ok(());
    }
    files::upsert(&mut *run.conn, owner, &file).await?;
    if existing.is_some() {
        run.changed(&what);
    } else {
        run.added(&what);
    }
    Ok(())
}
