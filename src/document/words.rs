//! The small values of a state document: GitLab's words for levels, dates, and values that may come from elsewhere.

use std::fmt;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// A word that stands for a number in the database.
pub trait NumberedWord: Copy {
    /// The number.
    fn number(self) -> i32;
    /// The word for a number, or the number where no word is known for it.
    fn word_of(number: i32) -> String;
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal $number:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
        #[allow(missing_docs, reason = "the words say it")]
        pub enum $name {
            $(#[serde(rename = $word)] $variant,)+
        }

        impl NumberedWord for $name {
            fn number(self) -> i32 {
                match self { $(Self::$variant => $number,)+ }
            }

            fn word_of(number: i32) -> String {
                match number {
                    $($number => $word.to_owned(),)+
                    other => other.to_string(),
                }
            }
        }
    )+};
}

words! {
    /// What a member may do.
    LevelWord {
        Guest "guest" 10,
        Planner "planner" 15,
        Reporter "reporter" 20,
        Developer "developer" 30,
        Maintainer "maintainer" 40,
        Owner "owner" 50,
    }
    /// Who may see a group or a project.
    VisibilityWord {
        Private "private" 0,
        Internal "internal" 10,
        Public "public" 20,
    }
    /// Who may use a feature: nobody, members, everyone who sees the project, and for pages everybody.
    FeatureWord {
        Disabled "disabled" 0,
        Private "private" 10,
        Enabled "enabled" 20,
        Public "public" 30,
    }
    /// Who may create projects in a group.
    ProjectCreationWord {
        NoOne "noone" 0,
        Maintainer "maintainer" 1,
        Developer "developer" 2,
        Owner "owner" 3,
        Administrator "administrator" 4,
    }
    /// How a new default branch is protected.
    BranchProtectionWord {
        None "none" 0,
        DevelopersCanPush "developers_can_push" 1,
        Full "full" 2,
        DevelopersCanMerge "developers_can_merge" 3,
        DevelopersCanInitialPush "developers_can_initial_push" 4,
    }
    /// The ways git may come in.
    ProtocolWord {
        Any "any" 0,
        Ssh "ssh" 1,
        Http "http" 2,
    }
    /// What an SSH key is good for.
    KeyUsageWord {
        AuthAndSigning "auth_and_signing" 0,
        Auth "auth" 1,
        Signing "signing" 2,
    }
    /// What has become of a merge request.
    MergeRequestStateWord {
        Opened "opened" 1,
        Closed "closed" 2,
        Merged "merged" 3,
        Locked "locked" 4,
    }
    /// How a message is shown.
    BroadcastTypeWord {
        Banner "banner" 1,
        Notification "notification" 2,
    }
}

/// Whether an entry should exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Ensure {
    #[default]
    Present,
    Absent,
}

impl Ensure {
    /// Whether the entry should not exist.
    #[must_use]
    pub fn is_absent(self) -> bool {
        self == Self::Absent
    }
}

/// A date, `2027-01-31`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("pattern" = r"^\d{4}-\d{2}-\d{2}$", "examples" = ["2027-01-31"]))]
pub struct StatedDay(String);

impl StatedDay {
    /// The date, if the calendar has it.
    #[must_use]
    pub fn date(&self) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(&self.0, "%Y-%m-%d").ok()
    }
}

/// A value, or where it is: `$env:NAME` or `$file:path`. It may be a secret, so it is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("minLength" = 1))]
pub struct GivenValue(String);

impl GivenValue {
    /// What the document says.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GivenValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Given(..)")
    }
}

/// An id that the document chooses. Up to this size JSON numbers are exact, and a typing error leaves ids to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("minimum" = 1, "maximum" = 9_007_199_254_740_991_i64))]
pub struct StatedId(pub i64);

/// For a field that may be null: `None` where the document leaves it out, `Some(None)` where it says null.
///
/// # Errors
/// Where the value is no `T`.
pub fn stated<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
