//! Requests, written.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{
    Chat, Effort, LossKind, Losses, Media, MediaKind, MediaSource, OutputFormat, Param, Part, PartKind,
    Place, ToolChoice, ToolKind,
};
use gatewright::dialect::{Abilities, ReasoningForm};

use super::option;
use crate::call::Call;
use crate::json::{ListWriter, ObjectWriter};
use crate::pen::{Pen, arguments, is_off};
use crate::turns::{self, Scribe};

/// Writes a request.
pub(super) fn request(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<Bytes, Failure> {
    let mut out = Vec::with_capacity(1_024);
    let mut pen = Pen { object: ObjectWriter::open(&mut out), abilities, losses };
    pen.object.str("model", &chat.model);
    let mut messages = Messages { list: pen.object.list("messages"), abilities };
    turns::write(chat, abilities, pen.losses, &mut messages)?;
    messages.list.close();
    // A stream is what comes unless it is refused, so that it is always said.
    pen.object.bool("stream", chat.streams);
    tools(&mut pen, chat)?;
    options(&mut pen, chat)?;
    format(&mut pen, chat)?;
    thinking(&mut pen, chat)?;
    for setting in &chat.settings {
        match setting.param {
            Param::Logprobs => pen.value(setting.param, "logprobs", Some(&setting.value))?,
            Param::TopLogprobs => pen.value(setting.param, "top_logprobs", Some(&setting.value))?,
            // Nothing is stored anyway.
            Param::Store if setting.value.trim() == "false" => {}
            param => pen.lose(param, LossKind::Dropped)?,
        }
    }
    pen.unknown(chat)?;
    pen.object.close();
    Ok(out.into())
}

/// The model is always free to call any tool that it is offered, several at once too.
fn tools(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let functions = pen.functions(chat)?;
    if functions.is_empty() {
        return match &chat.tool_choice {
            None | Some(ToolChoice::Auto | ToolChoice::None) => Ok(()),
            Some(_) => pen.lose(Param::ToolChoice, LossKind::Dropped),
        };
    }
    for tool in &functions {
        if let ToolKind::Function { strict: Some(true), .. } = &tool.kind {
            pen.losses.report(&Place::Tool(tool.origin), LossKind::Approximated)?;
        }
    }
    if chat.parallel_tools == Some(false) {
        pen.lose(Param::ParallelTools, LossKind::Dropped)?;
    }
    match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        // Who is offered no tool calls none.
        Some(ToolChoice::None) => return pen.lose(Param::ToolChoice, LossKind::Emulated),
        Some(ToolChoice::Among { required: false, .. }) => pen.lose(Param::ToolChoice, LossKind::Emulated)?,
        Some(ToolChoice::Named(_) | ToolChoice::Among { .. }) => {
            pen.lose(Param::ToolChoice, LossKind::Approximated)?;
        }
        Some(ToolChoice::Required) => pen.lose(Param::ToolChoice, LossKind::Dropped)?,
    }
    pen.tools(&functions);
    Ok(())
}

fn options(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let mut out = Vec::new();
    let mut options =
        Pen { object: ObjectWriter::open(&mut out), abilities: pen.abilities, losses: &mut *pen.losses };
    let sampling = &chat.sampling;
    for (param, value) in [
        (Param::Temperature, &sampling.temperature),
        (Param::TopP, &sampling.top_p),
        (Param::TopK, &sampling.top_k),
        (Param::Seed, &sampling.seed),
        (Param::FrequencyPenalty, &sampling.frequency_penalty),
        (Param::PresencePenalty, &sampling.presence_penalty),
    ] {
        options.value(param, option(param).unwrap_or_default(), value.as_deref())?;
    }
    options.cap(option(Param::OutputCap).unwrap_or_default(), chat.output_cap)?;
    options.stops("stop", chat, usize::MAX)?;
    if chat.choices > 1 {
        options.lose(Param::Choices, LossKind::Dropped)?;
    }
    let is_empty = options.object.is_empty();
    options.object.close();
    if !is_empty {
        pen.object.key("options").extend_from_slice(&out);
    }
    Ok(())
}

