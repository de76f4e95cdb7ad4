//! Requests of this face in the words of the first, and what the public service refuses about them.

use serde_json::{Value, json};

use super::super::refusal::Refused;
use super::SIGNATURE;

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Value, Refused> {
    let turns = list(&body["messages"]);
    check_roles(turns)?;
    check_calls(turns, !list(&body["toolConfig"]["tools"]).is_empty())?;
    let mut messages = Vec::new();
    let system: Vec<&str> = list(&body["system"]).iter().filter_map(|block| block["text"].as_str()).collect();
    if !system.is_empty() {
        messages.push(json!({"role": "system", "content": system.join("\n")}));
    }
    for turn in turns {
        read_turn(turn, &mut messages)?;
    }
    let config = &body["inferenceConfig"];
    if config["temperature"].as_f64().is_some_and(|value| !(0.0..=1.0).contains(&value)) {
        return Err(refuse("temperature must be less than or equal to 1"));
    }
    let mut request = json!({"messages": messages, "max_tokens": config["maxTokens"]});
    let tools = read_tools(&body["toolConfig"]["tools"])?;
    if !tools.is_empty() {
        request["tools"] = json!(tools);
        request["tool_choice"] = choice(&body["toolConfig"]["toolChoice"]);
    }
    let schema = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    if let Some(schema) = schema.as_str().and_then(|schema| serde_json::from_str::<Value>(schema).ok()) {
        request["response_format"] = json!({"type": "json_schema", "json_schema": {"schema": schema}});
    }
    Ok(request)
}

fn refuse(message: &str) -> Refused {
    Refused::parameter("messages", message)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_roles(turns: &[Value]) -> Result<(), Refused> {
    if turns.is_empty() {
        return Err(refuse("messages: at least one message is required"));
    }
    if turns[0]["role"] != "user" {
        return Err(refuse("A conversation must start with a user message."));
    }
    if turns.windows(2).any(|pair| pair[0]["role"] == pair[1]["role"]) {
        return Err(refuse("A conversation must alternate between user and assistant roles."));
    }
    Ok(())
}

/// Each call is answered in the next turn, and each result answers one.
fn check_calls(turns: &[Value], has_tools: bool) -> Result<(), Refused> {
    let ids = |turn: Option<&Value>, member: &str| -> Vec<String> {
        let blocks = turn.map_or(&[][..], |turn| list(&turn["content"]));
        let found = blocks.iter().filter_map(|block| block[member]["toolUseId"].as_str());
        let mut ids: Vec<String> = found.map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let mut before = None;
    for turn in turns {
        let (called, answered) = (ids(before, "toolUse"), ids(Some(turn), "toolResult"));
        if called != answered {
            return Err(refuse(
                "Expected toolResult blocks at messages for the tool calls of the previous turn, and no others.",
            ));
        }
        if !answered.is_empty() && !has_tools {
            return Err(refuse(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ));
        }
        before = Some(turn);
    }
    Ok(())
}

fn read_turn(turn: &Value, messages: &mut Vec<Value>) -> Result<(), Refused> {
    let blocks = list(&turn["content"]);
    if blocks.is_empty() {
        return Err(refuse("The content field in the Message object is empty."));
    }
    let (mut said, mut calls) = (Vec::new(), Vec::new());
    for block in blocks {
        if let Some(text) = block["text"].as_str() {
            if text.trim().is_empty() {
                return Err(refuse("The text field in the ContentBlock object is blank."));
            }
            said.push(json!({"type": "text", "text": text}));
        } else if let Some(call) = block.get("toolUse") {
            name(&call["name"])?;
            if !call["input"].is_object() {
                return Err(refuse(
                    "The format of the value at toolUse.input is invalid. Provide a json object.",
                ));
            }
            calls.push(json!({"function": {"name": call["name"], "arguments": call["input"].to_string()}}));
        } else if let Some(result) = block.get("toolResult") {
            messages.push(json!({"role": "tool", "content": result["content"].to_string()}));
        } else if let Some(reasoning) = block.get("reasoningContent") {
            proof(&reasoning["reasoningText"]["signature"])?;
        } else if block.get("cachePoint").is_none() {
            said.push(json!({"type": "image_url"}));
        }
    }
    if turn["role"] == "assistant" {
        messages.push(json!({"role": "assistant", "content": said, "tool_calls": calls}));
    } else if !said.is_empty() {
        messages.push(json!({"role": "user", "content": said}));
    }
    Ok(())
}

fn proof(signature: &Value) -> Result<(), Refused> {
    match signature.as_str() {
        Some(SIGNATURE) | None => Ok(()),
        Some(_) => Err(refuse("Invalid `signature` in `thinking` block")),
    }
}

fn name(name: &Value) -> Result<(), Refused> {
    let is_allowed = |name: &str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if name.as_str().is_some_and(is_allowed) {
        return Ok(());
    }
    Err(refuse(
        "Value at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+",
    ))
}

fn read_tools(tools: &Value) -> Result<Vec<Value>, Refused> {
    let specs = list(tools).iter().filter_map(|tool| tool.get("toolSpec"));
    specs
        .map(|spec| {
            name(&spec["name"])?;
            let schema = &spec["inputSchema"]["json"];
            if schema["type"] != "object" {
                return Err(refuse(
                    "The value at toolConfig.tools.toolSpec.inputSchema.json.type must be one of: object.",
                ));
            }
            Ok(json!({"type": "function", "function": {"name": spec["name"], "parameters": schema}}))
        })
        .collect()
}

fn choice(choice: &Value) -> Value {
    match choice["tool"]["name"].as_str() {
        Some(name) => json!({"function": {"name": name}}),
        None if choice.get("any").is_some() => json!("required"),
        None => json!("auto"),
    }
}
