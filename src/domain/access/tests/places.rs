//! Addresses, certificates, and what is absent or hidden.

use super::*;

// Addresses and certificates

#[test]
fn an_ip_allow_list_hides_the_project_from_other_addresses() {
    let from = |ip: Option<&str>, actor: &str, public: bool| {
        changed(GitCommand::Download, |facts, attempt| {
            project(facts).root.ip_allowlist = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
            facts.instance.globally_allowed_ips = vec!["192.0.2.1/32".parse().unwrap()];
            if public {
                project(facts).visibility = VisibilityLevel::Public;
            }
            acts(actor, facts);
            attempt.client_ip = ip.map(|ip| ip.parse().map_or(ClientIp::Garbage, ClientIp::Known));
        })
    };
    let hidden = Decision::Deny(Denial::Invisible(RepositoryKind::Project));
    for welcome in [Some("10.1.2.3"), Some("2001:db8::7"), Some("192.0.2.1"), None] {
        assert_eq!(from(welcome, "developer", false), Decision::Allow, "{welcome:?}");
    }
    for unwelcome in [Some("11.1.2.3"), Some("2001:db9::7"), Some("not an address")] {
        assert_eq!(from(unwelcome, "developer", false), hidden, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "deploy key, reading", false), hidden, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "nobody", true), hidden, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "admin", false), Decision::Allow, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "auditor", false), Decision::Allow, "{unwelcome:?}");
    }
}

#[test]
fn an_allow_list_that_cannot_be_read_lets_nobody_in() {
    let decision = changed(GitCommand::Download, |facts, attempt| {
        project(facts).root.ip_restricted = true;
        attempt.client_ip = Some(ClientIp::Known("10.1.2.3".parse().unwrap()));
    });
    assert_eq!(decision, Decision::Deny(Denial::Invisible(RepositoryKind::Project)));
}

#[test]
fn a_certificate_opens_the_projects_of_its_own_group_alone() {
    let certified = |namespace: Option<&str>, change: fn(&mut AccessFacts, &mut Attempt)| {
        changed(GitCommand::Push, |facts, attempt| {
            attempt.certified_by = namespace.map(str::to_owned);
            change(facts, attempt);
        })
    };
    let refused = Decision::Deny(Denial::CertificateOfAnotherNamespace);
    assert_eq!(certified(Some("g"), as_it_is), Decision::Allow);
    assert_eq!(certified(Some("G"), as_it_is), Decision::Allow);
    assert_eq!(certified(Some("g/s"), as_it_is), refused);
    // Gitaly's call does not tell of certificates, and wikis are not bound to them.
    assert_eq!(certified(Some("x"), |_, attempt| attempt.changes = PushChanges::Lines(String::new())), Decision::Allow);
    let wiki: fn(&mut AccessFacts, &mut Attempt) =
        |facts, _| facts.container = Some(container(GlRepository::Wiki(ProjectId(7))));
    assert_eq!(certified(Some("x"), wiki), Decision::Allow);
}

#[test]
fn a_group_may_ask_its_users_for_certificates() {
    let without = |change: fn(&mut AccessFacts, &mut Attempt)| {
        changed(GitCommand::Push, |facts, attempt| {
            project(facts).root.enforce_ssh_certificates = true;
            change(facts, attempt);
        })
    };
    assert_eq!(without(as_it_is), Decision::Deny(Denial::CertificateOfAnotherNamespace));
    assert_eq!(without(|_, attempt| attempt.certified_by = Some("g".to_owned())), Decision::Allow);
    assert_eq!(without(|facts, _| acts("deploy key, writing", facts)), Decision::Allow);
    assert_eq!(without(by_http), Decision::Allow);
}

// What is absent

