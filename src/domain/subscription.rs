//! Subscriptions of namespaces: what a request makes of one (provisioning.md 2).

use chrono::{DateTime, NaiveDate, Utc};

use super::ids::NamespaceId;
use super::ledger::{LedgerField, LedgerFields};

/// The plans that somebody pays for, unless they try them out.
pub const PAID_PLANS: [&str; 9] = [
    "bronze",
    "silver",
    "premium",
    "gold",
    "ultimate",
    "ultimate_trial",
    "premium_trial",
    "opensource",
    "ultimate_trial_paid_customer",
];
/// The plan that null stands for.
pub const FREE_PLAN: &str = "free";
/// The paid plans above which there is none.
const HIGHEST_PLANS: [&str; 3] = ["gold", "ultimate", "opensource"];
/// The plans under which guests take no seat.
const PLANS_WITHOUT_GUESTS: [&str; 3] = ["gold", "ultimate", "ultimate_trial"];

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedPlan {
    /// `plans.id`
    pub id: i64,
    /// Its name in requests and answers.
    pub code: String,
    /// Its name for people.
    pub title: String,
}

/// What a subscription says, apart from what is counted. A change of any of it is kept in the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct SubscriptionTerms {
    pub plan: Option<HostedPlan>,
    pub start_date: Option<NaiveDate>,
    pub end_date: Option<NaiveDate>,
    pub trial: Option<bool>,
    pub trial_starts_on: Option<NaiveDate>,
    pub trial_ends_on: Option<NaiveDate>,
    pub trial_extension_type: Option<i16>,
    pub seats: Option<i32>,
    pub max_seats_used: Option<i32>,
    pub auto_renew: Option<bool>,
}

/// What a request states: nothing, null, or a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct StatedTerms {
    pub plan: Option<Option<HostedPlan>>,
    pub start_date: Option<Option<NaiveDate>>,
    pub end_date: Option<Option<NaiveDate>>,
    pub trial: Option<Option<bool>>,
    pub trial_starts_on: Option<Option<NaiveDate>>,
    pub trial_ends_on: Option<Option<NaiveDate>>,
    pub trial_extension_type: Option<Option<i16>>,
    pub seats: Option<Option<i32>>,
    pub max_seats_used: Option<Option<i32>>,
    pub auto_renew: Option<Option<bool>>,
}

/// The plan that a request states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatedPlan {
    /// Nothing is said of it.
    Unstated,
    /// Null, which stands for the free one.
    Null,
    /// Its name.
    Named(String),
}

/// What must have a value and has none, in GitLab's order.
pub type BlankFields = Vec<&'static str>;

/// A namespace's subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `gitlab_subscriptions.id`
    pub id: i64,
    /// Whose it is.
    pub namespace: NamespaceId,
    /// What was agreed.
    pub terms: SubscriptionTerms,
    /// How many seats were taken when they were last counted.
    pub seats_in_use: i32,
    /// How many more than agreed were taken at most.
    pub seats_owed: i32,
    /// When the most seats were last another number.
    pub max_seats_used_changed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
}

impl SubscriptionTerms {
    /// The terms of a new subscription.
    ///
    /// # Errors
    /// What must have a value and has none.
    pub fn new(stated: StatedTerms) -> Result<Self, BlankFields> {
        let defaults = Self { trial: Some(false), seats: Some(0), max_seats_used: Some(0), ..Self::default() };
        defaults.with(stated).checked()
    }

    /// The terms with what is stated put in.
    #[must_use]
    pub fn with(self, stated: StatedTerms) -> Self {
        // A trial that does not say when it starts, starts with the subscription; one that runs already stays as it is.
        let trial_starts_on = match stated.trial_starts_on.flatten() {
            None if stated.trial == Some(Some(true)) => stated.start_date.flatten().or(self.trial_starts_on),
            None if stated.trial_starts_on.is_none() => self.trial_starts_on,
            day => day,
        };
        Self {
            plan: stated.plan.unwrap_or(self.plan),
            start_date: stated.start_date.unwrap_or(self.start_date),
            end_date: stated.end_date.unwrap_or(self.end_date),
            trial: stated.trial.unwrap_or(self.trial),
            trial_starts_on,
            trial_ends_on: stated.trial_ends_on.unwrap_or(self.trial_ends_on),
            trial_extension_type: stated.trial_extension_type.unwrap_or(self.trial_extension_type),
            seats: stated.seats.unwrap_or(self.seats),
            max_seats_used: stated.max_seats_used.unwrap_or(self.max_seats_used),
            auto_renew: stated.auto_renew.unwrap_or(self.auto_renew),
        }
    }

