//! Masking: what matches never reaches the client, and a stream comes out as the whole answer would, wherever the
//! provider or the network cut it.

use gatewright_testkit::harness::{Connection, End, Gateway, Streamed};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use serde_json::{Value, json};

use crate::support::{chat, cut_at, delta, error_event_of, events_of, stream_of, streamed_chat};

const TEXT: &str = "write to Bob.Smith@mail.example.com, card 4111 1111 1111 1111; thänks";
const MASKED: &str = "write to [email], card [card]; thänks";
const SECRETS: [&str; 4] = ["Bob.Smith", "mail.example", "4111", "1111 1111"];

async fn masking() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .extension("mask", "mask", &json!({"presets": ["email", "card"]}), &["response"])
        .start()
        .await;
    (provider, gateway)
}

#[track_caller]
fn check_hidden(body: &[u8], what: &str) {
    let body = String::from_utf8_lossy(body);
    for secret in SECRETS {
        assert!(!body.contains(secret), "{what}: `{secret}` is in {body}");
    }
}

#[track_caller]
fn check_stream(stream: &Streamed, what: &str) {
    assert!(stream.is_done() && stream.end == End::Clean, "{what}: {stream:?}");
    assert_eq!(stream.text(0), MASKED, "{what}: {stream:?}");
    let finish: Vec<Value> =
        stream.json_events().iter().map(|event| event["choices"][0]["finish_reason"].clone()).collect();
    assert_eq!(finish.iter().filter(|reason| **reason == "stop").count(), 1, "{what}: {stream:?}");
    check_hidden(&stream.body, what);
}

/// Asks again and again on one connection.
struct Caller<'g> {
    gateway: &'g Gateway,
    connection: Option<Connection>,
}

impl Caller<'_> {
    async fn ask(&mut self, request: &Value) -> Streamed {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.gateway.address()).await.unwrap(),
        };
        connection.ready().await;
        let (stream, connection) = connection.send(self.gateway.chat(request)).await.then_connection().await;
        self.connection = Some(connection);
        stream
    }
}

