//! Requests of this face in the words of the first, and what is refused about them.

use serde_json::{Value, json};

use super::super::refusal::Refused;

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Value, Refused> {
    let mut messages = Vec::new();
    // The tools of the calls that wait for their results.
    let mut open: Vec<String> = Vec::new();
    for message in elements(&body["messages"]) {
        let role = message["role"].as_str().unwrap_or_default();
        let is_text = message["content"].is_string() || message["content"].is_null();
        check(
            is_text,
            "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
        )?;
        check(role == "tool" || open.is_empty(), "a call of a tool has no result")?;
        match role {
            "tool" => {
                let first = (!open.is_empty()).then(|| open.remove(0));
                let is_next = message["tool_name"].as_str() == first.as_deref() && first.is_some();
                check(is_next, "a result does not name the tool of the next call")?;
            }
            "system" | "user" | "assistant" => {}
            other => return Err(refuse(&format!("invalid role: {other}"))),
        }
        let calls = elements(&message["tool_calls"]);
        for call in calls {
            check(call["function"]["arguments"].is_object(), "tool_calls.function.arguments is no object")?;
            open.extend(call["function"]["name"].as_str().map(str::to_owned));
        }
        messages.push(read_message(role, message, calls)?);
    }
    check(!messages.is_empty(), "messages is empty")?;
    let mut request = json!({"messages": messages});
    request["max_tokens"] = match body["options"]["num_predict"].as_u64() {
        Some(cap) => json!(cap),
        None => Value::Null,
    };
    let tools = elements(&body["tools"]);
    let has_schema = |tool: &Value| tool["function"]["parameters"].is_object();
    check(tools.iter().all(has_schema), "a tool has no parameters")?;
    if !tools.is_empty() {
        request["tools"] = json!(tools);
    }
    match &body["format"] {
        Value::Null => {}
        Value::String(word) if word.is_empty() => {}
        Value::String(word) if word == "json" => request["response_format"] = json!({"type": "json_object"}),
        schema @ Value::Object(_) => {
            request["response_format"] = json!({"type": "json_schema", "json_schema": {"schema": schema}});
        }
        other => {
            return Err(refuse(&format!(
                "invalid format: {other}; expected \"json\" or a valid JSON Schema object"
            )));
        }
    }
    let think = &body["think"];
    let is_known =
        think.is_null() || think.is_boolean() || matches!(think.as_str(), Some("low" | "medium" | "high"));
    check(is_known, "invalid think value: must be true, false, \"high\", \"medium\" or \"low\"")?;
    Ok(request)
}

fn read_message(role: &str, message: &Value, calls: &[Value]) -> Result<Value, Refused> {
    let text = message["content"].as_str().unwrap_or_default();
    let mut parts = vec![json!({"type": "text", "text": text})];
    for image in elements(&message["images"]) {
        let is_data = |data: &str| {
            !data.is_empty()
                && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        };
        check(image.as_str().is_some_and(is_data), "illegal base64 data at input byte 0")?;
        parts.push(json!({"type": "image_url"}));
    }
    let called = |call: &Value| {
        let function = &call["function"];
        json!({"function": {"name": function["name"], "arguments": function["arguments"].to_string()}})
    };
    let calls: Vec<Value> = calls.iter().map(called).collect();
    Ok(json!({"role": role, "content": parts, "tool_calls": calls}))
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check(holds: bool, message: &str) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(refuse(message)) }
}

fn refuse(message: &str) -> Refused {
    Refused::parameter("messages", message)
}
