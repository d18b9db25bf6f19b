//! Which web hooks a push sets off, or an alert; and when a hook whose receiver fails is left alone.

use chrono::{DateTime, TimeDelta, Utc};

use super::glob;
use super::push::{RefChange, RefType};

/// What a hook listens to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct HookSubscriptions {
    /// Pushes to branches.
    pub push_events: bool,
    /// Pushes of tags.
    pub tag_push_events: bool,
    /// New alerts.
    pub alert_events: bool,
    /// Pushes as a whole, whatever they change: one message each. For hooks of the instance.
    pub repository_update_events: bool,
    /// The branches, by name or with `*`; every branch where this is none or empty.
    pub branch_filter: Option<String>,
}

/// What a hook may also be told to listen to, as in GitLab, and what never happens here. It is kept, so that a client that
/// writes it reads it back.
pub const KEPT_EVENTS: [&str; 19] = [
    "issues_events",
    "confidential_issues_events",
    "merge_requests_events",
    "note_events",
    "confidential_note_events",
    "job_events",
    "pipeline_events",
    "wiki_page_events",
    "deployment_events",
    "feature_flag_events",
    "releases_events",
    "milestone_events",
    "emoji_events",
    "resource_access_token_events",
    "resource_deploy_token_events",
    "vulnerability_events",
    "subgroup_events",
    "member_events",
    "project_events",
];

/// Hooks that a project may have.
pub const MOST_OF_PROJECT: i64 = 100;
/// Hooks that a group may have.
pub const MOST_OF_GROUP: i64 = 50;

impl HookSubscriptions {
    /// Whether the hook is told of this change. The filter is for branches; tags are not filtered.
    #[must_use]
    pub fn subscribes_to(&self, change: &RefChange<'_>) -> bool {
        match change.short_name() {
            Some((RefType::Branch, name)) => {
                let filter = self.branch_filter.as_deref().filter(|filter| !filter.is_empty());
                self.push_events && filter.is_none_or(|filter| glob::matches(filter, name))
            }
            Some((RefType::Tag, _)) => self.tag_push_events,
            None => false,
        }
    }
}

/// How the receiver of a hook does, and so whether the hook is told anything now. A hook of the instance is its
/// operator's: it is never left alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HookHealth {
    /// Failures since the last success.
    pub recent_failures: i16,
    /// The end of the pause that the last failure led to.
    pub disabled_until: Option<DateTime<Utc>>,
    never_disabled: bool,
}

/// Whether a hook is told anything now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookReadiness {
    /// It is.
    Ready,
    /// It is again from then on.
    PausedUntil(DateTime<Utc>),
    /// It is not, until somebody enables it.
    Disabled,
}

impl HookHealth {
    /// The failure with which a hook is disabled for good.
    pub const LAST_FAILURE: i16 = 40;
    /// Failures that lead to no pause.
    const GRACE: i16 = 3;
    const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);
    const LONGEST_PAUSE: TimeDelta = TimeDelta::days(1);

    /// What the columns of a hook say, of a `system` hook or of another.
    #[must_use]
    pub fn of(system: bool, recent_failures: i16, disabled_until: Option<DateTime<Utc>>) -> Self {
        Self { recent_failures, disabled_until, never_disabled: system }
    }

    /// Whether the hook is told anything at this time.
    #[must_use]
    pub fn readiness(&self, now: DateTime<Utc>) -> HookReadiness {
        match self.disabled_until {
            _ if self.never_disabled => HookReadiness::Ready,
            _ if self.recent_failures >= Self::LAST_FAILURE => HookReadiness::Disabled,
            Some(until) if until > now => HookReadiness::PausedUntil(until),
            Some(_) | None => HookReadiness::Ready,
        }
    }

    /// After a success.
    #[must_use]
    pub fn succeeded(self) -> Self {
        Self { recent_failures: 0, disabled_until: None, ..self }
    }

    /// After a failure: the fourth in a row makes the hook pause for a minute, and each further one for twice as long,
    /// up to a day. What fails in a pause was sent before it, and counts for nothing.
    #[must_use]
    pub fn failed(self, now: DateTime<Utc>) -> Self {
        if self.never_disabled || self.readiness(now) != HookReadiness::Ready {
            return self;
        }
        let pauses = self.recent_failures - Self::GRACE;
        let doubled = |pauses: i16| Self::FIRST_PAUSE * (1 << pauses.min(11));
        let until = (pauses >= 0).then(|| now + doubled(pauses).min(Self::LONGEST_PAUSE));
        Self { recent_failures: self.recent_failures + 1, disabled_until: until.or(self.disabled_until), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_the_fourth_failure_on_and_the_fortieth_is_the_last() {
        let mut now = DateTime::UNIX_EPOCH;
        let mut health = HookHealth::default();
        let mut pauses = Vec::new();
        while health.readiness(now) == HookReadiness::Ready {
            health = health.failed(now);
            let HookReadiness::PausedUntil(until) = health.readiness(now) else { continue };
            pauses.push((health.recent_failures, (until - now).num_minutes()));
            assert_eq!(health.failed(now), health, "a failure in a pause counts for nothing");
            now = until;
        }
        assert_eq!((health.recent_failures, health.readiness(now)), (40, HookReadiness::Disabled));
        assert_eq!(health.failed(now + TimeDelta::days(9)), health);
        let first = [(4, 1), (5, 2), (6, 4), (7, 8), (8, 16), (9, 32), (10, 64), (11, 128), (12, 256), (13, 512)];
        assert_eq!(pauses[..10], first);
        assert_eq!(pauses[10..12], [(14, 1024), (15, 1440)]);
        assert!(pauses[12..].iter().all(|(_, minutes)| *minutes == 1440));
        assert_eq!(pauses.len(), 36, "the fortieth failure is no pause");
        assert_eq!(health.succeeded(), HookHealth::default());
    }

    #[test]
    fn a_hook_of_the_instance_is_never_left_alone() {
        let mut health = HookHealth::of(true, 0, None);
        for _ in 0..100 {
            health = health.failed(DateTime::UNIX_EPOCH);
            assert_eq!(health.readiness(DateTime::UNIX_EPOCH), HookReadiness::Ready);
        }
        // Whatever its columns say.
        let paused = HookHealth::of(true, 40, Some(DateTime::UNIX_EPOCH + TimeDelta::days(1)));
        assert_eq!(paused.readiness(DateTime::UNIX_EPOCH), HookReadiness::Ready);
    }

    #[test]
    fn a_hook_hears_what_it_listens_to() {
        let subscribes = |push_events: bool, tag_push_events: bool, filter: Option<&str>, name: &str| {
            let branch_filter = filter.map(str::to_owned);
            let listening = HookSubscriptions {
                push_events,
                tag_push_events,
                alert_events: true,
                branch_filter,
                ..HookSubscriptions::default()
            };
            listening.subscribes_to(&RefChange { old: "", new: "", name })
        };
        assert!(subscribes(true, false, None, "refs/heads/main"));
        assert!(!subscribes(false, true, None, "refs/heads/main"));
        assert!(subscribes(true, false, Some(""), "refs/heads/main"));
        assert!(subscribes(true, false, Some("release/*"), "refs/heads/release/1"));
        assert!(!subscribes(true, false, Some("release/*"), "refs/heads/main"));
        assert!(subscribes(false, true, Some("release/*"), "refs/tags/v1"));
        assert!(!subscribes(true, false, None, "refs/tags/v1"));
        assert!(!subscribes(true, true, None, "refs/notes/commits"));
    }
}
