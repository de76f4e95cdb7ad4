//! Several sets side by side: each match is shown once, whatever the cuts, and none hides another.

use super::kit::{CORPUS, Chance, splits};
use crate::text::{Lane, MatchEdit, Pattern, PatternMatch, TextPatterns, TextStage};

/// Sets whose matches lie inside, across and around each other's.
fn sets() -> [TextPatterns; 3] {
    let set = |patterns: &[(&'static str, &'static str)]| {
        let named = patterns.iter().map(|(name, regex)| Pattern::new(*name, *regex));
        TextPatterns::compile(named).expect("the patterns are valid")
    };
    [
        set(&[
            ("address", r"[a-z.+-]{1,16}@[a-z-]{1,16}(?:\.[a-z]{2,8}){1,3}"),
            ("digits", r"\b[0-9]{3,6}\b"),
        ]),
        set(&[
            ("host", r"@[a-z.]{1,12}"),
            ("abc", r"abc(?:abc)?"),
            ("card", r"\b[0-9](?:[ -]?[0-9]){12,18}\b"),
        ]),
        set(&[("letter", r"[a-c]"), ("end", r"[a-z]{1,5}\b")]),
    ]
}

/// What comes out where set 1 is masked, and what was shown, in order.
fn run(sets: &[TextPatterns], pieces: &[&str]) -> (String, Vec<(usize, String, String)>) {
    let mut stage = TextStage::new(TextPatterns::hold_back_of(sets));
    let (mut out, mut shown) = (String::new(), Vec::new());
    let last = pieces.iter().map(|piece| (*piece, false)).chain([("", true)]);
    for (piece, is_last) in last {
        let step = stage.step(Lane::content(0), piece, is_last, &mut out, |window| {
            window.mask_sets_by(sets, &mut |set, found, text| {
                shown.push((set, found.name.to_owned(), text.to_owned()));
                if set == 1 { MatchEdit::With(format!("<{}>", found.name)) } else { MatchEdit::Keep }
            })
        });
        step.expect("nothing overflows");
    }
    // Within one window the first set comes first, so the order over all sets depends on the cuts.
    shown.sort_by_key(|(set, ..)| *set);
    (out, shown)
}

fn check(sets: &[TextPatterns], text: &str, pieces: &[&str]) {
    let (out, shown) = run(sets, pieces);
    let (whole, all) = run(sets, &[text]);
    assert_eq!((&out, &shown), (&whole, &all), "{pieces:?}");
    assert_eq!(out, sets[1].replace_all(text).replace('[', "<").replace(']', ">"), "{pieces:?}");
}

#[test]
fn each_match_is_shown_once_and_streamed_equals_whole() {
    let sets = sets();
    for text in CORPUS.iter().filter(|text| !text.contains(['[', ']'])) {
        for pieces in splits(text) {
            check(&sets, text, &pieces);
        }
    }
    let mut chance = Chance(3);
    for _ in 0..5_000 {
        let text = chance.text(1..40).replace(['[', ']'], "");
        check(&sets, &text, &chance.split(&text, 12));
    }
}

#[test]
fn a_match_of_one_set_hides_none_of_another() {
    let sets = sets();
    let (_, shown) = run(&sets, &["bob@x.com"]);
    let shown: Vec<(usize, &str)> = shown.iter().map(|(set, _, text)| (*set, text.as_str())).collect();
    assert_eq!(shown, [(0, "bob@x.com"), (1, "@x.com"), (2, "b"), (2, "ob"), (2, "x"), (2, "c"), (2, "om")]);
}

#[test]
fn a_whole_text_is_edited_as_a_stream_and_json_as_its_strings() {
    let [addresses, ..] = sets();
    let sets = [addresses];
    let length =
        &mut |_: usize, _: &PatternMatch<'_>, text: &str| MatchEdit::With(format!("\"{}\"", text.len()));
    assert_eq!(TextPatterns::replace_sets_by(&sets, "to bob@x.com!", length), "to \"9\"!");
    let source = r#"{"to":"bob\u0040x.com"}"#;
    assert_eq!(TextPatterns::replace_sets_json_by(&sets, source, length), r#"{"to":"\"9\""}"#);
    let untouched = TextPatterns::replace_sets_by(&sets, "nobody", length);
    assert!(matches!(untouched, std::borrow::Cow::Borrowed("nobody")));
}
