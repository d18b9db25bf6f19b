//! The texts and their order.

use super::*;
use crate::domain::ids::ProjectId;

const OLD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const NEW: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn facts() -> MessageFacts {
    MessageFacts {
        url: "https://git.example.com".to_owned(),
        links: true,
        repository: GlRepository::Project(ProjectId(7)),
        user: Some(UserId(7)),
        project: Some(MessageProject {
            path: "gnuwget/wget2".to_owned(),
            default_branch: "main".to_owned(),
            prints_links: true,
            merge_requests: FeatureLevel::Enabled,
            access: AccessLevel::DEVELOPER,
        }),
        banners: Vec::new(),
        merge_requests: BTreeMap::new(),
        stored: Vec::new(),
    }
}

fn printed(facts: &MessageFacts, changes: &str, options: &[&str]) -> String {
    let options = PushOptions::parse(options.iter().map(|option| (*option).to_owned()).collect());
    let messages = list(facts, changes, &options);
    let lines: Vec<String> = messages.iter().map(|message| format!("{:?}: {}", message.kind, message.text)).collect();
    lines.join("\n")
}

fn banner_of(message: &str, target: Option<&str>, levels: &[i32]) -> PushBanner {
    PushBanner {
        message: message.to_owned(),
        target_path: target.map(str::to_owned),
        target_access_levels: levels.iter().map(|level| AccessLevel(*level)).collect(),
    }
}

/// shell-63
#[test]
fn a_new_branch_gets_a_link_to_a_new_merge_request() {
    insta::assert_snapshot!(printed(&facts(), &format!("{ZERO} {NEW} refs/heads/feature/x\n"), &[]), @r"
    Basic: To create a merge request for feature/x, visit:
      https://git.example.com/gnuwget/wget2/-/merge_requests/new?merge_request%5Bsource_branch%5D=feature%2Fx
    ");
}

/// shell-64
#[test]
fn a_branch_with_an_open_merge_request_gets_a_link_to_it() {
    let mut facts = facts();
    facts.merge_requests.insert("feature/x".to_owned(), ("upstream/wget2".to_owned(), 3));
    insta::assert_snapshot!(printed(&facts, &format!("{OLD} {NEW} refs/heads/feature/x\n"), &[]), @r"
    Basic: View merge request for feature/x:
      https://git.example.com/upstream/wget2/-/merge_requests/3
    ");
}

/// shell-65
#[test]
fn nothing_else_gets_a_link() {
    let quiet = |facts: &MessageFacts, change: &str| assert_eq!(printed(facts, change, &[]), "", "{change}");
    let branch = format!("{ZERO} {NEW} refs/heads/x\n");
    quiet(&facts(), &format!("{OLD} {NEW} refs/heads/main\n"));
    quiet(&facts(), &format!("{OLD} {ZERO} refs/heads/x\n"));
    quiet(&facts(), &format!("{ZERO} {NEW} refs/tags/v1\n"));
    quiet(&facts(), &format!("{OLD} {NEW} gh-pages\n"));
    quiet(&facts(), "");
    quiet(&MessageFacts { repository: GlRepository::Wiki(ProjectId(7)), ..facts() }, &branch);
    quiet(&MessageFacts { links: false, ..facts() }, &branch);
    quiet(&MessageFacts { project: None, ..facts() }, &branch);
    let mut silent = facts();
    silent.project.as_mut().unwrap().prints_links = false;
    quiet(&silent, &branch);
    let mut disabled = facts();
    disabled.project.as_mut().unwrap().merge_requests = FeatureLevel::Disabled;
    quiet(&disabled, &branch);
}

/// shell-69
#[test]
fn alerts_come_first_and_the_banner_before_the_warning() {
    let mut facts = facts();
    facts.banners.push(banner_of("Maintenance at 22:00", None, &[]));
    facts.stored = vec!["moved".to_owned(), "  ".to_owned(), "created".to_owned()];
    let change = format!("{ZERO} {NEW} refs/heads/x\n");
    insta::assert_snapshot!(printed(&facts, &change, &["merge_request.target=nope"]), @r"
    Alert: Maintenance at 22:00
    Alert: WARNINGS:
    Error encountered with push options 'merge_request.target=nope': Merge requests are not enabled for project gnuwget/wget2
    Basic: moved
    Basic: created
    ");
}

/// Whatever the option says: who reads that there are no merge requests is not told how to make one, or where theirs
/// is.
#[test]
fn no_link_contradicts_a_warning() {
    let mut facts = facts();
    facts.merge_requests.insert("y".to_owned(), ("gnuwget/wget2".to_owned(), 3));
    let changes = format!("{ZERO} {NEW} refs/heads/x\n{OLD} {NEW} refs/heads/y\n");
    for option in ["mr.create", "merge_request.target=main", "mr.label=bug"] {
        let printed = printed(&facts, &changes, &["ci.skip", option]);
        assert!(
            printed.contains("Merge requests are not enabled") && !printed.contains("/-/merge_requests/"),
            "{printed}"
        );
    }
    assert_eq!(printed(&facts, &changes, &["ci.skip"]).matches("/-/merge_requests/").count(), 2);
}

/// shell-71
#[test]
fn options_are_refused_where_there_are_no_merge_requests() {
    let wiki = MessageFacts { repository: GlRepository::Wiki(ProjectId(7)), ..facts() };
    insta::assert_snapshot!(printed(&wiki, "", &["mr.create", "more"]), @r"
    Alert: WARNINGS:
    Error encountered with push options 'mr.create' 'more': Push options are only supported for projects
    ");
    let nobody = MessageFacts { user: None, ..facts() };
    insta::assert_snapshot!(printed(&nobody, "", &["mr.create"]), @r"
    Alert: WARNINGS:
    Error encountered with push options 'mr.create': User is required
    ");
    assert_eq!(printed(&MessageFacts { project: None, ..facts() }, "", &["mr.create"]), "");
}

#[test]
fn the_newest_banner_of_the_path_wins_over_the_newest_of_all() {
    let mut facts = facts();
    let mut shown = |banner: PushBanner| {
        facts.banners.push(banner);
        printed(&facts, "", &[])
    };
    assert_eq!(shown(banner_of("other", Some("/other/*"), &[])), "");
    assert_eq!(shown(banner_of("owners", None, &[50])), "");
    assert_eq!(shown(banner_of("all", None, &[])), "Alert: all");
    assert_eq!(shown(banner_of("here", Some("/GNUWGET/*"), &[30])), "Alert: here");
    assert_eq!(shown(banner_of("newer", None, &[])), "Alert: here");
    assert_eq!(shown(banner_of("half", Some("/gnuwget"), &[])), "Alert: here");
    assert_eq!(shown(banner_of("bare", Some("gnuwget/wget2"), &[])), "Alert: bare");
}

#[test]
fn a_mirror_of_many_branches_gets_a_page_of_links_and_no_more() {
    let changes: Vec<String> = (0..LINKS + 5).map(|n| format!("{ZERO} {NEW} refs/heads/b{n}")).collect();
    assert_eq!(linked_branches(&facts(), &changes.join("\n")).len(), LINKS);
}
