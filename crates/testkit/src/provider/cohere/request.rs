//! Requests of this face in the words of the first.

use serde_json::{Value, json};

/// Reads a request that has been checked.
pub(super) fn read(body: &Value) -> Value {
    let messages: Vec<Value> = body["messages"].as_array().into_iter().flatten().map(read_message).collect();
    let mut request = json!({"messages": messages, "max_tokens": body["max_tokens"]});
    if let Some(tools) = body.get("tools") {
        request["tools"] = tools.clone();
        request["tool_choice"] = match body["tool_choice"].as_str() {
            Some("REQUIRED") => json!("required"),
            Some("NONE") => json!("none"),
            _ => json!("auto"),
        };
    }
    let format = &body["response_format"];
    if format["type"] == "json_object" {
        request["response_format"] = match &format["json_schema"] {
            Value::Null => json!({"type": "json_object"}),
            schema => json!({"type": "json_schema", "json_schema": {"schema": schema}}),
        };
    }
    request
}

fn read_message(message: &Value) -> Value {
    let mut parts: Vec<Value> = match &message["content"] {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks.iter().filter(|block| block["type"] != "thinking").cloned().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    if let Some(plan) = message["tool_plan"].as_str() {
        parts.push(json!({"type": "text", "text": plan}));
    }
    let mut read = json!({"role": message["role"], "content": parts});
    for key in ["tool_calls", "tool_call_id"] {
        if let Some(value) = message.get(key) {
            read[key] = value.clone();
        }
    }
    read
}
