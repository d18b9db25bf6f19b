//! Every refusal, and the status that answers it (allowed.md section 2).

use super::attempt::AccessProtocol;
use crate::domain::ssh_key::KeyKind;

/// Why an attempt was refused. [`Denial::sentence`] is what users see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// B1
    MaintenanceMode,
    /// B4, with the login to use
    OtpRequired(String),
    /// C1
    DesignsAreWebOnly,
    /// C1, by web
    MayNotManageDesigns,
    /// C2, and snippets that the actor may not know of
    NoSuchSnippet,
    /// D1
    ProtocolClosed(AccessProtocol),
    /// D2a
    KeyTooShort(u32),
    /// D2a, with the types that are open
    KeyTypeForbidden(Vec<KeyKind>),
    /// D2b
    KeyExpired,
    /// D2a, where keys must end
    KeyNeverExpires,
    /// D2a, where keys must end sooner
    KeyLivesTooLong,
    /// D2c
    SnippetsNeedAUser,
    /// D3
    MayNotUseGit(AccountDenial),
    /// D3b: the token is for other things
    DownloadNotInScope,
    /// D3b
    PushNotInScope,
    /// D4
    HttpDownloadClosed,
    /// D5
    HttpPushClosed,
    /// D6
    UnknownCommand,
    /// D7b
    ReadOnlyDatabase,
    /// D8
    CertificateOfAnotherNamespace,
    /// D8b
    NoSuchNamespace,
    /// D9b
    NoSuchProject,
    /// D9b of a wiki
    NoSuchWiki,
    /// D10: what the actor may not know of reads as what is not there
    Invisible(RepositoryKind),
    /// D12
    NoRepository(RepositoryKind),
    /// 2.3
    MayNotDownload(RepositoryKind),
    /// P1
    RepositoryReadOnly,
    /// P2
    Archived,
    /// P3
    DeployKeyMayNotPush,
    /// P4
    NobodyMayNotPush,
    /// P5
    MayNotPush,
    /// P7
    MayNotWriteWiki,
    /// P8
    MayNotUpdateSnippet,
    /// R2
    DefaultBranchDeleted,
    /// R3
    BranchLikeObjectId,
    /// R4
    InvalidBranchName,
    /// R5
    ForcePush,
    /// R6
    NoDefaultBranch {
        /// What the first branch would be called.
        branch: String,
        /// The project's full path.
        project: String,
    },
    /// R7
    MayNotCreateProtectedBranch,
    /// R8
    ProtectedBranchFromUnknownCommit,
    /// R9
    CreateProtectedBranchOnWeb,
    /// R10
    MayNotDeleteProtectedBranch,
    /// R11
    DeleteProtectedBranchOnWeb,
    /// R12
    MayNotMergeIntoProtectedBranch,
    /// R13
    MayNotPushToProtectedBranch,
    /// R14, of a push that rewrites history
    PolicyBlocksForcePush,
    /// R14
    PolicyBlocksPush,
    /// T1
    MayNotChangeTag,
    /// T2
    TagNamedLikeDefaultBranch,
    /// T3
    TagNotUtf8,
    /// T4
    InvalidTagName,
    /// T5
    TagLikeObjectId,
    /// T6
    ProtectedTagUpdated,
    /// T7
    MayNotDeleteProtectedTag,
    /// T8
    DeleteProtectedTagOnWeb,
    /// T9
    MayNotCreateProtectedTag,
    /// K2: a path, and the user who has locked it
    FileLocked {
        /// The path.
        path: String,
        /// Their username.
        username: String,
    },
    /// K3
    LfsObjectsMissing,
    /// K6, before
    RepositoryFull,
    /// K6, after
    RepositoryWouldBeFull,
    /// `branch_name_regex`
    BranchNameRule(String),
    /// `deny_delete_tag`
    TagDeletionDenied,
    /// `commit_message_regex`
    CommitMessageRule(String),
    /// `commit_message_negative_regex`
    CommitMessageNegativeRule(String),
    /// `author_email_regex`, of a committer
    CommitterEmailRule {
        /// The address.
        email: String,
        /// The expression.
        pattern: String,
    },
    /// `author_email_regex`
    AuthorEmailRule {
        /// The address.
        email: String,
        /// The expression.
        pattern: String,
    },
    /// `reject_non_dco_commits`
    NotSignedOff,
    /// `reject_unsigned_commits`
    NotSigned,
    /// `member_check`
    AuthorNotAMember(String),
    /// `member_check`
    CommitterNotAMember(String),
    /// `commit_committer_check`, of an own address that is not confirmed
    CommitterNotVerified(String),
    /// `commit_committer_check`
    CommitterIsAnother(String),
    /// `commit_committer_name_check`
    CommitterNameDiffers,
    /// `file_name_regex` and `prevent_secrets`
    FileNameRule {
        /// The file.
        path: String,
        /// The expression.
        pattern: String,
    },
    /// `max_file_size`
    FileTooLarge {
        /// The file.
        path: String,
        /// The limit.
        mebibytes: u64,
    },
    /// An expression of a push rule that is none.
    InvalidRegex {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Snippets: branches come and go with the snippet alone
    SnippetBranch,
}

