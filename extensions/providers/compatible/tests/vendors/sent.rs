//! A few requests on their way to a vendor, as the gateway takes them there, written down.

use std::fmt::Write as _;

use gatewright::bytes::Bytes;
use gatewright::chat::{Losses, Place};
use gatewright::dialect::{Abilities, Codec, Dialect, Operation};
use gatewright::{ProviderAdapter, ProviderRequest, ProviderTarget, Secret};
use gatewright_wire::codec;

/// Requests in the dialects of their callers, each with what it is there for.
const REQUESTS: [(&str, Dialect, &str); 6] = [
    (
        "a chat of the same dialect, with everything that vendors differ in",
        Dialect::OpenAiChat,
        r#"{"model":"public","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"developer","content":"be brief"},{"role":"user","content":"hi"}],"max_completion_tokens":99,"temperature":0.5,"top_p":0.9,"seed":7,"stop":["x"],"n":2,"frequency_penalty":0.1,"presence_penalty":0.1,"logit_bias":{"1":2},"logprobs":true,"top_logprobs":2,"user":"u","store":true,"reasoning_effort":"low","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"required","parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"new_field":1e400}"#,
    ),
    (
        "a plain chat of the same dialect, streamed",
        Dialect::OpenAiChat,
        r#"{"model":"public","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
    ),
    (
        "a chat of another dialect",
        Dialect::AnthropicMessages,
        r#"{"model":"public","max_tokens":99,"top_k":4,"stream":true,"system":"be brief","thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://i.example/i.png"}},{"type":"text","text":"hi"}]}]}"#,
    ),
    ("a response", Dialect::OpenAiResponses, r#"{"model":"public","input":"hi","max_output_tokens":99}"#),
    ("a completion", Dialect::OpenAiCompletions, r#"{"model":"public","prompt":"hi","max_tokens":9}"#),
    ("an embedding", Dialect::OpenAiEmbeddings, r#"{"model":"public","input":"hi"}"#),
];

/// What becomes of the requests.
pub(crate) fn transcript(adapter: &dyn ProviderAdapter) -> String {
    let mut out = String::new();
    for (what, dialect, body) in REQUESTS {
        writeln!(out, "# {what}").unwrap();
        one(&mut out, adapter, dialect, body);
        out.push('\n');
    }
    out
}

fn one(out: &mut String, adapter: &dyn ProviderAdapter, caller: Dialect, body: &str) {
    let from = codec(caller);
    let target = ProviderTarget { model: "m", operation: from.operation(), dialect: caller };
    let Some(to) = adapter.codec(&target) else {
        return writeln!(out, "not offered").unwrap();
    };
    let abilities = adapter.abilities(&target);
    let (body, losses, streams) = translated(from, to, body, &abilities);
    let request = ProviderRequest {
        model: "m",
        operation: target.operation,
        dialect: to.dialect(),
        streams,
        body: &body,
    };
    let call = adapter.encode(&request).unwrap();
    writeln!(out, "{} {}", call.method, call.path).unwrap();
    for (name, value) in &call.headers {
        writeln!(out, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let (name, value) = adapter.credential(&Secret::new("KEY".to_owned())).unwrap();
    writeln!(out, "{name}: {}", value.to_str().unwrap()).unwrap();
    writeln!(out, "{}", std::str::from_utf8(&call.body).unwrap()).unwrap();
    losses.iter().for_each(|loss| writeln!(out, "{loss}").unwrap());
}

/// What the pipeline makes of a request before an adapter gets it.
fn translated(from: &dyn Codec, to: &dyn Codec, body: &str, able: &Abilities) -> (Bytes, Vec<String>, bool) {
    let mut request = from.decode_request(body.to_owned().into()).unwrap();
    request.set_model("m");
    let streams = request.streams();
    if streams && able.has_stream_options {
        request.require_stream_usage();
    }
    let Some(chat) = from.chat().filter(|_| request.operation() == Operation::Chat) else {
        return (request.to_body(), Vec::new(), streams);
    };
    let name = |place: &Place<'_>| chat.pointer(place);
    let mut losses = Losses::new(false, &name);
    let body = if from.dialect() == to.dialect() {
        chat.conform(&mut *request, able, &mut losses).unwrap();
        request.to_body()
    } else {
        let body = request.to_body();
        let mut read = chat.read_request(&body).unwrap();
        read.model = "m".into();
        to.chat().unwrap().write_request(&read, able, &mut losses).unwrap()
    };
    let losses = losses.into_found().into_iter();
    (body, losses.map(|loss| format!("{} {}", loss.kind.as_str(), loss.field)).collect(), streams)
}
