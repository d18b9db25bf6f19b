//! What a page is made of: facts, tables, forms and charts. The templates make HTML of it, and escape every text, so that
//! no page writes HTML by itself.

use std::fmt::Write as _;

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::assets;
use crate::http::auth::admin::AdminCaller;

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    title: String,
    intro: String,
    blocks: Vec<Block>,
    refreshed: bool,
}

/// A part of a page.
#[derive(Debug)]
enum Block {
    Facts { heading: String, facts: Vec<(String, Cell)> },
    Table(Table),
    Filter(Filter),
    Form(ActionForm),
    Chart(Chart),
    Links(Vec<(String, String)>),
    Secret { label: String, text: String },
}

/// What a place of a table holds: pieces, one after the other.
pub type Cell = Vec<Inline>;

/// A piece of a text.
#[derive(Debug, Clone)]
pub enum Inline {
    /// Words.
    Text(String),
    /// What machines read.
    Code(String),
    /// Words, and what machines read among them: those parts are true.
    Sentence(Vec<(bool, String)>),
    /// A page of ours: its address, and words.
    Link(String, String),
    /// A state: how it is, and a word.
    Badge(Tone, String),
    /// A moment: for machines, and for people.
    Time(String, String),
    /// A button that does something.
    Act(Box<ActionForm>),
}

/// How a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// To be looked at.
    Doubtful,
    /// Not as it should be.
    Bad,
    /// Neither.
    Plain,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// Words as a cell.
pub fn text(words: impl Into<String>) -> Cell {
    vec![Inline::Text(words.into())]
}

/// A number as a cell.
pub fn number(number: impl Into<i64>) -> Cell {
    text(number.into().to_string())
}

/// What machines read, as a cell.
pub fn code(words: impl Into<String>) -> Cell {
    vec![Inline::Code(words.into())]
}

/// A sentence in which what machines read stands in backticks, as a cell.
pub fn sentence(words: &str) -> Cell {
    let parts = words.split('`').enumerate().map(|(place, part)| (place % 2 == 1, part.to_owned()));
    vec![Inline::Sentence(parts.collect())]
}

/// A page of ours, as a cell.
pub fn link(to: impl Into<String>, words: impl Into<String>) -> Cell {
    vec![Inline::Link(to.into(), words.into())]
}

/// A state, as a cell.
pub fn badge(tone: Tone, word: impl Into<String>) -> Cell {
    vec![Inline::Badge(tone, word.into())]
}

/// A moment, as a cell.
pub fn time(moment: Option<DateTime<Utc>>) -> Cell {
    match moment {
        None => text("never"),
        Some(moment) => vec![Inline::Time(
            moment.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            moment.format("%Y-%m-%d %H:%M UTC").to_string(),
        )],
    }
}

/// A moment of a column that knows no zone, as a cell.
pub fn local(moment: Option<NaiveDateTime>) -> Cell {
    time(moment.map(|moment| moment.and_utc()))
}

/// A day, as a cell.
pub fn day(day: Option<NaiveDate>) -> Cell {
    match day {
        None => text("-"),
        Some(day) => vec![Inline::Time(day.to_string(), day.to_string())],
    }
}

/// The state of an account, as a cell.
pub fn state(word: &str) -> Cell {
    let tone = if word == "active" { Tone::Good } else { Tone::Bad };
    badge(tone, word.replace('_', " "))
}

/// Yes or no.
pub fn yes(is: bool) -> Cell {
    text(if is { "yes" } else { "no" })
}

/// A button, as a cell.
pub fn act(form: ActionForm) -> Cell {
    vec![Inline::Act(Box::new(form))]
}

/// A table.
#[derive(Debug, Default)]
pub struct Table {
    heading: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    empty: String,
    before: Option<String>,
    after: Option<String>,
    /// Whether the last column has buttons, which those who only look are not shown.
    acts: bool,
}

impl Table {
    /// A table of these columns. What it says where it has no rows stands in `empty`.
    pub fn new(heading: impl Into<String>, head: &[&'static str], empty: impl Into<String>) -> Self {
        Self { heading: heading.into(), head: head.to_vec(), empty: empty.into(), ..Self::default() }
    }

    /// With a last column of buttons.
    #[must_use]
    pub fn with_acts(mut self) -> Self {
        self.acts = true;
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// With these rows.
    #[must_use]
    pub fn rows<const N: usize>(mut self, rows: impl IntoIterator<Item = [Cell; N]>) -> Self {
        self.rows.extend(rows.into_iter().map(Vec::from));
        self
    }

    /// The cells of a row, with the names of their columns.
    fn cells<'a>(&self, row: &'a [Cell]) -> Vec<TableCell<'a>> {
        let cell = |(column, pieces): (usize, &'a Cell)| TableCell {
            column,
            label: self.head.get(column).copied().unwrap_or("Actions"),
            acts: self.acts && column >= self.head.len(),
            pieces,
        };
        row.iter().enumerate().map(cell).collect()
    }

