//! Signatures of version 4, for calls with their body at hand.
//!
//! Follows "Create a signed AWS API request" of the IAM user guide. The host and what concerns the service alone are
//! signed; other headers may change on the way.

use std::time::{SystemTime, UNIX_EPOCH};

use gatewright::UnsignedCall;
use gatewright::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue};
use gatewright_wire::path;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Seconds of a day.
const DAY: u64 = 86_400;

/// An access key.
pub(crate) struct Keys<'k> {
    pub(crate) id: &'k str,
    pub(crate) secret: &'k str,
    /// The token of a key that was lent for some time.
    pub(crate) token: Option<&'k str>,
}

/// For what a signature is good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'s> {
    pub(crate) region: &'s str,
    pub(crate) service: &'s str,
}

impl<'k> Keys<'k> {
    /// Reads `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`.
    pub(crate) fn parse(text: &'k str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, ':');
        let (id, secret, token) = (parts.next()?, parts.next()?, parts.next());
        let is_there = |part: &str| !part.is_empty();
        (is_there(id) && is_there(secret)).then_some(Self {
            id,
            secret,
            token: token.filter(|token| is_there(token)),
        })
    }
}

/// The headers that sign a call; none if the key cannot stand in a header.
pub(crate) fn sign(keys: &Keys<'_>, scope: &Scope<'_>, call: &UnsignedCall<'_>) -> Option<HeaderMap> {
    let time = Time::of(call.time);
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(DATE, HeaderValue::try_from(&time.text).ok()?);
    if let Some(token) = keys.token {
        headers.insert(TOKEN, HeaderValue::try_from(token).ok()?);
    }
    let (names, canonical) = canonical_request(call, &headers);
    let date = time.text.get(..8).unwrap_or_default();
    let Scope { region, service } = *scope;
    let place = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!("{ALGORITHM}\n{}\n{place}\n{}", time.text, hex(&Sha256::digest(canonical)));
    let mut key = hmac(format!("AWS4{}", keys.secret).as_bytes(), date.as_bytes());
    for part in [region, service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let id = keys.id;
    let text = format!("{ALGORITHM} Credential={id}/{place}, SignedHeaders={names}, Signature={signature}");
    headers.insert(AUTHORIZATION, HeaderValue::try_from(text).ok()?);
    headers.values_mut().for_each(|value| value.set_sensitive(true));
    Some(headers)
}

/// The names of the headers that are signed, and the call as both sides write it down.
fn canonical_request(call: &UnsignedCall<'_>, own: &HeaderMap) -> (String, String) {
    let mut signed = vec![(HOST.as_str(), call.authority)];
    let is_signed = |name: &HeaderName| {
        let is_own = name == DATE || name == TOKEN;
        (name == CONTENT_TYPE || name.as_str().starts_with("x-amz-")) && !is_own
    };
    for (name, value) in call.headers.iter().filter(|(name, _)| is_signed(name)).chain(own) {
        // A value that is no text is sent and not signed.
        signed.extend(value.to_str().ok().map(|value| (name.as_str(), value)));
    }
    signed.sort_unstable();
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", trimmed(value))).collect();
    let (path, query) = call.path.split_once('?').unwrap_or((call.path, ""));
    let mut query: Vec<&str> = query.split('&').collect();
    query.sort_unstable();
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        call.method,
        encoded(path),
        query.join("&"),
        hex(&Sha256::digest(call.body)),
    );
    (names, canonical)
}

/// A path once more in percent encoding, as the service does it: what was escaped is escaped again.
fn encoded(path: &str) -> String {
    path.split('/').map(path::segment).collect::<Vec<_>>().join("/").replace('@', "%40")
}

/// A value without spaces around it and with single ones inside.
fn trimmed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A moment as `YYYYMMDDTHHMMSSZ`.
struct Time {
    text: String,
}

impl Time {
    /// A clock that stands before 1970 is taken for 1970; the service then says so.
    fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (year, month, day) = date(seconds / DAY);
        let rest = seconds % DAY;
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        Self { text: format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z") }
    }
}

/// The date of a day since 1970, in the proleptic Gregorian calendar. Years begin in March here, so that the day that
/// comes every four years is the last.
const fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The days since 1970 of a date from then on: the inverse of [`date`].
pub(crate) const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

#[cfg(test)]
mod tests;
