//! Protected branches and tags: a rule is made, changed and lifted. What a rule may say is the same for all who state
//! one; who may state it is the caller's matter.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::audited_change::AuditedChange;
use super::{ServiceError, ServiceResult};
use crate::domain::audit::EventName;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::protected_ref::{LONGEST_NAME, ProtectionFault, RefRight};
use crate::store::protected_refs::ProtectedRefAccess;
use crate::store::protections::{self, BranchProtectionRow, LevelRow, ProtectionOwner};
use crate::store::{self, Error, locks};

/// Somebody or a level, and what they may do.
pub type StatedLevel = (RefRight, ProtectedRefAccess);

/// A rule about branches that is to be made.
#[derive(Debug, Clone, Default)]
pub struct NewBranchProtection {
    /// The branch, or a pattern with `*`.
    pub name: String,
    /// Whether those who may push may rewrite history.
    pub allow_force_push: bool,
    /// Who may do what. Where nobody is named who may push or merge, maintainers may.
    pub levels: Vec<StatedLevel>,
}

/// What becomes of a row of those who may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelChange {
    /// There is one more.
    Add(RefRight, ProtectedRefAccess),
    /// The row with this id names somebody else.
    Change(RefRight, i64, ProtectedRefAccess),
    /// The row with this id goes.
    Remove(RefRight, i64),
}

/// How a rule about branches is to be changed.
#[derive(Debug, Clone, Default)]
pub struct BranchProtectionChange {
    /// Whether those who may push may rewrite history.
    pub allow_force_push: Option<bool>,
    /// What becomes of the rows.
    pub levels: Vec<LevelChange>,
}

/// Why a rule is not made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtectionRefusal {
    /// There is one of that name.
    Exists,
    /// What it says is not possible.
    Faults(Vec<ProtectionFault>),
}

/// Whether the error is that another rule of that name was faster.
fn taken<T>(made: store::Result<T>) -> ServiceResult<T, ProtectionRefusal> {
    made.map_err(|error| match error {
        Error::Duplicate(_) => ServiceError::Refused(ProtectionRefusal::Exists),
        other => ServiceError::Store(other),
    })
}

/// Makes a rule about branches: its id.
pub async fn create_branch(
    conn: &mut PgConnection,
    owner: ProtectionOwner,
    new: &NewBranchProtection,
    today: NaiveDate,
) -> ServiceResult<i64, ProtectionRefusal> {
    let levels = with_usual(&new.levels, &[RefRight::Push, RefRight::Merge]);
    lock_owner(conn, owner).await?;
    if protections::find_branch(&mut *conn, owner, &new.name).await?.is_some() {
        return Err(ServiceError::Refused(ProtectionRefusal::Exists));
    }
    judge(conn, owner, Some(&new.name), (&levels, &levels), today).await?;
    let id = taken(protections::insert_branch(&mut *conn, owner, &new.name, new.allow_force_push).await)?;
    protections::insert_levels(conn, id, &levels).await?;
    Ok(id)
}

/// Makes a rule about tags: its id.
pub async fn create_tag(
    conn: &mut PgConnection,
    project: ProjectId,
    name: &str,
    levels: &[StatedLevel],
    today: NaiveDate,
) -> ServiceResult<i64, ProtectionRefusal> {
    let levels = with_usual(levels, &[RefRight::Create]);
    judge(conn, ProtectionOwner::Project(project), Some(name), (&levels, &levels), today).await?;
    let id = taken(protections::insert_tag(&mut *conn, project, name).await)?;
    protections::insert_levels(conn, id, &levels).await?;
    Ok(id)
}

