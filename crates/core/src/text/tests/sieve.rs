//! The sieve says nothing about the result: with it and without it, the same places match.

use super::kit::Chance;
use crate::text::compile::{Compiled, compile};
use crate::text::scan::{Hit, Span};
use crate::text::{Pattern, TextPatterns};

/// What a text gives: the matches, and where the undecided part begins.
fn scanned(set: &Compiled, text: &str, is_last: bool) -> (Vec<Hit>, usize) {
    let mut hits = Vec::new();
    let open = set.scan(Span { text, from: 0, is_last }, &mut false, &mut |hit| hits.push(hit));
    (hits, open)
}

/// A random expression of parts that repeat, alternate and nest.
fn expression(chance: &mut Chance, depth: usize) -> String {
    const SIGNS: &[&str] =
        &["@", "#", "[0-9]", "[a-c]", "a", "[A-Z]", "é", "[à-ü]", "-", "(?:bc|d)", r"\b", "[^x]"];
    const TIMES: &[&str] = &["", "", "", "{2}", "{1,3}", "{0,2}", "?", "{6}", "{3,70}", "+", "*"];
    let count = 1 + chance.below(4);
    (0..count)
        .map(|_| {
            let times = *chance.pick(TIMES);
            if depth > 0 && chance.below(3) == 0 {
                let (one, other) = (expression(chance, depth - 1), expression(chance, depth - 1));
                format!("(?:{one}|{other}){times}")
            } else {
                format!("(?:{}){times}", chance.pick(SIGNS))
            }
        })
        .collect()
}

fn text(chance: &mut Chance) -> String {
    const SIGNS: &[&str] =
        &["@", "#", "0", "7", "a", "b", "c", "d", "Q", "é", "ü", "-", " ", "x", "xxxx ", "the "];
    let count = chance.below(700);
    // Long stretches of what no pattern is about, so that the sieve has something to skip.
    (0..count).map(|_| if chance.below(6) == 0 { *chance.pick(SIGNS) } else { "so " }).collect()
}

#[test]
fn a_set_with_a_sieve_finds_what_it_finds_without() {
    let mut chance = Chance(3);
    let mut sieves = 0;
    let mut hits = 0;
    for _ in 0..400 {
        let count = 1 + chance.below(3);
        let patterns =
            (0..count).map(|i| Pattern::new(format!("p{i}"), expression(&mut chance, 2)).max_bytes(200));
        let Ok(mut set) = compile(patterns) else { continue };
        if set.sieve.is_none() {
            continue;
        }
        sieves += 1;
        let cases: Vec<(String, bool)> = (0..8).map(|i| (text(&mut chance), i % 2 == 0)).collect();
        let sifted: Vec<_> = cases.iter().map(|(text, is_last)| scanned(&set, text, *is_last)).collect();
        set.sieve = None;
        for ((text, is_last), sifted) in cases.iter().zip(sifted) {
            let names: Vec<&String> = set.rules.iter().map(|rule| &rule.name).collect();
            assert_eq!(sifted, scanned(&set, text, *is_last), "{names:?} in {text:?}");
            hits += sifted.0.len();
        }
    }
    assert!(sieves > 50 && hits > 500, "{sieves} sieves and {hits} matches show nothing");
}

#[test]
fn a_match_is_found_wherever_it_stands_in_a_long_text() {
    let set = TextPatterns::compile([
        Pattern::new("email", r"[a-z]{1,64}@[a-z]{1,64}\.[a-z]{2}"),
        Pattern::new("far", r"\([a-z ]{240}#\)"),
        Pattern::new("number", r"\b[0-9]{6}\b"),
    ])
    .expect("valid");
    let far = format!("({}#)", "so ".repeat(80));
    let name = "n".repeat(64);
    for before in (0..20).chain(980..1060).chain(2030..2060) {
        let text = format!("{} {name}@x.yz, {far} 123456.", "-".repeat(before));
        let expected = format!("{} [email], [far] [number].", "-".repeat(before));
        assert_eq!(set.replace_all(&text), expected, "{before}");
    }
}

#[test]
fn patterns_that_may_match_nearly_anywhere_have_no_sieve() {
    for (source, has_one) in [
        (r"[a-z]{1,64}@x", true),
        (r"\b[0-9]{4}\b", true),
        ("tea|coffee", true),
        (r"[a-z]{2,8}", false),
        (r"[a-z]{1,300}@x", false),
        (r"(?:#|[a-z])b?", false),
    ] {
        let set = compile([Pattern::new("p", source).max_bytes(400)]).expect("valid");
        assert_eq!(set.sieve.is_some(), has_one, "{source}");
    }
}

#[test]
fn a_set_of_more_patterns_than_the_sieve_has_places_for_finds_them_all() {
    let names: Vec<String> = (0..200).map(|i| format!("secret-{}-{i:03}", i * 7919 % 1000)).collect();
    let set = compile(names.iter().map(|name| Pattern::new(name.clone(), name.clone()))).expect("valid");
    let text: String = names.iter().map(|name| format!("some words and {name}, ")).collect();
    let (hits, open) = scanned(&set, &text, true);
    assert_eq!(hits.iter().map(|hit| hit.rule).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    assert_eq!(open, text.len());
    assert!(set.sieve.is_some());
}

#[test]
fn deeply_nested_patterns_compile_at_once() {
    let nested = (0..16).fold("a#".to_owned(), |inner, i| format!("(?:[xy](?:{inner}|b{i}@)|c)-"));
    let set = compile([Pattern::new("p", nested).max_bytes(64)]).expect("valid");
    assert_eq!(scanned(&set, "so c-", true).0.len(), 1);
}
