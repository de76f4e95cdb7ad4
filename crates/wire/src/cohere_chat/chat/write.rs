//! Requests, written.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{
    Chat, Effort, LossKind, Losses, Media, MediaKind, MediaSource, OutputFormat, Param, Part, PartKind,
    Place, Tool, ToolChoice, ToolKind,
};
use gatewright::dialect::{Abilities, ReasoningForm};

use super::answer::write_call;
use crate::call::Call;
use crate::json::{ListWriter, ObjectWriter, Value, quote_into};
use crate::pen::{Pen, is_off};
use crate::turns::{self, Scribe};

/// How many texts may end an answer.
const STOPS_MAX: usize = 5;

/// The ranges of what the API takes, where others take more.
const TOP_P: (f64, f64) = (0.01, 0.99);
const TOP_K: (f64, f64) = (0.0, 500.0);
const PENALTY: (f64, f64) = (0.0, 1.0);

/// Modes of the provider's own content policy.
const SAFETY_MODES: [&str; 3] = ["CONTEXTUAL", "STRICT", "OFF"];

/// Writes a request.
pub(super) fn request(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<Bytes, Failure> {
    let mut out = Vec::with_capacity(1_024);
    let mut pen = Pen { object: ObjectWriter::open(&mut out), abilities, losses };
    pen.object.str("model", &chat.model);
    if chat.streams {
        pen.object.bool("stream", true);
    }
    let mut messages = Messages { list: pen.object.list("messages"), abilities, documents: Vec::new() };
    turns::write(chat, abilities, pen.losses, &mut messages)?;
    let Messages { list, documents, .. } = messages;
    list.close();
    if !documents.is_empty() {
        let mut list = pen.object.list("documents");
        documents.iter().for_each(|document| list.item().extend_from_slice(document));
        list.close();
    }
    let has_tools = tools(&mut pen, chat)?;
    format(&mut pen, chat, has_tools || !documents.is_empty())?;
    sampling(&mut pen, chat)?;
    thinking(&mut pen, chat)?;
    settings(&mut pen, chat)?;
    pen.unknown(chat)?;
    pen.object.close();
    Ok(out.into())
}

/// Writes the tools and the choice among them; whether there are any.
fn tools(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<bool, Failure> {
    let functions = pen.functions(chat)?;
    if functions.is_empty() {
        match &chat.tool_choice {
            None | Some(ToolChoice::Auto | ToolChoice::None) => {}
            Some(_) => pen.lose(Param::ToolChoice, LossKind::Dropped)?,
        }
        return Ok(false);
    }
    pen.tools(&functions);
    // All tools are held to their schemas, or none.
    let (strict, loose): (Vec<&Tool<'_>>, Vec<_>) = functions
        .iter()
        .copied()
        .partition(|tool| matches!(tool.kind, ToolKind::Function { strict: Some(true), .. }));
    if !strict.is_empty() {
        for tool in loose {
            pen.losses.report(&Place::Tool(tool.origin), LossKind::Approximated)?;
        }
        pen.object.bool("strict_tools", true);
    }
    if chat.parallel_tools == Some(false) {
        pen.lose(Param::ParallelTools, LossKind::Dropped)?;
    }
    let word = match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => return Ok(true),
        Some(ToolChoice::None) => "NONE",
        Some(ToolChoice::Required) => "REQUIRED",
        Some(ToolChoice::Among { required: false, .. }) => {
            pen.lose(Param::ToolChoice, LossKind::Emulated)?;
            return Ok(true);
        }
        Some(ToolChoice::Named(_) | ToolChoice::Among { .. }) => {
            pen.lose(Param::ToolChoice, LossKind::Emulated)?;
            "REQUIRED"
        }
    };
    pen.value(Param::ToolChoice, "tool_choice", Some(&format!("\"{word}\"")))?;
    Ok(true)
}

/// The API takes a form for the answer beside neither tools nor documents.
fn format(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>, has_others: bool) -> Result<(), Failure> {
    let Some(format) = chat.format.as_ref().filter(|format| **format != OutputFormat::Text) else {
        return Ok(());
    };
    if has_others {
        return pen.lose(Param::Format, LossKind::Dropped);
    }
    if !pen.takes(Param::Format)? {
        return Ok(());
    }
    let mut object = pen.object.object("response_format");
    object.str("type", "json_object");
    let mut is_lost = false;
    if let OutputFormat::Schema { schema, .. } = format {
        if pen.abilities.holds_to_schema {
            object.raw("json_schema", schema);
        } else {
            is_lost = true;
        }
    }
    object.close();
    if is_lost { pen.lose(Param::Format, LossKind::Approximated) } else { Ok(()) }
}

fn sampling(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let sampling = &chat.sampling;
    pen.cap("max_tokens", chat.output_cap)?;
    pen.stops("stop_sequences", chat, STOPS_MAX)?;
    pen.value(Param::Temperature, "temperature", sampling.temperature.as_deref())?;
    pen.number(Param::TopP, "p", sampling.top_p.as_deref(), TOP_P)?;
    pen.number(Param::TopK, "k", sampling.top_k.as_deref(), TOP_K)?;
    pen.value(Param::Seed, "seed", sampling.seed.as_deref())?;
    pen.number(Param::FrequencyPenalty, "frequency_penalty", sampling.frequency_penalty.as_deref(), PENALTY)?;
    let presence = sampling.presence_penalty.as_deref();
    // The API takes one of the two.
    if sampling.frequency_penalty.as_deref().is_some_and(is_set) && presence.is_some_and(is_set) {
        pen.lose(Param::PresencePenalty, LossKind::Dropped)?;
    } else {
        let presence = presence.filter(|penalty| sampling.frequency_penalty.is_none() || is_set(penalty));
        pen.number(Param::PresencePenalty, "presence_penalty", presence, PENALTY)?;
    }
    if chat.choices > 1 {
        pen.lose(Param::Choices, LossKind::Dropped)?;
    }
    Ok(())
}

/// Whether a penalty is one.
fn is_set(penalty: &str) -> bool {
    penalty.trim().parse::<f64>().is_ok_and(|penalty| penalty != 0.0)
}

/// Whether to think, and for how many tokens at most; models that think do so unless they are told otherwise.
fn thinking(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let Some(asked) = &chat.reasoning else { return Ok(()) };
    if pen.abilities.reasoning == ReasoningForm::Never {
        return if is_off(asked) { Ok(()) } else { pen.lose(Param::Reasoning, LossKind::Dropped) };
    }
    if !pen.takes(Param::Reasoning)? {
        return Ok(());
    }
    let effort = asked.effort.filter(|_| asked.budget.is_none() && !asked.is_adaptive && !is_off(asked));
    if effort.is_some() || asked.is_shown == Some(false) {
        pen.lose(Param::Reasoning, LossKind::Approximated)?;
    }
    let mut object = pen.object.object("thinking");
    object.str("type", if is_off(asked) { "disabled" } else { "enabled" });
    let budget = asked.budget.filter(|budget| *budget > 0).or(effort.map(Effort::as_budget));
    if let Some(budget) = budget {
        object.number("token_budget", budget);
    }
    object.close();
    Ok(())
}

fn settings(pen: &mut Pen<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    for setting in &chat.settings {
        let value = setting.value.trim();
        match setting.param {
            Param::Logprobs if matches!(value, "true" | "false") => {
                pen.value(setting.param, "logprobs", Some(value))?;
            }
            Param::Safety if is_safety_mode(value) => pen.value(setting.param, "safety_mode", Some(value))?,
            // Nothing is stored anyway, and there is one class of service.
            Param::Store if value == "false" => {}
            Param::ServiceTier if matches!(value, r#""auto""# | r#""default""# | r#""standard""#) => {}
            param => pen.lose(param, LossKind::Dropped)?,
        }
    }
    Ok(())
}

/// Whether a value has the form of this dialect; others have limits of their own under the same name.
fn is_safety_mode(value: &str) -> bool {
    let word = Value::parse(value.as_bytes()).ok().and_then(|value| value.as_str());
    word.is_some_and(|word| SAFETY_MODES.contains(&word.as_ref()))
}

/// The messages while they are written, and the documents that are found among them.
struct Messages<'o, 'w> {
    list: ListWriter<'o>,
    abilities: &'w Abilities,
    documents: Vec<Vec<u8>>,
}

impl Scribe for Messages<'_, '_> {
    const HAS_LATER_INSTRUCTIONS: bool = false;
    const PAIRS_BY_ORDER: bool = false;

    /// Images wherever they are, and documents that are text, which go to where the API has documents.
    fn loss(&self, media: &Media<'_>) -> Option<LossKind> {
        let is_read = self.abilities.media.contains(&media.kind);
        match (media.kind, &media.source) {
            (MediaKind::Document, MediaSource::Text(_)) => Some(LossKind::Approximated),
            (MediaKind::Image, MediaSource::Base64(_)) if is_read => None,
            (MediaKind::Image, MediaSource::Url(_)) if is_read && self.abilities.fetches_urls => None,
            _ => Some(LossKind::Dropped),
        }
    }

    fn instruct(&mut self, texts: &[&Part<'_>]) {
        self.message("system", texts);
    }

    fn ask(&mut self, parts: &[&Part<'_>]) {
        let is_document = |part: &Part<'_>| {
            matches!(&part.kind, PartKind::Media(Media { source: MediaSource::Text(_), .. }))
        };
        // Documents alone are what is said.
        if parts.iter().all(|part| is_document(part)) {
            return self.message("user", parts);
        }
        let (documents, said): (Vec<_>, Vec<_>) = parts.iter().copied().partition(|part| is_document(part));
        for part in documents {
            if let PartKind::Media(Media { source: MediaSource::Text(text), name, .. }) = &part.kind {
                self.documents.push(document(text, name.as_deref()));
            }
        }
        self.message("user", &said);
    }

    fn answer(&mut self, call: &Call<'_>, text: &str) {
        let mut message = self.list.object();
        message.str("role", "tool");
        message.str("tool_call_id", &call.id);
        message.str("content", text);
        message.close();
    }

    fn say(
        &mut self,
        said: &[&Part<'_>],
        calls: &[(Call<'_>, &Part<'_>)],
        _: &Losses<'_>,
    ) -> Result<(), Failure> {
        if calls.is_empty() {
            self.message("assistant", said);
            return Ok(());
        }
        let mut message = self.list.object();
        message.str("role", "assistant");
        // Beside calls the API takes reasoning as content, and any other text as the plan only.
        let (thoughts, texts): (Vec<_>, Vec<_>) =
            said.iter().copied().partition(|part| matches!(part.kind, PartKind::Reasoning { .. }));
        if !thoughts.is_empty() {
            content(message.key("content"), &thoughts);
        }
        if !texts.is_empty() {
            let texts: Vec<&str> = texts.iter().filter_map(|part| spoken(part)).collect();
            message.str("tool_plan", &texts.join("\n"));
        }
        let mut list = message.list("tool_calls");
        for (call, part) in calls {
            if let PartKind::ToolCall { arguments, .. } = &part.kind {
                write_call(list.object(), &call.id, call.name, arguments);
            }
        }
        list.close();
        message.close();
        Ok(())
    }
}

impl Messages<'_, '_> {
    fn message(&mut self, role: &str, parts: &[&Part<'_>]) {
        let mut message = self.list.object();
        message.str("role", role);
        content(message.key("content"), parts);
        message.close();
    }
}

fn spoken<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => Some(text),
        PartKind::Media(Media { source: MediaSource::Text(text), .. }) => Some(text),
        _ => None,
    }
}

/// Writes the content of a message: one text as it is, anything else as blocks.
fn content(out: &mut Vec<u8>, parts: &[&Part<'_>]) {
    if let [part] = parts
        && let Some(text) = spoken(part)
    {
        return quote_into(out, text);
    }
    let mut list = ListWriter::open(out);
    for part in parts {
        let mut block = list.object();
        match &part.kind {
            PartKind::Reasoning { text, .. } => {
                block.str("type", "thinking");
                block.str("thinking", text);
            }
            PartKind::Media(media) if spoken(part).is_none() => image(&mut block, media),
            _ => {
                block.str("type", "text");
                block.str("text", spoken(part).unwrap_or_default());
            }
        }
        block.close();
    }
    list.close();
}

fn image(block: &mut ObjectWriter<'_>, media: &Media<'_>) {
    block.str("type", "image_url");
    let mut image = block.object("image_url");
    match &media.source {
        MediaSource::Base64(data) => {
            let mime = media.mime.as_deref().unwrap_or("image/png");
            image.str("url", &format!("data:{mime};base64,{data}"));
        }
        MediaSource::Url(url) | MediaSource::File(url) | MediaSource::Text(url) => image.str("url", url),
    }
    if let Some(detail) = media.detail.as_deref().filter(|detail| matches!(*detail, "auto" | "low" | "high"))
    {
        image.str("detail", detail);
    }
    image.close();
}

fn document(text: &str, title: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut document = ObjectWriter::open(&mut out);
    let mut data = document.object("data");
    if let Some(title) = title {
        data.str("title", title);
    }
    data.str("text", text);
    data.close();
    document.close();
    out
}
