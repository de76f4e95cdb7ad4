//! Whole answers of the OpenAI dialects: usage, texts, and what an edit changes along.

use bytes::Bytes;
use gatewright::dialect::{AnswerDocument, Dialect};
use gatewright::text::Lane;
use gatewright::{FailureKind, Side, Usage};
use gatewright_wire::codec;

fn decode(dialect: Dialect, body: &str) -> Box<dyn AnswerDocument> {
    codec(dialect).decode_answer(Bytes::copy_from_slice(body.as_bytes())).expect(body)
}

fn chat(body: &str) -> Box<dyn AnswerDocument> {
    decode(Dialect::OpenAiChat, body)
}

fn visited(answer: &dyn AnswerDocument) -> Vec<(Lane, String)> {
    let mut seen = Vec::new();
    answer.for_each_text(&mut |lane, text| seen.push((lane, text.to_owned())));
    seen
}

const ANSWER: &str = concat!(
    "{ \"id\":\"c\",\"model\":\"m-1\",\"x\":1e400,\"choices\":[ {\"index\":0,\"message\":{\"role\":\"assistant\",",
    "\"content\":\"caf\\u00e9\",\"refusal\":null,\"reasoning_content\":\"why\"},\"logprobs\":{\"content\":[]},",
    "\"finish_reason\":\"stop\"}, {\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"function\":",
    "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},\"logprobs\":{},\"index\":1} ],",
    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15} }",
);

#[test]
fn an_untouched_answer_goes_on_in_its_own_buffer() {
    let body = Bytes::copy_from_slice(ANSWER.as_bytes());
    let answer = codec(Dialect::OpenAiChat).decode_answer(body.clone()).unwrap();
    assert_eq!(answer.to_body().as_ptr(), body.as_ptr());
    assert_eq!(answer.model(), Some("m-1"));
    assert_eq!(answer.usage(), Some(Usage { input: 10, output: 5, ..Usage::default() }));
    assert!(!answer.is_edited());
}

#[test]
fn texts_are_visited_by_lane() {
    let expected =
        [(Lane::content(0), "café"), (Lane::reasoning(0), "why"), (Lane::tool_arguments(1, 0), "{\"a\":1}")];
    assert_eq!(visited(&*chat(ANSWER)), expected.map(|(lane, text)| (lane, text.to_owned())));
}

#[test]
fn an_edit_changes_its_span_and_the_probabilities_that_spell_the_old_text() {
    let mut answer = chat(ANSWER);
    let mask = |lane: Lane, text: &str| (lane == Lane::content(0)).then(|| text.replace("caf", "\"***\""));
    assert_eq!(answer.edit_texts(&mut { mask }).unwrap(), 1);
    answer.set_model("public");
    let expected = ANSWER
        .replace(r#""caf\u00e9""#, r#""\"***\"é""#)
        .replace(r#""logprobs":{"content":[]}"#, r#""logprobs":null"#)
        .replace("\"m-1\"", "\"public\"");
    assert_eq!(answer.to_body(), expected);
    assert_eq!((answer.model(), answer.is_edited()), (Some("public"), true));
    assert_eq!(visited(&*answer)[0].1, "\"***\"é");
}

#[test]
fn a_new_model_name_is_no_edit() {
    let mut answer = chat(ANSWER);
    answer.set_model("public");
    assert!(!answer.is_edited());
    assert_eq!(answer.to_body(), ANSWER.replace("\"m-1\"", "\"public\""));
}

#[test]
fn parts_and_every_carrier_of_reasoning_are_texts() {
    let body = r#"{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},
        {"type":"text","text":"b"},{"type":"refusal","refusal":"c"}],"thinking_blocks":[{"thinking":"d","signature":"s"}],
        "reasoning":"e","function_call":{"name":"f","arguments":"{}"},"audio":{"transcript":"g","data":"AAAA"}}},
        {"text":"h"}]}"#;
    let (content, reasoning) = (Lane::content(0), Lane::reasoning(0));
    let expected = [
        (reasoning, "a"),
        (content, "b"),
        (Lane::refusal(0), "c"),
        (reasoning, "d"),
        (reasoning, "e"),
        (Lane::tool_arguments(0, 0), "{}"),
        (content, "g"),
        (Lane::content(1), "h"),
    ];
    assert_eq!(visited(&*chat(body)), expected.map(|(lane, text)| (lane, text.to_owned())));
}

