//! Lanes: each is one text, however its pieces come.

use super::kit::{Chance, patterns};
use crate::text::{HoldBack, Lane, LaneMask, TextError, TextSession, TextStage};

#[test]
fn interleaved_lanes_do_not_touch_each_other() {
    let patterns = patterns();
    let lanes = [
        (Lane::content(0), "mail bob@x.com or 123-45-6789, cat"),
        (Lane::content(1), "concat abcdefgh"),
        (Lane::reasoning(0), "bob@x"),
        (Lane::tool_arguments(0, 0), r#"{"to":"bob@x.com"}"#),
        (Lane::tool_arguments(0, 1), r#"{"to":"abcdefg"}"#),
    ];
    let mut chance = Chance(4);
    for _ in 0..2_000 {
        let mut session = TextSession::new().with_patterns(&patterns);
        let mut queues: Vec<(Lane, Vec<&str>, String)> = lanes
            .iter()
            .map(|(lane, text)| (*lane, chance.split(text, 6).into_iter().rev().collect(), String::new()))
            .collect();
        while queues.iter().any(|(_, pieces, _)| !pieces.is_empty()) {
            let turn = chance.below(queues.len());
            let (lane, pieces, out) = &mut queues[turn];
            if let Some(piece) = pieces.pop() {
                out.push_str(&session.push(*lane, piece, pieces.is_empty()).expect("nothing overflows"));
            }
        }
        for ((lane, text), (_, _, out)) in lanes.iter().zip(&queues) {
            assert_eq!(*out, patterns.replace_all(text), "{lane:?}");
        }
    }
}

#[test]
fn lanes_that_are_not_wanted_pass_by() {
    let hold = HoldBack::bytes(100).with_lanes(LaneMask::CONTENT);
    let mut session = TextSession::new().with_stage(hold, |_| ());
    assert_eq!(session.push(Lane::reasoning(0), "why", false), Ok("why".to_owned()));
    assert_eq!(session.push(Lane::content(0), "what", false), Ok(String::new()));
}

#[test]
fn open_lanes_are_told_in_the_order_of_their_beginning() {
    let mut stage = TextStage::new(HoldBack::bytes(10));
    let (first, second) = (Lane::tool_arguments(0, 1), Lane::content(0));
    let mut out = String::new();
    for (lane, piece) in [(first, "{"), (second, "x"), (first, "}")] {
        stage.step(lane, piece, false, &mut out, |_| ()).expect("nothing overflows");
    }
    assert_eq!(stage.open_lanes().collect::<Vec<_>>(), [first, second]);
    stage.step(first, "", true, &mut out, |_| ()).expect("nothing overflows");
    assert_eq!(stage.open_lanes().collect::<Vec<_>>(), [second]);
    assert!(stage.holds(second) && !stage.holds(first));
}

#[test]
fn an_answer_with_too_many_lanes_is_refused() {
    let mut session = TextSession::new().with_stage(HoldBack::bytes(10), |_| ());
    for choice in 0..1024 {
        assert!(session.push(Lane::content(choice), "x", false).is_ok());
    }
    let refused = session.push(Lane::content(1024), "x", false);
    assert_eq!(refused, Err(TextError::TooManyLanes { max: 1024 }));
}