/// What a repository holds, where the sentence depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoryKind {
    /// A project's code, or its designs.
    Project,
    /// A wiki.
    Wiki,
    /// A snippet.
    Snippet,
}

/// Why an account may not use git, with what its sentence needs (2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountDenial {
    /// Made by the installation itself.
    Internal,
    /// Waits for an administrator.
    PendingApproval,
    /// Has not accepted the terms of service; the username.
    TermsNotAccepted(String),
    /// Sleeps until the next sign-in.
    Deactivated,
    /// The e-mail address is not confirmed.
    Unconfirmed,
    /// Blocked, banned or locked.
    Blocked,
    /// The password is too old.
    PasswordExpired,
}

/// How a refusal is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenialAnswer {
    /// 401
    Forbidden,
    /// 404
    NotFound,
}

impl Denial {
    /// How the refusal is answered.
    #[must_use]
    pub fn answer(&self) -> DenialAnswer {
        match self {
            Self::NoSuchSnippet
            | Self::NoSuchNamespace
            | Self::NoSuchProject
            | Self::NoSuchWiki
            | Self::Invisible(_)
            | Self::NoRepository(_) => DenialAnswer::NotFound,
            Self::MaintenanceMode
            | Self::OtpRequired(_)
            | Self::DesignsAreWebOnly
            | Self::MayNotManageDesigns
            | Self::ProtocolClosed(_)
            | Self::KeyTooShort(_)
            | Self::KeyTypeForbidden(_)
            | Self::KeyExpired
            | Self::KeyNeverExpires
            | Self::KeyLivesTooLong
            | Self::SnippetsNeedAUser
            | Self::MayNotUseGit(_)
            | Self::DownloadNotInScope
            | Self::PushNotInScope
            | Self::HttpDownloadClosed
            | Self::HttpPushClosed
            | Self::UnknownCommand
            | Self::ReadOnlyDatabase
            | Self::CertificateOfAnotherNamespace
            | Self::MayNotDownload(_)
            | Self::RepositoryReadOnly
            | Self::Archived
            | Self::DeployKeyMayNotPush
            | Self::NobodyMayNotPush
            | Self::MayNotPush
            | Self::MayNotWriteWiki
            | Self::MayNotUpdateSnippet
            | Self::DefaultBranchDeleted
            | Self::BranchLikeObjectId
            | Self::InvalidBranchName
            | Self::ForcePush
            | Self::NoDefaultBranch { .. }
            | Self::MayNotCreateProtectedBranch
            | Self::ProtectedBranchFromUnknownCommit
            | Self::CreateProtectedBranchOnWeb
            | Self::MayNotDeleteProtectedBranch
            | Self::DeleteProtectedBranchOnWeb
            | Self::MayNotMergeIntoProtectedBranch
            | Self::MayNotPushToProtectedBranch
            | Self::PolicyBlocksForcePush
            | Self::PolicyBlocksPush
            | Self::MayNotChangeTag
            | Self::TagNamedLikeDefaultBranch
            | Self::TagNotUtf8
            | Self::InvalidTagName
            | Self::TagLikeObjectId
            | Self::ProtectedTagUpdated
            | Self::MayNotDeleteProtectedTag
            | Self::DeleteProtectedTagOnWeb
            | Self::MayNotCreateProtectedTag
            | Self::FileLocked { .. }
            | Self::LfsObjectsMissing
            | Self::RepositoryFull
            | Self::RepositoryWouldBeFull
            | Self::BranchNameRule(_)
            | Self::TagDeletionDenied
            | Self::CommitMessageRule(_)
            | Self::CommitMessageNegativeRule(_)
            | Self::CommitterEmailRule { .. }
            | Self::AuthorEmailRule { .. }
            | Self::NotSignedOff
            | Self::NotSigned
            | Self::AuthorNotAMember(_)
            | Self::CommitterNotAMember(_)
            | Self::CommitterNotVerified(_)
            | Self::CommitterIsAnother(_)
            | Self::CommitterNameDiffers
            | Self::FileNameRule { .. }
            | Self::FileTooLarge { .. }
            | Self::InvalidRegex { .. }
            | Self::SnippetBranch => DenialAnswer::Forbidden,
        }
    }

