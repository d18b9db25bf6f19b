//! Packs of compute minutes: which may be credited, and where they may move (provisioning.md 4).

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::ids::NamespaceId;
use super::ledger::{LedgerField, LedgerFields};

/// Characters of a purchase's id at most.
const XID_LENGTH: usize = 32;

/// A pack as a request states it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct PackRequest {
    pub number_of_minutes: Option<i32>,
    pub expires_at: Option<NaiveDate>,
    pub purchase_xid: Option<String>,
}

/// A pack that is to be credited.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct NewPack {
    pub number_of_minutes: i32,
    pub expires_at: NaiveDate,
    pub purchase_xid: String,
}

impl NewPack {
    /// The pack, where it says all that it must. One of no minutes or fewer would take away what was paid for.
    #[must_use]
    pub fn of(wanted: &PackRequest) -> Option<Self> {
        let purchase_xid = wanted.purchase_xid.clone()?;
        if purchase_xid.trim().is_empty() || purchase_xid.chars().count() > XID_LENGTH {
            return None;
        }
        Some(Self {
            number_of_minutes: wanted.number_of_minutes.filter(|minutes| *minutes >= 1)?,
            expires_at: wanted.expires_at?,
            purchase_xid,
        })
    }
}

/// A pack that a namespace has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinutesPack {
    /// `ci_minutes_additional_packs.id`
    pub id: i64,
    /// Whose it is.
    pub namespace: NamespaceId,
    /// `ci_minutes_additional_packs.number_of_minutes`
    pub number_of_minutes: i32,
    /// `ci_minutes_additional_packs.expires_at`
    pub expires_at: Option<NaiveDate>,
    /// `ci_minutes_additional_packs.purchase_xid`
    pub purchase_xid: Option<String>,
}

impl MinutesPack {
    /// The pack as the ledger keeps it.
    #[must_use]
    pub fn fields(&self) -> LedgerFields {
        vec![
            ("number_of_minutes", self.number_of_minutes.into()),
            ("expires_at", LedgerField::from(self.expires_at)),
            ("purchase_xid", LedgerField::from(self.purchase_xid.as_deref())),
        ]
    }
}

/// Packs by the id of their purchase.
pub type KnownPacks = BTreeMap<String, MinutesPack>;

/// The packs that are wanted and not there yet, by the ids of their purchases; nothing where one of them cannot be
/// credited: then none is. A purchase that is known is not looked at again, whatever is said of it.
#[must_use]
pub fn lacking(
    namespace: NamespaceId,
    wanted: &[PackRequest],
    known: &KnownPacks,
) -> Option<BTreeMap<String, NewPack>> {
    let mut lacking = BTreeMap::new();
    for pack in wanted {
        let xid = pack.purchase_xid.as_ref()?;
        match known.get(xid) {
            Some(known) if known.namespace != namespace => return None,
            Some(_) => {}
            None if lacking.contains_key(xid) => {}
            None => {
                lacking.insert(xid.clone(), NewPack::of(pack)?);
            }
        }
    }
    Some(lacking)
}

/// The packs that are wanted, in that order, where the namespace has them all.
#[must_use]
pub fn credited(namespace: NamespaceId, wanted: &[PackRequest], known: &KnownPacks) -> Option<Vec<MinutesPack>> {
    let pack =
        |wanted: &PackRequest| known.get(wanted.purchase_xid.as_ref()?).filter(|pack| pack.namespace == namespace);
    wanted.iter().map(|wanted| pack(wanted).cloned()).collect()
}

/// A namespace that packs leave or reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveEnd {
    /// Which one.
    pub id: NamespaceId,
    /// Whether nothing is above it.
    pub is_root: bool,
}

/// Why packs do not move.
#[must_use]
pub fn why_not_moved(source: MoveEnd, target: MoveEnd) -> Option<&'static str> {
    match () {
        () if !source.is_root => Some("Namespace must be a top-level namespace"),
        () if !target.is_root => Some("Target namespace must be a top-level namespace"),
        () if source.id == target.id => Some("Namespace and target must be different"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: NamespaceId = NamespaceId(1);

    fn wanted(minutes: i32, xid: &str) -> PackRequest {
        PackRequest {
            number_of_minutes: Some(minutes),
            expires_at: NaiveDate::from_ymd_opt(2020, 1, 1),
            purchase_xid: Some(xid.to_owned()),
        }
    }

    fn known(namespace: i64, xid: &str) -> KnownPacks {
        let pack = MinutesPack {
            id: 1,
            namespace: NamespaceId(namespace),
            number_of_minutes: 10,
            expires_at: None,
            purchase_xid: Some(xid.to_owned()),
        };
        KnownPacks::from([(xid.to_owned(), pack)])
    }

    #[test]
    fn a_pack_must_say_all_and_give_something() {
        assert!(NewPack::of(&wanted(1, &"é".repeat(32))).is_some());
        for (minutes, xid) in [(0, "a"), (-5, "a"), (5, ""), (5, "  "), (5, "x".repeat(33).as_str())] {
            assert_eq!(NewPack::of(&wanted(minutes, xid)), None, "{minutes} {xid}");
        }
        assert_eq!(NewPack::of(&PackRequest { expires_at: None, ..wanted(1, "a") }), None);
        assert_eq!(NewPack::of(&PackRequest { number_of_minutes: None, ..wanted(1, "a") }), None);
    }

    #[test]
    fn what_is_known_here_is_not_credited_again_and_what_is_known_elsewhere_stops_all() {
        let all = [wanted(5, "a"), wanted(99, "a"), wanted(7, "b")];
        let lacking_minutes = |known: &KnownPacks| {
            lacking(HERE, &all, known)
                .map(|packs| packs.values().map(|pack| pack.number_of_minutes).collect::<Vec<_>>())
        };
        assert_eq!(lacking_minutes(&KnownPacks::new()), Some(vec![5, 7]));
        assert_eq!(lacking_minutes(&known(1, "a")), Some(vec![7]));
        assert_eq!(lacking_minutes(&known(2, "a")), None);
        assert_eq!(lacking(HERE, &[wanted(0, "a")], &known(1, "a")), Some(BTreeMap::new()), "a replay is not judged");
        assert_eq!(lacking(HERE, &[PackRequest::default()], &KnownPacks::new()), None);
        assert_eq!(credited(HERE, &all[..2], &known(1, "a")).map(|packs| packs.len()), Some(2));
        assert_eq!(credited(HERE, &all, &known(1, "a")), None);
        assert_eq!(credited(HERE, &all[..2], &known(2, "a")), None);
    }

    #[test]
    fn packs_move_between_roots() {
        let end = |id, is_root| MoveEnd { id: NamespaceId(id), is_root };
        assert_eq!(why_not_moved(end(1, true), end(2, true)), None);
        assert_eq!(why_not_moved(end(1, false), end(2, false)), Some("Namespace must be a top-level namespace"));
        assert_eq!(why_not_moved(end(1, true), end(2, false)), Some("Target namespace must be a top-level namespace"));
        assert_eq!(why_not_moved(end(1, true), end(1, true)), Some("Namespace and target must be different"));
    }
}
