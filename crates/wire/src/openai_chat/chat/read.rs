//! A request of the dialect, read in one pass.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{
    Chat, Effort, Json, OutputFormat, Param, Part, PartKind, Reasoning, Setting, Speaker, Turn,
};

use super::message::Message;
use super::{name, tool};
use crate::document::{invalid, typed};
use crate::json::{JsonStr, Kind, Reader, Value};

/// Reads a request.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>, Failure> {
    let mut reading = Reading::default();
    Reader::new(body).object(|reader, key| {
        if reader.kind() == Some(Kind::Null) {
            return Ok(());
        }
        reading.member(reader, &key)
    })?;
    Ok(reading.finish())
}

#[derive(Default)]
struct Reading<'a> {
    chat: Chat<'a>,
    legacy_cap: Option<u64>,
    user: Option<Json<'a>>,
    identifier: Option<Json<'a>>,
}

impl<'a> Reading<'a> {
    fn member(&mut self, reader: &mut Reader<'a>, key: &JsonStr<'a>) -> Result<(), Failure> {
        let chat = &mut self.chat;
        match key.bytes().as_ref() {
            b"messages" => {
                reader.array(|reader, index| {
                    let message = Message::read(reader, index, &mut chat.unknown)?;
                    add(chat, message)
                })?;
            }
            b"model" => chat.model = reader.string()?.map(|name| name.decode()).unwrap_or_default(),
            b"stream" => chat.streams = reader.value()?.as_bool().unwrap_or(false),
            // What it asks for is seen to elsewhere.
            b"stream_options" => {}
            b"tools" => tool::tools(reader, &mut chat.tools)?,
            b"functions" => tool::functions(reader, &mut chat.tools)?,
            b"tool_choice" => chat.tool_choice = Some(tool::choice(&reader.value()?)?),
            b"function_call" => {
                chat.tool_choice = Some(tool::legacy_choice(&reader.value()?)?);
                chat.spell(Param::ToolChoice, "/function_call");
            }
            b"parallel_tool_calls" => {
                chat.parallel_tools = Some(typed::flag(&reader.value()?, "/parallel_tool_calls")?);
            }
            b"max_completion_tokens" => {
                chat.output_cap = Some(typed::whole(&reader.value()?, "/max_completion_tokens")?);
            }
            b"max_tokens" => self.legacy_cap = Some(typed::whole(&reader.value()?, "/max_tokens")?),
            b"stop" => chat.stop = stops(&reader.value()?)?,
            b"n" => {
                let choices = typed::whole(&reader.value()?, "/n")?;
                chat.choices = u32::try_from(choices).unwrap_or(u32::MAX);
            }
            b"reasoning_effort" => self.effort(&reader.value()?),
            b"response_format" => chat.format = Some(format(&reader.value()?)?),
            _ => self.setting(key, &reader.value()?)?,
        }
        Ok(())
    }

    fn effort(&mut self, value: &Value<'a>) {
        let effort = value.as_str().and_then(|word| Effort::of_word(&word));
        match effort {
            Some(effort) => {
                self.chat.reasoning = Some(Reasoning { effort: Some(effort), ..Reasoning::default() });
            }
            None => self.chat.unknown.push("/reasoning_effort".into()),
        }
    }

    /// A number of the sampling, or a member that only some dialects have.
    fn setting(&mut self, key: &JsonStr<'a>, value: &Value<'a>) -> Result<(), Failure> {
        let sampling = &mut self.chat.sampling;
        let key = key.decode();
        let number = match key.as_ref() {
            "temperature" => &mut sampling.temperature,
            "top_p" => &mut sampling.top_p,
            "top_k" => &mut sampling.top_k,
            "seed" => &mut sampling.seed,
            "frequency_penalty" => &mut sampling.frequency_penalty,
            "presence_penalty" => &mut sampling.presence_penalty,
            _ => {
                match name::SETTINGS.iter().find(|(name, _)| *name == key) {
                    Some((_, Param::Modalities)) if is_text_only(value) => {}
                    Some((name, Param::EndUser)) => {
                        let known = if *name == "user" { &mut self.user } else { &mut self.identifier };
                        *known = Some(value.source());
                    }
                    Some((_, param)) => {
                        self.chat.settings.push(Setting { param: *param, value: value.source() });
                    }
                    None => self.chat.unknown.push(name::top(&key).into()),
                }
                return Ok(());
            }
        };
        *number = Some(typed::number(value, &name::top(&key))?);
        Ok(())
    }

