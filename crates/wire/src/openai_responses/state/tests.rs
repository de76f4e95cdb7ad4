//! Tests of what the dialect has for conversations that are kept.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{Abilities, Dialect, Identity, Look, ReasoningForm, Recalled, StateCodec, Wish};
use serde_json::{Value, json};

use super::State;
use crate::codec;

fn request(body: &Value) -> Box<dyn gatewright::dialect::RequestDocument> {
    codec(Dialect::OpenAiResponses).decode_request(body.to_string().into()).unwrap()
}

fn wish(body: &Value) -> Result<Wish, Failure> {
    State.wish(&*request(body))
}

fn refused(body: &Value) -> Option<String> {
    wish(body).err().and_then(|failure| failure.param).map(std::borrow::Cow::into_owned)
}

fn identity(id: &str, previous: Option<&str>) -> Identity {
    Identity { id: id.into(), previous: previous.map(Into::into), hides_seals: true }
}

fn record(id: &str, previous: Option<&str>, own: &Value, output: &Value) -> Bytes {
    let answer = json!({"id": id, "object": "response", "output": output});
    State.record(&identity(id, previous), own.to_string().as_bytes(), answer.to_string().as_bytes()).text
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

#[test]
fn what_only_a_provider_could_keep_is_refused_with_the_field() {
    let table = [
        (json!({"model": "m", "input": "a", "conversation": {"id": "conv_1"}}), "conversation"),
        (json!({"model": "m", "input": "a", "background": true}), "background"),
        (json!({"model": "m", "input": "a", "previous_response_id": ["x"]}), "/previous_response_id"),
        (json!({"model": "m", "input": "a", "store": "yes"}), "/store"),
        (json!({"model": "m", "input": [{"type": "item_reference"}]}), "/input/0/id"),
    ];
    for (body, param) in table {
        assert_eq!(refused(&body).as_deref(), Some(param), "{body}");
    }
    let twice = r#"{"model":"m","input":"a","previous_response_id":"x","previous_response_id":"y"}"#;
    let twice = codec(Dialect::OpenAiResponses).decode_request(twice.into()).unwrap();
    assert!(State.wish(&*twice).is_err());
}

#[test]
fn an_answer_is_kept_unless_its_request_says_no() {
    for (store, keeps, insists) in
        [(json!(null), true, false), (json!(true), true, true), (json!(false), false, false)]
    {
        let wish = wish(&json!({"model": "m", "input": "a", "store": store})).unwrap();
        assert_eq!((wish.keeps, wish.insists), (keeps, insists));
    }
    assert!(wish(&json!({"model": "m", "input": "a"})).unwrap().keeps);
}

#[test]
fn what_carries_its_own_content_names_nothing() {
    for input in [
        json!([{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}]),
        json!([{"id": "msg_1", "role": "assistant", "content": []}]),
    ] {
        let wish = wish(&json!({"model": "m", "input": input})).unwrap();
        assert_eq!((wish.items.len(), wish.unsealed.len()), (0, 0), "{input}");
    }
    for item in [json!({"id": "msg_1"}), json!({"type": "item_reference", "id": "msg_1"})] {
        let wish = wish(&json!({"model": "m", "input": [user("a"), item]})).unwrap();
        assert_eq!(wish.items, [Box::from("msg_1")]);
    }
}

#[test]
fn an_expanded_request_is_the_conversation() {
    let said = |text: &str| json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]});
    let seen =
        json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "three"}]}]);
    let turns = [
        record("resp_1", None, &json!([user("one")]), &json!([said("1")])),
        record("resp_2", Some("resp_1"), &json!([user("two"), user("and")]), &json!([said("2"), said("2b")])),
    ];
    assert_eq!(State.previous(&turns[1]).as_deref(), Some("resp_1"));
    let body = json!({"model": "m", "instructions": "i", "input": "three", "previous_response_id": "resp_2", "store": true});
    let mut request = request(&body);
    let own = State.expand(&mut *request, Recalled { turns: &turns, items: &[] }).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&own).unwrap(), seen);
    let sent: Value = serde_json::from_slice(&request.to_body()).unwrap();
    let whole = json!([user("one"), said("1"), user("two"), user("and"), said("2"), said("2b"), seen[0]]);
    assert_eq!(sent, json!({"model": "m", "instructions": "i", "input": whole, "store": false}));
}

