//! Text as it reads: what is hidden from a plain pattern is found, and no cut changes what is found.

use super::kit::{Chance, luhn, pieces, splits, stream};
use crate::text::{Lane, MatchEdit, Pattern, TextPatterns, TextSession};

fn set() -> TextPatterns {
    TextPatterns::compile([
        Pattern::new("email", r"[A-Za-z0-9.+-]{1,16}@[A-Za-z0-9-]{1,16}(?:\.[A-Za-z]{2,8}){1,3}"),
        Pattern::new("ssn", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"),
        Pattern::new("card", r"\b[0-9](?:[ -]?[0-9]){12,18}\b").validate(luhn),
    ])
    .expect("valid")
    .folding()
}

const HIDDEN_8: &str = "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}";

#[test]
fn finds_what_reads_like_a_match_and_replaces_it_as_it_stands() {
    let cases = [
        ("plain bob@x.com", "plain [email]"),
        ("id 123\u{2011}45\u{2011}6789.", "id [ssn]."),
        ("id １２３－４５－６７８９。", "id [ssn]。"),
        ("1\u{200b}2\u{200d}3-45-6\u{ad}789\u{200b}!", "[ssn]\u{200b}!"),
        ("\u{feff}\u{200b}bob\u{2060}@x.\u{200b}com\u{200b}", "\u{feff}\u{200b}[email]\u{200b}"),
        ("ｂｏｂ＠ｘ．ｃｏｍ", "[email]"),
        ("4111\u{a0}1111\u{202f}1111\u{2009}1111", "[card]"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "[card]"),
        ("𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏", "[card]"),
        ("“123-45-6789” – it’s", "“[ssn]” – it’s"),
        // The byte beside a match is the one that a reader sees.
        ("x\u{200b}123-45-6789", "x\u{200b}123-45-6789"),
        ("123-45-6789\u{200b}0", "123-45-6789\u{200b}0"),
    ];
    for (text, expected) in cases {
        assert_eq!(set().replace_all(text), expected, "{text:?}");
    }
}

#[test]
fn more_than_eight_hidden_characters_in_a_row_stand_for_themselves() {
    let [eight, nine] = [HIDDEN_8.to_owned(), format!("{HIDDEN_8}\u{200b}")];
    assert_eq!(set().replace_all(&format!("123-{eight}45-6789")), "[ssn]");
    let text = format!("123-{nine}45-6789");
    assert_eq!(set().replace_all(&text), text);
    let text = format!("x{nine}123-45-6789");
    assert_eq!(set().replace_all(&text), format!("x{nine}[ssn]"));
}

#[test]
fn a_text_without_a_view_of_its_own_is_borrowed() {
    for text in ["plain", "é “quoted” 日本 €", "x\u{200b}y"] {
        assert!(matches!(set().replace_all(text), std::borrow::Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn a_match_is_reported_where_it_stands() {
    let set = set();
    let text = "é\u{200b}\u{200b} ｂob@x.com\u{200b}, １23-45-6789";
    let first = set.find_at(text, 0).expect("an address");
    assert_eq!((first.name, &text[first.range.clone()]), ("email", "ｂob@x.com"));
    let second = set.find_at(text, first.range.end).expect("a number");
    assert_eq!((second.name, &text[second.range.clone()]), ("ssn", "１23-45-6789"));
    let mut shown = Vec::new();
    let mut session = TextSession::new();
    let patterns = set.clone();
    let (send, receive) = std::sync::mpsc::sync_channel(8);
    session = session.with_stage(set.hold_back(), move |window| {
        let text = window.text().to_owned();
        window.mask_by(&patterns, &mut |found, matched| {
            send.send((found.index, text[found.range.clone()].to_owned(), matched.to_owned()))
                .expect("read below");
            MatchEdit::Keep
        });
    });
    assert_eq!(stream(&mut session, pieces(text, &[2, 9, 14])), text);
    drop(session);
    shown.extend(receive);
    let expected =
        [(0, "ｂob@x.com"), (1, "１23-45-6789")].map(|(i, text)| (i, text.to_owned(), text.to_owned()));
    assert_eq!(shown, expected);
}

#[test]
fn streamed_equals_whole_for_every_split() {
    let set = set();
    let long = format!("a{HIDDEN_8}\u{200b}\u{200b}@x.com 1{HIDDEN_8}23-45-6789");
    for text in [
        "x\u{200b}bob\u{200b}@x.c\u{200b}om\u{200b} ok",
        "１23-45\u{2011}6789０ é",
        "_\u{200b}\u{200b}\u{200b}123-45-6789 \u{200b}\u{200b}123-45-6789",
        "\u{200b}4111\u{a0}1111 1111\u{202f}1111\u{200b}",
        &long,
    ] {
        let whole = set.replace_all(text);
        for pieces in splits(text) {
            let mut session = TextSession::new().with_patterns(&set);
            assert_eq!(stream(&mut session, pieces.iter().copied()), whole, "{pieces:?}");
        }
    }
}

#[test]
fn streamed_equals_whole_for_random_texts_and_cuts() {
    const PARTS: &[&str] = &[
        "bob",
        "_",
        "@",
        "x.co",
        "m",
        "１",
        "2",
        "3-",
        "45－",
        "6789",
        "\u{200b}",
        HIDDEN_8,
        "\u{2011}",
        " ",
        "é",
        "🙂",
        "\u{a0}",
        "4111",
        "1111 1111 1111",
        "٤",
        "x",
    ];
    let set = set();
    let mut chance = Chance(9);
    let mut edited = 0;
    for _ in 0..10_000 {
        let count = 1 + chance.below(25);
        let text: String = (0..count).map(|_| *chance.pick(PARTS)).collect();
        let pieces = chance.split(&text, 12);
        let whole = set.replace_all(&text);
        edited += usize::from(whole != text);
        let mut session = TextSession::new().with_patterns(&set);
        assert_eq!(stream(&mut session, pieces.iter().copied()), whole, "{pieces:?}");
    }
    assert!(edited > 500, "{edited} texts with a match show nothing");
}

#[test]
fn hidden_characters_do_not_keep_a_text_for_ever() {
    let set = set();
    let mut session = TextSession::new().with_patterns(&set);
    let lane = Lane::content(0);
    for _ in 0..10_000 {
        session.push(lane, "\u{200b}a", false).expect("the longest match bounds what is held");
    }
    for _ in 0..10_000 {
        session.push(lane, "\u{200b}", false).expect("hidden characters end a match when they are too many");
    }
    assert!(session.stats().held_bytes < set.hold_back().max_bytes);
}
