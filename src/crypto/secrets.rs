//! Secrets in files: read at start-up, made where they are missing, and never printed.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use secrecy::{ExposeSecret, SecretString};

use crate::config::Settings;
use crate::domain::token;

/// The secrets that the settings name, ready for use.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// What gitlab-shell and Gitaly sign with: the text of the file, without the white space around it.
    pub shell: SecretString,
    /// What kas signs with: the text of the file, base64 of 32 bytes.
    pub kas: SecretString,
    /// What Workhorse signs with: the text of the file, base64 of 32 bytes.
    pub workhorse: SecretString,
    /// The instance secret that digests and ciphertexts depend on.
    pub db_key_base: SecretString,
}

impl Secrets {
    /// The secrets of an installation. A file that does not exist is made, readable by its owner alone.
    ///
    /// # Errors
    /// Where a file cannot be read or made, or says nothing.
    pub fn load_or_create(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            shell: load_or_create(&settings.gitlab_shell.secret_file, || hex(&rand::random::<[u8; 16]>()))?,
            kas: load_or_create(&settings.gitlab_kas.secret_file, || {
                BASE64_STANDARD.encode(rand::random::<[u8; 32]>())
            })?,
            workhorse: load_or_create(&settings.workhorse.secret_file, || {
                BASE64_STANDARD.encode(rand::random::<[u8; 32]>())
            })?,
            db_key_base: load_or_create(&settings.gatehouse.db_key_base_file, || hex(&rand::random::<[u8; 64]>()))?,
        })
    }
}

/// The secret in a file that exists, without the white space around it.
///
/// # Errors
/// Where the file cannot be read or says nothing.
pub fn load(path: &Path) -> anyhow::Result<SecretString> {
    let name = path.display();
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "cannot read the secret file {name}: it is not there; `gatehouse serve` and `gatehouse apply` make it"
            )
        }
        read => read.with_context(|| format!("cannot read the secret file {name}"))?,
    };
    match text.trim() {
        "" => bail!("the secret file {name} is empty; remove it, and a new secret is made at the next start"),
        secret => Ok(secret.into()),
    }
}

fn load_or_create(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<SecretString> {
    // Written under another name and linked into place: whoever finds the file finds it whole, and the first wins.
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    if !path.exists() {
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(make().as_bytes()));
        let linked = written.and_then(|()| fs::hard_link(&draft, path));
        let _ = fs::remove_file(&draft);
        match linked {
            Ok(()) => tracing::info!(file = %path.display(), "made a secret"),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot make the secret file {}", path.display())),
        }
    }
    load(path)
}

/// The first bytes of the `db_key_base`, as the digest of a token is salted with them.
#[must_use]
pub fn token_salt(db_key_base: &SecretString) -> &str {
    let text = db_key_base.expose_secret();
    text.char_indices().nth(32).map_or(text, |(end, _)| &text[..end])
}

/// All that may be stored of an agent's token: our own digest of it, and what GitLab itself stores.
#[must_use]
pub fn agent_token_forms(token: &str, db_key_base: &SecretString) -> Vec<String> {
    let ciphertexts = token::ciphertexts(token, db_key_base.expose_secret());
    std::iter::once(token::digest(token, token_salt(db_key_base))).chain(ciphertexts).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_made_once_and_read_afterwards() {
        let folder = std::env::temp_dir().join(format!("gatehouse-secrets-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("secret");
        let first = load_or_create(&path, || "one".to_owned()).unwrap();
        let second = load_or_create(&path, || "two".to_owned()).unwrap();
        assert_eq!((first.expose_secret(), second.expose_secret()), ("one", "one"));
        fs::write(&path, " \n").unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("is empty"));
        fs::remove_dir_all(folder).unwrap();
    }
}
