//! `POST /post_receive`: refs have changed; keep that, and say what the person who pushed should read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ShellState;
use super::context::readable_context;
use crate::domain::access::ActorName;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::push::{self, RefChange, is_zero};
use crate::domain::push_messages::{self, MessageFacts, MessageKind, PushMessage};
use crate::domain::push_options::{OptionValue, PushOptions};
use crate::domain::repository::GlRepository;
use crate::gitaly::CallContext;
use crate::http::auth::shell::{ShellCaller, TOKEN_HEADER, lenient_base64};
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::wire::{GitText, GitTexts, Text};
use crate::store::received_pushes::{self, ReceivedPush};
use crate::store::{
    self, actors, default_branches, jobs, post_push_messages, push_message_facts, reference_counters, repositories,
};

/// What Gitaly may take to say where HEAD is after a first push; the person who pushed waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What Gitaly's post-receive hook sends (shell.md 2.13).
#[derive(Debug, Deserialize)]
pub struct PostReceiveRequest {
    gl_repository: Option<Text>,
    identifier: Option<Text>,
    changes: Option<GitText>,
    #[serde(default)]
    push_options: GitTexts,
    gitaly_client_context_bin: Option<Text>,
}

/// What Gitaly prints. A counter that was not there counts as decreased: `false` would only hide the messages.
#[derive(Debug, Serialize)]
pub struct PostReceiveResponse {
    messages: Vec<MessageResponse>,
    reference_counter_decreased: bool,
}

