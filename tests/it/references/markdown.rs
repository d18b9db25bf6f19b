//! Markdown, as far as generated pages need it.

/// How wide prose is.
const WIDTH: usize = 120;

/// What stands on top of a page, so that nobody edits it.
pub fn note(sources: &str) -> String {
    format!("<!-- Written from {sources}. To renew it: GATEHOUSE_BLESS=1 bin/test references -->\n\n")
}

/// A table with these heads; the cells are Markdown of one line.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(head.iter().map(|&name| name.to_owned()).collect());
    text += &line(vec!["---".to_owned(); head.len()]);
    for row in rows {
        text += &line(row.iter().map(|cell| in_cell(cell)).collect());
    }
    text + "\n"
}

/// A pipe ends a cell, also within code, unless it is escaped.
fn in_cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Code within a line.
pub fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Paragraphs of prose, with lines that are not too long.
pub fn prose(text: &str) -> String {
    let mut wrapped = String::new();
    for paragraph in text.split("\n\n") {
        let mut width = 0;
        for word in words(paragraph) {
            let more = word.chars().count();
            if width > 0 && width + 1 + more > WIDTH {
                wrapped.push('\n');
                width = 0;
            } else if width > 0 {
                wrapped.push(' ');
                width += 1;
            }
            wrapped += &word;
            width += more;
        }
        wrapped += "\n\n";
    }
    wrapped
}

/// The words of a text; code is one, whatever it holds.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut().filter(|last| last.matches('`').count() % 2 == 1) {
            Some(code) => code.extend([" ", word]),
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// What a link to a heading ends in: the heading's words in small letters, with hyphens between them.
pub fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.collect::<String>().replace(' ', "-")
}
