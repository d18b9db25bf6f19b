//! The lines in which git says what a push changes, and what of a push that has happened is an event of its own.

use super::glob;

/// One line of `changes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefChange<'a> {
    /// The object id before; zeros where the ref is new.
    pub old: &'a str,
    /// The object id after; zeros where the ref is gone.
    pub new: &'a str,
    /// The ref's full name.
    pub name: &'a str,
}

/// What kind of ref a push event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefType {
    /// Below `refs/heads/`.
    Branch,
    /// Below `refs/tags/`.
    Tag,
}

/// What became of a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefAction {
    /// It is new.
    Created,
    /// It is gone.
    Removed,
    /// It points elsewhere.
    Pushed,
}

/// The refs of one push that share their type and their fate: events and hooks are bounded for each such group.
#[derive(Debug, PartialEq, Eq)]
pub struct RefGroup<'a> {
    /// The type.
    pub ref_type: RefType,
    /// The fate.
    pub action: RefAction,
    /// The changes, in the order in which they were pushed.
    pub changes: Vec<RefChange<'a>>,
}

/// A line that says of no ref what becomes of it. Git writes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// There are no three parts with a space between them.
    #[error("has a line that is not `old new ref`")]
    Shape,
    /// An object id is none: 40 or 64 hex digits.
    #[error("has an object id that is none")]
    ObjectId,
    /// The ref's name is one that git gives to no ref.
    #[error("has a ref that git does not have")]
    RefName,
}

/// The changes in lines of `old new ref`, as git's hooks get them: a line ends at its newline, a field at its space,
/// and the name is the rest of the line, byte for byte. Whatever else Unicode takes for a space or an end of a line is
/// part of the name, for to git it is.
pub fn lines(changes: &str) -> impl Iterator<Item = Result<RefChange<'_>, BadLine>> {
    let mut rest = changes;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (line, after) = split_at_byte(rest, b'\n').unwrap_or((rest, ""));
            rest = after;
            if !line.is_empty() {
                return Some(RefChange::parse(line));
            }
        }
        None
    })
}

/// The text before the first such byte, which is ASCII, and the text after it.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    memchr::memchr(byte, text.as_bytes()).map(|at| (&text[..at], &text[at + 1..]))
}

/// The changes of a push that has happened. A line that is none is passed over: what was pushed is pushed.
pub fn parse(changes: &str) -> impl Iterator<Item = RefChange<'_>> {
    lines(changes).filter_map(Result::ok)
}

/// Whether git could have written it: 40 or 64 hex digits.
fn is_object_id(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The groups of a push: branches before tags, and those created before those removed before those moved. Other refs,
/// such as `refs/notes/`, are in none.
#[must_use]
pub fn groups(changes: &str) -> Vec<RefGroup<'_>> {
    let mut groups: Vec<RefGroup<'_>> = [RefType::Branch, RefType::Tag]
        .into_iter()
        .flat_map(|ref_type| {
            [RefAction::Created, RefAction::Removed, RefAction::Pushed].map(|action| RefGroup {
                ref_type,
                action,
                changes: Vec::new(),
            })
        })
        .collect();
    for change in parse(changes) {
        let Some((ref_type, _)) = change.short_name() else { continue };
        let action = change.action();
        if let Some(group) = groups.iter_mut().find(|group| group.ref_type == ref_type && group.action == action) {
            group.changes.push(change);
        }
    }
    groups.retain(|group| !group.changes.is_empty());
    groups
}

/// The patterns that protect refs of a project, with `*` for any part of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedRefs {
    /// Those of branches.
    pub branches: Vec<String>,
    /// Those of tags.
    pub tags: Vec<String>,
}

impl ProtectedRefs {
    /// Whether the ref that changed is protected.
    #[must_use]
    pub fn cover(&self, change: &RefChange<'_>) -> bool {
        match change.short_name() {
            Some((RefType::Branch, name)) => self.cover_branch(name),
            Some((RefType::Tag, name)) => self.tags.iter().any(|pattern| glob::matches(pattern, name)),
            None => false,
        }
    }

    /// Whether some pattern protects the branch of this name.
    #[must_use]
    pub fn cover_branch(&self, name: &str) -> bool {
        self.branches.iter().any(|pattern| glob::matches(pattern, name))
    }
}

impl<'a> RefChange<'a> {
    fn parse(line: &'a str) -> Result<Self, BadLine> {
        let (old, rest) = split_at_byte(line, b' ').ok_or(BadLine::Shape)?;
        let (new, name) = split_at_byte(rest, b' ').ok_or(BadLine::Shape)?;
        if !is_object_id(old) || !is_object_id(new) {
            return Err(BadLine::ObjectId);
        }
        if name.is_empty() || memchr::memchr(0, name.as_bytes()).is_some() {
            return Err(BadLine::RefName);
        }
        Ok(Self { old, new, name })
    }

    /// What became of the ref.
    #[must_use]
    pub fn action(&self) -> RefAction {
        if is_zero(self.old) {
            RefAction::Created
        } else if is_zero(self.new) {
            RefAction::Removed
        } else {
            RefAction::Pushed
        }
    }

