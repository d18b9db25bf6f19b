//! Push rules, LFS and sizes as values.

use super::*;
use crate::domain::access::tests::facts;

/// What the rules say over answers that know this default branch and this content.
fn denial(
    protocol: &AccessProtocol,
    rules: &ContentRules,
    updates: &[RefUpdate],
    default_branch: Option<&str>,
    content: &PushContent,
) -> Option<Denial> {
    let default_branch = default_branch.map(str::to_owned);
    let answers = PushAnswers { default_branch, content: content.clone(), ..PushAnswers::default() };
    super::denial(&facts(), protocol, rules, updates, &answers)
}

fn questions(rules: &ContentRules, updates: &[RefUpdate]) -> ContentQuestions {
    super::questions(&facts().settings, rules, updates)
}

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn id(text: &str) -> ObjectId {
    ObjectId::parse(text).unwrap()
}

fn commit() -> PushedCommit {
    PushedCommit {
        message: "ABC-1 Add a file\n\nSigned-off-by: Rubi <rubi@example.com>\n".to_owned(),
        author_name: "Rubi".to_owned(),
        author_email: "rubi@example.com".to_owned(),
        committer_email: "rubi@example.com".to_owned(),
        parents: vec![id(OLD)],
        signed: true,
    }
}

fn rubi() -> Pusher {
    Pusher {
        name: Some("Rubi".to_owned()),
        confirmed_emails: HashSet::from(["rubi@example.com".to_owned()]),
        unconfirmed_emails: HashSet::from(["rubi@home.example".to_owned()]),
    }
}

/// What the rule says to a branch that gains this one commit, which adds `src/key.pem`.
fn said(rule: PushRule, commit: PushedCommit, protocol: &AccessProtocol) -> Option<String> {
    let content = PushContent {
        commits: HashMap::from([(id(NEW), commit)]),
        added_files: vec!["src/key.pem".to_owned()],
        large_files: vec!["big.bin".to_owned()],
        users: HashSet::from(["rubi@example.com".to_owned()]),
        ..PushContent::default()
    };
    let changes = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/feature"));
    let rules = ContentRules { push_rule: Some(rule), pusher: rubi(), ..ContentRules::default() };
    denial(protocol, &rules, &changes, Some("main"), &content).map(|denial| denial.to_string())
}

fn over_ssh(rule: PushRule, commit: PushedCommit) -> Option<String> {
    said(rule, commit, &AccessProtocol::Ssh)
}

#[expect(clippy::unnecessary_wraps, reason = "the columns of a rule may be null")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn each_rule_says_its_own_sentence() {
    let rule = PushRule::default;
    let plain = || PushedCommit { message: "Add a file".to_owned(), signed: false, ..commit() };
    let stranger = || PushedCommit { author_email: "eve@example.net".to_owned(), ..commit() };
    let by_stranger = || PushedCommit { committer_email: "eve@example.net".to_owned(), ..commit() };
    let at_home = || PushedCommit { committer_email: "Rubi@Home.example".to_owned(), ..commit() };
    let under_another_name = || PushedCommit { author_name: "rubi".to_owned(), ..commit() };
    let rows = [
        (PushRule { branch_name: some("^[0-9]+$"), ..rule() }, commit()),
        (PushRule { commit_message: some(r"^[A-Z]+-\d+"), ..rule() }, plain()),
        (PushRule { commit_message_negative: some("file"), ..rule() }, commit()),
        (PushRule { author_email: some("@example.com$"), ..rule() }, by_stranger()),
        (PushRule { author_email: some("@example.com$"), ..rule() }, stranger()),
        (PushRule { reject_non_dco: true, ..rule() }, plain()),
        (PushRule { reject_unsigned: true, ..rule() }, plain()),
        (PushRule { member_check: true, ..rule() }, stranger()),
        (PushRule { member_check: true, ..rule() }, by_stranger()),
        (PushRule { committer_check: true, ..rule() }, by_stranger()),
        (PushRule { committer_check: true, ..rule() }, at_home()),
        (PushRule { committer_name_check: true, ..rule() }, under_another_name()),
        (PushRule { file_name: some(r"\.pem$"), ..rule() }, commit()),
        (PushRule { prevent_secrets: true, file_name: some("src"), ..rule() }, commit()),
        (PushRule { max_file_size: 5, ..rule() }, commit()),
        (PushRule { commit_message: some("(["), ..rule() }, commit()),
    ];
    let sentences: Vec<String> = rows.into_iter().map(|(rule, commit)| over_ssh(rule, commit).unwrap()).collect();
    insta::assert_snapshot!(sentences.join("\n"), @r#"
    Branch name does not follow the pattern '^[0-9]+$'
    Commit message does not follow the pattern '^[A-Z]+-\d+'
    Commit message contains the forbidden pattern 'file'
    Committer's email 'eve@example.net' does not follow the pattern '@example.com$'
    Author's email 'eve@example.net' does not follow the pattern '@example.com$'
    Commit message must contain a DCO signoff
    Commit must be signed with a GPG key
    Author 'eve@example.net' is not a member of team
    Committer 'eve@example.net' is not a member of team
    You cannot push commits for 'eve@example.net'. You can only push commits if the committer email is one of your own verified emails.
    Committer email 'Rubi@Home.example' is not verified.
    Your git username is inconsistent with GitLab account name
    File name src/key.pem was prohibited by the pattern "\.pem$".
    File name src/key.pem was prohibited by the pattern "\.(pem|key)$".
    File "big.bin" is larger than the allowed size of 5 MiB. Use Git LFS to manage this file.
    Regular expression '([' is invalid: missing ]: [
    "#);
}

