//! How an answer is to be made, as members of a request; and what has no member.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{Chat, Json, LossKind, Losses, OutputFormat, Param, Place, Setting};
use gatewright::dialect::Abilities;

use super::out::Object;
use super::reasoning;
use crate::json::{Kind, Value, quote};

/// A request may have this many labels.
const LABELS_MAX: usize = 16;

/// A label, and its value, may be this long.
const LABEL_BYTES_MAX: usize = 256;

/// The members of a request beside its conversation and its tools.
#[derive(Debug)]
pub(super) struct Config<'c> {
    reasoning: reasoning::Plan,
    temperature: Option<Json<'c>>,
    top_p: Option<Json<'c>>,
    top_k: Option<&'c str>,
    stop: Vec<Vec<u8>>,
    schema: Option<Schema<'c>>,
    tier: Option<&'static str>,
    labels: Option<&'c str>,
}

/// What an answer is held to.
#[derive(Debug)]
struct Schema<'c> {
    name: Option<&'c str>,
    description: Option<&'c str>,
    schema: &'c str,
}

/// The cap on output tokens, within what the target can make.
pub(super) fn cap(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<Option<u64>, Failure> {
    let (Some(cap), most) = (chat.output_cap, abilities.output_tokens_max.unwrap_or(u64::MAX)) else {
        return Ok(None);
    };
    if cap > most {
        losses.report(&Place::Param(Param::OutputCap), LossKind::Approximated)?;
    }
    Ok(Some(cap.min(most)))
}

impl<'c> Config<'c> {
    pub(super) fn plan(
        chat: &'c Chat<'_>,
        abilities: &Abilities,
        reasoning: reasoning::Plan,
        losses: &mut Losses<'_>,
    ) -> Result<Self, Failure> {
        let mut filter = Filter { abilities, restricts: reasoning.restricts_sampling, losses };
        let sampling = &chat.sampling;
        let temperature = filter.keep(Param::Temperature, sampling.temperature.as_deref())?;
        let top_p = filter.keep(Param::TopP, sampling.top_p.as_deref())?.map(Cow::Borrowed);
        let top_k = filter.keep(Param::TopK, sampling.top_k.as_deref())?;
        for (param, value) in [
            (Param::Seed, &sampling.seed),
            (Param::FrequencyPenalty, &sampling.frequency_penalty),
            (Param::PresencePenalty, &sampling.presence_penalty),
        ] {
            // A penalty of nothing is none.
            if value.as_deref().is_some_and(|value| param == Param::Seed || value.parse() != Ok(0.0)) {
                losses.report(&Place::Param(param), LossKind::Dropped)?;
            }
        }
        if chat.choices > 1 {
            losses.report(&Place::Param(Param::Choices), LossKind::Dropped)?;
        }
        let mut config = Self {
            reasoning,
            temperature: clamped(temperature, losses)?,
            top_p,
            top_k,
            stop: stop(chat, abilities, losses)?,
            schema: None,
            tier: None,
            labels: None,
        };
        config.format(chat, abilities, losses)?;
        for setting in &chat.settings {
            config.setting(setting, losses)?;
        }
        for pointer in &chat.unknown {
            losses.report(&Place::Pointer(Cow::Borrowed(pointer)), LossKind::Dropped)?;
        }
        Ok(config)
    }

    fn format(
        &mut self,
        chat: &'c Chat<'_>,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<(), Failure> {
        match &chat.format {
            None | Some(OutputFormat::Text) => {}
            Some(OutputFormat::Schema { name, description, schema, .. }) if abilities.holds_to_schema => {
                self.schema =
                    Some(Schema { name: name.as_deref(), description: description.as_deref(), schema });
            }
            Some(OutputFormat::Json | OutputFormat::Schema { .. }) => {
                losses.report(&Place::Param(Param::Format), LossKind::Dropped)?;
            }
        }
        Ok(())
    }

    fn setting(&mut self, setting: &'c Setting<'_>, losses: &mut Losses<'_>) -> Result<(), Failure> {
        let place = Place::Param(setting.param);
        let Ok(value) = Value::parse(setting.value.as_bytes()) else { return Ok(()) };
        // What is switched off is left out without a loss.
        if value.is_null() || value.as_bool() == Some(false) {
            return Ok(());
        }
        match setting.param {
            Param::ServiceTier => match value.as_str().as_deref() {
                Some("default" | "standard" | "standard_only") => self.tier = Some("default"),
                Some("priority") => self.tier = Some("priority"),
                Some("flex") => self.tier = Some("flex"),
                Some("reserved") => self.tier = Some("reserved"),
                Some("auto") => losses.report(&place, LossKind::Approximated)?,
                _ => losses.report(&place, LossKind::Dropped)?,
            },
            Param::Metadata if are_labels(&value) => {
                self.labels = value.has_children().then_some(&setting.value);
            }
            _ => losses.report(&place, LossKind::Dropped)?,
        }
        Ok(())
    }

    pub(super) fn write_inference(&self, request: &mut Object<'_>) {
        let Self { reasoning, temperature, top_p, stop, .. } = self;
        if reasoning.cap.is_none() && temperature.is_none() && top_p.is_none() && stop.is_empty() {
            return;
        }
        request.object("inferenceConfig", |config| {
            if let Some(cap) = reasoning.cap {
                config.number("maxTokens", cap);
            }
            if let Some(temperature) = temperature {
                config.raw("temperature", temperature.as_bytes());
            }
            if let Some(top_p) = top_p {
                config.raw("topP", top_p.as_bytes());
            }
            if !stop.is_empty() {
                config.array("stopSequences", stop);
            }
        });
    }

    pub(super) fn write_rest(&self, request: &mut Object<'_>) {
        if self.top_k.is_some() || !self.reasoning.fields.is_empty() {
            request.object("additionalModelRequestFields", |fields| {
                self.reasoning.fields.iter().for_each(|(key, json)| fields.raw(key, json));
                if let Some(top_k) = self.top_k {
                    fields.raw("top_k", top_k);
                }
            });
        }
        if self.schema.is_some() || self.reasoning.effort.is_some() {
            request.object("outputConfig", |config| self.write_output(config));
        }
        if let Some(tier) = self.tier {
            request.object("serviceTier", |object| object.text("type", tier));
        }
        if let Some(labels) = self.labels {
            request.raw("requestMetadata", labels);
        }
    }

    fn write_output(&self, config: &mut Object<'_>) {
        if let Some(Schema { name, description, schema }) = &self.schema {
            config.object("textFormat", |format| {
                format.text("type", "json_schema");
                format.object("structure", |structure| {
                    structure.object("jsonSchema", |definition| {
                        definition.text("schema", schema);
                        for (key, text) in [("name", *name), ("description", *description)] {
                            if let Some(text) = text {
                                definition.text(key, text);
                            }
                        }
                    });
                });
            });
        }
        if let Some(effort) = self.reasoning.effort {
            config.text("effort", effort);
        }
    }
}

/// Leaves out what the target refuses.
struct Filter<'f, 'd> {
    abilities: &'f Abilities,
    restricts: bool,
    losses: &'f mut Losses<'d>,
}

impl Filter<'_, '_> {
    fn keep<'v>(&mut self, param: Param, value: Option<&'v str>) -> Result<Option<&'v str>, Failure> {
        let Some(value) = value else { return Ok(None) };
        let is_refused =
            self.abilities.refuses.contains(&param) || (self.restricts && !reasoning::allows(param, value));
        if is_refused {
            self.losses.report(&Place::Param(param), LossKind::Dropped)?;
        }
        Ok((!is_refused).then_some(value))
    }
}

