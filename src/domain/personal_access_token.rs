//! A personal access token that somebody wants over SSH: may they have it, and until when? (shell.md 2.7)

use std::fmt;

use chrono::{Days, NaiveDate};

use super::ids::UserId;
use super::requester::{Requester, UnknownRequester};

/// The scopes that a token may have, in the order in which a refusal names them.
pub const SCOPES: [&str; 10] = [
    "api",
    "create_runner",
    "k8s_proxy",
    "manage_runner",
    "read_api",
    "read_registry",
    "read_repository",
    "read_user",
    "write_registry",
    "write_repository",
];

/// Every scope that a token may have which is made over the REST API (rest.md 5).
pub const ALL_SCOPES: [&str; 17] = [
    "api",
    "read_user",
    "read_api",
    "create_runner",
    "manage_runner",
    "k8s_proxy",
    "self_rotate",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
    "read_virtual_registry",
    "write_virtual_registry",
    "ai_features",
    "sudo",
    "admin_mode",
    "read_service_ping",
];

/// Those of them that are for administrators alone.
pub const ADMIN_SCOPES: [&str; 3] = ["sudo", "admin_mode", "read_service_ping"];

/// Whether these scopes give administrators something that a token without them does not.
#[must_use]
pub fn opens_administration(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| ADMIN_SCOPES.contains(&scope.as_str()))
}

/// The life of a token where the instance asks for an end and names none, in days.
const LONGEST: u32 = 365;

/// What is asked for, as the request says it.
#[derive(Debug, Clone, Copy)]
pub struct WantedToken<'a> {
    /// What its owner calls it.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [String],
    /// Its last day, exclusive; empty for as long as the instance allows.
    pub expires_at: &'a str,
}

/// What the instance says about tokens.
#[derive(Debug, Clone, Default)]
pub struct TokenPolicy {
    /// What a token starts with.
    pub prefix: String,
    /// Nobody gets any.
    pub disabled: bool,
    /// A token must end.
    pub expiry_required: bool,
    /// How long one may live, in days.
    pub longest: Option<u32>,
}

/// A token that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGrant {
    /// Whose it is.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// What it may do, in the order of the wish.
    pub scopes: Vec<String>,
    /// From this day on it is dead.
    pub expires_at: Option<NaiveDate>,
}

/// Why no token is made. `Display` is what users see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenCreationRefusal {
    /// A deploy key asks.
    DeployKey,
    /// There is no account to speak of.
    Unknown(UnknownRequester),
    /// The name is blank.
    NoName,
    /// No scopes are asked for.
    NoScopes,
    /// A scope that no token may have.
    InvalidScope(String),
    /// The date is none.
    InvalidDate(String),
    /// The user may not, or nobody may.
    NotPermitted,
    /// The date is later than this one, the last that is allowed.
    TooLong(NaiveDate),
}

impl fmt::Display for TokenCreationRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeployKey => out.write_str("Deploy keys cannot be used to create personal access tokens"),
            Self::Unknown(unknown) => unknown.fmt(out),
            Self::NoName => out.write_str("No token name specified"),
            Self::NoScopes => out.write_str("No token scopes specified"),
            Self::InvalidScope(scope) => write!(out, "Invalid scope: '{scope}'. Valid scopes are: {SCOPES:?}"),
            Self::InvalidDate(text) => write!(out, "Invalid token expiry date: '{text}'"),
            Self::NotPermitted => out.write_str("Failed to create token: Not permitted to create"),
            Self::TooLong(last) => write!(out, "Failed to create token: Expires at must be before {last}"),
        }
    }
}

/// What is made of the wish. The reasons against it stand in the order of the contract, and the first one counts.
pub fn decide(
    requester: &Requester,
    wish: WantedToken<'_>,
    policy: &TokenPolicy,
    today: NaiveDate,
) -> Result<TokenGrant, TokenCreationRefusal> {
    if requester.is_deploy_key() {
        return Err(TokenCreationRefusal::DeployKey);
    }
    let account = requester.account().map_err(TokenCreationRefusal::Unknown)?;
    if wish.name.trim().is_empty() {
        return Err(TokenCreationRefusal::NoName);
    }
    if wish.scopes.is_empty() {
        return Err(TokenCreationRefusal::NoScopes);
    }
    if let Some(scope) = wish.scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(TokenCreationRefusal::InvalidScope(scope.clone()));
    }
    let wanted = end(wish.expires_at)?;
    if policy.disabled || !account.active {
        return Err(TokenCreationRefusal::NotPermitted);
    }
    let end = policy.end(wanted, today).map_err(|EndsTooLate(last)| TokenCreationRefusal::TooLong(last))?;
    Ok(TokenGrant { user: account.id, name: wish.name.to_owned(), scopes: wish.scopes.to_vec(), expires_at: end })
}

fn end(text: &str) -> Result<Option<NaiveDate>, TokenCreationRefusal> {
    match text.trim() {
        "" => Ok(None),
        date => NaiveDate::parse_from_str(date, "%Y-%m-%d")
            .map(Some)
            .map_err(|_| TokenCreationRefusal::InvalidDate(text.to_owned())),
    }
}

/// A token's end lies behind the last day that is allowed, which this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndsTooLate(pub NaiveDate);

impl TokenPolicy {
    /// The end of a token that is to end on this day, or where none is named as late as it may. A day in the past is
    /// taken at its word: such a token is dead from the start.
    ///
    /// # Errors
    /// Where the day is later than the last that is allowed.
    pub fn end(&self, wanted: Option<NaiveDate>, today: NaiveDate) -> Result<Option<NaiveDate>, EndsTooLate> {
        let last = self.last_day(today);
        match (wanted, last) {
            (Some(wanted), Some(last)) if wanted > last => Err(EndsTooLate(last)),
            (wanted, last) => Ok(wanted.or(last)),
        }
    }

    /// The last day that a token may have as its end; none where it need not end.
    #[must_use]
    pub fn last_day(&self, today: NaiveDate) -> Option<NaiveDate> {
        let days = self.longest.or(self.expiry_required.then_some(LONGEST))?;
        today.checked_add_days(Days::new(days.into()))
    }
}
