//! What commands print: tables with colours on a terminal, lines with tabs elsewhere, or a JSON object a line.

use std::io::{self, ErrorKind, IsTerminal, StdoutLock, Write};

use anstream::AutoStream;
use clap::Args;
use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;

const HEAD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
/// Cells are this far apart.
const GAP: &str = "  ";

/// `--json`, of each command that lists or judges.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Print a JSON object a line: one for each entry
    #[arg(long)]
    json: bool,
}

impl OutputArgs {
    /// How standard output is written to.
    #[must_use]
    pub fn shape(self) -> OutputShape {
        match (self.json, io::stdout().is_terminal()) {
            (true, _) => OutputShape::Json,
            (false, true) => OutputShape::Table,
            (false, false) => OutputShape::Plain,
        }
    }
}

/// The shapes of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputShape {
    /// For people: columns with a head, and colours where the terminal wants them.
    Table,
    /// For programs of the shell: a line an entry, with a tab between two cells, and no head.
    Plain,
    /// For all other programs: a JSON object a line.
    Json,
}

/// Standard output. Colours go no further than to a terminal, and not there where `NO_COLOR` is set.
#[must_use]
pub fn stdout() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}

/// Whether this is about a reader who has seen enough, as `head` does.
#[must_use]
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe)
}

/// What stands in a column of a line.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
    to_the_right: bool,
}

impl Cell {
    /// A word that says that all is well.
    pub fn good(text: &str) -> Self {
        Self { style: GOOD, ..Self::from(text) }
    }

    /// A word that asks to look again later.
    pub fn doubtful(text: &str) -> Self {
        Self { style: DOUBTFUL, ..Self::from(text) }
    }

    /// A word that somebody must do something about.
    pub fn bad(text: &str) -> Self {
        Self { style: BAD, ..Self::from(text) }
    }

