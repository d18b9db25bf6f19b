//! Designs, snippets, and repositories as such.

use super::*;

#[test]
fn designs_are_for_the_web_and_for_those_who_make_them() {
    let design = |protocol: AccessProtocol, change: fn(&mut AccessFacts)| {
        changed(GitCommand::Push, |facts, attempt| {
            facts.container = Some(container(GlRepository::Design(7)));
            attempt.protocol = protocol;
            change(facts);
        })
    };
    let web_only = Decision::Deny(Denial::DesignsAreWebOnly);
    assert_eq!(design(AccessProtocol::Ssh, |_| {}), web_only);
    assert_eq!(design(AccessProtocol::Http, |facts| facts.instance.maintenance_mode = true), web_only);
    assert_eq!(design(AccessProtocol::Web, |_| {}), Decision::Allow);
    let may_not = Decision::Deny(Denial::MayNotManageDesigns);
    for actor in ["reporter", "nobody", "deploy key, writing"] {
        let decision = changed(GitCommand::Push, |facts, attempt| {
            facts.container = Some(container(GlRepository::Design(7)));
            attempt.protocol = AccessProtocol::Web;
            acts(actor, facts);
        });
        assert_eq!(decision, may_not, "{actor}");
    }
}

#[test]
fn nobody_manages_the_designs_of_no_project() {
    let decision = changed(GitCommand::Download, |facts, attempt| {
        acts("admin", facts);
        (facts.project, facts.container) = (None, None);
        attempt.protocol = AccessProtocol::Web;
        attempt.target = AccessTarget::Repository(GlRepository::Design(1));
    });
    assert_eq!(decision, Decision::Deny(Denial::MayNotManageDesigns));
}

fn snippet(action: GitCommand, change: fn(&mut AccessFacts, &mut AccessSnippet)) -> Decision {
    changed(action, |facts, _| {
        of_snippet(facts);
        let mut snippet = facts.container.as_mut().unwrap().snippet.take().unwrap();
        change(facts, &mut snippet);
        facts.container.as_mut().unwrap().snippet = Some(snippet);
    })
}

#[test]
fn a_snippet_needs_a_user_before_it_looks_at_them() {
    fn ground(facts: &mut AccessFacts, _: &mut Attempt) {
        of_snippet(facts);
    }
    let no_user: Breach = (Denial::SnippetsNeedAUser, |facts, _| facts.key = Some(key(true)));
    let hidden: Breach =
        (Denial::Invisible(RepositoryKind::Snippet), |facts, _| project(facts).level = AccessLevel::NO_ACCESS);
    assert_order(GitCommand::Push, ground, &[MAINTENANCE, PROTOCOL, SHORT_KEY, no_user, READ_ONLY]);
    assert_order(GitCommand::Push, ground, &[MAINTENANCE, PROTOCOL, SHORT_KEY, EXPIRED_KEY, ACCOUNT, hidden]);
    let unknown = changed(GitCommand::Push, |facts, attempt| {
        (facts.project, facts.container) = (None, None);
        facts.instance.maintenance_mode = true;
        attempt.target = AccessTarget::Repository(GlRepository::Snippet(SnippetId(3)));
    });
    assert_eq!(unknown, Decision::Deny(Denial::NoSuchSnippet));
}

#[test]
fn a_snippet_is_read_by_members_and_changed_by_its_author() {
    let may_not_read = Decision::Deny(Denial::MayNotDownload(RepositoryKind::Snippet));
    let may_not_update = Decision::Deny(Denial::MayNotUpdateSnippet);
    assert_eq!(snippet(GitCommand::Download, |facts, _| acts("guest", facts)), Decision::Allow);
    assert_eq!(snippet(GitCommand::Push, |_, _| {}), may_not_update);
    assert_eq!(snippet(GitCommand::Push, |_, snippet| snippet.author = UserId(5)), Decision::Allow);
    assert_eq!(snippet(GitCommand::Push, |facts, _| acts("maintainer", facts)), Decision::Allow);
    let moving: fn(&mut AccessFacts, &mut AccessSnippet) = |facts, snippet| {
        acts("maintainer", facts);
        snippet.repository_read_only = true;
    };
    assert_eq!(snippet(GitCommand::Push, moving), Decision::Deny(Denial::RepositoryReadOnly));
    let off: fn(&mut AccessFacts, &mut AccessSnippet) =
        |facts, _| project(facts).snippets_level = FeatureLevel::Disabled;
    assert_eq!(snippet(GitCommand::Download, off), may_not_read);
    // A personal snippet has no members.
    assert_eq!(snippet(GitCommand::Download, |facts, _| facts.project = None), may_not_read);
    let internal: fn(&mut AccessFacts, &mut AccessSnippet) = |facts, snippet| {
        facts.project = None;
        snippet.visibility = VisibilityLevel::Internal;
    };
    assert_eq!(snippet(GitCommand::Download, internal), Decision::Allow);
    assert_eq!(snippet(GitCommand::Push, internal), may_not_update);
    let missing = changed(GitCommand::Download, |facts, _| {
        of_snippet(facts);
        facts.container.as_mut().unwrap().exists = false;
    });
    assert_eq!(missing, Decision::Deny(Denial::NoRepository(RepositoryKind::Snippet)));
}

