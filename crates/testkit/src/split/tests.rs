//! The property on a set of patterns that has all that makes it hard, and the proof that it can fail.

use gatewright::text::{HoldBack, Pattern, TextPatterns};

use super::*;

const TEXTS: &[&str] = &[
    "mail q-r.st@q-r.st.uv, then bob@x.com. Next",
    "abcdabcdefgh abcdefg abcabcdefgh",
    "cat concat cat_ écaté cat",
    "123-45-6789, 0123-45-6789 and 123-45-67890",
    "日本bob@x.com語 🙂a@b.cd🙂 \"quoted\\path\"\n",
    "a@b.cd.ef.gh.ij a@@b.cd @b.cd a@b. a@b.c",
];

fn patterns() -> TextPatterns {
    TextPatterns::compile([
        Pattern::new("email", r"[A-Za-z0-9.+-]{1,16}@[A-Za-z0-9-]{1,16}(?:\.[A-Za-z]{2,8}){1,3}"),
        Pattern::new("ssn", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"),
        Pattern::new("forms", r"abcdefgh|abc"),
        Pattern::new("cat", r"\bcat\b"),
    ])
    .expect("the patterns are valid")
}

/// Compares `n` random splits over all texts with the whole.
fn compare(n: usize) {
    let patterns = patterns();
    for (seed, text) in (7..).zip(TEXTS) {
        let whole = patterns.replace_all(text);
        for pieces in random_splits(text, n / TEXTS.len() + 1, seed) {
            let session = TextSession::new().with_patterns(&patterns);
            assert_eq!(run(session, Lane::content(0), &pieces), whole, "{pieces:?}");
        }
    }
}

#[test]
fn masks_the_same_in_every_random_split() {
    compare(if is_full_run() { 1_000_000 } else { 100_000 });
}

#[expect(clippy::disallowed_methods, reason = "the full tier of the tests is told by the environment")]
fn is_full_run() -> bool {
    std::env::var_os("GATEWRIGHT_FULL").is_some()
}

#[test]
fn masks_the_same_in_every_split() {
    let patterns = patterns();
    for text in TEXTS {
        assert_streamed_equals_whole(|| TextSession::new().with_patterns(&patterns), text);
    }
}

#[test]
#[should_panic(expected = "cut as")]
fn finds_a_filter_that_holds_only_what_touches_the_end() {
    let patterns = patterns();
    let make = || {
        let patterns = patterns.clone();
        TextSession::new().with_stage(HoldBack::bytes(0), move |window| {
            let (text, is_last) = (window.text().to_owned(), window.is_last());
            let mut at = 0;
            while let Some(found) = patterns.find_at(&text, at) {
                at = found.range.end;
                if at == text.len() && !is_last {
                    window.hold_from(found.range.start);
                } else {
                    window.replace(found.range.clone(), format!("[{}]", found.name));
                }
            }
        })
    };
    assert_streamed_equals_whole(make, "q-r.st@q-r.st.uv");
}

#[test]
fn random_splits_are_the_same_for_the_same_seed_and_make_up_the_text() {
    let once: Vec<_> = random_splits("añb🙂c", 50, 3).collect();
    assert_eq!(once, random_splits("añb🙂c", 50, 3).collect::<Vec<_>>());
    assert_ne!(once, random_splits("añb🙂c", 50, 4).collect::<Vec<_>>());
    assert!(once.iter().all(|pieces| pieces.concat() == "añb🙂c"));
}

#[test]
fn a_longer_text_is_cut_in_up_to_three_pieces_and_in_characters() {
    let splits: Vec<_> = every_split("0123456789abcdef").collect();
    assert_eq!(splits.len(), 2 + 15 + 15 * 14 / 2);
    assert!(splits.iter().all(|pieces| pieces.concat() == "0123456789abcdef"));
}