#[test]
fn reasoning_that_is_said_twice_is_edited_twice() {
    let body = r#"{"choices":[{"index":0,"message":{"reasoning":"s\u00fc","content":"x","reasoning_details":[{"text":"sü"}]}}]}"#;
    let mut answer = chat(body);
    let count = answer.edit_texts(&mut |_, text| (text == "sü").then(|| "-".to_owned())).unwrap();
    assert_eq!(count, 1);
    let expected = r#"{"choices":[{"index":0,"message":{"reasoning":"-","content":"x","reasoning_details":[{"text":"-"}]}}]}"#;
    assert_eq!(answer.to_body(), expected);
}

#[track_caller]
fn usage(json: &str, expected: Option<Usage>) {
    let answer = chat(&format!(r#"{{"choices":[],"usage":{json}}}"#));
    assert_eq!(answer.usage(), expected, "{json}");
}

#[test]
fn usage_is_split_without_overlap() {
    let zero = Usage::default();
    usage("null", None);
    usage("{}", None);
    usage(r#"{"prompt_tokens":-1,"completion_tokens":1.5}"#, None);
    usage(r#"{"prompt_tokens":"10","completion_tokens":3}"#, Some(Usage { output: 3, ..zero }));
    usage(
        r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":30,"audio_tokens":7},
            "completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":9}}"#,
        Some(Usage {
            input: 70,
            cache_read: 30,
            output: 50,
            reasoning: 20,
            input_audio: 7,
            output_audio: 9,
            ..zero
        }),
    );
    usage(
        r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":20}}"#,
        Some(Usage { input: 50, cache_read: 30, cache_write: 20, output: 1, ..zero }),
    );
    usage(
        r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5,"completion_tokens":0}"#,
        Some(Usage { input: 5, cache_read: 4, ..zero }),
    );
}

#[test]
fn reasoning_that_a_vendor_counts_apart_is_output() {
    let zero = Usage::default();
    usage(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45,"completion_tokens_details":{"reasoning_tokens":30}}"#,
        Some(Usage { input: 10, output: 35, reasoning: 30, ..zero }),
    );
}

#[test]
fn usage_that_contradicts_itself_stays_within_bounds() {
    let zero = Usage::default();
    usage(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":99},
            "completion_tokens_details":{"reasoning_tokens":77}}"#,
        Some(Usage { cache_read: 10, output: 5, reasoning: 5, ..zero }),
    );
}

#[test]
fn output_is_estimated_from_texts() {
    let answer = chat(r#"{"choices":[{"message":{"content":"twelve bytes","role":"assistant"}}]}"#);
    assert_eq!(answer.estimate_output_tokens(), 3);
}

#[test]
fn embeddings_have_usage_and_no_texts() {
    let body = r#"{"object":"list","data":[{"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let answer = decode(Dialect::OpenAiEmbeddings, body);
    assert_eq!(answer.usage(), Some(Usage { input: 8, ..Usage::default() }));
    assert_eq!(visited(&*answer), []);
}

#[test]
fn what_is_no_answer_is_a_failure_of_the_provider() {
    for body in ["<html>bad gateway</html>", "{", "[]", "{}", r#"{"choices":{}}"#] {
        let failure = codec(Dialect::OpenAiChat).decode_answer(Bytes::from(body)).expect_err(body);
        assert_eq!((failure.side, failure.kind), (Side::Upstream, FailureKind::Malformed), "{body}");
        assert!(!failure.message.contains("html"));
    }
}

#[test]
fn an_error_under_a_good_status_is_a_failure() {
    let body = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    let failure = codec(Dialect::OpenAiChat).decode_answer(Bytes::from(body)).unwrap_err();
    assert_eq!((failure.side, failure.kind), (Side::Upstream, FailureKind::RateLimited));
    let fine = r#"{"choices":[],"error":null}"#;
    assert!(codec(Dialect::OpenAiChat).decode_answer(Bytes::from(fine)).is_ok());
}
