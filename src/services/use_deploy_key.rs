//! Deploy keys are made, used by projects, and taken from them.

use chrono::{DateTime, Utc};

use super::audited_change::AuditedChange;
use super::{ServiceError, ServiceResult};
use crate::domain::audit::EventName;
use crate::domain::ids::{KeyId, ProjectId};
use crate::domain::record_faults::{BLANK, RecordFaults, TAKEN};
use crate::domain::ssh_key::PublicKey;
use crate::store::deploy_keys::{self, KnownDeployKey};
use crate::store::keys::KeyRow;
use crate::store::{self, Error, Transaction, ids, keys, sets, settings};

/// What audit events call it.
const KIND: &str = "DeployKey";
/// The longest title, in characters.
const LONGEST_TITLE: usize = 255;

/// A deploy key that somebody brings.
#[derive(Debug, Clone, Default)]
pub struct NewDeployKey {
    /// The line of the key.
    pub key: String,
    /// What it is called.
    pub title: String,
    /// Whether it may push to the project.
    pub can_push: bool,
    /// When it is over.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How a deploy key of a project is to be changed.
#[derive(Debug, Clone, Default)]
pub struct DeployKeyChange {
    /// What it is called.
    pub title: Option<String>,
    /// Whether it may push to the project.
    pub can_push: Option<bool>,
}

/// Lets a project use the key, which is made where it is not there: its id. What the project says of a key that it uses
/// already stays as it is. `admin` says that they may enable any key.
pub async fn add(
    change: &AuditedChange<'_>,
    project: ProjectId,
    new: &NewDeployKey,
    admin: bool,
) -> ServiceResult<KeyId, RecordFaults> {
    let mut transaction = change.begin().await?;
    let key = judge(&mut transaction, new, change.now).await?;
    let fingerprint = key.sha256();
    let known = deploy_keys::lock_known(&mut *transaction, None, Some(&fingerprint), project, change.user()).await?;
    match known {
        Some(known) if known.used_here => Ok(known.id),
        Some(known) if !may_enable(&known, admin) => Err(taken()),
        Some(known) => {
            link(change, transaction, project, &known, (&new.title, new.can_push)).await?;
            Ok(known.id)
        }
        None => {
            let id = make(change, &mut transaction, &key, new, false).await?;
            sets::keys::upsert_deploy_key_uses(&mut *transaction, &[(id, project, new.can_push)]).await?;
            change.commit(transaction, EventName::DeployKeyAdded, (KIND, id.0, &new.title), "Added").await?;
            Ok(id)
        }
    }
}

/// Makes a key that any project may enable: its id.
pub async fn create_public(change: &AuditedChange<'_>, new: &NewDeployKey) -> ServiceResult<KeyId, RecordFaults> {
    let mut transaction = change.begin().await?;
    let key = judge(&mut transaction, new, change.now).await?;
    let id = make(change, &mut transaction, &key, new, true).await?;
    change.commit(transaction, EventName::DeployKeyAdded, (KIND, id.0, &new.title), "Added for all projects").await?;
    Ok(id)
}

/// Lets a project use a key that is there, to fetch alone; false where there is none that they may enable.
pub async fn enable(change: &AuditedChange<'_>, project: ProjectId, key: KeyId, admin: bool) -> store::Result<bool> {
    let mut transaction = change.begin().await?;
    let known = deploy_keys::lock_known(&mut *transaction, Some(key), None, project, change.user()).await?;
    let Some(known) = known.filter(|known| known.used_here || may_enable(known, admin)) else { return Ok(false) };
    if !known.used_here {
        link(change, transaction, project, &known, ("", false)).await?;
    }
    Ok(true)
}

/// Changes a key of a project; false where the project does not use it. A title that others see is changed by
/// administrators alone, and otherwise stays as it is.
pub async fn alter(
    change: &AuditedChange<'_>,
    project: ProjectId,
    key: KeyId,
    stated: &DeployKeyChange,
    admin: bool,
) -> ServiceResult<bool, RecordFaults> {
    let mut faults = RecordFaults::default();
    if let Some(title) = &stated.title {
        check_title(&mut faults, title);
    }
    faults.into_result().map_err(ServiceError::Refused)?;
    let mut transaction = change.begin().await?;
    let known = deploy_keys::lock_known(&mut *transaction, Some(key), None, project, change.user()).await?;
    let Some(known) = known.filter(|known| known.used_here) else { return Ok(false) };
    let own = admin || !(known.used_elsewhere || known.public);
    if let Some(title) = stated.title.as_deref().filter(|_| own) {
        deploy_keys::update_title(&mut *transaction, key, title).await?;
    }
    if let Some(can_push) = stated.can_push {
        sets::keys::upsert_deploy_key_uses(&mut *transaction, &[(key, project, can_push)]).await?;
        own_if_it_pushes(change, &mut transaction, &known, can_push).await?;
    }
    let title = stated.title.as_deref().unwrap_or_default();
    change.commit(transaction, EventName::DeployKeyUpdated, (KIND, key.0, title), "Changed").await?;
    Ok(true)
}

/// Takes a key from a project; false where the project does not use it. A key without a project goes, unless any project
/// may enable it.
pub async fn remove(change: &AuditedChange<'_>, project: ProjectId, key: KeyId) -> store::Result<bool> {
    let mut transaction = change.begin().await?;
    let known = deploy_keys::lock_known(&mut *transaction, Some(key), None, project, change.user()).await?;
    if !known.is_some_and(|known| known.used_here) {
        return Ok(false);
    }
    let title = keys::find_title(&mut *transaction, key).await?.unwrap_or_default();
    keys::delete_deploy_key_project(&mut transaction, key, project).await?;
    change.commit(transaction, EventName::DeployKeyRemoved, (KIND, key.0, &title), "Removed").await?;
    Ok(true)
}

fn may_enable(known: &KnownDeployKey, admin: bool) -> bool {
    admin || known.public || known.maintained
}

async fn link(
    change: &AuditedChange<'_>,
    mut transaction: Transaction,
    project: ProjectId,
    known: &KnownDeployKey,
    (title, can_push): (&str, bool),
) -> store::Result<()> {
    sets::keys::upsert_deploy_key_uses(&mut *transaction, &[(known.id, project, can_push)]).await?;
    own_if_it_pushes(change, &mut transaction, known, can_push).await?;
    change.commit(transaction, EventName::DeployKeyAdded, (KIND, known.id.0, title), "Enabled").await
}

/// A key pushes with its owner's rights: one that has no owner gets the one who lets it push.
async fn own_if_it_pushes(
    change: &AuditedChange<'_>,
    transaction: &mut Transaction,
    known: &KnownDeployKey,
    can_push: bool,
) -> store::Result<()> {
    if can_push && !known.owned {
        deploy_keys::update_owner(&mut **transaction, known.id, change.user()).await?;
    }
    Ok(())
}

async fn make(
    change: &AuditedChange<'_>,
    transaction: &mut Transaction,
    key: &PublicKey,
    new: &NewDeployKey,
    public: bool,
) -> ServiceResult<KeyId, RecordFaults> {
    let id = ids::take(&mut **transaction, "keys", 1).await?[0];
    let row = KeyRow {
        id,
        user_id: Some(change.user().0),
        title: new.title.clone(),
        key: key.text().to_owned(),
        kind: Some("DeployKey".to_owned()),
        public,
        usage_type: 0,
        expires_at: new.expires_at,
    };
    sets::keys::insert(&mut **transaction, &[(row, key.sha256())]).await.map_err(|error| match error {
        Error::Duplicate(_) => taken(),
        error => ServiceError::Store(error),
    })?;
    Ok(KeyId(id))
}

async fn judge(
    transaction: &mut Transaction,
    new: &NewDeployKey,
    now: DateTime<Utc>,
) -> ServiceResult<PublicKey, RecordFaults> {
    let mut faults = RecordFaults::default();
    check_title(&mut faults, &new.title);
    let Ok(key) = PublicKey::parse(&new.key) else {
        faults.add("key", "is invalid");
        return Err(ServiceError::Refused(faults));
    };
    settings::find(&mut **transaction).await?.key_policy().check(&mut faults, &key, new.expires_at, now);
    faults.into_result().map_err(ServiceError::Refused)?;
    Ok(key)
}

fn check_title(faults: &mut RecordFaults, title: &str) {
    if title.trim().is_empty() {
        faults.add("title", BLANK);
    }
    faults.check_length("title", Some(title), LONGEST_TITLE);
}

fn taken() -> ServiceError<RecordFaults> {
    ServiceError::Refused(RecordFaults::of("fingerprint_sha256", TAKEN))
}