/// Changes a rule about branches. The caller has locked its owner, and so nobody else changes it meanwhile.
pub async fn change_branch(
    conn: &mut PgConnection,
    owner: ProtectionOwner,
    rule: &BranchProtectionRow,
    change: &BranchProtectionChange,
    today: NaiveDate,
) -> ServiceResult<(), ProtectionRefusal> {
    let mut known = protections::list_levels(&mut *conn, &[rule.id], &[]).await?;
    let known = known.remove(&rule.id).unwrap_or_default();
    let after = change.after(&known).map_err(|fault| ServiceError::Refused(ProtectionRefusal::Faults(vec![fault])))?;
    judge(conn, owner, None, (&change.stated(), &after), today).await?;
    if let Some(allow) = change.allow_force_push {
        store::sets::protected_refs::update_branches(&mut *conn, &[(rule.id, allow)]).await?;
    }
    let (mut added, mut changed, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for level in &change.levels {
        match *level {
            LevelChange::Add(right, allowed) => added.push((right, allowed)),
            LevelChange::Change(right, id, allowed) => changed.push((right, id, allowed)),
            LevelChange::Remove(right, id) => removed.push((right, id)),
        }
    }
    protections::delete_levels(&mut *conn, rule.id, &removed).await?;
    protections::update_levels(&mut *conn, rule.id, &changed).await?;
    Ok(protections::insert_levels(conn, rule.id, &added).await?)
}

/// Who wants to change or lift a rule.
#[derive(Debug, Clone, Copy)]
pub struct Unprotector {
    /// They.
    pub user: UserId,
    /// Their level in the project or group.
    pub level: AccessLevel,
    /// Whether they administer the instance.
    pub admin: bool,
}

/// Whether they may change or lift the rule: where it names those who may, one of these.
pub async fn may_unprotect(
    conn: &mut PgConnection,
    rule: i64,
    who: Unprotector,
    today: NaiveDate,
) -> store::Result<bool> {
    let mut levels = protections::list_levels(&mut *conn, &[rule], &[]).await?;
    let mut named = levels.remove(&rule).unwrap_or_default();
    named.retain(|level| level.right == RefRight::Unprotect);
    if named.is_empty() || named.iter().any(|level| passes(level.allowed, who)) {
        return Ok(true);
    }
    let groups: Vec<NamespaceId> = named
        .iter()
        .filter_map(|level| if let ProtectedRefAccess::Group(group) = level.allowed { Some(group) } else { None })
        .collect();
    protections::is_member_of_any(conn, who.user, &groups, today).await
}

fn passes(allowed: ProtectedRefAccess, who: Unprotector) -> bool {
    match allowed {
        ProtectedRefAccess::Role(level) if level == AccessLevel::ADMIN.0 => who.admin,
        ProtectedRefAccess::Role(level) => who.level.0 >= level,
        ProtectedRefAccess::User(user) => user == who.user,
        ProtectedRefAccess::Group(_) | ProtectedRefAccess::DeployKey(_) => false,
    }
}

/// The levels that are stated, and maintainers for each of these rights that nobody is given.
fn with_usual(stated: &[StatedLevel], rights: &[RefRight]) -> Vec<StatedLevel> {
    let missing = rights.iter().filter(|right| !stated.iter().any(|(given, _)| given == *right));
    let usual = missing.map(|right| (*right, ProtectedRefAccess::Role(AccessLevel::MAINTAINER.0)));
    stated.iter().copied().chain(usual).collect()
}

/// Refuses what no rule of the owner can say: of the levels that are `stated`, and that together with those of before
/// make up `all`. Who was named before and has lost access since is nobody's fault now.
async fn judge(
    conn: &mut PgConnection,
    owner: ProtectionOwner,
    name: Option<&str>,
    (stated, all): (&[StatedLevel], &[StatedLevel]),
    today: NaiveDate,
) -> ServiceResult<(), ProtectionRefusal> {
    let mut faults: Vec<ProtectionFault> = name.and_then(name_fault).into_iter().collect();
    let named: Vec<ProtectedRefAccess> = stated.iter().map(|(_, allowed)| *allowed).collect();
    let admissible = protections::list_admissible(conn, owner, &named, today).await?;
    let place = match owner {
        ProtectionOwner::Project(_) => "project",
        ProtectionOwner::Group(_) => "group",
    };
    for (right, allowed) in stated {
        let fault = match allowed {
            ProtectedRefAccess::User(user) if !admissible.users.contains(user) => {
                Some(ProtectionFault::User(*right, place))
            }
            ProtectedRefAccess::Group(group) if !admissible.groups.contains(group) => {
                Some(ProtectionFault::Group(*right, place))
            }
            ProtectedRefAccess::DeployKey(key) if !admissible.deploy_keys.contains(key) => {
                Some(ProtectionFault::DeployKey(*right, place))
            }
            _ => None,
        };
        let twice = all.iter().filter(|level| **level == (*right, *allowed)).count() > 1;
        faults.extend(fault.or(twice.then(|| ProtectionFault::Twice(*right, kind(*allowed)))));
    }
    faults.dedup();
    if faults.is_empty() { Ok(()) } else { Err(ServiceError::Refused(ProtectionRefusal::Faults(faults))) }
}

fn kind(allowed: ProtectedRefAccess) -> &'static str {
    match allowed {
        ProtectedRefAccess::Role(_) => "access level",
        ProtectedRefAccess::User(_) => "user",
        ProtectedRefAccess::Group(_) => "group",
        ProtectedRefAccess::DeployKey(_) => "deploy key",
    }
}

