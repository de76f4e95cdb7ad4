//! Masking by patterns: the streamed text is the masked whole text, and no more is held than must be.

use regex_automata::meta;

use super::kit::{CORPUS, Chance, luhn, patterns, splits, stream};
use crate::text::{Lane, Pattern, TextPatterns, TextSession};

#[test]
fn streamed_equals_whole_for_every_split_of_the_corpus() {
    let patterns = patterns();
    for text in CORPUS {
        let whole = patterns.replace_all(text);
        for pieces in splits(text) {
            let streamed = stream(&mut TextSession::new().with_patterns(&patterns), pieces.iter().copied());
            assert_eq!(streamed, whole, "{pieces:?}");
        }
    }
}

#[test]
fn streamed_equals_whole_for_every_set_of_cuts_of_short_texts() {
    let patterns = patterns();
    for text in ["abcdabcdefgh", "a@b.cd.ef", "é1-a@b.cde", "concat cat c", "q@r.st.uv.9"] {
        let whole = patterns.replace_all(text);
        let places = super::kit::boundaries(text);
        for set in 0..1_u32 << places.len() {
            let cuts: Vec<usize> = places
                .iter()
                .enumerate()
                .filter(|(i, _)| set >> i & 1 == 1)
                .map(|(_, &place)| place)
                .collect();
            let pieces = super::kit::pieces(text, &cuts);
            let streamed = stream(&mut TextSession::new().with_patterns(&patterns), pieces.iter().copied());
            assert_eq!(streamed, whole, "{pieces:?}");
        }
    }
}

#[test]
fn streamed_equals_whole_for_random_texts_and_cuts_and_holds_at_most_the_longest_match() {
    let patterns = patterns();
    let mut chance = Chance(1);
    for _ in 0..10_000 {
        let text = chance.text(1..40);
        let pieces = chance.split(&text, 12);
        let mut session = TextSession::new().with_patterns(&patterns);
        let streamed = stream(&mut session, pieces.iter().copied());
        assert_eq!(streamed, patterns.replace_all(&text), "{pieces:?}");
        assert!(session.stats().held_bytes_peak <= patterns.longest_match(), "{pieces:?}");
    }
}

#[test]
fn a_set_without_validators_replaces_what_a_regular_expression_of_its_alternatives_finds() {
    let sources =
        [r"[a-z.]{1,16}@[a-z]{1,8}(?:\.[a-z]{2,4}){1,2}", r"[0-9-]{3,12}", r"abcdefgh|abc", r"é+?🙂?x?|con"];
    let named = sources.iter().map(|source| Pattern::new("x", *source).replace_with("#").max_bytes(64));
    let patterns = TextPatterns::compile(named).expect("valid");
    let oracle = meta::Regex::new_many(&sources).expect("valid");
    let mut chance = Chance(2);
    for _ in 0..5_000 {
        let text = chance.text(0..30);
        let mut expected = String::new();
        let mut at = 0;
        for found in oracle.find_iter(&text) {
            expected += &text[at..found.start()];
            expected += "#";
            at = found.end();
        }
        expected += &text[at..];
        assert_eq!(patterns.replace_all(&text), expected);
    }
}

/// Pieces, and what each of them releases; the last stands for the end.
fn check(patterns: &TextPatterns, steps: &[(&str, &str)], at_end: &str) {
    let mut session = TextSession::new().with_patterns(patterns);
    for (piece, released) in steps {
        let out = session.push(Lane::content(0), piece, false).expect("nothing overflows");
        assert_eq!(out, *released, "after {piece:?} of {steps:?}");
    }
    assert_eq!(session.push(Lane::content(0), "", true).expect("nothing overflows"), at_end, "{steps:?}");
}

