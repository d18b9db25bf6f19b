//! The default branch of a repository: which one it is after the first push, and how it is protected from then on.

use super::level::AccessLevel;

/// The default branch where nobody has chosen another name.
pub const USUAL: &str = "main";
/// What it was called before.
const FORMER: &str = "master";

/// Whether git takes the name for a branch's: `git check-ref-format --branch`.
#[must_use]
#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "git compares its suffix by bytes")]
pub fn is_branch_name(name: &str) -> bool {
    let forbidden = |byte: u8| byte <= b' ' || byte == 0x7f || b"~^:?*[\\".contains(&byte);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !name.bytes().any(forbidden)
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
        && name != "HEAD"
        && name.split('/').all(part)
}

/// What a repository says about its HEAD. Names are without `refs/heads/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryHead {
    /// The branch that HEAD names, which need not be there.
    pub named: Option<String>,
    /// A branch that is there: what HEAD names, or where nobody has pushed that, the one that Gitaly takes in its
    /// place.
    pub branch: Option<String>,
}

impl RepositoryHead {
    /// Whether the branch that HEAD names is there, so that a clone checks it out.
    #[must_use]
    pub fn is_born(&self) -> bool {
        self.named.is_some() && self.named == self.branch
    }

    /// The default branch after a push that made these branches: what HEAD names where that is there, and otherwise one
    /// of the new ones, the preferred name before the others. None where there is no branch to choose from.
    #[must_use]
    pub fn default_after<'a>(&'a self, made: &[&'a str], preferred: &'a str) -> Option<&'a str> {
        let (head, branch) = (self.named.as_deref(), self.branch.as_deref());
        if self.is_born() {
            return head;
        }
        let wanted = [head, Some(preferred), Some(USUAL), Some(FORMER)];
        wanted.into_iter().flatten().find(|name| made.contains(name)).or(branch).or(made.first().copied())
    }
}

/// How new default branches are protected: GitLab's `default_branch_protection`, spelt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultProtection {
    /// Whether they are protected at all.
    pub protects: bool,
    /// Who pushes: 0 is nobody, 60 administrators.
    pub push: AccessLevel,
    /// Who merges.
    pub merge: AccessLevel,
    /// Whether those who push may also force-push.
    pub allow_force_push: bool,
    /// Whether developers make the first branch of an empty repository although they may not push to it later.
    pub developers_push_first: bool,
}

impl Default for DefaultProtection {
    fn default() -> Self {
        Self::FULL
    }
}

impl DefaultProtection {
    /// 0: everybody who may push code does, by force too.
    pub const NONE: Self = Self { protects: false, allow_force_push: true, ..Self::DEVELOPERS_PUSH };
    /// 1: developers push.
    pub const DEVELOPERS_PUSH: Self = Self { push: AccessLevel::DEVELOPER, ..Self::FULL };
    /// 2: maintainers push and merge.
    pub const FULL: Self = Self {
        protects: true,
        push: AccessLevel::MAINTAINER,
        merge: AccessLevel::MAINTAINER,
        allow_force_push: false,
        developers_push_first: false,
    };
    /// 3: developers merge.
    pub const DEVELOPERS_MERGE: Self = Self { merge: AccessLevel::DEVELOPER, ..Self::FULL };
    /// 4: developers make the first push, and no other.
    pub const DEVELOPERS_PUSH_FIRST: Self = Self { developers_push_first: true, ..Self::FULL };

    /// The protection that a `default_branch_protection` column holds. A level that nobody knows protects in full.
    #[must_use]
    pub fn from_level(level: i32) -> Self {
        match level {
            0 => Self::NONE,
            1 => Self::DEVELOPERS_PUSH,
            3 => Self::DEVELOPERS_MERGE,
            4 => Self::DEVELOPERS_PUSH_FIRST,
            _ => Self::FULL,
        }
    }

    /// The protection that the newer form spells out: the levels of those who may push and merge, where they are
    /// stated. What is not stated is as in full protection.
    #[must_use]
    pub fn spelt_out(
        push: Option<&[i32]>,
        merge: Option<&[i32]>,
        allow_force_push: bool,
        developers_push_first: bool,
    ) -> Self {
        let developers_alone = |levels: Option<&[i32]>| {
            levels.is_some_and(|levels| levels.iter().all(|level| *level == AccessLevel::DEVELOPER.0))
        };
        Self {
            protects: !(allow_force_push && developers_alone(push) && developers_alone(merge)),
            push: admitted(push),
            merge: admitted(merge),
            allow_force_push,
            developers_push_first,
        }
    }

    /// Whether developers may make the first branch of an empty repository.
    #[must_use]
    pub fn lets_developers_begin(self) -> bool {
        !self.protects || self.push == AccessLevel::DEVELOPER || self.developers_push_first
    }
}