fn name_fault(name: &str) -> Option<ProtectionFault> {
    let fault = match name {
        name if name.trim().is_empty() => "can't be blank",
        name if name.chars().count() > LONGEST_NAME => "is too long (maximum is 255 characters)",
        _ => return None,
    };
    Some(ProtectionFault::Name(fault))
}

impl BranchProtectionChange {
    /// What the change says anew.
    fn stated(&self) -> Vec<StatedLevel> {
        let stated = self.levels.iter().filter_map(|change| match *change {
            LevelChange::Add(right, allowed) | LevelChange::Change(right, _, allowed) => Some((right, allowed)),
            LevelChange::Remove(..) => None,
        });
        stated.collect()
    }

    /// The levels once the change is made.
    fn after(&self, known: &[LevelRow]) -> Result<Vec<StatedLevel>, ProtectionFault> {
        let mut rows: Vec<(Option<i64>, StatedLevel)> =
            known.iter().map(|row| (Some(row.id), (row.right, row.allowed))).collect();
        let find = |rows: &[(Option<i64>, StatedLevel)], right: RefRight, id: i64| {
            rows.iter()
                .position(|(row, (of, _))| *row == Some(id) && *of == right)
                .ok_or(ProtectionFault::NoSuchRow(right))
        };
        for change in &self.levels {
            match *change {
                LevelChange::Add(right, allowed) => rows.push((None, (right, allowed))),
                LevelChange::Change(right, id, allowed) => {
                    let at = find(&rows, right, id)?;
                    rows[at].1.1 = allowed;
                }
                LevelChange::Remove(right, id) => {
                    let at = find(&rows, right, id)?;
                    rows.remove(at);
                }
            }
        }
        Ok(rows.into_iter().map(|(_, level)| level).collect())
    }
}

/// The same as [`create_branch`], by somebody who may.
pub async fn protect_branch(
    change: &AuditedChange<'_>,
    owner: ProtectionOwner,
    new: &NewBranchProtection,
) -> ServiceResult<(), ProtectionRefusal> {
    let mut transaction = change.begin().await?;
    let id = create_branch(&mut transaction, owner, new, change.today()).await?;
    let object = ("ProtectedBranch", id, new.name.as_str());
    Ok(change.commit(transaction, EventName::ProtectedBranchCreated, object, "Protected").await?)
}

