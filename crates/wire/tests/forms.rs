//! Requests that are forms: what is seen of them, what an edit changes in their bytes, what is refused; and what their
//! answers report.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::dialect::{Address, Dialect, FrameKind, LeadReader, Led, Operation, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EditError, EventKind, Failure, LlmRequest, StreamEvent, Usage};
use gatewright_wire::codec;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

const FORMS: [(Dialect, Operation); 4] = [
    (Dialect::OpenAiImageEdits, Operation::ImageEdit),
    (Dialect::OpenAiImageVariations, Operation::ImageVariation),
    (Dialect::OpenAiTranscriptions, Operation::Transcription),
    (Dialect::OpenAiTranslations, Operation::Translation),
];

fn field(name: &str, text: &str) -> String {
    format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
}

fn file(name: &str, content: &str) -> String {
    let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"f.bin\"");
    format!("--xyz\r\n{head}\r\nContent-Type: application/octet-stream\r\n\r\n{content}\r\n")
}

fn form(parts: &[String]) -> String {
    parts.concat() + "--xyz--\r\n"
}

fn reader(dialect: Dialect) -> Box<dyn LeadReader> {
    let media_type = HeaderValue::from_static("multipart/form-data; boundary=xyz");
    let head = HeaderMap::from_iter([(CONTENT_TYPE, media_type)]);
    codec(dialect).lead_reader(&head, &Address::default()).unwrap().unwrap()
}

/// Reads a lead that comes in pieces of a size.
fn lead(dialect: Dialect, text: &str, size: usize, is_whole: bool) -> Result<Led, Failure> {
    let mut reader = reader(dialect);
    for piece in text.as_bytes().chunks(size.max(1)) {
        reader.push(Bytes::copy_from_slice(piece))?;
    }
    reader.decode(is_whole)
}

fn whole(text: &str) -> LlmRequest {
    LlmRequest::new(lead(Dialect::OpenAiTranscriptions, text, usize::MAX, true).unwrap().document)
}

fn refused(dialect: Dialect, text: &str) -> (String, String) {
    let failure = lead(dialect, text, usize::MAX, true).unwrap_err();
    (failure.code.unwrap_or_default().into(), failure.param.unwrap_or_default().into())
}

#[test]
fn a_form_is_seen_as_a_request_and_goes_on_as_it_came() {
    for (dialect, operation) in FORMS {
        let text = form(&[
            file("file", "\0\r\n--xy\r\n"),
            field("model", "4"),
            field("prompt", "12"),
            field("n", "3"),
        ]);
        let led = lead(dialect, &text, 5, true).unwrap();
        let request = led.document;
        assert_eq!((request.dialect(), request.operation()), (dialect, operation));
        assert_eq!((request.model(), request.choices(), request.streams()), ("4", 3, false));
        assert_eq!(request.field("/prompt").as_deref(), Some("\"12\""));
        assert_eq!(request.to_body(), text);
        assert_eq!(request.media_type().unwrap(), "multipart/form-data; boundary=xyz");
        assert!(led.watch.is_none() && request.is_whole() && !request.is_edited());
    }
}

#[test]
fn the_name_of_the_model_is_replaced_and_nothing_else() {
    let text = form(&[file("file", "model"), field("model", "m"), field("prompt", "model m")]);
    let mut request = whole(&text);
    request.document_mut().set_model("whisper-large");
    assert_eq!(request.to_body(), text.replace(&field("model", "m"), &field("model", "whisper-large")));
    assert!(!request.is_edited());
    request.document_mut().set_model("m");
    assert_eq!(request.to_body(), text);
}

#[test]
fn fields_are_edited_removed_and_added_in_place() {
    let parts =
        [field("model", "m"), field("a[]", "1"), field("a[]", "2"), field("prompt", "p"), file("file", "f")];
    let mut request = whole(&form(&parts));
    assert_eq!(request.fields("/a[]"), ["1", "2"]);
    let edited = request.edit_texts(&mut |part| Some(format!("<{}>", part.text))).unwrap();
    assert!(request.remove_field("/a[]").unwrap() && edited == 1);
    request.set_field("/temperature", "0.5").unwrap();
    let expected =
        [field("temperature", "0.5"), field("model", "m"), field("prompt", "<p>"), file("file", "f")];
    assert_eq!(request.to_body(), form(&expected));
    assert!(request.is_edited());
}

#[test]
fn no_edit_can_end_a_part() {
    let text = form(&[field("model", "m"), field("prompt", "p")]);
    let mut request = whole(&text);
    let attack = "\\r\\n--xyz\\r\\nContent-Disposition: form-data; name=\\\"model\\\"\\r\\n\\r\\nother";
    for (pointer, json) in
        [("/prompt", format!("\"{attack}\"")), ("/x\r\ny", "1".into()), ("/\"", "1".into())]
    {
        assert!(matches!(request.set_field(pointer, &json), Err(EditError::Malformed { .. })), "{pointer}");
    }
    assert_eq!(request.to_body(), text);
}

