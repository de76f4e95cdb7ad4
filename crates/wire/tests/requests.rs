//! Requests of the OpenAI dialects: what is read, what is refused, what an edit changes and what it leaves.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::dialect::{Dialect, RequestDocument};
use gatewright::{EditError, LlmRequest, Placement, Role, TextKind};
use gatewright_wire::codec;

fn decode(dialect: Dialect, body: &str) -> Box<dyn RequestDocument> {
    codec(dialect).decode_request(Bytes::copy_from_slice(body.as_bytes())).expect(body)
}

fn chat(body: &str) -> Box<dyn RequestDocument> {
    decode(Dialect::OpenAiChat, body)
}

/// A chat request with these members beside a model and one message.
fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{members}}}"#)
}

/// Odd in every way that JSON allows: spacing, repeats, numbers of any size, escapes, unknown members.
const ODD: &str = concat!(
    " {\r\n\t\"temperature\" : 1e400, \"x\":1,\"x\":12345678901234567890123, \"mod\\u0065l\":\"m\\u006f\\/del\" ,",
    " \"messages\":[ {\"content\":\"a\\u00e9\\ud83d\\ude00\\\"\\n\" , \"role\":\"user\",\"\":{}} ] ,\"seed\":-0 , \"y\":[ ] }\n",
);

// === Reading ===

#[test]
fn an_untouched_request_goes_on_in_its_own_buffer() {
    let body = Bytes::copy_from_slice(ODD.as_bytes());
    let request = codec(Dialect::OpenAiChat).decode_request(body.clone()).unwrap();
    assert_eq!(request.model(), "mo/del");
    let sent = request.to_body();
    assert_eq!((sent.as_ptr(), sent.len()), (body.as_ptr(), body.len()));
    assert!(!request.is_edited());
}

