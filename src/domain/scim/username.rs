//! The user name that is made of what an identity provider sends (scim.md 3.2).

use crate::domain::full_path::{PathPosition, check_name};

/// The most characters that a name is made of; numbers follow.
pub const MAX_LENGTH: usize = 255;

/// The names to try, best first. All of them can be a path; the last ones end in a number that moves with the time.
pub fn candidates(user_name: &str, now: i64) -> impl Iterator<Item = String> {
    let base = cleaned(user_name);
    let endings = std::iter::once(String::new())
        .chain((1..=4).map(|number| number.to_string()))
        .chain((0..16).map(move |more| now.wrapping_add(more).to_string()));
    endings.filter_map(move |ending| allowed(&tidied(&format!("{base}{ending}"))))
}

/// The part before `@`, of letters that a path may have.
fn cleaned(user_name: &str) -> String {
    let local = user_name.split('@').next().unwrap_or_default();
    let mut name: String =
        local.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.')).collect();
    loop {
        let lower = name.to_ascii_lowercase();
        let Some(ending) = [".git", ".atom", "."].iter().find(|ending| lower.ends_with(*ending)) else { break };
        name.truncate(name.len() - ending.len());
    }
    let name = name.trim_start_matches('-');
    // Room for the number; the characters are ASCII.
    let name = &name[..name.len().min(MAX_LENGTH - 20)];
    if name.is_empty() { "blank".to_owned() } else { name.to_owned() }
}

/// Without `_`, `.` and `-` at the ends, and with the first alone where several of them meet.
fn tidied(name: &str) -> String {
    let is_mark = |char: char| matches!(char, '_' | '-' | '.');
    let mut tidy = String::with_capacity(name.len());
    for char in name.trim_matches(is_mark).chars() {
        if !(is_mark(char) && tidy.ends_with(is_mark)) {
            tidy.push(char);
        }
    }
    if tidy.is_empty() { "blank".to_owned() } else { tidy }
}

/// The name, with a number behind it where it is a word that GitLab keeps for itself.
fn allowed(name: &str) -> Option<String> {
    let is_good = |name: &str| check_name(name, PathPosition::Root).is_ok();
    if is_good(name) {
        return Some(name.to_owned());
    }
    (1..=9).map(|number| format!("{name}{number}")).find(|name| is_good(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(user_name: &str) -> String {
        candidates(user_name, 1_700_000_000).next().unwrap()
    }

    /// scim-45
    #[test]
    fn a_name_is_made_of_what_a_path_may_have() {
        for (given, made) in [
            ("jane@corp.com", "jane"),
            ("admin@x.y", "admin1"),
            ("a__b..git", "a_b"),
            ("a__b", "a_b"),
            ("-x-", "x"),
            ("日本", "blank"),
            ("@", "blank"),
            ("___", "blank"),
            ("a.git.git.", "a"),
            ("a.GIT", "a"),
            ("CORP\\jdoe", "CORPjdoe"),
            ("O'Neil Jr.", "ONeilJr"),
            ("Jane.Doe", "Jane.Doe"),
        ] {
            assert_eq!(first(given), made, "{given}");
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let names: Vec<String> = candidates("jane@corp.com", 1_700_000_000).take(7).collect();
        assert_eq!(names, ["jane", "jane1", "jane2", "jane3", "jane4", "jane1700000000", "jane1700000001"]);
    }

    #[test]
    fn a_long_name_leaves_room_for_a_number() {
        assert_eq!(first(&"a".repeat(300)), "a".repeat(235));
        let last = candidates(&"a".repeat(300), i64::MAX).last().unwrap();
        assert!(last.len() <= MAX_LENGTH && last.ends_with(char::is_numeric), "{last}");
    }

    proptest! {
        #[test]
        fn every_candidate_can_be_a_path(text in "\\PC{0,300}|[a-z._@-]{0,12}|(a|_|\\.git|\\.atom){0,9}") {
            for name in candidates(&text, 1_700_000_000) {
                prop_assert_eq!(check_name(&name, PathPosition::Root), Ok(()), "{}", name);
            }
            prop_assert!(candidates(&text, 1).next().is_some());
        }
    }
}
