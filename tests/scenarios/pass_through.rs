//! Untouched bytes arrive as they were sent, in both directions; only what routing needs is spliced.

use gatewright_testkit::harness::{CALLER_KEY, End, Gateway, PROVIDER_KEY};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::support::{chat, cut_at, events_of, serving, streamed_chat};

/// Valid JSON of a kind that no library writes: odd space, escapes, numbers beyond any type, a repeated unknown key.
const ODD_REQUEST: &str = "\r\n{ \"messages\" :\t[ {\"role\":\"user\", \"content\":\"h\\u00e9llo \\ud83d\\ude00 \\/ small\"} ],\n\
     \"model\"  :  \"small\" ,\"x_vendor\":{\"b\":1e400,\"a\":[0.10,-0,1E+2],\"a\":null},\
     \"seed\":123456789012345678901234567890 , \"temperature\":1.0, \"\":[] , \"\u{e4}\":\"\\u0000\" }\n ";

#[tokio::test]
async fn pitfall_13_a_request_arrives_byte_for_byte_where_the_provider_calls_the_model_the_same() {
    let (provider, gateway) = serving().await;
    let answer = gateway.post("/v1/chat/completions", ODD_REQUEST).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(provider.next_request().await.body, ODD_REQUEST);
}

#[tokio::test]
async fn pitfall_13_of_a_request_for_another_name_only_the_value_of_model_changes() {
    let provider = SimulatedProvider::start().await;
    let targets = json!([{"provider": "simulated", "model": "vendor/big \"one\""}]);
    let gateway = Gateway::in_front_of(&provider).model("small", &targets).start().await;
    let answer = gateway.post("/v1/chat/completions", ODD_REQUEST).send().await;
    assert_eq!(answer.status, 200);
    let expected = ODD_REQUEST.replace("\"model\"  :  \"small\"", "\"model\"  :  \"vendor/big \\\"one\\\"\"");
    assert_ne!(expected, ODD_REQUEST);
    assert_eq!(provider.next_request().await.body, expected);
}

