//! `gatehouse init`: the files that an installation begins with.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

const SETTINGS: &str = include_str!("../../config/gitlab.yml");
const STATE: &str = include_str!("../../config/first-state.yml");
/// What shows in the state document where a key stands.
const EXAMPLE_KEY: &str = "    # keys:\n    #   - {title: laptop, key: \"ssh-ed25519 AAAA… dana@example.com\"}";

/// Write a settings file and a first state document, both with comments, and say what to do next
///
/// gitlab.yml names every setting with its default; state.yml has a user, a group and a project.
#[derive(Debug, Args)]
pub struct InitCommand {
    /// The folder; it is made where it is missing. `config/gitlab.yml` is read where --config names no file
    #[arg(value_name = "DIR", default_value = "config")]
    folder: PathBuf,
    /// The public SSH key of the first user, such as `~/.ssh/id_ed25519.pub`
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

impl InitCommand {
    /// Writes the files.
    ///
    /// # Errors
    /// Where one of them is there already, or the folder takes none. Nothing is written then.
    pub fn run(self) -> anyhow::Result<()> {
        let state = match &self.key {
            Some(file) => with_key(file)?,
            None => STATE.to_owned(),
        };
        let files = [(self.folder.join("gitlab.yml"), SETTINGS), (self.folder.join("state.yml"), &state)];
        if let Some((there, _)) = files.iter().find(|(path, _)| path.exists() && !self.force) {
            bail!("{} is there already; name another folder, or replace it with --force", there.display());
        }
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let mut out = io::stdout().lock();
        for (path, text) in &files {
            self.write(path, text)?;
            writeln!(out, "wrote {}", path.display())?;
        }
        write!(out, "{}", self.next())?;
        Ok(())
    }

    fn write(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true);
        // Nobody who was there in between is overwritten either.
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// The commands that bring up an installation with these files.
    fn next(&self) -> String {
        let folder = self.folder.display();
        let named = if self.folder == Path::new("config") {
            String::new()
        } else {
            format!("  export GATEHOUSE_CONFIG='{folder}/gitlab.yml'\n")
        };
        format!(
            "
Next: correct both files, above all repositories.storages (where Gitaly is) and the user's key. Then:

{named}  export DATABASE_URL=postgres://USER:PASSWORD@HOST/DATABASE   # or gatehouse.database.url in gitlab.yml
  gatehouse migrate   # makes the tables
  gatehouse apply -f '{folder}/state.yml'   # makes the user, the group, the project, and secrets that are missing
  gatehouse check   # judges all that serving needs
  gatehouse serve
"
        )
    }
}

/// The state document with the key in a file in place of the example.
fn with_key(file: &Path) -> anyhow::Result<String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("there is no {name}; ssh-keygen makes a pair of keys"),
        _ => anyhow::Error::from(error).context(format!("cannot read {name}")),
    })?;
    let key = text.trim();
    if let Err(error) = key.parse::<ssh_key::PublicKey>() {
        bail!("{name} is no public key of OpenSSH ({error}); name the file that ends in .pub");
    }
    // A string of JSON is one of YAML too.
    Ok(STATE
        .replace(EXAMPLE_KEY, &format!("    keys:\n      - {{title: laptop, key: {}}}", serde_json::Value::from(key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_a_key_can_be_replaced() {
        assert_eq!(STATE.matches(EXAMPLE_KEY).count(), 1);
    }
}
