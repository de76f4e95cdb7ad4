//! The members of a request beside its conversation.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{Chat, Effort, OutputFormat, Param, Reasoning, Setting, Tool, ToolChoice, ToolKind};

use super::chat::tool_name;
use super::read::{cache_mark, must_be_list, source};
use crate::document::typed;
use crate::json::{Kind, Member, Value};

/// Takes a member at the top of a request.
pub(super) fn member<'a>(member: &Member<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    let value = &member.value;
    if value.is_null() {
        return Ok(());
    }
    match member.key.bytes().as_ref() {
        b"inferenceConfig" => inference(value, chat)?,
        b"toolConfig" => tools(value, chat)?,
        b"additionalModelRequestFields" => model_fields(value, chat),
        b"outputConfig" => output(value, chat),
        b"serviceTier" => {
            if let Some(tier) = value.get("type") {
                chat.settings.push(Setting { param: Param::ServiceTier, value: source(&tier) });
            }
        }
        b"requestMetadata" => chat.settings.push(Setting { param: Param::Metadata, value: source(value) }),
        b"guardrailConfig" => chat.settings.push(Setting { param: Param::Safety, value: source(value) }),
        // Some clients repeat here what the path says.
        b"modelId" => {}
        _ => chat.unknown.push(Cow::Owned(format!("/{}", member.key.decode()))),
    }
    Ok(())
}

fn inference<'a>(value: &Value<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    for member in value.members().filter(|member| !member.value.is_null()) {
        match member.key.bytes().as_ref() {
            b"maxTokens" => {
                chat.output_cap = Some(typed::whole(&member.value, "/inferenceConfig/maxTokens")?);
            }
            b"temperature" => {
                chat.sampling.temperature = number(&member.value, "inferenceConfig.temperature")?;
            }
            b"topP" => chat.sampling.top_p = number(&member.value, "inferenceConfig.topP")?,
            b"stopSequences" => {
                must_be_list(Some(member.value.kind()), "inferenceConfig.stopSequences")?;
                chat.stop = typed::texts(&member.value, "/inferenceConfig/stopSequences")?;
            }
            _ => chat.unknown.push(Cow::Owned(format!("/inferenceConfig/{}", member.key.decode()))),
        }
    }
    Ok(())
}

fn number<'a>(value: &Value<'a>, name: &'static str) -> Result<Option<Cow<'a, str>>, Failure> {
    if value.kind() != Kind::Number {
        let message = format!("`{name}` must be a number, not {}", value.kind().noun());
        return Err(Failure::invalid(name, message).with_code("invalid_type"));
    }
    Ok(Some(source(value)))
}

fn tools<'a>(value: &Value<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    for member in value.members().filter(|member| !member.value.is_null()) {
        match member.key.bytes().as_ref() {
            b"tools" => {
                chat.tools.clear();
                must_be_list(Some(member.value.kind()), "toolConfig.tools")?;
                for (tool, index) in member.value.elements().zip(0..) {
                    push_tool(&tool, index, chat);
                }
            }
            b"toolChoice" => chat.tool_choice = choice(&member.value),
            _ => chat.unknown.push(Cow::Owned(format!("/toolConfig/{}", member.key.decode()))),
        }
    }
    Ok(())
}

fn push_tool<'a>(value: &Value<'a>, index: u32, chat: &mut Chat<'a>) {
    if let Some(mark) = value.get("cachePoint") {
        match chat.tools.last_mut() {
            Some(tool) => tool.cache = Some(cache_mark(&mark)),
            None => chat.unknown.push(Cow::Owned(format!("/toolConfig/tools/{index}"))),
        }
        return;
    }
    let string = |value: &Value<'a>, key: &str| value.get(key).and_then(|value| value.as_str());
    let tool = |name, kind| Tool { name, kind, cache: None, origin: index };
    if let Some(spec) = value.get("toolSpec") {
        let kind = ToolKind::Function {
            description: string(&spec, "description"),
            parameters: spec.at(&["inputSchema", "json"]).map(|schema| source(&schema)),
            strict: spec.get("strict").and_then(|strict| strict.as_bool()),
        };
        chat.tools.push(tool(tool_name(string(&spec, "name").unwrap_or_default()), kind));
    } else if let Some(system) = value.get("systemTool") {
        chat.tools.push(tool(string(&system, "name").unwrap_or_default(), ToolKind::BuiltIn));
    } else {
        chat.unknown.push(Cow::Owned(format!("/toolConfig/tools/{index}")));
    }
}

fn choice<'a>(value: &Value<'a>) -> Option<ToolChoice<'a>> {
    let member = value.members().find(|member| !member.value.is_null())?;
    match member.key.bytes().as_ref() {
        b"auto" => Some(ToolChoice::Auto),
        b"any" => Some(ToolChoice::Required),
        b"tool" => Some(ToolChoice::Named(tool_name(member.value.get("name")?.as_str()?))),
        _ => None,
    }
}

/// What goes to the model unread; the fields that several models share mean something to others too.
fn model_fields<'a>(value: &Value<'a>, chat: &mut Chat<'a>) {
    for member in value.members().filter(|member| !member.value.is_null()) {
        let value = &member.value;
        match member.key.bytes().as_ref() {
            b"thinking" | b"reasoning_config" => thinking(value, chat.reasoning.get_or_insert_default()),
            b"reasoning_effort" => effort(value, chat.reasoning.get_or_insert_default()),
            b"top_k" if value.kind() == Kind::Number => chat.sampling.top_k = Some(source(value)),
            b"output_config" => {
                if let Some(word) = value.get("effort") {
                    effort(&word, chat.reasoning.get_or_insert_default());
                }
            }
            _ => {
                let pointer = format!("/additionalModelRequestFields/{}", member.key.decode());
                chat.unknown.push(Cow::Owned(pointer));
            }
        }
    }
}

fn thinking(value: &Value<'_>, reasoning: &mut Reasoning) {
    let string = |key: &str| value.get(key).and_then(|value| value.as_str());
    match string("type").as_deref() {
        Some("adaptive") => reasoning.is_adaptive = true,
        Some("disabled") => reasoning.budget = Some(0),
        _ => reasoning.budget = value.get("budget_tokens").and_then(|tokens| tokens.as_u64()),
    }
    reasoning.is_shown = match string("display").as_deref() {
        Some("omitted") => Some(false),
        Some(_) => Some(true),
        None => reasoning.is_shown,
    };
}

fn effort(value: &Value<'_>, reasoning: &mut Reasoning) {
    reasoning.effort = value.as_str().and_then(|word| Effort::of_word(&word)).or(reasoning.effort);
}

fn output<'a>(value: &Value<'a>, chat: &mut Chat<'a>) {
    if let Some(word) = value.get("effort").filter(|word| !word.is_null()) {
        effort(&word, chat.reasoning.get_or_insert_default());
    }
    let Some(schema) = value.at(&["textFormat", "structure", "jsonSchema"]) else { return };
    let string = |key: &str| schema.get(key).and_then(|value| value.as_str());
    // The schema is a string that holds an object.
    let is_object = |text: &[u8]| Value::parse(text).is_ok_and(|schema| schema.kind() == Kind::Object);
    let Some(text) = string("schema").filter(|text| is_object(text.as_bytes())) else {
        return chat.unknown.push("/outputConfig/textFormat".into());
    };
    chat.format = Some(OutputFormat::Schema {
        name: string("name"),
        description: string("description"),
        schema: text,
        strict: None,
    });
}