    /// The rule, as the contract and metrics call it: its id there, or the name of the push rule.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::MaintenanceMode => "B1",
            Self::OtpRequired(_) => "B4",
            Self::DesignsAreWebOnly | Self::MayNotManageDesigns => "C1",
            Self::NoSuchSnippet => "C2",
            Self::ProtocolClosed(_) => "D1",
            Self::KeyTooShort(_) | Self::KeyTypeForbidden(_) | Self::KeyNeverExpires | Self::KeyLivesTooLong => "D2a",
            Self::KeyExpired => "D2b",
            Self::SnippetsNeedAUser => "D2c",
            Self::MayNotUseGit(_) => "D3",
            Self::DownloadNotInScope | Self::PushNotInScope => "D3b",
            Self::HttpDownloadClosed => "D4",
            Self::HttpPushClosed => "D5",
            Self::UnknownCommand => "D6",
            Self::ReadOnlyDatabase => "D7b",
            Self::CertificateOfAnotherNamespace => "D8",
            Self::NoSuchNamespace => "D8b",
            Self::NoSuchProject | Self::NoSuchWiki => "D9b",
            Self::Invisible(_) => "D10",
            Self::NoRepository(_) => "D12",
            Self::MayNotDownload(_) => "2.3",
            Self::RepositoryReadOnly => "P1",
            Self::Archived => "P2",
            Self::DeployKeyMayNotPush => "P3",
            Self::NobodyMayNotPush => "P4",
            Self::MayNotPush => "P5",
            Self::MayNotWriteWiki => "P7",
            Self::MayNotUpdateSnippet => "P8",
            Self::DefaultBranchDeleted => "R2",
            Self::BranchLikeObjectId => "R3",
            Self::InvalidBranchName => "R4",
            Self::ForcePush => "R5",
            Self::NoDefaultBranch { .. } => "R6",
            Self::MayNotCreateProtectedBranch => "R7",
            Self::ProtectedBranchFromUnknownCommit => "R8",
            Self::CreateProtectedBranchOnWeb => "R9",
            Self::MayNotDeleteProtectedBranch => "R10",
            Self::DeleteProtectedBranchOnWeb => "R11",
            Self::MayNotMergeIntoProtectedBranch => "R12",
            Self::MayNotPushToProtectedBranch => "R13",
            Self::PolicyBlocksForcePush | Self::PolicyBlocksPush => "R14",
            Self::MayNotChangeTag => "T1",
            Self::TagNamedLikeDefaultBranch => "T2",
            Self::TagNotUtf8 => "T3",
            Self::InvalidTagName => "T4",
            Self::TagLikeObjectId => "T5",
            Self::ProtectedTagUpdated => "T6",
            Self::MayNotDeleteProtectedTag => "T7",
            Self::DeleteProtectedTagOnWeb => "T8",
            Self::MayNotCreateProtectedTag => "T9",
            Self::FileLocked { .. } => "K2",
            Self::LfsObjectsMissing => "K3",
            Self::RepositoryFull | Self::RepositoryWouldBeFull => "K6",
            Self::BranchNameRule(_) => "branch_name_regex",
            Self::TagDeletionDenied => "deny_delete_tag",
            Self::CommitMessageRule(_) => "commit_message_regex",
            Self::CommitMessageNegativeRule(_) => "commit_message_negative_regex",
            Self::CommitterEmailRule { .. } | Self::AuthorEmailRule { .. } => "author_email_regex",
            Self::NotSignedOff => "reject_non_dco_commits",
            Self::NotSigned => "reject_unsigned_commits",
            Self::AuthorNotAMember(_) | Self::CommitterNotAMember(_) => "member_check",
            Self::CommitterNotVerified(_) | Self::CommitterIsAnother(_) => "commit_committer_check",
            Self::CommitterNameDiffers => "commit_committer_name_check",
            Self::FileNameRule { .. } => "file_name_regex",
            Self::FileTooLarge { .. } => "max_file_size",
            Self::InvalidRegex { .. } => "invalid_regex",
            Self::SnippetBranch => "snippet_branch",
        }
    }
}
