//! Changes that lose a race to another writer, and are tried again.

use super::error::ScimError;
use crate::store;

/// How often a change is tried.
const ATTEMPTS: u32 = 4;

/// Why a try came to nothing.
pub enum Lost {
    /// Another writer was faster, or the connection was lost before anything came of it.
    Race(store::Error),
    /// It is refused.
    For(ScimError),
}

impl From<store::Error> for Lost {
    fn from(error: store::Error) -> Self {
        if error.is_lost_race() || error.is_undone() { Self::Race(error) } else { Self::For(error.into()) }
    }
}

impl From<ScimError> for Lost {
    fn from(error: ScimError) -> Self {
        Self::For(error)
    }
}

/// What comes of a change that is all made or not at all, tried again as long as others are faster.
pub async fn retry<T, F>(once: impl Fn() -> F) -> Result<T, ScimError>
where
    F: Future<Output = Result<T, Lost>>,
{
    let mut attempt = 1;
    loop {
        match once().await {
            Ok(done) => return Ok(done),
            Err(Lost::Race(_)) if attempt < ATTEMPTS => attempt += 1,
            Err(Lost::Race(error)) => return Err(ScimError::Unavailable(error.into())),
            Err(Lost::For(error)) => return Err(error),
        }
    }
}
