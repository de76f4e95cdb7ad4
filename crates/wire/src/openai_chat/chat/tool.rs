//! Tools, calls and choices of the dialect, read.

use gatewright::Failure;
use gatewright::chat::{Json, Origin, Part, PartKind, Tool, ToolChoice, ToolKind};

use super::part::cache_mark;
use crate::document::invalid;
use crate::json::{Kind, Reader, Value, quote};

/// Reads the tools on offer.
pub(super) fn tools<'a>(reader: &mut Reader<'a>, tools: &mut Vec<Tool<'a>>) -> Result<(), Failure> {
    let is_array = reader.array(|reader, index| {
        let value = reader.value()?;
        let kind = value.get("type").and_then(|kind| kind.as_str());
        let tool = match (value.get("function"), kind) {
            (Some(function), _) => declared(&function, index, &format!("/tools/{index}/function"))?,
            (None, Some(kind)) => {
                let origin = u32::try_from(index).unwrap_or(u32::MAX);
                Tool { name: kind, kind: ToolKind::BuiltIn, cache: None, origin }
            }
            (None, None) => return Err(invalid(&format!("/tools/{index}/type"), "`function`")),
        };
        let cache = value.get("cache_control").as_ref().and_then(cache_mark).or(tool.cache);
        tools.push(Tool { cache, ..tool });
        Ok(())
    })?;
    if is_array { Ok(()) } else { Err(invalid("/tools", "an array")) }
}

/// Reads the functions on offer, the older form of tools.
pub(super) fn functions<'a>(reader: &mut Reader<'a>, tools: &mut Vec<Tool<'a>>) -> Result<(), Failure> {
    let is_array = reader.array(|reader, index| {
        tools.push(declared(&reader.value()?, index, &format!("/functions/{index}"))?);
        Ok::<_, Failure>(())
    })?;
    if is_array { Ok(()) } else { Err(invalid("/functions", "an array")) }
}

fn declared<'a>(function: &Value<'a>, index: usize, field: &str) -> Result<Tool<'a>, Failure> {
    let text = |key| function.get(key).and_then(|text| text.as_str());
    let Some(name) = text("name").filter(|name| !name.is_empty()) else {
        return Err(invalid(&format!("{field}/name"), "the tool's name"));
    };
    let parameters = function.get("parameters").filter(|schema| !schema.is_null());
    let kind = ToolKind::Function {
        description: text("description"),
        parameters: parameters.map(|schema| schema.source()),
        strict: function.get("strict").and_then(|strict| strict.as_bool()),
    };
    let cache = function.get("cache_control").as_ref().and_then(cache_mark);
    Ok(Tool { name, kind, cache, origin: u32::try_from(index).unwrap_or(u32::MAX) })
}

/// Reads which tools may be called.
pub(super) fn choice<'a>(value: &Value<'a>) -> Result<ToolChoice<'a>, Failure> {
    let named = |tool: &Value<'a>| {
        let body = tool.get("function").or_else(|| tool.get("custom")).unwrap_or(*tool);
        body.get("name").and_then(|name| name.as_str())
    };
    if let Some(word) = value.as_str() {
        return match word.as_ref() {
            "none" => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(invalid("/tool_choice", "`none`, `auto`, `required` or a tool by its name")),
        };
    }
    if let Some(allowed) = value.get("allowed_tools") {
        let names =
            allowed.get("tools").map(|tools| tools.elements().filter_map(|tool| named(&tool)).collect());
        let mode = allowed.get("mode").and_then(|mode| mode.as_str());
        let required = mode.as_deref() == Some("required");
        return Ok(ToolChoice::Among { names: names.unwrap_or_default(), required });
    }
    named(value)
        .map(ToolChoice::Named)
        .ok_or_else(|| invalid("/tool_choice/function/name", "the tool's name"))
}

/// Reads which function may be called, the older form of the choice.
pub(super) fn legacy_choice<'a>(value: &Value<'a>) -> Result<ToolChoice<'a>, Failure> {
    let name = value.get("name").and_then(|name| name.as_str());
    match (value.as_str().as_deref(), name) {
        (Some("none"), _) => Ok(ToolChoice::None),
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (_, Some(name)) => Ok(ToolChoice::Named(name)),
        _ => Err(invalid("/function_call", "`none`, `auto` or a function by its name")),
    }
}

/// Reads a call that the model made.
pub(super) fn call<'a>(value: &Value<'a>, origin: Origin) -> Result<Part<'a>, Failure> {
    let id = value.get("id").and_then(|id| id.as_str()).unwrap_or_default();
    let body = value.get("function");
    let text = |key| body.or_else(|| value.get("custom"))?.get(key)?.as_str();
    let Some(name) = text("name") else { return Err(nameless(origin)) };
    // The input of a tool that takes text is no JSON; as a string it is.
    let arguments = body.and_then(|body| arguments(&body)).or_else(|| {
        let input = String::from_utf8(quote(&text("input")?).into()).unwrap_or_default();
        Some(input.into())
    });
    let arguments = arguments.unwrap_or_default();
    Ok(Part::new(PartKind::ToolCall { id, name, arguments, signature: None }).at(origin))
}

/// Reads a call in the older form, which has no id.
pub(super) fn legacy_call<'a>(value: &Value<'a>, origin: Origin) -> Result<Part<'a>, Failure> {
    let text = |key| value.get(key).and_then(|text| text.as_str());
    let Some(name) = text("name") else { return Err(nameless(origin)) };
    let arguments = arguments(value).unwrap_or_default();
    let kind = PartKind::ToolCall { id: "".into(), name, arguments, signature: None };
    Ok(Part::new(kind).at(origin))
}

/// The arguments of a call, as the text that they should be or the object that some servers and clients send.
fn arguments<'a>(call: &Value<'a>) -> Option<Json<'a>> {
    let arguments = call.get("arguments")?;
    arguments.as_str().or_else(|| (arguments.kind() == Kind::Object).then(|| arguments.source()))
}

fn nameless(origin: Origin) -> Failure {
    invalid(&format!("/messages/{}/tool_calls", origin.message), "calls that name their tools")
}