#[test]
fn routing_fields_are_read() {
    let request = chat(&with(
        r#""stream":true,"n":3,"max_tokens":7,"max_completion_tokens":9,"stream_options":{"include_usage":true}"#,
    ));
    assert!(request.streams() && request.wants_stream_usage());
    assert_eq!((request.choices(), request.output_cap()), (3, Some(9)));
    let request = chat(&with(r#""stream":null,"n":null,"max_tokens":7,"stream_options":null,"user":"u""#));
    assert!(!request.streams() && !request.wants_stream_usage());
    assert_eq!((request.choices(), request.output_cap()), (1, Some(7)));
    let request = decode(Dialect::OpenAiCompletions, r#"{"model":"m","prompt":["a"],"best_of":4,"n":2}"#);
    assert_eq!(request.choices(), 4);
    let request = decode(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":[[1,2]],"stream":true}"#);
    assert!(!request.streams());
}

#[test]
fn prompt_estimates_grow_with_text_and_not_with_encoded_images() {
    let words = |count: usize| "some words ".repeat(count);
    let request =
        |text: &str| chat(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#));
    let short = request(&words(10)).estimate_input_tokens();
    let long = request(&words(1_000)).estimate_input_tokens();
    assert!(short < 60 && (2_500..3_000).contains(&long), "{short} {long}");
    let image = request(&format!("data:image/png;base64,{}", "QUJD".repeat(100_000))).estimate_input_tokens();
    assert!(image < 2_000, "{image}");
}

/// The message, field and code of a refusal.
#[track_caller]
fn refused(dialect: Dialect, body: &str, message: &str, param: Option<&str>, code: &str) {
    let failure = codec(dialect).decode_request(Bytes::copy_from_slice(body.as_bytes())).expect_err(body);
    assert_eq!(failure.message, message);
    assert_eq!((failure.param.as_deref(), failure.code.as_deref()), (param, Some(code)), "{body}");
}

#[test]
fn a_body_that_is_no_object_is_refused_with_the_place() {
    let check = |body, message| refused(Dialect::OpenAiChat, body, message, None, "invalid_json");
    check("", "the body is empty, send a JSON object");
    check(" \n", "the body is empty, send a JSON object");
    check("[]", "the body is not a JSON object: expected `{` at byte 0");
    check(r#"{"model":"m" "x":1}"#, "the body is not a JSON object: expected `,` or `}` at byte 13");
    check(
        r#"{"model":"m"} {}"#,
        "the body is not a JSON object: unexpected text after the end of the value at byte 14",
    );
}

#[test]
fn wrong_and_missing_fields_are_named() {
    let chat =
        |body: &str, message, param, code| refused(Dialect::OpenAiChat, body, message, Some(param), code);
    let (missing, wrong, bad) = ("missing_required_parameter", "invalid_type", "invalid_value");
    chat("{}", "`model` is missing, send the name of a model as a string", "model", missing);
    chat(r#"{"model":7}"#, "`model` must be the name of a model as a string, not a number", "model", wrong);
    chat(r#"{"model":""}"#, "`model` must be from 1 to 256 bytes long, it is 0", "model", bad);
    chat(
        r#"{"model":"m"}"#,
        "`messages` is missing, send an array of at least one message",
        "messages",
        missing,
    );
    chat(
        r#"{"model":"m","messages":"hi"}"#,
        "`messages` must be an array of at least one message, not a string",
        "messages",
        wrong,
    );
    chat(
        r#"{"model":"m","messages":[]}"#,
        "`messages` must be an array of at least one message, not an empty array",
        "messages",
        bad,
    );
    chat(&with(r#""stream":"yes""#), "`stream` must be `true` or `false`, not a string", "stream", wrong);
    chat(&with(r#""n":0"#), "`n` must be a whole number, from 1 to 128", "n", bad);
    chat(&with(r#""n":[]"#), "`n` must be a whole number, not an array", "n", wrong);
    chat(&with(r#""max_tokens":-1"#), "`max_tokens` must be a whole number, 0 or more", "max_tokens", bad);
    chat(&with(r#""max_tokens":1.5"#), "`max_tokens` must be a whole number, 0 or more", "max_tokens", bad);
    chat(
        &with(r#""stream_options":[]"#),
        "`stream_options` must be an object, not an array",
        "stream_options",
        wrong,
    );
    chat(
        &with(r#""stream_options":{"include_usage":1}"#),
        "`stream_options.include_usage` must be `true` or `false`, not a number",
        "stream_options.include_usage",
        wrong,
    );
}

#[test]
fn the_sister_dialects_name_their_own_subject() {
    refused(
        Dialect::OpenAiCompletions,
        r#"{"model":"m","messages":[]}"#,
        "`prompt` is missing, send a string or an array",
        Some("prompt"),
        "missing_required_parameter",
    );
    refused(
        Dialect::OpenAiEmbeddings,
        r#"{"model":"m","input":{}}"#,
        "`input` must be a string or an array with at least one element, not an object",
        Some("input"),
        "invalid_type",
    );
}

#[test]
fn a_routing_key_that_stands_twice_is_refused_however_it_is_written() {
    for (members, key) in [(r#""mod\u0065l":"other""#, "model"), (r#""stream":true,"stream":true"#, "stream")]
    {
        let message = format!("`{key}` stands in the request twice, send it once");
        refused(Dialect::OpenAiChat, &with(members), &message, Some(key), "duplicate_parameter");
    }
}

// === Splices ===

#[test]
fn a_new_model_name_changes_its_span_only() {
    let mut request = chat(ODD);
    request.set_model("an \"other\"");
    let expected = ODD.replace(r#""m\u006f\/del""#, r#""an \"other\"""#);
    assert_eq!(request.to_body(), expected);
    assert!(!request.is_edited());
    assert_eq!(request.field("/model").unwrap(), r#""an \"other\"""#);
}

#[test]
fn usage_is_asked_for_whatever_stands_there() {
    let stream = |options: &str| with(&format!(r#"{options}"stream":true"#));
    let cases = [
        ("", r#"}],"stream":true,"stream_options":{"include_usage":true}}"#),
        (r#""stream_options":null,"#, r#""stream_options":{"include_usage":true},"stream":true}"#),
        (r#""stream_options":{ },"#, r#""stream_options":{"include_usage":true },"stream":true}"#),
        (r#""stream_options":{"a":1},"#, r#""stream_options":{"a":1,"include_usage":true},"stream":true}"#),
        (
            r#""stream_options":{"include_usage":false},"#,
            r#""stream_options":{"include_usage":true},"stream":true}"#,
        ),
    ];
    for (options, end) in cases {
        let mut request = chat(&stream(options));
        request.require_stream_usage();
        let body = String::from_utf8(request.to_body().to_vec()).unwrap();
        assert!(body.ends_with(end), "{body}");
        assert!(!request.is_edited() && !request.wants_stream_usage());
    }
}

#[test]
fn usage_is_not_asked_for_again_or_without_a_stream() {
    for members in [r#""stream":true,"stream_options":{"include_usage":true}"#, r#""stream":false"#] {
        let mut request = chat(&with(members));
        request.require_stream_usage();
        assert_eq!(request.to_body(), with(members));
    }
}

// === Texts ===

type Visited = Vec<(Role, TextKind, String)>;

fn visited(request: &dyn RequestDocument) -> Visited {
    let mut seen = Vec::new();
    request.for_each_text(&mut |part| seen.push((part.role, part.kind, part.text.to_owned()))).unwrap();
    seen
}

#[track_caller]
fn visits(dialect: Dialect, body: &str, expected: &[(Role, TextKind, &str)]) {
    let expected: Visited =
        expected.iter().map(|&(role, kind, text)| (role, kind, text.to_owned())).collect();
    assert_eq!(visited(&*decode(dialect, body)), expected);
}

#[test]
fn every_text_of_a_conversation_is_visited_with_its_role() {
    use TextKind::{Content, ToolArguments, ToolDescription};
    let body = r#"{"model":"m","messages":[
        {"role":"developer","content":"be\tkind"},
        {"content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:x"}},"loose"],"role":"user"},
        {"role":"assistant","content":null,"reasoning_content":"hm","refusal":"no","tool_calls":[
            {"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}},
            {"id":"2","type":"custom","custom":{"name":"g","input":"raw"}}]},
        {"role":"tool","tool_call_id":"1","content":"42"},
        {"role":"robot","content":"?"}],
        "prediction":{"type":"content","content":"guess"},
        "tools":[{"type":"function","function":{"name":"f","description":"finds","parameters":
            {"type":"object","properties":{"description":{"type":"string","description":"what"}}}}}]}"#;
    visits(
        Dialect::OpenAiChat,
        body,
        &[
            (Role::System, Content, "be\tkind"),
            (Role::User, Content, "look"),
            (Role::User, Content, "loose"),
            (Role::Assistant, Content, "hm"),
            (Role::Assistant, Content, "no"),
            (Role::Assistant, ToolArguments, r#"{"a":"b"}"#),
            (Role::Assistant, ToolArguments, "raw"),
            (Role::Tool, Content, "42"),
            (Role::User, Content, "?"),
            (Role::Assistant, Content, "guess"),
            (Role::System, ToolDescription, "finds"),
            (Role::System, ToolDescription, "what"),
        ],
    );
}

#[test]
fn repeated_and_escaped_keys_hide_no_text() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a","c\u006fntent":"b"}],"messages":[{"role":"user","content":"c"}]}"#;
    let texts: Vec<String> = visited(&*chat(body)).into_iter().map(|(_, _, text)| text).collect();
    assert_eq!(texts, ["a", "b", "c"]);
}

#[test]
fn prompts_and_inputs_are_visited() {
    let body = r#"{"model":"m","prompt":["a",[1,2],"b"],"suffix":"c","echo":true}"#;
    let input = |text| (Role::User, TextKind::Input, text);
    visits(Dialect::OpenAiCompletions, body, &[input("a"), input("b"), input("c")]);
    visits(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":"a"}"#, &[input("a")]);
    visits(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":[1,2,3]}"#, &[]);
}

#[test]
fn a_malformed_message_is_an_error_to_whoever_reads_texts() {
    let cases = [
        (r#"["hi"]"#, "/messages/0 is malformed: it must be an object"),
        (
            r#"[{"role":"user","content":7}]"#,
            "/messages/0/content is malformed: it must be a string or an array of parts",
        ),
        (r#"[{"role":"user","content":[7]}]"#, "/messages/0/content/0 is malformed: it must be an object"),
    ];
    for (messages, expected) in cases {
        let request = chat(&format!(r#"{{"model":"m","messages":{messages}}}"#));
        let error = request.for_each_text(&mut |_| ()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(LlmRequest::new(request).contains("nothing"), "a search must not miss what it cannot read");
    }
}

#[test]
fn replaced_texts_change_their_spans_only() {
    let mut request = chat(ODD);
    let count = request.edit_texts(&mut |part| Some(part.text.replace('é', "\"e\""))).unwrap();
    assert_eq!((count, request.is_edited()), (1, true));
    let expected = ODD.replace(r#""a\u00e9\ud83d\ude00\"\n""#, r#""a\"e\"😀\"\n""#);
    assert_eq!(request.to_body(), expected);
    assert_eq!(visited(&*request)[0].2, "a\"e\"😀\"\n");
}

#[test]
fn replacing_a_text_by_itself_is_no_edit() {
    let mut request = chat(ODD);
    let count = request.edit_texts(&mut |part| Some(part.text.to_owned())).unwrap();
    assert_eq!((count, request.is_edited()), (0, false));
    assert_eq!(request.to_body(), ODD);
}

// === Insertions ===

#[track_caller]
fn inserts(messages: &str, role: Role, at: Placement, expected: &str) {
    let mut request = chat(&format!(r#"{{"messages":{messages},"model":"m"}}"#));
    request.insert_text(role, at, "new\n").unwrap();
    assert_eq!(request.to_body(), format!(r#"{{"messages":{expected},"model":"m"}}"#));
}

#[test]
fn texts_go_where_they_belong() {
    let system = r#"{"role":"system","content":"new\n"}"#;
    let user = r#"{"role":"user","content":"new\n"}"#;
    let (s, u) = (r#"{"role":"system","content":"s"}"#, r#"{"role":"user","content":"u"}"#);
    let (first, last) = (Placement::First, Placement::Last);
    inserts(&format!("[ {u} ]"), Role::System, first, &format!("[ {system},{u} ]"));
    inserts(&format!("[{s}, {u}]"), Role::System, first, &format!("[{system},{s}, {u}]"));
    inserts(&format!("[{s}, {u},{s}]"), Role::System, last, &format!("[{s}, {system},{u},{s}]"));
    inserts(&format!("[{s} ]"), Role::System, last, &format!("[{s},{system} ]"));
    inserts(&format!("[{s},{u}]"), Role::User, first, &format!("[{s},{user},{u}]"));
    inserts(&format!("[{u},{s} ]"), Role::User, last, &format!("[{u},{s},{user} ]"));
}

#[test]
fn a_system_text_takes_the_name_that_is_in_use() {
    let d = r#"{"role":"developer","content":"d"}"#;
    let new = r#"{"role":"developer","content":"new\n"}"#;
    inserts(&format!("[{d}]"), Role::System, Placement::Last, &format!("[{d},{new}]"));
}

#[test]
fn texts_without_a_place_are_refused() {
    let mut request = chat(ODD);
    let error = request.insert_text(Role::Tool, Placement::Last, "x").unwrap_err();
    assert_eq!(error, EditError::NoPlace { what: "a tool text" });
    let mut request = decode(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":"a"}"#);
    let error = request.insert_text(Role::System, Placement::Last, "x").unwrap_err();
    assert_eq!(error.to_string(), "a request of this kind has no place for a system text");
}

// === Fields ===

#[test]
fn fields_are_read_by_pointer() {
    let request = chat(&with(r#""a/b":{"~":[1e400, {"c":" x"}]},"t":0.50"#));
    let cases = [
        ("/a~1b/~0/0", "1e400"),
        ("/a~1b/~0/1/c", "\" x\""),
        ("/t", "0.50"),
        ("/messages/0/role", "\"user\""),
    ];
    for (pointer, expected) in cases {
        assert_eq!(request.field(pointer).as_deref(), Some(expected), "{pointer}");
    }
    for pointer in ["", "t", "/nope", "/t/0", "/messages/9", "/messages/x"] {
        assert_eq!(request.field(pointer), None, "{pointer}");
    }
}

#[test]
fn fields_are_set_by_pointer() {
    let mut request = chat(&with(r#""t":0.50 ,"list":[1, 2]"#));
    for (pointer, json) in [
        ("/t", " 1e3 "),
        ("/list/1", "{}"),
        ("/list/-", "null"),
        ("/new", "[]"),
        ("/messages/0/name", "\"x\""),
    ] {
        request.set_field(pointer, json).unwrap();
    }
    let expected = concat!(
        r#"{"model":"m","messages":[{"role":"user","content":"hi","name":"x"}],"#,
        r#""t":1e3 ,"list":[1, {},null],"new":[]}"#,
    );
    assert_eq!(request.to_body(), expected);
    assert!(request.is_edited());
}

#[test]
fn a_field_that_routing_reads_changes_routing() {
    let mut request = chat(&with(r#""n":1"#));
    request.set_model("routed");
    request.set_field("/model", "\"chosen\"").unwrap();
    request.set_field("/n", "2").unwrap();
    assert_eq!((request.model(), request.choices()), ("chosen", 2));
    assert_eq!(request.to_body(), with(r#""n":2"#).replace("\"m\"", "\"chosen\""));
}

#[test]
fn settings_that_make_no_request_are_refused_and_leave_it_as_it_was() {
    let body = with(r#""t":1"#);
    let mut request = chat(&body);
    let message = |error: Result<(), EditError>| error.unwrap_err().to_string();
    assert_eq!(message(request.set_field("/t", "{")), "the new value of /t is not valid JSON");
    assert_eq!(message(request.set_field("/t/x", "1")), "/t/x does not lead to a field that can be set");
    assert_eq!(message(request.set_field("", "{}")), " does not lead to a field that can be set");
    assert_eq!(
        message(request.set_field("/messages/7", "{}")),
        "/messages/7 does not lead to a field that can be set"
    );
    assert_eq!(
        message(request.set_field("/model", "7")),
        "/model is malformed: the new value makes the request invalid"
    );
    let deep = "[".repeat(128) + &"]".repeat(128);
    assert!(request.set_field("/t", &deep).is_err());
    assert_eq!(request.to_body(), body);
    assert!(!request.is_edited());
}

#[test]
fn fields_are_removed_by_pointer_wherever_they_stand() {
    let mut request = chat(&with(r#""t":1 , "x":{"a":[1, 2 ,3],"b":{}},"t":2"#));
    for (pointer, was_there) in
        [("/t", true), ("/t", false), ("/x/a/1", true), ("/x/b", true), ("/x/a/7", false), ("/nope/t", false)]
    {
        assert_eq!(request.remove_field(pointer), Ok(was_there), "{pointer}");
    }
    let left = r#"{"model":"m","messages":[{"role":"user","content":"hi"}] , "x":{"a":[1 ,3]}}"#;
    assert_eq!(request.to_body(), left);
    assert_eq!(request.field("/t"), None);
    let error = request.remove_field("/messages").unwrap_err();
    assert_eq!(error.to_string(), "/messages is malformed: the request is invalid without it");
    assert_eq!(request.to_body(), left);

    let body = with(r#""t":1"#);
    let mut untouched = chat(&body);
    assert_eq!(untouched.remove_field("/u"), Ok(false));
    assert!(!untouched.is_edited());
}

#[test]
fn every_field_under_a_repeated_key_is_found() {
    let request = chat(&with(r#""t":1,"x":{"a":2,"a":3},"t":4,"x":{"a":5}"#));
    assert_eq!(request.fields("/t"), ["1", "4"]);
    assert_eq!(request.field("/t").as_deref(), Some("4"));
    assert_eq!(request.fields("/x/a"), ["2", "3", "5"]);
    assert_eq!(request.fields("/nope"), Vec::<String>::new());
}

#[test]
fn counts_what_a_request_has() {
    let part = r#"{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}},{"image_url":""}"#;
    let files = r#"{"type":"input_audio","input_audio":{}},{"type":"file","file":{}}"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"system","content":"s"}},{{"role":"user","content":[{part},{files}]}}],"tools":[{{}},{{}}],"functions":[{{}}]}}"#
    );
    let counts = chat(&body).counts();
    assert_eq!((counts.messages, counts.tools, counts.images, counts.files, counts.inputs), (2, 3, 2, 2, 0));
    for (input, expected) in [(r#""one""#, 1), ("[1,2,3]", 1), (r#"["a","b"]"#, 2), ("[[1,2],[3]]", 2)] {
        let body = format!(r#"{{"model":"m","input":{input}}}"#);
        let codec = gatewright_wire::openai_embeddings::codec();
        let request = codec.decode_request(body.into()).unwrap();
        assert_eq!(request.counts().inputs, expected, "{input}");
    }
}

// === Together ===

#[test]
fn edits_of_all_kinds_come_out_together() {
    let mut request = chat(&with(r#""stream":true"#));
    request.insert_text(Role::System, Placement::Last, "rules").unwrap();
    request.edit_texts(&mut |part| Some(part.text.to_uppercase())).unwrap();
    request.set_model("routed");
    request.set_field("/temperature", "0").unwrap();
    request.insert_text(Role::User, Placement::Last, "more").unwrap();
    request.require_stream_usage();
    let copy = request.clone_document();
    let expected = concat!(
        r#"{"model":"routed","messages":[{"role":"system","content":"RULES"},{"role":"user","content":"HI"},"#,
        r#"{"role":"user","content":"more"}],"stream":true,"temperature":0,"stream_options":{"include_usage":true}}"#,
    );
    assert_eq!(request.to_body(), expected);
    assert_eq!(copy.to_body(), expected);
    assert_eq!(visited(&*request).len(), 3);
    assert_eq!(request.to_body(), expected);
}
