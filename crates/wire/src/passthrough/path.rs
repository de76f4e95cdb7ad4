//! What the path of a call says: the provider, and the path below its base URL.
//!
//! The path is made canonical once (RFC 3986, section 6.2.2), and what goes out is what was checked. Refused is every
//! form that some server takes for a step upwards, for another separator or for another escape: a caller who is
//! allowed what is below the base URL of a provider is allowed nothing beside it.

use gatewright::dialect::{Address, Direct};
use gatewright::{Failure, FailureKind, Side};
use http::Method;
use percent_encoding::percent_decode_str;

/// What the paths of such calls begin with.
pub const PREFIX: &str = "/passthrough/";

/// The longest path and query that are passed on.
const PATH_BYTES_MAX: usize = 8 * 1024;

/// The query parameter in which a caller may show a key of the gateway.
const KEY_PARAMETER: &str = "key";

/// Letters that some servers take for a dot or for a slash.
const LOOKALIKES: [char; 11] = [
    '\u{2024}', '\u{2044}', '\u{2215}', '\u{29f8}', '\u{3002}', '\u{fe52}', '\u{fe68}', '\u{ff0e}',
    '\u{ff0f}', '\u{ff3c}', '\u{ff61}',
];

/// What the path of a call says.
///
/// # Errors
///
/// A [`Failure`] of the client's side that says what the path must be.
pub fn address(method: &Method, path: &str, query: Option<&str>) -> Result<Address, Failure> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        let text = format!("{method} is not passed through");
        return Err(Failure::new(Side::Client, FailureKind::MethodNotAllowed, text));
    }
    let behind = path.strip_prefix(PREFIX).unwrap_or_default();
    let Some((provider, rest)) = behind.split_once('/').filter(|(provider, _)| !provider.is_empty()) else {
        let text = "the path must be /passthrough/PROVIDER/PATH, with the path of the provider's own API";
        return Err(Failure::new(Side::Client, FailureKind::NotFound, text));
    };
    if path.len() + query.map_or(0, str::len) > PATH_BYTES_MAX {
        return Err(refused("it is too long"));
    }
    let mut target = canonical(rest)?;
    if let Some(query) = query.and_then(without_key) {
        target.push('?');
        target.push_str(&query);
    }
    let direct = Direct { provider: provider.into(), method: method.clone(), path: target.into() };
    Ok(Address { direct: Some(direct), ..Address::default() })
}

fn refused(why: &str) -> Failure {
    let text = format!("the path cannot be passed through: {why}");
    Failure { param: Some("path".into()), ..Failure::new(Side::Client, FailureKind::Invalid, text) }
        .with_code("invalid_path")
}

/// The path below the base URL, beginning with a slash.
fn canonical(rest: &str) -> Result<String, Failure> {
    let mut out = String::with_capacity(rest.len() + 1);
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        out.push('/');
        if segment.is_empty() && segments.peek().is_some() {
            return Err(refused("a segment of it is empty; write one slash at a time"));
        }
        check(segment)?;
        write(segment, &mut out);
    }
    Ok(out)
}

/// Refuses a segment that is, or that somebody takes for, more than one segment.
fn check(segment: &str) -> Result<(), Failure> {
    let mut escapes = segment.split('%').skip(1);
    if !escapes
        .all(|after| after.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
    {
        return Err(refused("a percent sign must be followed by two hexadecimal digits"));
    }
    let Ok(text) = percent_decode_str(segment).decode_utf8() else {
        return Err(refused("its escapes must be of UTF-8"));
    };
    if text.chars().any(|letter| letter.is_control() || letter == '\\' || LOOKALIKES.contains(&letter)) {
        return Err(refused("it has a letter that servers read in different ways"));
    }
    // A slash inside a segment is part of a name, as in names of resources; a step is not.
    if text.split('/').any(is_step) {
        return Err(refused("it must have no steps such as `..`"));
    }
    let is_escape =
        |after: &str| after.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    if text.split('%').skip(1).any(is_escape) {
        return Err(refused("it is escaped twice"));
    }
    Ok(())
}

/// Whether a name is a step, also where servers cut off what follows a semicolon or spaces at its ends.
fn is_step(name: &str) -> bool {
    let name = name.split(';').next().unwrap_or_default().trim();
    !name.is_empty() && name.bytes().all(|byte| byte == b'.')
}

/// Writes a segment: escapes of letters that need none are undone, others have large digits.
fn write(segment: &str, out: &mut String) {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let is_escaped = byte == b'%';
        let byte = if is_escaped { hex(&mut bytes) } else { byte };
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        // What may stand in a segment unescaped stays as the caller wrote it (RFC 3986, section 3.3).
        if is_plain || (!is_escaped && b"!$&'()*+,;=:@".contains(&byte)) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// The byte of an escape whose digits were checked.
fn hex(digits: &mut impl Iterator<Item = u8>) -> u8 {
    let mut digit = || digits.next().and_then(|digit| char::from(digit).to_digit(16)).unwrap_or_default();
    let value = digit() * 16 + digit();
    u8::try_from(value).unwrap_or_default()
}

/// A query without what may be the caller's key for the gateway; `None` where nothing is left.
fn without_key(query: &str) -> Option<String> {
    let name_of = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
        percent_decode_str(&name).decode_utf8_lossy().trim().to_ascii_lowercase()
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| name_of(pair) != KEY_PARAMETER).collect();
    let kept = kept.join("&");
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests;
