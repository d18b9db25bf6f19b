//! How a repository is named: `gl_repository`, the path that a user types, and the path on a Gitaly's disk.

use std::fmt;

use sha2::{Digest, Sha256};

use super::full_path::{PathPosition, check_name};
use super::ids::{NamespaceId, ProjectId, SnippetId};

/// What a repository belongs to and holds, as `gl_repository` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GlRepository {
    /// `project-7`, the code
    Project(ProjectId),
    /// `wiki-7`, a project's wiki
    Wiki(ProjectId),
    /// `group-7-wiki`, a group's wiki
    GroupWiki(NamespaceId),
    /// `snippet-7`
    Snippet(SnippetId),
    /// `design-7`; the id is that of the design repository
    Design(i64),
}

/// The text is no `gl_repository`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid gl_repository")]
pub struct InvalidGlRepository;

impl GlRepository {
    /// Reads the forms of allowed.md 1.4.
    ///
    /// # Errors
    /// For an unknown type, a wrong number of parts, or an id that is not a positive decimal.
    pub fn parse(text: &str) -> Result<Self, InvalidGlRepository> {
        let parts: Vec<&str> = text.splitn(4, '-').collect();
        match parts[..] {
            ["project", id] | ["project", id, "code"] => Ok(Self::Project(ProjectId(positive(id)?))),
            ["wiki", id] | ["project", id, "wiki"] => Ok(Self::Wiki(ProjectId(positive(id)?))),
            ["group", id, "wiki"] => Ok(Self::GroupWiki(NamespaceId(positive(id)?))),
            ["snippet", id] => Ok(Self::Snippet(SnippetId(positive(id)?))),
            ["design", id] => Ok(Self::Design(positive(id)?)),
            _ => Err(InvalidGlRepository),
        }
    }
}

fn positive(text: &str) -> Result<i64, InvalidGlRepository> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(id) if digits && id > 0 => Ok(id),
        _ => Err(InvalidGlRepository),
    }
}

impl fmt::Display for GlRepository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => write!(out, "project-{id}"),
            Self::Wiki(id) => write!(out, "wiki-{id}"),
            Self::GroupWiki(id) => write!(out, "group-{id}-wiki"),
            Self::Snippet(id) => write!(out, "snippet-{id}"),
            Self::Design(id) => write!(out, "design-{id}"),
        }
    }
}

/// The path that a user typed after the host's name, without a slash before it and `.git` behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryPath(String);

/// What a path may name besides a project of exactly that path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuffixedPath<'a> {
    /// `{path}.wiki`
    Wiki(&'a str),
    /// `{path}.design`
    Design(&'a str),
    /// `snippets/{id}`, or `{path}/snippets/{id}`
    Snippet(Option<&'a str>, SnippetId),
}

impl RepositoryPath {
    /// The path of a `project` parameter.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.strip_prefix('/').unwrap_or(text);
        Self(text.strip_suffix(".git").unwrap_or(text).to_owned())
    }

    /// The whole path, as a project would have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What else the path names where no project has it.
    #[must_use]
    pub fn suffixed(&self) -> Option<SuffixedPath<'_>> {
        if let Some(path) = self.0.strip_suffix(".wiki") {
            return Some(SuffixedPath::Wiki(path));
        }
        if let Some(path) = self.0.strip_suffix(".design") {
            return Some(SuffixedPath::Design(path));
        }
        let (before, id) = self.0.rsplit_once('/')?;
        let id = SnippetId(positive(id).ok()?);
        match before.strip_suffix("/snippets") {
            Some(path) => Some(SuffixedPath::Snippet(Some(path), id)),
            None if before == "snippets" => Some(SuffixedPath::Snippet(None, id)),
            None => None,
        }
    }

    /// The namespace and the name that the path has: `namespace/.../name`, where the namespace's names are such as
    /// namespaces may have.
    #[must_use]
    pub fn in_namespace(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.0.rsplit_once('/')?;
        let mut names = namespace.split('/');
        let root = names.next().is_some_and(|root| check_name(root, PathPosition::Root).is_ok());
        let well_named = root && names.all(|name| check_name(name, PathPosition::Subgroup).is_ok());
        (well_named && !name.is_empty()).then_some((namespace, name))
    }
}

/// Where a repository is, as our database says. What a client says of it does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryLocation {
    /// The storage's name in the settings.
    pub storage: String,
    /// The path below the storage, `.git` at its end included.
    pub relative_path: String,
    /// Its `gl_repository`.
    pub gl_repository: String,
    /// Its path for people.
    pub gl_project_path: String,
}

/// Where hashed storage keeps the repository of an id: `@hashed/79/02/7902…`, without an ending.
#[must_use]
pub fn hashed_path(prefix: &str, id: i64) -> String {
    let mut hash = String::with_capacity(64);
    for byte in Sha256::digest(id.to_string()) {
        for digit in [byte >> 4, byte & 15] {
            hash.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    format!("{prefix}/{}/{}/{hash}", &hash[..2], &hash[2..4])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_gl_repository_are_read_and_written() {
        for text in ["project-7", "wiki-7", "group-7-wiki", "snippet-9", "design-1"] {
            assert_eq!(GlRepository::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(GlRepository::parse("project-7-wiki").unwrap().to_string(), "wiki-7");
        for text in [
            "",
            "bogus",
            "project-",
            "project-0",
            "project--7",
            "project-+7",
            "project-x",
            "project-7-x",
            "wiki-7-wiki",
            "project-99999999999999999999",
            "project-7-wiki-x",
            "-7",
        ] {
            assert_eq!(GlRepository::parse(text), Err(InvalidGlRepository), "{text}");
        }
    }

    #[test]
    fn a_path_names_a_project_or_what_belongs_to_one() {
        assert_eq!(RepositoryPath::new("/g/p.git").as_str(), "g/p");
        assert_eq!(RepositoryPath::new("g/p.wiki.git").suffixed(), Some(SuffixedPath::Wiki("g/p")));
        assert_eq!(RepositoryPath::new("g/p.design").suffixed(), Some(SuffixedPath::Design("g/p")));
        assert_eq!(RepositoryPath::new("snippets/3").suffixed(), Some(SuffixedPath::Snippet(None, SnippetId(3))));
        let of_project = SuffixedPath::Snippet(Some("g/p"), SnippetId(3));
        assert_eq!(RepositoryPath::new("g/p/snippets/3").suffixed(), Some(of_project));
        assert_eq!(RepositoryPath::new("g/p").suffixed(), None);
    }

    #[test]
    fn only_some_paths_have_a_namespace() {
        let cut = |path: &str| {
            RepositoryPath::new(path).in_namespace().map(|(namespace, name)| format!("{namespace} {name}"))
        };
        assert_eq!(cut("g/p").as_deref(), Some("g p"));
        assert_eq!(cut("/g/s/p.git").as_deref(), Some("g/s p"));
        for path in ["p", "", "api/p", "g//p", "g/", "srv/git data/@hashed/7", "snippets/x"] {
            assert_eq!(cut(path), None, "{path}");
        }
    }

    #[test]
    fn hashed_paths_are_those_of_the_contract() {
        let three = "@hashed/4e/07/4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce";
        assert_eq!(hashed_path("@hashed", 3), three);
        assert!(hashed_path("@snippets", 7).starts_with("@snippets/79/02/7902699be42c8a8e"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = GlRepository::parse(&text);
            let path = RepositoryPath::new(&text);
            let _ = (path.suffixed(), path.in_namespace());
        }
    }
}
