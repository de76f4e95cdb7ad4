//! The events of a stream as bytes, and the usage that they report.

use bytes::Bytes;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, UsagePlace, UsageReport};
use super::reply::Reply;

/// One server-sent event of an answer.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) bytes: Bytes,
    /// Whether it carries content: such events are paced and counted.
    pub(super) is_content: bool,
    /// What it costs.
    pub(super) tokens: u32,
}

impl Event {
    /// An event that carries content.
    pub(super) fn content(object: &Value, tokens: u32) -> Self {
        Self { bytes: frame(object.to_string().as_bytes()), is_content: true, tokens }
    }

    /// An event around the content: role, finish reason, usage.
    pub(super) fn framing(object: &Value) -> Self {
        Self { bytes: frame(object.to_string().as_bytes()), is_content: false, tokens: 0 }
    }

    /// The terminator of a stream.
    pub(super) fn done() -> Self {
        Self { bytes: Bytes::from_static(b"data: [DONE]\n\n"), is_content: false, tokens: 0 }
    }
}

pub(super) fn frame(data: &[u8]) -> Bytes {
    [b"data: ", data, b"\n\n"].concat().into()
}

/// The event of a failure. Where events have names, the data say them too.
pub(super) fn error_frame(object: &Value) -> Bytes {
    let name = object["type"].as_str().map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {object}\n\n").into()
}

/// Adds up the tokens of an answer and reports them as the model name asked.
#[derive(Debug)]
pub(super) struct Meter {
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    so_far: u64,
    report: UsageReport,
}

impl Meter {
    pub(super) fn new(reply: &Reply, behaviour: &Behaviour) -> Self {
        Self {
            prompt_tokens: reply.prompt_tokens,
            completion_tokens: reply.completion_tokens(),
            reasoning_tokens: reply.reasoning_tokens(),
            so_far: 0,
            report: behaviour.usage,
        }
    }

    pub(super) fn place(&self) -> UsagePlace {
        self.report.place
    }

    pub(super) fn count(&mut self, tokens: u32) {
        self.so_far += u64::from(tokens);
    }

    /// The usage object of the whole answer.
    pub(super) fn total(&self) -> Value {
        self.usage(self.completion_tokens)
    }

    /// What stands under `usage` in an event that is not the one about usage.
    pub(super) fn beside_event(&self, include_usage: bool) -> Option<Value> {
        match self.report.place {
            UsagePlace::EveryEvent => Some(self.usage(self.so_far)),
            UsagePlace::Asked => include_usage.then_some(Value::Null),
            UsagePlace::Nowhere | UsagePlace::LastChoice => None,
        }
    }

    fn usage(&self, completion_tokens: u64) -> Value {
        let prompt = i128::from(self.prompt_tokens);
        let completion = i128::from(completion_tokens) + i128::from(self.report.lie);
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": i64::try_from(completion).unwrap_or(i64::MAX),
            "total_tokens": i64::try_from(prompt + completion).unwrap_or(i64::MAX),
            "prompt_tokens_details": {"cached_tokens": self.report.cached.min(self.prompt_tokens), "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }
}