#[test]
fn what_follows_every_rule_goes_in() {
    let rule = PushRule {
        branch_name: some("^feature"),
        commit_message: some(r"^[A-Z]+-\d+"),
        commit_message_negative: some("WIP"),
        author_email: some("@example.com$"),
        file_name: some(r"\.exe$"),
        max_file_size: 0,
        reject_non_dco: true,
        reject_unsigned: true,
        deny_delete_tag: true,
        member_check: true,
        prevent_secrets: false,
        committer_check: true,
        committer_name_check: true,
    };
    assert_eq!(over_ssh(rule, commit()), None);
}

/// Nobody is no committer, and whoever commits the work of others keeps their names.
#[test]
fn committers_are_compared_with_whoever_pushes() {
    let said = |rule: PushRule, pusher: Pusher, commit: PushedCommit| {
        let content = PushContent { commits: HashMap::from([(id(NEW), commit)]), ..PushContent::default() };
        let changes = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/feature"));
        let rules = ContentRules { push_rule: Some(rule), pusher, ..ContentRules::default() };
        denial(&AccessProtocol::Ssh, &rules, &changes, None, &content)
    };
    let by_address = || PushRule { committer_check: true, ..PushRule::default() };
    let by_name = || PushRule { committer_name_check: true, ..PushRule::default() };
    let capitals = PushedCommit { committer_email: "RUBI@example.com".to_owned(), ..commit() };
    assert_eq!(said(by_address(), rubi(), capitals), None);
    let nobody = said(by_address(), Pusher::default(), commit());
    assert_eq!(nobody, Some(Denial::CommitterIsAnother("rubi@example.com".to_owned())));
    assert_eq!(said(by_name(), Pusher::default(), commit()), Some(Denial::CommitterNameDiffers));
    let of_another =
        PushedCommit { author_name: "Eve".to_owned(), author_email: "eve@example.net".to_owned(), ..commit() };
    assert_eq!(said(by_name(), rubi(), of_another), None);
}

#[test]
fn what_goes_away_is_not_asked_for_secrets() {
    let rule = PushRule { prevent_secrets: true, ..PushRule::default() };
    let rules = ContentRules { push_rule: Some(rule), ..ContentRules::default() };
    let asked = |lines: &str| questions(&rules, &RefUpdate::parse_all(lines)).added_files;
    assert!(asked(&format!("{OLD} {NEW} refs/heads/x")));
    assert!(!asked(&format!("{OLD} {ZERO} refs/heads/x")));
}

