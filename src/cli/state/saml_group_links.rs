//! `saml_group_links:`, of groups: what members of a group of the identity provider get here.

use schemars::JsonSchema;
use serde::Deserialize;

use super::run::{Changes, Place, Run};
use super::words::{Ensure, Level, Word};
use crate::domain::ids::NamespaceId;
use crate::store::{Result, saml_group_links};

/// A link, found by the name that the provider has for its group.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamlGroupLink {
    /// The provider's name, in the same letter case: SCIM's `displayName`.
    #[schemars(length(min = 1, max = 255))]
    pub saml_group_name: String,
    /// What members get; a new link needs it.
    pub access_level: Option<Level>,
    /// `absent` removes it; members keep what they have.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Brings a group's links in line, and its members at the end of the run.
pub async fn bring(
    run: &mut Run<'_>,
    place: &Place,
    group: NamespaceId,
    path: &str,
    stated: &[SamlGroupLink],
) -> Result<()> {
    for (index, link) in stated.iter().enumerate() {
        let place = place.item(index);
        let name = &link.saml_group_name;
        if let Some(first) = stated[..index].iter().position(|other| other.saml_group_name == *name) {
            run.mistake(&place.key("saml_group_name"), format!("{name} is that of saml_group_links[{first}] as well"));
            continue;
        }
        let what = format!("SAML group link {name} of {path}");
        let existing = saml_group_links::find(&mut *run.conn, group, name).await?;
        if link.ensure.is_absent() {
            if let Some(row) = existing {
                saml_group_links::delete(&mut *run.conn, row.id).await?;
                run.removed(&what);
            }
            continue;
        }
        match (existing, link.access_level.map(Word::number)) {
            (None, None) => run.mistake(&place, "access_level is missing, for example developer"),
            (None, Some(_)) if name.trim().is_empty() || name.chars().count() > 255 => {
                run.mistake(&place.key("saml_group_name"), "must have 1 to 255 characters, not blanks alone");
            }
            (None, Some(level)) => {
                saml_group_links::insert(&mut *run.conn, group, name, level).await?;
                run.link(group);
                run.added(&what);
            }
            (Some(row), level) => {
                let (mut given, mut changes) = (row.access_level, Changes::default());
                changes.set_as("access_level", &mut given, level, |number| Level::word_of(*number));
                if !changes.is_empty() {
                    saml_group_links::update(&mut *run.conn, row.id, given).await?;
                    run.link(group);
                    run.updated(&what, &changes);
                }
            }
        }
    }
    Ok(())
}
