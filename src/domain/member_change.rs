//! May this user add, change or end that membership of a group or a project (rest.md 7)?

use chrono::NaiveDate;

use super::level::AccessLevel;
use super::record_faults::RecordFaults;

/// A membership of a group around the group or project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InheritedMembership {
    /// What it grants.
    pub level: AccessLevel,
    /// The name of the group.
    pub group: String,
}

/// What decides about one user's membership of one group or project.
#[derive(Debug, Clone, Default)]
pub struct MemberFacts {
    /// What the row grants that the user has there already.
    pub present: Option<AccessLevel>,
    /// The highest of what they inherit.
    pub inherited: Option<InheritedMembership>,
    /// A group above the project keeps its memberships as they are.
    pub locked: bool,
    /// Nobody else owns the group, by itself or from around it.
    pub last_owner: bool,
    /// The project is in the user's own personal namespace.
    pub owns_namespace: bool,
    /// The domains of which the root group takes addresses, where the user's is of none of them.
    pub foreign_domains: Option<Vec<String>>,
    /// Why this account becomes a member nowhere, or nowhere but at home.
    pub unwelcome: Option<UnwelcomeAccount>,
}

/// An account that is not added to groups and projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnwelcomeAccount {
    /// The bot of an access token of another group or project.
    ForeignBot,
    /// One that the installation made for itself.
    Internal,
}

/// What is wanted of the membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedMembership {
    /// What it is to grant.
    pub level: AccessLevel,
    /// The first day on which it is to be over; none where nothing was said of it, or it is for good.
    pub expires_at: Option<NaiveDate>,
}

/// Who wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberManager {
    /// What they are there.
    pub level: AccessLevel,
    /// Administrators may give everything.
    pub admin: bool,
    /// It is their own membership.
    pub oneself: bool,
}

/// Why a membership is not added, changed or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberDenial {
    /// The manager has less, or the membership must stay as it is.
    Forbidden,
    /// A group above keeps the memberships of its projects as they are.
    Locked,
    /// There is one already.
    Exists,
    /// There is none.
    Missing,
    /// These things are wrong with it.
    Faults(RecordFaults),
}

/// Whether the user becomes a member so.
///
/// # Errors
/// Why not.
pub fn may_add(
    facts: &MemberFacts,
    wanted: WantedMembership,
    manager: MemberManager,
    today: NaiveDate,
) -> Result<(), MemberDenial> {
    if facts.locked {
        return Err(MemberDenial::Locked);
    }
    if exceeds(manager, wanted.level) {
        return Err(MemberDenial::Forbidden);
    }
    if facts.present.is_some() {
        return Err(MemberDenial::Exists);
    }
    let mut faults = faults_of(facts, wanted, today);
    match facts.unwelcome {
        Some(UnwelcomeAccount::ForeignBot) => {
            faults.add("user", "project bots cannot be added to other groups / projects");
        }
        Some(UnwelcomeAccount::Internal) => faults.add("user", "is an account of the installation itself"),
        None => {}
    }
    if let Some(domains) = &facts.foreign_domains {
        let of = if let [domain] = domains.as_slice() { format!("'{domain}'") } else { domains.join(", ") };
        let plural = if domains.len() == 1 { "domain of" } else { "domains:" };
        faults.add("user", format!("email does not match the allowed {plural} {of}"));
    }
    faults.into_result().map_err(MemberDenial::Faults)
}

/// Whether the membership is changed so.
///
/// # Errors
/// Why not.
pub fn may_change(
    facts: &MemberFacts,
    wanted: WantedMembership,
    manager: MemberManager,
    today: NaiveDate,
) -> Result<(), MemberDenial> {
    let Some(present) = facts.present else { return Err(MemberDenial::Missing) };
    let lessens = wanted.level < present || wanted.expires_at.is_some();
    let stays = facts.owns_namespace || (facts.last_owner && lessens);
    if stays || exceeds(manager, present) || exceeds(manager, wanted.level) {
        return Err(MemberDenial::Forbidden);
    }
    faults_of(facts, wanted, today).into_result().map_err(MemberDenial::Faults)
}

/// Whether the membership is ended.
///
/// # Errors
/// Why not.
pub fn may_remove(facts: &MemberFacts, manager: MemberManager) -> Result<(), MemberDenial> {
    let Some(present) = facts.present else { return Err(MemberDenial::Missing) };
    let above = !manager.oneself && exceeds(manager, present);
    if facts.owns_namespace || facts.last_owner || above { Err(MemberDenial::Forbidden) } else { Ok(()) }
}

fn exceeds(manager: MemberManager, level: AccessLevel) -> bool {
    !manager.admin && level > manager.level
}

fn faults_of(facts: &MemberFacts, wanted: WantedMembership, today: NaiveDate) -> RecordFaults {
    let mut faults = RecordFaults::default();
    if let Some(inherited) = facts.inherited.as_ref().filter(|inherited| wanted.level < inherited.level) {
        let (level, group) = (title(inherited.level), &inherited.group);
        let sentence = format!("should be greater than or equal to {level} inherited membership from group {group}");
        faults.add("access_level", sentence);
    }
    if wanted.expires_at.is_some_and(|day| day < today) {
        faults.add("expires_at", "cannot be a date in the past");
    }
    faults
}

