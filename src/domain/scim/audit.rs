//! What an identity provider did to a user, as it is written down.

use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, AuditTarget, EventName};
use crate::domain::ids::UserId;
use crate::domain::scim::tenant::ScimTenant;

/// The user that an event is about: the id and the username.
pub type AuditedUser<'a> = (UserId, &'a str);

/// A user was provisioned: a new one, or one who was here before.
#[must_use]
pub fn provisioned(tenant: &ScimTenant, user: AuditedUser<'_>, is_new: bool) -> AuditEvent {
    let message = if is_new { "User was provisioned by SCIM" } else { "User was linked by SCIM" };
    event(tenant, EventName::UserProvisioned, Some(user), message.to_owned())
}

/// A provider was refused an account whose address is not shown to be the same person's. It names the address, and
/// neither id nor name of the account: who reads the tenant's events may not know it.
#[must_use]
pub fn provisioning_refused(tenant: &ScimTenant, email: &str) -> AuditEvent {
    let message = format!("Another account has the address {email} and was not joined: the address is not confirmed");
    event(tenant, EventName::UserProvisioningRefused, None, message)
}

/// A user was provisioned again.
#[must_use]
pub fn reactivated(tenant: &ScimTenant, user: AuditedUser<'_>) -> AuditEvent {
    event(tenant, EventName::UserReactivated, Some(user), "User was reactivated by SCIM".to_owned())
}

/// A user was deprovisioned.
#[must_use]
pub fn deprovisioned(tenant: &ScimTenant, user: AuditedUser<'_>) -> AuditEvent {
    event(tenant, EventName::UserDeprovisioned, Some(user), "User was deprovisioned by SCIM".to_owned())
}

fn event(tenant: &ScimTenant, name: EventName, user: Option<AuditedUser<'_>>, message: String) -> AuditEvent {
    let entity = match tenant {
        ScimTenant::Group(group) => AuditEntity::Group(group.id, group.full_path.clone()),
        ScimTenant::Instance => AuditEntity::Instance,
    };
    let target = user.map(|(id, username)| AuditTarget { kind: "User", id: id.0, details: username.to_owned() });
    AuditEvent { name, author: AuditAuthor::System, entity, target, message, ip_address: None }
}
