//! What models can take, as a provider adapter's data file tells it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Abilities, ReasoningForm};
use crate::BuildError;
use crate::chat::{MediaKind, Param};

/// The abilities of a provider's models, by name.
///
/// # Example
///
/// ```
/// use gatewright::dialect::{AbilityTable, ReasoningForm};
///
/// let table = AbilityTable::parse(r#"[{"model": "m-2", "output_tokens_max": 8192, "reasoning": "budget"}]"#)?;
/// assert_eq!(table.of("m-2-2026-01-31").output_tokens_max, Some(8192));
/// assert_eq!(table.of("other").reasoning, ReasoningForm::Usual);
/// # Ok::<(), gatewright::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AbilityTable {
    rows: HashMap<String, Abilities>,
}

impl AbilityTable {
    /// Reads a table: a JSON array with an object for each model. Its members are `model` and, where they differ from
    /// [`Abilities::default`], the fields of [`Abilities`]; `reasoning`, `media` and `refuses` are words.
    ///
    /// # Errors
    ///
    /// When it is none, or a member is not known.
    pub fn parse(json: &str) -> Result<Self, BuildError> {
        let table: Vec<Map<String, Value>> = serde_json::from_str(json)
            .map_err(|cause| BuildError::new(format!("the table of models cannot be read: {cause}")))?;
        let rows = table.iter().map(row).collect::<Result<_, _>>()?;
        Ok(Self { rows })
    }

    /// What a model can take. A name that is not there, and begins with one that is and a `-`, `@` or `:`, is a
    /// version of that; of any other nothing is known.
    #[must_use]
    pub fn of(&self, model: &str) -> Abilities {
        let ends = model.rmatch_indices(['-', '@', ':']).map(|(end, _)| end);
        let mut names = std::iter::once(model.len()).chain(ends).filter_map(|end| model.get(..end));
        names.find_map(|name| self.rows.get(name)).cloned().unwrap_or_default()
    }
}

fn row(row: &Map<String, Value>) -> Result<(String, Abilities), BuildError> {
    let mut abilities = Abilities::default();
    let mut model = None;
    for (key, value) in row {
        let known = match key.as_str() {
            "model" => set(&mut model, value.as_str().map(|name| Some(name.to_owned()))),
            "output_tokens_max" => set(&mut abilities.output_tokens_max, value.as_u64().map(Some)),
            "reasoning" => set(&mut abilities.reasoning, value.as_str().and_then(reasoning)),
            "media" => set(&mut abilities.media, words(value, media)),
            "refuses" => set(&mut abilities.refuses, words(value, param)),
            "fetches_urls" => set(&mut abilities.fetches_urls, value.as_bool()),
            "continues_answers" => set(&mut abilities.continues_answers, value.as_bool()),
            "holds_to_schema" => set(&mut abilities.holds_to_schema, value.as_bool()),
            "has_legacy_cap" => set(&mut abilities.has_legacy_cap, value.as_bool()),
            _ => None,
        };
        if known.is_none() {
            let text = format!("`{key}: {value}` stands in the table of models, and means nothing there");
            return Err(BuildError::new(text));
        }
    }
    let model = model.ok_or_else(|| BuildError::new("a row of the table of models names no model"))?;
    Ok((model, abilities))
}

fn set<T>(field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    Some(())
}

fn words<T>(list: &Value, of_word: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    list.as_array()?.iter().map(|word| of_word(word.as_str()?)).collect()
}

fn reasoning(word: &str) -> Option<ReasoningForm> {
    Some(match word {
        "usual" => ReasoningForm::Usual,
        "never" => ReasoningForm::Never,
        "budget" => ReasoningForm::Budget,
        "effort" => ReasoningForm::Effort,
        "adaptive" => ReasoningForm::Adaptive,
        _ => return None,
    })
}

fn media(word: &str) -> Option<MediaKind> {
    Some(match word {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        "document" => MediaKind::Document,
        _ => return None,
    })
}

fn param(word: &str) -> Option<Param> {
    Some(match word {
        "temperature" => Param::Temperature,
        "top_p" => Param::TopP,
        "top_k" => Param::TopK,
        "seed" => Param::Seed,
        "frequency_penalty" => Param::FrequencyPenalty,
        "presence_penalty" => Param::PresencePenalty,
        "stop" => Param::Stop,
        "choices" => Param::Choices,
        "parallel_tools" => Param::ParallelTools,
        "logprobs" => Param::Logprobs,
        "format" => Param::Format,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{AbilityTable, MediaKind, Param, ReasoningForm};

    #[test]
    fn the_longest_name_that_a_model_begins_with_says_what_it_can() {
        let json = r#"[
            {"model": "m", "output_tokens_max": 1},
            {"model": "m-pro", "output_tokens_max": 2, "reasoning": "effort", "media": ["image"], "refuses": ["top_k"]}
        ]"#;
        let table = AbilityTable::parse(json).unwrap();
        for (model, expected) in [
            ("m", Some(1)),
            ("m-x", Some(1)),
            ("m-pro@1", Some(2)),
            ("m-prox", Some(1)),
            ("mx", None),
            ("", None),
        ] {
            assert_eq!(table.of(model).output_tokens_max, expected, "{model}");
        }
        let pro = table.of("m-pro");
        assert_eq!(pro.reasoning, ReasoningForm::Effort);
        assert_eq!((pro.media, pro.refuses), (vec![MediaKind::Image], vec![Param::TopK]));
    }

    #[test]
    fn a_table_with_an_unknown_word_is_refused() {
        for json in
            ["{}", r#"[{}]"#, r#"[{"model": "m", "x": 1}]"#, r#"[{"model": "m", "reasoning": "hard"}]"#]
        {
            assert!(AbilityTable::parse(json).is_err(), "{json}");
        }
    }
}
