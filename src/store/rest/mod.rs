//! What the public REST API finds, lists and shows.

pub mod accounts;
pub mod callers;
pub mod found;
pub mod groups;
pub mod keys;
pub mod lists;
pub mod members;
pub mod namespaces;
pub mod projects;
pub mod statistics;
pub mod tokens;
pub mod user_deletion;
pub mod user_list;
pub mod user_places;
pub mod users;

/// What somebody asks for by name: an id, where it is all digits, or a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestName {
    /// An id.
    Id(i64),
    /// A full path, or a username.
    Path(String),
}

impl RestName {
    /// What the text names; nothing where it is a number that no id can be, or holds a NUL, which nothing is named by.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.contains('\0') {
            return None;
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Self::Id);
        }
        Some(Self::Path(text.to_owned()))
    }

    fn id(&self) -> Option<i64> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Path(_) => None,
        }
    }

    fn path(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Path(path) => Some(path),
        }
    }
}

/// A pattern of `like` that matches every text with this one in it, letter by letter.
#[must_use]
pub fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
