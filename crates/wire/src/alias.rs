//! Names and ids in the alphabet that several dialects allow: letters, digits, `_` and `-`, at most 64 of them.
//!
//! A tool's name comes back in the answer, so that its alias can be read without any memory of the request. An id
//! comes back from the caller only, so that its alias must merely be the same each time.

use std::borrow::Cow;

use gatewright::chat::{Part, PartKind};

/// The most characters of a name or an id.
pub(crate) const BYTES_MAX: usize = 64;

/// How names begin that stand for others.
const MARK: &str = "gw1-";

/// An id's alias keeps this much of it.
const ID_BYTES_KEPT: usize = 40;

const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_plain(text: &str) -> bool {
    (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// The name under which a tool is declared; none if it is too long for any.
pub(crate) fn name(name: &str) -> Option<Cow<'_, str>> {
    if is_plain(name) && !name.starts_with(MARK) {
        return Some(Cow::Borrowed(name));
    }
    if name.is_empty() {
        return None;
    }
    let mut alias = MARK.to_owned();
    for byte in name.bytes() {
        match byte {
            b'_' => alias.push('_'),
            byte if byte.is_ascii_alphanumeric() => alias.push(char::from(byte)),
            byte => alias.push_str(&format!("-{byte:02x}")),
        }
    }
    is_plain(&alias).then_some(Cow::Owned(alias))
}

/// The name that an alias stands for; any other name is its own.
pub(crate) fn original(alias: Cow<'_, str>) -> Cow<'_, str> {
    let found = decode(&alias).filter(|found| name(found).as_deref() == Some(&*alias));
    found.map_or(alias, Cow::Owned)
}

/// Gives the calls of an answer the names that the caller knows their tools by.
pub(crate) fn restore(parts: &mut [Part<'_>]) {
    for part in parts {
        if let PartKind::ToolCall { name, .. } = &mut part.kind {
            *name = original(std::mem::take(name));
        }
    }
}

/// The name under which a tool is declared, where the provider is left to refuse one that is too long for an alias.
pub(crate) fn name_or_own(own: &str) -> Cow<'_, str> {
    name(own).unwrap_or(Cow::Borrowed(own))
}

fn decode(alias: &str) -> Option<String> {
    let mut rest = alias.strip_prefix(MARK)?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        let used = if first == '-' {
            bytes.push(u8::from_str_radix(rest.get(1..3)?, 16).ok()?);
            3
        } else {
            bytes.push(u8::try_from(first).ok()?);
            1
        };
        rest = rest.get(used..)?;
    }
    String::from_utf8(bytes).ok()
}

/// The id under which a call is known to the provider.
pub(crate) fn id(id: &str) -> Cow<'_, str> {
    if is_plain(id) {
        return Cow::Borrowed(id);
    }
    let kept = id.bytes().filter(|&byte| is_allowed(byte)).take(ID_BYTES_KEPT).map(char::from);
    Cow::Owned(format!("{}-{:016x}", kept.collect::<String>(), hash(id)))
}

/// FNV-1a, in 64 bits: short, and the same everywhere and always.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_outside_the_alphabet_comes_back_from_its_alias() {
        for text in ["files.read", "größe", "a b", "gw1-x", "gw1-gw1-2d", "x-y.z", "mcp:server/tool"] {
            let alias = name(text).unwrap();
            assert!(is_plain(&alias), "{alias}");
            assert_ne!(alias, text);
            assert_eq!(original(alias), text);
        }
    }

    #[test]
    fn a_name_inside_the_alphabet_is_its_own_alias() {
        for text in ["a", "get_weather-2", "-", "gw1", &"x".repeat(64)] {
            assert_eq!(name(text).unwrap(), text);
            assert_eq!(original(text.into()), text);
        }
    }

    #[test]
    fn a_name_that_only_looks_like_an_alias_is_left_alone() {
        for text in ["gw1-x", "gw1--zz", "gw1--2", "gw1-\u{e9}", "gw1--41"] {
            assert_eq!(original(text.into()), text);
        }
    }

    #[test]
    fn a_name_without_room_for_its_alias_has_none() {
        assert_eq!(name(&"x".repeat(65)), None);
        assert_eq!(name(&".".repeat(30)), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn ids_of_any_kind_become_allowed_ones_and_stay_apart() {
        assert_eq!(id("call_1"), "call_1");
        let odd = ["call.1", "call:1", "", &"x".repeat(100), &"x".repeat(101), "é"];
        let aliases: std::collections::BTreeSet<_> = odd.iter().map(|text| id(text)).collect();
        assert_eq!(aliases.len(), odd.len());
        assert!(aliases.iter().all(|alias| is_plain(alias)), "{aliases:?}");
    }
}
