//! `gatehouse apply`: makes the database agree with a state document, or changes nothing.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use secrecy::SecretString;
use sqlx::{Connection, PgConnection};

use super::state::run::{Report, Run, Sources};
use super::state::{self, Document};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets::Secrets;
use crate::document::{self, Problem};
use crate::gitaly::GitalyClient;
use crate::store::{self, Db};

/// Bytes of a document, at most.
const LARGEST_DOCUMENT: u64 = 64 << 20;
/// How often a document is tried.
const ATTEMPTS: u32 = 4;

/// Make the database agree with a state document.
///
/// Whatever the document states is created or updated; what it does not mention stays as it is; an entry with
/// `ensure: absent` is removed. Either everything is applied or, if there is any mistake, nothing. A line per change goes to
/// standard error, and one JSON object with the ids of all that was named and the secrets that were made to standard output.
#[derive(Debug, Clone, Args)]
pub struct Apply {
    /// The document, YAML or JSON; `-` reads standard input.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Report what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Why a document was not applied. Nothing was changed.
#[derive(Debug)]
pub enum Failure {
    /// Everything that is wrong with the document, sorted by place.
    Problems(Vec<Problem>),
    /// The database failed.
    Store(store::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problems(mistakes) => {
                write!(out, "nothing was changed, for the document has ")?;
                match mistakes.len() {
                    1 => write!(out, "a mistake:")?,
                    count => write!(out, "{count} mistakes:")?,
                }
                mistakes.iter().try_for_each(|mistake| write!(out, "\n  {mistake}"))
            }
            Self::Store(error) => write!(out, "nothing was changed: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Apply {
    /// Applies the file: lines for people to `log`, the JSON object to `out`.
    ///
    /// # Errors
    /// Where the file cannot be read, the document has mistakes, or the database fails.
    pub async fn run(self, settings: &Settings, out: &mut impl Write, log: &mut impl Write) -> anyhow::Result<()> {
        let (text, folder) = self.read()?;
        let secrets = Secrets::load_or_create(settings)?;
        let db = Db::new(&settings.gatehouse.database)?;
        let mut conn = db.acquire().await.context("cannot reach the database")?;
        let mut sources = Sources::of_process(folder);
        match GitalyClient::new(settings, &Clock::system()) {
            Ok(gitaly) => sources = sources.with_gitaly(gitaly),
            Err(mistakes) => mistakes.iter().try_for_each(|mistake| writeln!(log, "! {mistake}"))?,
        }
        let mut attempt = 1;
        let report = loop {
            match apply(&mut conn, &text, &sources, &secrets.db_key_base, Clock::system().now(), self.dry_run).await {
                // The database ended it for the sake of another writer, and nothing was changed.
                Err(Failure::Store(error)) if error.is_passing() && attempt < ATTEMPTS => attempt += 1,
                ended => break ended?,
            }
        };
        for line in report.lines() {
            writeln!(log, "{line}")?;
        }
        writeln!(log, "{}", report.summary())?;
        writeln!(out, "{:#}", report.to_json())?;
        Ok(())
    }

    /// The document's text, and the folder that paths in it start from.
    fn read(&self) -> anyhow::Result<(String, PathBuf)> {
        let name = self.file.display();
        let (reader, folder): (Box<dyn Read>, &Path) = if self.file.as_os_str() == "-" {
            (Box::new(io::stdin().lock()), Path::new("."))
        } else {
            let file = File::open(&self.file).with_context(|| format!("cannot read {name}"))?;
            (Box::new(file), self.file.parent().unwrap_or(Path::new(".")))
        };
        let mut bytes = Vec::new();
        reader.take(LARGEST_DOCUMENT + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
        if bytes.len() as u64 > LARGEST_DOCUMENT {
            bail!("{name} is larger than {} MiB", LARGEST_DOCUMENT >> 20);
        }
        let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
        Ok((text, folder.to_owned()))
    }
}

/// Makes the database agree with the document, in a transaction of its own that a dry run rolls back.
///
/// # Errors
/// Every mistake of the document at once, or that the database failed. Nothing is changed then.
pub async fn apply(
    conn: &mut PgConnection,
    document: &str,
    sources: &Sources,
    db_key_base: &SecretString,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Report, Failure> {
    let mut value = document::read(document).map_err(|mistake| Failure::Problems(vec![mistake]))?;
    let mut mistakes = document::take_refused(&mut value, state::refused::REFUSED);
    let document: Document = match document::check(&value) {
        Ok(document) if mistakes.is_empty() => document,
        checked => {
            mistakes.extend(checked.err().into_iter().flatten());
            mistakes.sort();
            return Err(Failure::Problems(mistakes));
        }
    };
    let mut transaction = conn.begin().await.map_err(store::Error::from)?;
    let mut run = Run::new(&mut transaction, sources, db_key_base, now, dry_run);
    state::bring_about(&mut run, &document).await?;
    let report = run.finish().map_err(Failure::Problems)?;
    let end = if dry_run { transaction.rollback().await } else { transaction.commit().await };
    end.map_err(store::Error::from)?;
    Ok(report)
}
