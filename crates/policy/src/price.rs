//! Prices and costs in integers: rates are nano-dollars per million tokens, and an amount is
//! rounded half up once.

use gatewright::{Money, Usage};

/// Nano-dollars per million tokens: 0.15 USD per million tokens is 150,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub u64);

/// The rates of one price level. `None` means that nobody stated the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Prompt tokens outside the prompt cache.
    pub input: Option<Rate>,
    /// Prompt tokens read from the cache; without a rate they cost as `input`.
    pub cache_read: Option<Rate>,
    /// Prompt tokens written to the cache for its short lifetime; without a rate as `input`.
    pub cache_write: Option<Rate>,
    /// Prompt tokens written to the cache for one hour; without a rate as `cache_write`.
    pub cache_write_1h: Option<Rate>,
    /// Generated tokens.
    pub output: Option<Rate>,
    /// The part of the output that was reasoning; without a rate as `output`.
    pub reasoning: Option<Rate>,
    /// The part of the prompt that was audio; without a rate as `input`.
    pub input_audio: Option<Rate>,
    /// The part of the output that was audio; without a rate as `output`.
    pub output_audio: Option<Rate>,
}

/// Rates that hold for the whole request once its prompt is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The tier holds for prompts with more tokens than this.
    pub above_prompt_tokens: u64,
    /// Its rates.
    pub rates: Rates,
}

/// What the tokens of one target cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceBook {
    /// The rates of an ordinary request.
    pub rates: Rates,
    /// The rates of long prompts, in any order; the highest threshold that is exceeded holds.
    pub tiers: Vec<Tier>,
    /// The rates of a request that a provider's batch service ran.
    pub batch: Option<Rates>,
}

impl PriceBook {
    fn rates_for(&self, prompt_tokens: u64) -> &Rates {
        self.tiers
            .iter()
            .filter(|tier| prompt_tokens > tier.above_prompt_tokens)
            .max_by_key(|tier| tier.above_prompt_tokens)
            .map_or(&self.rates, |tier| &tier.rates)
    }
}

/// What `usage` costs, rounded half up to a nano-dollar once.
///
/// `None` where tokens of a class were used that has no rate, or the amount does not fit: an
/// unknown price is never zero.
#[must_use]
pub fn cost(usage: &Usage, book: &PriceBook) -> Option<Money> {
    total(usage, book.rates_for(usage.prompt_tokens()))
}

/// What `usage` costs when a provider's batch service ran the request.
///
/// `None` as for [`cost`], and where the book has no batch rates.
#[must_use]
pub fn batch_cost(usage: &Usage, book: &PriceBook) -> Option<Money> {
    total(usage, book.batch.as_ref()?)
}

