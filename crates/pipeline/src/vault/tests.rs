use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use gatewright::chat::{Chat, Part, PartKind, Signature, Speaker, Turn};
use gatewright::dialect::Dialect;
use gatewright::service::cache::Cache;
use gatewright::text::Lane;
use gatewright::{EventKind, StreamEvent, TenantId};
use parking_lot::Mutex;

use super::{Keepsake, restore};

/// A cache that forgets nothing.
#[derive(Default)]
struct Chest(Mutex<HashMap<(String, String), Bytes>>);

impl Cache for Chest {
    fn get(&self, tenant: &TenantId, key: &str) -> Option<Bytes> {
        self.0.lock().get(&(tenant.to_string(), key.to_owned())).cloned()
    }

    fn put(&self, tenant: &TenantId, key: &str, value: Bytes, _: Duration) {
        self.0.lock().insert((tenant.to_string(), key.to_owned()), value);
    }

    fn remove(&self, tenant: &TenantId, key: &str) {
        self.0.lock().remove(&(tenant.to_string(), key.to_owned()));
    }
}

fn proof(data: &'static str) -> Signature<'static> {
    Signature { data: data.into(), from: Dialect::AnthropicMessages }
}

/// A turn that thinks, and then calls two tools, the second with a proof of its own.
fn thinking() -> Vec<StreamEvent> {
    let delta = |text: &str| EventKind::TextDelta { lane: Lane::reasoning(0), text: text.into() };
    let start = |index, id: &str| EventKind::ToolCallStart {
        lane: Lane::tool_arguments(0, index),
        id: id.to_owned(),
        name: "look".to_owned(),
    };
    [
        delta("I shall "),
        delta("look"),
        EventKind::Signature { lane: Lane::reasoning(0), signature: proof("thought") },
        EventKind::SealedReasoning { choice: 0, signature: proof("sealed") },
        start(0, "one"),
        start(1, "two"),
        EventKind::Signature { lane: Lane::tool_arguments(0, 1), signature: proof("second") },
    ]
    .into_iter()
    .map(|kind| StreamEvent::from_frame(kind, 0))
    .collect()
}

fn keep(events: &[StreamEvent], chest: &Chest) {
    let mut keepsake = Keepsake::default();
    events.iter().for_each(|event| keepsake.see(event));
    keepsake.keep(chest, &TenantId::new("acme"));
}

fn call(id: &'static str, signature: Option<Signature<'static>>) -> Part<'static> {
    Part::new(PartKind::ToolCall { id: id.into(), name: "look".into(), arguments: "{}".into(), signature })
}

/// The same turn as a caller sends it back who can carry no proof, but shows what it read of the reasoning.
fn sent_back() -> Chat<'static> {
    let shown = Part::new(PartKind::Reasoning { text: "I shall look".into(), signature: None });
    let parts = vec![shown, Part::text("Looking."), call("one", None), call("two", None)];
    Chat { turns: vec![Turn { speaker: Speaker::Assistant, parts }], ..Chat::default() }
}

#[test]
fn reasoning_comes_back_with_its_proof_before_the_calls_of_its_turn() {
    let (chest, mut chat) = (Chest::default(), sent_back());
    keep(&thinking(), &chest);
    restore(&mut chat, &chest, &TenantId::new("acme"), Dialect::AnthropicMessages);
    let expected = [
        Part::new(PartKind::Reasoning { text: "I shall look".into(), signature: Some(proof("thought")) }),
        Part::new(PartKind::SealedReasoning(proof("sealed"))),
        Part::text("Looking."),
        call("one", None),
        call("two", Some(proof("second"))),
    ];
    assert_eq!(chat.turns.first().map(|turn| turn.parts.as_slice()), Some(expected.as_slice()));
}

#[test]
fn another_tenant_and_another_dialect_get_nothing() {
    let chest = Chest::default();
    keep(&thinking(), &chest);
    for (tenant, dialect) in [("other", Dialect::AnthropicMessages), ("acme", Dialect::GoogleGenerate)] {
        let mut chat = sent_back();
        restore(&mut chat, &chest, &TenantId::new(tenant), dialect);
        assert_eq!(chat, sent_back(), "{tenant}, {dialect:?}");
    }
}

#[test]
fn reasoning_that_a_filter_edited_is_not_kept() {
    let (chest, mut events) = (Chest::default(), thinking());
    events.first_mut().and_then(StreamEvent::text_mut).expect("it is text").push_str("not ");
    keep(&events, &chest);
    assert!(chest.0.lock().is_empty());
}

#[test]
fn a_turn_without_a_call_or_without_a_proof_is_not_kept() {
    let chest = Chest::default();
    keep(&thinking()[..4], &chest);
    keep(&thinking()[4..6], &chest);
    assert!(chest.0.lock().is_empty());
}

#[test]
fn more_than_a_turn_may_hold_is_not_kept() {
    let (chest, mut events) = (Chest::default(), thinking());
    let long = EventKind::TextDelta { lane: Lane::reasoning(0), text: "x".repeat(300_000).as_str().into() };
    events.insert(0, StreamEvent::from_frame(long, 0));
    keep(&events, &chest);
    assert!(chest.0.lock().is_empty());
}

#[test]
fn more_calls_than_a_turn_may_hold_are_not_kept() {
    let (chest, mut events) = (Chest::default(), thinking());
    events.extend((2..10_000).map(|index| {
        let (id, name) = (String::new(), String::new());
        let lane = Lane::tool_arguments(0, index);
        StreamEvent::from_frame(EventKind::ToolCallStart { lane, id, name }, 0)
    }));
    keep(&events, &chest);
    assert!(chest.0.lock().is_empty());
}
