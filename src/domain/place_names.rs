//! Names and paths of groups and projects, as GitLab's API takes and refuses them (rest.md 6.3, 8.3).

use super::full_path::{BadName, PathPosition, check_name};
use super::record_faults::{BLANK, RecordFaults};

/// How many groups may be around each other, the innermost included.
pub const DEEPEST: usize = 20;

/// Characters of a full path at most.
pub const LONGEST_PATH: usize = 255;

/// What a name may be made of: of groups, or of projects.
const GROUP_NAME: &str = "can contain only letters, digits, emoji, '_', '.', '-', parentheses and blanks. It must start \
                          with a letter, digit, emoji or '_'.";
const PROJECT_NAME: &str = "can contain only letters, digits, emoji, '_', '.', '+', '-' and blanks. It must start with a \
                            letter, digit, emoji or '_'.";
/// What a path may be made of: of groups, or of projects.
const GROUP_PATH: &str = "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-' or end in '.', \
                          '.git' or '.atom'.";
const PROJECT_PATH: &str =
    "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'";

/// Notes what is wrong with the name that people read of a group.
pub fn check_group_name(faults: &mut RecordFaults, name: &str) {
    let allowed = |char| is_word(char) || matches!(char, '.' | '(' | ')' | '-' | ' ');
    check_title(faults, name, allowed, GROUP_NAME);
}

/// Notes what is wrong with the name that people read of a project.
pub fn check_project_name(faults: &mut RecordFaults, name: &str) {
    let allowed = |char| is_word(char) || matches!(char, '.' | '+' | '-' | ' ');
    check_title(faults, name, allowed, PROJECT_NAME);
}

fn check_title(faults: &mut RecordFaults, name: &str, allowed: impl Fn(char) -> bool, sentence: &str) {
    faults.check_length("name", Some(name), 255);
    if name.trim().is_empty() {
        faults.add("name", BLANK);
    } else if !name.starts_with(is_word) || !name.chars().all(allowed) {
        faults.add("name", sentence);
    }
}

/// A letter or digit of any script, an underscore or an emoji.
fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || is_emoji(char) || matches!(char, '\u{200d}' | '\u{fe0f}' | '\u{20e3}')
}

/// The blocks of Unicode that hold pictures.
fn is_emoji(char: char) -> bool {
    matches!(char, '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

/// Notes what is wrong with the last part of a path.
pub fn check_path(faults: &mut RecordFaults, path: &str, position: PathPosition) {
    let Err(bad) = check_name(path, position) else { return };
    match bad {
        BadName::Empty => faults.add("path", BLANK),
        BadName::TooLong => faults.check_length("path", Some(path), 255),
        BadName::Reserved => faults.add("path", format!("{path} is a reserved name")),
        BadName::Characters | BadName::Ending => {
            let project = position == PathPosition::Project;
            faults.add("path", if project { PROJECT_PATH } else { GROUP_PATH });
        }
    }
}

/// The path of a project of which a client gave the name alone: in lower case, with dashes for blanks, without what a
/// path cannot have.
#[must_use]
pub fn path_from_name(name: &str) -> String {
    let lower = name.to_lowercase();
    let dashed = lower.split_whitespace().collect::<Vec<_>>().join("-");
    dashed.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(check: impl FnOnce(&mut RecordFaults)) -> String {
        let mut faults = RecordFaults::default();
        check(&mut faults);
        faults.iter().map(|(_, faults)| faults.join(", ")).collect()
    }

    #[test]
    fn names_are_for_people() {
        for name in ["Acme", "acme (old) - 2.0", "Käse", "_x", "🚀 rockets", "日本"] {
            assert_eq!(told(|faults| check_group_name(faults, name)), "", "{name}");
        }
        for name in ["-x", "(x)", "a/b", "a+b", "a\nb", ".x"] {
            assert_eq!(told(|faults| check_group_name(faults, name)), GROUP_NAME, "{name}");
        }
        for name in ["a+b", "My App"] {
            assert_eq!(told(|faults| check_project_name(faults, name)), "", "{name}");
        }
        for name in ["a (b)", "a/b"] {
            assert_eq!(told(|faults| check_project_name(faults, name)), PROJECT_NAME, "{name}");
        }
        assert_eq!(told(|faults| check_project_name(faults, "  ")), BLANK);
        let long = told(|faults| check_group_name(faults, &"x".repeat(256)));
        assert_eq!(long, "is too long (maximum is 255 characters)");
    }

    #[test]
    fn paths_are_refused_in_the_words_of_the_api() {
        assert_eq!(told(|faults| check_path(faults, "-x", PathPosition::Root)), GROUP_PATH);
        assert_eq!(told(|faults| check_path(faults, "x.git", PathPosition::Project)), PROJECT_PATH);
        assert_eq!(told(|faults| check_path(faults, "tree", PathPosition::Project)), "tree is a reserved name");
        assert_eq!(told(|faults| check_path(faults, "", PathPosition::Subgroup)), BLANK);
        assert_eq!(told(|faults| check_path(faults, "ok", PathPosition::Subgroup)), "");
    }

    #[test]
    fn a_project_gets_its_path_from_its_name() {
        assert_eq!(path_from_name("My App"), "my-app");
        assert_eq!(path_from_name("Käse & Brot  v1.0"), "kse--brot-v1.0");
        assert_eq!(path_from_name("日本"), "");
    }
}
