//! The ready-made patterns: what has a form that can be told from other text.
//!
//! Names and addresses of people have none, and are left to extensions that understand language.

use std::net::{Ipv4Addr, Ipv6Addr};

use gatewright::text::Pattern;

/// A ready-made pattern.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// E-mail addresses.
    Email,
    /// Card numbers of 13 to 19 digits with a valid check digit, in one piece or in groups.
    Card,
    /// United States social security numbers with dashes, of those that are issued.
    Ssn,
    /// International bank account numbers with valid check digits, in one piece or in groups.
    Iban,
    /// IP addresses of both versions. Version numbers of four parts look the same.
    Ip,
    /// Keys of well-known services, which tell by how they begin.
    ApiKey,
}

impl Preset {
    /// All, in order of preference.
    pub(crate) const ALL: &[Self] = &[Self::ApiKey, Self::Email, Self::Iban, Self::Card, Self::Ssn, Self::Ip];

    pub(crate) fn patterns(self) -> Vec<Pattern> {
        match self {
            Self::Email => vec![Pattern::new(
                "email",
                r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}",
            )],
            Self::Card => {
                vec![Pattern::new("card", r"\b[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}\b").validate(is_card)]
            }
            Self::Ssn => vec![Pattern::new("ssn", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b").validate(is_ssn)],
            Self::Iban => {
                vec![Pattern::new("iban", r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b").validate(is_iban)]
            }
            Self::Ip => vec![
                Pattern::new("ip", r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b").validate(is_ipv4),
                Pattern::new("ip", r"\b[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}\b").validate(is_ipv6),
            ],
            Self::ApiKey => vec![Pattern::new(
                "api-key",
                concat!(
                    r"\b(?:sk-[A-Za-z0-9_-]{20,200}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{20,255}",
                    r"|glpat-[A-Za-z0-9_-]{20,64}|xox[abeprs]-[A-Za-z0-9-]{10,250}|A(?:KI|SI)A[A-Z0-9]{16}",
                    r"|AIza[A-Za-z0-9_-]{35}|hf_[A-Za-z0-9]{30,64}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,128})",
                ),
            )],
        }
    }
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.bytes().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'))
}

/// Whether the check digit fits (the Luhn algorithm).
fn is_card(text: &str) -> bool {
    let sum: u32 = digits(text)
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether area, group and serial number are ones that are issued.
fn is_ssn(text: &str) -> bool {
    let mut parts = text.split('-');
    let (area, group, serial) = (parts.next(), parts.next(), parts.next());
    !matches!(area, Some("000" | "666"))
        && !text.starts_with('9')
        && group != Some("00")
        && serial != Some("0000")
}

/// Whether the check digits fit (ISO 7064, mod 97-10): the country and they go to the end, a letter
/// counts as a number from 10.
fn is_iban(text: &str) -> bool {
    let signs: Vec<u32> = text.chars().filter_map(|sign| sign.to_digit(36)).collect();
    let (head, rest) = signs.split_at(signs.len().min(4));
    let remainder = rest.iter().chain(head).fold(0, |remainder, &sign| {
        let shift = if sign < 10 { 10 } else { 100 };
        (remainder * shift + sign) % 97
    });
    remainder == 1
}

fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Whether it is an address of version 6 that has at least three groups, so that it is no path of code.
fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok() && text.split(':').filter(|group| !group.is_empty()).count() >= 3
}
