//! `gatehouse agent token`: tokens of agents, made and taken back by hand.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets::{self, token_salt};
use crate::domain::agent::{self, ClusterAgent, MOST_TOKENS};
use crate::domain::token;
use crate::services::ServiceError;
use crate::services::agent_tokens::{self, TooManyAgentTokens};
use crate::store::agent_projects::{self, ProjectKey};
use crate::store::agent_tokens::{AgentTokenRow, WhichTokens};
use crate::store::{Db, agents};

/// Make and take back the tokens that agents for Kubernetes show
#[derive(Debug, Args)]
pub struct AgentCommand {
    #[command(subcommand)]
    command: AgentSubcommand,
}

#[derive(Debug, Subcommand)]
enum AgentSubcommand {
    /// Tokens of an agent: two may be active
    #[command(subcommand)]
    Token(AgentTokenSubcommand),
}

#[derive(Debug, Subcommand)]
enum AgentTokenSubcommand {
    /// Make a token and print it on standard output, once
    New {
        #[command(flatten)]
        whose: AgentOfProject,
        /// What people call the token
        #[arg(long, default_value = "default")]
        name: String,
        /// A sentence or two
        #[arg(long)]
        description: Option<String>,
    },
    /// Take tokens back: the agent is refused at its next call
    Revoke {
        #[command(flatten)]
        whose: AgentOfProject,
        /// The token's name; all of the agent's tokens where it is left out
        #[arg(long)]
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
struct AgentOfProject {
    /// The full path of the project that configures the agent
    project: String,
    /// The agent's name
    agent: String,
}

impl AgentCommand {
    /// Does what is asked, and says so on standard error.
    ///
    /// # Errors
    /// Where there is no such agent or token, or the database does not answer.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let AgentSubcommand::Token(command) = self.command;
        let db = Db::new(&settings.gatehouse.database)?;
        match command {
            AgentTokenSubcommand::New { whose, name, description } => {
                new(settings, &db, &whose, name, description).await
            }
            AgentTokenSubcommand::Revoke { whose, name } => revoke(&db, &whose, name.as_deref()).await,
        }
    }
}

async fn new(
    settings: &Settings,
    db: &Db,
    whose: &AgentOfProject,
    name: String,
    description: Option<String>,
) -> anyhow::Result<()> {
    if name.is_empty() || name.chars().count() > 255 || description.as_ref().is_some_and(|text| text.len() > 1024) {
        bail!("a name has 1 to 255 characters, and a description at most 1024");
    }
    let agent = find(db, whose).await?;
    let db_key_base = secrets::load(&settings.gatehouse.db_key_base_file)?;
    let token = agent::mint(rand::random());
    let row = AgentTokenRow {
        id: 0,
        agent: agent.id,
        name,
        token_encrypted: token::digest(&token, token_salt(&db_key_base)),
        description,
        revoked: false,
    };
    match agent_tokens::issue(db, &agent, &whose.project, &row, Clock::system().now()).await {
        Ok(()) => {}
        Err(ServiceError::Refused(TooManyAgentTokens)) => {
            bail!(
                "{} has {MOST_TOKENS} active tokens; take one back first with `gatehouse agent token revoke`",
                agent.name
            )
        }
        Err(ServiceError::Store(error)) => return Err(error.into()),
    }
    eprintln!("token {} of agent {} of {}; it is not shown again:", row.name, agent.name, whose.project);
    println!("{token}");
    Ok(())
}

async fn revoke(db: &Db, whose: &AgentOfProject, name: Option<&str>) -> anyhow::Result<()> {
    let agent = find(db, whose).await?;
    let which = name.map_or(WhichTokens::All, WhichTokens::Named);
    let revoked = agent_tokens::revoke(db, &agent, &whose.project, which, None, Clock::system().now()).await?;
    match &revoked[..] {
        [] => bail!("agent {} of {} has no such active token", agent.name, whose.project),
        tokens => tokens.iter().for_each(|name| eprintln!("revoked token {name} of agent {}", agent.name)),
    }
    Ok(())
}

async fn find(db: &Db, whose: &AgentOfProject) -> anyhow::Result<ClusterAgent> {
    let key = ProjectKey::Path(whose.project.clone());
    let project = agent_projects::find(db.pool(), &key).await?;
    let project =
        project.with_context(|| format!("there is no project {}; state one with `gatehouse apply`", whose.project))?;
    let agent = agents::find_by_name(db.pool(), project.id, &whose.agent).await?;
    agent.with_context(|| format!("{} has no agent {}; state one with `gatehouse apply`", project.path, whose.agent))
}
