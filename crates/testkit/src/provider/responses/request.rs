//! Requests of this face in the words of the first, and what the public service refuses about them.

use serde_json::{Value, json};

use super::super::refusal::Refused;
use super::SEALED;

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Value, Refused> {
    let mut messages = Vec::new();
    if let Some(instructions) = body["instructions"].as_str() {
        messages.push(json!({"role": "system", "content": instructions}));
    }
    match &body["input"] {
        Value::String(text) => messages.push(json!({"role": "user", "content": text})),
        Value::Array(items) => {
            pairs(items)?;
            for item in items {
                messages.extend(message(item)?);
            }
        }
        _ if body["prompt"].is_object() || body["previous_response_id"].is_string() => {}
        _ => return Err(Refused::parameter("input", "Missing required parameter: 'input'.")),
    }
    let tools: Vec<Value> = list(&body["tools"]).iter().filter_map(tool).collect();
    let mut request = json!({
        "messages": messages,
        "max_tokens": body["max_output_tokens"],
        "parallel_tool_calls": body["parallel_tool_calls"],
        "tool_choice": choice(&body["tool_choice"]),
    });
    if !tools.is_empty() {
        request["tools"] = json!(tools);
    }
    let format = &body["text"]["format"];
    request["response_format"] = match format["type"].as_str() {
        Some("json_schema") => json!({"type": "json_schema", "json_schema": {"schema": format["schema"]}}),
        _ => json!({"type": format["type"]}),
    };
    Ok(request)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

fn message(item: &Value) -> Result<Option<Value>, Refused> {
    Ok(Some(match item["type"].as_str().unwrap_or("message") {
        "message" => {
            let role = item["role"].as_str().unwrap_or_default();
            if !matches!(role, "user" | "assistant" | "system" | "developer") {
                return Err(Refused::parameter("input", "Invalid value for 'role'."));
            }
            json!({"role": role, "content": content(&item["content"])})
        }
        "function_call" => {
            let call = json!({"function": {"name": item["name"], "arguments": item["arguments"]}});
            json!({"role": "assistant", "content": null, "tool_calls": [call]})
        }
        "function_call_output" => json!({"role": "tool", "content": content(&item["output"])}),
        "reasoning" => match item["encrypted_content"].as_str() {
            Some(sealed) if sealed != SEALED => {
                let message = "The encrypted content could not be verified.";
                return Err(Refused::parameter("input", message));
            }
            // Nothing is stored here, so that an item without a seal is known to nobody.
            None if list(&item["content"]).is_empty() => {
                return Err(Refused::parameter("input", "An item of reasoning was not found."));
            }
            _ => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

fn content(content: &Value) -> Value {
    match content {
        Value::Array(parts) => parts
            .iter()
            .map(|part| match part["text"].as_str() {
                Some(text) => json!({"type": "text", "text": text}),
                None => json!({"type": "image_url"}),
            })
            .collect(),
        other => other.clone(),
    }
}

/// Every call has its result, and every result its call.
fn pairs(items: &[Value]) -> Result<(), Refused> {
    let ids = |kind: &str| -> Vec<&str> {
        let of_kind = items.iter().filter(|item| item["type"] == kind);
        of_kind.filter_map(|item| item["call_id"].as_str()).collect()
    };
    let (calls, results) = (ids("function_call"), ids("function_call_output"));
    if let Some(id) = calls.iter().find(|id| !results.contains(id)) {
        let message = format!("No tool output found for function call {id}.");
        return Err(Refused::parameter("input", &message));
    }
    if let Some(id) = results.iter().find(|id| !calls.contains(id)) {
        let message = format!("No tool call found for function call output with call_id {id}.");
        return Err(Refused::parameter("input", &message));
    }
    Ok(())
}

fn tool(tool: &Value) -> Option<Value> {
    let function = json!({"name": tool["name"], "parameters": tool["parameters"]});
    (tool["type"] == "function").then(|| json!({"type": "function", "function": function}))
}

fn choice(choice: &Value) -> Value {
    match choice["type"].as_str() {
        Some("function") => json!({"function": {"name": choice["name"]}}),
        Some("allowed_tools") => choice["mode"].clone(),
        _ => choice.clone(),
    }
}
