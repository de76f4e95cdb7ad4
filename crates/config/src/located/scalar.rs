//! Plain and quoted scalars: which value of the YAML 1.2 core schema a text is.

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::Number;

use super::{Text, Value};

/// Reads one scalar.
///
/// # Errors
///
/// What is wrong with its tag.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let plain = style == ScalarStyle::Plain;
    let as_text = || Value::Text(Text { text: text.to_owned(), plain, referenced: false });
    match tag {
        None if plain => Ok(plain_value(text).unwrap_or_else(as_text)),
        None => Ok(as_text()),
        Some(tag) if !tag.is_yaml_core_schema() => Err(format!("unknown tag {tag}; remove it")),
        Some(tag) => match (&*tag.suffix, plain_value(text)) {
            ("str", _) => Ok(Value::Text(Text { text: text.to_owned(), plain: false, referenced: false })),
            ("null", Some(value @ Value::Null))
            | ("bool", Some(value @ Value::Bool(_)))
            | ("int" | "float", Some(value @ Value::Number(_))) => Ok(value),
            (kind, _) => Err(format!("the value is not what its tag !!{kind} says")),
        },
    }
}

/// The value of an unquoted scalar, or `None` where it is a text.
pub(crate) fn plain_value(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) if text.starts_with('-') => ("-", rest),
        Some(rest) => ("", rest),
        None => ("", text),
    };
    radix(digits, "0x", 16)
        .or_else(|| radix(digits, "0o", 8))
        .filter(|_| digits == text)
        .or_else(|| decimal(sign, digits))
        .map(Value::Number)
}

fn radix(digits: &str, prefix: &str, radix: u32) -> Option<Number> {
    let digits = digits.strip_prefix(prefix)?;
    u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+')).map(Number::from)
}

/// Numbers keep the text they were written in, so that a price has no rounding behind it.
/// JSON knows neither leading zeros nor a bare leading or trailing dot: both are normalised.
fn decimal(sign: &str, digits: &str) -> Option<Number> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => digits.split_at(at),
        None => (digits, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{dot}{fraction}{exponent}").parse().ok()
}