    /// The terms, where all is there that must be.
    ///
    /// # Errors
    /// What must have a value and has none.
    pub fn checked(self) -> Result<Self, BlankFields> {
        let mut blank = Vec::new();
        if self.seats.is_none() {
            blank.push("seats");
        }
        if self.start_date.is_none() {
            blank.push("start_date");
        }
        if blank.is_empty() { Ok(self) } else { Err(blank) }
    }

    /// Whether somebody pays for it.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        let plan = self.plan.as_ref().is_some_and(|plan| PAID_PLANS.contains(&plan.code.as_str()));
        plan && self.trial != Some(true) && self.seats.is_some_and(|seats| seats > 0)
    }

    /// Whether there is more to be had today.
    #[must_use]
    pub fn is_upgradable(&self, today: NaiveDate) -> bool {
        let highest = self.plan.as_ref().is_some_and(|plan| HIGHEST_PLANS.contains(&plan.code.as_str()));
        self.is_paid() && !highest && self.end_date.is_none_or(|end| end >= today)
    }

    fn seats_owed(&self, most: Option<i32>) -> i32 {
        if self.is_paid() { most.unwrap_or(0).saturating_sub(self.seats.unwrap_or(0)).max(0) } else { 0 }
    }
}

/// Whether guests take no seat under the plan of a group's root.
#[must_use]
pub fn excludes_guests(plan: Option<&str>) -> bool {
    plan.is_some_and(|code| PLANS_WITHOUT_GUESTS.contains(&code))
}

/// The seats of a subscription that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionUsage {
    /// Whether guests take none.
    pub exclude_guests: bool,
    /// How many are taken.
    pub seats_in_use: i32,
}

/// A subscription before and after a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// As it was.
    pub before: Subscription,
    /// As it is to be.
    pub after: Subscription,
    /// Whether the seats are counted anew, because a term begins.
    pub counts_anew: bool,
}

impl Subscription {
    /// What a request makes of the subscription.
    ///
    /// # Errors
    /// What must have a value and has none.
    pub fn change(self, stated: StatedTerms, now: DateTime<Utc>) -> Result<SubscriptionChange, BlankFields> {
        let before = self.terms.clone();
        let after = before.clone().with(stated).checked()?;
        let new_term = before.start_date != after.start_date
            && before.end_date != after.end_date
            && before.end_date.is_none_or(|end| after.start_date >= Some(end));
        let changed_at = if !new_term && before.max_seats_used != after.max_seats_used {
            Some(now)
        } else {
            self.max_seats_used_changed_at
        };
        let trial_ended = before.trial != after.trial && after.trial != Some(true);
        let of_a_term_before = changed_at.is_some_and(|at| Some(at.date_naive()) < after.start_date);
        let counts_anew = after.is_paid() && (new_term || trial_ended || of_a_term_before);
        let after = Self { terms: after, max_seats_used_changed_at: changed_at, updated_at: now, ..self.clone() };
        Ok(SubscriptionChange { before: self, after, counts_anew })
    }

    /// What another count of its seats makes of the subscription.
    #[must_use]
    pub fn recounted(self, seats: i32, now: DateTime<Utc>) -> SubscriptionChange {
        let mut after = self.clone();
        after.seats_in_use = seats;
        if self.terms.max_seats_used.is_none_or(|most| seats > most) {
            after.terms.max_seats_used = Some(seats);
            after.max_seats_used_changed_at = Some(now);
        }
        after.seats_owed = after.terms.seats_owed(after.terms.max_seats_used);
        if after != self {
            after.updated_at = now;
        }
        SubscriptionChange { before: self, after, counts_anew: false }
    }