#[test]
fn a_form_that_cannot_be_routed_is_refused_with_its_field() {
    let dialect = Dialect::OpenAiTranscriptions;
    let cases = [
        (form(&[file("file", "f")]), ("missing_required_parameter", "model")),
        (form(&[field("model", "")]), ("invalid_value", "model")),
        (form(&[field("model", "m"), field("model", "other")]), ("duplicate_parameter", "model")),
        (form(&[file("model", "m")]), ("invalid_type", "model")),
        (form(&[field("model", "m"), field("stream", "yes")]), ("invalid_type", "stream")),
        (form(&[field("model", "m"), field("stream", "1")]), ("invalid_type", "stream")),
        (form(&[field("model", "m"), file("prompt", "p")]), ("invalid_type", "prompt")),
        (field("model", "m"), ("invalid_multipart", "body")),
        (r#"{"model":"m"}"#.to_owned(), ("invalid_multipart", "body")),
    ];
    for (text, (code, param)) in cases {
        assert_eq!(refused(dialect, &text), (code.to_owned(), param.to_owned()), "{text}");
    }
    let edit = refused(Dialect::OpenAiImageEdits, &form(&[field("model", "m")]));
    assert_eq!(edit, ("missing_required_parameter".to_owned(), "prompt".to_owned()));
    let latin =
        field("model", "m").replace("\r\n\r\n", "\r\nContent-Type: text/plain; charset=utf-16\r\n\r\n");
    assert_eq!(refused(dialect, &form(&[latin])).0, "invalid_type");
    assert!(codec(dialect).lead_reader(&HeaderMap::new(), &Address::default()).is_err());
}

#[test]
fn a_field_behind_the_lead_is_refused_and_files_pass() {
    let dialect = Dialect::OpenAiTranscriptions;
    let start = field("model", "m")
        + "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nab";
    let rest = |parts: &str| format!("cd\r\n{parts}--xyz--\r\n");
    let watch = || lead(dialect, &start, 3, false).unwrap().watch.unwrap();

    let mut passing = watch();
    let text = rest(&file("file2", "x"));
    text.as_bytes().chunks(2).for_each(|piece| passing.see(piece).unwrap());
    passing.end().unwrap();

    for (part, code) in [
        (field("model", "other"), "field_behind_file"),
        (field("prompt", "p"), "field_behind_file"),
        (file("model", "other"), "invalid_type"),
    ] {
        let failure = watch().see(rest(&part).as_bytes()).unwrap_err();
        assert_eq!(failure.code.as_deref(), Some(code), "{part}");
    }
    let mut broken = watch();
    broken.see(b"cd").unwrap();
    assert!(broken.end().is_err());

    let late = lead(dialect, &file("file", &"x".repeat(99)), 10, false).unwrap_err();
    assert_eq!((late.code.as_deref(), late.param.as_deref()), (Some("field_behind_file"), Some("model")));
    assert!(late.message.contains("`model` first"), "{}", late.message);
    let cut = lead(dialect, &field("model", "m"), 60, false).unwrap_err();
    assert_eq!(cut.code.as_deref(), Some("field_behind_file"));
}

proptest! {
    #[test]
    fn every_split_gives_the_same_request(sizes in proptest::collection::vec(1_usize..40, 1..20), content in "[\r\n\\-xyz]{0,40}") {
        let text = form(&[file("file", &content), field("model", "m"), field("prompt", &content), field("n", "2")]);
        let at_once = lead(Dialect::OpenAiTranscriptions, &text, usize::MAX, true);
        let mut reader = reader(Dialect::OpenAiTranscriptions);
        let mut rest = text.as_bytes();
        let mut pushed = Ok(());
        for size in sizes.into_iter().cycle() {
            let (piece, left) = rest.split_at(size.min(rest.len()));
            rest = left;
            pushed = reader.push(Bytes::copy_from_slice(piece));
            if rest.is_empty() || pushed.is_err() {
                break;
            }
        }
        let in_pieces = pushed.and_then(|()| reader.decode(true));
        match (at_once, in_pieces) {
            (Ok(one), Ok(other)) => {
                prop_assert_eq!(one.document.to_body(), &text);
                prop_assert_eq!(one.document.field("/prompt"), other.document.field("/prompt"));
            }
            (one, other) => prop_assert_eq!(one.err().and_then(|e| e.code), other.err().and_then(|e| e.code)),
        }
    }
}

#[test]
fn transcripts_are_read_in_every_format() {
    let codec = codec(Dialect::OpenAiTranscriptions);
    let json = r#"{"text":"hello","segments":[{"text":"hel"},{"text":"lo"}],
        "usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45}}"#;
    let mut answer = codec.decode_answer(json.into()).unwrap();
    let expected = Usage { input: 14, input_audio: 10, output: 45, ..Usage::default() };
    assert_eq!(answer.usage(), Some(expected));
    let mut seen = Vec::new();
    answer.for_each_text(&mut |lane, text| seen.push((lane, text.to_owned())));
    let lanes = ["hello", "hel", "lo"].map(str::to_owned);
    assert_eq!(seen, (0..).map(Lane::content).zip(lanes).collect::<Vec<_>>());
    assert_eq!(answer.edit_texts(&mut |_, _| Some("*".into())).unwrap(), 3);
    assert!(!String::from_utf8(answer.to_body().into()).unwrap().contains("hel"));

    let duration =
        codec.decode_answer(r#"{"text":"a","usage":{"type":"duration","seconds":4}}"#.into()).unwrap();
    assert_eq!(duration.usage(), None);

    let srt = "1\n00:00:00,000 --> 00:00:01,000\nhello\n";
    let mut plain = codec.decode_answer(srt.into()).unwrap();
    assert_eq!(plain.to_body(), srt);
    plain.edit_texts(&mut |_, text| Some(text.replace("hello", "*"))).unwrap();
    assert_eq!(plain.to_body(), srt.replace("hello", "*"));
    assert!(codec.decode_answer(r#"{"error":{"message":"no"}}"#.into()).is_err());
}

#[test]
fn edited_images_report_their_tokens() {
    let answer = codec(Dialect::OpenAiImageEdits)
        .decode_answer(
            r#"{"created":1,"data":[{"b64_json":"aGk="}],"usage":{"total_tokens":30,"input_tokens":20,
            "output_tokens":10,"input_tokens_details":{"text_tokens":5,"image_tokens":15}}}"#
                .into(),
        )
        .unwrap();
    assert_eq!(answer.usage(), Some(Usage { input: 20, output: 10, ..Usage::default() }));
}

const STREAM: &str = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hel\",\"logprobs\":[]}\n\n\
    data: {\"type\":\"transcript.text.delta\",\"delta\":\"lo\"}\n\n\
    data: {\"type\":\"transcript.text.done\",\"text\":\"hello\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":2,\"output_tokens\":3}}\n\n";

/// Runs a stream through decoder and encoder. `edit` changes the events of a frame, or leaves it as it is.
fn retell(text: &str, edit: impl Fn(&mut Vec<StreamEvent>) -> bool) -> (String, Option<Usage>, bool) {
    let codec = codec(Dialect::OpenAiTranscriptions);
    let (mut decoder, mut encoder) =
        (codec.stream_decoder(), codec.stream_encoder(StreamSettings::default()));
    let (mut out, mut usage) = (Vec::new(), None);
    decoder.push(Bytes::copy_from_slice(text.as_bytes()));
    while let Some(frame) = decoder.next_frame().unwrap() {
        assert_eq!(frame.kind, FrameKind::Data);
        usage = frame.usage.or(usage);
        let mut events = Vec::new();
        decoder.events(&frame, &mut events).unwrap();
        if edit(&mut events) {
            encoder.write(Some(&frame), &events, &mut out);
        } else if encoder.alters(&frame) {
            encoder.pass(&frame, &mut out);
        } else {
            out.extend_from_slice(&frame.raw);
        }
    }
    (String::from_utf8(out).unwrap(), usage, decoder.is_complete())
}

#[test]
fn a_stream_that_nobody_edits_passes_as_it_came() {
    let (out, usage, is_complete) = retell(STREAM, |_| false);
    assert_eq!(out, STREAM);
    assert_eq!(usage, Some(Usage { input: 2, output: 3, ..Usage::default() }));
    assert!(is_complete);
    let cut = STREAM.find("data: {\"type\":\"transcript.text.done").unwrap();
    assert!(!retell(STREAM.split_at(cut).0, |_| false).2, "without its end a stream is not complete");
}

#[test]
fn what_is_edited_is_not_said_again_at_the_end() {
    let (out, ..) = retell(STREAM, |events| {
        let is_second = events.iter().any(|event| event.text().is_some_and(|(_, text)| text == "lo"));
        if is_second {
            let lane = Lane::content(0);
            *events = vec![StreamEvent::from_frame(EventKind::TextDelta { lane, text: "p!".into() }, 0)];
        }
        is_second
    });
    assert!(out.contains(r#""delta":"p!""#) && out.contains(r#""text":"help!""#), "{out}");
    assert!(!out.contains("hello"), "{out}");
}

#[test]
fn an_answer_of_an_extension_is_told_as_a_stream() {
    let mut encoder = codec(Dialect::OpenAiTranscriptions).stream_encoder(StreamSettings::default());
    let lane = Lane::content(0);
    let events = [
        EventKind::Start,
        EventKind::TextDelta { lane, text: "hi".into() },
        EventKind::Finish { choice: 0, reason: gatewright::FinishReason::Stop },
    ];
    let events = events.map(StreamEvent::inserted);
    let mut out = Vec::new();
    encoder.write(None, &events, &mut out);
    let expected = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"hi\"}\n\n\
                    data: {\"type\":\"transcript.text.done\",\"text\":\"hi\"}\n\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
