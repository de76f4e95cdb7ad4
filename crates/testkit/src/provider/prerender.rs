//! Answers that are rendered once and sent many times, for benches.
//!
//! The request is not parsed: its model name and its wish for a stream are found by a search for their bytes in the
//! first part of the body, so they must stand before the messages. Usage is constant, nothing is recorded.

use std::collections::HashMap;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use memchr::memmem;
use parking_lot::Mutex;
use serde_json::json;

use super::behaviour::Behaviour;
use super::endpoint::{self, Endpoint};
use super::script::Script;

/// The prompt tokens that each pre-rendered answer reports.
pub const PRERENDERED_PROMPT_TOKENS: u64 = 1000;
/// More different answers than that are not kept.
const ANSWERS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Prerendered(Mutex<HashMap<Wish, Script>>);

/// What tells one pre-rendered answer from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wish {
    endpoint: Endpoint,
    model: String,
    stream: bool,
    include_usage: bool,
}

impl Prerendered {
    /// Reads a request to its end and answers it; `None` if its answer depends on more than the model name.
    pub(super) async fn answer(&self, endpoint: Endpoint, body: &mut Incoming, rate: f64) -> Option<Script> {
        let wish = read_wish(endpoint, body).await;
        if let Some(script) = self.0.lock().get(&wish) {
            return Some(script.clone());
        }
        let behaviour = Behaviour::from_model(&wish.model).ok().filter(Behaviour::is_static)?;
        let script = wish.render(&behaviour, rate)?;
        let mut answers = self.0.lock();
        if answers.len() < ANSWERS_MAX {
            answers.insert(wish, script.clone());
        }
        Some(script)
    }
}

impl Wish {
    fn render(&self, behaviour: &Behaviour, rate: f64) -> Option<Script> {
        let mut request = json!({"model": self.model, "stream": self.stream, "input": "x", "prompt": "x"});
        request["stream_options"] = json!({"include_usage": self.include_usage});
        let answered = endpoint::answer(
            self.endpoint,
            &request,
            behaviour,
            &endpoint::Facts {
                id: "sim-prerendered".to_owned(),
                created: 0,
                rate,
                prompt_tokens: Some(PRERENDERED_PROMPT_TOKENS),
            },
        );
        answered.ok()
    }
}

async fn read_wish(endpoint: Endpoint, body: &mut Incoming) -> Wish {
    let mut wish = Wish { endpoint, model: String::new(), stream: false, include_usage: false };
    while let Some(Ok(frame)) = body.frame().await {
        let Some(part) = frame.data_ref() else { continue };
        if wish.model.is_empty() {
            wish.model = model_in(part).unwrap_or_default();
            wish.stream = memmem::find(part, b"\"stream\":true").is_some();
        }
        wish.include_usage |= wish.stream && memmem::find(part, b"\"include_usage\"").is_some();
    }
    wish
}

fn model_in(part: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"model\":\"";
    let start = memmem::find(part, KEY)? + KEY.len();
    let value = part.get(start..)?;
    let end = memchr::memchr(b'"', value)?;
    std::str::from_utf8(value.get(..end)?).ok().map(str::to_owned)
}
