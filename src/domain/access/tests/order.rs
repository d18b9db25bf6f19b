//! The order of the rules: of two reasons, the one that stands first in the contract is told.

use super::*;

#[test]
fn a_push_is_refused_for_the_first_reason() {
    let may_not_push: Breach = (Denial::MayNotPush, |facts, _| project(facts).level = AccessLevel::REPORTER);
    let breaches = [
        MAINTENANCE,
        OTP,
        PROTOCOL,
        SHORT_KEY,
        EXPIRED_KEY,
        ACCOUNT,
        READ_ONLY,
        CERTIFICATE,
        INVISIBLE,
        NO_REPOSITORY,
        MOVING,
        ARCHIVED,
        may_not_push,
    ];
    assert_order(GitCommand::Push, as_it_is, &breaches);
    assert_order(
        GitCommand::Push,
        as_it_is,
        &[MAINTENANCE, PROTOCOL, SHORT_KEY, EXPIRED_KEY, ACCOUNT, READ_ONLY, ABSENT],
    );
}

#[test]
fn a_download_is_refused_for_the_first_reason() {
    let may_not_download: Breach =
        (Denial::MayNotDownload(RepositoryKind::Project), |facts, _| project(facts).level = AccessLevel::GUEST);
    let breaches = [
        OTP,
        PROTOCOL,
        SHORT_KEY,
        EXPIRED_KEY,
        ACCOUNT,
        COMMAND,
        CERTIFICATE,
        INVISIBLE,
        NO_REPOSITORY,
        may_not_download,
    ];
    assert_order(GitCommand::Download, as_it_is, &breaches);
    assert_order(GitCommand::Download, as_it_is, &[PROTOCOL, SHORT_KEY, EXPIRED_KEY, ACCOUNT, COMMAND, ABSENT]);
}

#[test]
fn git_over_http_is_closed_by_direction_after_the_account() {
    let download: Breach = (Denial::HttpDownloadClosed, |facts, _| settings(facts).http_download = false);
    assert_order(GitCommand::Download, by_http, &[ACCOUNT, download, INVISIBLE]);
    let push: Breach = (Denial::HttpPushClosed, |facts, _| settings(facts).http_push = false);
    assert_order(GitCommand::Push, by_http, &[ACCOUNT, push, READ_ONLY, INVISIBLE]);
    let open_by_ssh = changed(GitCommand::Push, |facts, _| {
        (settings(facts).http_download, settings(facts).http_push) = (false, false);
    });
    assert_eq!(open_by_ssh, Decision::Allow);
}

#[test]
fn deploy_keys_and_nobody_learn_of_a_closed_project_before_their_own_limits() {
    fn with_deploy_key(facts: &mut AccessFacts, _: &mut Attempt) {
        acts("deploy key, writing", facts);
    }
    fn as_nobody(facts: &mut AccessFacts, _: &mut Attempt) {
        acts("nobody", facts);
        project(facts).visibility = VisibilityLevel::Public;
    }
    let reads: Breach = (Denial::DeployKeyMayNotPush, |facts, _| project(facts).deploy_key_can_push = Some(false));
    assert_order(GitCommand::Push, with_deploy_key, &[SHORT_KEY, EXPIRED_KEY, NO_REPOSITORY, MOVING, ARCHIVED, reads]);
    let nobody: Breach = (Denial::NobodyMayNotPush, |_, _| {});
    assert_order(GitCommand::Push, as_nobody, &[PROTOCOL, NO_REPOSITORY, MOVING, ARCHIVED, nobody]);
}

#[test]
fn a_deploy_keys_creator_is_not_looked_at() {
    let decision = changed(GitCommand::Push, |facts, _| {
        acts("deploy key, writing", facts);
        account(facts).state = UserState::Blocked;
    });
    assert_eq!(decision, Decision::Allow);
}

#[test]
fn a_project_that_waits_for_its_deletion_may_be_fetched_from_alone() {
    let change: fn(&mut AccessFacts, &mut Attempt) = |facts, _| project(facts).pending_deletion = true;
    assert_eq!(changed(GitCommand::Download, change), Decision::Allow);
    assert_eq!(changed(GitCommand::Push, change), Decision::Deny(Denial::MayNotPush));
}

#[test]
fn what_cannot_be_pushed_to_may_be_fetched_from() {
    for (denial, breach) in [MAINTENANCE, READ_ONLY, MOVING, ARCHIVED] {
        assert_eq!(changed(GitCommand::Download, breach), Decision::Allow, "{denial:?}");
    }
}