#[test]
fn releases_what_cannot_change_and_holds_what_can() {
    let set = patterns();
    // No pattern can start in what came, or go on with what came next.
    check(&set, &[("!? ", "!? "), ("\n", "\n")], "");
    check(&set, &[("hello", ""), (" ", "hello "), ("é", "é")], "");
    // Once it is sure that no address begins there, a long run of letters goes out but for its end.
    check(&set, &[("aaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaa")], "aaaaaaaaaaaaaaaa");
    // An address may always go on.
    check(&set, &[("to q@r.st", "to "), (".", ""), ("uv", ""), (" ", "[email] ")], "");
    check(&set, &[("to q@r.st", "to "), (".", ""), (" ", "[email]. ")], "");
    // The longer form is preferred as long as it is possible.
    check(&set, &[("abc", ""), ("de", ""), ("!", "[forms]de!")], "");
    check(&set, &[("abcdefg", ""), ("h!", "[forms]!")], "");
    // A word ends where the next byte says so, and begins where the byte before says so.
    check(&set, &[("con", ""), ("cat", ""), (" cat", "concat ")], "[cat]");
    check(&set, &[("cat", "")], "[cat]");
    // What stands between characters that no pattern has is decided at once.
    check(&set, &[("ünö", "ünö"), ("n", "")], "n");
}

#[test]
fn a_rejected_match_leaves_room_for_its_shorter_forms_and_for_other_patterns() {
    let set = patterns();
    assert_eq!(set.replace_all("4111 1111 1111 1111 12/27"), "[card] 12/27");
    assert_eq!(set.replace_all("4111 1111 1111 1112"), "4111 1111 1111 1112");
    let set = TextPatterns::compile([
        Pattern::new("card", r"\b[0-9]{13,19}\b").validate(luhn),
        Pattern::new("number", r"\b[0-9]{4,20}\b"),
    ])
    .expect("valid");
    assert_eq!(set.replace_all("4111111111111111 4111111111111112"), "[card] [number]");
    check(&set, &[("4111111111111112", ""), (".", "[number].")], "");
}

#[test]
fn a_cap_ends_the_match_whatever_follows_and_however_it_is_cut() {
    let set = TextPatterns::compile([Pattern::new("run", r"x+@x+").max_bytes(6)]).expect("valid");
    assert_eq!(set.longest_match(), 6);
    for text in ["xxxxxxxx@xxxxxxxx", "xxx@xxxxxx@x", "xxxxxxxxx", "xxxxxxxxxxxx@", "x@xxxxxxxxxxxxxxxx@x"] {
        for pieces in splits(text) {
            let mut session = TextSession::new().with_patterns(&set);
            assert_eq!(stream(&mut session, pieces.iter().copied()), set.replace_all(text), "{pieces:?}");
            assert!(session.stats().held_bytes_peak <= 6);
        }
    }
    assert_eq!(set.replace_all("xxxxxxxx@xxxxxxxx"), "xxxx[run]xxxxxxx");
}

#[test]
fn text_that_is_dear_to_decide_goes_on_with_the_cheap_rule_and_the_same_result() {
    let run = Pattern::new("run", r"[a-z]{500}#");
    let set = TextPatterns::compile([run, Pattern::new("pair", r"[a-z]{1,4}![a-z]{1,4}")]).expect("valid");
    let text = "ab".repeat(1_000) + "# cd!" + &"ef".repeat(700) + "!#gh!ij";
    let places: Vec<usize> = (1..5).map(|i| i * 700).collect();
    let mut session = TextSession::new().with_patterns(&set);
    let streamed = stream(&mut session, super::kit::pieces(&text, &places));
    assert_eq!(streamed, set.replace_all(&text));
    assert!(session.stats().coarse, "the text was meant to use up the budget");
    assert!(session.stats().held_bytes_peak <= set.longest_match());
}

#[test]
fn later_stages_see_what_earlier_ones_leave() {
    let names =
        TextPatterns::compile([Pattern::new("name", "[Bb]ob").replace_with("x@y.zz")]).expect("valid");
    let mail =
        TextPatterns::compile([Pattern::new("email", r"[a-z]{1,8}@[a-z]{1,8}\.[a-z]{2}")]).expect("valid");
    let make = || TextSession::new().with_patterns(&names).with_patterns(&mail);
    for pieces in splits("hi bob, amy@b.cd") {
        assert_eq!(stream(&mut make(), pieces.iter().copied()), "hi [email], [email]", "{pieces:?}");
    }
}

#[test]
fn an_empty_set_holds_nothing() {
    let set = TextPatterns::compile([]).expect("valid");
    check(&set, &[("any", "any"), ("", ""), ("thing", "thing")], "");
    assert_eq!(set.find_at("any", 0), None);
}
