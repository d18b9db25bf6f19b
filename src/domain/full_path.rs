//! Which names a user, group or project may have in a path.

/// Why a name cannot be part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing at all, as between two slashes.
    #[error("has an empty part")]
    Empty,
    /// More than a column, and a folder on a disk, can hold.
    #[error("has a part of more than 255 characters")]
    TooLong,
    /// A character that would need escaping somewhere.
    #[error("may only have letters, digits, `_`, `-` and `.`, and starts with a letter, a digit or `_`")]
    Characters,
    /// An ending that URLs use for something else.
    #[error("must not end in `.`, `.git` or `.atom`")]
    Ending,
    /// A word that the routes of GitLab's web application need.
    #[error("is a word that GitLab keeps for its own pages")]
    Reserved,
}

/// Where a name stands: reserved words differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathPosition {
    /// A user or a root group.
    Root,
    /// A group below another one.
    Subgroup,
    /// A project.
    Project,
}

/// Whether `name` can be one part of a path.
pub fn check_name(name: &str, position: PathPosition) -> Result<(), BadName> {
    let reserved = match position {
        PathPosition::Root => ROOT_WORDS,
        PathPosition::Subgroup | PathPosition::Project => INNER_WORDS,
    };
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let lower = name.to_ascii_lowercase();
    if name.is_empty() {
        Err(BadName::Empty)
    } else if name.len() > 255 {
        Err(BadName::TooLong)
    } else if reserved.contains(&lower.as_str()) {
        Err(BadName::Reserved)
    } else if name.starts_with(['-', '.']) || !name.chars().all(allowed) {
        Err(BadName::Characters)
    } else if ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
        Err(BadName::Ending)
    } else {
        Ok(())
    }
}

/// The path of the namespace around `path` and the last part; no namespace for a root.
#[must_use]
pub fn split(path: &str) -> (Option<&str>, &str) {
    path.rsplit_once('/').map_or((None, path), |(parent, name)| (Some(parent), name))
}

/// What follows a name in URLs.
const ENDINGS: &[&str] = &[".", ".git", ".atom"];

/// First parts of GitLab's own URLs.
const ROOT_WORDS: &[&str] = &[
    "-",
    ".well-known",
    "404.html",
    "422.html",
    "500.html",
    "502.html",
    "503.html",
    "admin",
    "api",
    "apple-touch-icon.png",
    "assets",
    "dashboard",
    "deploy.html",
    "explore",
    "favicon.ico",
    "favicon.png",
    "files",
    "groups",
    "health_check",
    "help",
    "import",
    "jwt",
    "login",
    "oauth",
    "profile",
    "projects",
    "public",
    "robots.txt",
    "s",
    "search",
    "sitemap",
    "sitemap.xml",
    "sitemap.xml.gz",
    "slash-command-logo.png",
    "snippets",
    "unsubscribes",
    "uploads",
    "users",
    "v2",
];

/// Parts that follow a group's or a project's path in URLs, where a subgroup or a project would stand.
const INNER_WORDS: &[&str] = &[
    "-",
    "badges",
    "blame",
    "blob",
    "builds",
    "commits",
    "create",
    "create_dir",
    "edit",
    "files",
    "find_file",
    "new",
    "preview",
    "raw",
    "refs",
    "tree",
    "update",
    "wikis",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_checked_for_its_position() {
        let cases = [
            ("rubi", PathPosition::Root, Ok(())),
            ("_a.b-c", PathPosition::Project, Ok(())),
            ("wget2", PathPosition::Subgroup, Ok(())),
            ("", PathPosition::Root, Err(BadName::Empty)),
            ("ä", PathPosition::Root, Err(BadName::Characters)),
            ("-a", PathPosition::Root, Err(BadName::Characters)),
            ("a b", PathPosition::Project, Err(BadName::Characters)),
            ("a.GIT", PathPosition::Project, Err(BadName::Ending)),
            ("a.", PathPosition::Project, Err(BadName::Ending)),
            ("Admin", PathPosition::Root, Err(BadName::Reserved)),
            ("admin", PathPosition::Project, Ok(())),
            ("tree", PathPosition::Project, Err(BadName::Reserved)),
            ("New", PathPosition::Project, Err(BadName::Reserved)),
            ("builds", PathPosition::Subgroup, Err(BadName::Reserved)),
            ("new", PathPosition::Root, Ok(())),
        ];
        for (name, position, answer) in cases {
            assert_eq!(check_name(name, position), answer, "{name} {position:?}");
        }
        assert_eq!(check_name(&"x".repeat(256), PathPosition::Root), Err(BadName::TooLong));
    }
}