#[test]
fn the_web_interface_commits_in_its_own_name_and_unsigned() {
    let rule = PushRule {
        author_email: some("@example.com$"),
        reject_unsigned: true,
        member_check: true,
        ..PushRule::default()
    };
    let by_web = PushedCommit { committer_email: "noreply@gitlab".to_owned(), signed: false, ..commit() };
    assert_eq!(said(rule, by_web, &AccessProtocol::Web), None);
}

#[test]
fn the_default_branch_may_have_any_name_and_tags_may_be_kept() {
    let rules = |rule| ContentRules { push_rule: Some(rule), ..ContentRules::default() };
    let named = rules(PushRule { branch_name: some("^[0-9]+$"), ..PushRule::default() });
    let main = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/main"));
    assert_eq!(denial(&AccessProtocol::Ssh, &named, &main, Some("main"), &PushContent::default()), None);
    let kept = rules(PushRule { deny_delete_tag: true, ..PushRule::default() });
    let delete = RefUpdate::parse_all(&format!("{OLD} {ZERO} refs/tags/v1"));
    let refused = denial(&AccessProtocol::Ssh, &kept, &delete, None, &PushContent::default());
    assert_eq!(refused, Some(Denial::TagDeletionDenied));
    assert_eq!(denial(&AccessProtocol::Web, &kept, &delete, None, &PushContent::default()), None);
    let create = RefUpdate::parse_all(&format!("{ZERO} {NEW} refs/tags/v1"));
    assert_eq!(denial(&AccessProtocol::Ssh, &kept, &create, None, &PushContent::default()), None);
    let unnamed = RefUpdate::parse_all(&format!("{OLD} {ZERO} refs/heads/feature"));
    assert_eq!(denial(&AccessProtocol::Ssh, &named, &unnamed, Some("main"), &PushContent::default()), None);
}

#[test]
fn only_the_commits_that_a_ref_gains_are_held_against_it() {
    let other = id("3333333333333333333333333333333333333333");
    let bad = PushedCommit { message: "WIP".to_owned(), parents: Vec::new(), ..commit() };
    let content =
        PushContent { commits: HashMap::from([(id(NEW), commit()), (other.clone(), bad)]), ..PushContent::default() };
    let rule = PushRule { commit_message_negative: some("WIP"), ..PushRule::default() };
    let rules = ContentRules { push_rule: Some(rule), ..ContentRules::default() };
    let fine = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/x"));
    assert_eq!(denial(&AccessProtocol::Ssh, &rules, &fine, None, &content), None);
    let both = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/x\n{OLD} {other} refs/heads/y"));
    assert!(denial(&AccessProtocol::Ssh, &rules, &both, None, &content).is_some());
}

/// allowed-73
#[test]
fn pointers_need_their_objects_where_lfs_is_on() {
    let content = PushContent { lfs_objects_missing: true, ..PushContent::default() };
    let changes = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/x"));
    let with =
        |lfs| denial(&AccessProtocol::Ssh, &ContentRules { lfs, ..ContentRules::default() }, &changes, None, &content);
    assert_eq!(with(true), Some(Denial::LfsObjectsMissing));
    assert_eq!(with(false), None);
    let rules = |lfs| ContentRules { lfs, ..ContentRules::default() };
    let asked = |here, lfs| {
        let settings = AccessSettings { lfs: here, ..AccessSettings::default() };
        super::questions(&settings, &rules(lfs), &changes).lfs_pointers
    };
    assert!(asked(true, true) && !asked(true, false) && !asked(false, true), "the installation and the project");
}

