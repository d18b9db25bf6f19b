//! What an account may be: its names, addresses and password (rest.md 3.3).

use super::full_path::{BadName, PathPosition, check_name};
use super::record_faults::{BLANK, RecordFaults};

/// Characters of a password at least.
pub const SHORTEST_PASSWORD: usize = 8;
/// Characters of a password at most, where a client sets it. bcrypt looks at the first 72 bytes.
const LONGEST_PASSWORD: usize = 128;

/// Characters of an address at most.
const LONGEST_ADDRESS: usize = 254;

/// Whether the text has the shape of an address: one `@` with something on both sides, and no blank.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let blank = text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    let parts = text.split_once('@').filter(|(_, host)| !host.contains('@'));
    !blank
        && text.chars().count() <= LONGEST_ADDRESS
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

/// Notes what is wrong with an address.
pub fn check_address(faults: &mut RecordFaults, address: &str) {
    if address.trim().is_empty() {
        faults.add("email", BLANK);
    } else if !is_address(address) {
        faults.add("email", "is invalid");
    }
}

/// Notes what is wrong with the name that people read.
pub fn check_display_name(faults: &mut RecordFaults, name: &str) {
    if name.trim().is_empty() {
        faults.add("name", BLANK);
    }
    faults.check_length("name", Some(name), 255);
}

/// Notes what is wrong with a username.
pub fn check_username(faults: &mut RecordFaults, username: &str) {
    match check_name(username, PathPosition::Root) {
        Ok(()) => {}
        Err(BadName::Empty) => faults.add("username", BLANK),
        Err(BadName::TooLong) => faults.add("username", "is too long (maximum is 255 characters)"),
        Err(BadName::Reserved) => faults.add("username", format!("{username} is a reserved name")),
        Err(BadName::Characters | BadName::Ending) => faults.add(
            "username",
            "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'",
        ),
    }
}

/// Notes what is wrong with a password of somebody with these names and this address.
pub fn check_password(faults: &mut RecordFaults, password: &str, known: [&str; 3]) {
    let length = password.chars().count();
    if length < SHORTEST_PASSWORD {
        faults.add("password", format!("is too short (minimum is {SHORTEST_PASSWORD} characters)"));
    } else if length > LONGEST_PASSWORD {
        faults.add("password", format!("is too long (maximum is {LONGEST_PASSWORD} characters)"));
    } else if known.iter().any(|word| word.to_lowercase() == password.to_lowercase()) {
        faults.add("password", "must not contain commonly used combinations of words and letters");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(check: impl FnOnce(&mut RecordFaults)) -> Vec<String> {
        let mut faults = RecordFaults::default();
        check(&mut faults);
        faults.iter().map(|(field, faults)| format!("{field} {}", faults.join(", "))).collect()
    }

    #[test]
    fn an_address_has_one_at_sign_and_no_blank() {
        for text in ["a@b", "zoe@example.com", "\"x\"@[::1]"] {
            assert!(is_address(text), "{text}");
        }
        for text in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", &format!("a@{}", "b".repeat(253))] {
            assert!(!is_address(text), "{text}");
        }
    }

    #[test]
    fn names_and_passwords_have_their_rules() {
        assert!(said(|faults| check_username(faults, "zoe.x-1")).is_empty());
        assert_eq!(said(|faults| check_username(faults, "admin")), ["username admin is a reserved name"]);
        assert!(said(|faults| check_username(faults, "-zoe"))[0].starts_with("username can contain only"));
        assert_eq!(said(|faults| check_display_name(faults, " ")), ["name can't be blank"]);
        assert_eq!(
            said(|faults| check_display_name(faults, &"x".repeat(256))),
            ["name is too long (maximum is 255 characters)"]
        );
        let known = ["zoe.zimmer", "Zoe Zimmer", "zoe@example.com"];
        let password = |password: &str| said(|faults| check_password(faults, password, known));
        assert_eq!(password("short1"), ["password is too short (minimum is 8 characters)"]);
        assert_eq!(password("Zoe.Zimmer").len(), 1);
        assert_eq!(password(&"x".repeat(129)), ["password is too long (maximum is 128 characters)"]);
        assert!(password("correct horse").is_empty());
    }
}
