//! Security policies: the file that GitLab keeps them in, what is wrong with one, what it schedules for an agent
//! (kas.md 5), and which branches it keeps from being pushed to (allowed.md R14).

use std::collections::BTreeMap;

use croner::Cron;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::access::push::{PolicyBranches, PolicyRule};
use crate::domain::access::refs::RefPattern;

/// What agents carry out of all that policies can ask for.
const CONTAINER_SCANS: [&str; 2] = ["container_scanning", "cluster_image_scanning"];

/// The names that a cadence may have, each in its own field.
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// The bounds of a policy, as GitLab has them.
const LONGEST_NAME: usize = 255;
const MOST_RULES: usize = 5;
const MOST_ACTIONS: usize = 10;

/// The file, as far as it is of concern. A file without approval policies is written as ever.
#[derive(Debug, Serialize, Deserialize)]
struct PolicyDocument {
    #[serde(default)]
    scan_execution_policy: Vec<ScanPolicy>,
    /// `scan_result_policy` is what older files call it.
    #[serde(default, alias = "scan_result_policy", skip_serializing_if = "Vec::is_empty")]
    approval_policy: Vec<ApprovalPolicy>,
}

/// A policy about changes of branches: those that it is about change by merge requests alone. Of who must approve
/// those, nothing is known here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// Its name.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// A sentence or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is in force.
    pub enabled: bool,
    /// Which branches it is about.
    #[schemars(length(max = 5))]
    pub rules: Vec<ApprovalRule>,
    /// What it asks for.
    #[serde(default)]
    pub approval_settings: ApprovalSettings,
}

/// Which branches an approval policy is about. A state document may say what the schema has; a file that GitLab wrote
/// may say more, and is read all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ApprovalRule {
    /// What makes it hold: any change.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["any_merge_request"]))]
    pub kind: String,
    /// The protected branches of these names, `*` for any part of one; all of them where there is no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<String>>,
    /// The kind of branches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["default", "protected"]))]
    pub branch_type: Option<String>,
    /// Branches that the policy is not about after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub branch_exceptions: Option<Vec<Value>>,
}

/// What an approval policy asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ApprovalSettings {
    /// Nobody pushes to the branches, whatever their protection says.
    pub prevent_pushing_and_force_pushing: bool,
}

/// A policy: which scans run when. A state document may say no more of one; in a file that GitLab wrote, what else it
/// says is of no concern. The order of the fields is that of its YAML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ScanPolicy {
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
    pub rules: Vec<ScanRule>,
}

/// When a policy's scans run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ScanRule {
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
    pub agents: Option<BTreeMap<String, ScanScope>>,
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
#[schemars(deny_unknown_fields)]
pub struct ScanScope {
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

/// The policies in a file that are in order; one with a problem would have agents do what nobody asked for.
pub fn parse(yaml: &str) -> Result<Vec<ScanPolicy>, String> {
    let file: PolicyDocument = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    match file.scan_execution_policy.iter().find_map(|policy| policy.problems().pop()) {
        Some((place, problem)) => Err(format!("{place} {problem}")),
        None => Ok(file.scan_execution_policy),
    }
}

/// The rules in a file that keep branches from being pushed to.
pub fn rules_against_pushes(yaml: &str) -> Result<Vec<PolicyRule>, String> {
    let file: PolicyDocument = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    let blocking =
        |policy: &ApprovalPolicy| policy.enabled && policy.approval_settings.prevent_pushing_and_force_pushing;
    let rules = file.approval_policy.into_iter().filter(blocking).flat_map(|policy| policy.rules);
    Ok(rules.map(PolicyRule::from).collect())
}

/// The file with these policies.
///
/// # Errors
/// Where a policy cannot be written as YAML.
pub fn to_file(scans: &[ScanPolicy], approvals: &[ApprovalPolicy]) -> Result<String, serde_saphyr::SerializeError> {
    dump(&PolicyDocument { scan_execution_policy: scans.to_vec(), approval_policy: approvals.to_vec() })
}

impl From<ApprovalRule> for PolicyRule {
    /// An exception that is no name is that of one project among others, and none here.
    fn from(rule: ApprovalRule) -> Self {
        let branches = match (rule.branch_type.as_deref(), rule.branches) {
            (Some("default"), _) => PolicyBranches::Default,
            (None, Some(names)) if !names.is_empty() => {
                PolicyBranches::Named(names.into_iter().map(RefPattern::new).collect())
            }
            (Some(_) | None, _) => PolicyBranches::Protected,
        };
        let exceptions = rule.branch_exceptions.unwrap_or_default();
        Self { branches, exceptions: exceptions.iter().filter_map(Value::as_str).map(RefPattern::new).collect() }
    }
}

impl ApprovalPolicy {
    /// All that is wrong with the policy: where in it, and what.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.name.is_empty() || self.name.chars().count() > LONGEST_NAME {
            problems.push(("name".to_owned(), format!("must have 1 to {LONGEST_NAME} characters")));
        }
        if self.rules.is_empty() || self.rules.len() > MOST_RULES {
            problems.push(("rules".to_owned(), format!("must be 1 to {MOST_RULES}")));
        }
        if !self.approval_settings.prevent_pushing_and_force_pushing {
            let place = "approval_settings.prevent_pushing_and_force_pushing".to_owned();
            problems
                .push((place, "must be true: a policy has no other effect here; disable it, or leave it out".into()));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.branches.is_some() == rule.branch_type.is_some() {
                let problem = "needs exactly one of branches and branch_type".to_owned();
                problems.push((format!("rules[{index}]"), problem));
            }
        }
        problems
    }
}