fn format(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    match &chat.format {
        None | Some(OutputFormat::Text) => Ok(()),
        Some(OutputFormat::Json) => pen.value(Param::Format, "format", Some(r#""json""#)),
        Some(OutputFormat::Schema { schema, .. }) if pen.abilities.holds_to_schema => {
            pen.value(Param::Format, "format", Some(schema))
        }
        Some(OutputFormat::Schema { .. }) => {
            pen.lose(Param::Format, LossKind::Approximated)?;
            pen.value(Param::Format, "format", Some(r#""json""#))
        }
    }
}

/// Whether to think; models that take a word are told one. Where it is not known, as it was asked for.
fn thinking(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let Some(asked) = &chat.reasoning else { return Ok(()) };
    let form = pen.abilities.reasoning;
    if form == ReasoningForm::Never {
        return if is_off(asked) { Ok(()) } else { pen.lose(Param::Reasoning, LossKind::Dropped) };
    }
    if !pen.takes(Param::Reasoning)? {
        return Ok(());
    }
    if is_off(asked) && form != ReasoningForm::Effort {
        pen.object.bool("think", false);
        return Ok(());
    }
    let effort =
        asked.effort.or(asked.budget.map(Effort::of_budget)).filter(|_| form != ReasoningForm::Adaptive);
    let word = effort.map(|effort| match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Extra | Effort::Max => "high",
    });
    let is_exact = asked.effort.is_none_or(|effort| Some(effort.as_str()) == word)
        && asked.budget.is_none()
        && asked.is_shown != Some(false);
    if !is_exact {
        pen.lose(Param::Reasoning, LossKind::Approximated)?;
    }
    match word {
        Some(word) => pen.object.str("think", word),
        None => pen.object.bool("think", true),
    }
    Ok(())
}

/// The messages while they are written.
struct Messages<'o, 'w> {
    list: ListWriter<'o>,
    abilities: &'w Abilities,
}

impl Messages<'_, '_> {
    fn write(&mut self, role: &str, parts: &[&Part<'_>]) {
        let mut message = self.list.object();
        message.str("role", role);
        message.str("content", &joined(parts));
        images(&mut message, parts);
        message.close();
    }
}

impl Scribe for Messages<'_, '_> {
    const HAS_LATER_INSTRUCTIONS: bool = true;
    const PAIRS_BY_ORDER: bool = true;

    /// Images that are here; a document of text as the text that it is.
    fn loss(&self, media: &Media<'_>) -> Option<LossKind> {
        match (media.kind, &media.source) {
            (MediaKind::Document, MediaSource::Text(_)) => Some(LossKind::Approximated),
            (MediaKind::Image, MediaSource::Base64(_)) if self.abilities.media.contains(&media.kind) => None,
            _ => Some(LossKind::Dropped),
        }
    }

    fn instruct(&mut self, texts: &[&Part<'_>]) {
        texts.iter().for_each(|text| self.write("system", &[text]));
    }

    /// A message has one text before all its images, so that one of its own follows where text stands behind an image.
    fn ask(&mut self, parts: &[&Part<'_>]) {
        let is_image = |part: &Part<'_>| {
            matches!(&part.kind, PartKind::Media(Media { source: MediaSource::Base64(_), .. }))
        };
        let mut rest = parts;
        while !rest.is_empty() {
            let images = rest.iter().position(|part| is_image(part)).unwrap_or(rest.len());
            let behind = rest.iter().skip(images).position(|part| !is_image(part));
            let (message, behind) = rest.split_at(behind.map_or(rest.len(), |behind| images + behind));
            self.write("user", message);
            rest = behind;
        }
    }

    fn answer(&mut self, call: &Call<'_>, text: &str) {
        let mut message = self.list.object();
        message.str("role", "tool");
        message.str("content", text);
        message.str("tool_name", call.name);
        message.close();
    }

    fn say(
        &mut self,
        said: &[&Part<'_>],
        calls: &[(Call<'_>, &Part<'_>)],
        losses: &Losses<'_>,
    ) -> Result<(), Failure> {
        let mut message = self.list.object();
        message.str("role", "assistant");
        message.str("content", &joined(said));
        let thinking: Vec<&str> = said
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::Reasoning { text, .. } => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        if !thinking.is_empty() {
            message.str("thinking", &thinking.join("\n"));
        }
        if !calls.is_empty() {
            let mut list = message.list("tool_calls");
            for (call, part) in calls {
                let PartKind::ToolCall { arguments: source, .. } = &part.kind else { continue };
                let Some(source) = arguments(source) else {
                    let why = "the arguments of a tool call are a JSON object at the model's provider";
                    return Err(losses.refuse(&Place::Part(part.origin), why));
                };
                let mut object = list.object();
                let mut function = object.object("function");
                function.str("name", call.name);
                function.raw("arguments", source);
                function.close();
                object.close();
            }
            list.close();
        }
        message.close();
        Ok(())
    }
}

/// The texts of a message as the one that it has.
fn joined(parts: &[&Part<'_>]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => Some(text.as_ref()),
        PartKind::Media(Media { source: MediaSource::Text(text), .. }) => Some(text.as_ref()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn images(message: &mut ObjectWriter<'_>, parts: &[&Part<'_>]) {
    let images: Vec<&str> = parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::Media(Media { source: MediaSource::Base64(data), .. }) => Some(data.as_ref()),
            _ => None,
        })
        .collect();
    if !images.is_empty() {
        let mut list = message.list("images");
        images.iter().for_each(|data| list.str(data));
        list.close();
    }
}
