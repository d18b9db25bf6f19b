//! `gatehouse.scim:`

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.scim:`, provisioning by identity providers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ScimSettings {
    /// Whether groups may have SAML, and with it SCIM.
    pub groups: bool,
    /// Whether this installation has SAML, and with it SCIM for all its users.
    pub instance: bool,
    /// Whether the licence covers SCIM for the installation.
    pub licensed: bool,
    /// Whether a token may stand in the query, as `access_token` or `bearer_token`.
    pub token_in_query: bool,
}

impl Default for ScimSettings {
    fn default() -> Self {
        Self { groups: true, instance: true, licensed: true, token_in_query: true }
    }
}
