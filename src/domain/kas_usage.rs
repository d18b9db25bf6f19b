//! What kas reports of its use: the counters and sets that are known, and the weeks and months that they are read by
//! (kas.md 3).

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

/// Everything that was ever counted. Each name is accepted for ever: a kas of any age may call.
pub const COUNTERS: [&str; 6] = [
    "flux_git_push_notifications_total",
    "gitops_sync",
    "k8s_api_proxy_request",
    "k8s_api_proxy_requests_via_ci_access",
    "k8s_api_proxy_requests_via_pat_access",
    "k8s_api_proxy_requests_via_user_access",
];

/// The two counters of the oldest kas: how it names them, and their names among the counters.
pub const TOP_LEVEL: [(&str, &str); 2] =
    [("gitops_sync_count", "gitops_sync"), ("k8s_api_proxy_request_count", "k8s_api_proxy_request")];

/// The sets of ids: users, agents, and projects.
pub const UNIQUE_COUNTERS: [&str; 8] = [
    "agent_users_using_ci_tunnel",
    "flux_git_push_notified_unique_projects",
    "k8s_api_proxy_requests_unique_agents_via_ci_access",
    "k8s_api_proxy_requests_unique_agents_via_pat_access",
    "k8s_api_proxy_requests_unique_agents_via_user_access",
    "k8s_api_proxy_requests_unique_users_via_ci_access",
    "k8s_api_proxy_requests_unique_users_via_pat_access",
    "k8s_api_proxy_requests_unique_users_via_user_access",
];

/// The events that say that a user reached a cluster; each is one of [`CI_TUNNEL_EVENT`] too.
pub const PROXY_EVENTS: [&str; 3] = [
    "k8s_api_proxy_requests_unique_users_via_ci_access",
    "k8s_api_proxy_requests_unique_users_via_pat_access",
    "k8s_api_proxy_requests_unique_users_via_user_access",
];
/// The event that stands for every way of reaching a cluster.
pub const CI_TUNNEL_EVENT: &str = "agent_users_using_ci_tunnel";
/// The event that an agent has connected.
pub const REGISTER_EVENT: &str = "register_agent_at_kas";

/// What one request reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageReport {
    /// Increments, none of them negative.
    pub counts: Vec<(&'static str, i64)>,
    /// Ids that were seen.
    pub unique: Vec<(&'static str, Vec<i64>)>,
}

impl UsageReport {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|(_, count)| *count == 0) && self.unique.iter().all(|(_, ids)| ids.is_empty())
    }
}

/// One event of an agent or a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageEvent {
    /// One of the known names.
    pub name: &'static str,
    /// Whose it is; kept only where there is such a user.
    pub user: Option<i64>,
    /// Where it happened. An event of no known project is not kept.
    pub project: i64,
    /// What else is known, as a JSON object.
    pub properties: String,
}

/// A span that unique ids are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsagePeriod {
    /// An ISO week, by its Monday.
    Week(NaiveDate),
    /// A month, by its first day.
    Month(NaiveDate),
}

impl UsagePeriod {
    /// The ISO week of a day.
    #[must_use]
    pub fn week_of(day: NaiveDate) -> Self {
        Self::Week(day.week(Weekday::Mon).first_day())
    }

    /// The month of a day.
    #[must_use]
    pub fn month_of(day: NaiveDate) -> Self {
        Self::Month(day.with_day(1).unwrap_or(day))
    }

    /// The week of a text such as `2026-47` or `2026-W47`.
    #[must_use]
    pub fn parse_week(text: &str) -> Option<Self> {
        let (year, week) = text.split_once('-')?;
        let week = week.strip_prefix(['W', 'w']).unwrap_or(week);
        NaiveDate::from_isoywd_opt(year_of(year)?, two_digits(week)?, Weekday::Mon).map(Self::Week)
    }

    /// The month of a text such as `2026-11`.
    #[must_use]
    pub fn parse_month(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        NaiveDate::from_ymd_opt(year_of(year)?, two_digits(month)?, 1).map(Self::Month)
    }

    /// Its first day, and the first day after it.
    #[must_use]
    pub fn days(self) -> (NaiveDate, NaiveDate) {
        let (first, end) = match self {
            Self::Week(first) => (first, first.checked_add_days(Days::new(7))),
            Self::Month(first) => (first, first.checked_add_months(Months::new(1))),
        };
        (first, end.unwrap_or(NaiveDate::MAX))
    }
}

/// `2026-W47`, `2026-11`
impl fmt::Display for UsagePeriod {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Week(day) => write!(out, "{:04}-W{:02}", day.iso_week().year(), day.iso_week().week()),
            Self::Month(day) => write!(out, "{:04}-{:02}", day.year(), day.month()),
        }
    }
}

fn year_of(text: &str) -> Option<i32> {
    (text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn two_digits(text: &str) -> Option<u32> {
    (matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn weeks_are_iso_weeks() {
        assert_eq!(UsagePeriod::week_of(day("2026-11-21")).to_string(), "2026-W47");
        // The last days of December may be of the next year's first week, and the first of January of the last one's.
        assert_eq!(UsagePeriod::week_of(day("2024-12-30")).to_string(), "2025-W01");
        assert_eq!(UsagePeriod::week_of(day("2027-01-03")).to_string(), "2026-W53");
        assert_eq!(UsagePeriod::parse_week("2026-47"), Some(UsagePeriod::Week(day("2026-11-16"))));
        assert_eq!(UsagePeriod::parse_week("2026-W47"), UsagePeriod::parse_week("2026-47"));
        assert_eq!(UsagePeriod::week_of(day("2026-11-21")).days(), (day("2026-11-16"), day("2026-11-23")));
        for text in ["2026", "2026-54", "2025-53", "2026-0", "26-47", "2026-4x", "2026-+7", "", "-", "2026-047"] {
            assert_eq!(UsagePeriod::parse_week(text), None, "{text}");
        }
    }

    #[test]
    fn months_are_of_the_calendar() {
        assert_eq!(UsagePeriod::month_of(day("2026-11-21")).to_string(), "2026-11");
        assert_eq!(UsagePeriod::parse_month("2026-12"), Some(UsagePeriod::Month(day("2026-12-01"))));
        assert_eq!(UsagePeriod::parse_month("2026-12").unwrap().days(), (day("2026-12-01"), day("2027-01-01")));
        for text in ["2026", "2026-13", "2026-00", "2026-11-01", "x-1"] {
            assert_eq!(UsagePeriod::parse_month(text), None, "{text}");
        }
    }

    #[test]
    fn a_report_of_zeroes_changes_nothing() {
        assert!(UsageReport::default().is_empty());
        assert!(UsageReport { counts: vec![("gitops_sync", 0)], unique: vec![("a", vec![])] }.is_empty());
        assert!(!UsageReport { counts: vec![("gitops_sync", 1)], unique: vec![] }.is_empty());
        assert!(!UsageReport { counts: vec![], unique: vec![("a", vec![1])] }.is_empty());
    }
}
