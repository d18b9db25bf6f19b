//! The sentence of every refusal, as the client shows it to the user (allowed.md section 2).

use std::fmt;

use super::denial::{AccountDenial, Denial, RepositoryKind};
use crate::domain::ssh_key::KeyKind;

impl Denial {
    /// The sentence, for an installation at this URL.
    #[must_use]
    pub fn sentence(&self, url: &str) -> String {
        match self {
            Self::MayNotUseGit(account) => account.sentence(url),
            Self::NoDefaultBranch { project, .. } => format!("{self}{url}/{project}/-/project_members\n\n"),
            other => other.to_string(),
        }
    }
}

impl AccountDenial {
    /// The sentence, for an installation at this URL.
    #[must_use]
    pub fn sentence(&self, url: &str) -> String {
        match self {
            Self::TermsNotAccepted(_) => format!("{self} at {url}."),
            Self::Deactivated => format!("{self} at {url}"),
            Self::Unconfirmed => format!("{self} {url}/users/confirmation/new"),
            Self::Internal | Self::PendingApproval | Self::Blocked | Self::PasswordExpired => self.to_string(),
        }
    }
}

impl fmt::Display for Denial {
    #[expect(clippy::too_many_lines, reason = "a line for each sentence")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::MaintenanceMode => {
                "Git push is not allowed because this GitLab instance is currently in (read-only) maintenance mode."
            }
            Self::OtpRequired(login) => {
                return write!(
                    out,
                    "OTP verification is required to access the repository.\n\n   Use: ssh {login} 2fa_verify"
                );
            }
            Self::DesignsAreWebOnly => "Designs are only accessible using the web interface",
            Self::MayNotManageDesigns => "You are not allowed to manage designs of this project",
            Self::NoSuchSnippet | Self::Invisible(RepositoryKind::Snippet) => {
                "The snippet you were looking for could not be found."
            }
            Self::ProtocolClosed(protocol) => {
                return write!(out, "Git access over {} is not allowed", protocol.as_str().to_uppercase());
            }
            Self::KeyTooShort(bits) => return write!(out, "Your SSH key must be at least {bits} bits."),
            Self::KeyTypeForbidden(open) => {
                return write!(out, "Your SSH key type is forbidden. Must be {}.", one_of(open));
            }
            Self::KeyExpired => "Your SSH key has expired.",
            Self::KeyNeverExpires => {
                "Your SSH key has no expiration date but an expiration date is required for SSH keys on this instance. \
                 Contact the instance administrator."
            }
            Self::KeyLivesTooLong => {
                "Your SSH key has an invalid expiration date. Set a shorter lifetime for the key or contact the instance \
                 administrator."
            }
            Self::SnippetsNeedAUser => "The authentication mechanism is not supported.",
            Self::MayNotUseGit(account) => return account.fmt(out),
            Self::DownloadNotInScope => "You are not allowed to download code.",
            Self::PushNotInScope => "You are not allowed to upload code.",
            Self::HttpDownloadClosed => "Pulling over HTTP is not allowed.",
            Self::HttpPushClosed => "Pushing over HTTP is not allowed.",
            Self::UnknownCommand => "The command you're trying to execute is not allowed.",
            Self::ReadOnlyDatabase => "You can't push code to a read-only GitLab instance.",
            Self::CertificateOfAnotherNamespace => "You are not allowed to access projects in this namespace.",
            Self::NoSuchNamespace => "The namespace you were looking for could not be found.",
            Self::NoSuchProject | Self::Invisible(RepositoryKind::Project) => {
                "The project you were looking for could not be found or you don't have permission to view it."
            }
            Self::NoSuchWiki | Self::Invisible(RepositoryKind::Wiki) => {
                "The wiki you were looking for could not be found."
            }
            Self::NoRepository(RepositoryKind::Project) => "A repository for this project does not exist yet.",
            Self::NoRepository(RepositoryKind::Wiki) => "A repository for this wiki does not exist yet.",
            Self::NoRepository(RepositoryKind::Snippet) => {
                "The snippet repository you were looking for could not be found."
            }
            Self::MayNotDownload(RepositoryKind::Project) => "You are not allowed to download code from this project.",
            Self::MayNotDownload(RepositoryKind::Wiki) => "You are not allowed to download files from this wiki.",
            Self::MayNotDownload(RepositoryKind::Snippet) => "You are not allowed to read this snippet.",
            Self::RepositoryReadOnly => "The repository is temporarily read-only. Please try again later.",
            Self::Archived => "You can't push code to an archived project.",
            Self::DeployKeyMayNotPush => "This deploy key does not have write access to this project.",
            Self::NobodyMayNotPush => "You are not allowed to upload code for this project.",
            Self::MayNotPush => "You are not allowed to push code to this project.",
            Self::MayNotWriteWiki => "You are not allowed to write to this project's wiki.",
            Self::MayNotUpdateSnippet => "You are not allowed to update this snippet.",
            Self::DefaultBranchDeleted => "The default branch of a project cannot be deleted.",
            Self::BranchLikeObjectId => "You cannot create a branch with a SHA-1 or SHA-256 branch name.",
            Self::InvalidBranchName => "You cannot create a branch with an invalid name.",
            Self::ForcePush => "You are not allowed to force push code to a protected branch on this project.",
            Self::NoDefaultBranch { branch, project } => {
                return write!(
                    out,
                    "\nA default branch (e.g. {branch}) does not yet exist for {project}\n\
                     Ask a project Owner or Maintainer to create a default branch:\n\n  "
                );
            }
            Self::MayNotCreateProtectedBranch => "You are not allowed to create protected branches on this project.",
            Self::ProtectedBranchFromUnknownCommit => {
                "You can only use an existing protected branch ref as the basis of a new protected branch."
            }
            Self::CreateProtectedBranchOnWeb => {
                "You can only create protected branches using the web interface and API."
            }
            Self::MayNotDeleteProtectedBranch => {
                "You are not allowed to delete protected branches from this project. \
                 Only a project maintainer or owner can delete a protected branch."
            }
            Self::DeleteProtectedBranchOnWeb => "You can only delete protected branches using the web interface.",
            Self::MayNotMergeIntoProtectedBranch => {
                "You are not allowed to merge code into protected branches on this project."
            }
            Self::PolicyBlocksForcePush => "Force push is blocked by settings overridden by a security policy",
            Self::PolicyBlocksPush => "Push is blocked by settings overridden by a security policy",
            Self::MayNotPushToProtectedBranch => {
                "You are not allowed to push code to protected branches on this project."
            }
            Self::MayNotChangeTag => "You are not allowed to change existing tags on this project.",
            Self::TagNamedLikeDefaultBranch => "You cannot use default branch name to create a tag",
            Self::TagNotUtf8 => "Tag names must be valid when converted to UTF-8 encoding",
            Self::InvalidTagName => "You cannot create a tag with a prohibited pattern.",
            Self::TagLikeObjectId => "You cannot create a tag with a SHA-1 or SHA-256 tag name.",
            Self::ProtectedTagUpdated => "Protected tags cannot be updated.",
            Self::MayNotDeleteProtectedTag => {
                "You are not allowed to delete protected tags from this project. \
                 Only a project maintainer or owner can delete a protected tag."
            }
            Self::DeleteProtectedTagOnWeb => "You can only delete protected tags using the web interface.",
            Self::MayNotCreateProtectedTag => "You are not allowed to create this tag as it is protected.",
            Self::LfsObjectsMissing => {
                "LFS objects are missing. Ensure LFS is properly set up or try a manual \"git lfs push --all\"."
            }
            Self::RepositoryFull => {
                "Your push to this repository cannot be completed because this repository has exceeded the allocated \
                 storage for your project. Contact your GitLab administrator for more information."
            }
            Self::RepositoryWouldBeFull => {
                "Your push to this repository cannot be completed as it would exceed the allocated storage for your \
                 project. Contact your GitLab administrator for more information."
            }
            Self::BranchNameRule(pattern) => {
                return write!(out, "Branch name does not follow the pattern '{pattern}'");
            }
            Self::TagDeletionDenied => "You cannot delete a tag",
            Self::CommitMessageRule(pattern) => {
                return write!(out, "Commit message does not follow the pattern '{pattern}'");
            }
            Self::CommitMessageNegativeRule(pattern) => {
                return write!(out, "Commit message contains the forbidden pattern '{pattern}'");
            }
            Self::CommitterEmailRule { email, pattern } => {
                return write!(out, "Committer's email '{email}' does not follow the pattern '{pattern}'");
            }
            Self::AuthorEmailRule { email, pattern } => {
                return write!(out, "Author's email '{email}' does not follow the pattern '{pattern}'");
            }
            Self::NotSignedOff => "Commit message must contain a DCO signoff",
            Self::NotSigned => "Commit must be signed with a GPG key",
            Self::AuthorNotAMember(email) => return write!(out, "Author '{email}' is not a member of team"),
            Self::CommitterNotAMember(email) => return write!(out, "Committer '{email}' is not a member of team"),
            Self::CommitterNotVerified(email) => return write!(out, "Committer email '{email}' is not verified."),
            Self::CommitterIsAnother(email) => {
                return write!(
                    out,
                    "You cannot push commits for '{email}'. You can only push commits if the committer email is one of \
                     your own verified emails."
                );
            }
            Self::CommitterNameDiffers => "Your git username is inconsistent with GitLab account name",
            Self::FileLocked { path, username } => {
                return write!(out, "'{path}' is locked in Git LFS by @{username}");
            }
            Self::FileNameRule { path, pattern } => {
                return write!(out, "File name {path} was prohibited by the pattern \"{pattern}\".");
            }
            Self::FileTooLarge { path, mebibytes } => {
                return write!(
                    out,
                    "File \"{path}\" is larger than the allowed size of {mebibytes} MiB. Use Git LFS to manage this file."
                );
            }
            Self::InvalidRegex { pattern, reason } => {
                return write!(out, "Regular expression '{pattern}' is invalid: {reason}");
            }
            Self::SnippetBranch => "You can not create or delete branches.",
        };
        out.write_str(sentence)
    }
}

