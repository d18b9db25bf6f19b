//! One-time passwords, protocols, keys and accounts.

use super::*;

// One-time passwords

#[test]
fn a_one_time_password_is_asked_of_users_with_one_who_come_by_ssh_with_a_key() {
    type Change = fn(&mut AccessFacts, &mut Attempt);
    let with = |change: Change| {
        changed(GitCommand::Download, |facts, attempt| {
            settings(facts).otp_login = Some("git@host -p 2222".to_owned());
            account(facts).two_factor = true;
            change(facts, attempt);
        })
    };
    let Decision::Deny(denial) = with(as_it_is) else { panic!("allowed") };
    insta::assert_snapshot!(denial.sentence(URL), @r"
    OTP verification is required to access the repository.

       Use: ssh git@host -p 2222 2fa_verify
    ");
    let ended: Change = |facts, _| facts.key.as_mut().unwrap().otp_session_until = Some(now());
    assert_eq!(with(ended), Decision::Deny(denial));
    let open: Change = |facts, _| facts.key.as_mut().unwrap().otp_session_until = Some(now() + TimeDelta::seconds(1));
    let exempt: [Change; 5] = [
        open,
        by_http,
        |facts, _| account(facts).two_factor = false,
        |facts, _| facts.key = None,
        |facts, _| acts("deploy key, reading", facts),
    ];
    for change in exempt {
        assert_eq!(with(change), Decision::Allow);
    }
}

// Protocols

#[test]
fn a_group_may_narrow_the_protocol_and_the_web_is_always_open() {
    let change = |protocol: AccessProtocol, instance: Option<&str>, root: Option<AccessProtocol>| {
        changed(GitCommand::Download, |facts, attempt| {
            attempt.protocol = protocol;
            facts.instance.git_protocol = instance.map(str::to_owned);
            project(facts).root.git_protocol = root;
        })
    };
    let closed = |protocol: AccessProtocol| Decision::Deny(Denial::ProtocolClosed(protocol));
    assert_eq!(change(AccessProtocol::Ssh, None, Some(AccessProtocol::Ssh)), Decision::Allow);
    assert_eq!(change(AccessProtocol::Ssh, None, Some(AccessProtocol::Http)), closed(AccessProtocol::Ssh));
    assert_eq!(change(AccessProtocol::Http, Some("ssh"), None), closed(AccessProtocol::Http));
    assert_eq!(change(AccessProtocol::Web, Some("ssh"), Some(AccessProtocol::Ssh)), Decision::Allow);
    let ftp = AccessProtocol::from("ftp");
    assert_eq!(change(ftp.clone(), None, None), Decision::Allow);
    assert_eq!(change(ftp.clone(), Some("ssh"), None), closed(ftp.clone()));
    assert_eq!(Denial::ProtocolClosed(ftp).sentence(URL), "Git access over FTP is not allowed");
    // Case matters: it is a word of the clients', not of people's.
    assert_eq!(change(AccessProtocol::from("SSH"), Some("ssh"), None), closed(AccessProtocol::from("SSH")));
}

// Keys

#[test]
fn key_restrictions_name_what_would_be_right() {
    use KeyKind::{Dsa, Ecdsa, EcdsaSk, Ed25519, Ed25519Sk, Rsa};
    let refused = |limits: &[(KeyKind, KeyLimit)]| {
        let decision = changed(GitCommand::Download, |facts, _| facts.instance.key_limits = limits.to_vec());
        match decision {
            Decision::Deny(denial) => denial.sentence(URL),
            Decision::Allow => "allowed".to_owned(),
        }
    };
    let forbidden = |kinds: &[KeyKind]| kinds.iter().map(|kind| (*kind, KeyLimit::Forbidden)).collect::<Vec<_>>();
    let said = [
        refused(&[(Rsa, KeyLimit::AtLeast(2048))]),
        refused(&[(Rsa, KeyLimit::AtLeast(2049))]),
        refused(&forbidden(&[Dsa, Ecdsa])),
        refused(&forbidden(&[Rsa])),
        refused(&forbidden(&[Rsa, Dsa, Ecdsa, EcdsaSk])),
        refused(&forbidden(&[Rsa, Dsa, Ecdsa, EcdsaSk, Ed25519Sk])),
        refused(&[(Rsa, KeyLimit::Forbidden), (Ed25519, KeyLimit::AtLeast(256))]),
    ];
    insta::assert_snapshot!(said.join("\n"), @"
    allowed
    Your SSH key must be at least 2049 bits.
    allowed
    Your SSH key type is forbidden. Must be DSA, ECDSA, ED25519, ECDSA_SK, or ED25519_SK.
    Your SSH key type is forbidden. Must be ED25519 or ED25519_SK.
    Your SSH key type is forbidden. Must be ED25519.
    Your SSH key type is forbidden. Must be DSA, ECDSA, ED25519, ECDSA_SK, or ED25519_SK.
    ");
}

#[test]
fn a_key_that_cannot_be_read_is_of_no_type_that_is_open() {
    let with = |strength| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.key_limits = vec![(KeyKind::Rsa, KeyLimit::Forbidden)];
            facts.key.as_mut().unwrap().strength = strength;
        })
    };
    assert!(matches!(with(KeyStrength::Unreadable), Decision::Deny(Denial::KeyTypeForbidden(_))));
    assert_eq!(with(KeyStrength::NotLookedAt), Decision::Allow);
}

