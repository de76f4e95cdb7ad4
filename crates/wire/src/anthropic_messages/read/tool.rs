//! The tools of a request, and how far the model is free to call them.

use std::borrow::Cow;

use gatewright::chat::{Tool, ToolChoice, ToolKind};

use super::{Reading, Result, cache_mark, invalid, misfit};
use crate::anthropic_messages::name;
use crate::document::pointer::below;
use crate::json::{Kind, Value};

/// What is said of a tool in every dialect, or changes nothing about what it does.
const KNOWN: [&str; 7] =
    ["type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming"];

impl<'a> Reading<'a> {
    pub(super) fn tools(&mut self, value: &Value<'a>) -> Result {
        if value.kind() != Kind::Array {
            return Err(misfit("/tools", "an array", Some(value.kind())));
        }
        for (index, tool) in value.elements().enumerate() {
            let pointer = format!("/tools/{index}");
            if tool.kind() != Kind::Object {
                return Err(misfit(&pointer, "an object", Some(tool.kind())));
            }
            let read = self.tool(&pointer, u32::try_from(index).unwrap_or(u32::MAX), &tool);
            self.chat.tools.push(read);
        }
        Ok(())
    }

    fn tool(&mut self, pointer: &str, origin: u32, tool: &Value<'a>) -> Tool<'a> {
        let [kind, named, description, schema, strict, cache] =
            tool.pick(["type", "name", "description", "input_schema", "strict", "cache_control"]);
        let cache = cache.as_ref().and_then(cache_mark);
        let kind = kind.and_then(|kind| kind.as_str());
        if let Some(built_in) = kind.filter(|kind| kind != "custom") {
            return Tool { name: built_in, kind: ToolKind::BuiltIn, cache, origin };
        }
        for member in tool.members().filter(|member| !member.value.is_null()) {
            let key = member.key.decode();
            if !KNOWN.contains(&key.as_ref()) {
                self.unknown(below(pointer, &key));
            }
        }
        let name = named.and_then(|name| name.as_str()).unwrap_or_default();
        Tool {
            name: name::original(name),
            kind: ToolKind::Function {
                description: description.and_then(|text| text.as_str()),
                parameters: schema
                    .filter(|schema| schema.kind() == Kind::Object)
                    .map(|schema| schema.source()),
                strict: strict.and_then(|strict| strict.as_bool()),
            },
            cache,
            origin,
        }
    }

    pub(super) fn tool_choice(&mut self, value: &Value<'a>) -> Result {
        let [kind, named, serial] = value.pick(["type", "name", "disable_parallel_tool_use"]);
        let choice = match kind.and_then(|kind| kind.as_str()).as_deref() {
            Some("auto") => ToolChoice::Auto,
            Some("any") => ToolChoice::Required,
            Some("none") => ToolChoice::None,
            Some("tool") => {
                let name: Cow<'a, str> = named.and_then(|name| name.as_str()).unwrap_or_default();
                ToolChoice::Named(name::original(name))
            }
            _ => {
                let text = "a choice of tools must have the type `auto`, `any`, `tool` or `none`";
                return Err(invalid("/tool_choice/type", text));
            }
        };
        self.chat.tool_choice = Some(choice);
        self.chat.parallel_tools = serial.and_then(|serial| serial.as_bool()).map(|serial| !serial);
        Ok(())
    }
}
