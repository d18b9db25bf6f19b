//! `gatehouse usage`: what kas has counted, of all time, or in a week or a month.

use std::io::{self, Write};

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};

use super::output::{self, Cell, Listing, OutputArgs, OutputShape};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::kas_usage::{COUNTERS, UNIQUE_COUNTERS, UsagePeriod};
use crate::store::Db;
use crate::store::kas_usage::{self, CounterTotal};

/// Print what kas, the Kubernetes agent server, has counted: sums, and how many different users, agents and projects
///
/// Without a period: the sums of all time, and the different ids of the current ISO week and month. With --json all of it
/// is one object.
#[derive(Debug, Args)]
pub struct UsageCommand {
    /// An ISO week, such as 2026-47
    #[arg(long, value_name = "YEAR-WEEK", value_parser = week, conflicts_with = "month")]
    week: Option<UsagePeriod>,
    /// A month, such as 2026-11
    #[arg(long, value_name = "YEAR-MONTH", value_parser = month)]
    month: Option<UsagePeriod>,
    #[command(flatten)]
    output: OutputArgs,
}

fn week(text: &str) -> anyhow::Result<UsagePeriod> {
    UsagePeriod::parse_week(text).ok_or_else(|| anyhow!("no ISO week; a week is written 2026-47"))
}

fn month(text: &str) -> anyhow::Result<UsagePeriod> {
    UsagePeriod::parse_month(text).ok_or_else(|| anyhow!("no month; a month is written 2026-11"))
}

impl UsageCommand {
    /// Prints it on standard output.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let db = Db::new(&settings.gatehouse.database)?;
        let mut connection = db.acquire().await.context("the database does not answer")?;
        let today = Clock::system().now().date_naive();
        let chosen = self.week.or(self.month);
        let totals = kas_usage::list_totals(&mut *connection, chosen.map(UsagePeriod::days)).await?;
        let periods =
            chosen.map_or_else(|| vec![UsagePeriod::week_of(today), UsagePeriod::month_of(today)], |one| vec![one]);
        let mut unique = Vec::new();
        for period in periods {
            unique.push((period, kas_usage::list_unique(&mut *connection, period).await?));
        }
        let counted = chosen.map_or_else(|| "all time".to_owned(), |period| period.to_string());
        let mut out = output::stdout();
        match self.output.shape() {
            OutputShape::Json => writeln!(out, "{}", object(&counted, &totals, &unique))?,
            shape => write(&mut Listing::new(out, shape, HEAD), &counted, &totals, &unique)?,
        }
        Ok(())
    }
}

fn count(totals: &[CounterTotal], name: &str) -> i64 {
    totals.iter().find(|(known, _)| known == name).map_or(0, |(_, total)| *total)
}

const HEAD: [&str; 3] = ["COUNTER", "PERIOD", "COUNT"];

/// Every name has its line, so that a count of nothing is seen.
fn write<W: Write>(
    listing: &mut Listing<W, 3>,
    counted: &str,
    totals: &[CounterTotal],
    unique: &[(UsagePeriod, Vec<CounterTotal>)],
) -> io::Result<()> {
    let mut rows: Vec<_> = COUNTERS.iter().map(|name| (*name, counted.to_owned(), count(totals, name))).collect();
    for name in UNIQUE_COUNTERS {
        rows.extend(unique.iter().map(|(period, ids)| (name, period.to_string(), count(ids, name))));
    }
    let cells =
        |(name, period, count): &(&str, String, i64)| [Cell::from(*name), period.as_str().into(), Cell::number(*count)];
    listing.write(&rows, cells, |_| Value::Null)
}

fn object(counted: &str, totals: &[CounterTotal], unique: &[(UsagePeriod, Vec<CounterTotal>)]) -> Value {
    let named = |names: &[&str], totals: &[CounterTotal]| {
        names.iter().map(|name| ((*name).to_owned(), count(totals, name).into())).collect::<Map<_, _>>()
    };
    let unique: Map<String, Value> =
        unique.iter().map(|(period, ids)| (period.to_string(), named(&UNIQUE_COUNTERS, ids).into())).collect();
    json!({ "period": counted, "counters": named(&COUNTERS, totals), "unique_counters": unique })
}

#[cfg(test)]
mod tests {
    use super::output::printed;
    use super::*;

    fn sample() -> (Vec<CounterTotal>, Vec<(UsagePeriod, Vec<CounterTotal>)>) {
        let users = "k8s_api_proxy_requests_unique_users_via_ci_access".to_owned();
        let week = UsagePeriod::parse_week("2026-47").unwrap();
        (vec![("k8s_api_proxy_request".to_owned(), 1_205)], vec![(week, vec![(users, 2)])])
    }

    #[test]
    fn counters_are_shown_in_columns() {
        let (totals, unique) = sample();
        let table = printed(OutputShape::Table, HEAD, |list| write(list, "2026-W47", &totals, &unique));
        insta::assert_snapshot!(table, @"
        COUNTER                                               PERIOD    COUNT
        flux_git_push_notifications_total                     2026-W47      0
        gitops_sync                                           2026-W47      0
        k8s_api_proxy_request                                 2026-W47   1205
        k8s_api_proxy_requests_via_ci_access                  2026-W47      0
        k8s_api_proxy_requests_via_pat_access                 2026-W47      0
        k8s_api_proxy_requests_via_user_access                2026-W47      0
        agent_users_using_ci_tunnel                           2026-W47      0
        flux_git_push_notified_unique_projects                2026-W47      0
        k8s_api_proxy_requests_unique_agents_via_ci_access    2026-W47      0
        k8s_api_proxy_requests_unique_agents_via_pat_access   2026-W47      0
        k8s_api_proxy_requests_unique_agents_via_user_access  2026-W47      0
        k8s_api_proxy_requests_unique_users_via_ci_access     2026-W47      2
        k8s_api_proxy_requests_unique_users_via_pat_access    2026-W47      0
        k8s_api_proxy_requests_unique_users_via_user_access   2026-W47      0
        ");
        let json = object("2026-W47", &totals, &unique);
        assert_eq!(json["period"], "2026-W47");
        assert_eq!(json["counters"]["k8s_api_proxy_request"], 1_205);
        assert_eq!(json["counters"]["gitops_sync"], 0);
        let users = &json["unique_counters"]["2026-W47"]["k8s_api_proxy_requests_unique_users_via_ci_access"];
        assert_eq!(*users, 2);
    }
}
