//! The policy as tables: who may do what to projects, wikis and snippets.

use super::*;

/// Who acts in a row of a table.
const ACTORS: [&str; 17] = [
    "nobody",
    "deploy key, not enabled",
    "deploy key, reading",
    "deploy key, writing",
    "external, no member",
    "external, guest",
    "external, developer",
    "no member",
    "minimal access",
    "guest",
    "planner",
    "reporter",
    "developer",
    "maintainer",
    "owner",
    "auditor",
    "admin",
];

/// A letter for what becomes of an attempt, and `.` for the refusal that says no more than "you may not".
fn letter(decision: &Decision) -> char {
    match decision {
        Decision::Allow => 'y',
        Decision::Deny(Denial::Invisible(_) | Denial::NoSuchSnippet) => '?',
        Decision::Deny(Denial::DeployKeyMayNotPush) => 'k',
        Decision::Deny(Denial::NobodyMayNotPush) => 'n',
        Decision::Deny(Denial::SnippetsNeedAUser) => 'u',
        Decision::Deny(
            Denial::MayNotDownload(_) | Denial::MayNotPush | Denial::MayNotWriteWiki | Denial::MayNotUpdateSnippet,
        ) => '.',
        Decision::Deny(other) => panic!("not in these tables: {other:?}"),
    }
}

/// A row for each actor, and in each cell a download and a push of what `ground` puts in place.
fn table(actors: &[&str], ground: impl Fn(&mut AccessFacts)) -> String {
    let mut lines = vec![format!("{:24}| private      | internal     | public", "")];
    lines.push(format!("{:24}|{}", "", [" all mem off"; 3].join("  |")));
    for actor in actors {
        let cells = [VisibilityLevel::Private, VisibilityLevel::Internal, VisibilityLevel::Public].map(|visibility| {
            let levels = [FeatureLevel::Enabled, FeatureLevel::Private, FeatureLevel::Disabled];
            let cells = levels.map(|level| {
                [GitCommand::Download, GitCommand::Push].map(|action| {
                    let decision = changed(action, |facts, _| {
                        ground(facts);
                        project(facts).visibility = visibility;
                        project(facts).repository_level = level;
                        project(facts).wiki_level = level;
                        project(facts).snippets_level = level;
                        acts(actor, facts);
                    });
                    letter(&decision)
                })
            });
            cells.map(|pair| pair.iter().collect::<String>()).join("  ")
        });
        lines.push(format!("{actor:24}| {}", cells.join("   | ")));
    }
    lines.join("\n")
}

#[test]
fn the_policy_of_projects() {
    // y: yes, . : a plain no, ?: could not be found, k: this deploy key, n: nobody; first the download, then the push
    let ground = |facts: &mut AccessFacts| facts.container = Some(container(GlRepository::Project(ProjectId(7))));
    insta::assert_snapshot!(table(&ACTORS, ground), @"
                            | private      | internal     | public
                            | all mem off  | all mem off  | all mem off
    nobody                  | ??  ??  ??   | ??  ??  ??   | yn  .n  .n
    deploy key, not enabled | ??  ??  ??   | ??  ??  ??   | yk  .k  .k
    deploy key, reading     | yk  yk  .k   | yk  yk  .k   | yk  yk  .k
    deploy key, writing     | yy  yy  .y   | yy  yy  .y   | yy  yy  .y
    external, no member     | ??  ??  ??   | ??  ??  ??   | y.  ..  ..
    external, guest         | ..  ..  ..   | ..  ..  ..   | y.  y.  ..
    external, developer     | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    guest                   | ..  ..  ..   | y.  y.  ..   | y.  y.  ..
    planner                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    reporter                | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    developer               | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    maintainer              | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    owner                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    auditor                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    admin                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    ");
}

#[test]
fn the_policy_of_wikis() {
    let ground = |facts: &mut AccessFacts| facts.container = Some(container(GlRepository::Wiki(ProjectId(7))));
    insta::assert_snapshot!(table(&ACTORS, ground), @"
                            | private      | internal     | public
                            | all mem off  | all mem off  | all mem off
    nobody                  | ??  ??  ??   | ??  ??  ??   | yn  .n  .n
    deploy key, not enabled | ??  ??  ??   | ??  ??  ??   | yk  .k  .k
    deploy key, reading     | yk  yk  .k   | yk  yk  .k   | yk  yk  .k
    deploy key, writing     | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    external, no member     | ??  ??  ??   | ??  ??  ??   | y.  ..  ..
    external, guest         | ..  ..  ..   | ..  ..  ..   | y.  y.  ..
    external, developer     | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    guest                   | ..  ..  ..   | y.  y.  ..   | y.  y.  ..
    planner                 | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    reporter                | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    developer               | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    maintainer              | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    owner                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    auditor                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    admin                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    ");
}

/// Snippets of this visibility, with a row for whoever wrote one beside those of [`ACTORS`].
fn table_of_snippets(visibility: VisibilityLevel) -> String {
    let authors = ["external author, none", "external author, guest", "author, no member", "author, guest"];
    let actors: Vec<&str> = ACTORS.into_iter().chain(authors).collect();
    table(&actors, |facts| {
        of_snippet(facts);
        facts.container.as_mut().unwrap().snippet.as_mut().unwrap().visibility = visibility;
    })
}

/// Ruling 21. u: only users have snippets
#[test]
fn the_policy_of_private_snippets() {
    insta::assert_snapshot!(table_of_snippets(VisibilityLevel::Private), @"
                            | private      | internal     | public
                            | all mem off  | all mem off  | all mem off
    nobody                  | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    deploy key, not enabled | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    deploy key, reading     | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    deploy key, writing     | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    external, no member     | ??  ??  ??   | ??  ??  ??   | ..  ..  ..
    external, guest         | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    external, developer     | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    no member               | ??  ??  ??   | ..  ..  ..   | ..  ..  ..
    minimal access          | ??  ??  ??   | ..  ..  ..   | ..  ..  ..
    guest                   | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    planner                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    reporter                | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    developer               | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    maintainer              | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    owner                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    auditor                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    admin                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    external author, none   | ??  ??  ??   | ??  ??  ??   | yy  ..  ..
    external author, guest  | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    author, no member       | ??  ??  ??   | yy  ..  ..   | yy  ..  ..
    author, guest           | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    ");
}

/// What a wider visibility changes: users who are no members begin to see the snippet, and nothing else does.
#[test]
fn the_policy_of_snippets_that_others_see() {
    let private = table_of_snippets(VisibilityLevel::Private);
    let wider = |visibility| {
        let table = table_of_snippets(visibility);
        let known: Vec<&str> = private.split('\n').collect();
        let rows: Vec<&str> = table.split('\n').filter(|row| !known.contains(row)).collect();
        rows.join("\n")
    };
    insta::assert_snapshot!(wider(VisibilityLevel::Internal), @"
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    ");
    insta::assert_snapshot!(wider(VisibilityLevel::Public), @"
    external, no member     | ??  ??  ??   | ??  ??  ??   | y.  ..  ..
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    ");
}
