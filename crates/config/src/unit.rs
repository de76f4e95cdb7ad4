//! Quantities as an operator writes them: durations, sizes, prices, addresses. Each knows how it
//! is written and says what is wrong with one that is not.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use gatewright_policy::Rate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Number, Value};

/// The forms of texts that the schema names and the walker checks.
pub(crate) const DURATION_FORM: &str = "duration-with-unit";
pub(crate) const SIZE_FORM: &str = "byte-size";
pub(crate) const ADDRESS_FORM: &str = "socket-address";
pub(crate) const URL_FORM: &str = "http-base-url";
pub(crate) const PRICE_FORM: &str = "usd-to-nine-decimals";

/// Checks a text against a form of the schema; forms of other vocabularies always pass.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check_form(form: &str, text: &str) -> Result<(), String> {
    match form {
        DURATION_FORM => parse_duration(text).map(|_| ()),
        SIZE_FORM => parse_size(text).map(|_| ()),
        ADDRESS_FORM => text.parse::<std::net::SocketAddr>().map(|_| ()).map_err(|_| {
            "not an address and port; write for example 127.0.0.1:8080 or [::1]:8080".to_owned()
        }),
        URL_FORM => parse_base_url(text).map(|_| ()),
        _ => Ok(()),
    }
}

// === impl Span ===

/// A duration with its unit: `250ms`, `5s`, `30m`, `24h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    pub(crate) const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub(crate) const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let wrong = || "not a duration; write a whole number and a unit: 250ms, 5s, 30m, 24h, 7d".to_owned();
    let (_, factor) = DURATION_UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number = whole_number(digits).ok_or_else(wrong)?;
    let millis = number.checked_mul(factor).filter(|millis| *millis <= MILLIS_MAX);
    millis.map(Duration::from_millis).ok_or_else(|| "the duration is longer than 1000 years".to_owned())
}

/// A bound that no deadline arithmetic overflows.
const MILLIS_MAX: u64 = 1_000 * 366 * 86_400_000;

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = |(_, factor): &&(&str, u64)| millis.is_multiple_of(*factor);
        match DURATION_UNITS.iter().rev().find(whole) {
            Some((unit, factor)) if millis > 0 => write!(f, "{}{unit}", millis / factor),
            _ => write!(f, "0s"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": DURATION_FORM, "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }
}

// === impl Size ===

/// A number of bytes: `65536`, `64KiB`, `10MiB`, `1GiB`, or decimal `10MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let wrong =
        || "not a size; write a whole number of bytes, or one with a unit: 64KiB, 10MiB, 1GiB".to_owned();
    let (_, factor) = SIZE_UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number = whole_number(digits).ok_or_else(wrong)?;
    number.checked_mul(factor).ok_or_else(|| "the size does not fit into 64 bits".to_owned())
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = SIZE_UNITS.iter().take(5).skip(1).rev();
        match binary.into_iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = |message: &str| de::Error::custom(message);
        match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_u64().map(Self).ok_or_else(|| wrong("not a size in bytes")),
            Value::String(text) => parse_size(&text).map(Self).map_err(|message| wrong(&message)),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(wrong("not a size")),
        }
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "maximum": u64::MAX,
            "format": SIZE_FORM,
            "pattern": "^[0-9]+(B|[KMGT]iB|kB|MB|GB)$",
        })
    }
}

fn whole_number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

// === impl Dollars ===

/// A price in USD per million tokens, kept exactly as nano-dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dollars(pub(crate) Rate);

/// Reads a decimal number of dollars without a float in between.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn parse_dollars(number: &Number) -> Result<Rate, String> {
    const NANO_DIGITS: i32 = 9;
    let text = number.to_string();
    let wrong = || format!("{text} is not a price from 0 to 1000000 USD per million tokens");
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction_digits = i32::try_from(fraction.len()).map_err(|_| wrong())?;
    let exponent: i32 = exponent.parse().map_err(|_| wrong())?;
    let shift = NANO_DIGITS.checked_add(exponent).and_then(|sum| sum.checked_sub(fraction_digits));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i32::try_from(digits.len() - significant.len()).map_err(|_| wrong())?;
    let shift = shift.and_then(|shift| shift.checked_add(zeros)).ok_or_else(wrong)?;
    if significant.is_empty() {
        return Ok(Rate(0));
    }
    let significant: u64 = significant.parse().map_err(|_| wrong())?;
    let power = u32::try_from(shift).map_err(|_| format!("{text} has more than nine decimals"))?;
    let nanos = 10_u64.checked_pow(power).and_then(|power| significant.checked_mul(power));
    nanos.filter(|nanos| *nanos <= 1_000_000_000_000_000).map(Rate).ok_or_else(wrong)
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        parse_dollars(&number).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for Dollars {
    fn schema_name() -> Cow<'static, str> {
        "Price".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1_000_000, "format": PRICE_FORM })
    }
}

