//! What the public service refuses about a request.

use serde_json::Value;

use super::super::refusal::Refused;
use super::SIGNATURE;

/// The smallest budget of reasoning.
const BUDGET_MIN: u64 = 1024;

/// So many places of a prompt may be marked for the cache.
const CACHE_MARKS_MAX: usize = 4;

type Result = std::result::Result<(), Refused>;

/// Checks a request for an answer.
pub(super) fn request(body: &Value) -> Result {
    let cap = body["max_tokens"].as_u64().filter(|cap| *cap > 0);
    let cap = cap.ok_or_else(|| refuse("max_tokens", "max_tokens: Field required"))?;
    conversation(body)?;
    thinking(body, cap)?;
    let is_over =
        |value: &Value, most: f64| value.as_f64().is_some_and(|number| !(0.0..=most).contains(&number));
    check(!is_over(&body["temperature"], 1.0), "temperature", "temperature: range: 0..1")?;
    check(!is_over(&body["top_p"], 1.0), "top_p", "top_p: range: 0..1")?;
    let both = body["temperature"].is_number() && body["top_p"].is_number();
    check(!both, "top_p", "`temperature` and `top_p` cannot both be specified for this model.")?;
    let is_blank = |text: &Value| text.as_str().is_none_or(|text| text.trim().is_empty());
    let blank = elements(&body["stop_sequences"]).iter().any(is_blank);
    check(!blank, "stop_sequences", "stop_sequences: each stop sequence must contain non-whitespace")
}

/// Checks the conversation and the tools.
pub(super) fn conversation(body: &Value) -> Result {
    let messages = elements(&body["messages"]);
    check(!messages.is_empty(), "messages", "messages: at least one message is required")?;
    let first = messages.first().is_some_and(|message| message["role"] == "user");
    check(first, "messages", "messages: first message must use the \"user\" role")?;
    let marks = body.to_string().matches("\"cache_control\":{").count();
    check(marks <= CACHE_MARKS_MAX, "messages", "A maximum of 4 blocks with cache_control may be provided.")?;
    for tool in elements(&body["tools"]) {
        check(
            is_word(&tool["name"], 128),
            "tools",
            "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        )?;
        let is_object = tool["type"].as_str().is_some_and(|kind| kind != "custom")
            || tool["input_schema"]["type"] == "object";
        check(is_object, "tools", "tools.0.custom.input_schema.type: Field required")?;
    }
    let mut open: Vec<&Value> = Vec::new();
    for message in messages {
        open = turn(message, &open)?;
    }
    let has_calls = messages
        .iter()
        .flat_map(|message| elements(&message["content"]))
        .any(|block| block["type"] == "tool_use");
    check(
        !has_calls || !elements(&body["tools"]).is_empty(),
        "tools",
        "Requests which include `tool_use` or `tool_result` blocks must define tools",
    )?;
    let last = messages.last().filter(|message| message["role"] == "assistant");
    let last_text = last.and_then(|message| {
        message["content"].as_str().or_else(|| elements(&message["content"]).last()?["text"].as_str())
    });
    let is_trimmed = last_text.is_none_or(|text| text.trim_end() == text);
    check(is_trimmed, "messages", "messages: final assistant content cannot end with trailing whitespace")
}

/// Checks a message that follows one with these calls; gives its own.
fn turn<'a>(message: &'a Value, open: &[&Value]) -> std::result::Result<Vec<&'a Value>, Refused> {
    let blocks = elements(&message["content"]);
    let is_empty = message["content"].as_str().map_or(blocks.is_empty(), str::is_empty);
    check(!is_empty, "messages", "messages: all messages must have non-empty content")?;
    let mut results = Vec::new();
    let mut calls = Vec::new();
    let mut is_behind = false;
    for block in blocks {
        match block["type"].as_str() {
            Some("tool_result") => {
                check(!is_behind, "messages", "messages: tool_result blocks must come first")?;
                let call = &block["tool_use_id"];
                check(
                    open.contains(&call),
                    "messages",
                    "messages: unexpected `tool_use_id` found in `tool_result` blocks",
                )?;
                check(
                    !results.contains(&call),
                    "messages",
                    "messages: each tool_use must have a single result",
                )?;
                results.push(call);
                continue;
            }
            Some("tool_use") => {
                check(
                    is_word(&block["id"], 64),
                    "messages",
                    "messages: tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
                )?;
                check(
                    is_word(&block["name"], 128),
                    "messages",
                    "messages: tool_use.name: String should match pattern",
                )?;
                check(
                    block["input"].is_object(),
                    "messages",
                    "messages: tool_use.input: Input should be a valid dictionary",
                )?;
                calls.push(&block["id"]);
            }
            Some("text") => {
                let has_text = block["text"].as_str().is_some_and(|text| !text.trim().is_empty());
                check(
                    has_text,
                    "messages",
                    "messages: text content blocks must contain non-whitespace text",
                )?;
            }
            Some("thinking") => {
                check(
                    block["signature"] == SIGNATURE,
                    "messages",
                    "messages: Invalid `signature` in `thinking` block",
                )?;
            }
            _ => {}
        }
        is_behind = true;
    }
    let answered = open.iter().all(|call| results.contains(call));
    check(
        answered,
        "messages",
        "messages: `tool_use` ids were found without `tool_result` blocks immediately after",
    )?;
    Ok(calls)
}

fn thinking(body: &Value, cap: u64) -> Result {
    let thinking = &body["thinking"];
    let budget = thinking["budget_tokens"].as_u64();
    let is_on = match thinking["type"].as_str() {
        Some("enabled") => {
            check(
                budget.is_some_and(|budget| budget >= BUDGET_MIN),
                "thinking",
                "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
            )?;
            check(
                budget.is_some_and(|budget| budget < cap),
                "thinking",
                "`max_tokens` must be greater than `thinking.budget_tokens`.",
            )?;
            true
        }
        Some("adaptive") => true,
        _ => false,
    };
    if !is_on {
        return Ok(());
    }
    let is_one =
        body["temperature"].as_f64().is_none_or(|temperature| (temperature - 1.0).abs() < f64::EPSILON);
    check(is_one, "temperature", "`temperature` may only be set to 1 when thinking is enabled.")?;
    check(body["top_k"].is_null(), "top_k", "`top_k` must be unset when thinking is enabled.")?;
    let forced = matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool"));
    check(!forced, "tool_choice", "Thinking may not be enabled when tool_choice forces tool use.")
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether a name or an id has only the characters that are allowed.
fn is_word(value: &Value, most: usize) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    value.as_str().is_some_and(|text| (1..=most).contains(&text.len()) && text.bytes().all(fits))
}

fn check(holds: bool, param: &'static str, message: &str) -> Result {
    if holds { Ok(()) } else { Err(refuse(param, message)) }
}

fn refuse(param: &'static str, message: &str) -> Refused {
    Refused::parameter(param, message)
}
