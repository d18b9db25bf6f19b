//! `gatehouse scim`: the users that an identity provider manages, and the token that it calls with.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{self, Cell, Listing, OutputArgs};
use crate::config::Settings;
use crate::domain::scim::ScimScope;
use crate::domain::scim::search::ScimUserOrder;
use crate::domain::token;
use crate::store::scim_search::{self, ScimPage, ScimUserRow};
use crate::store::{Db, scim_tokens};

/// Identities that are asked for at once.
const PAGE: i64 = 100;

/// Show the users that an identity provider manages by SCIM, and make the token that it calls with
#[derive(Debug, Args)]
pub struct ScimCommand {
    #[command(subcommand)]
    command: ScimAction,
}

#[derive(Debug, Subcommand)]
enum ScimAction {
    /// List the users that a provider has taken on: its id, active or not, username, e-mail
    List {
        #[command(flatten)]
        whose: ScimScopeArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// The token that the provider calls with
    #[command(subcommand)]
    Token(ScimTokenAction),
}

#[derive(Debug, Subcommand)]
enum ScimTokenAction {
    /// Make a token in place of the one before, and print it with the URL, once
    New {
        #[command(flatten)]
        whose: ScimScopeArgs,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ScimScopeArgs {
    /// The full path of a top-level group
    group: Option<String>,
    /// The whole installation, in place of a group
    #[arg(long)]
    instance: bool,
}

impl ScimCommand {
    /// Prints what is asked for.
    ///
    /// # Errors
    /// Where there is no such group, or the database does not answer.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let db = Db::new(&settings.gatehouse.database)?;
        match self.command {
            ScimAction::List { whose, output } => list(&db, &whose, output).await,
            ScimAction::Token(ScimTokenAction::New { whose }) => new_token(settings, &db, &whose).await,
        }
    }
}

async fn list(db: &Db, whose: &ScimScopeArgs, output: OutputArgs) -> anyhow::Result<()> {
    let (scope, _) = scope(db, whose).await?;
    let mut listing = Listing::new(output::stdout(), output.shape(), HEAD);
    let mut offset = 0;
    loop {
        let page = ScimPage { offset, limit: PAGE };
        let found = scim_search::list(db, scope, None, ScimUserOrder::default(), page).await?;
        listing.write(&found.users, cells, object)?;
        offset += PAGE;
        if offset >= found.total {
            output::say_if_empty(output.shape(), &found.users, "no users are provisioned");
            return Ok(());
        }
    }
}

const HEAD: [&str; 4] = ["ID", "STATE", "USERNAME", "E-MAIL"];

fn cells(user: &ScimUserRow) -> [Cell; 4] {
    let state = if user.active { Cell::good("active") } else { Cell::doubtful("inactive") };
    [user.extern_uid.as_str().into(), state, user.username.as_str().into(), user.email.as_str().into()]
}

fn object(user: &ScimUserRow) -> Value {
    json!({
        "id": user.extern_uid,
        "active": user.active,
        "userName": user.username,
        "email": user.email,
        "created": user.created_at,
        "lastModified": user.updated_at,
    })
}

async fn new_token(settings: &Settings, db: &Db, whose: &ScimScopeArgs) -> anyhow::Result<()> {
    let (scope, base) = scope(db, whose).await?;
    let token = token::mint("glsoat-", rand::random());
    scim_tokens::replace(db.pool(), scope, &token::sha256(&token)).await?;
    let url = format!("{}/api/scim/v2/{base}", settings.gitlab.url());
    println!("{}", json!({ "scim_api_url": url, "scim_token": token }));
    Ok(())
}

/// The scope, and what its URLs end in.
async fn scope(db: &Db, whose: &ScimScopeArgs) -> anyhow::Result<(ScimScope, String)> {
    let Some(path) = &whose.group else { return Ok((ScimScope::Instance, "application".to_owned())) };
    let group = scim_tokens::find_group(db.pool(), path).await?;
    let group = group.with_context(|| format!("there is no group {path}; state one with `gatehouse apply`"))?;
    if group.saml.is_none() {
        bail!("group {} has no SAML provider, without which it takes no SCIM: state `saml:` for it", group.path);
    }
    Ok((ScimScope::Group(group.id), format!("groups/{}", group.path)))
}