// === base URLs ===

/// Reads a provider's base URL: `http` or `https`, a host, a path without a trailing slash.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn parse_base_url(text: &str) -> Result<gatewright::http::Uri, String> {
    let uri: gatewright::http::Uri = text
        .trim_end_matches('/')
        .parse()
        .map_err(|_| "not a URL; write for example https://api.example.com/v1".to_owned())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("the URL must begin with http:// or https://".to_owned());
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("the URL must not carry a user name or password; use api_key or headers".to_owned());
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("the URL names no host".to_owned());
    }
    if uri.query().is_some() || text.contains('#') {
        return Err("the URL must not carry a query or a fragment".to_owned());
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::{Size, Span, parse_base_url, parse_dollars, parse_duration, parse_size};
    use std::time::Duration;

    #[test]
    fn durations_have_a_whole_number_and_a_unit() {
        let table = [
            ("250ms", Some(250)),
            ("0s", Some(0)),
            ("5s", Some(5_000)),
            ("30m", Some(1_800_000)),
            ("24h", Some(86_400_000)),
            ("7d", Some(604_800_000)),
            ("5", None),
            ("s", None),
            ("", None),
            ("1.5s", None),
            ("-5s", None),
            ("+5s", None),
            ("5 s", None),
            ("5S", None),
            ("1h30m", None),
            ("٣s", None),
            ("18446744073709551616ms", None),
            ("18446744073709551615d", None),
        ];
        for (text, millis) in table {
            assert_eq!(parse_duration(text).ok(), millis.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        let table = [
            ("0", None),
            ("1B", Some(1)),
            ("64KiB", Some(65_536)),
            ("10MiB", Some(10 << 20)),
            ("1GiB", Some(1 << 30)),
            ("10MB", Some(10_000_000)),
            ("10M", None),
            ("1.5MiB", None),
            ("99999999999999TiB", None),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_size(text).ok(), bytes, "{text:?}");
        }
    }

    #[test]
    fn quantities_print_as_they_are_written() {
        for text in ["0s", "250ms", "90s", "30m", "1h", "7d"] {
            assert_eq!(Span(parse_duration(text).unwrap()).to_string(), text);
        }
        for text in ["0B", "100B", "64KiB", "10MiB", "3GiB"] {
            assert_eq!(Size(parse_size(text).unwrap()).to_string(), text);
        }
    }

    #[test]
    fn prices_are_exact() {
        let table = [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("0.15", Some(150_000_000)),
            ("0.10", Some(100_000_000)),
            ("10", Some(10_000_000_000)),
            ("2.5e-1", Some(250_000_000)),
            ("1E2", Some(100_000_000_000)),
            ("0.000000001", Some(1)),
            ("0.0000000010", Some(1)),
            ("0.0000000001", None),
            ("1000000", Some(1_000_000_000_000_000)),
            ("1000001", None),
            ("1e99", None),
            ("1e-2147483648", None),
            ("-1", None),
        ];
        for (text, nanos) in table {
            let number = text.parse().unwrap();
            assert_eq!(parse_dollars(&number).ok().map(|rate| rate.0), nanos, "{text}");
        }
    }

    #[test]
    fn base_urls_are_origins_with_a_path() {
        for text in
            ["http://127.0.0.1:9901/v1", "https://api.example.com", "https://h/v1/", "http://[::1]:80"]
        {
            assert!(parse_base_url(text).is_ok(), "{text}");
        }
        assert_eq!(parse_base_url("https://h/v1/").unwrap().path(), "/v1");
        for text in [
            "",
            "h",
            "/v1",
            "ftp://h",
            "https://",
            "https://u:p@h",
            "https://h?q=1",
            "https://h#f",
            "ht tp://h",
        ] {
            assert!(parse_base_url(text).is_err(), "{text}");
        }
    }
}
