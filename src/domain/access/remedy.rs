//! What would let a refused attempt go on, in words.

use super::denial::{AccountDenial, Denial, RepositoryKind};
use super::facts::{AccessActor, AccessFacts};
use super::{Attempt, GitCommand, sees};
use crate::domain::level::AccessLevel;

/// What would let a refused attempt go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRemedy {
    /// What has to be done, without a full stop.
    pub words: String,
    /// The level that the user lacks in the project, where one would do.
    pub level: Option<AccessLevel>,
}

impl AccessRemedy {
    fn of(words: impl Into<String>) -> Self {
        Self { words: words.into(), level: None }
    }

    fn level(level: AccessLevel) -> Self {
        Self { words: format!("needs {level}"), level: Some(level) }
    }
}

/// What would let the attempt go on that was refused so. `admitted` is the lowest level that the protections of the ref
/// let in, where the refusal is about one.
#[must_use]
pub fn remedy(facts: &AccessFacts, attempt: &Attempt, denial: &Denial, admitted: Option<AccessLevel>) -> AccessRemedy {
    let user = matches!(facts.actor(), AccessActor::User(_));
    match denial {
        Denial::DownloadNotInScope | Denial::PushNotInScope => {
            AccessRemedy::of("use a token with the scope read_repository or write_repository")
        }
        Denial::MaintenanceMode => AccessRemedy::of("an administrator ends the maintenance mode"),
        Denial::OtpRequired(login) => AccessRemedy::of(format!("show a one-time password: ssh {login} 2fa_verify")),
        Denial::DesignsAreWebOnly => AccessRemedy::of("designs are changed on the web"),
        Denial::MayNotManageDesigns => AccessRemedy::level(AccessLevel::DEVELOPER),
        Denial::NoSuchSnippet => AccessRemedy::of("there is no such snippet: look at the path"),
        Denial::ProtocolClosed(protocol) => AccessRemedy::of(format!(
            "use another protocol than {}, or open it in the settings of the installation and of the top-level group",
            protocol.as_str()
        )),
        Denial::KeyTooShort(bits) => AccessRemedy::of(format!("add a key of {bits} bits at least")),
        Denial::KeyTypeForbidden(_) => AccessRemedy::of("add a key of a type that is allowed"),
        Denial::KeyExpired => AccessRemedy::of("add a new key, or move the end of this one"),
        Denial::KeyNeverExpires | Denial::KeyLivesTooLong => {
            AccessRemedy::of("add a key that ends within the time that the installation allows")
        }
        Denial::SnippetsNeedAUser => AccessRemedy::of("use a key of a user's: deploy keys reach no snippets"),
        Denial::MayNotUseGit(account) => AccessRemedy::of(account_remedy(account)),
        Denial::HttpDownloadClosed | Denial::HttpPushClosed => {
            AccessRemedy::of("use SSH, or open HTTP in the settings file (gitlab_shell)")
        }
        Denial::UnknownCommand => AccessRemedy::of("use git: clone, fetch or push"),
        Denial::ReadOnlyDatabase => AccessRemedy::of("push to the primary: this installation is declared read-only"),
        Denial::CertificateOfAnotherNamespace => {
            AccessRemedy::of("log in with a certificate of the project's top-level group")
        }
        Denial::NoSuchNamespace | Denial::NoSuchProject | Denial::NoSuchWiki => {
            AccessRemedy::of("there is nothing under this path: look at its spelling, or create the project")
        }
        Denial::Invisible(_) => invisible(facts, attempt, user),
        Denial::NoRepository(_) => AccessRemedy::of("the repository is not on its storage: a push by who may makes it"),
        Denial::MayNotDownload(RepositoryKind::Project | RepositoryKind::Wiki) if user => {
            AccessRemedy::level(AccessLevel::REPORTER)
        }
        Denial::MayNotDownload(_) => AccessRemedy::of("a maintainer opens it to all who see the project"),
        Denial::RepositoryReadOnly => AccessRemedy::of("wait: the repository is being moved"),
        Denial::Archived => AccessRemedy::of("an owner takes the project, or the group above it, out of the archive"),
        Denial::DeployKeyMayNotPush => AccessRemedy::of("a maintainer lets the deploy key write to the project"),
        Denial::NobodyMayNotPush => AccessRemedy::of("push with a key that is known"),
        Denial::MayNotPush if !user => {
            AccessRemedy::of("the deploy key writes, its creator is a member who may push, and protections name it")
        }
        Denial::MayNotPush if facts.project.as_ref().is_some_and(|project| project.pending_deletion) => {
            AccessRemedy::of("an owner restores the project: it waits for its deletion")
        }
        Denial::MayNotPush | Denial::MayNotWriteWiki | Denial::MayNotChangeTag => {
            let has = facts.project.as_ref().is_some_and(|project| project.level >= AccessLevel::DEVELOPER);
            if has {
                AccessRemedy::of("a maintainer switches the feature on")
            } else {
                AccessRemedy::level(AccessLevel::DEVELOPER)
            }
        }
        Denial::MayNotUpdateSnippet => AccessRemedy::of("its author, or a maintainer of its project, updates it"),
        Denial::NoDefaultBranch { .. } | Denial::MayNotDeleteProtectedBranch | Denial::MayNotDeleteProtectedTag => {
            AccessRemedy::level(AccessLevel::MAINTAINER)
        }
        Denial::MayNotCreateProtectedBranch
        | Denial::MayNotPushToProtectedBranch
        | Denial::MayNotMergeIntoProtectedBranch
        | Denial::MayNotCreateProtectedTag => match admitted {
            Some(level) => AccessRemedy::level(level),
            None => AccessRemedy::of("the protection of the ref names nobody by level: a maintainer changes it"),
        },
        Denial::DefaultBranchDeleted => AccessRemedy::of("make another branch the default one first"),
        Denial::BranchLikeObjectId
        | Denial::InvalidBranchName
        | Denial::TagNamedLikeDefaultBranch
        | Denial::TagNotUtf8
        | Denial::InvalidTagName
        | Denial::TagLikeObjectId
        | Denial::BranchNameRule(_) => AccessRemedy::of("use another name"),
        Denial::ForcePush => {
            AccessRemedy::of("push without rewriting history, or a maintainer allows force pushes to the branch")
        }
        Denial::ProtectedBranchFromUnknownCommit => {
            AccessRemedy::of("begin the branch with a commit that a protected branch has")
        }
        Denial::CreateProtectedBranchOnWeb | Denial::DeleteProtectedBranchOnWeb | Denial::DeleteProtectedTagOnWeb => {
            AccessRemedy::of("do it on the web")
        }
        Denial::PolicyBlocksForcePush | Denial::PolicyBlocksPush => {
            AccessRemedy::of("use a merge request, or the security policy excepts the branch")
        }
        Denial::ProtectedTagUpdated => AccessRemedy::of("protected tags do not move: use another name"),
        Denial::FileLocked { username, .. } => AccessRemedy::of(format!(
            "{username} unlocks the file, or a maintainer does by force: git lfs unlock --force"
        )),
        Denial::LfsObjectsMissing => AccessRemedy::of("upload the LFS objects first: git lfs push --all"),
        Denial::RepositoryFull | Denial::RepositoryWouldBeFull => {
            AccessRemedy::of("make the repository smaller, or an administrator raises its limit")
        }
        Denial::SnippetBranch => AccessRemedy::of("push to the snippet's one branch"),
        Denial::InvalidRegex { .. } => AccessRemedy::of("a maintainer corrects the expression of the push rule"),
        Denial::TagDeletionDenied
        | Denial::CommitMessageRule(_)
        | Denial::CommitMessageNegativeRule(_)
        | Denial::CommitterEmailRule { .. }
        | Denial::AuthorEmailRule { .. }
        | Denial::NotSignedOff
        | Denial::NotSigned
        | Denial::AuthorNotAMember(_)
        | Denial::CommitterNotAMember(_)
        | Denial::CommitterNotVerified(_)
        | Denial::CommitterIsAnother(_)
        | Denial::CommitterNameDiffers
        | Denial::FileNameRule { .. }
        | Denial::FileTooLarge { .. } => {
            AccessRemedy::of("change the commits as the push rule asks, or a maintainer changes the rule")
        }
    }
}

