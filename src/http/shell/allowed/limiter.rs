//! A3: how often one actor may ask about one project. Each server counts for itself.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};

use governor::{DefaultKeyedRateLimiter, Quota};

use crate::domain::access::{AccessFacts, AccessTarget, ActorName, Attempt};
use crate::domain::ids::{KeyId, UserId};
use crate::domain::repository::GlRepository;

/// Checks after which attempts of long ago are forgotten.
const SWEEP: u32 = 10_000;

/// The counters. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct AttemptLimiter(Arc<AttemptCounters>);

#[derive(Debug, Default)]
struct AttemptCounters {
    /// The limit of now with its counters; a changed limit counts anew.
    current: RwLock<Option<(NonZeroU32, Arc<DefaultKeyedRateLimiter<u64>>)>>,
    hasher: RandomState,
    checks: AtomicU32,
}

#[derive(Hash)]
enum LimitedRepository {
    Found(GlRepository),
    /// A path that names nothing, without its letters' case.
    Path(String),
}

#[derive(Hash)]
enum LimitedActor<'a> {
    Key(KeyId),
    User(UserId),
    Unknown(&'a ActorName),
}

impl LimitedRepository {
    fn of(attempt: &Attempt, facts: &AccessFacts) -> Self {
        match (&facts.container, &attempt.target) {
            (Some(container), _) => Self::Found(container.repository),
            (None, AccessTarget::Repository(repository)) => Self::Found(*repository),
            (None, AccessTarget::Path(path)) => Self::Path(path.as_str().to_lowercase()),
        }
    }
}

impl<'a> LimitedActor<'a> {
    fn of(attempt: &'a Attempt, facts: &AccessFacts) -> Self {
        match (&facts.key, &facts.user) {
            (Some(key), _) => Self::Key(key.id),
            (None, Some(user)) => Self::User(user.id),
            (None, None) => Self::Unknown(&attempt.actor),
        }
    }
}

impl AttemptLimiter {
    /// Whether the attempt is one too many, where so many are allowed a minute; 0 allows any number. Projects and
    /// actors are counted by what they are, however the request spells them.
    #[must_use]
    pub fn exceeded(&self, attempt: &Attempt, facts: &AccessFacts) -> bool {
        let Some(limit) = NonZeroU32::new(facts.instance.operation_limit) else { return false };
        let limiter = self.limiter(limit);
        if self.0.checks.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            limiter.retain_recent();
        }
        // A number in place of the texts: two attempts that share one by chance share their allowance, and no more.
        let key = self.0.hasher.hash_one((
            attempt.command,
            LimitedRepository::of(attempt, facts),
            LimitedActor::of(attempt, facts),
        ));
        limiter.check_key(&key).is_err()
    }

    fn limiter(&self, limit: NonZeroU32) -> Arc<DefaultKeyedRateLimiter<u64>> {
        let poisoned = "no holder of this lock panics";
        if let Some((current, limiter)) = &*self.0.current.read().expect(poisoned)
            && *current == limit
        {
            return Arc::clone(limiter);
        }
        let limiter = Arc::new(DefaultKeyedRateLimiter::keyed(Quota::per_minute(limit)));
        *self.0.current.write().expect(poisoned) = Some((limit, Arc::clone(&limiter)));
        limiter
    }
}