#[test]
fn a_request_that_names_nothing_keeps_its_bytes_but_for_where_it_is_stored() {
    let body = r#"{ "model":"m", "input": "a" , "odd": 1.0 }"#;
    let mut request = codec(Dialect::OpenAiResponses).decode_request(body.into()).unwrap();
    State.expand(&mut *request, Recalled { turns: &[], items: &[] }).unwrap();
    assert_eq!(request.to_body(), r#"{ "model":"m", "input": "a" , "odd": 1.0,"store":false }"#);
    let mut stateless =
        codec(Dialect::OpenAiResponses).decode_request(r#"{"model":"m","store": false}"#.into()).unwrap();
    State.expand(&mut *stateless, Recalled { turns: &[], items: &[] }).unwrap();
    assert!(!stateless.is_edited());
}

#[test]
fn sealed_reasoning_is_asked_for_where_the_model_is_known_to_reason() {
    let table = [
        (json!({}), ReasoningForm::Usual, false),
        (json!({"reasoning": {"effort": "low"}}), ReasoningForm::Usual, true),
        (json!({"reasoning": {"effort": "none"}}), ReasoningForm::Effort, false),
        (json!({"reasoning": {"effort": "low"}}), ReasoningForm::Never, false),
        (json!({}), ReasoningForm::Effort, true),
        (json!({"include": ["message.output_text.logprobs"]}), ReasoningForm::Effort, true),
        (json!({"include": null}), ReasoningForm::Effort, true),
    ];
    for (more, form, asks) in table {
        let mut body = json!({"model": "m", "input": "a"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut request = request(&body);
        let mut abilities = Abilities::default();
        abilities.reasoning = form;
        State.ask_for_seals(&mut *request, &abilities).unwrap();
        let sent: Value = serde_json::from_slice(&request.to_body()).unwrap();
        let names = sent["include"].as_array().cloned().unwrap_or_default();
        assert_eq!(names.contains(&json!("reasoning.encrypted_content")), asks, "{body}");
    }
}

#[test]
fn seals_are_kept_and_not_shown() {
    let answer = Bytes::from_static(
        br#"{"id":"a","store":false,"previous_response_id":null,"output":[{"type":"reasoning","id":"rs","encrypted_content":"x"}]}"#,
    );
    let (shown, kept) = State.identify(&answer, &identity("resp_1", Some("resp_0"))).unwrap();
    assert_eq!(
        shown,
        r#"{"id":"resp_1","store":true,"previous_response_id":"resp_0","output":[{"type":"reasoning","id":"rs"}]}"#
    );
    assert!(kept.ends_with(br#""encrypted_content":"x"}]}"#), "{kept:?}");
    let record = State.record(&identity("resp_1", None), b"[]", &kept);
    assert_eq!(record.items, [Box::from("rs")]);
    assert!(State.item(&record.text, "rs").unwrap().ends_with(br#""x"}"#));
    let turns = [record.text];
    let look = |shows_seals| State.tell("resp_1", &Look::Answer { shows_seals }, &turns).unwrap();
    assert_eq!(look(false), shown);
    assert_eq!(look(true), kept);
}

#[test]
fn an_answer_that_is_not_kept_says_so_whole_and_streamed() {
    let whole = Bytes::from_static(br#"{"id":"a","store":true,"output":[]}"#);
    assert_eq!(State.unkept(&whole), r#"{"id":"a","store":false,"output":[]}"#);
    let last = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"store\":true}}\n\n";
    let first = "event: response.output_text.done\ndata: {\"text\":\"\\\"store\\\":true\"}\n\n";
    let told = State.unkept(&format!("{first}{last}").into());
    assert_eq!(told, format!("{first}{}", last.replace("true", "false")));
}

#[test]
fn items_are_listed_with_ids_and_their_content_as_parts() {
    let turns = [
        record(
            "resp_1",
            None,
            &json!([user("one")]),
            &json!([{"type": "reasoning", "id": "rs", "encrypted_content": "x"}]),
        ),
        record(
            "resp_2",
            Some("resp_1"),
            &json!([{"type": "function_call_output", "call_id": "c", "output": "o"}]),
            &json!([]),
        ),
    ];
    let look = State
        .look(Look::Items { after: None, count_max: 0, is_descending: true }, Some("order=asc"))
        .unwrap();
    let list: Value = serde_json::from_slice(&State.tell("resp_2", &look, &turns).unwrap()).unwrap();
    let data = json!([
        {"id": "msg_1_i0", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "one"}], "status": "completed"},
        {"id": "rs", "type": "reasoning", "status": "completed"},
        {"id": "fco_2_i0", "type": "function_call_output", "call_id": "c", "output": "o", "status": "completed"},
    ]);
    let expected = json!({"object": "list", "data": data, "first_id": "msg_1_i0", "last_id": "fco_2_i0", "has_more": false});
    assert_eq!(list, expected);
}