#[test]
fn a_repository_holds_what_its_limit_says() {
    let limit = |repository| SizeLimit { limit: 100, repository, lfs: 20 };
    let rules = |used: u64| ContentRules { size: Some(limit(Some(used - 20))), ..ContentRules::default() };
    let content = PushContent { size: 11, repository_size: 81, ..PushContent::default() };
    let changes = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/x"));
    let full = |rules: &ContentRules, changes: &[RefUpdate]| is_full(rules, changes, &content);
    assert!(full(&rules(101), &changes) && !full(&rules(100), &changes) && !full(&ContentRules::default(), &changes));
    let deletion = RefUpdate::parse_all(&format!("{OLD} {ZERO} refs/heads/x"));
    assert!(!full(&rules(101), &deletion), "what only goes away may go");
    assert_eq!(denial(&AccessProtocol::Ssh, &rules(101), &deletion, None, &content), None);
    let unmeasured = ContentRules { size: Some(limit(None)), ..ContentRules::default() };
    assert!(full(&unmeasured, &changes) && questions(&unmeasured, &changes).repository_size);
    assert!(!questions(&rules(100), &changes).repository_size);
    let with = |used| denial(&AccessProtocol::Ssh, &rules(used), &changes, None, &content);
    assert_eq!(with(90), Some(Denial::RepositoryWouldBeFull));
    assert_eq!(with(89), None);
}

#[test]
fn a_ref_that_goes_brings_no_large_file() {
    let rule = PushRule { max_file_size: 1, ..PushRule::default() };
    let rules = ContentRules { push_rule: Some(rule), ..ContentRules::default() };
    let content = PushContent { large_files: vec!["big.bin".to_owned()], ..PushContent::default() };
    let said = |lines: &str| denial(&AccessProtocol::Ssh, &rules, &RefUpdate::parse_all(lines), None, &content);
    assert_eq!(said(&format!("{OLD} {ZERO} refs/heads/x")), None);
    let refused = Denial::FileTooLarge { path: "big.bin".to_owned(), mebibytes: 1 };
    assert_eq!(said(&format!("{OLD} {ZERO} refs/heads/x\n{OLD} {NEW} refs/heads/y")), Some(refused));
    let limitless = ContentRules { push_rule: Some(PushRule::default()), ..ContentRules::default() };
    let update = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/y"));
    assert_eq!(denial(&AccessProtocol::Ssh, &limitless, &update, None, &content), None);
}

#[test]
fn a_sign_off_has_a_name_and_an_address() {
    for (text, expected) in [
        ("x\n\nSigned-off-by: A B <a@b>", true),
        ("Signed-off-by: A B", false),
        ("Signed-off-by:<a@b>", false),
        ("Signed-off-by: A <ab>", false),
    ] {
        assert_eq!(is_signed_off(text), expected, "{text}");
    }
}

#[test]
fn rules_speak_re2() {
    let refuses = |rule: PushRule, message: &str, author: &str| {
        over_ssh(rule, PushedCommit { message: message.to_owned(), author_email: author.to_owned(), ..commit() })
            .is_some()
    };
    let message = |pattern| PushRule { commit_message: some(pattern), ..PushRule::default() };
    let negative = |pattern| PushRule { commit_message_negative: some(pattern), ..PushRule::default() };
    let author = |pattern| PushRule { author_email: some(pattern), ..PushRule::default() };
    let mail = "rubi@example.com";
    assert!(refuses(author(r"^[\w.]+@"), "x", "jürgen@example.com") && !refuses(author(r"^[\w.]+@"), "x", mail));
    assert!(!refuses(message(r"\QABC-1 (x)\E"), "ABC-1 (x)\n", mail) && !refuses(message("^a{b}"), "a{b}\n", mail));
    // The last newline does not count; an empty line before it does, and so does an empty message.
    assert!(!refuses(negative("^$"), "Add a file\n", mail) && !refuses(message("file$"), "Add a file\r\n", mail));
    assert!(refuses(negative("^$"), "Add a file\n\nWhy\n", mail) && refuses(negative("^$"), "\n", mail));
    // Lines have ends in messages alone.
    let file = PushRule { file_name: some("^key"), ..PushRule::default() };
    let content = PushContent { added_files: vec!["a\nkey".to_owned()], ..PushContent::default() };
    let changes = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/x"));
    let rules = ContentRules { push_rule: Some(file), ..ContentRules::default() };
    assert_eq!(denial(&AccessProtocol::Ssh, &rules, &changes, None, &content), None);
}

