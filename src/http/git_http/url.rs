//! Takes the URL of a repository apart: `/group/project.git/info/refs` (`git_http.md` 1.1).

use percent_encoding::percent_decode_str;

use crate::domain::repository::{RepositoryPath, SuffixedPath};

/// Bytes of a path at most: no repository has a longer one.
const LONGEST: usize = 8 << 10;

/// What a URL asks of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl {
    /// The repository, without `.git`.
    pub repository: RepositoryPath,
    /// What stands after `.git`, with a slash at its beginning; the whole path again where there is no `.git`.
    pub below: String,
    /// Whether `.git` stands there.
    pub suffixed: bool,
}

impl GitUrl {
    /// The parts of a path below the installation's root, read once. None where it cannot be a repository's.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        if path.len() > LONGEST {
            return None;
        }
        let path = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
        let of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let name = |name: &str| !matches!(name, "" | "." | "..") && name.bytes().all(of_names);
        if !path.split('/').all(name) {
            return None;
        }
        let (repository, below, suffixed) = match path.rfind(".git/") {
            Some(at) => (&path[..at], &path[at + ".git".len()..], true),
            None => (path.strip_suffix("/info/refs")?, "/info/refs", false),
        };
        // The names are good, but for what is left of the last one: nothing of `.git`, and `..` of `...git`.
        repository.split('/').all(name).then(|| Self {
            // No second `.git` goes.
            repository: RepositoryPath::new(&format!("{repository}.git")),
            below: below.to_owned(),
            suffixed,
        })
    }

    /// Where the same is found with `.git`, where the path looks like a project's, a wiki's or a snippet's.
    #[must_use]
    pub fn with_suffix(&self) -> Option<String> {
        let snippet = matches!(self.repository.suffixed(), Some(SuffixedPath::Snippet(..)));
        (snippet || self.repository.in_namespace().is_some())
            .then(|| format!("/{}.git{}", self.repository.as_str(), self.below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Option<(String, String, bool)> {
        GitUrl::parse(path).map(|url| (url.repository.as_str().to_owned(), url.below, url.suffixed))
    }

    #[test]
    fn a_url_is_a_repository_and_what_is_asked_of_it() {
        let some = |repository: &str, below: &str, suffixed| Some((repository.to_owned(), below.to_owned(), suffixed));
        assert_eq!(parts("/g/p.git/info/refs"), some("g/p", "/info/refs", true));
        assert_eq!(parts("/g/s/p.wiki.git/git-upload-pack"), some("g/s/p.wiki", "/git-upload-pack", true));
        assert_eq!(parts("/g/p.git.git/info/refs"), some("g/p.git", "/info/refs", true));
        assert_eq!(parts("/g%2Fp.git/info/refs"), some("g/p", "/info/refs", true));
        assert_eq!(parts("/justname.git/info/refs"), some("justname", "/info/refs", true));
        assert_eq!(parts("/g/p/info/refs"), some("g/p", "/info/refs", false));
    }

    /// http-8
    #[test]
    fn what_cannot_be_a_repositorys_is_none() {
        for path in [
            "/..%2f..%2fg/open.git/info/refs",
            "/g/op%00en.git/info/refs",
            "/g/open.git/../p.git/info/refs",
            "/g/%252e%252e/p.git/info/refs",
            "/g//p.git/info/refs",
            "/g/./p.git/info/refs",
            "/g/p q.git/info/refs",
            "/g/p%FF.git/info/refs",
            "/.git/info/refs",
            "/g/.git/info/refs",
            "/g/...git/info/refs",
            "/..git/info/refs",
            "/info/refs",
            "/g/p.git",
            "/favicon.ico",
            "/",
            "",
        ] {
            assert_eq!(parts(path), None, "{path}");
        }
        assert_eq!(parts(&format!("/g/{}.git/info/refs", "x".repeat(LONGEST))), None);
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_read_without_a_panic(path in "\\PC{0,60}", tail in "(/|\\.git/|%2e|%00|\\.\\.){0,4}") {
            for path in [format!("/{path}{tail}info/refs"), format!("{tail}{path}")] {
                if let Some(url) = GitUrl::parse(&path) {
                    proptest::prop_assert!(url.repository.as_str().split('/').all(|name| name != ".."));
                    let _ = url.with_suffix();
                }
            }
        }
    }
}
