//! What happens to credentials, as it is written down.

use std::net::IpAddr;

use super::ids::{KeyId, NamespaceId, ProjectId, UserId};
use super::requester::Requester;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// What.
    pub name: EventName,
    /// Who did it.
    pub author: AuditAuthor,
    /// Who it was done to.
    pub entity: AuditEntity,
    /// With what: a token's id and name, a key's id.
    pub target: Option<AuditTarget>,
    /// A sentence for people; the reason where something was refused. Never a secret.
    pub message: String,
    /// From where, where the request tells it.
    pub ip_address: Option<IpAddr>,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// What can happen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EventName {
            $($(#[$doc])* $variant,)+
        }

        impl EventName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word in the table and in the log.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

events! {
    /// A personal access token was made.
    TokenIssued = "personal_access_token_issued",
    /// None was made.
    TokenRefused = "personal_access_token_refused",
    /// One was taken back.
    TokenRevoked = "personal_access_token_revoked",
    /// One took the place of another.
    TokenRotated = "personal_access_token_rotated",
    /// An account was made.
    UserCreated = "user_created",
    /// An account was changed.
    UserUpdated = "user_updated",
    /// An account was removed with all that is its own.
    UserDestroyed = "user_destroyed",
    /// An account was put to rest.
    UserDeactivated = "user_deactivated",
    /// An account was woken.
    UserActivated = "user_activated",
    /// An account was banned.
    UserBanned = "user_banned",
    /// That was taken back.
    UserUnbanned = "user_unbanned",
    /// Somebody who waited for it was let in.
    UserApproved = "user_approved",
    /// Somebody who waited for it was not let in, and their account removed.
    UserRejected = "user_rejected",
    /// An account's second factor was taken away.
    TwoFactorDisabled = "user_disable_two_factor",
    /// A key was added.
    KeyAdded = "key_added",
    /// An address was added to an account.
    EmailAdded = "email_created",
    /// One was taken from it.
    EmailRemoved = "email_destroyed",
    /// Recovery codes replaced the ones before them.
    RecoveryCodesIssued = "recovery_codes_issued",
    /// They stay as they are.
    RecoveryCodesRefused = "recovery_codes_refused",
    /// A one-time password opened git for a key.
    OtpSessionOpened = "git_otp_session_opened",
    /// It did not.
    OtpRefused = "git_otp_refused",
    /// An LFS token was made.
    LfsTokenIssued = "lfs_token_issued",
    /// An LFS token was shown and is not good.
    LfsTokenRefused = "lfs_token_refused",
    /// An administrator signed in to the Admin area.
    AdminSignedIn = "admin_area_signed_in",
    /// Somebody who may not was refused there.
    AdminSignInRefused = "admin_area_sign_in_refused",
    /// A session of the Admin area was ended.
    AdminSessionEnded = "admin_area_session_ended",
    /// An administrator blocked a user.
    UserBlocked = "user_blocked",
    /// An administrator unblocked a user.
    UserUnblocked = "user_unblocked",
    /// An administrator removed a key.
    KeyRemoved = "key_removed",
    /// An administrator let a job be tried again.
    JobRetried = "job_retried",
    /// An administrator removed a job from the queue.
    JobDropped = "job_dropped",
    /// An administrator enabled a web hook again.
    WebHookEnabled = "web_hook_enabled",
    /// An administrator had what waits for a web hook delivered at once.
    WebHookRedelivered = "web_hook_redelivered",
    /// An administrator excluded a namespace from its storage limit.
    StorageExclusionAdded = "storage_exclusion_added",
    /// An administrator limited the storage of a namespace again.
    StorageExclusionRemoved = "storage_exclusion_removed",
    /// An administrator made a token for an identity provider.
    ScimTokenIssued = "scim_token_issued",
    /// An administrator deactivated a user of an identity provider.
    ScimUserDeactivated = "scim_user_deactivated",
    /// An administrator downloaded audit events.
    AuditEventsExported = "audit_events_exported",
    /// A token of an agent was made.
    AgentTokenIssued = "cluster_agent_token_issued",
    /// One was taken back.
    AgentTokenRevoked = "cluster_agent_token_revoked",
    /// Somebody cloned, pulled or pushed.
    GitOperation = "repository_git_operation",
    /// A login and password of git over HTTP are nobody's.
    GitCredentialRefused = "git_http_credential_refused",
    /// Too many of these came from one address, which is shut out for a while.
    GitAddressBanned = "git_http_address_banned",
    /// An identity provider provisioned a user.
    UserProvisioned = "user_provisioned_by_scim",
    /// It asked for somebody whose address is another account's, and was refused.
    UserProvisioningRefused = "user_provisioning_by_scim_refused",
    /// It deprovisioned a user.
    UserDeprovisioned = "user_deprovisioned_by_scim",
    /// It provisioned a user again.
    UserReactivated = "user_reactivated_by_scim",
    /// Branches were protected, in a project or a group.
    ProtectedBranchCreated = "protected_branch_created",
    /// Their protection was changed.
    ProtectedBranchUpdated = "protected_branch_updated",
    /// It was lifted.
    ProtectedBranchRemoved = "protected_branch_removed",
    /// Tags were protected.
    ProtectedTagCreated = "protected_tag_created",
    /// Their protection was lifted.
    ProtectedTagRemoved = "protected_tag_removed",
    /// A deploy key was made, or a project got one.
    DeployKeyAdded = "deploy_key_added",
    /// Its title was changed, or what it may do in a project.
    DeployKeyUpdated = "deploy_key_updated",
    /// It was taken from a project.
    DeployKeyRemoved = "deploy_key_removed",
    /// A web hook was made.
    WebHookCreated = "webhook_created",
    /// It was changed.
    WebHookUpdated = "webhook_updated",
    /// It was removed.
    WebHookDestroyed = "webhook_destroyed",
    /// A push rule was made.
    PushRuleCreated = "push_rule_created",
    /// It was changed.
    PushRuleUpdated = "push_rule_updated",
    /// It was removed.
    PushRuleRemoved = "push_rule_removed",
    /// An access token of a project or group was made, with its bot.
    AccessTokenIssued = "resource_access_token_issued",
    /// Another one took its place.
    AccessTokenRotated = "resource_access_token_rotated",
    /// It was taken back.
    AccessTokenRevoked = "resource_access_token_revoked",
    /// A deploy token was made.
    DeployTokenIssued = "deploy_token_created",
    /// It was removed.
    DeployTokenRemoved = "deploy_token_destroyed",
    /// Somebody made a group.
    GroupCreated = "group_created",
    /// Somebody changed a group.
    GroupUpdated = "group_updated",
    /// Somebody removed a group.
    GroupDestroyed = "group_destroyed",
    /// Somebody shared a group with another one.
    GroupShared = "group_share_with_group_link_created",
    /// Somebody ended such a share.
    GroupShareEnded = "group_share_with_group_link_removed",
    /// Somebody became a member of a group or a project.
    MemberCreated = "member_created",
    /// A membership was changed.
    MemberUpdated = "member_updated",
    /// A membership was ended.
    MemberDestroyed = "member_destroyed",
    /// Somebody made a project.
    ProjectCreated = "project_created",
    /// Somebody removed a project.
    ProjectDestroyed = "project_destroyed",
    /// Somebody archived a project.
    ProjectArchived = "project_archived",
    /// Somebody took a project out of the archive.
    ProjectUnarchived = "project_unarchived",
    /// More or fewer people see a project.
    ProjectVisibilityUpdated = "project_visibility_level_updated",
    /// A project has another path.
    ProjectPathUpdated = "project_path_updated",
    /// HEAD of a project's repository names another branch.
    ProjectDefaultBranchUpdated = "project_default_branch_updated",
    /// A project is in another namespace.
    ProjectNamespaceUpdated = "project_namespace_updated",
    /// Somebody shared a project with a group.
    ProjectShared = "project_group_link_created",
    /// Somebody ended such a share.
    ProjectShareEnded = "project_group_link_deleted",
}

/// Somebody who does something through the public REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestAuthor {
    /// Whose request it is: the administrator's, where one acts as somebody else.
    pub id: UserId,
    /// Their username.
    pub username: String,
    /// As whom they act, where that is somebody else.
    pub on_behalf_of: Option<(UserId, String)>,
    /// Where they are.
    pub ip_address: Option<IpAddr>,
}

