//! What a regular expression cannot tell: check digits, and the ranges in which numbers are issued.

use std::net::{Ipv4Addr, Ipv6Addr};

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.bytes().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'))
}

/// Whether the check digit fits (the Luhn algorithm).
pub(super) fn is_card(text: &str) -> bool {
    let sum: u32 = digits(text)
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether area, group and serial number are ones that are issued.
pub(super) fn is_ssn(text: &str) -> bool {
    let mut parts = text.split('-');
    let (area, group, serial) = (parts.next(), parts.next(), parts.next());
    !matches!(area, Some("000" | "666"))
        && !text.starts_with('9')
        && group != Some("00")
        && serial != Some("0000")
}

/// Whether the check digits fit (ISO 7064, mod 97-10): the country and they go to the end, a letter
/// counts as a number from 10.
pub(super) fn is_iban(text: &str) -> bool {
    let signs = || text.chars().filter_map(|sign| sign.to_digit(36));
    let remainder = signs().skip(4).chain(signs().take(4)).fold(0, |remainder, sign| {
        let shift = if sign < 10 { 10 } else { 100 };
        (remainder * shift + sign) % 97
    });
    remainder == 1
}

/// Whether a number after `+` has as many digits as E.164 allows, and no bracket without its other half.
pub(super) fn is_international(text: &str) -> bool {
    let opened = text.bytes().filter(|byte| *byte == b'(').count();
    let closed = text.bytes().filter(|byte| *byte == b')').count();
    (8..=15).contains(&digits(text).count()) && opened == closed && opened <= 1
}

/// Whether a number with a leading 0 has the length of a whole number, and its groups one separator: a
/// date with a time has two. What follows the area code may differ, as in `030/123 456`.
pub(super) fn is_national(text: &str) -> bool {
    let groups = text.trim_start_matches(|sign: char| sign == '(' || sign.is_ascii_digit());
    let mut separators = groups.bytes().filter(|byte| !byte.is_ascii_digit());
    let first = separators.next();
    let rest: Vec<u8> = separators.collect();
    let are_alike = rest.windows(2).all(|pair| pair.first() == pair.last());
    let follow_the_first =
        matches!(first, Some(b'/' | b')')) || rest.first().is_none_or(|one| first == Some(*one));
    (9..=11).contains(&digits(text).count()) && are_alike && follow_the_first
}

pub(super) fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Whether it is an address of version 6 that has at least three groups, so that it is no path of code.
pub(super) fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok() && text.split(':').filter(|group| !group.is_empty()).count() >= 3
}
