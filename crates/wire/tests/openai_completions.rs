//! Prompts on their way to providers that only chat, and the answers on their way back.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use gatewright::chat::{Answer, AnswerChoice, Losses, Part, PartKind, Place};
use gatewright::dialect::{Abilities, ChatCodec, Dialect, Envelope, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FinishReason, RequestId, StreamEvent, Usage};
use gatewright_wire::codec;
use serde_json::{Value, json};

fn completions() -> &'static dyn ChatCodec {
    codec(Dialect::OpenAiCompletions).chat().unwrap()
}

fn sent(body: &Value, to: Dialect) -> Result<(Value, Vec<String>), Failure> {
    let body = body.to_string();
    let chat = completions().read_request(body.as_bytes())?;
    let name = |place: &Place<'_>| completions().pointer(place);
    let mut losses = Losses::new(false, &name);
    let written = codec(to).chat().unwrap().write_request(&chat, &Abilities::default(), &mut losses)?;
    let lost =
        losses.into_found().iter().map(|loss| format!("{};{}", loss.field, loss.kind.as_str())).collect();
    Ok((serde_json::from_slice(&written).unwrap(), lost))
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 7, model: "m".to_owned() }
}

#[test]
fn a_prompt_is_what_the_user_says() {
    for prompt in [json!("Once"), json!(["Once"])] {
        let request = json!({
            "model": "m", "prompt": prompt, "max_tokens": 9, "stop": ["."], "temperature": 0.5, "n": 2, "echo": false,
            "best_of": 2, "stream": true,
        });
        let (written, lost) = sent(&request, Dialect::OpenAiChat).unwrap();
        assert_eq!(written["messages"], json!([{"role": "user", "content": "Once"}]));
        assert_eq!(written["max_completion_tokens"], 9);
        assert_eq!(
            (&written["stop"], &written["temperature"], &written["n"]),
            (&json!(["."]), &json!(0.5), &json!(2))
        );
        assert_eq!((written["stream"].as_bool(), lost), (Some(true), vec![]));
    }
    assert_eq!(completions().emulated(), Some(Place::Pointer("/prompt".into())));
}

#[test]
fn what_chats_do_not_have_is_reported() {
    let request = json!({
        "model": "m", "prompt": "Once", "max_tokens": 9, "echo": true, "logprobs": 2, "best_of": 3, "seed": 1,
    });
    let (_, lost) = sent(&request, Dialect::AnthropicMessages).unwrap();
    assert_eq!(lost, ["/best_of;dropped", "/echo;dropped", "/logprobs;dropped", "/seed;dropped"]);
}

#[test]
fn what_would_change_the_meaning_is_refused_with_its_name() {
    for (request, param) in [
        (json!({"model": "m", "prompt": ["a", "b"]}), "prompt"),
        (json!({"model": "m", "prompt": [1, 2]}), "prompt"),
        (json!({"model": "m", "prompt": [[1], [2]]}), "prompt"),
        (json!({"model": "m", "prompt": "a", "suffix": "b"}), "suffix"),
    ] {
        let refused = sent(&request, Dialect::OpenAiChat).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(param), "{request}");
    }
}

#[test]
fn an_answer_is_a_text_that_goes_on() {
    let thought = Part::new(PartKind::Reasoning { text: "hm".into(), signature: None });
    let parts = vec![thought, Part::text("upon"), Part::text(" a time")];
    let choice = |finish| AnswerChoice { parts: parts.clone(), finish: Some(finish) };
    let answer = Answer {
        model: None,
        choices: vec![choice(FinishReason::Length), choice(FinishReason::Stop)],
        usage: Some(Usage { input: 3, output: 4, ..Usage::default() }),
    };
    let written = completions().write_answer(&answer, &envelope());
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!((&written["object"], &written["model"]), (&json!("text_completion"), &json!("m")));
    assert!(written["id"].as_str().unwrap().starts_with("cmpl-"));
    assert_eq!(
        written["choices"][0],
        json!({"index": 0, "text": "upon a time", "logprobs": null, "finish_reason": "length"})
    );
    assert_eq!(written["choices"][1]["index"], 1);
    assert_eq!(written["usage"]["total_tokens"], 7);
    let back = completions().read_answer(written.to_string().as_bytes()).map(|answer| answer.choices.len());
    assert_eq!(back.unwrap(), 2);
}

#[test]
fn a_stream_is_told_in_chunks_of_text() {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = codec(Dialect::OpenAiCompletions).stream_encoder(settings);
    let kinds = [
        EventKind::Start,
        EventKind::TextDelta { lane: Lane::reasoning(0), text: "hm".into() },
        EventKind::TextDelta { lane: Lane::content(0), text: "upon".into() },
        EventKind::Finish { choice: 0, reason: FinishReason::Stop },
        EventKind::Usage(Usage { input: 3, output: 4, ..Usage::default() }),
    ];
    let mut out = Vec::new();
    encoder.write(None, &kinds.map(StreamEvent::inserted), &mut out);
    encoder.write_end(&mut out);
    let text = String::from_utf8(out).unwrap();
    let chunks: Vec<&str> =
        text.split_terminator("\n\n").map(|chunk| chunk.strip_prefix("data: ").unwrap()).collect();
    let (end, chunks) = chunks.split_last().unwrap();
    assert_eq!(*end, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    assert!(
        chunks.iter().all(|chunk| chunk["object"] == "text_completion"
            && chunk["id"].as_str().unwrap().starts_with("cmpl-"))
    );
    let texts: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(texts, "upon");
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 4);
}
