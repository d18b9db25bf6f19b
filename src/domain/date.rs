//! The dates that billing systems write. A spelling that leaves room for a guess is refused (provisioning.md 1.8).

use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate, Weekday};
use regex::{Captures, Regex};

/// The ways of writing a day, the time of day beside the first one being of no account.
const SPELLINGS: [&str; 7] = [
    r"^(?<y>\d{4})-(?<m>\d{1,2})-(?<d>\d{1,2})(?:[Tt ](?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)? ?(?:[Zz]|UTC|[+-]\d{2}:?\d{2})?)?$",
    r"^(?<y>\d{4})/(?<m>\d{1,2})/(?<d>\d{1,2})$",
    r"^(?<y>\d{4})(?<m>\d{2})(?<d>\d{2})$",
    r"^(?<d>\d{1,2})/(?<m>\d{1,2})/(?<y>\d{4})$",
    r"^(?<d>\d{1,2})[.-](?<m>\d{1,2})[.-](?<y>\d{4})$",
    r"^(?:(?<w>[A-Za-z]+),? )?(?<d>\d{1,2})(?:st|nd|rd|th)?[ -]?(?<n>[A-Za-z]+)[ -]?(?<y>\d{4}|\d{2})$",
    r"^(?:(?<w>[A-Za-z]+),? )?(?<n>[A-Za-z]+) (?<d>\d{1,2})(?:st|nd|rd|th)?,? (?<y>\d{4}|\d{2})$",
];

static GRAMMAR: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    SPELLINGS
        .iter()
        .map(|spelling| Regex::new(spelling).expect("the grammar is fixed and its tests use it all"))
        .collect()
});

/// The day that a text names, in the years 1 to 9999; spaces and one pair of quotes around it are passed over.
#[must_use]
pub fn parse(text: &str) -> Option<NaiveDate> {
    let text = text.trim_matches(' ');
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    // No spelling is longer, and nothing else is worth the search.
    if text.len() > 64 {
        return None;
    }
    GRAMMAR.iter().find_map(|spelling| spelling.captures(text)).and_then(|parts| day(&parts))
}

fn day(parts: &Captures<'_>) -> Option<NaiveDate> {
    let number = |name: &str| parts.name(name).and_then(|part| part.as_str().parse::<u32>().ok());
    let year = number("y")?;
    let year = match (parts.name("y")?.len(), year) {
        (2, 69..) => 1900 + year,
        (2, _) => 2000 + year,
        (_, 0) => return None,
        _ => year,
    };
    let month = match parts.name("n") {
        Some(name) => month(name.as_str())?,
        None => number("m")?,
    };
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, number("d")?)?;
    // A weekday that contradicts the date leaves open which of them was meant.
    let agrees = parts.name("w").is_none_or(|name| name.as_str().parse() == Ok::<Weekday, _>(day.weekday()));
    agrees.then_some(day)
}

/// The month of an English name, in full or in its first three letters.
fn month(name: &str) -> Option<u32> {
    name.parse::<chrono::Month>().ok().map(|month| month.number_from_month())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_spellings_of_the_contract_are_read() {
        let days = [
            ("2020-07-15", "2020-07-15"),
            ("2020-7-5", "2020-07-05"),
            ("20200715", "2020-07-15"),
            ("2018/01/01", "2018-01-01"),
            (" 2021-06-13 ", "2021-06-13"),
            ("01/02/2018", "2018-02-01"),
            ("13-06-2021", "2021-06-13"),
            ("13.06.2021", "2021-06-13"),
            ("13 Jun 2021", "2021-06-13"),
            ("06 Jun 2021", "2021-06-06"),
            ("13 June 2021", "2021-06-13"),
            ("13JUN2021", "2021-06-13"),
            ("13th Jun 2021", "2021-06-13"),
            ("June 13, 2021", "2021-06-13"),
            ("Sun, 13 Jun 2021", "2021-06-13"),
            ("13 Jun 21", "2021-06-13"),
            ("2020-07-15T10:00:00Z", "2020-07-15"),
            ("2020-07-15T23:00:00-08:00", "2020-07-15"),
            ("2021-06-13 23:59", "2021-06-13"),
            ("2021-06-13 23:59:00 +0200", "2021-06-13"),
            (r#""2020-07-15""#, "2020-07-15"),
            ("0001-01-01", "0001-01-01"),
            ("9999-12-31", "9999-12-31"),
        ];
        for (text, day) in days {
            assert_eq!(parse(text).map(|day| day.to_string()).as_deref(), Some(day), "{text}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        let others = [
            "",
            "  ",
            "foo",
            "2021-02-30",
            "2020-07",
            "2020",
            "07/15/2020",
            "0000-00-00",
            "0000-01-01",
            "1594771200",
            "tomorrow",
            "15",
            "Jul",
            "Monday",
            "1/2",
            "13 juin 2021",
            "13/6/21",
            "Mon, 13 Jun 2021",
            "12020-01-01",
            "2020-07-15T99:00:00Z",
            "2020-07-15x",
            "\"2020-07-15",
            "'2020-07-15'",
            "２０２０-07-15",
        ];
        for text in others {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_is_read_back(days in 1..=3_652_059) {
            let day = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            prop_assert_eq!(parse(&day.to_string()), Some(day));
            prop_assert_eq!(parse(&day.format("%a, %d %b %Y").to_string()), Some(day));
            prop_assert_eq!(parse(&day.format("%B %-d, %Y").to_string()), Some(day));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
