//! What `git push -o` may say, and which of it we know (shell.md 3.4).

use std::collections::BTreeMap;

/// The options of one push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushOptions {
    /// As they were given, known or not.
    pub raw: Vec<String>,
    /// Those that we know, by namespace and key.
    pub known: BTreeMap<&'static str, BTreeMap<&'static str, OptionValue>>,
}

/// What an option is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// It is there, with no value.
    Given,
    /// Its last value.
    Text(String),
    /// Each value of an option that may be repeated, and how often it was given.
    Counts(BTreeMap<String, u32>),
}

/// Each namespace, and of each of its keys whether it may be repeated.
const KNOWN: [(&str, &[(&str, bool)]); 5] = [
    ("ci", &[("skip", false), ("variable", true)]),
    ("integrations", &[("skip_ci", false)]),
    (
        "merge_request",
        &[
            ("assign", true),
            ("create", false),
            ("description", false),
            ("draft", false),
            ("label", true),
            ("merge_when_pipeline_succeeds", false),
            ("milestone", false),
            ("remove_source_branch", false),
            ("squash", false),
            ("target", false),
            ("target_project", false),
            ("title", false),
            ("unassign", true),
            ("unlabel", true),
        ],
    ),
    ("secret_detection", &[("skip_all", false)]),
    ("secret_push_protection", &[("skip_all", false)]),
];

impl PushOptions {
    /// Reads `namespace.key` and `namespace.key=value`. What we do not know is passed over in silence.
    #[must_use]
    pub fn parse(raw: Vec<String>) -> Self {
        let mut known: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for option in &raw {
            let Some((namespace, key, repeatable, value)) = parse(option) else { continue };
            let options = known.entry(namespace).or_default();
            match (options.get_mut(key), repeatable) {
                (Some(OptionValue::Counts(counts)), true) => {
                    *counts.entry(value.unwrap_or("true").to_owned()).or_default() += 1;
                }
                (_, true) => {
                    let counts = BTreeMap::from([(value.unwrap_or("true").to_owned(), 1)]);
                    options.insert(key, OptionValue::Counts(counts));
                }
                (_, false) => {
                    let value = value.map_or(OptionValue::Given, |value| OptionValue::Text(value.to_owned()));
                    options.insert(key, value);
                }
            }
        }
        Self { raw, known }
    }

    /// Whether something is asked of merge requests.
    #[must_use]
    pub fn ask_for_merge_requests(&self) -> bool {
        self.known.contains_key("merge_request")
    }
}

fn parse(option: &str) -> Option<(&'static str, &'static str, bool, Option<&str>)> {
    let (namespace, rest) = option.split_once('.')?;
    let (key, value) = rest.split_once('=').map_or((rest, ""), |(key, value)| (key, value));
    let namespace = match namespace.trim_ascii() {
        "mr" => "merge_request",
        other => other,
    };
    let (namespace, keys) = KNOWN.iter().find(|(name, _)| *name == namespace)?;
    let (key, repeatable) = keys.iter().find(|(name, _)| *name == key.trim_ascii())?;
    Some((namespace, key, *repeatable, Some(value.trim_ascii()).filter(|value| !value.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(options: &[&str]) -> String {
        let options = PushOptions::parse(options.iter().map(|option| (*option).to_owned()).collect());
        format!("{:?}", options.known)
    }

    /// shell-70
    #[test]
    fn what_is_known_is_kept() {
        insta::assert_snapshot!(known(&["ci.skip", "another push option"]), @r#"{"ci": {"skip": Given}}"#);
        insta::assert_snapshot!(
            known(&["mr.create", " merge_request . label = bug ", "mr.label=bug", "mr.label=ui"]),
            @r#"{"merge_request": {"create": Given, "label": Counts({"bug": 2, "ui": 1})}}"#
        );
        insta::assert_snapshot!(
            known(&["mr.title=a=b.c", "mr.title=", "mr.target=x", "mr.target=y", "ci.variable=A=1"]),
            @r#"{"ci": {"variable": Counts({"A=1": 1})}, "merge_request": {"target": Text("y"), "title": Given}}"#
        );
        // Only ASCII's spaces are passed over.
        assert_eq!(known(&["ci\u{a0}.skip", "ci.skip\u{3000}", "\u{2003}ci.skip"]), "{}");
        assert_eq!(known(&["", ".", "ci", "ci.", "=", "ci.nothing", "nobody.skip", ".skip"]), "{}");
    }

    #[test]
    fn merge_requests_are_asked_for_by_either_name() {
        let asks = |option: &str| PushOptions::parse(vec![option.to_owned()]).ask_for_merge_requests();
        assert!(asks("mr.create") && asks("merge_request.target=x"));
        assert!(!asks("ci.skip") && !asks("mr.nothing"));
    }

    proptest::proptest! {
        #[test]
        fn any_option_is_read_without_a_panic(options in proptest::collection::vec("\\PC*", 0..4)) {
            let _ = PushOptions::parse(options);
        }
    }
}
