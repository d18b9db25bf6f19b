//! The contract and the tests know each other: every case of `docs/contract` is named by a test that proves it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::tidy::sources;

/// The chapters by name, without their front page.
fn chapters() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contract");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path));
    let read = named.filter(|(name, _)| name != "README").map(|(name, path)| (name, fs::read_to_string(path).unwrap()));
    read.collect()
}

/// The ids in the first column of a chapter's tables of cases: the chapter's name (of `git_http` its last word), a dash and
/// a number.
fn cases<'a>(name: &'a str, text: &'a str) -> impl Iterator<Item = &'a str> {
    let name = name.rsplit('_').next().unwrap_or(name);
    text.lines().filter_map(move |line| {
        let (id, _) = line.strip_prefix("| ")?.split_once(" |")?;
        let number = id.strip_prefix(name)?.strip_prefix('-')?;
        number.starts_with(|first: char| first.is_ascii_digit()).then_some(id)
    })
}

#[test]
fn every_case_of_the_contract_is_named_by_a_test() {
    let texts: Vec<String> = ["src", "tests"].into_iter().flat_map(sources).map(|(_, text)| text).collect();
    let words = |text: &str| -> Vec<String> {
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').map(str::to_owned).collect()
    };
    let named: BTreeSet<String> = texts.iter().flat_map(|text| words(text)).collect();
    let chapters = chapters();
    let all: Vec<&str> = chapters.iter().flat_map(|(name, text)| cases(name, text)).collect();
    assert!(all.len() > 300, "only {} cases were found: their tables are written otherwise", all.len());
    let missing: Vec<&&str> = all.iter().filter(|id| !named.contains(**id)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}
