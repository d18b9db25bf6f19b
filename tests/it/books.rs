//! The books are true: every link leads somewhere, every page is in the book, every block of data is read by whom it is
//! for, and what is marked as runnable runs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use gatehouse::config::Settings;
use gatehouse::document::state::StateDocument;
use gatehouse::document::{self, schema_of};
use regex::Regex;
use serde_json::Value;
use sqlx::PgPool;

/// Pages beside those below `docs/`.
const AROUND: [&str; 4] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
const SUMMARY: &str = "docs/SUMMARY.md";

/// A page: its path from the root of the repository, and its parts.
struct Page {
    path: PathBuf,
    /// What people read, paragraph by paragraph, without code.
    prose: Vec<String>,
    /// Its headings, as links name them.
    anchors: Vec<String>,
    blocks: Vec<Block>,
}

/// A fenced block.
struct Block {
    /// What stands behind the fence.
    language: String,
    line: usize,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = AROUND.map(|name| root().join(name)).to_vec();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = included(path, &text);
        let (mut prose, mut anchors, mut blocks) = (vec![String::new()], Vec::new(), Vec::new());
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            let indent = line.len() - trimmed.len();
            if let Some(language) = trimmed.strip_prefix("```") {
                open = if let Some((_, block)) = open.take() {
                    blocks.push(block);
                    None
                } else {
                    let language = language.trim().to_owned();
                    Some((indent, Block { language, line: number + 1, text: String::new() }))
                };
            } else if let Some((indent, block)) = &mut open {
                let inner =
                    line.get(..*indent).filter(|start| start.trim().is_empty()).map_or(line, |_| &line[*indent..]);
                block.text.push_str(inner);
                block.text.push('\n');
            } else if let Some(heading) = heading(line) {
                let repeated = anchors.iter().filter(|known| **known == heading).count();
                anchors.push(if repeated == 0 { heading } else { format!("{heading}-{repeated}") });
                prose.push(line.to_owned());
            } else if trimmed.is_empty() {
                prose.push(String::new());
            } else if let Some(paragraph) = prose.last_mut() {
                paragraph.push_str(line);
                paragraph.push('\n');
            }
        }
        assert!(open.is_none(), "{}: a block has no end", path.display());
        let code = Regex::new("(?s)`+[^`]+`+").unwrap();
        let prose = prose.iter().map(|paragraph| code.replace_all(paragraph, "").into_owned()).collect();
        Self { path: path.strip_prefix(root()).unwrap().to_owned(), prose, anchors, blocks }
    }

    /// Where the page's links lead to, with their anchors; addresses of other hosts left out.
    fn links(&self) -> Vec<(String, Option<String>)> {
        let link = Regex::new(r"\]\(([^()\s]+)\)").unwrap();
        let found = self.prose.iter().flat_map(|text| link.captures_iter(text).map(|found| found[1].to_owned()));
        let inner = found.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
        inner
            .map(|target| match target.split_once('#') {
                Some((path, anchor)) => (path.to_owned(), Some(anchor.to_owned())),
                None => (target, None),
            })
            .collect()
    }

    fn is_in_the_book(&self) -> bool {
        self.path.starts_with("docs")
    }
}

/// The text with what mdBook puts in place of its directive: a part of another file, between two anchors.
fn included(path: &Path, text: &str) -> String {
    let directive = Regex::new(r"\{\{#include ([^:}]+):(\w+)\}\}").unwrap();
    directive
        .replace_all(text, |found: &regex::Captures<'_>| {
            let other = fs::read_to_string(path.parent().unwrap().join(&found[1])).unwrap();
            let begin = format!("<!-- ANCHOR: {} -->", &found[2]);
            let end = format!("<!-- ANCHOR_END: {} -->", &found[2]);
            let part = other.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
            part.unwrap_or_else(|| panic!("{} has no part {}", &found[1], &found[2])).0.to_owned()
        })
        .into_owned()
}

/// A heading as links name it: letters, digits and dashes.
fn heading(line: &str) -> Option<String> {
    let words = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?.trim();
    let kept = words.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter => letter.is_alphanumeric().then(|| letter.to_ascii_lowercase()),
    });
    Some(kept.collect())
}