impl RestAuthor {
    /// As whom everything happens.
    #[must_use]
    pub fn acting(&self) -> UserId {
        self.on_behalf_of.as_ref().map_or(self.id, |(id, _)| *id)
    }

    /// What they did to somebody or something.
    #[must_use]
    pub fn event(&self, name: EventName, entity: AuditEntity, message: impl Into<String>) -> AuditEvent {
        let mut message = message.into();
        if let Some((id, username)) = &self.on_behalf_of {
            message = format!("{message} (acting as {username}, user {id})");
        }
        AuditEvent {
            name,
            author: AuditAuthor::User(self.id, self.username.clone()),
            entity,
            target: None,
            message,
            ip_address: self.ip_address,
        }
    }
}

/// Whoever can be named as the author of an event.
pub trait EventAuthor: Sync {
    /// What they did to somebody or something.
    fn did(&self, name: EventName, entity: AuditEntity, message: String) -> AuditEvent;
}

impl EventAuthor for RestAuthor {
    fn did(&self, name: EventName, entity: AuditEntity, message: String) -> AuditEvent {
        self.event(name, entity, message)
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditAuthor {
    /// Nobody that we know.
    Unknown,
    /// The installation itself, on behalf of a service.
    System,
    /// A deploy key.
    DeployKey(KeyId),
    /// A user, with their username.
    User(UserId, String),
}

/// Who or what it was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditEntity {
    /// The installation: nobody in particular.
    Instance,
    /// A user, with their username.
    User(UserId, String),
    /// A group, with its full path.
    Group(NamespaceId, String),
    /// A project, with its full path.
    Project(ProjectId, String),
}

/// With what it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditTarget {
    /// `PersonalAccessToken`, `Key`
    pub kind: &'static str,
    /// Its id.
    pub id: i64,
    /// Its name, where it has one.
    pub details: String,
}

impl AuditEvent {
    /// What somebody did to their own credentials, or tried to do.
    #[must_use]
    pub fn of(requester: &Requester, name: EventName, message: impl Into<String>) -> Self {
        let account = requester.account.as_ref().map(|account| (account.id, account.username.clone()));
        let (author, entity) = match (requester.key, account) {
            (Some(key), _) if key.deploy => (AuditAuthor::DeployKey(key.id), AuditEntity::Instance),
            (_, Some((id, name))) => (AuditAuthor::User(id, name.clone()), AuditEntity::User(id, name)),
            (_, None) => (AuditAuthor::Unknown, AuditEntity::Instance),
        };
        let target = requester.key.map(|key| AuditTarget { kind: "Key", id: key.id.0, details: String::new() });
        Self { name, author, entity, target, message: message.into(), ip_address: None }
    }

    /// The same with another target.
    #[must_use]
    pub fn with_target(self, kind: &'static str, id: i64, details: impl Into<String>) -> Self {
        Self { target: Some(AuditTarget { kind, id, details: details.into() }), ..self }
    }
}