fn account_remedy(account: &AccountDenial) -> &'static str {
    match account {
        AccountDenial::Internal => "use another account: the installation's own never use git",
        AccountDenial::PendingApproval => "an administrator approves the account",
        AccountDenial::TermsNotAccepted(_) => "the user accepts the terms of service",
        AccountDenial::Deactivated => "the user signs in again, or an administrator activates the account",
        AccountDenial::Unconfirmed => "the user confirms the e-mail address",
        AccountDenial::Blocked => "an administrator unblocks the account; one that is locked opens by itself",
        AccountDenial::PasswordExpired => "the user changes the password",
    }
}

/// What cannot be seen may be hidden, restricted to addresses, or just not be the actor's.
fn invisible(facts: &AccessFacts, attempt: &Attempt, user: bool) -> AccessRemedy {
    let Some(project) = &facts.project else { return AccessRemedy::of("look at the path") };
    if project.hidden {
        return AccessRemedy::of("an administrator shows the project again: it is hidden");
    }
    let seen = match facts.actor() {
        AccessActor::User(user) => project.level >= AccessLevel::GUEST || sees(user, project.visibility),
        AccessActor::DeployKey(_) => project.deploy_key_can_push.is_some(),
        AccessActor::DeployToken(_) => true,
        AccessActor::Nobody => false,
    };
    if seen {
        let address = "come from an address that the top-level group lets in, or an owner of it adds this one";
        return AccessRemedy::of(address);
    }
    match (user, attempt.command) {
        (true, GitCommand::Push) => AccessRemedy::level(AccessLevel::DEVELOPER),
        (true, GitCommand::Download | GitCommand::Unknown) => AccessRemedy::level(AccessLevel::REPORTER),
        (false, _) => AccessRemedy::of("a maintainer enables the deploy key in the project"),
    }
}
