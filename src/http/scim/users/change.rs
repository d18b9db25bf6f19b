//! What `PATCH`, `PUT` and `DELETE` have in common: the version that the client means, and the change itself.

use axum::http::HeaderMap;

use crate::domain::scim::refusal::ScimRefusal;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::race::{Lost, retry};
use crate::http::scim::{ScimState, version};
use crate::store::scim::{self, HeldIdentity};
use crate::store::scim_provisioning::{self, Change, Outcome};

/// What a client wants, and how a refusal is worded.
pub struct Wanted<'a> {
    /// The id in the URL.
    pub id: &'a str,
    /// What should be different.
    pub change: &'a Change,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The error for a rule that stands against it.
    pub refused: &'a (dyn Fn(&HeldIdentity, ScimRefusal) -> ScimError + Sync),
}

/// Makes a change, all of it or nothing, and hands out what the user is called afterwards.
///
/// # Errors
/// 404 for an unknown id, 412 for another version than the client means, and what the rules say.
pub async fn apply(scim: &ScimState, caller: &ScimCaller, wanted: &Wanted<'_>) -> Result<String, ScimError> {
    retry(|| once(scim, caller, wanted)).await
}

async fn once(scim: &ScimState, caller: &ScimCaller, wanted: &Wanted<'_>) -> Result<String, Lost> {
    let tenant = caller.tenant();
    let mut transaction = scim.db.begin().await?;
    let Some(held) = scim::hold(&mut *transaction, tenant.scope(), wanted.id).await? else {
        return Err(ScimError::NoSuchResource(wanted.id.to_owned()).into());
    };
    version::check_meant(wanted.headers, held.updated_at)?;
    let outcome = scim_provisioning::change(&mut transaction, tenant, &held, wanted.change, scim.clock.now()).await?;
    match outcome {
        Outcome::Refused(refusal) => Err((wanted.refused)(&held, refusal).into()),
        Outcome::Done(events) => {
            transaction.commit().await?;
            events.iter().for_each(crate::http::audit::log);
            Ok(wanted.change.extern_uid.clone().unwrap_or(held.extern_uid))
        }
    }
}