/// The part of the sentence that no setting changes; [`AccountDenial::sentence`] adds the installation's URL where
/// there is one.
impl fmt::Display for AccountDenial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::Internal => "This action cannot be performed by internal users",
            Self::PendingApproval => "Your account is pending approval from your administrator and hence blocked.",
            Self::TermsNotAccepted(username) => {
                return write!(
                    out,
                    "You (@{username}) must accept the Terms of Service in order to perform this action. \
                     To accept these terms, please access GitLab from a web browser"
                );
            }
            Self::Deactivated => {
                "Your account has been deactivated by your administrator. \
                 Please log back in from a web browser to reactivate your account"
            }
            Self::Unconfirmed => {
                "Your primary email address is not confirmed. Please check your inbox for the confirmation instructions. \
                 In case the link is expired, you can request a new confirmation email at"
            }
            Self::Blocked => "Your account has been blocked.",
            Self::PasswordExpired => {
                "Your password expired. Please access GitLab from a web browser to update your password."
            }
        };
        out.write_str(sentence)
    }
}

/// `A`, `A or B`, `A, B, or C`
fn one_of(kinds: &[KeyKind]) -> String {
    let names: Vec<String> = kinds.iter().map(KeyKind::to_string).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [one, two] => format!("{one} or {two}"),
        [most @ .., last] => format!("{}, or {last}", most.join(", ")),
    }
}
