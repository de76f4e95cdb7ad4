//! A request of the dialect as a chat.

mod block;
mod tool;

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{
    CacheMark, Chat, Effort, Origin, OutputFormat, Param, Part, Place, Reasoning, Setting, Speaker, Turn,
};

use crate::document::pointer::below;
use crate::document::typed;
use crate::json::{JsonStr, Kind, Reader, Value};

/// The index of the message that `system` is taken for, where there is no message of that index.
const SYSTEM: u32 = u32::MAX;

type Result<T = ()> = std::result::Result<T, Failure>;

/// What is read, and what of it has no place in a chat.
#[derive(Debug, Default)]
struct Reading<'a> {
    chat: Chat<'a>,
    /// Where the caller wants everything to be remembered that can be.
    cache: Option<CacheMark>,
}

/// Reads a request.
///
/// # Errors
/// A failure of the client's side that names the field.
pub(super) fn request(body: &[u8]) -> Result<Chat<'_>> {
    let mut reading = Reading::default();
    let mut reader = Reader::new(body);
    reader.object(|reader, key| reading.member(reader, &key))?;
    reader.end()?;
    Ok(reading.finish())
}

/// The pointer of a place.
pub(super) fn pointer(place: &Place<'_>) -> String {
    match place {
        Place::Param(param) => parameter(*param).to_owned(),
        Place::Part(Origin { message: SYSTEM, part }) => at("/system", *part),
        Place::Part(Origin { message, part: None }) => format!("/messages/{message}"),
        Place::Part(Origin { message, part }) => at(&format!("/messages/{message}/content"), *part),
        Place::Tool(index) => format!("/tools/{index}"),
        Place::Pointer(pointer) => pointer.clone().into_owned(),
        _ => String::new(),
    }
}

fn at(list: &str, index: Option<u32>) -> String {
    index.map_or_else(|| list.to_owned(), |index| format!("{list}/{index}"))
}

const fn parameter(param: Param) -> &'static str {
    match param {
        Param::OutputCap => "/max_tokens",
        Param::Temperature => "/temperature",
        Param::TopP => "/top_p",
        Param::TopK => "/top_k",
        Param::Stop => "/stop_sequences",
        Param::ParallelTools => "/tool_choice/disable_parallel_tool_use",
        Param::ToolChoice => "/tool_choice",
        Param::Reasoning => "/thinking",
        Param::Format => "/output_config/format",
        Param::System => "/system",
        Param::EndUser => "/metadata/user_id",
        Param::Metadata => "/metadata",
        Param::ServiceTier => "/service_tier",
        // What the dialect does not have, nobody has sent.
        _ => "",
    }
}

fn invalid(pointer: &str, message: &str) -> Failure {
    Failure::invalid(pointer.to_owned(), message.to_owned()).with_code("invalid_value")
}

fn misfit(pointer: &str, form: &str, found: Option<Kind>) -> Failure {
    let found = found.map_or("nothing", Kind::noun);
    invalid(pointer, &format!("`{pointer}` must be {form}, not {found}"))
}

impl<'a> Reading<'a> {
    /// Reads a member. Only the long ones are worth a pass of their own.
    fn member(&mut self, reader: &mut Reader<'a>, key: &JsonStr<'a>) -> Result {
        match reader.kind() {
            Some(Kind::Null) => Ok(()),
            _ if key.is("messages") => self.messages(reader),
            _ => self.setting(&key.decode(), &reader.value()?),
        }
    }

    fn setting(&mut self, key: &str, value: &Value<'a>) -> Result {
        let chat = &mut self.chat;
        match key {
            "model" => chat.model = value.as_str().unwrap_or_default(),
            "stream" => chat.streams = value.as_bool().unwrap_or(false),
            "max_tokens" => chat.output_cap = Some(typed::whole(value, "/max_tokens")?),
            "temperature" => chat.sampling.temperature = Some(typed::number(value, "/temperature")?),
            "top_p" => chat.sampling.top_p = Some(typed::number(value, "/top_p")?),
            "top_k" => chat.sampling.top_k = Some(typed::number(value, "/top_k")?),
            "stop_sequences" => chat.stop = typed::texts(value, "/stop_sequences")?,
            "system" => {
                let system = self.content(&mut Reader::of(value), SYSTEM)?;
                self.chat.system.splice(0..0, system);
            }
            "tools" => self.tools(value)?,
            "tool_choice" => self.tool_choice(value)?,
            "thinking" => self.thinking(value),
            "output_config" => self.output_config(value)?,
            // The name that the form of an answer had at first.
            "output_format" => chat.format = Some(format(value)?),
            "metadata" => self.metadata(value),
            "service_tier" => self.service_tier(value),
            "cache_control" => self.cache = cache_mark(value),
            _ => self.unknown(below("", key)),
        }
        Ok(())
    }

    fn unknown(&mut self, pointer: String) {
        self.chat.unknown.push(Cow::Owned(pointer));
    }

