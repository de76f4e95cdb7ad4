//! How long a provider asks to wait, from whichever header says so.

use std::time::Duration;

use http::HeaderMap;

/// Longer waits are cut to this; nobody waits longer for a retry.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that the headers of an answer ask for.
///
/// `retry-after-ms` wins over `retry-after`, which may be seconds or a date; a date is measured from the answer's
/// own `date`, so that no clock is needed. Without both, the reset times of exhausted rate limits count.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(|text| seconds(text, 1e-3));
    let plain = || text("retry-after").and_then(|text| seconds(text, 1.0));
    let dated = || {
        let (until, from) =
            (text("retry-after").and_then(unix_seconds)?, text("date").and_then(unix_seconds)?);
        Some(Duration::from_secs(until.saturating_sub(from)))
    };
    let reset = || {
        ["requests", "tokens"]
            .into_iter()
            .filter_map(|what| {
                let is_exhausted =
                    text(&format!("x-ratelimit-remaining-{what}")).is_some_and(|left| left == "0");
                text(&format!("x-ratelimit-reset-{what}")).filter(|_| is_exhausted).and_then(compound)
            })
            .max()
    };
    let wait = millis.or_else(plain).or_else(dated).or_else(reset)?;
    Some(wait.min(WAIT_MAX))
}

/// The wait that an answer's body asks for, for example `34.5s`.
pub(crate) fn delay(text: &str) -> Option<Duration> {
    compound(text).map(|wait| wait.min(WAIT_MAX))
}

fn seconds(text: &str, unit: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse::<f64>().ok()? * unit).ok()
}

/// A duration such as `6m0s`, `1.5s` or `20ms`.
fn compound(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let unit = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" | "" => 1.0,
            "ms" => 1e-3,
            _ => return None,
        };
        total = total.checked_add(seconds(number, unit)?)?;
        rest = tail;
    }
    Some(total)
}

/// The second that a date such as `Sun, 06 Nov 1994 08:49:37 GMT` names, counted from 1970.
fn unix_seconds(text: &str) -> Option<u64> {
    let mut words = text.strip_suffix(" GMT")?.split_ascii_whitespace().skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let index = months.iter().position(|name| *name == month)?;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334].get(index).copied()?;
    let leap_days = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;
    let days =
        (year - 1970) * 365 + leap_days + before + u64::from(is_leap && index > 1) + day.checked_sub(1)?;
    (day <= 31 && hour < 24 && minute < 60 && second <= 60)
        .then(|| days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], expected_ms: Option<u64>) {
        let map = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        assert_eq!(read(&map.collect()), expected_ms.map(Duration::from_millis), "{headers:?}");
    }

    #[test]
    fn every_form_is_read() {
        check(&[("retry-after", "7")], Some(7_000));
        check(&[("retry-after", "0.25")], Some(250));
        check(&[("retry-after", "7"), ("retry-after-ms", "40")], Some(40));
        check(
            &[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
            Some(30_000),
        );
        check(
            &[("retry-after", "Fri, 01 Mar 2024 00:00:01 GMT"), ("date", "Thu, 29 Feb 2024 23:59:59 GMT")],
            Some(2_000),
        );
        check(
            &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1m0.5s")],
            Some(60_500),
        );
        check(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "20ms")], Some(20));
    }

    #[test]
    fn nonsense_is_no_wait() {
        check(&[], None);
        check(&[("retry-after", "-1")], None);
        check(&[("retry-after", "NaN")], None);
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], None);
        check(
            &[("retry-after", "Sun, 99 Foo 1994 08:50:07 GMT"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
            None,
        );
        check(&[("x-ratelimit-remaining-tokens", "12"), ("x-ratelimit-reset-tokens", "6m0s")], None);
    }

    #[test]
    fn waits_are_bounded() {
        check(&[("retry-after", "99999999999")], Some(86_400_000));
    }

    #[test]
    fn dates_count_from_1970() {
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(unix_seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00"), None);
    }
}
