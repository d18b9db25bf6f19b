//! Who may become a member of a group, and who must stay its owner.

use super::ids::{NamespaceId, UserId};
use super::level::AccessLevel;
use super::user_type::UserType;

/// What a top-level group asks of members, also of the groups below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinRules {
    /// The domains that addresses must have; none are all.
    pub email_domains: Vec<String>,
    /// Members must be linked to an account at the group's SAML provider.
    pub enforced_sso: bool,
}

/// Somebody who is to become a member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoiningUser {
    /// The user.
    pub id: UserId,
    /// What kind of account it is.
    pub user_type: UserType,
    /// Their first address.
    pub email: String,
    /// They are an active member of the group already.
    pub is_member: bool,
    /// They have an account at each SAML provider of the top-level group that enforces single sign-on.
    pub is_linked: bool,
    /// SCIM of the top-level group deprovisioned them.
    pub is_deprovisioned: bool,
}

/// What a membership of a group gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupMemberGrant {
    /// The user.
    pub user: UserId,
    /// The access level.
    pub level: AccessLevel,
    /// The custom role, of which the level is the base.
    pub member_role: Option<i64>,
}

/// Why somebody may not become a member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinDenial {
    /// The address is not of a domain that the group allows.
    EmailDomain,
    /// The group enforces single sign-on, and they have no account at its provider, or none that is active.
    NotLinked,
}

impl JoinRules {
    /// Why the user may not join; `None` where they may. Who is a member already stays one.
    #[must_use]
    pub fn denial(&self, user: &JoiningUser) -> Option<JoinDenial> {
        if user.is_member {
            None
        } else if !self.admits_address(user.user_type, &user.email) {
            Some(JoinDenial::EmailDomain)
        } else if self.enforced_sso && user.user_type.is_human() && (!user.is_linked || user.is_deprovisioned) {
            Some(JoinDenial::NotLinked)
        } else {
            None
        }
    }

    /// Whether the group takes members with this address. Project bots have none of their own.
    #[must_use]
    pub fn admits_address(&self, user_type: UserType, email: &str) -> bool {
        let domain = email.rsplit('@').next().unwrap_or_default().to_lowercase();
        user_type == UserType::ProjectBot
            || self.email_domains.is_empty()
            || self.email_domains.iter().any(|allowed| allowed.to_lowercase() == domain)
    }
}

/// Somebody who owns a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupOwner {
    /// The user.
    pub user: UserId,
    /// The group that they are a member of: the group itself, or one around it.
    pub member_of: NamespaceId,
    /// The membership ends on a day that is known.
    pub ends: bool,
}

/// The owner of a group who must stay one, where else nobody would own it, or nobody beyond the last day of those who
/// are left. Owners of a group around it stay owners, whatever happens in this one.
pub fn last_owner(owners: &[GroupOwner], group: NamespaceId, loses: impl Fn(UserId) -> bool) -> Option<UserId> {
    let (lost, kept): (Vec<_>, Vec<_>) = owners.iter().partition(|owner| owner.member_of == group && loses(owner.user));
    let for_good = |owners: &[&GroupOwner]| owners.iter().rev().find(|owner| !owner.ends).map(|owner| owner.user);
    if for_good(&kept).is_some() {
        return None;
    }
    for_good(&lost).or_else(|| lost.last().filter(|_| kept.is_empty()).map(|owner| owner.user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn human() -> JoiningUser {
        JoiningUser {
            id: UserId(1),
            user_type: UserType::Human,
            email: "dana@Example.com".to_owned(),
            is_member: false,
            is_linked: false,
            is_deprovisioned: false,
        }
    }

    #[test]
    fn an_address_must_be_of_an_allowed_domain() {
        let rules = |domains: &[&str]| JoinRules {
            email_domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
            enforced_sso: false,
        };
        assert_eq!(rules(&[]).denial(&human()), None);
        assert_eq!(rules(&["other.org", "EXAMPLE.com"]).denial(&human()), None);
        assert_eq!(rules(&["other.org"]).denial(&human()), Some(JoinDenial::EmailDomain));
        assert_eq!(rules(&["ample.com"]).denial(&human()), Some(JoinDenial::EmailDomain));
        let quoted = JoiningUser { email: "\"a@b\"@example.com".to_owned(), ..human() };
        assert_eq!(rules(&["example.com"]).denial(&quoted), None);
        let member = JoiningUser { is_member: true, ..human() };
        assert_eq!(rules(&["other.org"]).denial(&member), None);
        let bot = |user_type| JoiningUser { user_type, ..human() };
        assert_eq!(rules(&["other.org"]).denial(&bot(UserType::ProjectBot)), None);
        assert_eq!(rules(&["other.org"]).denial(&bot(UserType::ServiceAccount)), Some(JoinDenial::EmailDomain));
    }

    #[test]
    fn enforced_single_sign_on_asks_for_an_active_link_of_people_alone() {
        let denial = |enforced_sso: bool, user_type: UserType, is_linked: bool, is_deprovisioned: bool| {
            let user = JoiningUser { user_type, is_linked, is_deprovisioned, ..human() };
            JoinRules { enforced_sso, ..JoinRules::default() }.denial(&user)
        };
        assert_eq!(denial(false, UserType::Human, false, true), None);
        assert_eq!(denial(true, UserType::Human, false, false), Some(JoinDenial::NotLinked));
        assert_eq!(denial(true, UserType::Human, true, true), Some(JoinDenial::NotLinked));
        assert_eq!(denial(true, UserType::Human, true, false), None);
        assert_eq!(denial(true, UserType::ServiceAccount, false, true), None);
    }

    #[test]
    fn the_last_owner_stays_one() {
        let owner = |user, group| GroupOwner { user: UserId(user), member_of: NamespaceId(group), ends: false };
        let ending = |user| GroupOwner { ends: true, ..owner(user, 1) };
        let last = |owners: &[GroupOwner], losing: &[i64]| {
            last_owner(owners, NamespaceId(1), |user| losing.contains(&user.0)).map(|user| user.0)
        };
        assert_eq!(last(&[], &[5]), None);
        assert_eq!(last(&[owner(5, 1)], &[5]), Some(5));
        assert_eq!(last(&[owner(5, 1), owner(6, 1)], &[5, 6]), Some(6));
        assert_eq!(last(&[owner(5, 1), owner(6, 1)], &[5]), None);
        assert_eq!(last(&[owner(5, 1), owner(5, 2)], &[5]), None, "they own a group around it");
        // One whose last day is known does not take the place of one who stays.
        assert_eq!(last(&[owner(5, 1), ending(6)], &[5]), Some(5));
        assert_eq!(last(&[owner(5, 1), ending(6)], &[6]), None);
        assert_eq!(last(&[owner(5, 1), ending(6)], &[5, 6]), Some(5));
        assert_eq!(last(&[ending(5), ending(6)], &[5]), None);
        assert_eq!(last(&[ending(5), ending(6)], &[5, 6]), Some(6));
    }
}
