//! The names of refs, held against git itself: what `git check-ref-format` takes is read back unchanged, and what it
//! refuses is refused.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use gatehouse::domain::access::refs::{RefName, RefUpdate, is_ref, is_valid_name};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Pieces of names, but for the newline, which ends a line: what git forbids somewhere, what Unicode takes for a space, and bytes that are no UTF-8.
const PIECES: &[&[u8]] = &[
    b"a",
    b"b",
    b"x",
    b".",
    b"..",
    b"/",
    b"//",
    b"@",
    b"{",
    b"@{",
    b"~",
    b"^",
    b":",
    b"?",
    b"*",
    b"[",
    b"]",
    b"\\",
    b" ",
    b"\t",
    b"\r",
    b"\x01",
    b"\x7f",
    b".lock",
    b"lock",
    b"-",
    b"HEAD",
    b"refs",
    b"heads",
    b"}",
    b"\"",
    b"'",
    b"%",
    "é".as_bytes(),
    "\u{3000}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{2003}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{fffd}".as_bytes(),
    b"\xff",
    b"\xc3",
    b"\xe3\x80",
];
const PREFIXES: &[&str] = &["refs/heads/", "refs/heads/", "refs/tags/", "refs/notes/", "refs/", ""];

fn is_taken_by_git(name: &[u8]) -> bool {
    Command::new("git").arg("check-ref-format").arg(OsStr::from_bytes(name)).status().unwrap().success()
}

#[test]
fn names_are_gits() {
    let mut random = StdRng::seed_from_u64(27);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..1500 {
        let mut name = PREFIXES[random.random_range(0..PREFIXES.len())].as_bytes().to_vec();
        for _ in 0..random.random_range(0..5) {
            name.extend(PIECES[random.random_range(0..PIECES.len())]);
        }
        // A name that is an option tells nothing.
        if name.is_empty() || name.starts_with(b"-") {
            continue;
        }
        let by_git = is_taken_by_git(&name);
        // As Gitaly's JSON has it.
        let text = String::from_utf8_lossy(&name).into_owned();
        assert_eq!(is_ref(&text), by_git, "{text:?}");
        let id = "a".repeat(40);
        let changes = RefUpdate::list(&format!("{id} {id} {text}\n"));
        if by_git {
            taken += 1;
            let changes = changes.unwrap_or_else(|bad| panic!("{text:?} {bad}"));
            let names: Vec<String> = changes.iter().map(|change| change.name.to_string()).collect();
            assert_eq!(names, [text]);
        } else {
            refused += 1;
            let is_invalid = |change: &RefUpdate| match &change.name {
                RefName::Branch(name) | RefName::Tag(name) => !is_valid_name(name),
                RefName::Other(_) => false,
            };
            assert!(changes.is_err() || changes.iter().flatten().any(is_invalid), "{text:?} is let through");
        }
    }
    assert!(taken > 200 && refused > 200, "{taken} names taken and {refused} refused");
}