    /// Its values, as the ledger keeps them.
    #[must_use]
    pub fn fields(&self) -> LedgerFields {
        let terms = &self.terms;
        vec![
            ("plan_code", terms.plan.as_ref().map(|plan| plan.code.as_str()).into()),
            ("start_date", terms.start_date.into()),
            ("end_date", terms.end_date.into()),
            ("trial", terms.trial.into()),
            ("trial_starts_on", terms.trial_starts_on.into()),
            ("trial_ends_on", terms.trial_ends_on.into()),
            ("trial_extension_type", terms.trial_extension_type.into()),
            ("seats", terms.seats.into()),
            ("max_seats_used", terms.max_seats_used.into()),
            ("auto_renew", terms.auto_renew.into()),
            ("seats_in_use", LedgerField::from(self.seats_in_use)),
            ("seats_owed", LedgerField::from(self.seats_owed)),
        ]
    }
}

impl SubscriptionChange {
    /// The change where the count at the beginning of a term found so many seats taken. What the request itself says of
    /// the most seats is of the term before.
    #[must_use]
    pub fn counted(mut self, seats: i32, now: DateTime<Utc>) -> Self {
        self.after.seats_in_use = seats;
        self.after.terms.max_seats_used = Some(seats);
        self.after.seats_owed = self.after.terms.seats_owed(Some(seats));
        self.after.max_seats_used_changed_at = Some(now);
        self
    }

    /// Whether the history keeps what was.
    #[must_use]
    pub fn is_historic(&self) -> bool {
        self.before.terms != self.after.terms
    }

