//! The provisioning area: what the customers portal and administrators give to namespaces, under `/api/v4`
//! (provisioning.md).

pub mod namespace;

use crate::clock::Clock;
use crate::store::Db;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct ProvisioningState {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Whether reconciliations and storage exclusions are for this installation.
    pub check_namespace_plan: bool,
}
