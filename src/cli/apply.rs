//! `gatehouse apply`: makes the database agree with a state document, or changes nothing.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets::Secrets;
use crate::document::progress::ApplyProgress;
use crate::document::reconcile::{ApplyFailure, apply};
use crate::document::sources::ApplySources;
use crate::gitaly::GitalyClient;
use crate::store::Db;

/// Bytes of a document, at most.
const LARGEST_DOCUMENT: u64 = 64 << 20;
/// How often the progress line changes.
const BETWEEN_LINES: Duration = Duration::from_millis(100);
/// What brings a terminal's cursor back to the start of an empty line.
const ERASE_LINE: &str = "\r\x1b[K";
/// How often a document is tried.
const ATTEMPTS: u32 = 4;

/// Make the database agree with a state document
///
/// Whatever the document states is created or updated; what it does not mention stays as it is; an entry with
/// `ensure: absent` is removed. Either everything is applied or, if there is any problem, nothing. A line per change
/// goes to standard error, and one JSON object with the ids of all that was named and the secrets that were made to
/// standard output.
#[derive(Debug, Clone, Args)]
pub struct Apply {
    /// The document, YAML or JSON; `-` reads standard input.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Report what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

impl Apply {
    /// Applies the file: lines for people to `log`, the JSON object to `out`.
    ///
    /// # Errors
    /// Where the file cannot be read, the document has problems, or the database fails.
    pub async fn run(self, settings: &Settings, out: &mut impl Write, log: &mut impl Write) -> anyhow::Result<()> {
        let (text, folder) = self.read()?;
        let secrets = Secrets::load_or_create(settings)?;
        let db = Db::new(&settings.gatehouse.database)?;
        let mut conn = db.acquire().await.context("cannot reach the database")?;
        let mut sources = ApplySources::of_process(folder);
        match GitalyClient::new(settings, &Clock::system()) {
            Ok(gitaly) => sources = sources.with_gitaly(gitaly),
            Err(problems) => problems.iter().try_for_each(|problem| writeln!(log, "! {problem}"))?,
        }
        if io::stderr().is_terminal() {
            sources = sources.with_progress(progress_line());
        }
        let mut attempt = 1;
        let report = loop {
            match apply(&mut conn, &text, &sources, &secrets.db_key_base, Clock::system().now(), self.dry_run).await {
                // The database ended it for the sake of another writer, and nothing was changed.
                Err(ApplyFailure::Store(error)) if error.is_passing() && attempt < ATTEMPTS => attempt += 1,
                ended => break ended?,
            }
        };
        if io::stderr().is_terminal() {
            write!(log, "{ERASE_LINE}")?;
        }
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

/// One line on the terminal, which the next one replaces.
fn progress_line() -> ApplyProgress {
    let last = Mutex::new(None::<Instant>);
    ApplyProgress::to(move |step| {
        let Ok(mut last) = last.lock() else { return };
        if last.is_some_and(|at| at.elapsed() < BETWEEN_LINES) {
            return;
        }
        *last = Some(Instant::now());
        eprint!("{ERASE_LINE}{}: {} of {}", step.noun, step.done, step.all);
    })
}
