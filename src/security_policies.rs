//! Scan execution policies: the file that GitLab keeps them in, what is wrong with one, and what it schedules for an agent
//! (kas.md 5).

use std::collections::BTreeMap;

use croner::Cron;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What agents carry out of all that policies can ask for.
const CONTAINER_SCANS: [&str; 2] = ["container_scanning", "cluster_image_scanning"];

/// The names that a cadence may have.
const NAMES: [&str; 19] = [
    "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP",
    "OCT", "NOV", "DEC",
];

/// The file, as far as it is of concern.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    #[serde(default)]
    scan_execution_policy: Vec<Policy>,
}

/// A policy: which scans run when. The order of the fields is that of its YAML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// A sentence or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is in force.
    pub enabled: bool,
    /// What is done: `scan` names the kind of scan.
    #[schemars(length(max = 10))]
    pub actions: Vec<Map<String, Value>>,
    /// When it is done.
    #[schemars(length(max = 5))]
    pub rules: Vec<Rule>,
}

/// When a policy's scans run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Of each pipeline, or by the clock.
    #[serde(rename = "type")]
    pub kind: RuleKind,
    /// The branches that it holds for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<String>>,
    /// The kind of branches that it holds for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch_type: Option<String>,
    /// The times, as five fields of cron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cadence: Option<String>,
    /// Where the clock hangs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The agents that scan, by their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<BTreeMap<String, Scope>>,
}

/// What makes a rule's time come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// Each pipeline.
    Pipeline,
    /// The clock.
    Schedule,
}

/// What an agent scans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Namespaces of its cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<OneOrMore>,
}

/// A text, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// A list.
    More(Vec<String>),
}

/// The policies in a file that are in order; one with a mistake would have agents do what nobody asked for.
///
/// # Errors
/// What is wrong with the file.
pub fn parse(yaml: &str) -> Result<Vec<Policy>, String> {
    let file: File = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    match file.scan_execution_policy.iter().find_map(|policy| policy.mistakes().pop()) {
        Some((place, mistake)) => Err(format!("{place} {mistake}")),
        None => Ok(file.scan_execution_policy),
    }
}

/// The file with these policies.
///
/// # Errors
/// Where a policy cannot be written as YAML.
pub fn to_file(policies: &[Policy]) -> Result<String, serde_saphyr::SerializeError> {
    dump(&File { scan_execution_policy: policies.to_vec() })
}

impl Policy {
    /// All that is wrong with the policy: where in it, and what. agentk checks no cadence itself, and a bad one ends it.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(String, String)> {
        let mut mistakes = Vec::new();
        for (index, action) in self.actions.iter().enumerate() {
            if !action.get("scan").is_some_and(Value::is_string) {
                mistakes.push((format!("actions[{index}].scan"), "is missing, for example container_scanning".into()));
            }
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let place = format!("rules[{index}]");
            if let Some(cadence) = &rule.cadence
                && let Err(mistake) = check_cadence(cadence)
            {
                mistakes.push((format!("{place}.cadence"), mistake));
            }
            let scopes = [rule.branches.is_some(), rule.branch_type.is_some(), rule.agents.is_some()];
            let scopes = scopes.iter().filter(|stated| **stated).count();
            match rule.kind {
                RuleKind::Schedule if rule.cadence.is_none() => {
                    mistakes.push((format!("{place}.cadence"), "is missing, for example \"30 2 * * *\"".to_owned()));
                }
                RuleKind::Schedule if scopes != 1 => {
                    mistakes.push((place, "needs exactly one of branches, branch_type and agents".to_owned()));
                }
                RuleKind::Pipeline if scopes != 1 || rule.agents.is_some() => {
                    mistakes.push((place, "needs exactly one of branches and branch_type".to_owned()));
                }
                RuleKind::Schedule | RuleKind::Pipeline => {}
            }
        }
        mistakes
    }

    /// When the agent of that name scans containers by this policy, and in which namespaces: one pair a rule.
    #[must_use]
    pub fn container_scans_of(&self, agent: &str) -> Vec<(String, Vec<String>)> {
        let scans = |action: &Map<String, Value>| {
            action.get("scan").and_then(Value::as_str).is_some_and(|scan| CONTAINER_SCANS.contains(&scan))
        };
        if !self.enabled || !self.actions.iter().any(scans) {
            return Vec::new();
        }
        let scheduled = self.rules.iter().filter(|rule| rule.kind == RuleKind::Schedule);
        let of_agent = scheduled.filter_map(|rule| {
            let scope = rule.agents.as_ref()?.get(agent)?;
            let namespaces = match &scope.namespaces {
                None => Vec::new(),
                Some(OneOrMore::One(name)) => vec![name.clone()],
                Some(OneOrMore::More(names)) => names.clone(),
            };
            Some((rule.cadence.clone()?, namespaces))
        });
        of_agent.collect()
    }

    /// The policy as YAML.
    ///
    /// # Errors
    /// Where it cannot be written so.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::SerializeError> {
        dump(self)
    }
}

