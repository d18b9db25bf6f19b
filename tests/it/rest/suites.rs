//! The tests that clients have of themselves, as they are, against the built server: python-gitlab's and client-go's. Those
//! that pass are listed in `tests/suites`; the lists only grow.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::PgPool;

use crate::support::{Installation, Served};

pub const TOKEN: &str = "glpat-of-the-suites";

/// Where `bin/test` puts the suites; it says so in `SUITES`, and then what it could install must be there.
pub fn suites() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".gatehouse/suites");
    std::env::var_os("SUITES").map_or_else(usual, PathBuf::from)
}

pub fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites").join(name)
}

/// The names of tests in a list, without its comments.
fn expected(list: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(beside(list)).unwrap();
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// A storage without an address: projects are there without a repository.
const NO_STORAGE: &str = "repositories: {storages: {}}\n";

/// A server with an administrator and nothing else, and these settings of storages.
pub fn serve(pool: &PgPool, storages: &str) -> (Served, u16) {
    let (installation, address) = Installation::new(pool, storages).on_tcp();
    let settings = installation.folder.join("gitlab.yml");
    let url = format!("gitlab: {{host: 127.0.0.1, port: {}}}\n", address.port());
    fs::write(&settings, fs::read_to_string(&settings).unwrap() + &url).unwrap();
    let applied = installation.run(&["apply", "--file", &beside("root.yml").display().to_string()]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    (installation.serve(), address.port())
}

/// rest.md 16
#[sqlx::test]
async fn python_gitlab_passes_its_own_tests(pool: PgPool) {
    let source = suites().join("python-gitlab");
    let python = suites().join("python/bin/python3");
    if !source.exists() {
        println!("skipped: no tests of python-gitlab here; bin/test installs them into .gatehouse/suites");
        return;
    }
    let (served, port) = serve(&pool, NO_STORAGE);
    let wanted = expected("python-gitlab.txt");
    let path = format!("{}:{}:/usr/bin:/bin", beside("").display(), python.parent().unwrap().display());
    let ran = Command::new(&python)
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "--tb=short"])
        // As a program of its own, which is how people run it.
        .arg("--script-launch-mode=subprocess")
        .args(in_order(&source, &wanted))
        .current_dir(&source)
        .env_clear()
        .env("PATH", path)
        .env("HOME", &served.installation.folder)
        .env("TMPDIR", &served.installation.folder)
        .env("SUITE_PORT", port.to_string())
        .env("SUITE_TOKEN", TOKEN)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let said = String::from_utf8_lossy(&ran.stdout);
    let told = |word: &'static str| {
        let ids = said.lines().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '));
        // Without the variant, and without what pytest says of a failure.
        ids.map(|id| id.split(['[', ' ']).next().unwrap_or_default().to_owned()).collect::<BTreeSet<String>>()
    };
    let mut passed = told("PASSED");
    passed.retain(|id| !told("FAILED").contains(id) && !told("ERROR").contains(id));
    let failed: Vec<&String> = wanted.difference(&passed).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{said}\n{}\n{}", String::from_utf8_lossy(&ran.stderr), served.log());
}

/// The tests as they stand in their files, where one builds on what those before it left.
fn in_order(source: &Path, wanted: &BTreeSet<String>) -> Vec<String> {
    let place = |id: &String| {
        let (file, test) = id.split_once("::").unwrap();
        let code = fs::read_to_string(source.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let at = code.find(&format!("def {test}(")).unwrap_or_else(|| panic!("{id} is not there"));
        (file.to_owned(), at)
    };
    let mut ids: Vec<String> = wanted.iter().cloned().collect();
    ids.sort_by_key(place);
    ids
}

/// rest.md 16
#[sqlx::test]
async fn client_go_passes_its_own_tests(pool: PgPool) {
    let tests = suites().join("client-go.test");
    if !tests.exists() {
        println!("skipped: no tests of client-go here; bin/test builds them into .gatehouse/suites where there is Go");
        return;
    }
    let (served, port) = serve(&pool, NO_STORAGE);
    let wanted = expected("client-go.txt");
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let ran = Command::new(&tests)
        .args(["-test.v", "-test.count=1", "-test.timeout=300s", "-test.run"])
        .arg(format!("^({})$", names.join("|")))
        .env_clear()
        .env("GITLAB_BASE_URL", format!("http://127.0.0.1:{port}/api/v4"))
        .env("GITLAB_TOKEN", TOKEN)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", tests.display()));
    let said = String::from_utf8_lossy(&ran.stdout);
    let passed: BTreeSet<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix("--- PASS: "))
        .filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned()))
        .collect();
    let failed: Vec<&String> = wanted.difference(&passed).collect();
    assert!(failed.is_empty(), "{failed:#?}\n{said}\n{}\n{}", String::from_utf8_lossy(&ran.stderr), served.log());
}
