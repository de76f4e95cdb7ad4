//! Counts what an answer consumes: the provider's own figures where it reports them, an estimate
//! until then.

use gatewright::{Usage, UsageSource};

/// Bytes of generated text, in wire form, that stand for one token in estimates.
const BYTES_PER_TOKEN: u64 = 4;

/// The running count of one attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    prompt_estimate: u64,
    /// Since the last report, or since the beginning.
    text_bytes: u64,
    reported: Option<Usage>,
}

impl Meter {
    /// Begins an attempt whose prompt is about this long.
    pub(crate) fn new(prompt_estimate: u64) -> Self {
        Self { prompt_estimate, text_bytes: 0, reported: None }
    }

    /// Text flowed.
    pub(crate) fn text(&mut self, bytes: u64) {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
    }

    /// This many tokens flowed, by another estimate than the length of the text.
    pub(crate) fn tokens(&mut self, tokens: u64) {
        self.text(tokens.saturating_mul(BYTES_PER_TOKEN));
    }

    /// The provider reported; later figures replace earlier ones.
    pub(crate) fn report(&mut self, usage: Usage) {
        self.reported = Some(usage);
        self.text_bytes = 0;
    }

    /// The figures and where they come from. A report in the middle of an answer leaves out what follows it, which is
    /// estimated.
    pub(crate) fn usage(&self) -> (Usage, UsageSource) {
        match self.reported {
            Some(usage) if self.text_bytes == 0 => (usage, UsageSource::Provider),
            Some(usage) => {
                let output = usage.output.saturating_add(self.text_bytes.div_ceil(BYTES_PER_TOKEN));
                (Usage { output, ..usage }, UsageSource::Estimated)
            }
            None => (self.estimate(), UsageSource::Estimated),
        }
    }

    fn estimate(&self) -> Usage {
        Usage {
            input: self.prompt_estimate,
            output: self.text_bytes.div_ceil(BYTES_PER_TOKEN),
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright::{Usage, UsageSource};

    use super::Meter;

    #[test]
    fn estimates_until_the_provider_reports() {
        let mut meter = Meter::new(100);
        meter.text(9);
        let estimate = Usage { input: 100, output: 3, ..Usage::default() };
        assert_eq!(meter.usage(), (estimate, UsageSource::Estimated));

        let reported = Usage { input: 90, output: 2, ..Usage::default() };
        meter.report(reported);
        assert_eq!(meter.usage(), (reported, UsageSource::Provider));
    }

    #[test]
    fn estimates_what_follows_a_report_in_the_middle_of_an_answer() {
        let mut meter = Meter::new(100);
        meter.report(Usage { input: 90, output: 1, ..Usage::default() });
        meter.text(40);
        let so_far = Usage { input: 90, output: 11, ..Usage::default() };
        assert_eq!(meter.usage(), (so_far, UsageSource::Estimated));

        let reported = Usage { input: 90, output: 8, ..Usage::default() };
        meter.report(reported);
        assert_eq!(meter.usage(), (reported, UsageSource::Provider));
    }
}