    /// Puts the mark for everything behind the last part, where the caller sets it for the request as a whole.
    fn finish(mut self) -> Chat<'a> {
        if let (Some(mark), Some(turn)) = (self.cache, self.chat.turns.last_mut())
            && let Some(part) = turn.parts.last_mut()
        {
            part.cache.get_or_insert(mark);
        }
        if self.chat.reasoning == Some(Reasoning::default()) {
            self.chat.reasoning = None;
        }
        self.chat
    }

    fn messages(&mut self, reader: &mut Reader<'a>) -> Result {
        self.chat.turns.clear();
        reader.array(|reader, index| {
            let index = u32::try_from(index).unwrap_or(SYSTEM - 1);
            let turn = self.message(reader, index)?;
            if turn.speaker == Speaker::System && self.chat.turns.is_empty() {
                self.chat.system.extend(turn.parts);
            } else {
                self.chat.turns.push(turn);
            }
            Ok::<_, Failure>(())
        })?;
        Ok(())
    }

    fn message(&mut self, reader: &mut Reader<'a>, index: u32) -> Result<Turn<'a>> {
        let pointer = |member: &str| format!("/messages/{index}{member}");
        let found = reader.kind();
        let (mut role, mut parts) = (None, None);
        let is_object = reader.object(|reader, key| {
            match key.bytes().as_ref() {
                b"role" => role = reader.string()?.map(|role| role.decode()),
                b"content" => parts = Some(self.content(reader, index)?),
                _ => {}
            }
            Ok::<_, Failure>(())
        })?;
        if !is_object {
            return Err(misfit(&pointer(""), "an object", found));
        }
        let speaker = match role.as_deref() {
            Some("user") => Speaker::User,
            Some("assistant") => Speaker::Assistant,
            Some("system") => Speaker::System,
            _ => {
                let text = "a message must have the role `user` or `assistant`";
                return Err(invalid(&pointer("/role"), text));
            }
        };
        match parts {
            Some(parts) => Ok(Turn { speaker, parts }),
            None => Err(invalid(&pointer("/content"), "a message must have a content")),
        }
    }

    /// The parts of a content: one text, or blocks.
    fn content(&mut self, reader: &mut Reader<'a>, message: u32) -> Result<Vec<Part<'a>>> {
        let found = reader.kind();
        if found == Some(Kind::String) {
            let origin = Origin { message, part: None };
            let text = reader.string()?.map(|text| Part::text(text.decode()).at(origin));
            return Ok(text.into_iter().collect());
        }
        let mut parts = Vec::new();
        let is_array = reader.array(|reader, index| {
            let origin = Origin { message, part: u32::try_from(index).ok() };
            let block = reader.value()?;
            if block.kind() != Kind::Object {
                return Err(misfit(&pointer(&Place::Part(origin)), "an object", Some(block.kind())));
            }
            self.block((origin, None), &block, &mut parts);
            Ok(())
        })?;
        if is_array {
            return Ok(parts);
        }
        let list =
            if message == SYSTEM { "/system".to_owned() } else { format!("/messages/{message}/content") };
        Err(misfit(&list, "a string or an array of blocks", found))
    }

    fn reasoning(&mut self) -> &mut Reasoning {
        self.chat.reasoning.get_or_insert_default()
    }

    fn thinking(&mut self, value: &Value<'a>) {
        let [kind, budget, display] = value.pick(["type", "budget_tokens", "display"]);
        let reasoning = self.reasoning();
        reasoning.is_shown = match display.and_then(|display| display.as_str()).as_deref() {
            Some("summarized") => Some(true),
            Some("omitted") => Some(false),
            _ => None,
        };
        match kind.and_then(|kind| kind.as_str()).as_deref() {
            Some("enabled") => reasoning.budget = budget.and_then(|budget| budget.as_u64()),
            Some("adaptive") => reasoning.is_adaptive = true,
            Some("disabled") => reasoning.budget = Some(0),
            // Nearest to it is none, and what it shows between calls is lost.
            Some("between_tools") => {
                reasoning.budget = Some(0);
                self.unknown("/thinking/type".to_owned());
            }
            _ => self.unknown("/thinking".to_owned()),
        }
    }

    fn output_config(&mut self, value: &Value<'a>) -> Result {
        for member in value.members().filter(|member| !member.value.is_null()) {
            match member.key.decode().as_ref() {
                "effort" => match member.value.as_str().as_deref().and_then(Effort::of_word) {
                    Some(effort) => self.reasoning().effort = Some(effort),
                    None => self.unknown("/output_config/effort".to_owned()),
                },
                "format" => self.chat.format = Some(format(&member.value)?),
                key => self.unknown(below("/output_config", key)),
            }
        }
        Ok(())
    }

    fn metadata(&mut self, value: &Value<'a>) {
        for member in value.members().filter(|member| !member.value.is_null()) {
            match member.key.decode().as_ref() {
                "user_id" => {
                    self.chat.settings.push(Setting { param: Param::EndUser, value: member.value.source() });
                }
                key => self.unknown(below("/metadata", key)),
            }
        }
    }

    /// The class of service, in the words that most dialects have.
    fn service_tier(&mut self, value: &Value<'a>) {
        let word = match value.as_str().as_deref() {
            Some("standard_only") => Cow::Borrowed("\"default\""),
            _ => value.source(),
        };
        self.chat.settings.push(Setting { param: Param::ServiceTier, value: word });
    }
}

fn format<'a>(value: &Value<'a>) -> Result<OutputFormat<'a>> {
    let [kind, schema] = value.pick(["type", "schema"]);
    match (kind.and_then(|kind| kind.as_str()).as_deref(), schema) {
        (Some("json_schema"), Some(schema)) if schema.kind() == Kind::Object => {
            Ok(OutputFormat::Schema { name: None, description: None, schema: schema.source(), strict: None })
        }
        _ => Err(invalid(
            "/output_config/format",
            "the form of an answer must be a `json_schema` with a `schema`",
        )),
    }
}

/// For how long a block is to be remembered.
fn cache_mark(value: &Value<'_>) -> Option<CacheMark> {
    let [kind, time] = value.pick(["type", "ttl"]);
    kind.filter(|kind| kind.json_str().is_some_and(|kind| kind.is("ephemeral")))?;
    let is_hour = time.and_then(|time| time.json_str()).is_some_and(|time| time.is("1h"));
    Some(if is_hour { CacheMark::Hour } else { CacheMark::Short })
}
