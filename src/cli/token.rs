//! `gatehouse token`: a token to call the API by hand.

use clap::{Args, ValueEnum};
use secrecy::ExposeSecret;

use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets;
use crate::http::auth::{kas, mint, shell, shell_key};

/// What `gatehouse help token` says.
pub const LONG_ABOUT: &str = "\
Prints a token such as the caller signs itself, and nothing else; it is good for a minute, and for another of leeway.
Pass it in the caller's header, for example:

  curl -H \"Gitlab-Shell-Api-Request: $(gatehouse token shell)\" http://localhost:3001/api/v4/internal/check";

/// Whose token to print.
#[derive(Debug, Args)]
pub struct CallerTokenCommand {
    /// Whose token
    caller: TokenKind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TokenKind {
    /// gitlab-shell and Gitaly: Gitlab-Shell-Api-Request
    Shell,
    /// kas: Gitlab-Kas-Api-Request
    Kas,
}

impl CallerTokenCommand {
    /// Prints the token on standard output and nothing else there.
    pub fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let clock = Clock::system();
        let token = match self.caller {
            TokenKind::Shell => {
                let secret = secrets::load(&settings.gitlab_shell.secret_file)?;
                mint(shell::ISSUER, None, shell_key(&secret), &clock)
            }
            TokenKind::Kas => {
                let secret = secrets::load(&settings.gitlab_kas.secret_file)?;
                mint(kas::ISSUER, Some(kas::AUDIENCE), &kas::key(&secret)?, &clock)
            }
        };
        println!("{}", token.expose_secret());
        Ok(())
    }
}
