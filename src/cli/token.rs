//! `gatehouse token`: a token to call the API by hand, and personal access tokens of users.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::output::{self, Cell, Listing, OutputArgs};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets;
use crate::domain::personal_access_token::{TokenCreationRefusal, WantedToken};
use crate::domain::requester::{Requester, RequesterName};
use crate::domain::token::scopes_from_yaml;
use crate::http::auth::{kas, mint, shell, shell_key};
use crate::services::{ServiceError, create_personal_access_token, revoke_credential};
use crate::store::tokens::{self, TokenSummary};
use crate::store::{Db, requesters, users};

/// What `gatehouse help token` says.
pub const LONG_ABOUT: &str = "\
`shell` and `kas` print a token such as the caller signs itself, and nothing else; it is good for a minute, and for another of
leeway. Pass it in the caller's header, for example:

  curl -H \"Gitlab-Shell-Api-Request: $(gatehouse token shell)\" http://localhost:3001/api/v4/internal/check

`new`, `list` and `revoke` are about the personal access tokens of users, with which they use git over HTTP and the API.";

/// What about which tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print a token of gitlab-shell and Gitaly, for the header Gitlab-Shell-Api-Request
    Shell,
    /// Print a token of kas, for the header Gitlab-Kas-Api-Request
    Kas,
    /// Make a personal access token and print it on standard output, once
    New(NewToken),
    /// List the personal access tokens of a user, those that are good first
    List(TokenFilter),
    /// Take personal access tokens back: whoever shows one is refused from then on
    Revoke(TokenIds),
}

/// The token that is wanted.
#[derive(Debug, Args)]
pub struct NewToken {
    /// Whose token, by username
    username: String,
    /// What people call the token
    #[arg(long)]
    name: String,
    /// What it may be used for; several are given one after the other, with commas between them
    #[arg(long = "scopes", required = true, value_delimiter = ',', value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The first day on which it is refused, such as 2027-01-31; left out, it lives as long as the instance allows
    #[arg(long, value_name = "DAY", default_value = "", hide_default_value = true)]
    expires_at: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Whose tokens to list.
#[derive(Debug, Args)]
pub struct TokenFilter {
    /// Whose tokens, by username
    username: String,
    /// Those that are revoked or have ended too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which tokens are meant.
#[derive(Debug, Args)]
pub struct TokenIds {
    /// The ids, as `list` shows them
    #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    ids: Vec<i64>,
}

impl TokenCommand {
    /// Does what is asked. Tokens go to standard output, and nothing else does.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        match self {
            Self::Shell => {
                let secret = secrets::load(&settings.gitlab_shell.secret_file)?;
                let token = mint(shell::ISSUER, None, shell_key(&secret), &Clock::system());
                println!("{}", token.expose_secret());
                Ok(())
            }
            Self::Kas => {
                let secret = secrets::load(&settings.gitlab_kas.secret_file)?;
                let token = mint(kas::ISSUER, Some(kas::AUDIENCE), &kas::key(&secret)?, &Clock::system());
                println!("{}", token.expose_secret());
                Ok(())
            }
            Self::New(wanted) => new(settings, &wanted).await,
            Self::List(filter) => list(settings, &filter).await,
            Self::Revoke(TokenIds { ids }) => revoke(settings, &ids).await,
        }
    }
}

async fn new(settings: &Settings, wanted: &NewToken) -> anyhow::Result<()> {
    if wanted.name.chars().count() > 255 {
        bail!("a name has at most 255 characters");
    }
    let db_key_base = secrets::load(&settings.gatehouse.db_key_base_file)?;
    let db = Db::new(&settings.gatehouse.database)?;
    let whose = find(&db, &wanted.username).await?;
    let wish = WantedToken { name: &wanted.name, scopes: &wanted.scopes, expires_at: &wanted.expires_at };
    let issued = create_personal_access_token::issue(&db, &db_key_base, &whose, wish, Clock::system().now()).await;
    let issued = issued.map_err(|error| match error {
        ServiceError::Refused(refusal) => explain(&refusal, &wanted.username),
        ServiceError::Store(error) => error.into(),
    })?;
    let grant = &issued.grant;
    let end = grant.expires_at.map_or_else(|| "which never ends".to_owned(), |day| format!("refused from {day} on"));
    if wanted.output.shape() == output::OutputShape::Json {
        let object = json!({
            "id": issued.id, "username": wanted.username, "name": grant.name, "scopes": grant.scopes,
            "expires_at": grant.expires_at, "token": issued.text.expose_secret()
        });
        println!("{object}");
    } else {
        let (id, name) = (issued.id, &grant.name);
        eprintln!("token {id}, {name} of {}, {end}; it is not shown again:", wanted.username);
        println!("{}", issued.text.expose_secret());
    }
    Ok(())
}