/// The path without `.` and `..`; nothing where it leads out of the repository.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut dead = Vec::new();
    for page in &pages {
        for (target, anchor) in page.links() {
            let folder = page.path.parent().unwrap();
            let path = if target.is_empty() { Some(page.path.clone()) } else { plain(&folder.join(&target)) };
            let named = format!("{}: {target}{}", page.path.display(), anchor.as_ref().map_or("", |_| "#…"));
            let Some(path) = path.filter(|path| root().join(path).exists()) else {
                dead.push(named);
                continue;
            };
            // The book holds what is below docs/ and nothing else.
            if page.is_in_the_book() && !path.starts_with("docs") {
                dead.push(format!("{named} leads out of the book"));
            }
            let Some(anchor) = anchor else { continue };
            let there = pages.iter().find(|other| other.path == path);
            if !there.is_some_and(|there| there.anchors.contains(&anchor)) {
                dead.push(format!("{}: {target}#{anchor}", page.path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "links lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn every_page_is_in_the_book_once() {
    let pages = pages();
    let summary = pages.iter().find(|page| page.path == Path::new(SUMMARY)).unwrap();
    let listed: Vec<PathBuf> = summary.links().iter().map(|(target, _)| Path::new("docs").join(target)).collect();
    let unique: BTreeSet<&PathBuf> = listed.iter().collect();
    assert_eq!(unique.len(), listed.len(), "a page stands twice in {SUMMARY}");
    let all = pages.iter().filter(|page| page.is_in_the_book() && page.path != Path::new(SUMMARY));
    let missing: Vec<&PathBuf> = all.map(|page| &page.path).filter(|path| !unique.contains(path)).collect();
    assert!(missing.is_empty(), "{SUMMARY} does not list {missing:?}");
}

/// What has a `…` in it is no whole document. A block of YAML whose keys are those of the settings is read as settings, and
/// one whose keys are those of a state document as a state document; `yaml` with another word behind it is somebody else's.
#[test]
fn blocks_of_data_are_what_they_show() {
    let keys_of =
        |schema: Value| -> BTreeSet<String> { schema["properties"].as_object().unwrap().keys().cloned().collect() };
    let (settings, state) = (keys_of(schema_of::<Settings>()), keys_of(schema_of::<StateDocument>()));
    let mut wrong = Vec::new();
    let mut read = 0;
    for page in pages() {
        for block in page.blocks.iter().filter(|block| !block.text.contains('…') && !block.text.contains("...")) {
            let mut words = block.language.split(' ');
            let problem = match (words.next().unwrap_or_default(), words.next()) {
                ("json", _) => serde_json::from_str::<Value>(&block.text).err().map(|error| error.to_string()),
                ("yaml", others) => match document::read(&block.text) {
                    Err(problem) => Some(problem.to_string()),
                    Ok(value) => {
                        let keys: BTreeSet<String> =
                            value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
                        let problems = if others.is_some() || keys.is_empty() {
                            Vec::new()
                        } else if keys.is_subset(&settings) {
                            Settings::load(&block.text, []).err().unwrap_or_default()
                        } else if keys.is_subset(&state) {
                            document::check::<StateDocument>(&value).err().unwrap_or_default()
                        } else {
                            Vec::new()
                        };
                        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                        (!problems.is_empty()).then(|| problems.join("; "))
                    }
                },
                _ => continue,
            };
            read += 1;
            if let Some(problem) = problem {
                wrong.push(format!("{}:{}: {problem}", page.path.display(), block.line));
            }
        }
    }
    assert!(wrong.is_empty(), "blocks cannot be read:\n{}", wrong.join("\n"));
    assert!(read > 10, "only {read} blocks were read: they are written otherwise");
}

/// The blocks of a page run one after the other, each page over an empty database.
#[sqlx::test(migrations = false)]
async fn what_is_marked_as_runnable_runs(pool: PgPool) {
    let folder = std::env::temp_dir().join(format!("gatehouse-books-{}", std::process::id()));
    let binary = Path::new(env!("CARGO_BIN_EXE_gatehouse")).parent().unwrap();
    let search = std::env::var_os("PATH").unwrap_or_default();
    let search =
        std::env::join_paths(std::iter::once(binary.to_owned()).chain(std::env::split_paths(&search))).unwrap();
    let url = url_of(&pool);
    let mut run = 0;
    for page in pages() {
        let blocks: Vec<&Block> = page.blocks.iter().filter(|block| block.language == "sh runnable").collect();
        if blocks.is_empty() {
            continue;
        }
        fs::create_dir_all(&folder).unwrap();
        let anew = "drop schema public cascade; drop schema if exists graphile_worker cascade; create schema public";
        sqlx::raw_sql(anew).execute(&pool).await.unwrap();
        for block in blocks {
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &block.text])
                .current_dir(root())
                .env_remove("GATEHOUSE_CONFIG")
                .envs(surroundings(&folder, &url, &search))
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
            let place = format!("{}:{}", page.path.display(), block.line);
            assert!(output.status.success(), "{place}: {}\n{}\n{said}", output.status, block.text);
            run += 1;
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    assert!(run > 5, "only {run} blocks were run: they are marked otherwise");
}

/// What a runnable block finds: the binary, a database, and a folder for its files and secrets.
fn surroundings(folder: &Path, url: &str, search: &OsString) -> Vec<(&'static str, OsString)> {
    vec![
        ("PATH", search.clone()),
        ("DATABASE_URL", url.into()),
        ("TMPDIR", folder.into()),
        ("GITLAB_SHELL__SECRET_FILE", folder.join("gitlab_shell_secret").into()),
        ("GITLAB_KAS__SECRET_FILE", folder.join("gitlab_kas_secret").into()),
        ("WORKHORSE__SECRET_FILE", folder.join("gitlab_workhorse_secret").into()),
        ("GATEHOUSE__DB_KEY_BASE_FILE", folder.join("db_key_base").into()),
    ]
}

/// The URL of the test's database, as PostgreSQL's own tools read it: that of the environment, with another name in it.
fn url_of(pool: &PgPool) -> String {
    let url = std::env::var("DATABASE_URL").unwrap();
    let (address, parameters) =
        url.split_once('?').map_or((&*url, String::new()), |(address, rest)| (address, format!("?{rest}")));
    let options = pool.connect_options();
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{}{parameters}", options.get_database().unwrap())
}

/// Where mdBook is there.
#[test]
fn the_book_builds() {
    if Command::new("mdbook").arg("--version").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let folder = std::env::temp_dir().join(format!("gatehouse-book-{}", std::process::id()));
    let output =
        Command::new("mdbook").args(["build", "--dest-dir"]).arg(&folder).current_dir(root()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success() && !said.contains("ERROR") && !said.contains("WARN"), "{said}");
    assert!(folder.join("index.html").exists(), "{said}");
    fs::remove_dir_all(folder).unwrap();
}
