//! What becomes of members of a linked group after an identity provider changed who is in its groups.

use crate::domain::ids::UserId;
use crate::domain::level::AccessLevel;
use crate::domain::membership::GroupMemberGrant;

/// A member who was marked because they came into a group of the provider, or went out of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkedMember {
    /// The user.
    pub user: UserId,
    /// They went out of a group of the provider.
    pub leaves: bool,
    /// The most that the links give them now; `None` where they are in no group of the provider that is linked.
    pub due: Option<GroupMemberGrant>,
}

/// What is to be written about members of a group.
///
/// Members get the highest level of the links that hold for them, and keep a higher one, unless they went out of a
/// group of the provider: those are left with that level, or with none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberSyncPlan {
    /// They get this level, or keep a higher one.
    pub raised: Vec<GroupMemberGrant>,
    /// They have no more than this level afterwards.
    pub lowered: Vec<GroupMemberGrant>,
    /// They are no members afterwards, here and below.
    pub removed: Vec<UserId>,
}

impl MemberSyncPlan {
    /// What becomes of these members.
    #[must_use]
    pub fn new(marked: &[MarkedMember]) -> Self {
        let mut plan = Self::default();
        for member in marked {
            match member.due {
                Some(due) => {
                    plan.raised.push(due);
                    if member.leaves {
                        plan.lowered.push(due);
                    }
                }
                None if member.leaves => plan.removed.push(member.user),
                // They came in, and the provider's group or its link is gone since.
                None => {}
            }
        }
        plan
    }

    /// Whether an owner is none any more.
    #[must_use]
    pub fn takes_ownership(&self, user: UserId) -> bool {
        self.removed.contains(&user)
            || self.lowered.iter().any(|grant| grant.user == user && grant.level < AccessLevel::OWNER)
    }

    /// Leaves a user with what they have.
    pub fn spare(&mut self, user: UserId) {
        self.lowered.retain(|grant| grant.user != user);
        self.removed.retain(|removed| *removed != user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(user: i64, level: AccessLevel) -> GroupMemberGrant {
        GroupMemberGrant { user: UserId(user), level, member_role: None }
    }

    fn marked(user: i64, leaves: bool, due: Option<AccessLevel>) -> MarkedMember {
        MarkedMember { user: UserId(user), leaves, due: due.map(|level| grant(user, level)) }
    }

    #[test]
    fn who_comes_is_raised_and_who_leaves_is_left_with_what_is_due() {
        let plan = MemberSyncPlan::new(&[
            marked(1, false, Some(AccessLevel::DEVELOPER)),
            marked(2, false, None),
            marked(3, true, Some(AccessLevel::GUEST)),
            marked(4, true, None),
        ]);
        assert_eq!(
            plan,
            MemberSyncPlan {
                raised: vec![grant(1, AccessLevel::DEVELOPER), grant(3, AccessLevel::GUEST)],
                lowered: vec![grant(3, AccessLevel::GUEST)],
                removed: vec![UserId(4)],
            }
        );
    }

    #[test]
    fn an_owner_is_none_any_more_who_is_lowered_or_removed() {
        let mut plan = MemberSyncPlan::new(&[
            marked(1, true, Some(AccessLevel::MAINTAINER)),
            marked(2, true, Some(AccessLevel::OWNER)),
            marked(3, true, None),
            marked(4, false, Some(AccessLevel::GUEST)),
        ]);
        let taken = |plan: &MemberSyncPlan| -> Vec<i64> {
            (1..=5).filter(|user| plan.takes_ownership(UserId(*user))).collect()
        };
        assert_eq!(taken(&plan), [1, 3]);
        plan.spare(UserId(1));
        assert_eq!(taken(&plan), [3]);
        assert_eq!(plan.lowered, [grant(2, AccessLevel::OWNER)]);
        plan.spare(UserId(3));
        assert_eq!((plan.removed.len(), plan.lowered.len(), plan.raised.len()), (0, 1, 3));
    }
}
