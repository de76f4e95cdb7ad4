//! Requests of this face in the words of the first, and what the public service refuses about them.

use serde_json::{Value, json};

use super::super::refusal::Refused;
use super::{SIGNATURE, UNSIGNED};

/// Reads a request.
pub(super) fn read(body: &Value) -> Result<Value, Refused> {
    let body = &spelled(body);
    let contents = list(&body["contents"]);
    if contents.is_empty() {
        return Err(Refused::parameter(
            "contents",
            "* GenerateContentRequest.contents: contents is not specified",
        ));
    }
    let mut messages = Vec::new();
    let system = texts(&body["systemInstruction"]);
    if !system.is_empty() {
        messages.push(json!({"role": "system", "content": system}));
    }
    for content in &contents {
        read_content(content, &mut messages)?;
    }
    pairs(&contents)?;
    let config = &body["generationConfig"];
    let mut request = json!({
        "messages": messages,
        "max_tokens": config["maxOutputTokens"],
        "n": config["candidateCount"],
    });
    let tools = read_tools(&body["tools"]);
    if !tools.is_empty() {
        request["tools"] = json!(tools);
        request["tool_choice"] = choice(&body["toolConfig"]["functionCallingConfig"]);
    }
    if config["responseMimeType"] == "application/json" {
        let schema = [&config["responseJsonSchema"], &config["responseSchema"]];
        request["response_format"] = match schema.into_iter().find(|schema| schema.is_object()) {
            Some(schema) => json!({"type": "json_schema", "json_schema": {"schema": plain(schema)}}),
            None => json!({"type": "json_object"}),
        };
    }
    Ok(request)
}

/// The members in the spelling of the reference; what callers name themselves stays as it is.
fn spelled(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(spelled).collect(),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let key = camel(key);
                let is_theirs = matches!(
                    key.as_str(),
                    "args" | "response" | "parametersJsonSchema" | "responseJsonSchema" | "labels"
                );
                let value = if is_theirs { value.clone() } else { spelled(value) };
                (key, value)
            };
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name
}

/// A list, or the one item that stands without brackets.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(_) => vec![value.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn texts(content: &Value) -> String {
    let parts = list(&content["parts"]);
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn read_content(content: &Value, messages: &mut Vec<Value>) -> Result<(), Refused> {
    let parts = list(&content["parts"]);
    let role = content["role"].as_str().unwrap_or("user");
    if !matches!(role, "user" | "model" | "function") {
        return Err(Refused::parameter("contents", "Please use a valid role: user, model."));
    }
    if parts.is_empty() {
        return Err(Refused::parameter(
            "contents",
            "* GenerateContentRequest.contents.parts: contents.parts must not be empty.",
        ));
    }
    let (mut said, mut calls) = (Vec::new(), Vec::new());
    for part in &parts {
        if let Some(response) = part.get("functionResponse") {
            if !response["response"].is_object() {
                return Err(Refused::parameter(
                    "contents",
                    "function_response.response: it must be a Struct",
                ));
            }
            messages.push(json!({"role": "tool", "content": response["response"].to_string()}));
        } else if let Some(call) = part.get("functionCall") {
            let arguments = call.get("args").cloned().unwrap_or_else(|| json!({}));
            if !arguments.is_object() {
                return Err(Refused::parameter("contents", "function_call.args: it must be a Struct"));
            }
            calls.push(json!({"function": {"name": call["name"], "arguments": arguments.to_string()}}));
        } else if part["thought"] != true {
            said.push(match part["text"].as_str() {
                Some(text) => json!({"type": "text", "text": text}),
                None => json!({"type": "image_url"}),
            });
        }
        proof(part)?;
    }
    if role == "model" {
        messages.push(json!({"role": "assistant", "content": said, "tool_calls": calls}));
    } else if !said.is_empty() {
        messages.push(json!({"role": "user", "content": said}));
    }
    Ok(())
}

fn proof(part: &Value) -> Result<(), Refused> {
    match part["thoughtSignature"].as_str() {
        None | Some(SIGNATURE | UNSIGNED) => Ok(()),
        Some(_) => Err(Refused::parameter("contents", "Thought signature is not valid.")),
    }
}

/// A turn with calls is followed by one with as many results, of the same names.
fn pairs(contents: &[Value]) -> Result<(), Refused> {
    let names = |content: Option<&Value>, member: &str| -> Vec<Value> {
        let parts = content.map(|content| list(&content["parts"])).unwrap_or_default();
        let mut names: Vec<_> =
            parts.iter().filter_map(|part| part.get(member)).map(|it| it["name"].clone()).collect();
        names.sort_by_key(Value::to_string);
        names
    };
    let mut before = None;
    for content in contents {
        let (asked, answered) = (names(before, "functionCall"), names(Some(content), "functionResponse"));
        if asked != answered {
            let message = "Please ensure that the number of function response parts is equal to the number of \
                           function call parts of the function call turn.";
            return Err(Refused::parameter("contents", message));
        }
        before = Some(content);
    }
    Ok(())
}

fn read_tools(tools: &Value) -> Vec<Value> {
    let tools = list(tools);
    let declared = tools.iter().flat_map(|tool| list(&tool["functionDeclarations"]));
    let read = |function: Value| {
        let schema = match function.get("parametersJsonSchema") {
            Some(schema) => schema.clone(),
            None => plain(&function["parameters"]),
        };
        json!({"type": "function", "function": {"name": function["name"], "parameters": schema}})
    };
    declared.map(read).collect()
}

/// A schema with the names of its types in small letters.
fn plain(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let value = match (key.as_str(), value.as_str()) {
                    ("type", Some(name)) => json!(name.to_ascii_lowercase()),
                    _ => plain(value),
                };
                (key.clone(), value)
            };
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

fn choice(config: &Value) -> Value {
    let names = config["allowedFunctionNames"].as_array().map_or(&[][..], Vec::as_slice);
    match (config["mode"].as_str(), names) {
        (Some("NONE"), _) => json!("none"),
        (Some("ANY"), [name, ..]) => json!({"function": {"name": name}}),
        (Some("ANY"), []) => json!("required"),
        _ => json!("auto"),
    }
}
