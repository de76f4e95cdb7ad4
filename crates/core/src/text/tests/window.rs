//! The general window: the release rule under a declared reach.

use std::borrow::Cow;
use std::ops::Range;

use super::kit::{CORPUS, Chance, splits, stream};
use crate::text::{HoldBack, Lane, Overflow, TextError, TextSession, TextStage, TextWindow};

const LANE: Lane = Lane::content(0);

/// Finds `needle` where no word byte stands to either side.
fn words(text: &str, from: usize, needle: &str) -> Vec<(Range<usize>, Cow<'static, str>)> {
    let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text[from..]
        .match_indices(needle)
        .map(|(at, found)| from + at..from + at + found.len())
        .filter(|range| {
            let bytes = text.as_bytes();
            !word(range.start.checked_sub(1).and_then(|i| bytes.get(i))) && !word(bytes.get(range.end))
        })
        .map(|range| (range, "[word]".into()))
        .collect()
}

fn redacting(hold: HoldBack) -> TextSession {
    TextSession::new().with_stage(hold, |window| {
        window.redact(|text, from| words(text, from, "abc"));
        window.redact(|text, from| words(text, from, "é🙂"));
    })
}

#[test]
fn streamed_equals_whole_for_every_split_within_the_reach() {
    let texts = ["abc", "xabc abc", "abcabc abc", "é🙂", "é🙂é🙂 abcé🙂", "abc é🙂 abc.", "aabc-abc"];
    for text in texts.iter().chain(CORPUS) {
        let whole = stream(&mut redacting(HoldBack::bytes(8)), [*text]);
        for pieces in splits(text) {
            let streamed = stream(&mut redacting(HoldBack::bytes(8)), pieces.iter().copied());
            assert_eq!(streamed, whole, "{pieces:?}");
        }
    }
}

#[test]
fn streamed_equals_whole_for_random_texts_and_cuts() {
    let mut chance = Chance(3);
    for _ in 0..5_000 {
        let text: String =
            (0..chance.below(60)).map(|_| *chance.pick(&["abc", "a", "é", "🙂", " ", "c", "b"])).collect();
        let pieces = chance.split(&text, 8);
        let whole = stream(&mut redacting(HoldBack::bytes(9)), [text.as_str()]);
        assert_eq!(stream(&mut redacting(HoldBack::bytes(9)), pieces.iter().copied()), whole, "{pieces:?}");
    }
}

/// Runs one window and returns what is released, then what the end releases.
fn once(hold: HoldBack, text: &str, edit: impl FnOnce(&mut TextWindow<'_>)) -> (String, String) {
    let mut stage = TextStage::new(hold);
    let (mut out, mut rest) = (String::new(), String::new());
    stage.step(LANE, text, false, &mut out, edit).expect("nothing overflows");
    stage.step(LANE, "", true, &mut rest, |_| ()).expect("nothing overflows");
    (out, rest)
}

fn texts(parts: (&str, &str)) -> (String, String) {
    (parts.0.to_owned(), parts.1.to_owned())
}

#[test]
fn a_match_that_crosses_the_cut_moves_it_back_and_later_ones_wait() {
    let hold = HoldBack::bytes(4);
    assert_eq!(once(hold, "0123456789", |_| ()), texts(("012345", "6789")));
    assert_eq!(once(hold, "0123456789", |w| w.replace(4..6, "#")), texts(("0123#", "6789")));
    assert_eq!(once(hold, "0123456789", |w| w.replace(5..7, "#")), texts(("01234", "56789")));
    assert_eq!(once(hold, "0123456789", |w| w.replace(6..7, "#")), texts(("012345", "6789")));
    assert_eq!(once(hold, "0123456789", |w| w.hold_from(2)), texts(("01", "23456789")));
    assert_eq!(once(hold, "0123456789", |w| w.hold_from(99)), texts(("012345", "6789")));
}

#[test]
fn an_edit_covers_whole_characters_and_merges_with_those_it_overlaps() {
    let hold = HoldBack::bytes(0);
    assert_eq!(once(hold, "aéb", |w| w.replace(2..2, "#")).0, "a#b");
    assert_eq!(once(hold, "aéb", |w| w.replace(0..2, "#")).0, "#b");
    assert_eq!(once(hold, "abc", |w| w.replace(1..99, "#")).0, "a#");
    let two = |window: &mut TextWindow<'_>| {
        window.replace(3..5, "second");
        window.replace(1..4, "first");
        window.replace(7..8, "#");
        window.replace(0..1, "<");
    };
    assert_eq!(once(hold, "0123456789", two).0, "<second56#89");
}