/// The level as GitLab shows it: `Developer`.
#[must_use]
pub fn title(level: AccessLevel) -> String {
    let word = level.to_string();
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().collect::<String>() + characters.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: MemberManager = MemberManager { level: AccessLevel::OWNER, admin: false, oneself: false };
    const MAINTAINER: MemberManager = MemberManager { level: AccessLevel::MAINTAINER, ..OWNER };
    const ADMIN: MemberManager = MemberManager { level: AccessLevel::NO_ACCESS, admin: true, oneself: false };

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 6, day).unwrap()
    }

    fn level(level: AccessLevel) -> WantedMembership {
        WantedMembership { level, expires_at: None }
    }

    fn present(level: AccessLevel) -> MemberFacts {
        MemberFacts { present: Some(level), ..MemberFacts::default() }
    }

    #[test]
    fn nobody_gives_changes_or_takes_more_than_they_have() {
        let facts = MemberFacts::default();
        let denied = Err(MemberDenial::Forbidden);
        assert_eq!(may_add(&facts, level(AccessLevel::OWNER), MAINTAINER, day(1)), denied);
        assert_eq!(may_add(&facts, level(AccessLevel::MAINTAINER), MAINTAINER, day(1)), Ok(()));
        assert_eq!(may_add(&facts, level(AccessLevel::OWNER), ADMIN, day(1)), Ok(()));
        let owner = present(AccessLevel::OWNER);
        assert_eq!(may_change(&owner, level(AccessLevel::GUEST), MAINTAINER, day(1)), denied);
        assert_eq!(may_change(&owner, level(AccessLevel::GUEST), OWNER, day(1)), Ok(()));
        let guest = present(AccessLevel::GUEST);
        assert_eq!(may_change(&guest, level(AccessLevel::OWNER), MAINTAINER, day(1)), denied);
        assert_eq!(may_remove(&owner, MAINTAINER), denied);
        let oneself = MemberManager { level: AccessLevel::GUEST, admin: false, oneself: true };
        assert_eq!(may_remove(&owner, oneself), Ok(()));
    }

    #[test]
    fn the_last_owner_stays_one_for_good() {
        let last = MemberFacts { last_owner: true, ..present(AccessLevel::OWNER) };
        let denied = Err(MemberDenial::Forbidden);
        for manager in [OWNER, ADMIN, MemberManager { oneself: true, ..OWNER }] {
            assert_eq!(may_remove(&last, manager), denied);
            assert_eq!(may_change(&last, level(AccessLevel::MAINTAINER), manager, day(1)), denied);
            let ending = WantedMembership { expires_at: Some(day(9)), ..level(AccessLevel::OWNER) };
            assert_eq!(may_change(&last, ending, manager, day(1)), denied);
            assert_eq!(may_change(&last, level(AccessLevel::OWNER), manager, day(1)), Ok(()));
        }
        let own = MemberFacts { owns_namespace: true, ..present(AccessLevel::OWNER) };
        assert_eq!(may_remove(&own, ADMIN), denied);
    }

    #[test]
    fn a_membership_gives_what_is_inherited_at_least() {
        let inherited = InheritedMembership { level: AccessLevel::DEVELOPER, group: "acme".to_owned() };
        let facts = MemberFacts { inherited: Some(inherited), ..MemberFacts::default() };
        let denied = may_add(&facts, level(AccessLevel::REPORTER), OWNER, day(1));
        let sentence = "should be greater than or equal to Developer inherited membership from group acme";
        assert_eq!(denied, Err(MemberDenial::Faults(RecordFaults::of("access_level", sentence))));
        assert_eq!(may_add(&facts, level(AccessLevel::DEVELOPER), OWNER, day(1)), Ok(()));
    }

    #[test]
    fn ends_lie_ahead_and_addresses_are_of_the_groups_domains() {
        let ending = |end| WantedMembership { expires_at: Some(day(end)), ..level(AccessLevel::GUEST) };
        let facts = MemberFacts::default();
        assert_eq!(may_add(&facts, ending(5), OWNER, day(5)), Ok(()), "over at once");
        let past = Err(MemberDenial::Faults(RecordFaults::of("expires_at", "cannot be a date in the past")));
        assert_eq!(may_add(&facts, ending(4), OWNER, day(5)), past);
        let domains = |domains: &[&str]| MemberFacts {
            foreign_domains: Some(domains.iter().map(|&domain| domain.to_owned()).collect()),
            ..MemberFacts::default()
        };
        let told = |domains: &MemberFacts| match may_add(domains, level(AccessLevel::GUEST), OWNER, day(5)) {
            Err(MemberDenial::Faults(faults)) => faults.iter().map(|(_, faults)| faults.join(", ")).collect(),
            _ => String::new(),
        };
        assert_eq!(told(&domains(&["a.org"])), "email does not match the allowed domain of 'a.org'");
        assert_eq!(told(&domains(&["a.org", "b.org"])), "email does not match the allowed domains: a.org, b.org");
        for unwelcome in [UnwelcomeAccount::ForeignBot, UnwelcomeAccount::Internal] {
            let facts = MemberFacts { unwelcome: Some(unwelcome), ..MemberFacts::default() };
            assert!(!told(&facts).is_empty(), "{unwelcome:?}");
        }
        let locked = MemberFacts { locked: true, ..MemberFacts::default() };
        assert_eq!(may_add(&locked, level(AccessLevel::GUEST), ADMIN, day(5)), Err(MemberDenial::Locked));
    }
}
