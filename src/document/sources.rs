//! What an application of a document reaches beyond the document and the database.

use std::path::PathBuf;

use super::progress::ApplyProgress;
use super::words::GivenValue;
use crate::gitaly::GitalyClient;

type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a run reaches beyond the document and the database: where `$env:` and `$file:` take values from, and the
/// storages that new repositories are made on.
pub struct ApplySources {
    environment: Environment,
    folder: PathBuf,
    gitaly: Option<GitalyClient>,
    progress: ApplyProgress,
}

impl ApplySources {
    /// Variables that `environment` knows, and files whose paths start from `folder`.
    pub fn new(environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static, folder: PathBuf) -> Self {
        Self { environment: Box::new(environment), folder, gitaly: None, progress: ApplyProgress::default() }
    }

    /// The same, with storages.
    #[must_use]
    pub fn with_gitaly(self, gitaly: GitalyClient) -> Self {
        Self { gitaly: Some(gitaly), ..self }
    }

    /// The same, with a function that is told how far the application is.
    #[must_use]
    pub fn with_progress(self, progress: ApplyProgress) -> Self {
        Self { progress, ..self }
    }

    /// The function that is told how far the application is.
    #[must_use]
    pub fn progress(&self) -> &ApplyProgress {
        &self.progress
    }

    /// The environment of this process, and files whose paths start from `folder`.
    #[must_use]
    pub fn of_process(folder: PathBuf) -> Self {
        Self::new(|name| std::env::var(name).ok(), folder)
    }

    /// The client of the storages, where there is one.
    #[must_use]
    pub fn gitaly(&self) -> Option<&GitalyClient> {
        self.gitaly.as_ref()
    }

    /// The value itself, that of the variable, or the contents of the file.
    ///
    /// # Errors
    /// Says what is missing, or cannot be read.
    pub fn resolve(&self, given: &GivenValue) -> Result<String, String> {
        let text = given.as_str();
        let value = if let Some(name) = text.strip_prefix("$env:") {
            (self.environment)(name).ok_or_else(|| format!("the environment has no variable {name}"))?
        } else if let Some(path) = text.strip_prefix("$file:") {
            let path = self.folder.join(path);
            std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?
        } else {
            text.to_owned()
        };
        match value.trim() {
            "" => Err("must not be empty".to_owned()),
            value => Ok(value.to_owned()),
        }
    }
}