#[tokio::test]
async fn a_whole_answer_is_masked() {
    let (provider, gateway) = masking().await;
    let message = json!({"role": "assistant", "content": TEXT, "refusal": null, "reasoning_content": TEXT});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop", "x": [1]});
    let body = json!({"id": "c", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
    provider.push(Answer::json(200, &body));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    let mut expected = body;
    expected["choices"][0]["message"]["content"] = json!(MASKED);
    expected["choices"][0]["message"]["reasoning_content"] = json!(MASKED);
    assert_eq!(answer.json(), expected);
    check_hidden(&answer.body, "whole");
}

#[tokio::test]
async fn pitfall_12_a_stream_is_masked_at_every_split_of_its_text() {
    let (provider, gateway) = masking().await;
    let mut caller = Caller { gateway: &gateway, connection: None };
    for (at, _) in TEXT.char_indices() {
        let (head, tail) = TEXT.split_at(at);
        provider.push(Answer::events(events_of(&[head, tail]).iter().map(String::as_str)));
        check_stream(&caller.ask(&streamed_chat("x")).await, &format!("{head}|{tail}"));
    }
    let characters: Vec<String> = TEXT.chars().map(String::from).collect();
    for size in [1, 2, 3, 5] {
        let pieces: Vec<String> = characters.chunks(size).map(|chunk| chunk.concat()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        provider.push(Answer::events(events_of(&pieces).iter().map(String::as_str)));
        check_stream(&caller.ask(&streamed_chat("x")).await, &format!("pieces of {size}"));
        // And when all events come in one write.
        provider.push(cut_at(&stream_of(&pieces), &[]));
        check_stream(&caller.ask(&streamed_chat("x")).await, &format!("pieces of {size} at once"));
    }
}

#[tokio::test]
async fn pitfall_12_a_stream_is_masked_at_every_split_of_its_bytes() {
    let (provider, gateway) = masking().await;
    let mut caller = Caller { gateway: &gateway, connection: None };
    let body =
        stream_of(&["write to Bob.Smi", "th@mail.example.c", "om, card 4111 1111 ", "1111 1111; thänks"]);
    for place in 1..body.len() {
        provider.push(cut_at(&body, &[place]));
        check_stream(&caller.ask(&streamed_chat("x")).await, &format!("cut at {place}"));
    }
    provider.push(cut_at(&body, &(1..body.len()).collect::<Vec<_>>()));
    check_stream(&caller.ask(&streamed_chat("x")).await, "byte by byte");
}

#[tokio::test]
async fn the_simulated_models_own_pieces_are_masked_at_every_grouping() {
    let (provider, gateway) = masking().await;
    let mut caller = Caller { gateway: &gateway, connection: None };
    for coalesce in 1..20 {
        provider.push(Answer::model(format!(
            "sim?coalesce={coalesce}&text={}",
            TEXT.replace(' ', "%20").replace('@', "%40")
        )));
        check_stream(&caller.ask(&streamed_chat("x")).await, &format!("groups of {coalesce}"));
    }
}

#[tokio::test]
async fn pitfall_12_choices_side_by_side_are_masked_each_for_itself() {
    let (provider, gateway) = masking().await;
    let mut caller = Caller { gateway: &gateway, connection: None };
    for at in 1..TEXT.len() {
        if !TEXT.is_char_boundary(at) {
            continue;
        }
        let (head, tail) = TEXT.split_at(at);
        let mut events: Vec<String> =
            (0..2).map(|choice| delta(choice, &json!({"role": "assistant"}), None)).collect();
        events.push(delta(0, &json!({"content": head}), None));
        events.push(delta(1, &json!({"content": "no secret: b"}), None));
        events.push(delta(0, &json!({"content": tail}), None));
        events.push(delta(1, &json!({"content": "ob at home"}), None));
        events.extend((0..2).map(|choice| delta(choice, &json!({}), Some("stop"))));
        events.push("[DONE]".to_owned());
        provider.push(Answer::events(events.iter().map(String::as_str)));
        let stream = caller.ask(&streamed_chat("x")).await;
        assert!(stream.is_done());
        assert_eq!(
            (stream.text(0).as_str(), stream.text(1).as_str()),
            (MASKED, "no secret: bob at home"),
            "{head}|{tail}"
        );
        check_hidden(&stream.body, head);
    }
    let mut request = chat("x");
    request["n"] = json!(3);
    provider.push(Answer::model(format!("sim?text={}", TEXT.replace(' ', "%20"))));
    let answer = gateway.chat(&request).send().await.whole().await;
    check_hidden(&answer.body, "n choices, whole");
    for choice in answer.json()["choices"].as_array().unwrap() {
        assert_eq!(choice["message"]["content"], MASKED);
    }
}

/// A call's arguments in which an escape of JSON stands for the sign in the middle of the address.
const ARGUMENTS: &str =
    r#"{"to":"Bob.Smith\u0040mail.example.com","note":"card 4111 1111 1111 1111","n":7,"q":"a \"b\" \\ c"}"#;

#[track_caller]
fn check_arguments(arguments: &str, what: &str) {
    let expected = json!({"to": "[email]", "note": "card [card]", "n": 7, "q": "a \"b\" \\ c"});
    let found: Value =
        serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{what}: {error} in {arguments}"));
    assert_eq!(found, expected, "{what}");
}

#[tokio::test]
async fn pitfall_12_the_arguments_of_tool_calls_are_masked_at_every_split_and_stay_json() {
    let (provider, gateway) = masking().await;
    let mut caller = Caller { gateway: &gateway, connection: None };
    let call = |index: u64, id: Option<&str>, arguments: &str| {
        let mut call = json!({"index": index, "function": {"arguments": arguments}});
        if let Some(id) = id {
            call["id"] = json!(id);
            call["type"] = json!("function");
            call["function"]["name"] = json!("send");
        }
        delta(0, &json!({"tool_calls": [call]}), None)
    };
    for at in 1..ARGUMENTS.len() {
        let (head, tail) = ARGUMENTS.split_at(at);
        let events = [
            call(0, Some("call_a"), ""),
            call(0, None, head),
            call(1, Some("call_b"), ""),
            call(1, None, "{\"to\":\"no"),
            call(0, None, tail),
            call(1, None, "body\"}"),
            delta(0, &json!({}), Some("tool_calls")),
            "[DONE]".to_owned(),
        ];
        provider.push(Answer::events(events.iter().map(String::as_str)));
        let stream = caller.ask(&streamed_chat("x")).await;
        assert!(stream.is_done(), "{stream:?}");
        check_arguments(&stream.arguments(0, 0), &format!("{head}|{tail}"));
        assert_eq!(stream.arguments(0, 1), "{\"to\":\"nobody\"}");
        check_hidden(&stream.body, head);
    }
    let tool_call =
        json!({"id": "call_a", "type": "function", "function": {"name": "send", "arguments": ARGUMENTS}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [tool_call]});
    let choice = json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
    provider.push(Answer::json(200, &json!({"choices": [choice]})));
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    check_hidden(&answer.body, "whole");
    let calls = &answer.json()["choices"][0]["message"]["tool_calls"];
    check_arguments(calls[0]["function"]["arguments"].as_str().unwrap(), "whole");
    assert_eq!((&calls[0]["id"], &calls[0]["function"]["name"]), (&json!("call_a"), &json!("send")));
}

#[tokio::test]
async fn pitfall_12_reasoning_and_refusals_are_masked_too() {
    let (provider, gateway) = masking().await;
    for lane in ["reasoning_content", "refusal"] {
        let (head, tail) = TEXT.split_at(15);
        let events = [
            delta(0, &json!({"role": "assistant", lane: head}), None),
            delta(0, &json!({lane: tail}), None),
            delta(0, &json!({}), Some("stop")),
            "[DONE]".to_owned(),
        ];
        provider.push(Answer::events(events.iter().map(String::as_str)));
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        check_hidden(&stream.body, lane);
        let text: String = stream
            .json_events()
            .iter()
            .filter_map(|event| event["choices"][0]["delta"][lane].as_str().map(str::to_owned))
            .collect();
        assert_eq!(text, MASKED, "{lane}: {stream:?}");
    }
}

#[tokio::test]
async fn completions_of_the_old_kind_are_masked_too() {
    let (provider, gateway) = masking().await;
    let model = format!("sim?text={}", TEXT.replace(' ', "%20"));
    for streamed in [false, true] {
        provider.push(Answer::model(&model));
        let request = json!({"model": "small", "prompt": "x", "stream": streamed});
        let answer = gateway.post("/v1/completions", request.to_string()).send().await;
        let stream = answer.to_end().await;
        check_hidden(&stream.body, "completion");
        if streamed {
            assert_eq!(stream.text(0), MASKED);
        } else {
            let body: Value = serde_json::from_slice(&stream.body).unwrap();
            assert_eq!(body["choices"][0]["text"], MASKED);
        }
    }
}

#[tokio::test]
async fn the_probabilities_of_tokens_do_not_give_away_what_is_masked() {
    let (provider, gateway) = masking().await;
    for streamed in [false, true] {
        let mut request = if streamed { streamed_chat("x") } else { chat("x") };
        request["logprobs"] = json!(true);
        request["top_logprobs"] = json!(1);
        provider.push(Answer::model(format!("sim?text={}", TEXT.replace(' ', "%20"))));
        let stream = gateway.chat(&request).send().await.to_end().await;
        let body = String::from_utf8_lossy(&stream.body).into_owned();
        let objects =
            if streamed { stream.json_events() } else { vec![serde_json::from_str(&body).unwrap()] };
        let tokens: String = objects
            .iter()
            .filter_map(|object| object["choices"][0]["logprobs"]["content"].as_array())
            .flatten()
            .filter_map(|token| token["token"].as_str())
            .collect();
        assert!(
            !tokens.contains("Bob.Smith@mail.example.com"),
            "streamed {streamed}: the tokens say {tokens}"
        );
        assert!(!tokens.contains("4111 1111 1111 1111"), "streamed {streamed}: the tokens say {tokens}");
    }
}

#[tokio::test]
async fn pitfall_12_what_could_have_become_a_match_and_did_not_is_there_at_the_end() {
    let (provider, gateway) = masking().await;
    for text in [
        "ask bob@",
        "ask bob@example",
        "card 4111 1111 1111",
        "4111 1111 1111 1112",
        "a@b",
        "x".repeat(300).as_str(),
    ] {
        let characters: Vec<String> = text.chars().map(String::from).collect();
        let pieces: Vec<&str> = characters.iter().map(String::as_str).collect();
        provider.push(Answer::events(events_of(&pieces).iter().map(String::as_str)));
        let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
        assert!(stream.is_done());
        assert_eq!(stream.text(0), text);
    }
}

#[tokio::test]
async fn prose_flows_while_the_filter_watches() {
    let (provider, gateway) = masking().await;
    let gate = Gate::new();
    let mut steps = Vec::new();
    for event in events_of(&["The quick brown ", "fox jumps"]) {
        steps.extend([Step::event(&event), Step::WaitFor(gate.clone())]);
    }
    provider.push(Answer::stream(steps));
    gate.open();
    let mut answer = gateway.chat(&streamed_chat("x")).send().await;
    let mut seen = String::new();
    // The provider has sent only the first piece of text.
    while !seen.contains("The quick brown") {
        let event = answer.json_event().await;
        seen.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    for _ in 0..4 {
        gate.open();
    }
    assert!(answer.to_end().await.is_done());
}

#[tokio::test]
async fn text_that_is_held_when_the_provider_fails_is_not_released() {
    let (provider, gateway) = masking().await;
    let mut events = events_of(&["write to Bob.Smith@mail.exam"]);
    events.truncate(2);
    let mut steps: Vec<Step> = events.iter().map(|event| Step::event(event)).collect();
    steps.push(Step::Reset);
    provider.push(Answer::stream(steps));
    let stream = gateway.chat(&streamed_chat("x")).send().await.to_end().await;
    error_event_of(&stream);
    check_hidden(&stream.body, "cut off");
}

#[tokio::test]
async fn usage_and_records_are_those_of_the_unmasked_answer() {
    let (provider, gateway) = masking().await;
    let mut request = streamed_chat("x");
    request["stream_options"] = json!({"include_usage": true});
    provider.push(Answer::model(format!("sim?text={}", TEXT.replace(' ', "%20"))));
    let answer = gateway.chat(&request).send().await;
    let id = answer.id();
    let stream = answer.to_end().await;
    check_stream(&stream, "with usage");
    let bill = provider.next_request().await.bill();
    assert_eq!(stream.usage().unwrap()["completion_tokens"], json!(bill.completion_tokens));
    let record = gateway.record(&id).await;
    assert_eq!((record.output_tokens, record.usage_source.as_str()), (bill.completion_tokens, "provider"));
}

#[tokio::test]
async fn prompts_are_masked_where_the_route_says_so() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .extension("mask", "mask", &json!({"presets": ["email", "card"]}), &["request"])
        .start()
        .await;
    let part = json!([{"type": "text", "text": TEXT}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]);
    let request = json!({"model": "small", "x": 1, "messages": [
        {"role": "system", "content": TEXT}, {"role": "user", "content": part}, {"role": "user", "content": "plain"}]});
    assert_eq!(gateway.chat(&request).send().await.status, 200);
    let seen = provider.next_request().await;
    check_hidden(&seen.body, "prompt");
    let mut expected = request;
    expected["messages"][0]["content"] = json!(MASKED);
    expected["messages"][1]["content"][0]["text"] = json!(MASKED);
    assert_eq!(seen.json(), expected);
    gateway
        .post("/v1/embeddings", json!({"model": "small", "input": ["plain", TEXT]}).to_string())
        .send()
        .await;
    assert_eq!(provider.next_request().await.json()["input"], json!(["plain", MASKED]));
}

#[tokio::test]
async fn two_filters_see_each_others_work_in_the_order_of_the_route() {
    let provider = SimulatedProvider::start().await;
    let own = |regex: &str, replace: &str| json!({"presets": [], "patterns": [{"name": "own", "regex": regex, "replace": replace}]});
    let gateway = Gateway::in_front_of(&provider)
        .extension("first", "mask", &own("one", "two"), &["response"])
        .extension("second", "mask", &own("two", "three"), &["response"])
        .start()
        .await;
    for request in [chat("x"), streamed_chat("x")] {
        provider.push(Answer::model("sim?text=one%20two%20onetwo"));
        let stream = gateway.chat(&request).send().await.to_end().await;
        let body: Value = serde_json::from_slice(&stream.body).unwrap_or(Value::Null);
        let text =
            body["choices"][0]["message"]["content"].as_str().map_or_else(|| stream.text(0), str::to_owned);
        assert_eq!(text, "three three threethree");
    }
}

async fn restoring() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let settings = json!({"presets": ["email", "card"], "restore": true});
    let gateway = Gateway::in_front_of(&provider)
        .extension("mask", "mask", &settings, &["request", "response"])
        .start()
        .await;
    (provider, gateway)
}

const PROMPT: &str = "I am Bob.Smith@mail.example.com with card 4111 1111 1111 1111, not [EMAIL_1]";
const HIDDEN: &str = "I am [EMAIL_2] with card [CARD_1], not [EMAIL_1]";
const REPEATED: &str = "thänks [EMAIL_2], [CARD_1] is charged; [EMAIL_1] or new@z.net [EMAIL_9]";
const RESTORED: &str =
    "thänks Bob.Smith@mail.example.com, 4111 1111 1111 1111 is charged; [EMAIL_1] or [email] [EMAIL_9]";

#[tokio::test]
async fn values_of_a_prompt_come_back_in_a_whole_answer() {
    let (provider, gateway) = restoring().await;
    let arguments = r#"{"to":"\u005bEMAIL_2]","cc":["new@z.net"]}"#;
    let call =
        json!({"id": "call_a", "type": "function", "function": {"name": "send", "arguments": arguments}});
    let message = json!({"role": "assistant", "content": REPEATED, "tool_calls": [call]});
    provider.push(Answer::json(
        200,
        &json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}),
    ));
    let answer = gateway.chat(&chat(PROMPT)).send().await.whole().await.json();
    let asked = provider.next_request().await;
    assert_eq!(asked.json()["messages"][0]["content"], HIDDEN);
    check_hidden(&asked.body, "what the provider got");
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["content"], RESTORED);
    let arguments = message["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(arguments, json!({"to": "Bob.Smith@mail.example.com", "cc": ["[email]"]}));
}

