//! Endpoints that are no chats: what is read of their requests, and what their answers report.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::dialect::{
    Address, AnswerDocument, Codec, Dialect, FrameKind, Operation, RequestDocument, StreamSettings,
};
use gatewright::text::Lane;
use gatewright::{EditError, FailureKind, LlmRequest, Placement, Role, Side, Usage};
use gatewright_wire::{codec, codec_of};

const NEW: [(Dialect, Operation, &str); 4] = [
    (Dialect::OpenAiModerations, Operation::Moderation, r#"{"model":"m", "input":"a", "x":1e400}"#),
    (Dialect::OpenAiImages, Operation::Image, r#"{"model":"m", "prompt":"a", "n":2, "size":"auto"}"#),
    (Dialect::OpenAiSpeech, Operation::Speech, r#"{"model":"m", "input":"a", "voice":{"id":"v"}}"#),
    (Dialect::Rerank, Operation::Rerank, r#"{"model":"m", "query":"q", "documents":["a"], "top_n":1}"#),
];

fn request(dialect: Dialect, body: &str) -> Box<dyn RequestDocument> {
    codec(dialect).decode_request(Bytes::copy_from_slice(body.as_bytes())).expect(body)
}

fn answer(dialect: Dialect, body: &str) -> Box<dyn AnswerDocument> {
    codec(dialect).decode_answer(Bytes::copy_from_slice(body.as_bytes())).expect(body)
}

/// The code and the field of a refusal.
fn refused(codec: &dyn Codec, body: &str) -> (String, String) {
    let failure = codec.decode_request(Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
    assert_eq!((failure.side, failure.kind), (Side::Client, FailureKind::Invalid), "{body}");
    (failure.code.unwrap().into_owned(), failure.param.unwrap_or_default().into_owned())
}

#[test]
fn each_has_a_dialect_and_an_operation_of_its_own_and_no_translation() {
    for (dialect, operation, body) in NEW {
        let codec = codec(dialect);
        assert_eq!((codec.dialect(), codec.operation()), (dialect, operation));
        assert!(codec.chat().is_none(), "{codec:?}");
        assert_eq!(Dialect::of_name(dialect.as_str()), Some(dialect));
        let request = request(dialect, body);
        assert_eq!((request.operation(), request.model()), (operation, "m"));
        assert!(codec.counted(1).is_none());
    }
}

#[test]
fn a_request_goes_on_as_it_came_and_only_the_name_of_the_model_is_spliced() {
    for (dialect, _, body) in NEW {
        let sent = Bytes::copy_from_slice(body.as_bytes());
        let mut request = codec(dialect).decode_request(sent.clone()).unwrap();
        assert_eq!(request.to_body().as_ptr(), sent.as_ptr());
        request.set_model("vendor/m");
        assert_eq!(request.to_body(), body.replace(r#""m""#, r#""vendor/m""#));
        assert!(!request.is_edited());
    }
}

#[test]
fn what_is_missing_or_of_another_kind_is_named() {
    let cases = [
        (Dialect::OpenAiModerations, r#"{"input":"a"}"#, ("missing_required_parameter", "model")),
        (Dialect::OpenAiModerations, r#"{"model":"m"}"#, ("missing_required_parameter", "input")),
        (Dialect::OpenAiModerations, r#"{"model":"m","input":[]}"#, ("invalid_value", "input")),
        (Dialect::OpenAiImages, r#"{"model":"m","prompt":["a"]}"#, ("invalid_value", "prompt")),
        (Dialect::OpenAiImages, r#"{"model":"m","prompt":"a","n":0}"#, ("invalid_value", "n")),
        (Dialect::OpenAiSpeech, r#"{"model":"m","input":7}"#, ("invalid_type", "input")),
        (Dialect::Rerank, r#"{"model":"m","query":"q"}"#, ("missing_required_parameter", "documents")),
        (Dialect::Rerank, r#"{"model":"m","query":"q","documents":"a"}"#, ("invalid_type", "documents")),
    ];
    for (dialect, body, (code, param)) in cases {
        assert_eq!(refused(codec(dialect), body), (code.to_owned(), param.to_owned()), "{body}");
    }
}

#[test]
fn speech_always_streams_images_never_and_who_asks_for_a_stream_of_images_is_told() {
    let mut speech = request(Dialect::OpenAiSpeech, r#"{"model":"m","input":"a"}"#);
    assert!(speech.streams());
    speech.set_whole();
    assert_eq!(speech.to_body(), r#"{"model":"m","input":"a"}"#);
    let images = codec(Dialect::OpenAiImages);
    let body = r#"{"model":"m","prompt":"a","stream":true}"#;
    assert_eq!(refused(images, body), ("unsupported_parameter".to_owned(), "stream".to_owned()));
    let whole = request(Dialect::OpenAiImages, r#"{"model":"m","prompt":"a","stream":false,"n":3}"#);
    assert_eq!((whole.streams(), whole.choices()), (false, 3));
    assert!(!request(Dialect::Rerank, r#"{"model":"m","documents":["a"],"stream":true}"#).streams());
}

#[track_caller]
fn visits(dialect: Dialect, body: &str, expected: &[&str]) {
    let mut found = Vec::new();
    request(dialect, body).for_each_text(&mut |part| found.push(part.text.to_owned())).unwrap();
    assert_eq!(found, expected, "{body}");
}

#[test]
fn all_texts_of_a_request_are_shown_and_no_image() {
    let parts = r#"{"model":"m","input":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}},"b"]}"#;
    visits(Dialect::OpenAiModerations, parts, &["a", "b"]);
    visits(Dialect::OpenAiImages, r#"{"model":"m","prompt":"a","user":"u"}"#, &["a"]);
    visits(Dialect::OpenAiSpeech, r#"{"model":"m","input":"a","voice":"v","instructions":"b"}"#, &["a", "b"]);
    let documents =
        r#"{"model":"m","query":"q","documents":["a",{"text":"b","title":"c","image":"i","year":7},7]}"#;
    visits(Dialect::Rerank, documents, &["q", "a", "b", "c"]);
}

#[test]
fn an_edit_changes_its_text_alone_and_nothing_can_be_put_in() {
    let body = r#"{"model":"m", "query" :"q","documents":[ {"text":"secret","image":"secret"},"secret" ]}"#;
    let mut rerank = request(Dialect::Rerank, body);
    let edited = rerank.edit_texts(&mut |part| (part.text == "secret").then(|| "***".to_owned())).unwrap();
    assert_eq!(edited, 2);
    let expected = r#"{"model":"m", "query" :"q","documents":[ {"text":"***","image":"secret"},"***" ]}"#;
    assert_eq!(rerank.to_body(), expected);
    for (dialect, _, body) in NEW {
        let inserted = request(dialect, body).insert_text(Role::System, Placement::Last, "x");
        assert!(matches!(inserted, Err(EditError::NoPlace { .. })), "{dialect:?}");
    }
}

#[test]
fn inputs_and_documents_are_counted() {
    let counted = |dialect, body| LlmRequest::new(request(dialect, body)).counts().inputs;
    assert_eq!(counted(Dialect::Rerank, r#"{"model":"m","query":"q","documents":["a","b"]}"#), 2);
    assert_eq!(counted(Dialect::OpenAiModerations, r#"{"model":"m","input":["a","b","c"]}"#), 3);
    assert_eq!(counted(Dialect::OpenAiImages, r#"{"model":"m","prompt":"a"}"#), 1);
}

#[test]
fn answers_report_tokens_where_they_bill_tokens_and_nothing_else_is_taken_for_tokens() {
    let tokens = |input, output| Some(Usage { input, output, ..Usage::default() });
    let cases = [
        (Dialect::OpenAiModerations, r#"{"id":"x","model":"m","results":[{"flagged":false}]}"#, None),
        (Dialect::OpenAiImages, r#"{"created":1,"data":[{"url":"u"}]}"#, None),
        (
            Dialect::OpenAiImages,
            r#"{"data":[{"b64_json":"AA=="}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12,
                "input_tokens_details":{"text_tokens":2,"image_tokens":3}}}"#,
            tokens(5, 7),
        ),
        (Dialect::OpenAiImages, r#"{"data":[],"usage":{"input_tokens":-5,"output_tokens":7}}"#, None),
        (Dialect::Rerank, r#"{"model":"m","results":[],"usage":{"total_tokens":15}}"#, tokens(15, 0)),
        (
            Dialect::Rerank,
            r#"{"results":[],"usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}}"#,
            tokens(9, 0),
        ),
        (Dialect::Rerank, r#"{"results":[],"meta":{"billed_units":{"search_units":1}}}"#, None),
        (
            Dialect::Rerank,
            r#"{"results":[],"meta":{"billed_units":{"search_units":1},"tokens":{"input_tokens":33}}}"#,
            tokens(33, 0),
        ),
    ];
    for (dialect, body, expected) in cases {
        assert_eq!(answer(dialect, body).usage(), expected, "{body}");
    }
}

#[test]
fn an_answer_goes_on_as_it_came_under_the_name_that_it_is_to_report() {
    let body = "{ \"results\":[ {\"index\":0,\"relevance_score\":1e-400} ] ,\"model\":\"m\"}\n";
    let sent = Bytes::copy_from_slice(body.as_bytes());
    let mut rerank = codec(Dialect::Rerank).decode_answer(sent.clone()).unwrap();
    assert_eq!(rerank.to_body().as_ptr(), sent.as_ptr());
    rerank.set_model("public");
    assert_eq!(rerank.to_body(), body.replace("\"m\"", "\"public\""));
}

#[test]
fn the_text_from_which_an_image_was_made_is_text() {
    let body = r#"{"created":1,"data":[{"url":"u","revised_prompt":"a secret"},{"url":"v"}]}"#;
    let mut images = answer(Dialect::OpenAiImages, body);
    let mask = |lane: Lane, text: &str| (lane == Lane::content(0)).then(|| text.replace("secret", "***"));
    assert_eq!(images.edit_texts(&mut { mask }).unwrap(), 1);
    assert_eq!(images.to_body(), body.replace("secret", "***"));
}

#[test]
fn what_is_no_answer_is_refused() {
    let cases = [
        (Dialect::OpenAiModerations, r#"{"id":"x"}"#),
        (Dialect::OpenAiImages, r#"{"data":null,"error":{"message":"no"}}"#),
        (Dialect::OpenAiImages, "[]"),
        (Dialect::Rerank, r#"{"error":{"message":"no","type":"server_error"}}"#),
        (Dialect::Rerank, "<html>"),
        (Dialect::OpenAiSpeech, "{}"),
    ];
    for (dialect, body) in cases {
        assert!(codec(dialect).decode_answer(Bytes::from_static(body.as_bytes())).is_err(), "{body}");
    }
}

#[test]
fn spoken_answers_flow_piece_by_piece_whatever_their_bytes() {
    let codec = codec(Dialect::OpenAiSpeech);
    assert!(codec.is_opaque());
    let pieces: [&[u8]; 4] = [b"ID3\x04\xff\xfb", b"", b"\n\ndata: [DONE]\n\n", b"\0"];
    let mut decoder = codec.stream_decoder();
    let mut encoder = codec.stream_encoder(StreamSettings { model: Some("m".into()), ..Default::default() });
    let (mut out, mut events) = (Vec::new(), Vec::new());
    for piece in pieces {
        decoder.push(Bytes::from_static(piece));
        while let Some(frame) = decoder.next_frame().unwrap() {
            assert_eq!((frame.kind, frame.usage, frame.text_bytes), (FrameKind::Data, None, 0));
            decoder.events(&frame, &mut events).unwrap();
            encoder.pass(&frame, &mut out);
        }
    }
    assert!(decoder.finish().unwrap().is_none() && decoder.is_complete());
    encoder.write_keep_alive(&mut out);
    encoder.write_end(&mut out);
    assert_eq!(out, pieces.concat());
    assert!(events.is_empty());
}

#[test]
fn counts_of_tokens_are_told_as_their_dialect_tells_them_and_consume_none() {
    let address = Address { model: Some("m".into()), streams: Some(false), ..Address::default() };
    let cases = [
        (Dialect::AnthropicMessages, r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#),
        (Dialect::GoogleGenerate, r#"{"contents":[{"parts":[{"text":"a"}]}]}"#),
        (
            Dialect::GoogleGenerate,
            r#"{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"a"}]}]}}"#,
        ),
    ];
    for (dialect, body) in cases {
        let counting = codec_of(dialect, Operation::CountTokens);
        assert_eq!((counting.dialect(), counting.operation()), (dialect, Operation::CountTokens));
        let request = counting.decode_request_at(body.into(), &address).unwrap();
        assert_eq!((request.model(), request.streams()), ("m", false));
        let told = counting.counted(42).unwrap();
        let member = if dialect == Dialect::GoogleGenerate { "totalTokens" } else { "input_tokens" };
        assert_eq!(told, format!(r#"{{"{member}":42}}"#));
        let answer = counting.decode_answer(told).unwrap();
        assert_eq!((answer.usage(), answer.estimate_output_tokens()), (Some(Usage::default()), 0));
        assert!(counting.decode_answer(Bytes::from_static(b"{}")).is_err());
        assert!(codec(dialect).counted(1).is_none(), "a chat is no count");
    }
}
