//! What a client wants to be different about a user, and what follows for the user's access.

/// What should be different about an identity; `None` is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScimUserChange {
    /// Provisioned, or deprovisioned.
    pub active: Option<bool>,
    /// What the provider calls the user.
    pub extern_uid: Option<String>,
}

/// What becomes of a user's access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChange {
    /// It is given, as to a user who was deprovisioned.
    Restored,
    /// A user who is active gets back what came undone.
    Mended,
    /// It is taken, also of a user who is deprovisioned already: somebody may have let them in by hand.
    Revoked,
    /// It stays as it is.
    Unchanged,
}

impl AccessChange {
    /// What follows from what a client says of `active`. Only a client that asks for the user anew mends what came
    /// undone.
    #[must_use]
    pub fn new(was_active: bool, active: Option<bool>, asks_anew: bool) -> Self {
        match active {
            Some(true) if !was_active => Self::Restored,
            Some(true) if asks_anew => Self::Mended,
            Some(false) => Self::Revoked,
            Some(true) | None => Self::Unchanged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_follows_what_is_said_of_active() {
        for asks_anew in [false, true] {
            assert_eq!(AccessChange::new(false, Some(true), asks_anew), AccessChange::Restored);
            for was_active in [false, true] {
                assert_eq!(AccessChange::new(was_active, Some(false), asks_anew), AccessChange::Revoked);
                assert_eq!(AccessChange::new(was_active, None, asks_anew), AccessChange::Unchanged);
            }
        }
        assert_eq!(AccessChange::new(true, Some(true), true), AccessChange::Mended);
        assert_eq!(AccessChange::new(true, Some(true), false), AccessChange::Unchanged);
    }
}
