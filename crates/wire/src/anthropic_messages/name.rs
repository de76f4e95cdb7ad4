//! Ids of tool calls and names of tools in the few characters that the dialect allows.
//!
//! What fits stays as it is. What does not is written with escapes behind a prefix, so that it can be read back
//! without a memory: a gateway that is restarted between two turns of a conversation, or has a sister, still knows
//! what the client means.

use std::borrow::Cow;

use gatewright::dialect::Envelope;

/// The API takes `[a-zA-Z0-9_-]`, and other providers of the dialect no more than so many of them.
const ID_BYTES_MAX: usize = 64;

/// A tool's name: `[a-zA-Z0-9_-]{1,128}`.
const NAME_BYTES_MAX: usize = 128;

/// What begins an escaped text. A text that begins so of itself is escaped too.
const PREFIX: &str = "gw-x-";

/// What begins a text of which only a digest fits.
const DIGEST_PREFIX: &str = "gw-h-";

/// The tool by which a model is held to a form that its provider cannot hold it to.
pub(super) const FORM: &str = "gw-answer-form";

/// A tool call's id as the dialect takes it. One that is too long even so is told by its digest, which cannot be
/// read back; it only has to be the same in a call and its result.
pub(super) fn id(id: &str) -> Cow<'_, str> {
    match escaped(id) {
        id if id.len() <= ID_BYTES_MAX => id,
        _ => format!("{DIGEST_PREFIX}{:032x}", digest(id)).into(),
    }
}

/// A tool call's id for a client, which takes any length. The call at `index` gets one if its provider gave it none.
pub(super) fn id_for_client<'i>(id: &'i str, envelope: Option<&Envelope>, index: u32) -> Cow<'i, str> {
    match envelope {
        Some(envelope) if id.is_empty() => {
            let answer = envelope.id.as_str();
            format!("toolu_{}_{index}", answer.strip_prefix("req_").unwrap_or(answer)).into()
        }
        _ => escaped(id),
    }
}

/// A tool's name as the dialect takes it; none if it does not fit even so.
pub(super) fn tool(name: &str) -> Option<Cow<'_, str>> {
    Some(escaped(name)).filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))
}

/// What an id or a name stands for.
pub(super) fn original(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.strip_prefix(PREFIX).and_then(unescaped) {
        Some(original) => original.into(),
        None => text,
    }
}

fn escaped(text: &str) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.bytes().all(fits) && !text.starts_with(PREFIX) && !text.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(PREFIX.len() + text.len() + 8);
    out.push_str(PREFIX);
    for byte in text.bytes() {
        match byte {
            b'-' => out.push_str("--"),
            byte if fits(byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("-{byte:02x}")),
        }
    }
    Cow::Owned(out)
}

/// What was escaped; none if this is nothing that [`escaped`] writes.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'-' {
            out.push(byte);
            continue;
        }
        match bytes.next()? {
            b'-' => out.push(b'-'),
            high => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let code = digit(high)? * 16 + digit(bytes.next()?)?;
                out.push(u8::try_from(code).ok()?);
            }
        }
    }
    String::from_utf8(out).ok()
}

/// FNV-1a: two ids of one conversation do not meet by accident, and whoever makes them meet harms only himself.
fn digest(text: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_that_fit_stay_as_they_are() {
        for text in ["toolu_01A", "call-1", "a", "gw-x", &"n".repeat(64)] {
            assert_eq!(id(text), text);
            assert_eq!(tool(text).unwrap(), text);
            assert_eq!(original(text.into()), text);
        }
    }

    #[test]
    fn ids_and_names_that_do_not_fit_are_read_back_without_a_memory() {
        for text in ["functions.Bash:0", "a b", "gw-x-a", "é-ü", "-.-", ""] {
            let written = id(text);
            assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
            assert_eq!(original(written), text);
        }
    }

    #[test]
    fn an_id_that_is_too_long_keeps_call_and_result_together() {
        let long = "x.".repeat(200);
        assert!(id(&long).len() <= ID_BYTES_MAX);
        assert_eq!(id(&long), id(&long));
        assert_ne!(id(&long), id(&"y.".repeat(200)));
        assert_eq!(tool(&long), None);
    }
}
