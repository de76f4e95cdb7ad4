//! A tool of any name that a dialect takes under another name is called by its own name in the answer, without a memory.

use gatewright::FinishReason;
use gatewright::chat::{Answer, AnswerChoice, Chat, Losses, Part, PartKind, Speaker, Tool, ToolKind, Turn};
use gatewright::dialect::{Abilities, Codec, Dialect};
use gatewright_wire::codec;

use crate::dialect::{CHATS, chats, envelope};

/// Checks all of it for one input, which is the name.
pub fn check(data: &[u8]) {
    let Ok(name) = std::str::from_utf8(data) else { return };
    if name.is_empty() {
        return;
    }
    for dialect in CHATS {
        goes_and_comes(codec(dialect), name);
    }
}

fn goes_and_comes(codec: &dyn Codec, name: &str) {
    let Some(alias) = alias(codec, name) else { return };
    let call = PartKind::ToolCall {
        id: "call_1".into(),
        name: (&*alias).into(),
        arguments: "{}".into(),
        signature: None,
    };
    let choice = AnswerChoice { parts: vec![Part::new(call)], finish: Some(FinishReason::ToolCalls) };
    let answer = Answer { model: Some("m".into()), choices: vec![choice], usage: None };
    // A provider of the dialect calls the tool as the request has named it.
    let written = chats(codec).write_answer(&answer, &envelope());
    let read = chats(codec).read_answer(&written).expect("it reads what it has written");
    let names: Vec<&str> = read.choices[0]
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall { name, .. } => Some(&**name),
            _ => None,
        })
        .collect();
    assert_eq!(names, [name], "{:?} calls it {alias}", codec.dialect());
}

/// What a dialect calls a tool; none where it refuses the name.
fn alias(codec: &dyn Codec, name: &str) -> Option<String> {
    let tool = Tool {
        name: name.into(),
        kind: ToolKind::Function {
            description: None,
            parameters: Some(r#"{"type":"object"}"#.into()),
            strict: None,
        },
        cache: None,
        origin: 0,
    };
    let turn = Turn { speaker: Speaker::User, parts: vec![Part::text("hi")] };
    let chat = Chat { tools: vec![tool], turns: vec![turn], ..Chat::default() };
    let mut losses = Losses::new(false, &|_| String::new());
    let body = chats(codec).write_request(&chat, &Abilities::default(), &mut losses).ok()?;
    let body: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
    let place = match codec.dialect() {
        Dialect::OpenAiChat => "/tools/0/function/name",
        Dialect::GoogleGenerate => "/tools/0/functionDeclarations/0/name",
        Dialect::BedrockConverse => "/toolConfig/tools/0/toolSpec/name",
        _ => "/tools/0/name",
    };
    body.pointer(place).and_then(|name| name.as_str()).map(str::to_owned)
}
