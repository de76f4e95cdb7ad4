//! A request of the dialect, read.

pub(super) mod item;
mod part;
mod tool;

use gatewright::Failure;
use gatewright::chat::{
    Chat, Effort, Json, Origin, OutputFormat, Param, Part, Reasoning, Setting, Speaker, Turn,
};

use super::name;
use crate::document::{invalid, typed};
use crate::json::{JsonStr, Kind, Reader, Value};

/// What an answer holds only if it is asked for, as far as other dialects have it too.
const INCLUDED_REASONING: &str = "reasoning.encrypted_content";
const INCLUDED_LOGPROBS: &str = "message.output_text.logprobs";

/// Reads a request.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let mut reading = Reading::default();
    Reader::new(body).object(|reader, key| {
        if reader.kind() == Some(Kind::Null) {
            return Ok(());
        }
        reading.has_input |= key.is("input");
        reading.member(reader, &key)
    })?;
    if !reading.has_input {
        // What stands in its place is kept by a provider of the dialect, and another one does not know it.
        return Err(invalid("/input", "a string or an array of items"));
    }
    Ok(reading.finish())
}

#[derive(Default)]
struct Reading<'a> {
    chat: Chat<'a>,
    has_input: bool,
    instructions: Option<Part<'a>>,
    user: Option<Json<'a>>,
    identifier: Option<Json<'a>>,
}

impl<'a> Reading<'a> {
    fn member(&mut self, reader: &mut Reader<'a>, key: &JsonStr<'a>) -> Result<(), Failure> {
        let chat = &mut self.chat;
        match key.bytes().as_ref() {
            b"input" => input(reader, chat)?,
            b"instructions" => {
                let origin = Origin { message: name::INSTRUCTIONS, part: None };
                let text = typed::text(&reader.value()?, "/instructions")?;
                self.instructions = Some(Part::text(text).at(origin));
            }
            b"model" => chat.model = reader.string()?.map(|name| name.decode()).unwrap_or_default(),
            b"stream" => chat.streams = reader.value()?.as_bool().unwrap_or(false),
            // What it asks for is seen to elsewhere.
            b"stream_options" => {}
            b"tools" => tool::tools(reader, &mut chat.tools)?,
            b"tool_choice" => tool::choice(&reader.value()?, chat)?,
            b"parallel_tool_calls" => {
                chat.parallel_tools = Some(typed::flag(&reader.value()?, "/parallel_tool_calls")?);
            }
            b"max_output_tokens" => {
                chat.output_cap = Some(typed::whole(&reader.value()?, "/max_output_tokens")?);
            }
            b"temperature" => {
                chat.sampling.temperature = Some(typed::number(&reader.value()?, "/temperature")?);
            }
            b"top_p" => chat.sampling.top_p = Some(typed::number(&reader.value()?, "/top_p")?),
            b"reasoning" => reasoning(&reader.value()?, chat),
            b"text" => text(&reader.value()?, chat)?,
            b"include" => include(&reader.value()?, chat),
            b"user" => self.user = Some(reader.value()?.source()),
            b"safety_identifier" => self.identifier = Some(reader.value()?.source()),
            _ => self.setting(key, &reader.value()?),
        }
        Ok(())
    }

    fn setting(&mut self, key: &JsonStr<'a>, value: &Value<'a>) {
        let key = key.decode();
        // What holds without it needs no place elsewhere.
        if key == "background" && value.as_bool() == Some(false) {
            return;
        }
        match name::SETTINGS.iter().find(|(name, _)| *name == key) {
            Some((_, param)) => self.chat.settings.push(Setting { param: *param, value: value.source() }),
            None => self.chat.unknown.push(name::top(&key).into()),
        }
    }

    fn finish(mut self) -> Chat<'a> {
        let chat = &mut self.chat;
        if let Some(instructions) = self.instructions {
            chat.system.insert(0, instructions);
        }
        // The newer of the two names is the one that providers hold users apart by.
        if self.user.is_some() && self.identifier.is_some() {
            chat.unknown.push("/user".into());
        }
        if self.identifier.is_some() {
            chat.spell(Param::EndUser, "/safety_identifier");
        }
        if let Some(value) = self.identifier.or(self.user) {
            chat.settings.push(Setting { param: Param::EndUser, value });
        }
        self.chat
    }
}

fn input<'a>(reader: &mut Reader<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    if reader.kind() == Some(Kind::String) {
        let text = reader.string()?.map(|text| Part::text(text.decode()));
        chat.turns.push(Turn { speaker: Speaker::User, parts: text.into_iter().collect() });
        return Ok(());
    }
    let is_array = reader.array(|reader, index| {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let turn = item::read(reader, Origin { message: index, part: None })?;
        match turn.speaker {
            Speaker::System if chat.turns.is_empty() => chat.system.extend(turn.parts),
            _ => chat.turns.push(turn),
        }
        Ok::<_, Failure>(())
    })?;
    if is_array { Ok(()) } else { Err(invalid("/input", "a string or an array of items")) }
}

fn reasoning<'a>(value: &Value<'a>, chat: &mut Chat<'a>) {
    let mut reasoning = Reasoning::default();
    for member in value.members().filter(|member| !member.value.is_null()) {
        match member.key.bytes().as_ref() {
            b"effort" => {
                reasoning.effort = member.value.as_str().and_then(|word| Effort::of_word(&word));
                if reasoning.effort.is_none() {
                    chat.unknown.push("/reasoning/effort".into());
                }
            }
            b"summary" | b"generate_summary" => reasoning.is_shown = Some(true),
            _ => chat.unknown.push(format!("/reasoning{}", name::top(&member.key.decode())).into()),
        }
    }
    if reasoning != Reasoning::default() {
        chat.reasoning = Some(reasoning);
    }
}

fn text<'a>(value: &Value<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    if let Some(value) = value.get("verbosity").filter(|value| !value.is_null()) {
        chat.settings.push(Setting { param: Param::Verbosity, value: value.source() });
    }
    let Some(format) = value.get("format").filter(|format| !format.is_null()) else { return Ok(()) };
    let text = |key| format.get(key).and_then(|text| text.as_str());
    chat.format = Some(match text("type").as_deref() {
        Some("text") => OutputFormat::Text,
        Some("json_object") => OutputFormat::Json,
        Some("json_schema") => {
            let Some(schema) = format.get("schema").filter(|schema| schema.kind() == Kind::Object) else {
                return Err(invalid("/text/format/schema", "an object that is a JSON schema"));
            };
            OutputFormat::Schema {
                name: text("name"),
                description: text("description"),
                schema: schema.source(),
                strict: format.get("strict").and_then(|strict| strict.as_bool()),
            }
        }
        _ => return Err(invalid("/text/format/type", "`text`, `json_object` or `json_schema`")),
    });
    Ok(())
}

fn include<'a>(value: &Value<'a>, chat: &mut Chat<'a>) {
    for (index, wish) in value.elements().enumerate() {
        match wish.as_str().as_deref() {
            // Whoever has sealed reasoning gives it out unasked.
            Some(INCLUDED_REASONING) => {}
            Some(INCLUDED_LOGPROBS) => {
                chat.settings.push(Setting { param: Param::Logprobs, value: "true".into() });
            }
            _ => chat.unknown.push(format!("/include/{index}").into()),
        }
    }
}