#[tokio::test]
async fn values_of_a_prompt_come_back_at_every_split_of_a_stream() {
    let (provider, gateway) = restoring().await;
    let mut caller = Caller { gateway: &gateway, connection: None };
    for (at, _) in REPEATED.char_indices() {
        let (head, tail) = REPEATED.split_at(at);
        provider.push(Answer::events(events_of(&[head, tail]).iter().map(String::as_str)));
        let stream = caller.ask(&streamed_chat(PROMPT)).await;
        assert!(stream.is_done() && stream.end == End::Clean, "{head}|{tail}: {stream:?}");
        assert_eq!(stream.text(0), RESTORED, "{head}|{tail}");
        check_hidden(&provider.next_request().await.body, "what the provider got");
    }
}

#[tokio::test]
async fn values_of_one_exchange_do_not_come_back_in_another() {
    let (provider, gateway) = restoring().await;
    for (prompt, expected) in
        [("to a@x.com", "a@x.com"), ("to b@x.com", "b@x.com"), ("to nobody", "[EMAIL_1]")]
    {
        provider.push(Answer::model("sim?text=[EMAIL_1]"));
        let answer = gateway.chat(&chat(prompt)).send().await.whole().await.json();
        assert_eq!(answer["choices"][0]["message"]["content"], expected, "{prompt}");
    }
}

