//! `/admin/explain`: may this actor fetch or push, and why? The rules of `/allowed` in their order, and where the level
//! comes from.

use axum::extract::State;
use axum::response::Response;

use super::AdminState;
use super::error::AdminError;
use super::page::{Cell, Field, Filter, Inline, Page, Table, Tone, badge, code, link, sentence, text};
use crate::domain::access::{GitCommand, RuleVerdict, Verdict};
use crate::http::auth::admin::{AdminCaller, AdminQuery};
use crate::services::ask_access::{self, AskedActor, QuestionError, WrittenQuestion};
use crate::services::explain_access::{
    self, AccessExplanation, AccessQuestion, AskedChangeKind, ExplainError, ExplainedOutcome,
};

const KINDS: [(&str, &str); 4] = [
    ("user", "user: name or id"),
    ("username", "username"),
    ("key", "SSH key: id or SHA256:…"),
    ("deploy_key", "deploy key: id or SHA256:…"),
];
const ACTIONS: [(&str, &str); 2] = [("pull", "fetch"), ("push", "push")];
const PROTOCOLS: [(&str, &str); 3] = [("ssh", "SSH"), ("http", "HTTP"), ("web", "web")];

/// The form, and what it is answered.
pub async fn show(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let mut page = Page::new("Explain")
        .intro("Whether an attempt may go on, and why: nothing is changed by asking.")
        .filter(form(&query));
    if !query.get("actor").is_empty() && !query.get("project").is_empty() {
        let question = question(&state, &query).await?;
        let explained = explain_access::explain(&state.access, &question, state.clock.now()).await;
        let explanation = explained.map_err(|error| match error {
            ExplainError::Store(error) => error.into(),
            ExplainError::NoSuchActor(who) => AdminError::NoSuch(who),
        })?;
        page = answer(page, &explanation);
    }
    Ok(page.show(&caller))
}

fn form(query: &AdminQuery) -> Filter {
    let fields = vec![
        Field::choice("kind", "Who", query.get("kind"), &KINDS),
        Field::required("actor", "Name, id or fingerprint", query.get("actor")),
        Field::required("project", "Project", query.get("project")).hint("its full path, or project-7"),
        Field::choice("action", "Action", query.get("action"), &ACTIONS),
        Field::choice("protocol", "By", query.get("protocol"), &PROTOCOLS),
        Field::search("ref", "Ref of a push", query.get("ref")).hint("such as main or refs/tags/v1"),
        Field::search("change", "Change of the ref", query.get("change"))
            .hint("update, create, force, delete, or OLD..NEW"),
        Field::search("scopes", "Scopes of the token", query.get("scopes"))
            .hint("over HTTP, such as read_repository; empty for all"),
        Field::search("ip", "From the address", query.get("ip")),
    ];
    Filter::new("/admin/explain", fields).asked("Explain")
}

