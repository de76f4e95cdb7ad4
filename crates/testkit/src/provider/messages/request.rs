//! Requests of this face in the words of the first.

use serde_json::{Value, json};

/// Reads a request that has been checked.
pub(super) fn read(body: &Value) -> Value {
    let mut messages = Vec::new();
    let system = texts(&body["system"]);
    if !system.is_empty() {
        messages.push(json!({"role": "system", "content": system}));
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        read_message(message, &mut messages);
    }
    let mut request = json!({"messages": messages, "max_tokens": body["max_tokens"]});
    let tools: Vec<Value> = body["tools"].as_array().into_iter().flatten().map(read_tool).collect();
    if !tools.is_empty() {
        request["tools"] = json!(tools);
        let choice = &body["tool_choice"];
        request["tool_choice"] = match choice["type"].as_str() {
            Some("any") => json!("required"),
            Some("none") => json!("none"),
            Some("tool") => json!({"type": "function", "function": {"name": choice["name"]}}),
            _ => json!("auto"),
        };
        request["parallel_tool_calls"] = json!(choice["disable_parallel_tool_use"] != Value::Bool(true));
    }
    let format = &body["output_config"]["format"];
    if format["type"] == "json_schema" {
        request["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": format["schema"]}});
    }
    request
}

fn texts(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// Results of tools come last, so that the model knows that it is answered.
fn read_message(message: &Value, messages: &mut Vec<Value>) {
    let content = match &message["content"] {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let is = |block: &&Value, kind: &str| block["type"] == kind;
    let calls: Vec<Value> = content.iter().filter(|block| is(block, "tool_use")).map(read_call).collect();
    let parts: Vec<Value> = content.iter().filter_map(read_part).collect();
    if !parts.is_empty() || !calls.is_empty() {
        let mut said = json!({"role": message["role"], "content": parts});
        if !calls.is_empty() {
            said["tool_calls"] = json!(calls);
        }
        messages.push(said);
    }
    for block in content.iter().filter(|block| is(block, "tool_result")) {
        let text = texts(&block["content"]);
        messages.push(json!({"role": "tool", "tool_call_id": block["tool_use_id"], "content": text}));
    }
}

fn read_part(block: &Value) -> Option<Value> {
    match block["type"].as_str()? {
        "text" => Some(json!({"type": "text", "text": block["text"]})),
        "image" => Some(json!({"type": "image_url"})),
        "document" => Some(json!({"type": "file"})),
        _ => None,
    }
}

fn read_call(block: &Value) -> Value {
    let function = json!({"name": block["name"], "arguments": block["input"].to_string()});
    json!({"id": block["id"], "type": "function", "function": function})
}

fn read_tool(tool: &Value) -> Value {
    let function = json!({
        "name": tool["name"],
        "description": tool["description"],
        "parameters": tool["input_schema"],
    });
    json!({"type": "function", "function": function})
}