#[tokio::test]
async fn a_whole_answer_of_several_texts_keeps_them_apart() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider)
        .provider_at("simulated", &format!("http://{}", provider.address()))
        .set("/providers/simulated/use", json!("anthropic"))
        .extension("mask", "mask", &json!({"presets": ["email", "card"]}), &["response"])
        .start()
        .await;
    let ask = async |texts: [&str; 2]| {
        let text = |text: &str| json!({"type": "text", "text": text});
        let call = json!({"type": "tool_use", "id": "call", "name": "f", "input": {}});
        let content = json!([text(texts[0]), call, text(texts[1])]);
        let usage = json!({"input_tokens": 1, "output_tokens": 1});
        let answer = json!({
            "id": "m", "type": "message", "role": "assistant", "model": "small", "content": content,
            "stop_reason": "end_turn", "usage": usage,
        });
        provider.push(Answer::json(200, &answer));
        let messages = json!([{"role": "user", "content": "x"}]);
        let request = json!({"model": "small", "max_tokens": 10, "messages": messages});
        let seen = gateway.post("/v1/messages", request.to_string()).send().await.whole().await;
        (seen.body.clone(), seen.json()["content"].clone(), answer)
    };
    let (body, _, sent) = ask(["the first card 4111", "and the last"]).await;
    assert_eq!(body, sent.to_string(), "nothing matches, so nothing changes");

    let (_, content, _) = ask(["ask bob@x.example. ", "Then ann@x.example!"]).await;
    let texts = [0, 2].map(|at| content[at]["text"].as_str().unwrap());
    assert_eq!(texts.concat(), "ask [email]. Then [email]!");
    assert!(texts[0].starts_with("ask [email]") && texts[1].ends_with("[email]!"), "{content}");
}
