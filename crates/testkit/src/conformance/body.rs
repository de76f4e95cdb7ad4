//! Requests that every extension must be able to see: the plain, the empty, the large, the odd and the malformed.

use gatewright::LlmRequest;
use gatewright::dialect::Dialect;
use serde_json::json;

/// The length of the large text.
const LARGE_BYTES: usize = 1024 * 1024;

/// A request and what it is.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) what: &'static str,
    pub(super) request: LlmRequest,
    /// Whether it is malformed at a place that its decoding does not visit, so that reading its texts fails.
    pub(super) is_malformed: bool,
}

/// Every sample that is a request at all.
pub(super) fn samples() -> Vec<Sample> {
    let mut samples: Vec<Sample> = bodies()
        .into_iter()
        .filter_map(|(what, body)| Some(Sample { what, request: decoded(&body)?, is_malformed: false }))
        .collect();
    let malformed = r#"{"model":"model","messages":[{"role":"user","content":7},{"role":"tool"},{}]}"#;
    if let Some(request) = decoded(malformed) {
        samples.push(Sample { what: "messages of wrong types", request, is_malformed: true });
    }
    let vectors = gatewright_wire::codec(Dialect::OpenAiEmbeddings);
    let input = r#"{"model":"model","input":["some text","more of it"]}"#;
    if let Ok(document) = vectors.decode_request(input.into()) {
        let request = LlmRequest::new(document);
        samples.push(Sample { what: "an input for vectors", request, is_malformed: false });
    }
    samples
}

/// A chat request as the gateway decodes it, if it is one.
pub(super) fn decoded(body: &str) -> Option<LlmRequest> {
    let codec = gatewright_wire::openai_chat::codec();
    codec.decode_request(body.to_owned().into()).ok().map(LlmRequest::new)
}

fn bodies() -> Vec<(&'static str, String)> {
    let user =
        |text: &str| json!({"model": "model", "messages": [{"role": "user", "content": text}]}).to_string();
    let many: Vec<_> =
        (0..200).map(|turn| json!({"role": "user", "content": format!("turn {turn}")})).collect();
    vec![
        ("one message", user("hello")),
        ("no message", r#"{"model":"model","messages":[]}"#.to_owned()),
        ("an empty text", user("")),
        ("a text of 1 MiB", user(&"lorem ipsum 0123 ".repeat(LARGE_BYTES / 17))),
        ("a text without a space of 64 KiB", user(&"a".repeat(64 * 1024))),
        ("texts in every script", user("naïve café 日本語 \u{200d}🙂\u{202e}עברית \u{0}\u{7f}\u{feff}e\u{301}")),
        (
            "odd JSON",
            concat!(
                " {\"n\" : 1e400, \"n\":2, \"b\":12345678901234567890123,\"model\":\"model\",\n\t\"u\":\"\\u00e9\\ud83d\\ude42\\/\" , ",
                "\"messages\":[ {\"content\":\"a\\\"b\\\\c\\nd\",\"role\":\"user\"} ] , \"z\":null}\r\n "
            )
            .to_owned(),
        ),
        ("many messages", json!({"model": "model", "messages": many}).to_string()),
        (
            "parts, tools and earlier turns",
            json!({
                "model": "model",
                "temperature": 0.7,
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": [
                        {"type": "text", "text": "what is this?"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    ]},
                    {"role": "assistant", "content": null, "tool_calls": [
                        {"id": "call_1", "type": "function",
                         "function": {"name": "look", "arguments": "{\"at\":\"it\"}"}},
                    ]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
                ],
                "tools": [{"type": "function", "function": {"name": "look", "description": "looks"}}],
                "metadata": {"a": "b"},
            })
            .to_string(),
        ),
        (
            "a stream of two choices",
            json!({
                "model": "model",
                "n": 2,
                "stream": true,
                "max_tokens": 16,
                "messages": [{"role": "user", "content": "hello"}],
            })
            .to_string(),
        ),
    ]
}
