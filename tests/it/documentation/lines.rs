//! Every curl line of five versions of GitLab's documentation, in their order, with the host and the tokens that `bin/run`
//! prints for them and nothing else changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use sqlx::PgPool;

use super::{Running, shell};

/// `lines.yml`, which says what its keys mean.
#[derive(Deserialize)]
struct Documentation {
    lines: BTreeMap<String, Line>,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Line {
    curl: String,
    status: u16,
    slip: Option<String>,
    prints: Option<Value>,
    #[serde(default)]
    differs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Version {
    name: String,
    shell: Option<String>,
    lines: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Line(String),
    Reloaded { line: String, reload: String },
}

impl Documentation {
    fn read() -> Self {
        serde_saphyr::from_str(include_str!("lines.yml")).unwrap()
    }
}

/// The header of gitlab-shell, as all but the oldest versions print it.
const SHELL: &str = "Gitlab-Shell-Api-Request: <JWT token>";
const HOSTS: [&str; 4] =
    ["http://localhost:3000", "http://localhost:3001", "https://gitlab.com", "https://gitlab.example.com"];

impl Running {
    /// The answer to a printed line: its status, and its body.
    fn ask(&self, line: &str) -> (u16, String) {
        let curl = "curl --silent --show-error --write-out '\\n%{http_code}' ";
        let output = shell(&self.adapted(line).replacen("curl ", curl, 1));
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// The line with this server's address in place of the printed one, and tokens in place of their names.
    fn adapted(&self, line: &str) -> String {
        let mut line = line.replace("<admin access token>", "<admin_access_token>");
        for host in HOSTS {
            line = line.replace(host, &format!("http://{}", self.listen));
        }
        for (name, value) in self.tokens() {
            let (name, place) = name.split_once(" of ").map_or((name, None), |(name, place)| (name, Some(place)));
            let place = place.map(|place| match place {
                "a group" => "/scim/v2/groups/",
                "the application" => "/scim/v2/application/",
                endpoint => endpoint,
            });
            if line.contains(name) && place.is_none_or(|place| line.contains(place)) {
                // The value is a word of a shell's.
                let value = String::from_utf8(shell(&format!("printf %s \"{value}\"")).stdout).unwrap();
                let header = name.split_once(": ").map_or_else(String::new, |(header, _)| format!("{header}: "));
                line = line.replace(name, &format!("{header}{}", value.trim_end()));
            }
        }
        assert!(!line.contains('<'), "bin/run names no value for this: {line}");
        line
    }

    /// What `bin/run` says to put in place of which word.
    fn tokens(&self) -> impl Iterator<Item = (&str, &str)> {
        let (_, table) = self.said.split_once("answers too").unwrap();
        table
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split_once("  ").map(|(name, value)| (name, value.trim())))
    }
}

/// Answers that are not as documented.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn judge(&mut self, name: &str, line: &Line, (status, body): (u16, String)) {
        if status != line.status {
            self.0.push(format!("{name}: {status} in place of {}: {body}", line.status));
            return;
        }
        if status == 204 && !body.is_empty() {
            self.0.push(format!("{name}: {body} in place of nothing"));
        }
        let Some(printed) = &line.prints else { return };
        let Ok(answered) = serde_json::from_str(&body) else {
            self.0.push(format!("{name}: {body} is no JSON"));
            return;
        };
        let mut met = BTreeSet::new();
        self.compare(name, line, &mut met, "", (printed, &answered));
        for path in line.differs.keys().filter(|path| !met.contains(*path)) {
            self.0.push(format!("{name}: {path} differs no more, or is not printed"));
        }
    }

    fn compare(
        &mut self,
        name: &str,
        line: &Line,
        met: &mut BTreeSet<String>,
        path: &str,
        (printed, answered): (&Value, &Value),
    ) {
        match (printed, answered) {
            _ if line.differs.contains_key(path) => {
                if printed != answered {
                    met.insert(path.to_owned());
                }
            }
            (Value::Object(printed), Value::Object(answered)) => {
                for (key, printed) in printed {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    match answered.get(key) {
                        Some(answered) => self.compare(name, line, met, &path, (printed, answered)),
                        None => self.0.push(format!("{name}: {path} is missing")),
                    }
                }
            }
            (Value::Array(printed), Value::Array(answered)) if printed.len() == answered.len() => {
                for pair in printed.iter().zip(answered) {
                    self.compare(name, line, met, &format!("{path}[]"), pair);
                }
            }
            (printed, answered) if printed == answered => {}
            (printed, answered) => self.0.push(format!("{name}: {path} is {answered} in place of {printed}")),
        }
    }
}

/// All lines of a version, one after the other. Afterwards the demo can be loaded again.
fn all_lines_answer(pool: &PgPool, version: &str) {
    let documentation = Documentation::read();
    let version = documentation.versions.iter().find(|known| known.name == version).unwrap();
    let running = Running::start(pool);
    let reload = || running.gatehouse(&["apply", "-f", "config/demo.yml"]);
    let mut complaints = Complaints::default();
    for step in &version.lines {
        let name = match step {
            Step::Line(name) => name,
            Step::Reloaded { line, reload: reason } => {
                let before = running.ask(&documentation.lines[line].curl).0;
                assert_eq!(before, 404, "{line} needs no reload, although {reason}");
                reload();
                line
            }
        };
        let line = &documentation.lines[name];
        let header = version.shell.as_deref().unwrap_or(SHELL);
        complaints.judge(name, line, running.ask(&line.curl.replace(SHELL, header)));
    }
    assert!(complaints.0.is_empty(), "{}", complaints.0.join("\n"));
    reload();
    assert!(reload().contains("nothing to change"));
}

/// provisioning-57, provisioning-64, provisioning-67
#[sqlx::test(migrations = false)]
async fn the_lines_of_gitlab_14_answer(pool: PgPool) {
    all_lines_answer(&pool, "GitLab 14");
}

/// provisioning-74
#[sqlx::test(migrations = false)]
async fn the_lines_of_gitlab_15_answer(pool: PgPool) {
    all_lines_answer(&pool, "GitLab 15");
}

#[sqlx::test(migrations = false)]
async fn the_lines_of_gitlab_16_2_answer(pool: PgPool) {
    all_lines_answer(&pool, "GitLab 16.2");
}

#[sqlx::test(migrations = false)]
async fn the_lines_of_gitlab_16_4_answer(pool: PgPool) {
    all_lines_answer(&pool, "GitLab 16.4");
}

#[sqlx::test(migrations = false)]
async fn the_lines_of_gitlab_17_answer(pool: PgPool) {
    all_lines_answer(&pool, "GitLab 17");
}

#[test]
fn no_line_is_left_out() {
    let documentation = Documentation::read();
    let counts: Vec<usize> = documentation.versions.iter().map(|version| version.lines.len()).collect();
    assert_eq!(counts, [20, 34, 40, 40, 33]);
    let steps = documentation.versions.iter().flat_map(|version| &version.lines);
    let used: BTreeSet<&String> = steps.map(|(Step::Line(line) | Step::Reloaded { line, .. })| line).collect();
    assert!(used.into_iter().eq(documentation.lines.keys()));
    for (name, line) in &documentation.lines {
        assert_eq!(line.status < 300, line.slip.is_none(), "{name}");
    }
}
