//! One question to the webhook: what is sent, and what its answer means.

use std::sync::Arc;

use gatewright::http::{Request, StatusCode, Uri, header};
use gatewright::prelude::*;
use gatewright::serde::Deserialize;
use gatewright::serde_json::{self, Value, json};
use gatewright::service::Clock;
use gatewright::service::http::{Http, Repeatable};
use gatewright::service::secrets::Secrets;
use gatewright::signature;

use crate::settings::Settings;

/// The longest message that a caller is told, in characters.
const MESSAGE_MAX: usize = 500;
/// The longest code, in characters.
const CODE_MAX: usize = 64;

/// Asks the webhook.
pub(crate) struct Judge {
    url: Uri,
    signing_secret: Option<String>,
    content_bytes_max: usize,
    context_bytes: usize,
    tells_caller: bool,
    instance: String,
    http: Arc<dyn Http>,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question {
    /// The question but for what the judge adds.
    body: Value,
    content_bytes: usize,
}

/// What the webhook says.
#[derive(Debug)]
pub(crate) enum Verdict {
    Allow,
    Deny(Box<Denial>),
    /// A text in the place of each that was sent, or none where it stays.
    Replace(Vec<Option<String>>),
}

/// The answer of the webhook. Members that are not known are for later versions.
#[derive(Deserialize)]
#[serde(crate = "gatewright::serde", tag = "verdict", rename_all = "snake_case")]
enum Answer {
    Allow,
    Deny { message: Option<String>, code: Option<String> },
    Replace { texts: Vec<Option<String>> },
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Question {
    /// About the texts of a request.
    pub(crate) fn prompt(cx: &RequestCx, texts: &[(Role, String)]) -> Self {
        let shown = |(role, text): &(Role, String)| json!({"role": role_name(*role), "text": text});
        let content_bytes = texts.iter().map(|(_, text)| text.len()).sum();
        let texts: Vec<Value> = texts.iter().map(shown).collect();
        Self::new(cx, json!({"phase": "prompt", "texts": texts}), content_bytes)
    }

    /// About a piece of an answer.
    pub(crate) fn answer(cx: &RequestCx, lane: Lane, before: &str, text: &str, is_last: bool) -> Self {
        let about = json!({
            "phase": "answer", "choice": lane.choice, "lane": lane_name(lane.kind), "before": before,
            "texts": [{"text": text}], "is_last": is_last,
        });
        Self::new(cx, about, text.len())
    }

    fn new(cx: &RequestCx, mut body: Value, content_bytes: usize) -> Self {
        let caller = cx.principal();
        let tags: serde_json::Map<String, Value> =
            cx.tags.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        body["id"] = cx.id().as_str().into();
        body["model"] = cx.model().as_str().into();
        body["route"] = cx.route().as_str().into();
        body["caller"] = json!({
            "tenant": caller.tenant.as_str(), "project": caller.project.as_deref(),
            "user": caller.user.as_deref(), "key": &*caller.key_label, "tags": tags,
        });
        Self { body, content_bytes }
    }
}

impl Judge {
    pub(crate) fn new(settings: &Settings, env: ExtEnv) -> Result<Self, BuildError> {
        let url: Uri = settings.url.parse().map_err(|_| BuildError::at("url", "this is no URL"))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
            return Err(BuildError::at("url", "give an absolute http or https URL"));
        }
        if let Some(name) = &settings.signing_secret
            && env.secrets.get(name).is_none()
        {
            let message = format!("there is no `{name}` under `secrets` of the instance");
            return Err(BuildError::at("signing_secret", message));
        }
        if settings.window_bytes == 0 || settings.window_bytes > settings.max_bytes {
            return Err(BuildError::at("window_bytes", "give from 1 to `max_bytes`"));
        }
        Ok(Self {
            url,
            signing_secret: settings.signing_secret.clone(),
            content_bytes_max: settings.max_bytes,
            context_bytes: settings.context_bytes,
            tells_caller: settings.caller,
            instance: env.instance.to_string(),
            http: env.http,
            secrets: env.secrets,
            clock: env.clock,
        })
    }

    pub(crate) fn content_bytes_max(&self) -> usize {
        self.content_bytes_max
    }

    pub(crate) fn context_bytes(&self) -> usize {
        self.context_bytes
    }

    /// Asks, and waits for the verdict.
    pub(crate) async fn ask(&self, question: &Question) -> HookResult<Verdict> {
        if question.content_bytes > self.content_bytes_max {
            let max = self.content_bytes_max;
            let message =
                format!("the text has {} bytes, at most {max} can be checked", question.content_bytes);
            let denial = Denial::new(StatusCode::PAYLOAD_TOO_LARGE, "text_too_long", message);
            return Ok(Verdict::Deny(Box::new(denial)));
        }
        let mut body = question.body.clone();
        body["instance"] = self.instance.as_str().into();
        if !self.tells_caller {
            body.as_object_mut().map(|members| members.remove("caller"));
        }
        let body = body.to_string();
        let call = Request::post(&self.url).extension(Repeatable);
        let mut call = call.header(header::CONTENT_TYPE, "application/json");
        if let Some(name) = &self.signing_secret {
            let secret = self.secrets.get(name);
            let secret = secret.ok_or_else(|| ExtError::new("the secret to sign with is gone"))?;
            call =
                call.header(signature::HEADER, signature::sign(&secret, self.clock.wall(), body.as_bytes()));
        }
        let answer = self.http.send(call.body(body.into())?).await?;
        if !answer.status().is_success() {
            return Err(ExtError::new(format!("the webhook answers with the status {}", answer.status())));
        }
        // What the webhook says is quoted nowhere: it may repeat a prompt.
        let answer = serde_json::from_slice(answer.body())
            .map_err(|_| ExtError::new("the webhook answers with something that is no verdict"))?;
        Ok(match answer {
            Answer::Allow => Verdict::Allow,
            Answer::Deny { message, code } => Verdict::Deny(Box::new(denial(message, code))),
            Answer::Replace { texts } => Verdict::Replace(texts),
        })
    }
}

fn denial(message: Option<String>, code: Option<String>) -> Denial {
    let short = |text: String, max: usize| text.chars().filter(|sign| !sign.is_control()).take(max).collect();
    let message: String = message.map_or_else(
        || "a check of this service refuses the text".to_owned(),
        |text| short(text, MESSAGE_MAX),
    );
    let is_code = |code: &String| {
        !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let code = code.map(|code| short(code, CODE_MAX)).filter(is_code);
    Denial::forbidden(code.unwrap_or_else(|| "denied_by_webhook".to_owned()), message)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn lane_name(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Content => "content",
        LaneKind::Reasoning => "reasoning",
        LaneKind::Refusal => "refusal",
        LaneKind::ToolArguments { .. } => "tool_arguments",
    }
}
