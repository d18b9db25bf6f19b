//! What kas counts: exact sums, and exact sets of ids a week and a month.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::kas_usage::{UsagePeriod, UsageReport};

/// Rows that a counter has a day, at most; batches that run at once meet in one of them at times, and then wait.
const SHARDS: i16 = 8;
/// Ids that one statement takes.
const CHUNK: usize = 64_000;
/// Days that ids are kept for.
const KEEP: Days = Days::new(400);

/// Adds these reports, each as one of its day.
pub async fn add(db: &mut PgConnection, reports: &[(UsageReport, NaiveDate)]) -> Result<()> {
    let (mut names, mut days, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    // All take their rows in the same order, ids before counters, and so none waits for another that waits for it. Within
    // a statement, PostgreSQL comes to the counters last.
    let mut seen = BTreeSet::new();
    for (report, day) in reports {
        for (name, count) in report.counts.iter().filter(|(_, count)| *count > 0) {
            names.push((*name).to_owned());
            days.push(*day);
            counts.push(*count);
        }
        let ids = report.unique.iter().flat_map(|(name, ids)| ids.iter().map(move |id| (*name, *id)));
        seen.extend(ids.map(|(name, id)| (name, id, *day)));
    }
    let seen: Vec<_> = seen.into_iter().collect();
    let (before, last) = seen.split_at(seen.len().saturating_sub(1) / CHUNK * CHUNK);
    for chunk in before.chunks(CHUNK) {
        write(db, &[], &[], &[], chunk).await?;
    }
    write(db, &names, &days, &counts, last).await
}

async fn write(
    db: &mut PgConnection,
    names: &[String],
    days: &[NaiveDate],
    counts: &[i64],
    seen: &[(&'static str, i64, NaiveDate)],
) -> Result<()> {
    let mut ids = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, id, day) in seen {
        ids.0.push((*name).to_owned());
        ids.1.push(*id);
        ids.2.push(UsagePeriod::week_of(*day).to_string());
        ids.3.push(*day);
    }
    let months: Vec<String> = seen.iter().map(|(_, _, day)| UsagePeriod::month_of(*day).to_string()).collect();
    sqlx::query!(
        "with counted as (
           insert into kas_counters (name, day, shard, total)
           select name, day, $4, sum(count)
           from unnest($1::text[], $2::date[], $3::bigint[]) as counts (name, day, count)
           group by name, day
           order by name, day
           on conflict (name, day, shard) do update
           set total = kas_counters.total + excluded.total
         )
         insert into kas_unique_ids (name, period, entity_id, seen_on)
         select distinct on (name, period, entity_id) name, period, entity_id, seen_on
         from unnest($5::text[], $6::bigint[], $7::text[], $8::text[], $9::date[])
           as ids (name, entity_id, week, month, seen_on)
         cross join lateral (values (week), (month)) as periods (period)
         order by name, period, entity_id, seen_on
         on conflict do nothing",
        names,
        days,
        counts,
        rand::random_range(0..SHARDS),
        &ids.0,
        &ids.1,
        &ids.2,
        &months,
        &ids.3,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A counter and what it has come to.
pub type CounterTotal = (String, i64);

/// The counters of the days from `first` until before `end`, by name; of all days without them.
pub async fn list_totals(db: impl PgExecutor<'_>, days: Option<(NaiveDate, NaiveDate)>) -> Result<Vec<CounterTotal>> {
    let (first, end) = days.unzip();
    let rows = sqlx::query!(
        r#"
        select name, least(sum(total), 9223372036854775807)::bigint as "total!"
        from kas_counters
        where ($1::date is null or day >= $1)
          and ($2::date is null or day < $2)
        group by name
        order by name
        "#,
        first,
        end,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.total)).collect())
}

/// How many different ids each set has in a period, by name.
pub async fn list_unique(db: impl PgExecutor<'_>, period: UsagePeriod) -> Result<Vec<CounterTotal>> {
    let rows = sqlx::query!(
        r#"
        select name, count(*) as "total!"
        from kas_unique_ids
        where name = any ($1)
          and period = $2
        group by name
        order by name
        "#,
        &crate::domain::kas_usage::UNIQUE_COUNTERS.map(str::to_owned),
        period.to_string(),
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.total)).collect())
}

/// Makes one row of the shards of each counter and day before `today`, and forgets the ids of periods long gone by.
pub async fn tidy(db: &mut PgConnection, today: NaiveDate) -> Result<u64> {
    // A report of a minute ago may still be on its way as one of yesterday.
    let before = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    let folded = sqlx::query!(
        "with folded as (
           delete from kas_counters
           where day < $1
             and shard > 0
           returning name, day, total
         )
         insert into kas_counters (name, day, shard, total)
         select name, day, 0, sum(total)
         from folded
         group by name, day
         order by name, day
         on conflict (name, day, shard) do update
         set total = kas_counters.total + excluded.total",
        before,
    )
    .execute(&mut *db)
    .await?;
    let gone = today.checked_sub_days(KEEP).unwrap_or(today);
    let deleted = sqlx::query!("delete from kas_unique_ids where seen_on < $1", gone).execute(db).await?;
    Ok(folded.rows_affected() + deleted.rows_affected())
}