    /// Whether the ledger keeps it.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.before.fields() != self.after.fields()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<NaiveDate> {
        text.parse().ok()
    }

    fn now() -> DateTime<Utc> {
        "2021-06-01T12:00:00Z".parse().unwrap()
    }

    fn plan(code: &str) -> HostedPlan {
        HostedPlan { id: 1, code: code.to_owned(), title: code.to_owned() }
    }

    /// P80 of the contract: 80 seats of premium for a year, two more in use.
    fn p80() -> Subscription {
        Subscription {
            id: 1,
            namespace: NamespaceId(1234),
            terms: SubscriptionTerms {
                plan: Some(plan("premium")),
                start_date: day("2020-07-15"),
                end_date: day("2021-07-15"),
                trial: Some(false),
                seats: Some(80),
                max_seats_used: Some(82),
                ..SubscriptionTerms::default()
            },
            seats_in_use: 82,
            seats_owed: 2,
            max_seats_used_changed_at: Some("2021-01-10T00:00:00Z".parse().unwrap()),
            created_at: "2020-07-15T00:00:00Z".parse().unwrap(),
            updated_at: "2021-01-10T00:00:00Z".parse().unwrap(),
        }
    }

    fn anew(subscription: Subscription, stated: StatedTerms) -> bool {
        subscription.change(stated, now()).unwrap().counts_anew
    }

    #[test]
    fn a_term_begins_when_both_dates_move_on() {
        let dates = |start, end| StatedTerms {
            start_date: Some(day(start)),
            end_date: Some(day(end)),
            ..StatedTerms::default()
        };
        assert!(anew(p80(), dates("2021-07-15", "2022-07-15")));
        // Both dates, but within the term that runs.
        let within = Subscription { max_seats_used_changed_at: None, ..p80() };
        assert!(!anew(within.clone(), dates("2021-07-14", "2022-07-15")));
        assert!(!anew(within.clone(), StatedTerms { start_date: Some(day("2021-07-15")), ..StatedTerms::default() }));
        let mut endless = within;
        endless.terms.end_date = None;
        assert!(anew(endless, dates("2021-01-01", "2022-01-01")));
    }

    #[test]
    fn what_was_counted_before_the_start_counts_no_more() {
        let start = |start| StatedTerms { start_date: Some(day(start)), ..StatedTerms::default() };
        assert!(anew(p80(), start("2021-01-11")));
        assert!(!anew(p80(), start("2021-01-10")));
        assert!(!anew(Subscription { max_seats_used_changed_at: None, ..p80() }, start("2021-01-11")));
    }

    #[test]
    fn a_trial_that_is_bought_is_counted_anew() {
        let mut trial = p80();
        (trial.terms.trial, trial.max_seats_used_changed_at) = (Some(true), None);
        for ended in [Some(false), None] {
            assert!(anew(trial.clone(), StatedTerms { trial: Some(ended), ..StatedTerms::default() }));
        }
        let unpaid = StatedTerms { trial: Some(Some(false)), seats: Some(Some(0)), ..StatedTerms::default() };
        assert!(!anew(trial, unpaid), "nobody pays, so no term begins");
    }

    #[test]
    fn a_count_overrides_what_the_request_says_of_the_most_seats() {
        let stated = StatedTerms {
            start_date: Some(day("2021-07-15")),
            end_date: Some(day("2022-07-15")),
            max_seats_used: Some(Some(50)),
            ..StatedTerms::default()
        };
        let change = p80().change(stated, now()).unwrap().counted(81, now());
        let after = &change.after;
        assert_eq!((after.seats_in_use, after.terms.max_seats_used, after.seats_owed), (81, Some(81), 1));
        assert_eq!(after.max_seats_used_changed_at, Some(now()));
        assert!(change.is_historic() && change.is_change());
    }

    #[test]
    fn a_repetition_is_no_change() {
        let change = p80().change(StatedTerms { seats: Some(Some(80)), ..StatedTerms::default() }, now()).unwrap();
        assert!(!change.is_historic() && !change.is_change() && !change.counts_anew);
        assert_eq!(change.after.updated_at, now());
    }

    #[test]
    fn a_trial_starts_with_the_subscription_unless_it_says_otherwise() {
        let trial =
            StatedTerms { trial: Some(Some(true)), start_date: Some(day("2021-06-01")), ..StatedTerms::default() };
        assert_eq!(
            SubscriptionTerms::new(StatedTerms { seats: Some(Some(1)), ..trial.clone() }).unwrap().trial_starts_on,
            day("2021-06-01")
        );
        let other = StatedTerms { trial_starts_on: Some(day("2021-06-05")), ..trial };
        assert_eq!(SubscriptionTerms::new(other).unwrap().trial_starts_on, day("2021-06-05"));
        let running = SubscriptionTerms { trial_starts_on: day("2021-05-01"), ..SubscriptionTerms::default() };
        let again = StatedTerms { trial: Some(Some(true)), ..StatedTerms::default() };
        assert_eq!(running.clone().with(again.clone()).trial_starts_on, day("2021-05-01"));
        let with_null = StatedTerms { trial_starts_on: Some(None), ..again };
        assert_eq!(running.clone().with(with_null).trial_starts_on, day("2021-05-01"));
        let cleared = StatedTerms { trial_starts_on: Some(None), ..StatedTerms::default() };
        assert_eq!(running.with(cleared).trial_starts_on, None);
    }

    #[test]
    fn a_refresh_raises_the_most_and_never_lowers_it() {
        let raised = p80().recounted(85, now()).after;
        assert_eq!((raised.seats_in_use, raised.terms.max_seats_used, raised.seats_owed), (85, Some(85), 5));
        assert_eq!(raised.max_seats_used_changed_at, Some(now()));
        let lower = p80().recounted(3, now());
        let after = &lower.after;
        assert_eq!((after.seats_in_use, after.terms.max_seats_used, after.seats_owed), (3, Some(82), 2));
        assert!(lower.is_change() && !lower.is_historic());
        let same = p80().recounted(82, now());
        assert_eq!(same.before, same.after);
    }

    #[test]
    fn what_is_paid_can_be_upgraded_until_it_ends() {
        let today = day("2021-07-15").unwrap();
        assert!(p80().terms.is_upgradable(today));
        assert!(!p80().terms.is_upgradable(today.succ_opt().unwrap()));
        for (code, paid, upgradable) in
            [("bronze", true, true), ("ultimate", true, false), ("free", false, false), ("premium_trial", true, true)]
        {
            let terms = SubscriptionTerms { plan: Some(plan(code)), ..p80().terms };
            assert_eq!((terms.is_paid(), terms.is_upgradable(today)), (paid, upgradable), "{code}");
        }
        assert!(!SubscriptionTerms { seats: Some(0), ..p80().terms }.is_paid());
        assert!(!SubscriptionTerms { trial: Some(true), ..p80().terms }.is_paid());
        assert!(SubscriptionTerms { trial: None, ..p80().terms }.is_paid());
    }
}
