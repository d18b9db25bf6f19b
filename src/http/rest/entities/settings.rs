//! What OpenAPI says of a project's settings, whose names stand in lists.

use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, SchemaType};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::group::FEATURE_WORDS;
use crate::domain::kept_settings::{KeptKind, LEVELS, OF_PROJECTS};
use crate::services::project_change::ProjectFeature;

/// Who may use which feature of a project, and settings that are kept and have no effect, all by their names.
#[derive(Debug)]
pub struct ProjectSettingsShape;

impl ToSchema for ProjectSettingsShape {}

impl PartialSchema for ProjectSettingsShape {
    fn schema() -> RefOr<Schema> {
        let twins = ["requirements_enabled", "emails_disabled"];
        let all = settings().chain(twins.into_iter().map(|name| (name, flag("The older name of a setting"))));
        let object =
            all.fold(ObjectBuilder::new(), |object, (name, schema)| object.property(name, schema).required(name));
        object.description(Some("Who may use which feature, and settings that are kept and have no effect")).into()
    }
}

/// What is said of a project. Settings that are named are kept, and have no effect but for those of features.
#[derive(Debug)]
pub struct ProjectParameters;

impl ToSchema for ProjectParameters {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ProjectNameParameters::name().into_owned(), ProjectNameParameters::schema()));
        ProjectNameParameters::schemas(schemas);
    }
}

impl PartialSchema for ProjectParameters {
    fn schema() -> RefOr<Schema> {
        let twins = ["requirements_enabled", "emails_disabled", "public_builds"];
        let all = settings().chain(twins.into_iter().map(|name| (name, flag("The older name of a setting"))));
        let object = all.fold(ObjectBuilder::new(), |object, (name, schema)| object.property(name, schema));
        let own = Ref::from_schema_name(ProjectNameParameters::name());
        let said = "What is said of a project; settings that are no feature's are kept and have no effect";
        AllOfBuilder::new().item(own).item(object).description(Some(said)).into()
    }
}

/// What is said of a project itself.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProjectNameParameters {
    /// Of a new project: made of the path where it is not said.
    name: Option<String>,
    /// The last part of the full path; of a new project: made of the name where it is not said.
    path: Option<String>,
    description: Option<String>,
    /// `private`, `internal` or `public`
    visibility: Option<String>,
    /// The branch that is shown first; of an empty repository, the one that it will have.
    default_branch: Option<String>,
    /// Whether git-lfs may store files.
    lfs_enabled: Option<bool>,
    /// Whether git is told after a push where to ask for a merge.
    printing_merge_request_link_enabled: Option<bool>,
    /// Of a new project: the namespace that it is made in; the caller's own where it is not said.
    namespace_id: Option<i64>,
    /// Of a new project: the storage of its repository; for administrators.
    repository_storage: Option<String>,
}

/// Features' levels and switches, and what is kept.
fn settings() -> impl Iterator<Item = (&'static str, RefOr<Schema>)> {
    let levels = ProjectFeature::ALL.iter().map(|(name, feature)| {
        let public: Vec<&str> = FEATURE_WORDS.iter().map(|(word, _)| *word).collect();
        let words = if *feature == ProjectFeature::Pages { public.as_slice() } else { LEVELS };
        (*name, word(words, "Who may use the feature"))
    });
    let switches =
        ProjectFeature::SWITCHES.iter().map(|(name, _)| (*name, flag("Whether anybody may use the feature")));
    levels.chain(switches).chain(OF_PROJECTS.iter().map(|setting| (setting.name, kept(setting.kind))))
}

const KEPT: &str = "Kept, without effect";

fn kept(kind: KeptKind) -> RefOr<Schema> {
    let plain = |of: Type, null: bool| {
        let kinds = if null { SchemaType::from_iter([of, Type::Null]) } else { of.into() };
        ObjectBuilder::new().schema_type(kinds).description(Some(KEPT)).into()
    };
    match kind {
        KeptKind::Flag(_) => flag(KEPT),
        KeptKind::Number(usual) => plain(Type::Integer, usual.is_none()),
        KeptKind::Text(usual, _) => plain(Type::String, usual.is_none()),
        KeptKind::Word(_, words) => word(words, KEPT),
        KeptKind::Texts(_) => {
            let texts = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String));
            texts.description(Some(KEPT)).into()
        }
    }
}

fn word(words: &[&str], description: &str) -> RefOr<Schema> {
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()));
    word.description(Some(description)).into()
}

fn flag(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Boolean).description(Some(description)).into()
}