/// P5: the second call finds out for which branch the merge request is.
#[test]
fn a_merge_request_lets_a_stranger_begin_a_push() {
    let collaborates = |change: fn(&mut AccessFacts)| {
        changed(GitCommand::Push, |facts, _| {
            project(facts).visibility = VisibilityLevel::Public;
            project(facts).level = AccessLevel::NO_ACCESS;
            let (branch, target_branch) = ("topic".to_owned(), "main".to_owned());
            let (target, level) = (ProjectId(9), AccessLevel::DEVELOPER);
            project(facts).collaborations = vec![BranchCollaboration { branch, target, target_branch, level }];
            change(facts);
        })
    };
    assert_eq!(collaborates(|_| {}), Decision::Allow);
    let refused = Decision::Deny(Denial::MayNotPush);
    assert_eq!(collaborates(|facts| project(facts).collaborations.clear()), refused);
    assert_eq!(collaborates(|facts| project(facts).pending_deletion = true), refused);
    assert_eq!(collaborates(|facts| project(facts).repository_level = FeatureLevel::Private), refused);
    assert_eq!(collaborates(|facts| project(facts).archived = true), Decision::Deny(Denial::Archived));
    let unseen = collaborates(|facts| project(facts).visibility = VisibilityLevel::Private);
    assert_eq!(
        unseen,
        Decision::Deny(Denial::Invisible(RepositoryKind::Project)),
        "who does not see the project does not push to it"
    );
}

#[test]
fn a_push_makes_the_repository_that_it_misses_where_it_would_be_let_in() {
    let made = |command, change: fn(&mut AccessFacts, &mut Attempt)| {
        let (mut facts, mut attempt) = (facts(), attempt(command));
        facts.container.as_mut().unwrap().exists = false;
        change(&mut facts, &mut attempt);
        let decision = decide(&facts, &attempt);
        may_make_repository(&facts, &attempt, &decision)
    };
    let wiki = |facts: &mut AccessFacts, _: &mut Attempt| {
        facts.container.as_mut().unwrap().repository = GlRepository::Wiki(ProjectId(7));
    };
    assert!(made(GitCommand::Push, as_it_is) && made(GitCommand::Push, wiki));
    assert!(!made(GitCommand::Download, as_it_is), "a download makes nothing");
    assert!(!made(GitCommand::Push, |facts, _| project(facts).level = AccessLevel::REPORTER), "they may not push");
    assert!(!made(GitCommand::Push, |facts, _| facts.instance.maintenance_mode = true), "refused before");
    assert!(!made(GitCommand::Push, |facts, _| facts.container.as_mut().unwrap().exists = true), "it is there");
    let snippet = |facts: &mut AccessFacts, _: &mut Attempt| {
        of_snippet(facts);
        facts.container.as_mut().unwrap().exists = false;
        account(facts).admin = true;
    };
    assert!(!made(GitCommand::Push, snippet), "snippets come with their repository");
}

#[test]
fn a_repository_is_where_its_kind_and_its_storage_say() {
    fn of(facts: &mut AccessFacts, repository: GlRepository) {
        project(facts).hashed_storage = false;
        facts.container = Some(container(repository));
    }
    let at = |change: fn(&mut AccessFacts)| {
        let mut facts = facts();
        change(&mut facts);
        facts
            .location()
            .map(|at| format!("{} {} {} {}", at.storage, at.relative_path, at.gl_repository, at.gl_project_path))
    };
    let code = "79/02/7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451.git";
    assert_eq!(at(|_| {}).unwrap(), format!("default @hashed/{code} project-7 g/s/p"));
    let rows = [
        at(|facts| of(facts, GlRepository::Project(ProjectId(7)))).unwrap(),
        at(|facts| of(facts, GlRepository::Wiki(ProjectId(7)))).unwrap(),
        at(|facts| of(facts, GlRepository::Design(7))).unwrap(),
    ];
    insta::assert_snapshot!(rows.join("\n"), @"
    default g/s/p.git project-7 g/s/p
    default g/s/p.wiki.git wiki-7 g/s/p.wiki
    default g/s/p.design.git design-7 g/s/p.design
    ");
    let of_project = at(of_snippet).unwrap();
    assert!(of_project.starts_with("default @snippets/") && of_project.ends_with(" snippet-3 g/s/p/snippets/3"));
    let personal = at(|facts| {
        of_snippet(facts);
        facts.project = None;
    });
    assert!(personal.unwrap().ends_with(" snippet-3 snippets/3"));
    assert_eq!((at(|facts| facts.container = None), at(|facts| facts.project = None)), (None, None));
}

#[test]
fn the_facts_are_looked_up_by_who_does_what_to_which_repository() {
    let attempt = attempt(GitCommand::Push);
    let AccessSubject { command, actor, target } = attempt.subject();
    assert_eq!((command, actor, target), (GitCommand::Push, attempt.actor, attempt.target));
}

/// P5 gives way to the rules of `push`, once the ref updates are at hand.
#[test]
fn who_may_not_push_is_refused_by_ref_in_the_second_call() {
    let with = |changes: PushChanges| {
        changed(GitCommand::Push, |facts, attempt| {
            project(facts).level = AccessLevel::REPORTER;
            attempt.changes = changes;
        })
    };
    assert_eq!(with(PushChanges::Any), Decision::Deny(Denial::MayNotPush));
    assert_eq!(with(PushChanges::Lines(String::new())), Decision::Allow);
}