    /// With links to the pages before and after this one.
    #[must_use]
    pub fn paged(mut self, before: Option<String>, after: Option<String>) -> Self {
        (self.before, self.after) = (before, after);
        self
    }
}

#[derive(Debug)]
struct TableCell<'a> {
    column: usize,
    label: &'static str,
    /// Whether it has the buttons.
    acts: bool,
    pieces: &'a Cell,
}

impl TableCell<'_> {
    fn is_head(&self) -> bool {
        self.column == 0
    }
}

/// A form that searches: its fields go into the page's address.
#[derive(Debug)]
pub struct Filter {
    action: String,
    fields: Vec<Field>,
    button: &'static str,
    /// Whether it answers while somebody types, where the browser runs scripts.
    live: bool,
}

impl Filter {
    /// A form that asks for this page.
    pub fn new(action: impl Into<String>, fields: Vec<Field>) -> Self {
        Self { action: action.into(), fields, button: "Search", live: true }
    }
}

impl Filter {
    /// With a button of this label, which alone asks: half of what is filled in means something else.
    #[must_use]
    pub fn asked(mut self, button: &'static str) -> Self {
        (self.button, self.live) = (button, false);
        self
    }
}

/// A field of a form.
#[derive(Debug, Clone)]
pub struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    kind: FieldKind,
    hint: &'static str,
}

#[derive(Debug, Clone)]
enum FieldKind {
    Text { kind: &'static str, required: bool, longest: usize },
    Choice(Vec<(String, String)>),
}

impl Field {
    /// A text to search for.
    pub fn search(name: &'static str, label: &'static str, value: &str) -> Self {
        let kind = FieldKind::Text { kind: "search", required: false, longest: 255 };
        Self { name, label, value: value.to_owned(), kind, hint: "" }
    }

    /// A line of text that must be there.
    pub fn required(name: &'static str, label: &'static str, value: &str) -> Self {
        Self {
            kind: FieldKind::Text { kind: "text", required: true, longest: 255 },
            ..Self::search(name, label, value)
        }
    }

    /// A day.
    pub fn day(name: &'static str, label: &'static str, value: &str) -> Self {
        Self {
            kind: FieldKind::Text { kind: "date", required: false, longest: 10 },
            ..Self::search(name, label, value)
        }
    }

    /// One of these: values, and words.
    pub fn choice(name: &'static str, label: &'static str, value: &str, choices: &[(&str, &str)]) -> Self {
        let choices = choices.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect();
        Self { kind: FieldKind::Choice(choices), ..Self::search(name, label, value) }
    }

    /// With a sentence about it.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }
}

/// A form that does something.
#[derive(Debug, Clone)]
pub struct ActionForm {
    action: String,
    label: &'static str,
    /// What it is done to, for those who hear the button alone.
    about: String,
    hidden: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    /// What will happen, which is read before the button can be pressed.
    warning: Option<String>,
}

impl ActionForm {
    /// A button of this label, about something.
    pub fn new(action: impl Into<String>, label: &'static str, about: impl Into<String>) -> Self {
        let (hidden, fields) = (Vec::new(), Vec::new());
        Self { action: action.into(), label, about: about.into(), hidden, fields, warning: None }
    }

    /// With a value that its page knows.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts alike")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.hidden.push((name, value.to_string()));
        self
    }

    /// With a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Opened first, with a sentence about what will happen.
    #[must_use]
    pub fn warned(mut self, warning: impl Into<String>) -> Self {
        self.warning = Some(warning.into());
        self
    }
}

/// Figures over time, drawn here.
#[derive(Debug)]
pub struct Chart {
    heading: String,
    /// The figures in words.
    summary: String,
    lines: Vec<ChartLine>,
    top: String,
}

#[derive(Debug)]
struct ChartLine {
    name: &'static str,
    class: &'static str,
    points: String,
}

const CHART_WIDTH: f64 = 300.0;
const CHART_HEIGHT: f64 = 80.0;

