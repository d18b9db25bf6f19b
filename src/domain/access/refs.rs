//! Names of branches and tags, the ref updates of a push, and the patterns that protect refs (allowed.md 3.1, 3.3).

use std::fmt;

use crate::domain::glob;
use crate::domain::push::{self, BadLine, RefChange};

/// One line of a push: a ref goes from one object to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The object that the ref names now; none where the ref is new.
    pub old: Option<ObjectId>,
    /// The object that the ref is to name; none where the ref goes.
    pub new: Option<ObjectId>,
    /// The ref.
    pub name: RefName,
}

/// The id of a git object, as git wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// The id that a text is; none for the zeros that stand for no object.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (!push::is_zero(text)).then(|| Self(text.to_owned()))
    }

    /// The id in hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A full ref name, by what it names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RefName {
    /// `refs/heads/…`, without that beginning
    Branch(String),
    /// `refs/tags/…`, without that beginning
    Tag(String),
    /// Anything else, in full: notes, and what only tools write.
    Other(String),
}

impl RefName {
    /// The kind and name of a full ref name. Every text names something; whether the name is allowed is a rule's
    /// matter.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let named = |prefix| text.strip_prefix(prefix).filter(|name: &&str| !name.is_empty());
        if let Some(name) = named("refs/heads/") {
            Self::Branch(name.to_owned())
        } else if let Some(name) = named("refs/tags/") {
            Self::Tag(name.to_owned())
        } else {
            Self::Other(text.to_owned())
        }
    }

    /// The name without what tells branches from tags.
    #[must_use]
    pub fn short(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Other(name) => name,
        }
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(out, "refs/heads/{name}"),
            Self::Tag(name) => write!(out, "refs/tags/{name}"),
            Self::Other(name) => out.write_str(name),
        }
    }
}

impl RefUpdate {
    /// The changes of a push that git asks about.
    ///
    /// # Errors
    /// Where a line is none of git's: nothing is judged by halves.
    pub fn list(lines: &str) -> Result<Vec<Self>, BadLine> {
        push::lines(lines).map(|line| line.and_then(Self::new)).collect()
    }

    fn new(line: RefChange<'_>) -> Result<Self, BadLine> {
        let name = RefName::parse(line.name);
        // What branches and tags may be called, and what is said where they may not, is a matter of rules.
        if matches!(name, RefName::Other(_)) && !is_ref(line.name) {
            return Err(BadLine::RefName);
        }
        Ok(Self { old: ObjectId::parse(line.old), new: ObjectId::parse(line.new), name })
    }

    /// The changes in lines that a test wrote.
    ///
    /// # Panics
    /// Where a line is none.
    #[cfg(test)]
    #[must_use]
    pub fn parse_all(lines: &str) -> Vec<Self> {
        Self::list(lines).unwrap()
    }

    /// Whether the ref is new.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        self.old.is_none() && self.new.is_some()
    }

    /// Whether the ref goes.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.new.is_none()
    }

    /// The old and new object of a ref that stays.
    #[must_use]
    pub fn moved(&self) -> Option<(&ObjectId, &ObjectId)> {
        self.old.as_ref().zip(self.new.as_ref())
    }
}

/// Whether the name may follow `refs/heads/` or `refs/tags/`: git's rules, and no name that reads as another ref
/// (allowed.md 3.3.1).
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    let reads_as_another = ["refs/heads/", "refs/remotes/", "-"].iter().any(|start| name.starts_with(start));
    !reads_as_another && name != "HEAD" && are_components(name)
}

/// Whether git gives this name to a ref, as `git check-ref-format` says. Bytes beyond ASCII are all alike to it.
#[must_use]
pub fn is_ref(name: &str) -> bool {
    name.contains('/') && are_components(name)
}

