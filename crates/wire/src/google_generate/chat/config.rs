//! Parameters, written.

use gatewright::Failure;
use gatewright::chat::{Chat, Effort, LossKind, Losses, OutputFormat, Param, Place, Reasoning};
use gatewright::dialect::{Abilities, ReasoningForm};

use crate::json::{Kind, ObjectWriter, Value};

/// How many texts may end an answer.
const STOPS_MAX: usize = 5;

/// Writes what stands beside the conversation at the top of a request, and reports what stands nowhere.
pub(super) fn settings(
    chat: &Chat<'_>,
    losses: &mut Losses<'_>,
    root: &mut ObjectWriter<'_>,
) -> Result<(), Failure> {
    for setting in &chat.settings {
        let value = &setting.value;
        let is_written = match setting.param {
            Param::Safety if is_safety(value) => {
                root.raw("safetySettings", value);
                true
            }
            Param::ServiceTier => service_tier(value, root),
            // These stand among the members of `generationConfig`.
            Param::Logprobs | Param::TopLogprobs | Param::Modalities => true,
            // Nothing is stored anyway.
            Param::Store => value.trim_ascii() == "false",
            _ => false,
        };
        if !is_written {
            losses.report(&Place::Param(setting.param), LossKind::Dropped)?;
        }
    }
    Ok(())
}

/// Whether a value has the form of this dialect; others have limits of their own under the same name.
fn is_safety(value: &str) -> bool {
    Value::parse(value.as_bytes()).is_ok_and(|value| {
        value.kind() == Kind::Array && value.elements().all(|setting| setting.get("category").is_some())
    })
}

/// Writes the class of service, if there is a word for it; the usual one needs none.
fn service_tier(value: &str, root: &mut ObjectWriter<'_>) -> bool {
    let word = Value::parse(value.as_bytes()).ok().and_then(|value| value.as_str()).unwrap_or_default();
    match word.as_ref() {
        "auto" => {}
        "default" | "standard" => root.str("serviceTier", "standard"),
        "flex" | "priority" => root.str("serviceTier", &word),
        _ => return false,
    }
    true
}

/// Writes `generationConfig`, if there is anything to say.
pub(super) fn generation(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
    root: &mut ObjectWriter<'_>,
) -> Result<(), Failure> {
    let mut out = Vec::new();
    let mut config = Config { object: ObjectWriter::open(&mut out), abilities, losses };
    config.sampling(chat)?;
    config.cap(chat)?;
    config.stop(chat)?;
    if chat.choices > 1 && config.takes(Param::Choices)? {
        config.object.number("candidateCount", chat.choices.into());
    }
    for (param, key) in [(Param::Logprobs, "responseLogprobs"), (Param::TopLogprobs, "logprobs")] {
        config.value(param, key, chat.setting(param).map(AsRef::as_ref))?;
    }
    if let Some(words) = chat.setting(Param::Modalities) {
        let words = words.to_ascii_uppercase();
        config.value(Param::Modalities, "responseModalities", Some(&words))?;
    }
    config.format(chat)?;
    if let Some(reasoning) = &chat.reasoning {
        config.reasoning(reasoning)?;
    }
    let is_empty = config.object.is_empty();
    config.object.close();
    if !is_empty {
        root.key("generationConfig").extend_from_slice(&out);
    }
    Ok(())
}

/// `generationConfig` while it is written.
struct Config<'w, 'd> {
    object: ObjectWriter<'w>,
    abilities: &'w Abilities,
    losses: &'w mut Losses<'d>,
}

impl Config<'_, '_> {
    fn lose(&mut self, param: Param, kind: LossKind) -> Result<(), Failure> {
        self.losses.report(&Place::Param(param), kind)
    }

    /// Whether the target takes a parameter. If not, it is lost.
    fn takes(&mut self, param: Param) -> Result<bool, Failure> {
        if self.abilities.refuses.contains(&param) {
            self.lose(param, LossKind::Dropped)?;
            return Ok(false);
        }
        Ok(true)
    }

    fn value(&mut self, param: Param, key: &str, value: Option<&str>) -> Result<(), Failure> {
        if let Some(value) = value
            && self.takes(param)?
        {
            self.object.raw(key, value);
        }
        Ok(())
    }

    fn sampling(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        let sampling = &chat.sampling;
        for (param, key, value) in [
            (Param::Temperature, "temperature", &sampling.temperature),
            (Param::TopP, "topP", &sampling.top_p),
            (Param::TopK, "topK", &sampling.top_k),
            (Param::Seed, "seed", &sampling.seed),
            (Param::FrequencyPenalty, "frequencyPenalty", &sampling.frequency_penalty),
            (Param::PresencePenalty, "presencePenalty", &sampling.presence_penalty),
        ] {
            self.value(param, key, value.as_deref())?;
        }
        Ok(())
    }