#[tokio::test]
async fn every_endpoint_passes_requests_through() {
    let (provider, gateway) = serving().await;
    let cases = [
        (
            "/v1/chat/completions",
            r#"{"model":"small", "messages":[{"role":"user","content":"x"}], "x":[1,1.50]}"#,
        ),
        ("/v1/completions", r#"{"model":"small", "prompt":["x", "y"], "suffix":null, "x":{}}"#),
        ("/v1/embeddings", r#"{"input":[[1,2,3]], "model":"small", "dimensions":3, "x": 1e2}"#),
    ];
    for (path, body) in cases {
        let answer = gateway.post(path, body).send().await.whole().await;
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        let request = provider.next_request().await;
        assert_eq!((request.uri.path(), &*request.body), (path, body.as_bytes()));
    }
}

#[tokio::test]
async fn a_streamed_request_gains_the_wish_for_usage_and_nothing_else() {
    let (provider, gateway) = serving().await;
    let messages = r#""messages" : [{"role":"user","content":"x"}]"#;
    let cases = [
        ("", r#","stream_options":{"include_usage":true}"#),
        (
            r#" , "stream_options":{ "include_usage" : true }"#,
            r#" , "stream_options":{ "include_usage" : true }"#,
        ),
        (r#", "stream_options" : {"include_usage":false}"#, r#", "stream_options" : {"include_usage":true}"#),
        (r#", "stream_options" : null"#, r#", "stream_options" : {"include_usage":true}"#),
    ];
    for (sent, expected) in cases {
        let request = |options: &str| format!(r#"{{ {messages}, "model":"small","stream" :true{options} }}"#);
        gateway.post("/v1/chat/completions", request(sent)).send().await.to_end().await;
        let arrived = provider.next_request().await;
        assert_eq!(String::from_utf8_lossy(&arrived.body), request(expected), "sent with {sent:?}");
    }
    let request = r#"{"model":"small","messages":[{"role":"user","content":"x"}],"stream":true,
        "stream_options":{"include_obfuscation":false}}"#;
    gateway.post("/v1/chat/completions", request).send().await.to_end().await;
    let arrived = provider.next_request().await.json();
    assert_eq!(arrived["stream_options"], json!({"include_obfuscation": false, "include_usage": true}));
}

#[tokio::test]
async fn pitfall_13_a_whole_answer_comes_back_byte_for_byte() {
    let (provider, gateway) = serving().await;
    let body = "\n{\"choices\" : [ {\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"h\\u00e9 \\ud83d\\ude00\\/\"},\
         \"finish_reason\":\"stop\",\"x\":1e999} ],\t\"model\":\"m\",\"y\":{\"a\":0.10,\"a\":-0},\
         \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\r\n";
    provider.push(Answer::body(200, "application/json; charset=utf-8", body));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    assert_eq!(answer.body, body);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let record = gateway.record(&answer.id()).await;
    assert_eq!((record.input_tokens, record.output_tokens), (3, 2));
}

/// A stream as no library writes it: a comment, an id, two lines of data, CRLF, unknown fields and odd numbers.
fn odd_stream() -> String {
    let [first, second, finish] = [
        r#"{"choices" : [{"index":0, "delta":{"role":"assistant","content":"h\u00e9"},"x":1e999}], "y":0.10}"#,
        r#"{"choices":[{"index":0,"delta":{"content":" \ud83d\ude00\/"}}],"new_field":{"a":[]}}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    ];
    let (head, tail) = second.split_once(r#","new"#).unwrap();
    let tail = format!(r#","new{tail}"#);
    format!(
        ": keep-alive\n\nid: 7\nevent: message\ndata: {first}\n\ndata:{head}\ndata:{tail}\n\n:\n\n\
         data: {finish}\r\n\r\ndata: [DONE]\n\n"
    )
}

#[tokio::test]
async fn pitfall_13_the_frames_of_a_stream_come_back_byte_for_byte() {
    let (provider, gateway) = serving().await;
    let body = odd_stream();
    let request = json!({"model": "small", "messages": [{"role": "user", "content": "x"}], "stream": true,
        "stream_options": {"include_usage": true}});
    provider.push(Answer::stream([Step::send(body.clone())]));
    let answer = gateway.chat(&request).send().await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let stream = answer.to_end().await;
    assert_eq!(stream.end, End::Clean);
    assert_eq!(String::from_utf8_lossy(&stream.body), body);
}

#[tokio::test]
async fn the_frames_of_a_stream_come_back_byte_for_byte_wherever_the_network_cut_them() {
    let (provider, gateway) = serving().await;
    let body = odd_stream();
    for place in 1..body.len() {
        provider.push(cut_at(body.as_bytes(), &[place]));
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        assert_eq!(stream.end, End::Clean);
        assert_eq!(String::from_utf8_lossy(&stream.body), body, "cut at {place}");
    }
    // And in the smallest pieces that there are.
    provider.push(cut_at(body.as_bytes(), &(1..body.len()).collect::<Vec<_>>()));
    let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    assert_eq!(String::from_utf8_lossy(&stream.body), body);
}

#[tokio::test]
async fn a_streamed_completion_passes_through_too() {
    let (provider, gateway) = serving().await;
    let body = "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"logprobs\":null}],\"x\":0.10}\n\n\
         data: {\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    provider.push(cut_at(body.as_bytes(), &[11, 50, 51, 100]));
    let request = r#"{"model":"small","prompt":"x","stream":true}"#;
    let stream = gateway.post("/v1/completions", request).send().await.to_end().await;
    assert_eq!(String::from_utf8_lossy(&stream.body), body);
}

#[tokio::test]
async fn the_answer_names_the_model_that_served_or_where_configured_the_one_that_was_asked_for() {
    let provider = SimulatedProvider::start().await;
    let targets = json!([{"provider": "simulated", "model": "big-2026"}]);
    let gateway = Gateway::in_front_of(&provider)
        .model("served", &targets)
        .model("asked", &targets)
        .set("/models/asked/answer_model", json!("asked"))
        .start()
        .await;
    for (model, expected) in [("served", "big-2026"), ("asked", "asked")] {
        let mut request = chat("x");
        request["model"] = json!(model);
        assert_eq!(gateway.chat(&request).send().await.json().await["model"], expected);
        request["stream"] = json!(true);
        let stream = gateway.chat(&request).send().await.to_end().await;
        let names = stream.json_events().into_iter().map(|event| event["model"].clone());
        let others: Vec<Value> = names.filter(|name| name != expected).collect();
        assert!(others.is_empty() && stream.is_done(), "{model}: {others:?}");
    }
}

#[tokio::test]
async fn the_provider_gets_its_own_credential_and_configured_headers_and_none_of_the_callers() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .set("/providers/simulated/headers", json!({"x-team": "platform"}))
        .start()
        .await;
    let answer = gateway
        .chat(&chat("x"))
        .header("accept-encoding", "gzip, br")
        .header("cookie", "session=caller-secret")
        .header("proxy-authorization", "Basic caller-secret")
        .header("x-api-key", "caller-secret")
        .header("connection", "x-hop")
        .header("x-hop", "caller-secret")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    let request = provider.next_request().await;
    assert_eq!(request.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    assert_eq!(request.header("x-team"), Some("platform"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("host"), Some(provider.address().to_string().as_str()));
    assert_eq!(request.header("accept-encoding").unwrap_or("identity"), "identity", "answers are read here");
    for (name, value) in &request.headers {
        let value = value.to_str().unwrap();
        assert!(!value.contains("caller-secret") && !value.contains(CALLER_KEY), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_stream_arrives_event_by_event_and_not_in_one_heap() {
    let (provider, gateway) = serving().await;
    let gate = Gate::new();
    let mut steps = Vec::new();
    for event in events_of(&["one", "two", "three"]) {
        steps.extend([Step::WaitFor(gate.clone()), Step::event(&event)]);
    }
    provider.push(Answer::stream(steps));
    gate.open();
    let mut answer = gateway.chat(&streamed_chat("x")).send().await;
    // The provider sends the next event only when the client has the one before.
    for expected in events_of(&["one", "two", "three"]) {
        assert_eq!(answer.event().await, Some(expected));
        gate.open();
    }
    assert_eq!(answer.event().await, None);
}

#[tokio::test]
async fn many_streams_at_once_do_not_mix() {
    let (_provider, gateway) = serving().await;
    let mut streams = Vec::new();
    for n in 0..40 {
        let request = json!({"model": "small", "stream": true,
            "messages": [{"role": "user", "content": format!("{n} {}", "x".repeat(n))}]});
        streams.push((n, gateway.chat(&request).send().await));
    }
    let ids: std::collections::HashSet<String> = streams.iter().map(|(_, answer)| answer.id()).collect();
    assert_eq!(ids.len(), 40, "each exchange has an id of its own");
    for (_, stream) in streams {
        assert!(stream.to_end().await.is_done());
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let (provider, gateway) = serving().await;
    let mut answer = gateway.chat(&chat("1")).send().await;
    for n in 2..6 {
        let (_, mut connection) = answer.then_connection().await;
        connection.ready().await;
        let request = if n % 2 == 0 { streamed_chat("x") } else { chat("x") };
        answer = connection.send(gateway.chat(&request)).await;
        assert_eq!(answer.status, 200);
    }
    assert!(answer.then_connection().await.0.end == End::Clean);
    assert_eq!(provider.connections(), 1, "and the way to the provider is used again too");
}

#[tokio::test]
async fn long_prompts_and_long_answers_pass_whole() {
    let (provider, gateway) = serving().await;
    let long = "x\u{e4}\u{1f600} ".repeat(1024 * 1024);
    let request = json!({"model": "small", "messages": [{"role": "user", "content": long}]}).to_string();
    assert!(request.len() > 8 * 1024 * 1024);
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": long}, "finish_reason": "stop"});
    let whole = json!({"choices": [choice]});
    provider.push(Answer::json(200, &whole));
    let answer = gateway.post("/v1/chat/completions", request.clone()).send().await.whole().await;
    assert!(answer.body == whole.to_string(), "{} bytes", answer.body.len());
    assert!(provider.next_request().await.body == request);

    let piece = "x".repeat(200_000);
    let events: Vec<String> = events_of(&[piece.as_str(); 20]);
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    provider.push(Answer::events(events.iter().map(String::as_str)));
    let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    assert!(stream.body == body, "{} of {} bytes", stream.body.len(), body.len());
}
