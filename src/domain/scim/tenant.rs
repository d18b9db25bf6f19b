//! Whose users a client provisions, and the rules that hold there.

use super::ScimScope;
use crate::domain::ids::NamespaceId;
use crate::domain::level::AccessLevel;

/// The group or the installation that a client's token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScimTenant {
    /// A top-level group with single sign-on.
    Group(SamlGroup),
    /// The installation.
    Instance,
}

/// A top-level group with single sign-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlGroup {
    /// Its id.
    pub id: NamespaceId,
    /// The name that people read.
    pub name: String,
    /// Its path.
    pub full_path: String,
    /// Its SAML provider.
    pub provider: SamlProvider,
}

/// A group's SAML provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamlProvider {
    /// `saml_providers.id`
    pub id: i64,
    /// Switched off, the group's users are not listed.
    pub enabled: bool,
    /// Members must be linked to an account at the provider.
    pub enforced_sso: bool,
    /// What new members get.
    pub default_role: AccessLevel,
    /// The custom role of new members, of which `default_role` is the base.
    pub member_role: Option<i64>,
}

impl ScimTenant {
    /// Where its identities are.
    #[must_use]
    pub fn scope(&self) -> ScimScope {
        match self {
            Self::Group(group) => ScimScope::Group(group.id),
            Self::Instance => ScimScope::Instance,
        }
    }

    /// Whether its users are listed.
    #[must_use]
    pub fn lists_users(&self) -> bool {
        match self {
            Self::Group(group) => group.provider.enabled,
            Self::Instance => true,
        }
    }
}