async fn question(state: &AdminState, query: &AdminQuery) -> Result<AccessQuestion, AdminError> {
    let refused = |words: String| AdminError::Refused(format!("{words}."));
    let named = query.get("actor");
    let pushes = query.get("action") == "push";
    let change = match query.get("change") {
        "" => AskedChangeKind::Update,
        text => ask_access::parse_change(text).map_err(refused)?,
    };
    let scopes = query.get("scopes").split([',', ' ']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    let ip = match query.get("ip") {
        "" => None,
        ip => Some(ip.parse().map_err(|_| refused(format!("{ip} is no address")))?),
    };
    let protocol = ask_access::PROTOCOLS.into_iter().find(|word| *word == query.get("protocol"));
    let written = WrittenQuestion {
        actor: match query.get("kind") {
            "username" => AskedActor::Username(named),
            "key" => AskedActor::Key(named),
            "deploy_key" => AskedActor::DeployKey(named),
            _ => AskedActor::User(named),
        },
        project: query.get("project"),
        command: if pushes { GitCommand::Push } else { GitCommand::Download },
        protocol: protocol.unwrap_or("ssh"),
        scopes,
        name: Some(query.get("ref")).filter(|name| pushes && !name.is_empty()),
        change,
        ip,
    };
    ask_access::read(&state.db, &written).await.map_err(|error| match error {
        QuestionError::Store(error) => error.into(),
        QuestionError::Refused(words) => refused(words),
        QuestionError::NoSuchKey(_) => AdminError::NoSuch("key"),
    })
}

fn answer(page: Page, explanation: &AccessExplanation) -> Page {
    let mut facts: Vec<(&str, Cell)> = match &explanation.outcome {
        ExplainedOutcome::Allowed => vec![("Outcome", badge(Tone::Good, "allowed"))],
        ExplainedOutcome::AllowedAndMakes(what) => {
            vec![("Outcome", badge(Tone::Good, "allowed")), ("It makes", text(format!("the {what}")))]
        }
        ExplainedOutcome::Denied(denial) => vec![
            ("Outcome", badge(Tone::Bad, "denied")),
            ("By the rule", code(denial.rule())),
            ("Its user is told", text(denial.to_string().trim())),
        ],
        ExplainedOutcome::Impossible(reason) => {
            vec![("Outcome", badge(Tone::Bad, "impossible")), ("Why", text(reason.clone()))]
        }
        ExplainedOutcome::Unknown(reason) => {
            vec![("Outcome", badge(Tone::Doubtful, "cannot say")), ("Why", text(reason.clone()))]
        }
    };
    if let Some(remedy) = &explanation.remedy {
        facts.push(("What would help", text(remedy.remedy.words.clone())));
        if remedy.remedy.level.is_some() {
            facts.push(("Who can give it", granters(remedy)));
        }
    }
    if let Some((id, name)) = &explanation.user {
        facts.push(("User", link(format!("/admin/users/{id}"), name.clone())));
    }
    if let Some((id, path)) = &explanation.project {
        facts.push(("Project", link(format!("/admin/projects/{id}"), path.clone())));
    }
    let page = page.facts("Answer", facts);
    let page = match &explanation.level {
        None => page,
        Some(level) => {
            let mut table = Table::new(format!("Level: {}", level.kept), &["Gives", "By"], "Nothing gives any level.");
            for path in &level.paths {
                let tone = if path.idle.is_some() { Tone::Plain } else { Tone::Good };
                table.row([badge(tone, path.level().to_string()), sentence(&path.source().to_string())]);
            }
            for past in &level.past {
                table.row([badge(Tone::Plain, "was"), text(past.clone())]);
            }
            if !level.is_true() {
                let words = format!(
                    "memberships and shares give {}, and project_authorizations has {}, which decisions look at",
                    level.given, level.kept
                );
                table.row([badge(Tone::Bad, "a fault"), text(words)]);
            }
            page.table(table)
        }
    };
    let page = page.table(rules("Rules before git begins", &explanation.access));
    if explanation.refs.is_empty() { page } else { page.table(rules("Rules of the ref", &explanation.refs)) }
}

fn granters(remedy: &explain_access::ExplainedRemedy) -> Cell {
    if remedy.granters.is_empty() {
        return text("an administrator: nobody else here can");
    }
    let people = remedy.granters.iter().flat_map(|granter| {
        let search = form_urlencoded::Serializer::new(String::new()).append_pair("search", &granter.username).finish();
        [
            Inline::Link(format!("/admin/users?{search}"), granter.username.clone()),
            Inline::Text(format!("({})", granter.level)),
        ]
    });
    people.collect()
}

fn rules(heading: &str, verdicts: &[RuleVerdict]) -> Table {
    let rows = verdicts.iter().map(|rule| {
        let (tone, word) = match rule.verdict {
            Verdict::Passed => (Tone::Good, "passed"),
            Verdict::Denied(_) => (Tone::Bad, "denied"),
            Verdict::NotReached => (Tone::Plain, "not reached"),
        };
        let asks = rule.name.as_ref().map_or_else(|| rule.asks.to_owned(), |name| format!("{name}: {}", rule.asks));
        let seen: Vec<String> = rule.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
        [code(rule.rule), badge(tone, word), text(asks), text(seen.join("; "))]
    });
    Table::new(heading, &["Rule", "Verdict", "What it asks", "What it saw"], "None was asked.").rows(rows)
}