impl ScanPolicy {
    /// All that is wrong with the policy: where in it, and what. agentk checks no cadence itself, and a bad one ends
    /// it.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        if self.name.is_empty() || self.name.chars().count() > LONGEST_NAME {
            problems.push(("name".to_owned(), format!("must have 1 to {LONGEST_NAME} characters")));
        }
        if self.rules.len() > MOST_RULES {
            problems.push(("rules".to_owned(), format!("are more than {MOST_RULES}")));
        }
        if self.actions.len() > MOST_ACTIONS {
            problems.push(("actions".to_owned(), format!("are more than {MOST_ACTIONS}")));
        }
        for (index, action) in self.actions.iter().enumerate() {
            if !action.get("scan").is_some_and(Value::is_string) {
                problems.push((format!("actions[{index}].scan"), "is missing, for example container_scanning".into()));
            }
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let place = format!("rules[{index}]");
            if let Some(cadence) = &rule.cadence
                && let Err(problem) = check_cadence(cadence)
            {
                problems.push((format!("{place}.cadence"), problem));
            }
            let scopes = [rule.branches.is_some(), rule.branch_type.is_some(), rule.agents.is_some()];
            let scopes = scopes.iter().filter(|stated| **stated).count();
            match rule.kind {
                RuleKind::Schedule if rule.cadence.is_none() => {
                    problems.push((format!("{place}.cadence"), "is missing, for example \"30 2 * * *\"".to_owned()));
                }
                RuleKind::Schedule if scopes != 1 => {
                    problems.push((place, "needs exactly one of branches, branch_type and agents".to_owned()));
                }
                RuleKind::Pipeline if scopes != 1 || rule.agents.is_some() => {
                    problems.push((place, "needs exactly one of branches and branch_type".to_owned()));
                }
                RuleKind::Schedule | RuleKind::Pipeline => {}
            }
        }
        problems
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

/// Five fields as agentk reads them: days of the week from 0 to 6, names in their own fields alone, and no span that
/// ends before it begins. What the library takes beyond that would end the agent.
fn check_cadence(cadence: &str) -> Result<(), String> {
    let fields: Vec<&str> = cadence.split(' ').collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err("must have the five fields of cron, for example \"30 2 * * *\"".to_owned());
    };
    let plain = [(minute, &[][..], 59), (hour, &[], 23), (day, &[], 31), (month, &MONTHS, 12), (weekday, &WEEKDAYS, 6)];
    for (field, names, most) in plain {
        if !is_field(field, names, most) {
            return Err(format!(
                "has {field}, which agents do not read: numbers up to {most}, * , - / and names in their place"
            ));
        }
    }
    cadence.parse::<Cron>().map(drop).map_err(|error| format!("is no cron expression: {error}"))
}

