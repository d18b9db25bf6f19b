//! `gatehouse.refusals:`

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.refusals:`, what is kept of git attempts that were refused.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RefusalSettings {
    /// Days for which they are kept.
    #[schemars(range(min = 1, max = 3650))]
    pub keep_days: u32,
    /// How many are kept at most; 0 for none.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub keep_rows: u32,
    /// How many of them a server writes a second at most. Of a longer run of refusals only some are kept, with how many
    /// were not.
    #[schemars(range(min = 1, max = 10_000))]
    pub rows_per_second: u32,
}

impl Default for RefusalSettings {
    fn default() -> Self {
        Self { keep_days: 30, keep_rows: 100_000, rows_per_second: 20 }
    }
}