/// The one level that stands for a list, as GitLab reads it: nobody before everybody, and without a name that it knows,
/// administrators.
fn admitted(levels: Option<&[i32]>) -> AccessLevel {
    let Some(levels) = levels else { return AccessLevel::MAINTAINER };
    let known = [AccessLevel::NO_ACCESS, AccessLevel::DEVELOPER, AccessLevel::MAINTAINER];
    known.into_iter().find(|level| levels.contains(&level.0)).unwrap_or(AccessLevel::ADMIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_branches_are_git_s() {
        for name in ["main", "feature/x.y", "ä", "a@b", "x-"] {
            assert!(is_branch_name(name), "{name}");
        }
        for name in [
            "", "-x", "a..b", "a b", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a.", "@", "a@{b", "a\\b", "x~",
            "HEAD",
        ] {
            assert!(!is_branch_name(name), "{name}");
        }
    }

    fn head(named: Option<&str>, branch: Option<&str>) -> RepositoryHead {
        RepositoryHead { named: named.map(str::to_owned), branch: branch.map(str::to_owned) }
    }

    #[test]
    fn the_default_branch_is_what_head_names_or_follows_the_first_push() {
        let rows = [
            // HEAD names a branch that is there, whatever was pushed beside it.
            (head(Some("main"), Some("main")), vec!["trunk"], Some("main")),
            (head(Some("main"), Some("main")), vec![], Some("main")),
            // HEAD dangles: what it names, the preferred name, the usual ones, and then the first.
            (head(Some("main"), Some("trunk")), vec!["trunk"], Some("trunk")),
            (head(Some("main"), Some("a")), vec!["a", "develop", "master"], Some("develop")),
            (head(Some("x"), Some("a")), vec!["a", "master", "main"], Some("main")),
            (head(Some("x"), Some("a")), vec!["b", "a", "master"], Some("master")),
            (head(Some("x"), Some("a")), vec!["b", "c"], Some("a")),
            // A repository that does not show the push yet.
            (head(Some("main"), None), vec!["b", "main"], Some("main")),
            (head(Some("main"), None), vec!["b", "c"], Some("b")),
            (head(None, None), vec!["b"], Some("b")),
            (head(Some("main"), None), vec![], None),
        ];
        for (head, made, expected) in rows {
            assert_eq!(head.default_after(&made, "develop"), expected, "{head:?} {made:?}");
        }
    }

    #[test]
    fn a_head_is_born_once_the_branch_that_it_names_is_there() {
        assert!(head(Some("main"), Some("main")).is_born());
        assert!(!head(Some("main"), Some("trunk")).is_born() && !head(Some("main"), None).is_born());
        assert!(!head(None, None).is_born());
    }

    #[test]
    fn levels_are_those_of_gitlab() {
        let rows: Vec<String> = (0..=5)
            .map(|level| {
                let DefaultProtection { protects, push, merge, allow_force_push, .. } =
                    DefaultProtection::from_level(level);
                let begin = DefaultProtection::from_level(level).lets_developers_begin();
                format!("{level}: {protects} push {} merge {} force {allow_force_push} begin {begin}", push.0, merge.0)
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"), @r"
        0: false push 30 merge 40 force true begin true
        1: true push 30 merge 40 force false begin true
        2: true push 40 merge 40 force false begin false
        3: true push 40 merge 30 force false begin false
        4: true push 40 merge 40 force false begin true
        5: true push 40 merge 40 force false begin false
        ");
    }

    #[test]
    fn what_is_spelt_out_is_read_as_gitlab_reads_it() {
        let spelt = |push, merge, force| DefaultProtection::spelt_out(push, merge, force, false);
        assert_eq!(spelt(None, None, false), DefaultProtection::FULL);
        assert_eq!(spelt(Some(&[30]), Some(&[40]), false), DefaultProtection::DEVELOPERS_PUSH);
        assert_eq!(spelt(Some(&[40]), Some(&[30]), false), DefaultProtection::DEVELOPERS_MERGE);
        assert!(!spelt(Some(&[30]), Some(&[30]), true).protects);
        // A force push that maintainers alone may make is a protection, and so is one without the other half.
        let maintainers = spelt(Some(&[40]), Some(&[30]), true);
        assert!(maintainers.protects && maintainers.allow_force_push && !maintainers.lets_developers_begin());
        assert!(spelt(None, None, true).protects);
        assert_eq!(spelt(Some(&[0, 30]), Some(&[60]), false).push, AccessLevel::NO_ACCESS);
        assert_eq!(spelt(Some(&[]), Some(&[60]), false).merge, AccessLevel::ADMIN);
        assert!(DefaultProtection::spelt_out(Some(&[40]), None, false, true).lets_developers_begin());
    }
}
