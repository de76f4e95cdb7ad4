//! The price catalogue that ships inside the binary: facts about models, one a line, sorted by
//! provider and model.
//!
//! A model is found by bisection and only its line is parsed, so that the catalogue costs nothing
//! at the start. What the configuration states as `price` always wins.

use std::cmp::Ordering;

use gatewright_policy::{PriceBook, Rate, Rates, Tier};
use serde::Deserialize;
use serde_json::Number;

use crate::unit::parse_dollars;

/// One JSON object a line between a line `[` and a line `]`.
static MODELS: &str = include_str!("../data/models.json");

/// The prices of a provider's model, or `None` where they are not known.
///
/// Where the catalogue does not know the name itself, it looks for the model that the name is a
/// version of, in this order:
///
/// - a fine-tuned model, `ft:base:organisation::id`, costs as its base, `ft:base`;
/// - a dated version (`-2025-01-31`, `-20250131`, `@20250131`) or `-latest` costs as the name before it.
#[must_use]
pub fn price(provider: &str, model: &str) -> Option<PriceBook> {
    let mut name = model;
    loop {
        if let Some(record) = find(provider, name) {
            return record.price();
        }
        name = base_of(name)?;
    }
}

/// The name that `model` is a version of.
fn base_of(model: &str) -> Option<&str> {
    if let Some(tuned) = model.strip_prefix("ft:")
        && let Some((base, _)) = tuned.split_once(':')
    {
        return model.get(.."ft:".len().saturating_add(base.len()));
    }
    if let Some(base) = model.strip_suffix("-latest") {
        return Some(base);
    }
    // The longest form first: a date with dashes ends in digits as well.
    ["-dddd-dd-dd", "-dddddddd", "@dddddddd"].into_iter().find_map(|form| {
        let start = model.len().checked_sub(form.len()).filter(|start| *start > 0)?;
        let end = model.get(start..)?;
        let fits = |(byte, form): (u8, u8)| if form == b'd' { byte.is_ascii_digit() } else { byte == form };
        end.bytes().zip(form.bytes()).all(fits).then(|| model.get(..start)).flatten()
    })
}

/// What the catalogue says about a model, as far as prices go. Figures are USD per million tokens.
#[derive(Deserialize)]
struct Record {
    input_usd_per_mtok: Option<Number>,
    output_usd_per_mtok: Option<Number>,
    cache_read_usd_per_mtok: Option<Number>,
    cache_write_usd_per_mtok: Option<Number>,
    cache_write_1h_usd_per_mtok: Option<Number>,
    reasoning_usd_per_mtok: Option<Number>,
    audio_input_usd_per_mtok: Option<Number>,
    audio_output_usd_per_mtok: Option<Number>,
    batch_input_usd_per_mtok: Option<Number>,
    batch_output_usd_per_mtok: Option<Number>,
    #[serde(default)]
    tiers: Vec<RecordTier>,
}

#[derive(Deserialize)]
struct RecordTier {
    above_input_tokens: u64,
    input_usd_per_mtok: Number,
    output_usd_per_mtok: Number,
}

impl Record {
    /// The prices, or `None` where not even prompt tokens have one.
    fn price(&self) -> Option<PriceBook> {
        let rates = Rates {
            input: Some(rate(self.input_usd_per_mtok.as_ref())?),
            cache_read: rate(self.cache_read_usd_per_mtok.as_ref()),
            cache_write: rate(self.cache_write_usd_per_mtok.as_ref()),
            cache_write_1h: rate(self.cache_write_1h_usd_per_mtok.as_ref()),
            output: rate(self.output_usd_per_mtok.as_ref()),
            reasoning: rate(self.reasoning_usd_per_mtok.as_ref()),
            input_audio: rate(self.audio_input_usd_per_mtok.as_ref()),
            output_audio: rate(self.audio_output_usd_per_mtok.as_ref()),
        };
        let tier = |tier: &RecordTier| {
            let input = rate(Some(&tier.input_usd_per_mtok))?;
            let output = rate(Some(&tier.output_usd_per_mtok))?;
            let rates = scaled(&rates, input, output)?;
            Some(Tier { above_prompt_tokens: tier.above_input_tokens, rates })
        };
        let batch = match (
            rate(self.batch_input_usd_per_mtok.as_ref()),
            rate(self.batch_output_usd_per_mtok.as_ref()),
        ) {
            (Some(input), output) => Some(Rates { input: Some(input), output, ..Rates::default() }),
            (None, _) => None,
        };
        Some(PriceBook { rates, tiers: self.tiers.iter().map(tier).collect::<Option<_>>()?, batch })
    }
}

fn rate(number: Option<&Number>) -> Option<Rate> {
    number.and_then(|number| parse_dollars(number).ok())
}

/// The rates of a tier for which only input and output are stated: classes of the prompt move
/// with the input, classes of the output with the output. Rounded up: a price is not understated.
fn scaled(rates: &Rates, input: Rate, output: Rate) -> Option<Rates> {
    let scale = |rate: Option<Rate>, from: Option<Rate>, to: Rate| {
        let (rate, from) = (u128::from(rate?.0), u128::from(from?.0));
        let scaled =
            rate.checked_mul(u128::from(to.0))?.checked_add(from.checked_sub(1)?)?.checked_div(from)?;
        u64::try_from(scaled).ok().map(Rate)
    };
    let of_prompt = |rate| scale(rate, rates.input, input);
    let of_output = |rate| scale(rate, rates.output, output);
    Some(Rates {
        input: Some(input),
        cache_read: of_prompt(rates.cache_read),
        cache_write: of_prompt(rates.cache_write),
        cache_write_1h: of_prompt(rates.cache_write_1h),
        output: Some(output),
        reasoning: of_output(rates.reasoning),
        input_audio: of_prompt(rates.input_audio),
        output_audio: of_output(rates.output_audio),
    })
}

/// Finds a record by bisection over the text. Of several with one name, the first.
fn find(provider: &str, model: &str) -> Option<Record> {
    let sought = (provider, model);
    let (mut low, mut high) = (0, MODELS.len());
    while low < high {
        let middle = low.midpoint(high);
        let line = line_at(middle);
        match key(MODELS.get(line.clone())?) {
            // The lines with brackets stand before and after all records.
            None if line.start == 0 => low = line.end.saturating_add(1),
            None => high = line.start,
            Some(found) => match found.cmp(&sought) {
                Ordering::Less => low = line.end.saturating_add(1),
                Ordering::Equal | Ordering::Greater => high = line.start,
            },
        }
    }
    let line = MODELS.get(line_at(low))?;
    (key(line)? == sought).then(|| serde_json::from_str(line.trim_end_matches(',')).ok()).flatten()
}

/// The range of the line around a byte, without its line break.
fn line_at(byte: usize) -> std::ops::Range<usize> {
    let before = MODELS.get(..byte).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let rest = MODELS.get(byte..).unwrap_or_default();
    let end = rest.find('\n').map_or(MODELS.len(), |length| byte.saturating_add(length));
    start..end
}

/// Provider and model of a line, without parsing it.
fn key(line: &str) -> Option<(&str, &str)> {
    let (provider, rest) = line.strip_prefix("{\"provider\":\"")?.split_once('"')?;
    let (model, _) = rest.strip_prefix(",\"model\":\"")?.split_once('"')?;
    Some((provider, model))
}

#[cfg(test)]
mod tests;
