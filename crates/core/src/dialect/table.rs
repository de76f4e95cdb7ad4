//! What models can take, as a provider adapter's data file tells it.

use std::borrow::Cow;
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
    others: Abilities,
}

impl AbilityTable {
    /// Reads a table: a JSON array with an object for each model. Its members are `model` and, where they differ from
    /// [`Abilities::default`], the fields of [`Abilities`]; `reasoning`, `media` and `refuses` are words, `names` is
    /// an object.
    ///
    /// # Errors
    ///
    /// When it is none, or a member is not known.
    pub fn parse(json: &str) -> Result<Self, BuildError> {
        let table: Vec<Map<String, Value>> = serde_json::from_str(json)
            .map_err(|cause| BuildError::new(format!("the table of models cannot be read: {cause}")))?;
        let rows = table.iter().map(row).collect::<Result<_, _>>()?;
        Ok(Self { rows, others: Abilities::default() })
    }

    /// A table of these rows, and of what all other models can take.
    #[must_use]
    pub fn of_rows(rows: impl IntoIterator<Item = (String, Abilities)>, others: Abilities) -> Self {
        Self { rows: rows.into_iter().collect(), others }
    }

    /// What a model can take. A name that is not there, and begins with one that is and a `-`, `@` or `:`, is a
    /// version of that; of any other nothing is known but what holds for all.
    #[must_use]
    pub fn of(&self, model: &str) -> Abilities {
        let ends = model.rmatch_indices(['-', '@', ':']).map(|(end, _)| end);
        let mut names = std::iter::once(model.len()).chain(ends).filter_map(|end| model.get(..end));
        names.find_map(|name| self.rows.get(name)).unwrap_or(&self.others).clone()
    }
}

fn row(row: &Map<String, Value>) -> Result<(String, Abilities), BuildError> {
    let mut abilities = Abilities::default();
    let mut model = None;
    for (key, value) in row {
        let known = match key.as_str() {
            "model" => set(&mut model, value.as_str().map(|name| Some(name.to_owned()))),
            "output_tokens_max" => set(&mut abilities.output_tokens_max, value.as_u64().map(Some)),
            "inputs_max" => set(&mut abilities.inputs_max, value.as_u64().map(Some)),
            "reasoning" => set(&mut abilities.reasoning, value.as_str().and_then(ReasoningForm::of_word)),
            "media" => set(&mut abilities.media, words(value, MediaKind::of_word)),
            "refuses" => set(&mut abilities.refuses, words(value, Param::of_word)),
            "names" => set(&mut abilities.names, names(value)),
            "fetches_urls" => set(&mut abilities.fetches_urls, value.as_bool()),
            "continues_answers" => set(&mut abilities.continues_answers, value.as_bool()),
            "holds_to_schema" => set(&mut abilities.holds_to_schema, value.as_bool()),
            "has_legacy_cap" => set(&mut abilities.has_legacy_cap, value.as_bool()),
            "has_stream_options" => set(&mut abilities.has_stream_options, value.as_bool()),
            "has_developer_role" => set(&mut abilities.has_developer_role, value.as_bool()),
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

fn names(value: &Value) -> Option<Vec<(Param, Cow<'static, str>)>> {
    let name =
        |(word, name): (&String, &Value)| Some((Param::of_word(word)?, name.as_str()?.to_owned().into()));
    value.as_object()?.iter().map(name).collect()
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
    fn every_parameter_has_a_word_and_every_word_its_parameter() {
        for param in Param::ALL {
            assert_eq!(Param::of_word(param.as_str()), Some(param));
        }
        assert_eq!(Param::of_word("no_such"), None);
    }

    #[test]
    fn what_holds_for_all_models_holds_for_those_without_a_row() {
        let legacy = super::Abilities { has_legacy_cap: true, ..super::Abilities::default() };
        let table = AbilityTable::of_rows([("m".to_owned(), super::Abilities::default())], legacy.clone());
        assert_eq!(table.of("other"), legacy);
        assert!(!table.of("m-2").has_legacy_cap);
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