    /// A number, whose last digit stands below those of the others.
    pub fn number(number: i64) -> Self {
        Self { to_the_right: true, ..Self::from(number.to_string()) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// The text over a width, or as it is where nothing follows it.
    fn padded(&self, width: usize, is_last: bool) -> String {
        let (style, text) = (self.style, &self.text);
        let blanks = " ".repeat(width.saturating_sub(self.width()));
        match (self.to_the_right, is_last) {
            (true, _) => format!("{blanks}{style}{text}{style:#}"),
            (false, true) => format!("{style}{text}{style:#}"),
            (false, false) => format!("{style}{text}{style:#}{blanks}"),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    /// What others chose must not look like another cell or line, or change the terminal.
    fn from(text: T) -> Self {
        let text = text.into().replace(char::is_control, " ");
        Self { text, style: Style::new(), to_the_right: false }
    }
}

/// A list, written as its entries are found.
#[derive(Debug)]
pub struct Listing<W, const COLUMNS: usize> {
    out: W,
    shape: OutputShape,
    head: [&'static str; COLUMNS],
    widths: [usize; COLUMNS],
    begun: bool,
}

impl<W: Write, const COLUMNS: usize> Listing<W, COLUMNS> {
    /// A list with these columns.
    pub fn new(out: W, shape: OutputShape, head: [&'static str; COLUMNS]) -> Self {
        Self { out, shape, head, widths: head.map(|name| name.chars().count()), begun: false }
    }

    /// Writes entries below those that were written before; the columns are as wide as both need.
    ///
    /// # Errors
    /// Where the output takes nothing.
    pub fn write<'a, T: 'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a T>,
        cells: impl Fn(&T) -> [Cell; COLUMNS],
        object: impl Fn(&T) -> Value,
    ) -> io::Result<()> {
        let entries = entries.into_iter();
        match self.shape {
            OutputShape::Json => entries.map(object).try_for_each(|object| writeln!(self.out, "{object}"))?,
            OutputShape::Plain => {
                for entry in entries {
                    writeln!(self.out, "{}", cells(entry).map(|cell| cell.text).join("\t"))?;
                }
            }
            OutputShape::Table => self.rows(&entries.map(cells).collect::<Vec<_>>())?,
        }
        self.out.flush()
    }

    fn rows(&mut self, rows: &[[Cell; COLUMNS]]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        for (column, width) in self.widths.iter_mut().enumerate() {
            *width = rows.iter().map(|row| row[column].width()).fold(*width, usize::max);
        }
        if !self.begun {
            self.begun = true;
            // A name stands where its numbers do.
            let head: Vec<Cell> = self.head.iter().zip(&rows[0]).map(|(name, below)| head(name, below)).collect();
            self.row(&head)?;
        }
        rows.iter().try_for_each(|row| self.row(row))
    }

    fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        // Blanks at the end of a line would make it wrap.
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or_default();
        let cells = cells.iter().zip(self.widths).enumerate().take(last + 1);
        let cells: Vec<String> = cells.map(|(column, (cell, width))| cell.padded(width, column == last)).collect();
        writeln!(self.out, "{}", cells.join(GAP))
    }
}

fn head(name: &str, below: &Cell) -> Cell {
    Cell { style: HEAD, to_the_right: below.to_the_right, ..Cell::from(name) }
}

/// Says on standard error that a list is empty, where people would wonder.
pub fn say_if_empty<T>(shape: OutputShape, entries: &[T], words: &str) {
    if entries.is_empty() && shape != OutputShape::Json {
        eprintln!("{words}");
    }
}

/// What a list looks like, for the tests of those who write one; colours are left out.
#[cfg(test)]
pub fn printed<const COLUMNS: usize>(
    shape: OutputShape,
    head: [&'static str; COLUMNS],
    write: impl FnOnce(&mut Listing<anstream::StripStream<Vec<u8>>, COLUMNS>) -> io::Result<()>,
) -> String {
    let mut listing = Listing::new(anstream::StripStream::new(Vec::new()), shape, head);
    write(&mut listing).unwrap();
    String::from_utf8(listing.out.into_inner()).unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEADS: [&str; 3] = ["NAME", "STATE", "COUNT"];

    fn listing(shape: OutputShape) -> Listing<Vec<u8>, 3> {
        Listing::new(Vec::new(), shape, HEADS)
    }

    fn write(listing: &mut Listing<Vec<u8>, 3>, entries: &[(&str, bool, i64)]) {
        let cells = |(name, good, count): &(&str, bool, i64)| {
            [Cell::from(*name), if *good { Cell::good("ok") } else { Cell::bad("FAILED") }, Cell::number(*count)]
        };
        listing.write(entries, cells, |(name, good, _)| json!({ "name": name, "ok": good })).unwrap();
    }

    #[test]
    fn a_table_has_one_head_and_its_columns_grow() {
        let mut table = listing(OutputShape::Table);
        write(&mut table, &[]);
        write(&mut table, &[("a", true, 1), ("a name\nof two lines", false, 10_000_000)]);
        write(&mut table, &[("b", true, 2)]);
        let text = String::from_utf8(table.out).unwrap();
        insta::assert_snapshot!(text.replace('\x1b', "^"), @r"
        ^[1mNAME^[0m                 ^[1mSTATE^[0m      ^[1mCOUNT^[0m
        a                    ^[32mok^[0m             1
        a name of two lines  ^[31mFAILED^[0m  10000000
        b                    ^[32mok^[0m             2
        ");
    }

    #[test]
    fn elsewhere_there_is_a_line_an_entry_and_nothing_else() {
        let mut plain = listing(OutputShape::Plain);
        write(&mut plain, &[("a\tb\x1b[31m", false, 7)]);
        assert_eq!(String::from_utf8(plain.out).unwrap(), "a b [31m\tFAILED\t7\n");
        let mut lines = listing(OutputShape::Json);
        write(&mut lines, &[("a", true, 1), ("b\nc", false, 2)]);
        let text = String::from_utf8(lines.out).unwrap();
        assert_eq!(text, "{\"name\":\"a\",\"ok\":true}\n{\"name\":\"b\\nc\",\"ok\":false}\n");
    }
}