    /// The name as people say it, with its type; none for refs that are neither branch nor tag.
    #[must_use]
    pub fn short_name(&self) -> Option<(RefType, &'a str)> {
        let branch = self.name.strip_prefix("refs/heads/").map(|name| (RefType::Branch, name));
        branch.or_else(|| self.name.strip_prefix("refs/tags/").map(|name| (RefType::Tag, name)))
    }

    /// The branch's name, where this is a branch that is there after the push.
    #[must_use]
    pub fn pushed_branch(&self) -> Option<&'a str> {
        match self.short_name() {
            Some((RefType::Branch, name)) if !is_zero(self.new) => Some(name),
            _ => None,
        }
    }
}

/// Whether this is the id of no object: 40 zeros, or 64 in a repository of SHA-256.
#[must_use]
pub fn is_zero(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn changes_are_grouped_by_type_and_fate() {
        let changes = format!(
            "{A} {B} refs/heads/main\n{ZERO} {A} refs/heads/new\n{ZERO} {A} refs/tags/v1\n{A} {ZERO} refs/heads/old\n\
             {A} {B} refs/notes/commits\nnonsense\n\n{A} {B} refs/heads/other\n"
        );
        let lines: Vec<String> = groups(&changes)
            .iter()
            .map(|group| {
                let names: Vec<_> = group.changes.iter().map(|change| change.name).collect();
                format!("{:?} {:?}: {}", group.ref_type, group.action, names.join(" "))
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        Branch Created: refs/heads/new
        Branch Removed: refs/heads/old
        Branch Pushed: refs/heads/main refs/heads/other
        Tag Created: refs/tags/v1
        ");
    }

    #[test]
    fn refs_are_protected_by_the_patterns_of_their_kind() {
        let refs = ProtectedRefs { branches: vec!["main".into(), "release/*".into()], tags: vec!["v*".into()] };
        for (name, expected) in [
            ("refs/heads/main", true),
            ("refs/heads/release/1", true),
            ("refs/heads/v1", false),
            ("refs/tags/v1", true),
            ("refs/tags/main", false),
            ("refs/notes/main", false),
        ] {
            assert_eq!(refs.cover(&RefChange { old: A, new: B, name }), expected, "{name}");
        }
    }

    /// shell-77
    #[test]
    fn zeros_of_either_object_format_are_no_object() {
        let old = "0".repeat(64);
        assert_eq!(RefChange { old: &old, new: A, name: "refs/heads/x" }.action(), RefAction::Created);
        assert_eq!(RefChange { old: A, new: ZERO, name: "refs/heads/x" }.action(), RefAction::Removed);
        assert_eq!(RefChange { old: "0000", new: A, name: "refs/heads/x" }.action(), RefAction::Pushed);
        assert_eq!(RefChange { old: A, new: ZERO, name: "refs/heads/x" }.pushed_branch(), None);
        assert_eq!(RefChange { old: A, new: B, name: "refs/heads/x/y" }.pushed_branch(), Some("x/y"));
        assert_eq!(RefChange { old: A, new: B, name: "refs/tags/x" }.pushed_branch(), None);
    }

    #[test]
    fn a_line_is_cut_where_git_cuts_it() {
        let read = |text: &str| lines(text).map(|line| line.map(|change| change.name.to_owned())).collect::<Vec<_>>();
        let line = |name: &str| format!("{A} {B} {name}\n");
        for name in
            ["refs/heads/x\u{3000}-stable", "refs/heads/\u{a0}x", "x\u{85}", "x\u{2028}y", "x\r", "x y", " x", "x\t"]
        {
            assert_eq!(read(&line(name)), [Ok(name.to_owned())], "{name:?}");
        }
        assert_eq!(read(&format!("\n{}\n{}", line("a"), line("b"))), [Ok("a".to_owned()), Ok("b".to_owned())]);
        let sha256 = "c".repeat(64);
        assert_eq!(read(&format!("{sha256} {sha256} x")), [Ok("x".to_owned())]);
        for (text, complaint) in [
            (" ".to_owned(), BadLine::Shape),
            (format!("{A} {B}"), BadLine::Shape),
            (format!("{A}\t{B}\tx"), BadLine::Shape),
            (format!("{A}\u{a0}{B} x y"), BadLine::ObjectId),
            (format!(" {A} {B} x"), BadLine::ObjectId),
            (format!("{A}  {B} x"), BadLine::ObjectId),
            (format!("{} {B} x", &A[1..]), BadLine::ObjectId),
            (format!("{} {B} x", A.replace('a', "g")), BadLine::ObjectId),
            (format!("{A} {B} "), BadLine::RefName),
            (format!("{A} {B} x\0"), BadLine::RefName),
        ] {
            assert_eq!(read(&text), [Err(complaint)], "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_is_read_back_unchanged(names in proptest::collection::vec("[^\\n\\x00]+", 1..4)) {
            let lines: Vec<String> = names.iter().map(|name| format!("{A} {B} {name}\n")).collect();
            let text = lines.concat();
            let read: Vec<String> = parse(&text).map(|change| change.name.to_owned()).collect();
            proptest::prop_assert_eq!(read, names);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = groups(&text);
        }
    }
}
