//! The map of the sources is true: layers import downwards alone, SQL lives in `store`, and nothing is left unsaid.

use std::fs;
use std::path::Path;

/// Every Rust file below a folder of the crate: its path from the crate's root, and its text.
pub fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut files) = (vec![root.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// The lines of code that start with one of the words, comments and text left out.
fn lines_with<'a>(text: &'a str, words: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| words.iter().any(|word| line.contains(word)))
}

/// A layer, and what no file of it may name: the layers above it, and the crates that are the business of others.
const ABOVE: [(&str, &[&str]); 7] = [
    (
        "src/domain",
        &[
            "axum",
            "sqlx",
            "tokio",
            "serde",
            "crate::app",
            "crate::background",
            "crate::cli",
            "crate::config",
            "crate::crypto",
            "crate::document",
            "crate::gitaly",
            "crate::http",
            "crate::services",
            "crate::store",
        ],
    ),
    (
        "src/store",
        &[
            "axum",
            "crate::app",
            "crate::background",
            "crate::cli",
            "crate::document",
            "crate::gitaly",
            "crate::http",
            "crate::services",
        ],
    ),
    (
        "src/gitaly",
        &[
            "axum",
            "sqlx",
            "crate::app",
            "crate::background",
            "crate::cli",
            "crate::http",
            "crate::services",
            "crate::store",
        ],
    ),
    ("src/services", &["axum", "crate::app", "crate::background", "crate::cli", "crate::document", "crate::http"]),
    ("src/background", &["axum", "crate::app", "crate::cli", "crate::document", "crate::http"]),
    ("src/document", &["axum", "crate::app", "crate::background", "crate::cli", "crate::http"]),
    ("src/http", &["sqlx", "crate::app", "crate::cli", "crate::document", ".begin()", "PgConnection"]),
];

#[test]
fn imports_point_down() {
    for (layer, words) in ABOVE {
        for (name, text) in sources(layer) {
            let imports: Vec<&str> = lines_with(&text, words).collect();
            assert!(imports.is_empty(), "{name} reaches up or out:\n{}", imports.join("\n"));
        }
    }
}

/// A workflow is a service: nothing else begins a transaction, but for these.
#[test]
fn transactions_begin_in_services() {
    let exempted = [
        // What is under `Db`: transactions themselves, and reads that are run again.
        "src/store/db/mod.rs",
        // Reads that must all be of one moment.
        "src/store/drift.rs",
        "src/store/scim_search.rs",
        "src/document/export/mod.rs",
        // Statements that are planned for their own values.
        "src/store/rest/lists.rs",
        // A document is one transaction, whichever workflows it goes through.
        "src/document/reconcile.rs",
        // What stands in for the queue's library.
        "src/background/queue_driver.rs",
        // A report that is too large for a batch.
        "src/background/kas_usage_batcher.rs",
    ];
    for (name, text) in sources("src") {
        let begins: Vec<&str> = lines_with(&text, &[".begin()", ".begin_with("]).collect();
        let exempted = name.starts_with("src/services/") || exempted.contains(&name.as_str());
        assert!(exempted || begins.is_empty(), "{name} begins a transaction:\n{}", begins.join("\n"));
    }
}

#[test]
fn sql_lives_in_store() {
    for (name, text) in sources("src") {
        let queries: Vec<&str> = lines_with(&text, &["sqlx::query", "sqlx::raw_sql", "QueryBuilder"]).collect();
        assert!(name.starts_with("src/store/") || queries.is_empty(), "{name} has SQL:\n{}", queries.join("\n"));
    }
}

/// Whose membership counts is said once, by `gatehouse_is_active_member`: a query that reads memberships asks it, and none
/// spells it. Those that mean every row are counted here, with the reason.
#[test]
fn one_function_says_who_is_an_active_member() {
    let of_all_rows = [
        // The tokens of bots, who are bots of a project or group while they have any row there.
        ("src/store/access_tokens.rs", 2),
        // Everybody whom a change can touch, twice; and the rows that a job removes once their day has passed.
        ("src/store/derived.rs", 3),
        // Whoever has any row, of whom it is then said which of them give something.
        ("src/store/level_paths.rs", 6),
        // The other owners, who are asked about by another name.
        ("src/store/rest/user_deletion.rs", 1),
        // What a link gave before, to whoever has any row.
        ("src/store/saml_group_links.rs", 1),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = sources("src/store");
    for entry in fs::read_dir(root.join("src/store")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    for (name, text) in files {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for spelt in
            ["requested_at is", "invite_token is", "members.state", "coalesce(state, 0)", "members.expires_at is null"]
        {
            assert!(!code.contains(spelt), "{name} says itself who is an active member: {spelt}");
        }
        let count = |words: &str| code.matches(words).count();
        let reads = count("from members ") + count("join members ") - count("delete from members ");
        let exempted = of_all_rows.iter().find(|(file, _)| *file == name).map_or(0, |(_, number)| *number);
        let asks = count("gatehouse_is_active_member(members, ");
        let upserts = count("where not gatehouse_is_active_member(members, ");
        assert_eq!(reads, asks - upserts + exempted, "{name} reads memberships without asking who is active");
    }
}

/// Names of refs, messages and push options are bytes with git's grammar: what else Unicode takes for white space, or for
/// the end of a line, is part of them. Whoever cuts there judges another name than the one that git writes.
#[test]
fn what_git_writes_is_cut_where_git_cuts_it() {
    let readers = [
        "src/domain/access/",
        "src/domain/push",
        "src/gitaly/",
        "src/http/shell/",
        "src/services/check_push.rs",
        "src/services/hook_payload.rs",
        "src/services/process_push.rs",
        "src/services/pushed_repositories.rs",
        "src/services/report_push.rs",
        "src/store/received_pushes.rs",
    ];
    let cuts = [".trim()", ".trim_start()", ".trim_end()", "split_whitespace", ".lines()", "str::trim", "str::lines"];
    for reader in readers {
        let files: Vec<_> = sources("src").into_iter().filter(|(name, _)| name.starts_with(reader)).collect();
        assert!(!files.is_empty(), "{reader} is gone");
        for (name, text) in files {
            let cuts: Vec<&str> = lines_with(&text, &cuts).collect();
            assert!(cuts.is_empty(), "{name} cuts by Unicode's white space or lines:\n{}", cuts.join("\n"));
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_finished() {
    for (name, text) in ["src", "tests"].into_iter().flat_map(sources) {
        assert!(text.starts_with("//! "), "{name} does not open with its purpose");
        // Spelt apart, so that this file is not found by itself.
        let unfinished = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];
        let left: Vec<&str> = lines_with(&text, &unfinished).collect();
        assert!(left.is_empty(), "{name} is not finished:\n{}", left.join("\n"));
    }
}

#[test]
fn migrations_are_numbered_without_gaps() {
    let steps = gatehouse::store::MIGRATIONS.iter().map(|step| step.version);
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).unwrap().count();
    assert!(steps.eq(1..=i64::try_from(files).unwrap()));
}