    fn cap(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        let Some(cap) = chat.output_cap else { return Ok(()) };
        if !self.takes(Param::OutputCap)? {
            return Ok(());
        }
        let most = self.abilities.output_tokens_max.unwrap_or(u64::MAX);
        if cap > most {
            self.lose(Param::OutputCap, LossKind::Approximated)?;
        }
        self.object.number("maxOutputTokens", cap.min(most));
        Ok(())
    }

    fn stop(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        if chat.stop.is_empty() || !self.takes(Param::Stop)? {
            return Ok(());
        }
        if chat.stop.len() > STOPS_MAX {
            self.lose(Param::Stop, LossKind::Approximated)?;
        }
        let mut list = self.object.list("stopSequences");
        chat.stop.iter().take(STOPS_MAX).for_each(|text| list.str(text));
        list.close();
        Ok(())
    }

    fn format(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        let Some(format) = &chat.format else { return Ok(()) };
        if !self.takes(Param::Format)? {
            return Ok(());
        }
        match format {
            OutputFormat::Text => {}
            OutputFormat::Json => self.object.str("responseMimeType", "application/json"),
            OutputFormat::Schema { schema, .. } => {
                self.object.str("responseMimeType", "application/json");
                if self.abilities.holds_to_schema {
                    self.object.raw("responseJsonSchema", schema);
                } else {
                    self.lose(Param::Format, LossKind::Approximated)?;
                }
            }
        }
        Ok(())
    }

    /// How much to reason: in the form that the target takes, or, where that is not known, as it was asked for.
    fn reasoning(&mut self, asked: &Reasoning) -> Result<(), Failure> {
        let mut out = Vec::new();
        let mut thinking = ObjectWriter::open(&mut out);
        match self.abilities.reasoning {
            ReasoningForm::Never => {
                let is_off = asked.effort == Some(Effort::None) || asked.budget == Some(0);
                return if is_off { Ok(()) } else { self.lose(Param::Reasoning, LossKind::Dropped) };
            }
            ReasoningForm::Budget => {
                if let (None, Some(effort)) = (asked.budget, asked.effort)
                    && effort != Effort::None
                    && !asked.is_adaptive
                {
                    self.lose(Param::Reasoning, LossKind::Approximated)?;
                }
                budget(asked, &mut thinking);
            }
            ReasoningForm::Effort | ReasoningForm::Adaptive => {
                if asked.effort.is_none() && asked.budget.is_some() {
                    self.lose(Param::Reasoning, LossKind::Approximated)?;
                }
                self.level(asked, &mut thinking)?;
            }
            _ if asked.budget.is_some() || asked.effort == Some(Effort::None) => budget(asked, &mut thinking),
            _ => self.level(asked, &mut thinking)?,
        }
        if let Some(is_shown) = asked.is_shown {
            thinking.bool("includeThoughts", is_shown);
        }
        let is_empty = thinking.is_empty();
        thinking.close();
        if !is_empty {
            self.object.key("thinkingConfig").extend_from_slice(&out);
        }
        Ok(())
    }

    /// The dialect has four levels and none for no reasoning at all.
    fn level(&mut self, asked: &Reasoning, thinking: &mut ObjectWriter<'_>) -> Result<(), Failure> {
        let Some(effort) = asked.effort.or(asked.budget.map(Effort::of_budget)) else { return Ok(()) };
        let level = match effort {
            Effort::None | Effort::Minimal => "MINIMAL",
            Effort::Low => "LOW",
            Effort::Medium => "MEDIUM",
            Effort::High | Effort::Extra | Effort::Max => "HIGH",
        };
        if matches!(effort, Effort::None | Effort::Extra | Effort::Max) {
            self.lose(Param::Reasoning, LossKind::Approximated)?;
        }
        thinking.str("thinkingLevel", level);
        Ok(())
    }
}

/// A budget in tokens; -1 leaves it to the model.
fn budget(asked: &Reasoning, thinking: &mut ObjectWriter<'_>) {
    let tokens = asked.budget.or(asked.effort.filter(|_| !asked.is_adaptive).map(Effort::as_budget));
    match tokens {
        Some(tokens) => thinking.number("thinkingBudget", tokens),
        None if asked.is_adaptive => thinking.raw("thinkingBudget", "-1"),
        None => {}
    }
}
