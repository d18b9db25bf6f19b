//! What an identity provider did to a user, as it is written down.

use crate::domain::audit::{Author, Entity, Event, EventName, Target};
use crate::domain::ids::UserId;
use crate::domain::scim::tenant::ScimTenant;

/// The user that an event is about: the id and the username.
pub type AuditedUser<'a> = (UserId, &'a str);

/// A user was taken on: a new one, or one who was here before.
#[must_use]
pub fn provisioned(tenant: &ScimTenant, user: AuditedUser<'_>, is_new: bool) -> Event {
    let message = if is_new { "User was provisioned by SCIM" } else { "User was linked by SCIM" };
    event(tenant, EventName::UserProvisioned, Some(user), message.to_owned())
}

/// A provider was refused an account whose address is not shown to be the same person's. It names the address, and neither
/// id nor name of the account: who reads the tenant's events may not know it.
#[must_use]
pub fn provisioning_refused(tenant: &ScimTenant, email: &str) -> Event {
    let message = format!("Another account has the address {email} and was not joined: the address is not confirmed");
    event(tenant, EventName::UserProvisioningRefused, None, message)
}

/// A user was taken on again.
#[must_use]
pub fn reactivated(tenant: &ScimTenant, user: AuditedUser<'_>) -> Event {
    event(tenant, EventName::UserReactivated, Some(user), "User was reactivated by SCIM".to_owned())
}

/// A user was taken off.
#[must_use]
pub fn deprovisioned(tenant: &ScimTenant, user: AuditedUser<'_>) -> Event {
    event(tenant, EventName::UserDeprovisioned, Some(user), "User was deprovisioned by SCIM".to_owned())
}

fn event(tenant: &ScimTenant, name: EventName, user: Option<AuditedUser<'_>>, message: String) -> Event {
    let entity = match tenant {
        ScimTenant::Group(group) => Entity::Group(group.id, group.full_path.clone()),
        ScimTenant::Instance => Entity::Instance,
    };
    let target = user.map(|(id, username)| Target { kind: "User", id: id.0, details: username.to_owned() });
    Event { name, author: Author::System, entity, target, message, ip_address: None }
}
