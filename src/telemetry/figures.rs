//! What the last hour was like, minute by minute: a ring of counters in memory, for the overview of the Admin area. What is
//! kept for longer is Prometheus's to keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Minutes that are told.
pub const MINUTES: u64 = 60;
/// Places of the ring: the minutes that are told, the one that runs, and one that is being emptied.
const PLACES: usize = 62;
/// Bounds of durations grow by the square root of two, from 62.5 microseconds up to a minute.
const BUCKETS: usize = 41;
const FIRST_BOUND: f64 = 62.5e-6;

/// The counters. Clones share them.
#[derive(Debug, Clone)]
pub struct RequestFigures(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    began: Instant,
    places: Vec<MinuteCounters>,
}

#[derive(Debug)]
struct MinuteCounters {
    /// The minute that is counted here, from one on; nothing where it is 0.
    minute: AtomicU64,
    requests: AtomicU64,
    failures: AtomicU64,
    refusals: AtomicU64,
    durations: [AtomicU64; BUCKETS],
}

/// A minute's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MinuteFigures {
    /// Requests that were answered.
    pub requests: u64,
    /// Of these, answers of 500 and above.
    pub failures: u64,
    /// Git that was refused.
    pub refusals: u64,
    /// The time within which half of them were answered.
    pub p50: Option<Duration>,
    /// The time within which 99 of 100 were.
    pub p99: Option<Duration>,
}

impl Default for RequestFigures {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| MinuteCounters::default()).collect();
        Self(Arc::new(Ring { began: Instant::now(), places }))
    }
}

impl Default for MinuteCounters {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            minute: zero(),
            requests: zero(),
            failures: zero(),
            refusals: zero(),
            durations: std::array::from_fn(|_| zero()),
        }
    }
}

impl MinuteCounters {
    fn empty(&self) {
        let all = [&self.requests, &self.failures, &self.refusals].into_iter().chain(&self.durations);
        all.for_each(|counter| counter.store(0, Ordering::Relaxed));
    }

    fn figures(&self) -> MinuteFigures {
        let durations: Vec<u64> = self.durations.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        MinuteFigures {
            requests: self.requests.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
            p50: quantile(&durations, 50),
            p99: quantile(&durations, 99),
        }
    }
}

impl RequestFigures {
    /// Counts an answer. A minute that begins may lose a few that come at the same moment: the figures are for looking at.
    pub fn note(&self, route: &str, status: u16, duration: Duration) {
        self.note_at(self.minute(), route, status, duration);
    }

    fn note_at(&self, minute: u64, route: &str, status: u16, duration: Duration) {
        let place = &self.0.places[usize::try_from(minute).unwrap_or_default() % PLACES];
        let held = place.minute.load(Ordering::Relaxed);
        if held != minute && place.minute.compare_exchange(held, minute, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            place.empty();
        }
        place.requests.fetch_add(1, Ordering::Relaxed);
        if status >= 500 {
            place.failures.fetch_add(1, Ordering::Relaxed);
        }
        if route.ends_with("/internal/allowed") && matches!(status, 401 | 403 | 404) {
            place.refusals.fetch_add(1, Ordering::Relaxed);
        }
        place.durations[bucket(duration)].fetch_add(1, Ordering::Relaxed);
    }

    /// The last hour's minutes, oldest first; the minute that runs is left out.
    #[must_use]
    pub fn last_hour(&self) -> Vec<MinuteFigures> {
        self.before(self.minute())
    }

    fn before(&self, running: u64) -> Vec<MinuteFigures> {
        let of = |minute: u64| {
            let place = &self.0.places[usize::try_from(minute).unwrap_or_default() % PLACES];
            if place.minute.load(Ordering::Relaxed) == minute { place.figures() } else { MinuteFigures::default() }
        };
        (1..=MINUTES)
            .rev()
            .map(|ago| running.checked_sub(ago).filter(|minute| *minute > 0).map_or_else(MinuteFigures::default, of))
            .collect()
    }

    fn minute(&self) -> u64 {
        self.0.began.elapsed().as_secs() / 60 + 1
    }
}

/// The first bucket whose bound is not below the duration; the last one takes what is longer than all bounds.
fn bucket(duration: Duration) -> usize {
    let steps = (duration.as_secs_f64() / FIRST_BOUND).max(1.0).log2() * 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number that is not negative")]
    let bucket = steps.ceil() as usize;
    bucket.min(BUCKETS - 1)
}

fn quantile(durations: &[u64], percent: u64) -> Option<Duration> {
    let all: u64 = durations.iter().sum();
    let wanted = (all * percent).div_ceil(100);
    let mut seen = 0;
    let bucket = durations.iter().position(|count| {
        seen += count;
        wanted > 0 && seen >= wanted
    })?;
    let steps = i32::try_from(bucket).unwrap_or(i32::MAX);
    Some(Duration::from_secs_f64(FIRST_BOUND * 2_f64.powf(f64::from(steps) / 2.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_told_apart_and_the_oldest_are_forgotten() {
        let figures = RequestFigures::default();
        let quick = Duration::from_millis(1);
        for minute in 1..=200 {
            for _ in 0..minute {
                figures.note_at(minute, "/api/v4/internal/check", 200, quick);
            }
        }
        let hour = figures.before(201);
        let requests: Vec<u64> = hour.iter().map(|minute| minute.requests).collect();
        assert_eq!(requests, (141..=200).collect::<Vec<_>>());
        let quiet = figures.before(300);
        assert!(quiet.iter().all(|minute| minute.requests == 0));
        let young = figures.before(1);
        assert_eq!(young.len(), 60);
    }

    #[test]
    fn quantiles_failures_and_refusals_are_counted() {
        let figures = RequestFigures::default();
        for _ in 0..98 {
            figures.note_at(1, "/api/v4/internal/discover", 200, Duration::from_millis(1));
        }
        figures.note_at(1, "/api/v4/internal/allowed", 401, Duration::from_millis(100));
        figures.note_at(1, "/api/v4/internal/allowed", 503, Duration::from_secs(100));
        let minute = *figures.before(2).last().unwrap();
        assert_eq!((minute.requests, minute.failures, minute.refusals), (100, 1, 1));
        assert_eq!(minute.p50, Some(Duration::from_millis(1)));
        let p99 = minute.p99.unwrap();
        assert!(p99 >= Duration::from_millis(100) && p99 < Duration::from_millis(142), "{p99:?}");
        assert_eq!(figures.before(2).first().unwrap().p50, None);
    }
}