fn dump(value: &impl Serialize) -> Result<String, serde_saphyr::SerializeError> {
    let options = serde_saphyr::ser_options! { compact_list_indent: true };
    let mut text = String::from("---\n");
    serde_saphyr::to_fmt_writer_with_options(&mut text, value, options)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Five fields, which agentk reads in its own way: no seconds, no years, no names such as `@daily`.
fn check_cadence(cadence: &str) -> Result<(), String> {
    if cadence.split_whitespace().count() != 5 {
        return Err("must have the five fields of cron, for example \"30 2 * * *\"".to_owned());
    }
    let mut words = cadence.split(|byte: char| " *,-/".contains(byte));
    let known = |word: &str| NAMES.contains(&word.to_ascii_uppercase().as_str());
    if !words.all(|word| word.bytes().all(|byte| byte.is_ascii_digit()) || known(word)) {
        return Err("may have digits, names of days and months, and * , - / alone".to_owned());
    }
    cadence.parse::<Cron>().map(drop).map_err(|error| format!("is no cron expression: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(rules: &Value) -> Policy {
        serde_json::from_value(json!({
            "name": "Nightly", "enabled": true, "actions": [{ "scan": "container_scanning" }], "rules": rules,
        }))
        .unwrap()
    }

    fn mistakes(rules: &Value) -> String {
        let mistakes = policy(rules).mistakes();
        mistakes.iter().map(|(place, mistake)| format!("{place} {mistake}")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_schedule_needs_times_and_one_place() {
        let agents = json!({ "prod": { "namespaces": ["a"] } });
        assert_eq!(mistakes(&json!([{ "type": "schedule", "cadence": "30 2 * * *", "agents": agents }])), "");
        assert_eq!(mistakes(&json!([{ "type": "schedule", "cadence": "0 22 * * 1-5", "branches": ["main"] }])), "");
        assert_eq!(mistakes(&json!([{ "type": "pipeline", "branches": ["main"] }])), "");
        let missing = mistakes(&json!([{ "type": "schedule", "agents": agents }]));
        assert!(missing.starts_with("rules[0].cadence is missing"), "{missing}");
        let nowhere = mistakes(&json!([{ "type": "schedule", "cadence": "30 2 * * *" }]));
        assert_eq!(nowhere, "rules[0] needs exactly one of branches, branch_type and agents");
        let agents = mistakes(&json!([{ "type": "pipeline", "agents": agents }]));
        assert_eq!(agents, "rules[0] needs exactly one of branches and branch_type");
    }

    #[test]
    fn a_cadence_that_agentk_cannot_read_is_refused() {
        for cadence in ["@daily", "* * * *", "0 0 0 1 1 *", "61 * * * *", "0 25 * * *", "a b c d e", "30 2 * * L", ""] {
            assert!(check_cadence(cadence).is_err(), "{cadence}");
        }
        for cadence in ["30 2 * * *", "*/15 * * * *", "0 0 1,15 * MON", "0 22 * JAN-MAR 1-5"] {
            assert_eq!(check_cadence(cadence), Ok(()), "{cadence}");
        }
    }

    #[test]
    fn only_what_the_agent_can_do_is_scheduled_for_it() {
        let rules = json!([
            { "type": "schedule", "cadence": "30 2 * * *", "agents": { "prod": { "namespaces": ["a", "b"] } } },
            { "type": "schedule", "cadence": "0 3 * * *", "agents": { "prod": { "namespaces": "c" }, "stage": {} } },
            { "type": "schedule", "cadence": "0 4 * * *", "branches": ["main"] },
        ]);
        let policy = policy(&rules);
        let both = [
            ("30 2 * * *".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
            ("0 3 * * *".to_owned(), vec!["c".to_owned()]),
        ];
        assert_eq!(policy.container_scans_of("prod"), both);
        assert_eq!(policy.container_scans_of("stage"), [("0 3 * * *".to_owned(), Vec::new())]);
        assert!(policy.container_scans_of("Prod").is_empty());
        assert!(Policy { enabled: false, ..policy.clone() }.container_scans_of("prod").is_empty());
        let dast = vec![Map::from_iter([("scan".to_owned(), json!("dast"))])];
        assert!(Policy { actions: dast, ..policy }.container_scans_of("prod").is_empty());
    }

    #[test]
    fn the_yaml_of_a_policy_reads_back() {
        let agents = json!({ "prod": { "namespaces": ["a"] } });
        let policy = policy(&json!([{ "type": "schedule", "cadence": "30 2 * * *", "agents": agents }]));
        insta::assert_snapshot!(policy.to_yaml().unwrap(), @"
    ---
    name: Nightly
    enabled: true
    actions:
    - scan: container_scanning
    rules:
    - type: schedule
      cadence: 30 2 * * *
      agents:
        prod:
          namespaces:
          - a
    ");
        let file = to_file(std::slice::from_ref(&policy)).unwrap();
        assert_eq!(parse(&file).unwrap(), [policy]);
        assert_eq!(parse("{}").unwrap(), []);
        assert!(parse("scan_execution_policy: 5").is_err());
    }
}
