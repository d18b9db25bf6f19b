//! `POST /post_receive`: refs have changed; keep that, and say what the person who pushed should read.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::ShellState;
use super::context::readable_context;
use crate::domain::push::{self, RefChange};
use crate::domain::push_messages::{self, MessageKind, PushMessage};
use crate::domain::push_options::{OptionValue, PushOptions};
use crate::domain::repository::GlRepository;
use crate::http::auth::shell::{ShellCaller, TOKEN_HEADER, lenient_base64};
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::wire::{GitText, GitTexts, WireText};
use crate::services::report_push;
use crate::store::received_pushes::ReceivedPush;

/// What Gitaly's post-receive hook sends (shell.md 2.13).
#[derive(Debug, Deserialize, ToSchema)]
pub struct PostReceiveRequest {
    gl_repository: Option<WireText>,
    identifier: Option<WireText>,
    changes: Option<GitText>,
    #[serde(default)]
    push_options: GitTexts,
    gitaly_client_context_bin: Option<WireText>,
}

/// What Gitaly prints. A counter that was not there counts as decreased: `false` would only hide the messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct PostReceiveResponse {
    messages: Vec<MessageResponse>,
    reference_counter_decreased: bool,
}

#[derive(Debug, Serialize, ToSchema)]
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
#[utoipa::path(
    post,
    path = "/post_receive",
    request_body(
        content = PostReceiveRequest,
        example = json!({ "gl_repository": "project-3", "identifier": "key-11", "changes": "", "push_options": [] })
    ),
    responses((
        status = 200,
        body = PostReceiveResponse,
        example = json!({ "messages": [], "reference_counter_decreased": true })
    ))
)]
pub async fn report(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    headers: HeaderMap,
    RequestParams(request): RequestParams<PostReceiveRequest>,
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
    let reported = report_push::report(&shell.reporter, &dedupe_key(&headers, &push), repository, &push).await;
    let facts = reported.map_err(ApiError::asked_again)?;
    let messages = push_messages::list(&facts, &push.changes, &options);
    Ok(Json(PostReceiveResponse {
        messages: messages.into_iter().map(MessageResponse::from).collect(),
        reference_counter_decreased: true,
    }))
}

/// The lines of a push; a value without a space is base64 of them.
fn lines(changes: String) -> String {
    if changes.contains(' ') || changes.is_empty() {
        return changes;
    }
    let decoded = lenient_base64(changes.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The lines without those that say nothing of any ref: the push has happened, and one bad line loses none of the
/// others.
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
