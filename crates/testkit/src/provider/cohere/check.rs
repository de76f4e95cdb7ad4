//! What the public service refuses about a request.

use serde_json::Value;

use super::super::refusal::Refused;

type Result = std::result::Result<(), Refused>;

/// Checks a request.
pub(super) fn request(body: &Value) -> Result {
    conversation(body)?;
    tools(body)?;
    figures(body)?;
    let form = body["response_format"]["type"].as_str();
    check(matches!(form, None | Some("text" | "json_object")), "invalid request: unknown response_format")?;
    let has_others = !elements(&body["tools"]).is_empty() || !elements(&body["documents"]).is_empty();
    check(
        form != Some("json_object") || !has_others,
        "invalid request: response_format is not supported with RAG or tools",
    )?;
    let mode = body["safety_mode"].as_str();
    check(
        matches!(mode, None | Some("CONTEXTUAL" | "STRICT" | "OFF")),
        "invalid request: unknown safety_mode",
    )?;
    let thinking = &body["thinking"];
    let is_known = thinking.is_null() || matches!(thinking["type"].as_str(), Some("enabled" | "disabled"));
    let is_budget = thinking["token_budget"].is_null() || thinking["token_budget"].as_u64() > Some(0);
    check(
        is_known && is_budget,
        "invalid request: thinking must be enabled or disabled, with a positive budget",
    )
}

fn conversation(body: &Value) -> Result {
    let messages = elements(&body["messages"]);
    check(!messages.is_empty(), "invalid request: messages must not be empty")?;
    let mut open: Vec<&Value> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let calls = elements(&message["tool_calls"]);
        check(role != "system" || index == 0, "invalid request: system turn must be the first in the list")?;
        check(
            role == "tool" || open.is_empty(),
            "invalid request: all tool calls must have a tool message that answers them",
        )?;
        match role {
            "system" | "user" => {
                check(has_words(&message["content"]), "message must not be empty in a turn")?;
            }
            "tool" => {
                let call = &message["tool_call_id"];
                let known = open.iter().position(|it| *it == call);
                check(known.is_some(), "invalid request: tool_call_id does not match a tool call")?;
                open.remove(known.unwrap_or_default());
            }
            "assistant" => {
                assistant(message, calls)?;
                open = calls.iter().map(|call| &call["id"]).collect();
            }
            _ => return Err(refuse("invalid request: role must be system, user, assistant or tool")),
        }
    }
    let last = messages.last().and_then(|message| message["role"].as_str());
    check(matches!(last, Some("user" | "tool")), "invalid request: the last message must be of user or tool")
}

fn assistant(message: &Value, calls: &[Value]) -> Result {
    let has_text = match &message["content"] {
        Value::String(text) => !text.is_empty(),
        content => elements(content).iter().any(|block| block["type"] == "text"),
    };
    check(
        calls.is_empty() || !has_text,
        "text content is not allowed when tool_calls are provided. If you wish to pass a tool plan, either pass \
         thinking content (with thinking enabled) or use 'tool_plan'",
    )?;
    check(
        !calls.is_empty() || has_words(&message["content"]),
        "invalid request: an assistant message must have content or tool_calls",
    )?;
    let is_call = |call: &Value| {
        let arguments = call["function"]["arguments"].as_str().map(serde_json::from_str::<Value>);
        let is_object = matches!(arguments, Some(Ok(Value::Object(_))));
        is_object
            && call["type"] == "function"
            && call["function"]["name"].is_string()
            && call["id"].is_string()
    };
    check(calls.iter().all(is_call), "invalid request: tool call arguments must be a JSON object as a string")
}

fn has_words(content: &Value) -> bool {
    match content {
        Value::String(text) => !text.is_empty(),
        content => {
            let is_said = |block: &Value| match block["type"].as_str() {
                Some("text") => block["text"].as_str().is_some_and(|text| !text.is_empty()),
                Some("thinking") => block["thinking"].is_string(),
                Some("image_url") => block["image_url"]["url"].is_string(),
                _ => false,
            };
            !elements(content).is_empty() && elements(content).iter().all(is_said)
        }
    }
}

fn tools(body: &Value) -> Result {
    let tools = elements(&body["tools"]);
    let is_tool = |tool: &Value| {
        let function = &tool["function"];
        tool["type"] == "function" && function["name"].is_string() && function["parameters"].is_object()
    };
    check(tools.iter().all(is_tool), "invalid request: a tool needs a name and parameters")?;
    match &body["tool_choice"] {
        Value::Null => Ok(()),
        word => {
            check(
                word == "REQUIRED" || word == "NONE",
                "invalid request: tool_choice must be REQUIRED or NONE",
            )?;
            check(!tools.is_empty(), "invalid request: tool_choice needs tools")
        }
    }
}

fn figures(body: &Value) -> Result {
    let is_in = |key: &str, least: f64, most: f64| {
        let value = &body[key];
        value.is_null() || value.as_f64().is_some_and(|number| (least..=most).contains(&number))
    };
    check(is_in("p", 0.01, 0.99), "invalid request: p must be between 0.01 and 0.99")?;
    check(is_in("k", 0.0, 500.0), "invalid request: k must be between 0 and 500")?;
    for key in ["frequency_penalty", "presence_penalty"] {
        check(is_in(key, 0.0, 1.0), "invalid request: a penalty must be between 0 and 1")?;
    }
    let is_set = |key: &str| body[key].as_f64().is_some_and(|penalty| penalty > 0.0);
    check(
        !(is_set("frequency_penalty") && is_set("presence_penalty")),
        "invalid request: cannot specify both frequency_penalty and presence_penalty.",
    )?;
    check(elements(&body["stop_sequences"]).len() <= 5, "invalid request: at most 5 stop_sequences")
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check(holds: bool, message: &str) -> Result {
    if holds { Ok(()) } else { Err(refuse(message)) }
}

fn refuse(message: &str) -> Refused {
    Refused::parameter("messages", message)
}
