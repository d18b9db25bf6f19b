//! The pages of `docs/reference` that are written from the sources, and the test that they are those of today.

mod commands;
mod markdown;
mod schema;
mod settings;
mod state;

use std::path::Path;
use std::{env, fs};

/// Compares a page with its file, or writes the file where that is asked for.
fn hold(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if env::var_os("GATEHOUSE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, page).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(there.lines()).find(|(new, old)| new != old);
    assert!(
        there == page,
        "docs/reference/{name} is not what the sources say: {differs:#?}\n\
         Write it anew: GATEHOUSE_BLESS=1 bin/test references"
    );
}

#[test]
fn the_page_of_commands_is_that_of_the_command_line() {
    hold("commands.md", &commands::page());
}

#[test]
fn the_page_of_settings_is_that_of_their_types() {
    hold("settings.md", &settings::page());
}

#[test]
fn the_page_of_the_state_document_is_that_of_its_types() {
    hold("state.md", &state::page());
}

/// Renderers agree on the anchors of such headings, and each link leads to one.
#[test]
fn links_within_a_page_lead_somewhere() {
    for page in [commands::page(), settings::page(), state::page()] {
        let headings = page.lines().filter(|line| line.starts_with('#'));
        let anchors: Vec<String> = headings.map(markdown::anchor).collect();
        let mut unique = anchors.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), anchors.len(), "two headings have one anchor: {anchors:#?}");
        for link in page.split("](#").skip(1).filter_map(|rest| rest.split_once(')')) {
            assert!(anchors.iter().any(|anchor| anchor == link.0), "nothing is at #{}", link.0);
        }
    }
}