/// The refusal in words for the command line.
fn explain(refusal: &TokenCreationRefusal, username: &str) -> anyhow::Error {
    match refusal {
        TokenCreationRefusal::NotPermitted => anyhow::anyhow!(
            "{username} may have no token: the account is not active, or the instance or a group takes no personal access \
             tokens"
        ),
        refusal => anyhow::anyhow!("{refusal}"),
    }
}

async fn list(settings: &Settings, filter: &TokenFilter) -> anyhow::Result<()> {
    let db = Db::new(&settings.gatehouse.database)?;
    let whose = find(&db, &filter.username).await?;
    let Some(account) = &whose.account else { return Ok(()) };
    let today = Clock::system().now().date_naive();
    let mut tokens = tokens::list_of_user(db.pool(), account.id).await?;
    tokens.retain(|token| filter.all || token.is_active(today));
    tokens.sort_by_key(|token| (!token.is_active(today), token.id));
    let mut listing = Listing::new(output::stdout(), filter.output.shape(), HEAD);
    listing.write(&tokens, |token| cells(token, today), |token| object(token, &filter.username, today))?;
    output::say_if_empty(filter.output.shape(), &tokens, "no tokens");
    Ok(())
}

async fn revoke(settings: &Settings, ids: &[i64]) -> anyhow::Result<()> {
    let db = Db::new(&settings.gatehouse.database)?;
    let mut missed = Vec::new();
    for id in ids {
        match revoke_credential::revoke_token(&db, *id, None, Clock::system().now()).await? {
            Some((username, name)) => eprintln!("revoked token {id}, {name} of {username}"),
            None => missed.push(id.to_string()),
        }
    }
    if missed.is_empty() {
        return Ok(());
    }
    bail!(
        "there is no such token, or it is revoked: {}; `gatehouse token list` shows those of a user",
        missed.join(", ")
    )
}

async fn find(db: &Db, username: &str) -> anyhow::Result<Requester> {
    let id = users::find_id(db.pool(), username).await.context("the database does not answer")?;
    let id = id.with_context(|| format!("there is no user {username}; state one with `gatehouse apply`"))?;
    Ok(requesters::find(db.pool(), RequesterName::User(id)).await?)
}

const HEAD: [&str; 6] = ["ID", "NAME", "SCOPES", "STATE", "ENDS", "LAST USED"];

fn cells(token: &TokenSummary, today: chrono::NaiveDate) -> [Cell; 6] {
    let state = match (token.revoked, token.is_active(today)) {
        (true, _) => Cell::bad("revoked"),
        (false, true) => Cell::good("good"),
        (false, false) => Cell::doubtful("ended"),
    };
    let ends = token.expires_at.map_or_else(|| "never".to_owned(), |day| day.to_string());
    let used = token.last_used_at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string());
    [
        Cell::number(token.id),
        token.name.as_str().into(),
        scopes_from_yaml(&token.scopes).join(" ").into(),
        state,
        ends.into(),
        used.into(),
    ]
}

fn object(token: &TokenSummary, username: &str, today: chrono::NaiveDate) -> Value {
    json!({
        "id": token.id,
        "username": username,
        "name": token.name,
        "scopes": scopes_from_yaml(&token.scopes),
        "active": token.is_active(today),
        "revoked": token.revoked,
        "expires_at": token.expires_at,
        "created_at": token.created_at.and_utc(),
        "last_used_at": token.last_used_at,
    })
}