/// A temperature from 0 to 1: the dialect's scale ends there.
fn clamped<'v>(value: Option<&'v str>, losses: &mut Losses<'_>) -> Result<Option<Json<'v>>, Failure> {
    let Some(value) = value else { return Ok(None) };
    if value.parse::<f64>().is_ok_and(|number| number > 1.0) {
        losses.report(&Place::Param(Param::Temperature), LossKind::Approximated)?;
        return Ok(Some(Cow::Borrowed("1")));
    }
    Ok(Some(Cow::Borrowed(value)))
}

/// Texts that end the answer. An empty one ends nothing, and is refused.
fn stop(chat: &Chat<'_>, abilities: &Abilities, losses: &mut Losses<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let place = Place::Param(Param::Stop);
    if chat.stop.is_empty() {
        return Ok(Vec::new());
    }
    if abilities.refuses.contains(&Param::Stop) {
        losses.report(&place, LossKind::Dropped)?;
        return Ok(Vec::new());
    }
    let texts = chat.stop.iter().filter(|text| !text.is_empty());
    let texts: Vec<Vec<u8>> = texts.map(|text| quote(text).to_vec()).collect();
    if texts.len() < chat.stop.len() {
        losses.report(&place, LossKind::Dropped)?;
    }
    Ok(texts)
}

/// Whether the provider takes an object as labels.
fn are_labels(value: &Value<'_>) -> bool {
    let fits = |text: &str| {
        text.len() <= LABEL_BYTES_MAX
            && text.chars().all(|c| c.is_ascii_alphanumeric() || " \t:_@$#=/+,-.".contains(c))
    };
    let is_label = |value: &Value<'_>| value.as_str().is_some_and(|text| fits(&text));
    value.kind() == Kind::Object
        && value.members().count() <= LABELS_MAX
        && value.members().all(|member| {
            let key = member.key.decode();
            !key.is_empty() && fits(&key) && is_label(&member.value)
        })
}