#[test]
fn the_cut_keeps_characters_whole() {
    assert_eq!(once(HoldBack::bytes(1), "ab🙂", |_| ()), texts(("ab", "🙂")));
    assert_eq!(once(HoldBack::bytes(4), "é🙂", |w| w.hold_from(1)), texts(("", "é🙂")));
}

#[test]
fn an_insertion_at_the_cut_is_made_once() {
    let mut session = TextSession::new().with_stage(HoldBack::bytes(0), |window| {
        if window.before().is_empty() {
            window.replace(0..0, "> ");
        }
    });
    let lane = Lane::content(0);
    assert_eq!(session.push(lane, "", false), Ok(String::new()));
    assert_eq!(session.push(lane, "a", false), Ok("> a".to_owned()));
    assert_eq!(session.push(lane, "b", true), Ok("b".to_owned()));
}

#[test]
fn shows_what_stood_before_as_it_came() {
    let mut stage = TextStage::new(HoldBack::bytes(0));
    let mut out = String::new();
    let long = "é".repeat(700);
    stage.step(LANE, &long, false, &mut out, |w| w.replace(0..1400, "#")).expect("nothing overflows");
    stage
        .step(LANE, "x", false, &mut out, |window| {
            assert_eq!((window.before(), window.text()), ("é".repeat(32).as_str(), "x"));
            assert!(!window.is_last());
        })
        .expect("nothing overflows");
    assert_eq!(out, "#x");
}

#[test]
fn says_when_a_piece_went_through_unchanged() {
    let mut stage = TextStage::new(HoldBack::bytes(2));
    let mut out = String::new();
    let mut unchanged = |stage: &mut TextStage, piece: &str, is_last| {
        stage.step(LANE, piece, is_last, &mut out, |_| ()).expect("nothing overflows").unchanged
    };
    assert!(!unchanged(&mut stage, "abc", false), "its tail is held");
    assert!(!unchanged(&mut stage, "de", true), "it came out with what was held");
    assert!(unchanged(&mut stage, "abc", true), "a lane begins anew after its end");
}

#[test]
fn edits_of_an_earlier_window_stand_until_the_release() {
    let mut stage = TextStage::new(HoldBack::bytes(0));
    stage.push(LANE, "abc", false).expect("few lanes");
    stage.window(LANE).expect("open").replace(0..1, "#");
    assert_eq!(stage.window(LANE).expect("open").text(), "abc");
    let mut out = String::new();
    let released = stage.release(LANE, &mut out).expect("nothing overflows");
    assert_eq!((out.as_str(), released.edits), ("#bc", 1));
}

#[test]
fn too_much_held_text_cuts_the_answer_and_releases_nothing() {
    let hold = HoldBack::bytes(2).with_max_bytes(8);
    let mut session = TextSession::new().with_stage(hold, |window| window.hold_from(0));
    assert_eq!(session.push(LANE, "01234567", false), Ok(String::new()));
    let overflow = session.push(LANE, "8", false);
    assert_eq!(overflow, Err(TextError::HeldTooMuch { lane: LANE, held: 9, max: 8 }));
}

#[test]
fn too_much_held_text_is_released_from_its_front_where_that_is_wanted() {
    let hold = HoldBack::bytes(2).with_max_bytes(8).with_overflow(Overflow::Release);
    let mut session = TextSession::new().with_stage(hold, |window| window.hold_from(0));
    assert_eq!(session.push(LANE, "0123456789", false), Ok("01".to_owned()));
    assert_eq!(session.stats().held_bytes, 8);
    let mut session = TextSession::new().with_stage(hold, |window| window.replace(1..30, "#"));
    let text = "0123456789012345678901234567890123456789";
    assert_eq!(session.push(LANE, text, false), Ok("0#01234567".to_owned()), "an edit stays whole");
}

#[test]
fn counts_what_is_held_and_edited() {
    let mut session = redacting(HoldBack::bytes(4));
    let held: Vec<usize> = ["ab", "c abc ", "x"]
        .iter()
        .map(|piece| {
            session.push(LANE, piece, false).expect("nothing overflows");
            session.stats().held_bytes
        })
        .collect();
    assert_eq!(held, [2, 4, 5]);
    session.push(LANE, "", true).expect("nothing overflows");
    let stats = session.stats();
    assert_eq!((stats.held_bytes, stats.held_bytes_peak, stats.edits), (0, 5, 2));
}