fn is_field(field: &str, names: &[&str], most: usize) -> bool {
    let first = usize::from(names.first() == Some(&"JAN"));
    let value = |text: &str| match names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
        Some(position) => Some(position + first),
        None if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    };
    field.split(',').all(|part| {
        let (span, step) = part.split_once('/').map_or((part, None), |(span, step)| (span, Some(step)));
        let step_is_good = step.is_none_or(|step| step.parse::<u8>().is_ok_and(|step| step > 0));
        step_is_good
            && match span.split_once('-') {
                None => span == "*" || value(span).is_some_and(|value| value <= most),
                Some((from, to)) => value(from).zip(value(to)).is_some_and(|(from, to)| from <= to && to <= most),
            }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(rules: &Value) -> ScanPolicy {
        serde_json::from_value(json!({
            "name": "Nightly", "enabled": true, "actions": [{ "scan": "container_scanning" }], "rules": rules,
        }))
        .unwrap()
    }

    fn problems(rules: &Value) -> String {
        let problems = policy(rules).problems();
        problems.iter().map(|(place, problem)| format!("{place} {problem}")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_schedule_needs_times_and_one_place() {
        let agents = json!({ "prod": { "namespaces": ["a"] } });
        assert_eq!(problems(&json!([{ "type": "schedule", "cadence": "30 2 * * *", "agents": agents }])), "");
        assert_eq!(problems(&json!([{ "type": "schedule", "cadence": "0 22 * * 1-5", "branches": ["main"] }])), "");
        assert_eq!(problems(&json!([{ "type": "pipeline", "branches": ["main"] }])), "");
        let missing = problems(&json!([{ "type": "schedule", "agents": agents }]));
        assert!(missing.starts_with("rules[0].cadence is missing"), "{missing}");
        let nowhere = problems(&json!([{ "type": "schedule", "cadence": "30 2 * * *" }]));
        assert_eq!(nowhere, "rules[0] needs exactly one of branches, branch_type and agents");
        let agents = problems(&json!([{ "type": "pipeline", "agents": agents }]));
        assert_eq!(agents, "rules[0] needs exactly one of branches and branch_type");
    }

    #[test]
    fn a_cadence_that_agentk_cannot_read_is_refused() {
        for cadence in [
            "@daily",
            "* * * *",
            "0 0 0 1 1 *",
            "61 * * * *",
            "0 25 * * *",
            "a b c d e",
            "30 2 * * L",
            "",
            "0 2 * * 7",
            "0 2 * * 5-2",
            "0 2 * * SAT-SUN",
            "0 MON * * *",
            "0 2 * MON *",
            "0 2  * * *",
            "0 2 * * 1-",
            "*/0 * * * *",
        ] {
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
        assert!(ScanPolicy { enabled: false, ..policy.clone() }.container_scans_of("prod").is_empty());
        let dast = vec![Map::from_iter([("scan".to_owned(), json!("dast"))])];
        assert!(ScanPolicy { actions: dast, ..policy }.container_scans_of("prod").is_empty());
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
        let file = to_file(std::slice::from_ref(&policy), &[]).unwrap();
        assert_eq!(parse(&file).unwrap(), [policy]);
        assert_eq!(parse("{}").unwrap(), []);
        assert!(parse("scan_execution_policy: 5").is_err());
        // What GitLab's own files say beyond this is of no concern.
        let more = file.replace("- name: Nightly", "- policy_scope: {compliance_frameworks: []}\n  name: Nightly");
        assert_eq!(parse(&more).unwrap()[0].name, "Nightly");
    }

    #[test]
    fn approval_policies_keep_branches_from_being_pushed_to() {
        let policy = |rule: Value| -> ApprovalPolicy {
            let settings = json!({ "prevent_pushing_and_force_pushing": true });
            let policy = json!({ "name": "x", "enabled": true, "rules": [rule], "approval_settings": settings });
            serde_json::from_value(policy).unwrap()
        };
        let branches = |rule: Value| {
            let policy = policy(rule);
            assert_eq!(policy.problems(), []);
            let rules = rules_against_pushes(&to_file(&[], &[policy]).unwrap()).unwrap();
            let [PolicyRule { branches, exceptions }] = &rules[..] else { panic!("{rules:?}") };
            (branches.clone(), exceptions.len())
        };
        let any = "any_merge_request";
        assert_eq!(branches(json!({ "type": any, "branches": [] })), (PolicyBranches::Protected, 0));
        assert_eq!(branches(json!({ "type": any, "branch_type": "protected" })), (PolicyBranches::Protected, 0));
        let default = json!({ "type": any, "branch_type": "default", "branch_exceptions": ["x", "y/*"] });
        assert_eq!(branches(default), (PolicyBranches::Default, 2));
        let named = PolicyBranches::Named(vec![RefPattern::new("main"), RefPattern::new("release/*")]);
        assert_eq!(branches(json!({ "type": any, "branches": ["main", "release/*"] })), (named, 0));

        let disabled = ApprovalPolicy { enabled: false, ..policy(json!({ "type": any, "branches": [] })) };
        assert_eq!(rules_against_pushes(&to_file(&[], &[disabled]).unwrap()).unwrap(), []);
        assert_eq!(policy(json!({ "type": any })).problems()[0].0, "rules[0]");
        let mut idle = policy(json!({ "type": any, "branches": [] }));
        idle.approval_settings.prevent_pushing_and_force_pushing = false;
        assert_eq!(idle.problems()[0].0, "approval_settings.prevent_pushing_and_force_pushing");
        assert!(rules_against_pushes("approval_policy: 5").is_err());
        // What GitLab's own files say beyond this is of no concern.
        let older = "scan_result_policy: [{name: x, enabled: true, rules: [{type: scan_finding, branches: [], scanners: [], \
                     branch_exceptions: [main, {name: x, full_path: g/p}]}], actions: [], \
                     approval_settings: {block_branch_modification: true, prevent_pushing_and_force_pushing: true}}, \
                     {name: y, enabled: true, rules: [{type: scan_finding, branch_type: protected}]}]";
        assert_eq!(rules_against_pushes(older).unwrap().len(), 1);
        assert_eq!(parse(older).unwrap(), []);
    }
}