#[test]
fn what_does_not_exist_is_named_as_it_was_asked_for() {
    let absent = |target: AccessTarget| {
        let decision = changed(GitCommand::Download, |facts, attempt| {
            (facts.project, facts.container) = (None, None);
            attempt.target = target.clone();
        });
        match decision {
            Decision::Deny(denial) => denial,
            Decision::Allow => panic!("{target:?} was allowed"),
        }
    };
    let path = |path: &str| absent(AccessTarget::Path(RepositoryPath::new(path)));
    assert_eq!(path("g/p.git"), Denial::NoSuchProject);
    assert_eq!(path("g/p.wiki.git"), Denial::NoSuchProject);
    assert_eq!(path("justname"), Denial::NoSuchNamespace);
    assert_eq!(path("/var/opt/gitlab/git data/x.git"), Denial::NoSuchNamespace);
    assert_eq!(path("api/v4.git"), Denial::NoSuchNamespace);
    let named = |name: &str| absent(AccessTarget::Repository(GlRepository::parse(name).unwrap()));
    assert_eq!(named("project-9"), Denial::NoSuchNamespace);
    assert_eq!(named("wiki-9"), Denial::NoSuchWiki);
    assert_eq!(named("group-9-wiki"), Denial::NoSuchWiki);
    assert_eq!(named("snippet-9"), Denial::NoSuchSnippet);
}

#[test]
fn a_wiki_is_told_from_its_project() {
    let wiki = |action: GitCommand, change: fn(&mut AccessFacts)| {
        changed(action, |facts, _| {
            facts.container = Some(container(GlRepository::Wiki(ProjectId(7))));
            change(facts);
        })
    };
    let denied = |denial: Denial| Decision::Deny(denial);
    assert_eq!(
        wiki(GitCommand::Push, |facts| acts("no member", facts)),
        denied(Denial::Invisible(RepositoryKind::Wiki))
    );
    let missing: fn(&mut AccessFacts) = |facts| {
        facts.container.as_mut().unwrap().exists = false;
        acts("guest", facts);
    };
    assert_eq!(wiki(GitCommand::Push, missing), denied(Denial::NoRepository(RepositoryKind::Wiki)));
    assert_eq!(wiki(GitCommand::Push, |facts| project(facts).archived = true), denied(Denial::Archived));
    // The two features are switched one by one.
    assert_eq!(
        wiki(GitCommand::Push, |facts| project(facts).repository_level = FeatureLevel::Disabled),
        Decision::Allow
    );
    let off: fn(&mut AccessFacts) = |facts| project(facts).wiki_level = FeatureLevel::Disabled;
    assert_eq!(wiki(GitCommand::Download, off), denied(Denial::MayNotDownload(RepositoryKind::Wiki)));
    assert_eq!(wiki(GitCommand::Push, off), denied(Denial::MayNotWriteWiki));
}

/// Whatever somebody is to it, and whatever they ask for.
#[test]
fn a_hidden_project_is_nowhere_to_be_found() {
    let hidden = |change: fn(&mut AccessFacts, &mut Attempt)| {
        [GitCommand::Download, GitCommand::Push].map(|action| {
            changed(action, |facts, attempt| {
                project(facts).hidden = true;
                change(facts, attempt);
            })
        })
    };
    let nobody = [(); 2].map(|()| Decision::Deny(Denial::Invisible(RepositoryKind::Project)));
    assert_eq!(hidden(|_, _| {}), nobody);
    assert_eq!(hidden(|facts, _| project(facts).level = AccessLevel::OWNER), nobody);
    assert_eq!(hidden(|facts, _| account(facts).admin = true), nobody);
    assert_eq!(hidden(|facts, _| project(facts).visibility = VisibilityLevel::Public), nobody);
    assert_eq!(
        hidden(|facts, _| {
            facts.key = Some(key(true));
            project(facts).deploy_key_can_push = Some(true);
        }),
        nobody
    );
}

#[test]
fn without_an_allow_list_every_address_is_welcome() {
    for ip in ["10.0.0.1", "nonsense"] {
        let decision = changed(GitCommand::Download, |_, attempt| attempt.client_ip = Some(ClientIp::parse(ip)));
        assert_eq!(decision, Decision::Allow, "{ip}");
    }
}

#[test]
fn a_path_of_a_snippet_that_names_nothing_is_told_so() {
    let decision = changed(GitCommand::Download, |facts, attempt| {
        (facts.project, facts.container) = (None, None);
        attempt.target = AccessTarget::Path(RepositoryPath::new("g/s/p/snippets/3"));
    });
    assert_eq!(decision, Decision::Deny(Denial::NoSuchSnippet));
}