#[test]
fn a_key_lives_no_longer_than_the_instance_allows() {
    let with = |longest: Option<i64>, created: i64, expires: Option<i64>| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.longest_key_life = longest.map(TimeDelta::days);
            let key = facts.key.as_mut().unwrap();
            key.created_at = Some(now() - TimeDelta::days(created));
            key.expires_at = expires.map(|days| now() + TimeDelta::days(days));
        })
    };
    assert_eq!(with(None, 30, None), Decision::Allow);
    assert_eq!(with(Some(90), 30, None), Decision::Deny(Denial::KeyNeverExpires));
    assert_eq!(with(Some(90), 30, Some(60)), Decision::Allow);
    assert_eq!(with(Some(90), 30, Some(61)), Decision::Deny(Denial::KeyLivesTooLong));
    assert_eq!(with(Some(90), 30, Some(0)), Decision::Deny(Denial::KeyExpired));
}

#[test]
fn a_key_expires_on_the_second_and_its_user_is_told_a_week_before() {
    let with = |expires_at: Option<DateTime<Utc>>| {
        let mut facts = facts();
        facts.key.as_mut().unwrap().expires_at = expires_at;
        (decide(&facts, &attempt(GitCommand::Download)), key_expires_soon(&facts))
    };
    let second = TimeDelta::seconds(1);
    assert_eq!(with(None), (Decision::Allow, false));
    assert_eq!(with(Some(now())), (Decision::Deny(Denial::KeyExpired), false));
    assert_eq!(with(Some(now() + second)), (Decision::Allow, true));
    assert_eq!(with(Some(now() + TimeDelta::days(7))), (Decision::Allow, true));
    assert_eq!(with(Some(now() + TimeDelta::days(7) + second)), (Decision::Allow, false));
}

// Accounts

/// The account's breaches in the order of allowed.md 2.1.
const ACCOUNTS: [Breach; 9] = [
    (Denial::MayNotUseGit(AccountDenial::Internal), |facts, _| account(facts).internal = true),
    (Denial::MayNotUseGit(AccountDenial::PendingApproval), |facts, _| {
        account(facts).state = UserState::BlockedPendingApproval;
    }),
    (Denial::MayNotUseGit(AccountDenial::TermsNotAccepted(String::new())), |facts, _| {
        facts.instance.enforce_terms = true;
        account(facts).username = String::new();
    }),
    (Denial::MayNotUseGit(AccountDenial::Deactivated), |facts, _| account(facts).state = UserState::Deactivated),
    (Denial::MayNotUseGit(AccountDenial::Unconfirmed), |facts, _| {
        facts.instance.email_confirmation = EmailConfirmation::Hard;
        account(facts).confirmed = false;
    }),
    (Denial::MayNotUseGit(AccountDenial::Blocked), |facts, _| account(facts).state = UserState::Blocked),
    (Denial::MayNotUseGit(AccountDenial::Blocked), |facts, _| account(facts).state = UserState::Banned),
    (Denial::MayNotUseGit(AccountDenial::PasswordExpired), |facts, _| account(facts).password_expires_at = Some(now())),
    (Denial::MayNotUseGit(AccountDenial::Blocked), |facts, _| account(facts).locked_at = Some(now())),
];

