//! Streamed equals whole, for every split of many short texts and for very many random splits of them, with
//! all ready-made patterns, masked alone and restored on top.
//!
//! The full tier runs 500 texts and a million random splits; the daily tier a part of them.

use gatewright::Lane;
use gatewright_testkit::split;
use serde_json::json;

use super::PRESETS;
use super::restore::Exchange;

/// What begins, continues, ends or looks like a match, or is a placeholder.
const PARTS: &[&str] = &[
    "a",
    "bob",
    "@",
    "x.co",
    "m",
    ".",
    "q-r.st.",
    "uv",
    " ",
    " ",
    "\n",
    "4111",
    "1111",
    " 1111",
    "-",
    "219-09-",
    "9999",
    "sk-",
    "0123456789abcdefghij",
    "+49 30 ",
    "1234567",
    "(415) ",
    "555-0132",
    "030/",
    "DE89 3704 0044 ",
    "0532 0130 00",
    "192.168.",
    "0.17",
    "fe80::",
    "1:2:3",
    "eyJhbGciOiJIUzI1NiJ9",
    ".eyJzdWIiOiIxIn0",
    "https://",
    "u:p",
    "@h",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "é",
    "🙂",
    "_",
    "\u{200b}",
    "\u{2011}",
    "３",
    "[EMAIL",
    "_1]",
    "[CARD_1]",
    "]",
    "[",
];
/// What matches as it is, unless its neighbours make it something else.
const WHOLE: &[&str] = &[
    "bob@x.com",
    "q-r.st@q-r.st.uv",
    "219-09-9999",
    "4111111111111111",
    "4111 1111 1111 1111",
    "+49 30 1234567",
    "192.168.0.17",
    "ftp://u:p@h",
    "[EMAIL_1]",
    "[CARD_1]",
];
const TEXTS: usize = 500;
const RANDOM_SPLITS: usize = 1_000_000;
/// What the daily tier leaves out: all but one of so many texts.
const DAILY_SHARE: usize = 20;

#[expect(clippy::disallowed_methods, reason = "the full tier of the tests is told by the environment")]
fn is_full_run() -> bool {
    std::env::var_os("GATEWRIGHT_FULL").is_some()
}

/// A short text, the same for the same number.
fn text(number: usize) -> String {
    let mut chance = number as u64;
    let mut below = |bound: usize| {
        chance = chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (chance ^ (chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below the bound")
    };
    let count = 3 + below(5);
    let part = |_| {
        let parts = if below(4) == 0 { WHOLE } else { PARTS };
        parts.get(below(parts.len())).copied()
    };
    (0..count).filter_map(part).collect()
}

/// Compares every split and many random ones with the whole, for each `step`th text from `first` on.
async fn compare((first, step): (usize, usize), restore: bool) {
    let exchange = Exchange::of(json!({"presets": PRESETS, "restore": restore})).await;
    exchange.ask(&["bob@x.com, 4111 1111 1111 1111"]).await;
    let step = if is_full_run() { step } else { step * DAILY_SHARE };
    let random_splits = if restore { RANDOM_SPLITS / 10 } else { RANDOM_SPLITS };
    let mut edited = 0;
    for number in (first..TEXTS).step_by(step) {
        let text = text(number);
        let whole = exchange.answer(&text);
        edited += usize::from(whole != text);
        let random = split::random_splits(&text, random_splits / TEXTS, number as u64);
        for pieces in split::every_split(&text).chain(random) {
            let streamed = split::run(exchange.session(), Lane::content(0), &pieces);
            assert_eq!(streamed, whole, "cut as {pieces:?}");
        }
    }
    assert!(edited > 0, "texts without a match show nothing");
}

#[tokio::test]
async fn masks_the_same_in_every_split_first_eighth() {
    compare((0, 8), false).await;
}

#[tokio::test]
async fn masks_the_same_in_every_split_second_eighth() {
    compare((1, 8), false).await;
}

#[tokio::test]
async fn masks_the_same_in_every_split_third_eighth() {
    compare((2, 8), false).await;
}

#[tokio::test]
async fn masks_the_same_in_every_split_fourth_eighth() {
    compare((3, 8), false).await;
}

#[tokio::test]
async fn masks_the_same_in_every_split_fifth_eighth() {
    compare((4, 8), false).await;
}

#[tokio::test]
async fn masks_the_same_in_every_split_sixth_eighth() {
    compare((5, 8), false).await;
}

#[tokio::test]
async fn masks_the_same_in_every_split_seventh_eighth() {
    compare((6, 8), false).await;
}

#[tokio::test]
async fn masks_the_same_in_every_split_last_eighth() {
    compare((7, 8), false).await;
}

#[tokio::test]
async fn restores_the_same_in_every_split_first_half() {
    compare((0, 2), true).await;
}

#[tokio::test]
async fn restores_the_same_in_every_split_second_half() {
    compare((1, 2), true).await;
}
