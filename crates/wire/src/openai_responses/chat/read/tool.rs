//! Tools and the choice among them, read.

use gatewright::Failure;
use gatewright::chat::{Chat, Tool, ToolChoice, ToolKind};

use crate::document::invalid;
use crate::json::{Reader, Value};

/// Reads the tools on offer.
///
/// A function of which nobody says so is held to its schema only as far as the provider can make that strict, which no
/// other dialect promises: it reads as one of which nobody says anything.
pub(super) fn tools<'a>(reader: &mut Reader<'a>, tools: &mut Vec<Tool<'a>>) -> Result<(), Failure> {
    let is_array = reader.array(|reader, index| {
        let value = reader.value()?;
        let text = |key| value.get(key).and_then(|text| text.as_str());
        let origin = u32::try_from(index).unwrap_or(u32::MAX);
        let tool = match text("type") {
            Some(kind) if kind == "function" => {
                let Some(name) = text("name").filter(|name| !name.is_empty()) else {
                    return Err(invalid(&format!("/tools/{index}/name"), "the tool's name"));
                };
                let parameters = value.get("parameters").filter(|schema| !schema.is_null());
                let kind = ToolKind::Function {
                    description: text("description"),
                    parameters: parameters.map(|schema| schema.source()),
                    strict: value.get("strict").and_then(|strict| strict.as_bool()),
                };
                Tool { name, kind, cache: None, origin }
            }
            Some(kind) => Tool { name: kind, kind: ToolKind::BuiltIn, cache: None, origin },
            None => {
                return Err(invalid(&format!("/tools/{index}/type"), "`function`, or another type of tool"));
            }
        };
        tools.push(tool);
        Ok(())
    })?;
    if is_array { Ok(()) } else { Err(invalid("/tools", "an array")) }
}

/// Reads which tools may be called.
pub(super) fn choice<'a>(value: &Value<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    let text = |key| value.get(key).and_then(|text| text.as_str());
    let choice = match (value.as_str().as_deref(), text("type").as_deref()) {
        (Some("none"), _) => ToolChoice::None,
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("required"), _) => ToolChoice::Required,
        (None, Some("function" | "custom")) => match text("name") {
            Some(name) => ToolChoice::Named(name),
            None => return Err(invalid("/tool_choice/name", "the tool's name")),
        },
        (None, Some("allowed_tools")) => {
            let tools = value.get("tools").into_iter().flat_map(|tools| tools.elements());
            let names = tools.filter_map(|tool| tool.get("name")?.as_str()).collect();
            ToolChoice::Among { names, required: text("mode").as_deref() == Some("required") }
        }
        // A tool that the provider runs.
        (None, Some(_)) => {
            chat.unknown.push("/tool_choice".into());
            return Ok(());
        }
        _ => return Err(invalid("/tool_choice", "`none`, `auto`, `required` or a tool by its name")),
    };
    chat.tool_choice = Some(choice);
    Ok(())
}
