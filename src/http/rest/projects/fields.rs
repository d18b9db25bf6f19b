//! What clients say of a project (rest.md 8.3).

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::domain::kept_settings::{KeptKind, KeptSetting, OF_PROJECTS, TOPICS};
use crate::http::grape::{OptionalParameter, ParameterReader};
use crate::http::rest::entities::VISIBILITY_WORDS;
use crate::http::rest::entities::group::FEATURE_WORDS;
use crate::services::project_change::{ProjectChange, ProjectFeature};

const LEVEL_WORDS: &[(&str, i32)] = &[("disabled", 0), ("private", 10), ("enabled", 20)];

/// Names that say the same as others, the other way round or as yes and no.
const TWINS: &[&str] = &["emails_disabled", "public_builds", "requirements_enabled", "tag_list"];

/// Every name that says something of a project.
pub fn names() -> Vec<&'static str> {
    let own = [
        "name",
        "path",
        "description",
        "visibility",
        "default_branch",
        "lfs_enabled",
        "printing_merge_request_link_enabled",
    ];
    let features = ProjectFeature::ALL.iter().chain(ProjectFeature::SWITCHES).map(|(name, _)| *name);
    let kept = OF_PROJECTS.iter().map(|setting| setting.name);
    own.into_iter().chain(features).chain(kept).chain(TWINS.iter().copied()).collect()
}

/// What a request says of a project.
pub fn read(reader: &mut ParameterReader<'_>) -> ProjectChange {
    let name = reader.optional::<String>("name").value();
    let path = reader.optional::<String>("path").value();
    let description = reader.optional::<String>("description").stated();
    ProjectChange {
        name,
        path,
        description,
        visibility: reader.choice("visibility", VISIBILITY_WORDS).value(),
        lfs_enabled: reader.optional("lfs_enabled").value(),
        printing_merge_request_link_enabled: reader.optional("printing_merge_request_link_enabled").value(),
        default_branch: reader.optional::<String>("default_branch").value().filter(|name| !name.is_empty()),
        features: features(reader),
        kept: kept(reader),
    }
}

/// The levels, which go before the switches that say less.
fn features(reader: &mut ParameterReader<'_>) -> Vec<(ProjectFeature, i32)> {
    let mut features = Vec::new();
    for (name, feature) in ProjectFeature::SWITCHES {
        if let Some(on) = reader.optional::<bool>(name).value() {
            features.push((*feature, if on { 20 } else { 0 }));
        }
    }
    for (name, feature) in ProjectFeature::ALL {
        let words = if *feature == ProjectFeature::Pages { FEATURE_WORDS } else { LEVEL_WORDS };
        if let Some(level) = reader.choice(name, words).value() {
            features.push((*feature, level));
        }
    }
    features
}

fn kept(reader: &mut ParameterReader<'_>) -> Map<String, Value> {
    let mut kept = Map::new();
    if let Some(disabled) = reader.optional::<bool>("emails_disabled").value() {
        kept.insert("emails_enabled".to_owned(), (!disabled).into());
    }
    if let Some(public) = reader.optional::<bool>("public_builds").value() {
        kept.insert("public_jobs".to_owned(), public.into());
    }
    if let Some(on) = reader.optional::<bool>("requirements_enabled").value() {
        kept.insert("requirements_access_level".to_owned(), if on { "enabled" } else { "disabled" }.into());
    }
    for setting in OF_PROJECTS {
        if let Some(value) = stated(reader, *setting) {
            kept.insert(setting.name.to_owned(), value);
        }
    }
    for name in ["tag_list", TOPICS] {
        if let Some(topics) = topics(reader, name) {
            kept.insert(TOPICS.to_owned(), topics);
        }
    }
    kept
}

/// Each topic once, whatever its case.
fn topics(reader: &mut ParameterReader<'_>, name: &str) -> Option<Value> {
    let mut topics = reader.array::<String>(name).stated()?.unwrap_or_default();
    let mut seen = HashSet::new();
    topics.retain_mut(|topic| {
        *topic = topic.trim().to_owned();
        !topic.is_empty() && seen.insert(topic.to_lowercase())
    });
    if topics.iter().any(|topic| topic.chars().count() > 255) {
        reader.refuse(name, "is too long (maximum is 255 characters)");
    }
    Some(topics.into())
}

/// What is said of a kept setting; null is its default.
fn stated(reader: &mut ParameterReader<'_>, setting: KeptSetting) -> Option<Value> {
    let name = setting.name;
    match setting.kind {
        KeptKind::Flag(_) => json_of(reader.optional::<bool>(name)),
        KeptKind::Number(_) => {
            let number = reader.optional::<i64>(name);
            if matches!(number, OptionalParameter::Is(number) if number < 0) {
                reader.refuse(name, "does not have a valid value");
            }
            json_of(number)
        }
        KeptKind::Text(_, most) => {
            let text = reader.optional::<String>(name);
            if matches!(&text, OptionalParameter::Is(text) if text.chars().count() > most) {
                reader.refuse(name, &format!("is too long (maximum is {most} characters)"));
            }
            json_of(text)
        }
        KeptKind::Word(_, words) => json_of(reader.word(name, words)),
        KeptKind::Texts(_) => json_of(reader.array::<String>(name)),
    }
}

fn json_of<T: Into<Value>>(stated: OptionalParameter<T>) -> Option<Value> {
    stated.stated().map(|value| value.map_or(Value::Null, Into::into))
}