    fn finish(mut self) -> Chat<'a> {
        let chat = &mut self.chat;
        if chat.output_cap.is_none() && self.legacy_cap.is_some() {
            chat.output_cap = self.legacy_cap;
            chat.spell(Param::OutputCap, name::top(name::LEGACY_CAP));
        }
        // The newer of the two names is the one that providers hold users apart by.
        let (user, identifier) = (self.user, self.identifier);
        if user.is_some() && identifier.is_some() {
            chat.unknown.push("/user".into());
        }
        if identifier.is_some() {
            chat.spell(Param::EndUser, "/safety_identifier");
        }
        if let Some(value) = identifier.or(user) {
            chat.settings.push(Setting { param: Param::EndUser, value });
        }
        self.chat
    }
}

/// Puts a message where it belongs.
fn add<'a>(chat: &mut Chat<'a>, message: Message<'a>) -> Result<(), Failure> {
    match message.role.as_deref() {
        Some("system" | "developer") if chat.turns.is_empty() => chat.system.extend(message.content()),
        Some("system" | "developer") => {
            chat.turns.push(Turn { speaker: Speaker::System, parts: message.content() });
        }
        Some("user") => chat.turns.push(Turn { speaker: Speaker::User, parts: message.content() }),
        Some("assistant") => {
            chat.turns.push(Turn { speaker: Speaker::Assistant, parts: message.answer() });
        }
        Some("tool" | "function") => {
            let origin = message.origin;
            let call = message.call.clone();
            let name = message.name.clone();
            let content = message.content();
            let kind = PartKind::ToolResult { call, name, content, is_error: false };
            chat.turns.push(Turn { speaker: Speaker::User, parts: vec![Part::new(kind).at(origin)] });
        }
        _ => {
            let field = format!("/messages/{}/role", message.origin.message);
            let form = "`system`, `developer`, `user`, `assistant` or `tool`";
            return Err(invalid(&field, form));
        }
    }
    Ok(())
}

/// One text that ends the answer, or several.
fn stops<'a>(value: &Value<'a>) -> Result<Vec<Cow<'a, str>>, Failure> {
    match value.as_str() {
        Some(stop) => Ok(vec![stop]),
        None => typed::texts(value, "/stop").map_err(|_| invalid("/stop", "a string or an array of strings")),
    }
}

fn format<'a>(value: &Value<'a>) -> Result<OutputFormat<'a>, Failure> {
    match value.get("type").and_then(|kind| kind.as_str()).as_deref() {
        Some("text") => Ok(OutputFormat::Text),
        Some("json_object") => Ok(OutputFormat::Json),
        Some("json_schema") => {
            let schema = value.at(&["json_schema", "schema"]).filter(|schema| schema.kind() == Kind::Object);
            let Some(schema) = schema else {
                return Err(invalid(
                    "/response_format/json_schema/schema",
                    "an object that is a JSON schema",
                ));
            };
            let text = |key| value.at(&["json_schema", key]).and_then(|text| text.as_str());
            Ok(OutputFormat::Schema {
                name: text("name"),
                description: text("description"),
                schema: schema.source(),
                strict: value.at(&["json_schema", "strict"]).and_then(|strict| strict.as_bool()),
            })
        }
        _ => Err(invalid("/response_format/type", "`text`, `json_object` or `json_schema`")),
    }
}

/// Whether a list of modalities says only what holds without it.
fn is_text_only(value: &Value<'_>) -> bool {
    let mut kinds = value.elements();
    kinds.next().and_then(|kind| kind.json_str()).is_some_and(|kind| kind.is("text"))
        && kinds.next().is_none()
}