#[test]
fn a_branch_name_is_matched_in_ascii() {
    let rule = PushRule { branch_name: some(r"^release-\d+$"), ..PushRule::default() };
    let rules = ContentRules { push_rule: Some(rule), ..ContentRules::default() };
    let pushed = |branch: &str| {
        let changes = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/{branch}"));
        denial(&AccessProtocol::Ssh, &rules, &changes, None, &PushContent::default())
    };
    assert_eq!(pushed("release-1"), None);
    assert!(pushed("release-１").is_some() && pushed("release-1\u{3000}").is_some());
}

#[test]
fn each_rule_asks_for_what_it_looks_at_and_for_no_more() {
    let updates = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/x"));
    let asked = |rule| questions(&ContentRules { push_rule: Some(rule), ..ContentRules::default() }, &updates);
    let (rule, nothing) = (PushRule::default, ContentQuestions::default);
    let commits = ContentQuestions { commits: true, ..nothing() };
    for of_commits in [
        PushRule { commit_message: some("x"), ..rule() },
        PushRule { commit_message_negative: some("x"), ..rule() },
        PushRule { author_email: some("x"), ..rule() },
        PushRule { committer_check: true, ..rule() },
        PushRule { committer_name_check: true, ..rule() },
        PushRule { reject_non_dco: true, ..rule() },
        PushRule { reject_unsigned: true, ..rule() },
    ] {
        assert_eq!(asked(of_commits.clone()), commits, "{of_commits:?}");
    }
    let members = PushRule { member_check: true, ..rule() };
    assert_eq!(asked(members), ContentQuestions { users: true, ..commits.clone() });
    for of_files in [PushRule { file_name: some("x"), ..rule() }, PushRule { prevent_secrets: true, ..rule() }] {
        assert_eq!(asked(of_files.clone()), ContentQuestions { added_files: true, ..commits.clone() }, "{of_files:?}");
    }
    let large = asked(PushRule { max_file_size: 5, ..rule() });
    assert_eq!(large, ContentQuestions { files_above: Some(5_242_880), ..nothing() });
    for of_names in
        [rule(), PushRule { branch_name: some("x"), ..rule() }, PushRule { deny_delete_tag: true, ..rule() }]
    {
        assert_eq!(asked(of_names.clone()), nothing(), "{of_names:?}");
    }
    let sized = |repository| {
        let size = Some(SizeLimit { limit: 1, repository, lfs: 0 });
        questions(&ContentRules { size, ..ContentRules::default() }, &updates)
    };
    assert_eq!(sized(Some(1)), ContentQuestions { size: true, ..nothing() });
    assert_eq!(sized(None), ContentQuestions { size: true, repository_size: true, ..nothing() });
}

#[test]
fn the_default_branch_matters_to_a_rule_about_names_of_branches() {
    let needs = |push_rule| ContentRules { push_rule, ..ContentRules::default() }.needs_default_branch();
    assert!(needs(Some(PushRule { branch_name: some("x"), ..PushRule::default() })));
    assert!(!needs(Some(PushRule::default())) && !needs(None));
}

/// http-89
#[test]
fn a_file_that_somebody_else_has_locked_stays_as_it_is() {
    let lock = super::ForeignLock { path: "a.bin".to_owned(), username: "dev".to_owned() };
    let changing = |path: &str| PushContent { changed_files: [path.to_owned()].into(), ..PushContent::default() };
    let changes = RefUpdate::parse_all(&format!("{OLD} {NEW} refs/heads/x"));
    let rules = |lfs| ContentRules { lfs, locks: vec![lock.clone()], ..ContentRules::default() };
    let with = |lfs, path| denial(&AccessProtocol::Http, &rules(lfs), &changes, None, &changing(path));
    let refused = Denial::FileLocked { path: "a.bin".to_owned(), username: "dev".to_owned() };
    assert_eq!(with(true, "a.bin"), Some(refused));
    assert_eq!((with(true, "b.bin"), with(false, "a.bin")), (None, None));
    let asked = |updates: &str| {
        let settings = AccessSettings { lfs: true, ..AccessSettings::default() };
        super::questions(&settings, &rules(true), &RefUpdate::parse_all(updates)).changed_files
    };
    assert!(asked(&format!("{OLD} {NEW} refs/heads/x")) && !asked(&format!("{OLD} {ZERO} refs/heads/x")));
}