/// Whether these are components of a ref's name. One walk: a push may have a hundred thousand names.
fn are_components(name: &str) -> bool {
    let name = name.as_bytes();
    // What a component may not begin with must not follow a slash either, and so for its end.
    let mut before = b'/';
    for (at, &byte) in name.iter().enumerate() {
        match (before, byte) {
            (_, 0..=b' ' | 0x7f | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\')
            | (b'/', b'/' | b'.')
            | (b'.', b'.')
            | (b'@', b'{') => return false,
            (_, b'/') if name[..at].ends_with(b".lock") => return false,
            _ => before = byte,
        }
    }
    !matches!(before, b'/' | b'.') && !name.ends_with(b".lock")
}

/// Whether the name begins like an object id, which git would take it for: 40 or 64 hex digits.
#[must_use]
pub fn looks_like_object_id(name: &str) -> bool {
    name.bytes().take_while(u8::is_ascii_hexdigit).count() >= 40
}

/// A name with `*` for any run of characters, slashes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefPattern(String);

impl RefPattern {
    /// The pattern as it is written.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole name matches, case and all.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        glob::matches(&self.0, name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_says_what_becomes_of_its_ref() {
        let (zeros, id) = ("0".repeat(40), "a".repeat(40));
        let changes = RefUpdate::list(&format!(
            "{zeros} {id} refs/heads/x\n{id} {zeros} refs/tags/v1\n{id} {id} refs/notes/commits\n"
        ));
        let changes = changes.unwrap();
        assert!(changes[0].is_creation() && changes[0].name == RefName::Branch("x".to_owned()));
        assert!(changes[1].is_deletion() && changes[1].name == RefName::Tag("v1".to_owned()));
        assert_eq!(changes[2].name, RefName::Other("refs/notes/commits".to_owned()));
        assert_eq!(changes[0].new.as_ref().map(ObjectId::as_str), Some(id.as_str()));
        let sha256 = format!("{} {} refs/heads/x", "0".repeat(64), "b".repeat(64));
        assert!(RefUpdate::list(&sha256).unwrap()[0].is_creation());
        for name in
            ["refs/heads/", "refs/tags/", "HEAD", "refs/notes/a..b", "refs/notes/a b", "refs/notes/x\r", "/", "x"]
        {
            assert_eq!(RefUpdate::list(&format!("{id} {id} {name}")), Err(BadLine::RefName), "{name:?}");
        }
    }

    #[test]
    fn names_follow_gits_rules() {
        for good in
            ["main", "feature/x", "@", "a.b", "fix-1", "ünïcode", "a@b", "x\u{3000}-stable", "\u{85}", "x\u{fffd}"]
        {
            assert!(is_valid_name(good), "{good}");
        }
        for bad in [
            "",
            "-x",
            "/a",
            "a..b",
            "a//b",
            "a@{b",
            "HEAD",
            "a/",
            "a.",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a b",
            "a~b",
            "a^b",
            "a:b",
            "a?b",
            "a*b",
            "a[b",
            "a\\b",
            "a\u{7f}b",
            "a\tb",
            "refs/heads/x",
            "refs/remotes/x",
        ] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }

    /// allowed-67
    #[test]
    fn a_name_that_begins_with_an_object_id_is_told() {
        let hex = "a".repeat(40);
        assert!(looks_like_object_id(&hex) && looks_like_object_id(&format!("{hex}/x")));
        assert!(!looks_like_object_id(&format!("fix-{hex}")) && !looks_like_object_id(&hex[..39]));
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let matches = |pattern: &str, name| RefPattern::new(pattern).matches(name);
        assert!(matches("*", "") && matches("*", "a/b") && matches("release/*", "release/1/2"));
        assert!(matches("feat*", "feature") && matches("*-stable", "1-2-stable") && matches("a*b*c", "a-b-b-c"));
        assert!(!matches("feat*", "Feature") && !matches("a*b", "ab/c") && !matches("a*a", "a") && !matches("x", "xy"));
        assert!(matches("a.c", "a.c") && !matches("a.c", "abc"));
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_stars_are_filled_with(parts in proptest::collection::vec("[a-z/]{0,3}", 1..5), fill in "[a-z/]{0,3}") {
            prop_assert!(RefPattern::new(parts.join("*")).matches(&parts.join(&fill)));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>(), name in any::<String>()) {
            let _ = (RefUpdate::list(&text), is_valid_name(&text), RefPattern::new(text).matches(&name));
        }
    }
}
