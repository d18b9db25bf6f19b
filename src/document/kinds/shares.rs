//! `shared_with:`, the groups that groups and projects are shared with.

use std::collections::{BTreeMap, HashMap};

use super::members::{StatedMember, granted};
use crate::document::object_kind::{EntryPosition, ObjectKind};
use crate::document::run::ApplyRun;
use crate::domain::ids::NamespaceId;
use crate::store::Result;
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::sets::paths;

/// The shares that a document states.
#[derive(Default)]
pub(crate) struct ShareSet {
    known: HashMap<(MemberSource, NamespaceId), MemberGrant>,
    /// The ids from the root down to each group and project that is shared.
    lineages: HashMap<NamespaceId, Vec<i64>>,
    upserts: BTreeMap<(MemberSource, NamespaceId), MemberGrant>,
    removals: Vec<(MemberSource, NamespaceId)>,
}

impl ObjectKind for ShareSet {
    type Entry<'d> = StatedMember<'d>;
    const NOUN: &'static str = "shares";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        run.directory.load(run.conn, std::iter::empty(), entries.iter().map(|share| share.name)).await?;
        let mut sources: Vec<MemberSource> = entries.iter().map(|share| share.source).collect();
        sources.sort_unstable();
        sources.dedup();
        self.known = members::list_links(run.conn, &sources).await?;
        let namespaces: Vec<i64> = sources.iter().map(|source| source.namespace().0).collect();
        self.lineages = paths::list_lineages(&mut *run.conn, &namespaces).await?.into_iter().collect();
        Ok(())
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, share: &Self::Entry<'_>) -> Result<()> {
        let StatedMember { position: EntryPosition { place, .. }, source, whose, name, terms } = share;
        let Some(with) = run.group(place, name).await? else { return Ok(()) };
        let key = (*source, with);
        let existing = self.known.get(&key).copied();
        let what = format!("share of {whose} with {name}");
        if terms.ensure.is_absent() {
            if existing.is_some() {
                self.known.remove(&key);
                self.removals.push(key);
                run.removed(&what);
            }
            return Ok(());
        }
        if self.lineages.get(&source.namespace()).is_some_and(|lineage| lineage.contains(&with.0)) {
            run.problem(place, "is the group itself or one around it, whose members get in anyway");
            return Ok(());
        }
        let Some((grant, changes)) = granted(run, place, terms, existing) else { return Ok(()) };
        match existing {
            None => run.added(&what),
            Some(_) if changes.is_empty() => return Ok(()),
            Some(_) => run.updated(&what, &changes),
        }
        self.known.insert(key, grant);
        self.upserts.insert(key, grant);
        run.touch(with);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = std::mem::take(&mut self.removals);
        if !removals.is_empty() {
            let groups: Vec<NamespaceId> = removals.iter().map(|(_, with)| *with).collect();
            run.touch_before(&groups).await?;
            members::delete_links(run.conn, &removals).await?;
        }
        let upserts = std::mem::take(&mut self.upserts);
        if !upserts.is_empty() {
            let upserts: Vec<_> = upserts.into_iter().map(|((source, with), grant)| (source, with, grant)).collect();
            members::upsert_links(run.conn, &upserts).await?;
        }
        Ok(())
    }
}