#[derive(Debug, Serialize)]
struct MessageResponse {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Keeps the push, and with it in one transaction its job, its count and the messages that waited for it. A report that
/// comes twice is kept once.
///
/// # Errors
/// 400 where the repository's name has no form that we know, 503 where the push could not be kept.
pub async fn report(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    headers: HeaderMap,
    Params(request): Params<PostReceiveRequest>,
) -> Result<Json<PostReceiveResponse>, ApiError> {
    readable_context(request.gitaly_client_context_bin.as_ref())?;
    let gl_repository = request.gl_repository.filter(|name| !name.0.trim_ascii().is_empty());
    let gl_repository = gl_repository.ok_or(ApiError::Missing("gl_repository"))?.0;
    let Ok(repository) = GlRepository::parse(&gl_repository) else {
        return Err(ApiError::InvalidGlRepository(gl_repository));
    };
    let options = PushOptions::parse(request.push_options.0);
    let push = ReceivedPush {
        gl_repository,
        identifier: request.identifier.map(|identifier| identifier.0).unwrap_or_default(),
        changes: request.changes.map(|changes| readable(lines(changes.0))).unwrap_or_default(),
        push_options: known(&options),
        received_at: shell.clock.now(),
    };
    let unavailable = |error: store::Error| ApiError::Unavailable(error.into());

    let user = actors::find_acting_user(shell.pushes.pool(), &ActorName::identified(&push.identifier))
        .await
        .map_err(unavailable)?;
    let user = user.map(|user| user.id);
    let first = first_push(&shell, repository, &push).await.map_err(unavailable)?;
    // Gitaly never repeats a report, so we do; a push that is kept already is known by its key.
    let key = dedupe_key(&headers, &push);
    let keep = || keep(&shell, &key, &push, user, first.as_ref());
    let stored = store::settled(&shell.pushes, keep).await.map_err(unavailable)?;

    let facts = facts(&shell, &push, repository, user, stored).await;
    let messages = push_messages::list(&facts, &push.changes, &options);
    Ok(Json(PostReceiveResponse {
        messages: messages.into_iter().map(MessageResponse::from).collect(),
        reference_counter_decreased: true,
    }))
}

/// What the first push of a project says of its default branch.
enum FirstPush {
    /// It is this one from now on, and the push has made it, or it was there before.
    Settles { name: String, made: bool },
    /// Gitaly does not say.
    Unanswered,
}

/// What a push says of a default branch that nobody has settled yet.
async fn first_push(
    shell: &ShellState,
    repository: GlRepository,
    push: &ReceivedPush,
) -> store::Result<Option<(ProjectId, FirstPush)>> {
    let GlRepository::Project(project) = repository else { return Ok(None) };
    let made: Vec<&str> = push::parse(&push.changes)
        .filter(|change| is_zero(change.old))
        .filter_map(|change| change.pushed_branch())
        .collect();
    if made.is_empty() {
        return Ok(None);
    }
    let db = shell.pushes.pool();
    let known = default_branches::find(db, project).await?;
    let named = match known {
        Some(branch) if branch.born => return Ok(None),
        Some(branch) if made.contains(&branch.name.as_str()) => {
            return Ok(Some((project, FirstPush::Settles { name: branch.name, made: true })));
        }
        known => known.map(|branch| branch.name),
    };
    let Some(places) = repositories::find(db, project).await? else { return Ok(None) };
    let context = CallContext::new("post_receive", Instant::now() + PATIENCE);
    let asked = async { shell.gitaly.repository(places.code(), context)?.head().await };
    match asked.await {
        Ok(head) => {
            let initial = match named {
                Some(name) => name,
                None => default_branches::find_initial(db, project).await?,
            };
            // What HEAD named before this push was there; as long as it names nothing, all pushes are first ones.
            let new = |name: &str| made.contains(&name) || !head.is_born();
            let settles = |name: &str| FirstPush::Settles { name: name.to_owned(), made: new(name) };
            Ok(head.default_after(&made, &initial).map(|name| (project, settles(name))))
        }
        Err(error) => {
            // The push must be kept at once; its job asks until there is an answer.
            tracing::warn!(%error, project.id = project.0, "the default branch of a first push is settled later");
            Ok(Some((project, FirstPush::Unanswered)))
        }
    }
}

/// All that must not be lost, or done twice. The counter comes last: pushes to one repository meet there.
async fn keep(
    shell: &ShellState,
    key: &[u8],
    push: &ReceivedPush,
    user: Option<UserId>,
    first: Option<&(ProjectId, FirstPush)>,
) -> store::Result<Vec<String>> {
    let now = push.received_at;
    let mut transaction = shell.pushes.begin().await?;
    let id = received_pushes::insert(&mut *transaction, key, push).await?;
    if let Some(id) = id {
        jobs::insert_post_receive(&mut *transaction, id).await?;
        match first {
            Some((project, FirstPush::Settles { name, made })) => {
                default_branches::settle(&mut transaction, *project, name, *made, now).await?;
            }
            Some((project, FirstPush::Unanswered)) => {
                default_branches::insert_unsettled(&mut *transaction, *project, now).await?;
            }
            None => {}
        }
    }
    let stored = match user {
        Some(user) => post_push_messages::take(&mut *transaction, user, &push.gl_repository, now).await?,
        None => Vec::new(),
    };
    if id.is_some() {
        reference_counters::decrease(&mut *transaction, &push.gl_repository, now).await?;
    }
    transaction.commit().await?;
    Ok(stored)
}

/// What the messages depend on. The push is kept by now: what cannot be loaded is left out, and the rest is said.
async fn facts(
    shell: &ShellState,
    push: &ReceivedPush,
    repository: GlRepository,
    user: Option<UserId>,
    stored: Vec<String>,
) -> MessageFacts {
    let db = shell.pushes.pool();
    let project = or_nothing(push_message_facts::find_project(db, repository, user).await);
    let (project_id, project) = project.unzip();
    let banners = or_nothing(push_message_facts::list_banners(db, push.received_at).await);
    let url = shell.settings.url.clone();
    let links = shell.settings.mr_links;
    let mut facts =
        MessageFacts { url, links, repository, user, project, banners, merge_requests: BTreeMap::new(), stored };
    let branches = push_messages::linked_branches(&facts, &push.changes);
    if let Some(project) = project_id.filter(|_| !branches.is_empty()) {
        // A link to make a merge request would contradict one that is there, so without an answer there is none.
        let found = or_nothing(push_message_facts::list_merge_requests(db, project, &branches).await.map(Some));
        facts.links &= found.is_some();
        facts.merge_requests = found.unwrap_or_default();
    }
    facts
}

fn or_nothing<T: Default>(loaded: store::Result<T>) -> T {
    loaded.unwrap_or_else(|error| {
        tracing::warn!(%error, "a message after a push is left out");
        T::default()
    })
}

/// The lines of a push; a value without a space is base64 of them.
fn lines(changes: String) -> String {
    if changes.contains(' ') || changes.is_empty() {
        return changes;
    }
    let decoded = lenient_base64(changes.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The lines without those that say nothing of any ref: the push has happened, and one bad line loses none of the others.
fn readable(changes: String) -> String {
    let bad = push::lines(&changes).filter(Result::is_err).count();
    if bad == 0 {
        return changes;
    }
    tracing::warn!(lines = bad, "a push was reported with lines that are none of git's");
    push::parse(&changes).fold(String::new(), |mut lines, RefChange { old, new, name }| {
        let _ = writeln!(lines, "{old} {new} {name}");
        lines
    })
}

/// What makes two reports the same. A client that sends the request again sends the same token and id with it; one that
/// sends neither cannot be told from another that pushed the same.
fn dedupe_key(headers: &HeaderMap, push: &ReceivedPush) -> [u8; 32] {
    let header = |name: &str| headers.get(name).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
    let token = match header(TOKEN_HEADER) {
        token if token.is_empty() => rand::random::<[u8; 32]>().to_vec(),
        token => token,
    };
    let mut hash = Sha256::new();
    for part in [&token[..], &header("x-request-id"), push.gl_repository.as_bytes(), push.changes.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The options as GitLab's jobs take them: `{"ci":{"skip":true},"merge_request":{"label":{"bug":1}}}`.
fn known(options: &PushOptions) -> Value {
    let value = |value: &OptionValue| match value {
        OptionValue::Given => json!(true),
        OptionValue::Text(text) => json!(text),
        OptionValue::Counts(counts) => json!(counts),
    };
    let namespaces = options.known.iter().map(|(namespace, options)| {
        let options = options.iter().map(|(key, set)| ((*key).to_owned(), value(set))).collect();
        ((*namespace).to_owned(), Value::Object(options))
    });
    Value::Object(namespaces.collect())
}

impl From<PushMessage> for MessageResponse {
    fn from(message: PushMessage) -> Self {
        let kind = match message.kind {
            MessageKind::Basic => "basic",
            MessageKind::Alert => "alert",
        };
        Self { message: message.text, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_without_a_space_are_base64() {
        assert_eq!(lines("a b refs/heads/x\n".to_owned()), "a b refs/heads/x\n");
        assert_eq!(lines("YSBiIHJlZnMvaGVhZHMveAo=\n".to_owned()), "a b refs/heads/x\n");
        assert_eq!(lines(String::new()), "");
    }

    #[test]
    fn one_bad_line_loses_none_of_the_others() {
        let (old, new) = ("a".repeat(40), "b".repeat(40));
        let good = format!("{old} {new} refs/heads/x\u{3000}\n{old} {new} refs/heads/\u{fffd}\n");
        assert_eq!(readable(good.clone()), good);
        assert_eq!(readable(format!("nonsense here\n{good}{old} {new} \0\n")), good);
    }

    #[test]
    fn known_options_are_written_as_gitlab_writes_them() {
        let options = ["ci.skip", "mr.create", "mr.label=bug", "mr.title=x"].map(str::to_owned).to_vec();
        insta::assert_snapshot!(
            known(&PushOptions::parse(options)),
            @r#"{"ci":{"skip":true},"merge_request":{"create":true,"label":{"bug":1},"title":"x"}}"#
        );
    }
}