/// Why somebody does not change or lift a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnprotectRefusal {
    /// The owner has no rule of that name.
    Missing,
    /// The rule names those who may, and they are none of them.
    NotNamed,
    /// What it would say is not possible.
    Rule(ProtectionRefusal),
}

/// Changes the owner's rule about branches of that name.
pub async fn alter_branch(
    change: &AuditedChange<'_>,
    owner: ProtectionOwner,
    name: &str,
    who: Unprotector,
    stated: &BranchProtectionChange,
) -> ServiceResult<(), UnprotectRefusal> {
    let mut transaction = change.begin().await?;
    let rule = find_for(&mut transaction, owner, name, who, change.today()).await?;
    change_branch(&mut transaction, owner, &rule, stated, change.today()).await.map_err(|error| match error {
        ServiceError::Refused(refusal) => ServiceError::Refused(UnprotectRefusal::Rule(refusal)),
        ServiceError::Store(error) => ServiceError::Store(error),
    })?;
    let object = ("ProtectedBranch", rule.id, name);
    Ok(change.commit(transaction, EventName::ProtectedBranchUpdated, object, "Changed").await?)
}

/// Lifts the owner's rule about branches of that name.
pub async fn unprotect_branch(
    change: &AuditedChange<'_>,
    owner: ProtectionOwner,
    name: &str,
    who: Unprotector,
) -> ServiceResult<(), UnprotectRefusal> {
    let mut transaction = change.begin().await?;
    let rule = find_for(&mut transaction, owner, name, who, change.today()).await?;
    store::sets::protected_refs::delete_branches(&mut *transaction, &[rule.id]).await?;
    let object = ("ProtectedBranch", rule.id, name);
    Ok(change.commit(transaction, EventName::ProtectedBranchRemoved, object, "No longer protected").await?)
}

/// The rule, which nobody else changes meanwhile.
async fn find_for(
    conn: &mut PgConnection,
    owner: ProtectionOwner,
    name: &str,
    who: Unprotector,
    today: NaiveDate,
) -> ServiceResult<BranchProtectionRow, UnprotectRefusal> {
    lock_owner(conn, owner).await?;
    let rule = protections::find_branch(&mut *conn, owner, name).await?;
    let rule = rule.ok_or(ServiceError::Refused(UnprotectRefusal::Missing))?;
    if !may_unprotect(conn, rule.id, who, today).await? {
        return Err(ServiceError::Refused(UnprotectRefusal::NotNamed));
    }
    Ok(rule)
}

async fn lock_owner(conn: &mut PgConnection, owner: ProtectionOwner) -> store::Result<()> {
    match owner {
        ProtectionOwner::Project(id) => locks::take_project(conn, id).await,
        ProtectionOwner::Group(id) => locks::take_namespace(conn, id).await,
    }
}

/// The same as [`create_tag`], by somebody who may.
pub async fn protect_tag(
    change: &AuditedChange<'_>,
    project: ProjectId,
    name: &str,
    levels: &[StatedLevel],
) -> ServiceResult<(), ProtectionRefusal> {
    let mut transaction = change.begin().await?;
    let id = create_tag(&mut transaction, project, name, levels, change.today()).await?;
    Ok(change.commit(transaction, EventName::ProtectedTagCreated, ("ProtectedTag", id, name), "Protected").await?)
}

/// Lifts the project's rule about tags of that name; false where there is none.
pub async fn unprotect_tag(change: &AuditedChange<'_>, project: ProjectId, name: &str) -> store::Result<bool> {
    let mut transaction = change.begin().await?;
    locks::take_project(&mut transaction, project).await?;
    let Some(rule) = protections::find_tag(&mut *transaction, project, name).await? else { return Ok(false) };
    store::sets::protected_refs::delete_tags(&mut *transaction, &[rule.id]).await?;
    let object = ("ProtectedTag", rule.id, name);
    change.commit(transaction, EventName::ProtectedTagRemoved, object, "No longer protected").await?;
    Ok(true)
}