impl Chart {
    /// Lines of as many figures as there are minutes, the oldest first; a minute without a figure is a gap that the line
    /// crosses. `say` writes a figure.
    pub fn new(heading: &str, lines: &[(&'static str, Vec<Option<f64>>)], say: impl Fn(f64) -> String) -> Self {
        let all = || lines.iter().flat_map(|(_, values)| values.iter().copied().flatten());
        let most = all().fold(0.0, f64::max);
        let scale = if most > 0.0 { CHART_HEIGHT / most } else { 0.0 };
        let mut summary = String::new();
        for (name, values) in lines {
            let highest = values.iter().flatten().copied().fold(0.0, f64::max);
            let said = match values.iter().rev().flatten().next() {
                Some(last) => format!("{} last, at most {}", say(*last), say(highest)),
                None => "nothing yet".to_owned(),
            };
            let _ = write!(summary, "{}{name}: {said}", if summary.is_empty() { "" } else { "; " });
        }
        let drawn = lines.iter().zip(["one", "two"]).map(|((name, values), class)| {
            let mut points = String::new();
            let steps = f64::from(u32::try_from(values.len().max(2) - 1).unwrap_or(1));
            for (place, value) in values.iter().enumerate() {
                let Some(value) = value else { continue };
                let x = f64::from(u32::try_from(place).unwrap_or_default()) * CHART_WIDTH / steps;
                let _ = write!(points, "{x:.1},{:.1} ", CHART_HEIGHT - value * scale);
            }
            ChartLine { name, class, points }
        });
        Self { heading: heading.to_owned(), summary, lines: drawn.collect(), top: say(most) }
    }
}

impl Page {
    /// A page of this title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// With a sentence below its title.
    #[must_use]
    pub fn intro(mut self, words: impl Into<String>) -> Self {
        self.intro = words.into();
        self
    }

    /// Loaded anew every few seconds, where the browser runs scripts.
    #[must_use]
    pub fn refreshed(mut self) -> Self {
        self.refreshed = true;
        self
    }

    /// With facts, each under a word.
    #[must_use]
    pub fn facts<'a>(mut self, heading: &str, facts: impl IntoIterator<Item = (&'a str, Cell)>) -> Self {
        let facts = facts.into_iter().map(|(name, cell)| (name.to_owned(), cell)).collect();
        self.blocks.push(Block::Facts { heading: heading.to_owned(), facts });
        self
    }

    /// With a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.blocks.push(Block::Table(table));
        self
    }

    /// With a form that searches.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.blocks.push(Block::Filter(filter));
        self
    }

    /// With a form that does something.
    #[must_use]
    pub fn form(mut self, form: ActionForm) -> Self {
        self.blocks.push(Block::Form(form));
        self
    }

    /// With a chart.
    #[must_use]
    pub fn chart(mut self, chart: Chart) -> Self {
        self.blocks.push(Block::Chart(chart));
        self
    }

    /// With links to pages about the same: addresses, and words.
    #[must_use]
    pub fn links(mut self, links: &[(&str, &str)]) -> Self {
        let links = links.iter().map(|(to, words)| ((*to).to_owned(), (*words).to_owned())).collect();
        self.blocks.push(Block::Links(links));
        self
    }

    /// With a secret that is shown here and nowhere again.
    #[must_use]
    pub fn secret(mut self, label: &str, text: &str) -> Self {
        self.blocks.push(Block::Secret { label: label.to_owned(), text: text.to_owned() });
        self
    }

    /// The page as an answer to this caller.
    pub fn show(self, caller: &AdminCaller) -> Response {
        let template = PageTemplate {
            page: &self,
            css: &assets::CSS.url,
            htmx: &assets::HTMX.url,
            nav: &NAV,
            caller,
            may_act: caller.may_act(),
            form_token: caller.form_token(),
        };
        html(template.render())
    }
}

/// HTML as an answer.
pub fn html(rendered: askama::Result<String>) -> Response {
    match rendered {
        Ok(html) => ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], html).into_response(),
        Err(error) => crate::http::error::ApiError::Internal(error.into()).into_response(),
    }
}

/// The pages that every page leads to.
const NAV: [(&str, &str); 14] = [
    ("/admin", "Overview"),
    ("/admin/explain", "Explain"),
    ("/admin/refusals", "Refusals"),
    ("/admin/projects", "Projects"),
    ("/admin/groups", "Groups"),
    ("/admin/users", "Users"),
    ("/admin/jobs", "Jobs"),
    ("/admin/hooks", "Web hooks"),
    ("/admin/agents", "Agents"),
    ("/admin/provisioning", "Provisioning"),
    ("/admin/scim", "SCIM"),
    ("/admin/expiring", "Expiring"),
    ("/admin/audit", "Audit"),
    ("/admin/sessions", "Sessions"),
];

#[derive(Template)]
#[template(path = "admin/page.html")]
struct PageTemplate<'a> {
    page: &'a Page,
    css: &'a str,
    htmx: &'a str,
    nav: &'a [(&'static str, &'static str)],
    caller: &'a AdminCaller,
    may_act: bool,
    form_token: &'a str,
}

impl PageTemplate<'_> {
    /// Whether a page of the navigation is this one, or the one around it.
    fn is_here(&self, to: &str) -> bool {
        let path = self.caller.path();
        path == to || (to != "/admin" && path.strip_prefix(to).is_some_and(|rest| rest.starts_with('/')))
    }
}
