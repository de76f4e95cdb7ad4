//! Amounts of money as integers.

use std::fmt;

/// An amount in nano-dollars (10⁻⁹ USD), so that sums of parts equal their total exactly.
///
/// The range is about ±9.2 billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum, or `None` where it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The difference, or `None` where it does not fit.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }
}

/// Why a text is no amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is dollars with at most nine decimals, as in 12.50")]
pub struct ParseMoneyError;

/// Dollars with at most nine decimals, exactly: `12.5`, `-0.000000001`.
impl std::str::FromStr for Money {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, ParseMoneyError> {
        let (is_negative, amount) = match text.strip_prefix('-') {
            Some(amount) => (true, amount),
            None => (false, text),
        };
        let (dollars, decimals) = amount.split_once('.').unwrap_or((amount, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(dollars) || !is_number(decimals) || decimals.len() > 9 {
            return Err(ParseMoneyError);
        }
        let nanos: i64 = format!("{dollars}{decimals:0<9}").parse().map_err(|_| ParseMoneyError)?;
        Ok(Self(if is_negative { -nanos } else { nanos }))
    }
}

/// Dollars with nine decimals, for example `0.000150000`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::Money;

    #[test]
    fn prints_dollars_with_nine_decimals() {
        assert_eq!(Money::from_nanos(150_000).to_string(), "0.000150000");
        assert_eq!(Money::from_nanos(-2_500_000_000).to_string(), "-2.500000000");
    }

    #[test]
    fn reads_dollars_exactly() {
        let nanos = |text: &str| text.parse().map(Money::nanos).ok();
        let cases = [
            ("12.5", Some(12_500_000_000)),
            ("0.000000001", Some(1)),
            ("-3", Some(-3_000_000_000)),
            ("0.0000000001", None),
            ("", None),
            (".5", None),
            ("1.", None),
            ("1e3", None),
            ("99999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(nanos(text), expected, "{text}");
        }
    }

    #[test]
    fn sums_that_do_not_fit_are_refused() {
        assert_eq!(Money::from_nanos(i64::MAX).checked_add(Money::from_nanos(1)), None);
    }
}
