//! A request in the dialect, written from what another one has read.

pub(crate) mod media;
pub(crate) mod tool;
mod turn;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Chat, Effort, Json, LossKind, Losses, OutputFormat, Param, Place};
use gatewright::dialect::{Abilities, ReasoningForm};

pub(super) use turn::call;
pub(crate) use turn::{ends_with_calls, said_something, size};

use super::name;
use crate::call::paired;
use crate::json::{ObjectWriter, Value};

/// The dialect takes this many texts that end an answer.
const STOPS_MAX: usize = 4;

/// Classes of service that the dialect knows.
const SERVICE_TIERS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];

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
    turn::messages(&mut writing, chat, &mut calls.iter())?;
    tool::tools(&mut writing, chat, &tool::FORM)?;
    writing.stream(chat);
    writing.lengths(chat)?;
    writing.sampling(chat)?;
    writing.reasoning(chat)?;
    writing.format(chat)?;
    writing.settings(chat)?;
    writing.object.close();
    Ok(out.into())
}

/// A request under the pen.
pub(crate) struct Writing<'o, 'w, 'l> {
    pub(crate) object: ObjectWriter<'o>,
    pub(crate) abilities: &'w Abilities,
    pub(crate) losses: &'w mut Losses<'l>,
}

impl<'w> Writing<'_, 'w, '_> {
    pub(crate) fn lose(&mut self, param: Param, kind: LossKind) -> Result<(), Failure> {
        self.losses.report(&Place::Param(param), kind)
    }

    /// Whether the target takes a parameter; if not, that is reported.
    pub(crate) fn takes(&mut self, param: Param) -> Result<bool, Failure> {
        let is_taken = !self.abilities.refuses.contains(&param);
        if !is_taken {
            self.lose(param, LossKind::Dropped)?;
        }
        Ok(is_taken)
    }

    fn stream(&mut self, chat: &Chat<'_>) {
        if chat.streams {
            self.object.bool("stream", true);
            if self.abilities.has_stream_options {
                // Whoever reads the stream needs the figures, whether or not the caller is to see them.
                self.object.raw("stream_options", r#"{"include_usage":true}"#);
            }
        }
    }

    fn lengths(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        if let Some(cap) = chat.output_cap
            && self.takes(Param::OutputCap)?
        {
            let most = self.abilities.output_tokens_max.unwrap_or(u64::MAX);
            if cap > most {
                self.lose(Param::OutputCap, LossKind::Approximated)?;
            }
            let legacy = self.abilities.has_legacy_cap.then_some(name::LEGACY_CAP);
            let own = self.abilities.own_name(Param::OutputCap).or(legacy);
            self.object.number(own.unwrap_or("max_completion_tokens"), cap.min(most));
        }
        if !chat.stop.is_empty() && self.takes(Param::Stop)? {
            if chat.stop.len() > STOPS_MAX {
                self.lose(Param::Stop, LossKind::Approximated)?;
            }
            let mut list = self.object.list("stop");
            chat.stop.iter().take(STOPS_MAX).for_each(|stop| list.str(stop));
            list.close();
        }
        if chat.choices > 1 && self.takes(Param::Choices)? {
            self.object.number("n", chat.choices.into());
        }
        Ok(())
    }

    fn sampling(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        let sampling = &chat.sampling;
        let numbers = [
            (Param::Temperature, &sampling.temperature),
            (Param::TopP, &sampling.top_p),
            (Param::Seed, &sampling.seed),
            (Param::FrequencyPenalty, &sampling.frequency_penalty),
            (Param::PresencePenalty, &sampling.presence_penalty),
        ];
        for (param, number) in numbers {
            if let (Some(number), Some(name)) = (number, self.name(param))
                && self.takes(param)?
            {
                self.object.raw(name, number);
            }
        }
        // The dialect has no such parameter, but some of its vendors do.
        match (&sampling.top_k, self.abilities.own_name(Param::TopK)) {
            (Some(number), Some(name)) if self.takes(Param::TopK)? => self.object.raw(name, number),
            (Some(_), None) => self.lose(Param::TopK, LossKind::Dropped)?,
            (Some(_) | None, _) => {}
        }
        Ok(())
    }

    /// The member that a parameter is, in the target's words.
    fn name(&self, param: Param) -> Option<&'w str> {
        let abilities: &'w Abilities = self.abilities;
        abilities.own_name(param).or_else(|| name::member(param))
    }

    /// How much the model is to reason: a word is all that the dialect has for it.
    fn reasoning(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        let Some(reasoning) = chat.reasoning else { return Ok(()) };
        if self.abilities.reasoning == ReasoningForm::Never {
            return self.lose(Param::Reasoning, LossKind::Dropped);
        }
        let effort = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
        if reasoning.effort.is_none() || reasoning.is_shown.is_some() {
            self.lose(Param::Reasoning, LossKind::Approximated)?;
        }
        if let Some(effort) = effort
            && self.takes(Param::Reasoning)?
        {
            self.object.str("reasoning_effort", effort.as_str());
        }
        Ok(())
    }

    fn format(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        let Some(format) = chat.format.as_ref() else { return Ok(()) };
        if !self.takes(Param::Format)? {
            return Ok(());
        }
        let is_held = self.abilities.holds_to_schema;
        match format {
            OutputFormat::Text => self.object.raw("response_format", r#"{"type":"text"}"#),
            OutputFormat::Json => self.object.raw("response_format", r#"{"type":"json_object"}"#),
            OutputFormat::Schema { .. } if !is_held => {
                self.lose(Param::Format, LossKind::Approximated)?;
                self.object.raw("response_format", r#"{"type":"json_object"}"#);
            }
            OutputFormat::Schema { name, description, schema, strict } => {
                let mut format = self.object.object("response_format");
                format.str("type", "json_schema");
                let mut body = format.object("json_schema");
                body.str("name", name.as_deref().unwrap_or("answer"));
                if let Some(description) = description {
                    body.str("description", description);
                }
                if let Some(strict) = strict {
                    body.bool("strict", *strict);
                }
                body.raw("schema", schema);
                body.close();
                format.close();
            }
        }
        Ok(())
    }

    fn settings(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        for setting in &chat.settings {
            let is_known = setting.param != Param::ServiceTier || is_known_tier(&setting.value);
            match self.name(setting.param).filter(|_| is_known) {
                Some(name) if self.takes(setting.param)? => self.object.raw(name, &setting.value),
                Some(_) => {}
                None => self.lose(setting.param, LossKind::Dropped)?,
            }
        }
        chat.unknown.iter().try_for_each(|pointer| {
            self.losses.report(&Place::Pointer(pointer.as_ref().into()), LossKind::Dropped)
        })
    }
}

/// Whether the family of dialects knows a class of service. It changes the price, so that only a known one will do.
pub(crate) fn is_known_tier(value: &Json<'_>) -> bool {
    let tier = Value::parse(value.as_bytes()).ok().and_then(|value| value.as_str());
    tier.is_some_and(|tier| SERVICE_TIERS.contains(&tier.as_ref()))
}
