//! A request in the dialect, written from what another one has read.

mod input;
mod tool;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Chat, Effort, LossKind, Losses, OutputFormat, Param, Place, Setting};
use gatewright::dialect::{Abilities, ReasoningForm};

use super::name;
use crate::call::paired;
use crate::json::{ObjectWriter, Value};
use crate::openai_chat::chat::write::tool::tools;
use crate::openai_chat::chat::write::{Writing, is_known_tier, size};

/// Writes a request.
pub(super) fn request(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<Bytes, Failure> {
    let calls = paired(chat, losses)?;
    let mut out = Vec::with_capacity(size(chat));
    let mut writing = Writing { object: ObjectWriter::open(&mut out), abilities, losses };
    writing.object.str("model", &chat.model);
    input::input(&mut writing, chat, &mut calls.iter())?;
    tools(&mut writing, chat, &tool::FORM)?;
    if chat.streams {
        writing.object.bool("stream", true);
    }
    numbers(&mut writing, chat)?;
    reasoning(&mut writing, chat)?;
    text(&mut writing, chat)?;
    settings(&mut writing, chat)?;
    include(&mut writing, chat);
    absent(&mut writing, chat)?;
    writing.object.close();
    Ok(out.into())
}

fn numbers(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    if let Some(cap) = chat.output_cap
        && writing.takes(Param::OutputCap)?
    {
        let most = writing.abilities.output_tokens_max.unwrap_or(u64::MAX);
        if cap > most {
            writing.lose(Param::OutputCap, LossKind::Approximated)?;
        }
        writing.object.number("max_output_tokens", cap.min(most));
    }
    let sampling = &chat.sampling;
    let numbers =
        [(Param::Temperature, "temperature", &sampling.temperature), (Param::TopP, "top_p", &sampling.top_p)];
    for (param, name, number) in numbers {
        if let Some(number) = number
            && writing.takes(param)?
        {
            writing.object.raw(name, number);
        }
    }
    Ok(())
}

fn reasoning(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let Some(reasoning) = chat.reasoning else { return Ok(()) };
    if writing.abilities.reasoning == ReasoningForm::Never {
        return writing.lose(Param::Reasoning, LossKind::Dropped);
    }
    // A word, and whether it is shown, is all that the dialect has for it.
    if reasoning.effort.is_none() && (reasoning.budget.is_some() || reasoning.is_adaptive) {
        writing.lose(Param::Reasoning, LossKind::Approximated)?;
    }
    if !writing.takes(Param::Reasoning)? {
        return Ok(());
    }
    let mut object = writing.object.object("reasoning");
    if let Some(effort) = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget)) {
        object.str("effort", effort.as_str());
    }
    if reasoning.is_shown == Some(true) {
        object.str("summary", "auto");
    }
    object.close();
    Ok(())
}

fn text(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let verbosity = match chat.setting(Param::Verbosity) {
        Some(verbosity) if writing.takes(Param::Verbosity)? => Some(verbosity),
        _ => None,
    };
    let format = match &chat.format {
        Some(format) if writing.takes(Param::Format)? => Some(format),
        _ => None,
    };
    let is_held = writing.abilities.holds_to_schema;
    if matches!(format, Some(OutputFormat::Schema { .. })) && !is_held {
        writing.lose(Param::Format, LossKind::Approximated)?;
    }
    if verbosity.is_none() && format.is_none() {
        return Ok(());
    }
    let mut text = writing.object.object("text");
    match format {
        Some(OutputFormat::Text) => text.raw("format", r#"{"type":"text"}"#),
        Some(OutputFormat::Schema { name, description, schema, strict }) if is_held => {
            let mut object = text.object("format");
            object.str("type", "json_schema");
            object.str("name", name.as_deref().unwrap_or("answer"));
            if let Some(description) = description {
                object.str("description", description);
            }
            if let Some(strict) = strict {
                object.bool("strict", *strict);
            }
            object.raw("schema", schema);
            object.close();
        }
        Some(OutputFormat::Json | OutputFormat::Schema { .. }) => {
            text.raw("format", r#"{"type":"json_object"}"#);
        }
        None => {}
    }
    if let Some(verbosity) = verbosity {
        text.raw("verbosity", verbosity);
    }
    text.close();
    Ok(())
}

fn settings(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    for Setting { param, value } in &chat.settings {
        let is_known = *param != Param::ServiceTier || is_known_tier(value);
        let member = name::SETTINGS.iter().find(|(_, known)| known == param).filter(|_| is_known);
        match (param, member) {
            // Written elsewhere.
            (Param::Verbosity | Param::Logprobs, _) => {}
            (_, Some((name, _))) if writing.takes(*param)? => writing.object.raw(name, value),
            (_, Some(_)) => {}
            (_, None) => writing.lose(*param, LossKind::Dropped)?,
        }
    }
    // Another dialect's caller did not ask for it, and cannot take it back.
    if chat.setting(Param::Store).is_none() {
        writing.object.bool("store", false);
    }
    Ok(())
}

/// Asks for what an answer holds only then: probabilities, and reasoning that can be sent back though nothing is
/// stored. A model that does not reason refuses the latter.
fn include(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>) {
    let is_true = |value: &Value<'_>| value.as_bool() == Some(true);
    let logprobs = chat.setting(Param::Logprobs);
    let logprobs =
        logprobs.is_some_and(|value| Value::parse(value.as_bytes()).is_ok_and(|value| is_true(&value)));
    let effort = chat.reasoning.map(|reasoning| reasoning.effort != Some(Effort::None));
    let reasons = effort == Some(true) && writing.abilities.reasoning != ReasoningForm::Never;
    if !logprobs && !reasons {
        return;
    }
    let mut list = writing.object.list("include");
    if reasons {
        list.str("reasoning.encrypted_content");
    }
    if logprobs {
        list.str("message.output_text.logprobs");
    }
    list.close();
}

/// Reports what the dialect has no member for.
fn absent(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let sampling = &chat.sampling;
    let absent = [
        (Param::TopK, sampling.top_k.is_some()),
        (Param::Seed, sampling.seed.is_some()),
        (Param::FrequencyPenalty, sampling.frequency_penalty.is_some()),
        (Param::PresencePenalty, sampling.presence_penalty.is_some()),
        (Param::Stop, !chat.stop.is_empty()),
        (Param::Choices, chat.choices > 1),
    ];
    for (param, _) in absent.into_iter().filter(|(_, is_there)| *is_there) {
        writing.lose(param, LossKind::Dropped)?;
    }
    chat.unknown.iter().try_for_each(|pointer| {
        writing.losses.report(&Place::Pointer(pointer.as_ref().into()), LossKind::Dropped)
    })
}