#[test]
fn an_account_that_may_not_use_git_is_told_why() {
    assert_order(GitCommand::Download, as_it_is, &ACCOUNTS);
    assert_order(GitCommand::Push, as_it_is, &ACCOUNTS);
    let accounts = [
        AccountDenial::Internal,
        AccountDenial::PendingApproval,
        AccountDenial::TermsNotAccepted("rubi".to_owned()),
        AccountDenial::Deactivated,
        AccountDenial::Unconfirmed,
        AccountDenial::Blocked,
        AccountDenial::PasswordExpired,
    ];
    let said = accounts.map(|account| Denial::MayNotUseGit(account).sentence(URL));
    insta::assert_snapshot!(said.join("\n"), @"
    This action cannot be performed by internal users
    Your account is pending approval from your administrator and hence blocked.
    You (@rubi) must accept the Terms of Service in order to perform this action. To accept these terms, please access GitLab from a web browser at https://git.example.com.
    Your account has been deactivated by your administrator. Please log back in from a web browser to reactivate your account at https://git.example.com
    Your primary email address is not confirmed. Please check your inbox for the confirmation instructions. In case the link is expired, you can request a new confirmation email at https://git.example.com/users/confirmation/new
    Your account has been blocked.
    Your password expired. Please access GitLab from a web browser to update your password.
    ");
}

#[test]
fn an_expired_password_counts_only_where_somebody_logs_in_with_it() {
    let with = |change: fn(&mut AccessUser)| {
        changed(GitCommand::Download, |facts, _| {
            account(facts).password_expires_at = Some(now() - TimeDelta::days(1));
            change(account(facts));
        })
    };
    assert_eq!(with(|_| {}), Decision::Deny(Denial::MayNotUseGit(AccountDenial::PasswordExpired)));
    assert_eq!(with(|user| user.ldap = true), Decision::Allow);
    assert_eq!(with(|user| user.bot = true), Decision::Allow);
    assert_eq!(with(|user| user.password_automatically_set = true), Decision::Allow);
    assert_eq!(with(|user| user.password_expires_at = Some(now() + TimeDelta::seconds(1))), Decision::Allow);
}

#[test]
fn terms_and_addresses_ask_only_those_they_are_meant_for() {
    let terms = |change: fn(&mut AccessUser)| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.enforce_terms = true;
            change(account(facts));
        })
    };
    assert_eq!(terms(|user| user.terms_accepted = true), Decision::Allow);
    assert_eq!(terms(|user| user.bot = true), Decision::Allow);
    let unconfirmed = |setting: EmailConfirmation, age: i64| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.email_confirmation = setting;
            account(facts).confirmed = false;
            account(facts).created_at = Some(now() - TimeDelta::days(age));
        })
    };
    let refused = Decision::Deny(Denial::MayNotUseGit(AccountDenial::Unconfirmed));
    assert_eq!(unconfirmed(EmailConfirmation::Off, 100), Decision::Allow);
    assert_eq!(unconfirmed(EmailConfirmation::Soft, 2), Decision::Allow);
    assert_eq!(unconfirmed(EmailConfirmation::Soft, 3), refused);
    assert_eq!(unconfirmed(EmailConfirmation::Hard, 0), refused);
}

#[test]
fn a_lock_opens_after_ten_minutes() {
    let locked = |minutes| {
        changed(GitCommand::Download, |facts, _| account(facts).locked_at = Some(now() - TimeDelta::minutes(minutes)))
    };
    assert_eq!(locked(9), Decision::Deny(Denial::MayNotUseGit(AccountDenial::Blocked)));
    assert_eq!(locked(10), Decision::Allow);
}

#[test]
fn a_state_that_nobody_knows_blocks() {
    let states = ["active", "blocked", "ldap_blocked", "blocked_pending_approval", "deactivated", "banned", "new"];
    assert_eq!(
        states.map(UserState::from),
        [
            UserState::Active,
            UserState::Blocked,
            UserState::Blocked,
            UserState::BlockedPendingApproval,
            UserState::Deactivated,
            UserState::Banned,
            UserState::Blocked,
        ]
    );
}
