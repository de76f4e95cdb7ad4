//! What the caller learns of its limits: per unit the one that is nearest to its end, as headers.

use gatewright::{LimitHint, LimitUnit};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The names of a unit's headers: limit, remaining, reset.
type Names = [HeaderName; 3];

static REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// The tightest limits so far.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    requests: Option<LimitHint>,
    tokens: Option<LimitHint>,
}

impl Hints {
    /// Keeps the hint if it is nearer to its end than what is known of its unit.
    pub(crate) fn keep_tightest(&mut self, new: Option<LimitHint>) {
        let Some(new) = new else { return };
        let share = |hint: &LimitHint| {
            u128::from(hint.remaining) * u128::from(u64::MAX) / u128::from(hint.limit.max(1))
        };
        let known = self.of(new.unit);
        if known.as_ref().is_none_or(|known| share(&new) < share(known)) {
            *known = Some(new);
        }
    }

    /// Keeps the hint of the limit that refused.
    pub(crate) fn keep(&mut self, hint: Option<LimitHint>) {
        if let Some(hint) = hint {
            *self.of(hint.unit) = Some(hint);
        }
    }

    fn of(&mut self, unit: LimitUnit) -> &mut Option<LimitHint> {
        match unit {
            LimitUnit::Requests => &mut self.requests,
            LimitUnit::Tokens => &mut self.tokens,
        }
    }

    /// Adds the headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        for (hint, [limit, remaining, reset]) in [(self.requests, &REQUESTS), (self.tokens, &TOKENS)] {
            let Some(hint) = hint else { continue };
            headers.insert(limit, HeaderValue::from(hint.limit));
            headers.insert(remaining, HeaderValue::from(hint.remaining));
            let seconds = hint.reset.as_secs() + u64::from(hint.reset.subsec_nanos() > 0);
            if let Ok(seconds) = HeaderValue::from_str(&format!("{seconds}s")) {
                headers.insert(reset, seconds);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatewright::{LimitHint, LimitUnit};
    use http::HeaderMap;

    use super::Hints;

    #[test]
    fn each_unit_tells_of_its_tightest_limit() {
        let hint = |unit, limit, remaining| {
            Some(LimitHint { unit, limit, remaining, reset: Duration::from_millis(1500) })
        };
        let mut hints = Hints::default();
        for (unit, limit, remaining) in [
            (LimitUnit::Requests, 10, 5),
            (LimitUnit::Requests, 100, 20),
            (LimitUnit::Requests, 1000, 900),
            (LimitUnit::Tokens, 5000, 4000),
        ] {
            hints.keep_tightest(hint(unit, limit, remaining));
        }
        hints.keep_tightest(None);
        let mut headers = HeaderMap::new();
        hints.write(&mut headers);
        assert_eq!(headers["x-ratelimit-limit-requests"], "100");
        assert_eq!(headers["x-ratelimit-remaining-requests"], "20");
        assert_eq!(headers["x-ratelimit-remaining-tokens"], "4000");
        assert_eq!(headers["x-ratelimit-reset-tokens"], "2s");
        hints.keep(hint(LimitUnit::Requests, 1000, 999));
        hints.write(&mut headers);
        assert_eq!(headers["x-ratelimit-limit-requests"], "1000", "the one that refused is told");
    }
}
