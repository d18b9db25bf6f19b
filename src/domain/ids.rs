//! A type for each kind of id, so that a project's id cannot stand where a user's is meant.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    )+};
}

ids! {
    /// `users.id`
    UserId
    /// `keys.id`, of user keys and deploy keys alike
    KeyId
    /// `namespaces.id`
    NamespaceId
    /// `projects.id`
    ProjectId
    /// `snippets.id`
    SnippetId
    /// `received_pushes.id`
    PushId
    /// `web_hooks.id`
    WebHookId
    /// `cluster_agents.id`
    AgentId
    /// `alert_management_alerts.id`
    AlertId
    /// `deploy_tokens.id`
    DeployTokenId
    /// `lfs_objects.id`
    LfsObjectId
}