fn total(usage: &Usage, rates: &Rates) -> Option<Money> {
    const MILLION: u128 = 1_000_000;
    const HALF: u128 = MILLION / 2;
    let input_audio = usage.input_audio.min(usage.input);
    let output_audio = usage.output_audio.min(usage.output);
    let reasoning = usage.reasoning.min(usage.output.saturating_sub(output_audio));
    let output = usage.output.saturating_sub(output_audio).saturating_sub(reasoning);
    let classes = [
        (usage.input.saturating_sub(input_audio), rates.input),
        (input_audio, rates.input_audio.or(rates.input)),
        (usage.cache_read, rates.cache_read.or(rates.input)),
        (usage.cache_write, rates.cache_write.or(rates.input)),
        (usage.cache_write_1h, rates.cache_write_1h.or(rates.cache_write).or(rates.input)),
        (output, rates.output),
        (reasoning, rates.reasoning.or(rates.output)),
        (output_audio, rates.output_audio.or(rates.output)),
    ];
    let mut millionths = 0_u128;
    for (tokens, rate) in classes.into_iter().filter(|(tokens, _)| *tokens > 0) {
        millionths = millionths.checked_add(u128::from(tokens).checked_mul(u128::from(rate?.0))?)?;
    }
    let nanos = millionths.checked_add(HALF)?.checked_div(MILLION)?;
    i64::try_from(nanos).ok().map(Money::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::{PriceBook, Rate, Rates, Tier, batch_cost, cost};
    use gatewright::{Money, Usage};

    /// A rate of so many cents per million tokens.
    fn cents(cents: u64) -> Option<Rate> {
        Some(Rate(cents * 10_000_000))
    }

    fn book(rates: Rates) -> PriceBook {
        PriceBook { rates, ..PriceBook::default() }
    }

    #[test]
    fn every_class_of_tokens_has_its_rate() {
        let rates = Rates {
            input: cents(100),
            cache_read: cents(10),
            cache_write: cents(125),
            cache_write_1h: cents(200),
            output: cents(500),
            reasoning: cents(600),
            input_audio: cents(1_000),
            output_audio: cents(2_000),
        };
        let usage = Usage {
            input: 1_000_000,
            input_audio: 200_000,
            cache_read: 1_000_000,
            cache_write: 1_000_000,
            cache_write_1h: 1_000_000,
            output: 1_000_000,
            reasoning: 300_000,
            output_audio: 100_000,
        };
        // In cents: 80 + 200 + 10 + 125 + 200 + 300 + 180 + 200.
        assert_eq!(cost(&usage, &book(rates)), Some(Money::from_nanos(12_950_000_000)));
    }

    #[test]
    fn classes_without_a_rate_cost_as_their_parent() {
        let rates = Rates { input: cents(100), output: cents(200), ..Rates::default() };
        let usage = Usage {
            input: 250_000,
            cache_read: 250_000,
            cache_write: 250_000,
            cache_write_1h: 250_000,
            output: 1_000_000,
            reasoning: 500_000,
            ..Usage::default()
        };
        assert_eq!(cost(&usage, &book(rates)), Some(Money::from_nanos(3_000_000_000)));
    }

    #[test]
    fn an_unknown_price_is_never_zero() {
        let usage = Usage { input: 1, output: 1, ..Usage::default() };
        assert_eq!(cost(&usage, &PriceBook::default()), None);
        assert_eq!(cost(&usage, &book(Rates { input: cents(1), ..Rates::default() })), None);
        assert_eq!(
            batch_cost(&usage, &book(Rates { input: cents(1), output: cents(1), ..Rates::default() })),
            None
        );
    }

    #[test]
    fn tokens_of_an_unpriced_class_matter_only_when_used() {
        let embedding = book(Rates { input: cents(2), ..Rates::default() });
        let usage = Usage { input: 1_000_000, ..Usage::default() };
        assert_eq!(cost(&usage, &embedding), Some(Money::from_nanos(20_000_000)));
        assert_eq!(cost(&Usage::default(), &PriceBook::default()), Some(Money::ZERO));
    }

    #[test]
    fn amounts_are_rounded_half_up_once() {
        // 3 tokens at 0.5 nano-dollars each are 1.5, whether in one class or in three.
        let rate = Some(Rate(500_000));
        let rates = Rates { input: rate, output: rate, cache_read: rate, ..Rates::default() };
        let one_class = Usage { input: 3, ..Usage::default() };
        let three_classes = Usage { input: 1, cache_read: 1, output: 1, ..Usage::default() };
        assert_eq!(cost(&one_class, &book(rates)), Some(Money::from_nanos(2)));
        assert_eq!(cost(&three_classes, &book(rates)), Some(Money::from_nanos(2)));
        assert_eq!(cost(&Usage { input: 1, ..Usage::default() }, &book(rates)), Some(Money::from_nanos(1)));
    }

    #[test]
    fn the_highest_exceeded_tier_holds_for_the_whole_request() {
        let level = |price| Rates { input: cents(price), output: cents(price), ..Rates::default() };
        let book = PriceBook {
            rates: level(1),
            tiers: vec![
                Tier { above_prompt_tokens: 500, rates: level(3) },
                Tier { above_prompt_tokens: 200, rates: level(2) },
            ],
            batch: None,
        };
        for (prompt, price) in [(200, 1), (201, 2), (500, 2), (501, 3)] {
            let usage = Usage { cache_read: 100, input: prompt - 100, output: 10, ..Usage::default() };
            let expected = i64::try_from((prompt + 10) * price * 10).unwrap();
            assert_eq!(cost(&usage, &book), Some(Money::from_nanos(expected)), "{prompt}");
        }
    }

    #[test]
    fn amounts_that_do_not_fit_are_unknown() {
        let rates = Rates { input: Some(Rate(u64::MAX)), ..Rates::default() };
        let usage = Usage { input: u64::MAX, ..Usage::default() };
        assert_eq!(cost(&usage, &book(rates)), None);
    }
}
