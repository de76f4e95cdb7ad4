use gatewright::Failure;
use gatewright::chat::{Chat, Losses, Origin, Part, PartKind, Place, Speaker, Turn};

use super::paired;

fn call(id: &'static str, name: &'static str) -> Part<'static> {
    Part::new(PartKind::ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: "{}".into(),
        signature: None,
    })
}

fn result(id: &'static str, name: Option<&'static str>) -> Part<'static> {
    Part::new(PartKind::ToolResult {
        call: id.into(),
        name: name.map(Into::into),
        content: Vec::new(),
        is_error: false,
    })
}

fn pairs(turns: Vec<(Speaker, Vec<Part<'static>>)>) -> Result<Vec<String>, Failure> {
    let turns = (0..).zip(turns).map(|(message, (speaker, parts))| {
        let parts = parts.into_iter().map(|part| part.at(Origin { message, part: None })).collect();
        Turn { speaker, parts }
    });
    let chat = Chat { turns: turns.collect(), ..Chat::default() };
    let name = |place: &Place<'_>| match place {
        Place::Part(origin) => format!("/messages/{}", origin.message),
        _ => String::new(),
    };
    let losses = Losses::new(false, &name);
    Ok(paired(&chat, &losses)?.into_iter().map(|call| format!("{}={}", call.id, call.name)).collect())
}

#[test]
fn results_find_their_calls_by_id_whatever_their_order() {
    let turns = vec![
        (Speaker::Assistant, vec![call("a", "x"), call("b", "y")]),
        (Speaker::User, vec![result("b", None)]),
        (Speaker::User, vec![result("a", None)]),
    ];
    assert_eq!(pairs(turns).unwrap(), ["a=x", "b=y", "b=y", "a=x"]);
}

#[test]
fn calls_without_ids_are_paired_by_name_and_order() {
    let turns = vec![
        (Speaker::Assistant, vec![call("", "x"), call("", "y"), call("", "x")]),
        (Speaker::User, vec![result("", Some("y")), result("", Some("x")), result("", None)]),
    ];
    assert_eq!(
        pairs(turns).unwrap(),
        ["call_1=x", "call_2=y", "call_3=x", "call_2=y", "call_1=x", "call_3=x"]
    );
}

#[test]
fn a_call_stays_open_only_in_the_last_turn() {
    assert_eq!(pairs(vec![(Speaker::Assistant, vec![call("a", "x")])]).unwrap(), ["a=x"]);
    let unanswered =
        vec![(Speaker::Assistant, vec![call("a", "x")]), (Speaker::User, vec![Part::text("and?")])];
    let refused = pairs(unanswered).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("/messages/0"));
    assert!(refused.message.contains("`a`"), "{}", refused.message);
}

#[test]
fn a_result_without_its_call_is_refused() {
    let wrong = [
        vec![(Speaker::User, vec![result("a", None)])],
        vec![
            (Speaker::Assistant, vec![call("a", "x")]),
            (Speaker::User, vec![result("a", None), result("a", None)]),
        ],
        vec![(Speaker::Assistant, vec![call("a", "x")]), (Speaker::User, vec![result("b", None)])],
        vec![(Speaker::Assistant, vec![call("", "x")]), (Speaker::User, vec![result("", Some("y"))])],
    ];
    for turns in wrong {
        let last = turns.len() - 1;
        let refused = pairs(turns).unwrap_err();
        assert_eq!(refused.param, Some(format!("/messages/{last}").into()));
    }
}

#[test]
fn calls_of_one_turn_that_share_an_id_get_ids_of_their_own_and_so_do_their_results() {
    let turns = vec![
        (Speaker::Assistant, vec![call("a", "x"), call("a", "y"), call("b", "z"), call("a", "x")]),
        (Speaker::User, vec![result("a", None), result("b", None), result("a", None), result("a", None)]),
        (Speaker::Assistant, vec![call("a", "x")]),
        (Speaker::User, vec![result("a", None)]),
    ];
    let first = ["a=x", "a_again_1=y", "b=z", "a_again_2=x", "a=x", "b=z", "a_again_1=y", "a_again_2=x"];
    assert_eq!(pairs(turns).unwrap(), [&first[..], &["a=x", "a=x"]].concat());
}
