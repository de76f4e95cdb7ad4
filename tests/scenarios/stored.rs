//! Conversations that the gateway keeps: their callers go on from an answer by its id, over any provider, and nobody else
//! does.

use gatewright_testkit::harness::{CALLER_KEY, Gateway, GatewayBuilder, Request, Whole};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use http::Method;
use serde_json::{Value, json};

use crate::support::error_of;

const OTHER_KEY: &str = "key-of-another-tenant";
const SECRET: &str = "canary.7d1f@mail.example";

/// A gateway with a model at a provider of the dialect itself and one at a provider of another.
fn builder(provider: &SimulatedProvider) -> GatewayBuilder {
    let address = format!("http://{}", provider.address());
    Gateway::in_front_of(provider)
        .set(
            "/extensions/0/with/keys",
            json!([{"key": CALLER_KEY, "tenant": "acme"}, {"key": OTHER_KEY, "tenant": "other"}]),
        )
        .provider_at("same", &format!("{address}/v1"))
        .provider_at("translated", &address)
        .set("/providers/translated/use", json!("anthropic"))
        .model("same", &json!([{"provider": "same", "model": "sim?echo=1"}]))
        .model("reasons", &json!([{"provider": "same", "model": "sim?reasoning=1&text=so"}]))
        .model("translated", &json!([{"provider": "translated", "model": "sim?echo=1"}]))
}

async fn serving() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = builder(&provider).start().await;
    (provider, gateway)
}

fn asking(model: &str, input: &str) -> Value {
    json!({"model": model, "input": input})
}

fn going_on(model: &str, input: &str, from: &Value) -> Value {
    json!({"model": model, "input": input, "previous_response_id": from["id"]})
}

fn post(gateway: &Gateway, body: &Value) -> Request {
    gateway.post("/v1/responses", body.to_string())
}

async fn ask(gateway: &Gateway, body: &Value) -> Value {
    let answer = post(gateway, body).send().await.whole().await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.json()
}

/// The last event of a stream that a caller read to its end.
async fn ask_streamed(gateway: &Gateway, body: &Value) -> (Value, Vec<Value>) {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let events = post(gateway, &body).send().await.to_end().await.json_events();
    let last = events.last().unwrap()["response"].clone();
    (last, events)
}

fn texts(items: &Value) -> Vec<String> {
    let parts =
        items.as_array().unwrap().iter().flat_map(|item| item["content"].as_array().into_iter().flatten());
    parts.map(|part| part["text"].as_str().unwrap().to_owned()).collect()
}

async fn get(gateway: &Gateway, target: &str) -> Whole {
    gateway.get(target).send().await.whole().await
}

fn path(response: &Value, rest: &str) -> String {
    format!("/v1/responses/{}{rest}", response["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_conversation_goes_on_by_the_id_of_its_last_answer_over_any_provider() {
    let (provider, gateway) = serving().await;
    for model in ["same", "translated"] {
        let first = ask(&gateway, &asking(model, "one")).await;
        provider.next_request().await;
        let (second, _) = ask_streamed(&gateway, &going_on(model, "two", &first)).await;
        provider.next_request().await;
        assert_eq!(second["previous_response_id"], first["id"], "{model}");
        let mut third = going_on(model, "three", &second);
        third["store"] = json!(false);
        ask(&gateway, &third).await;
        let arrived = provider.next_request().await.json();
        assert!(arrived.get("previous_response_id").is_none(), "{arrived}");
        let said = texts(arrived.get("input").unwrap_or(&arrived["messages"]));
        assert_eq!(said, ["one", "one", "two", "two", "three"], "{model}: {arrived}");
    }
}

#[tokio::test]
async fn a_conversation_may_change_its_provider() {
    let (provider, gateway) = serving().await;
    let first = ask(&gateway, &asking("translated", "one")).await;
    provider.next_request().await;
    let second = ask(&gateway, &going_on("same", "two", &first)).await;
    provider.next_request().await;
    ask(&gateway, &going_on("translated", "three", &second)).await;
    let arrived = provider.next_request().await.json();
    assert_eq!(texts(&arrived["messages"]), ["one", "one", "two", "two", "three"], "{arrived}");
}

#[tokio::test]
async fn instructions_belong_to_their_own_request() {
    let (provider, gateway) = serving().await;
    let mut first = asking("same", "one");
    first["instructions"] = json!("be brief");
    let first = ask(&gateway, &first).await;
    provider.next_request().await;
    ask(&gateway, &going_on("same", "two", &first)).await;
    let arrived = provider.next_request().await;
    assert!(!arrived.json().to_string().contains("be brief"));
}

#[tokio::test]
async fn an_answer_is_the_providers_own_but_for_its_name() {
    let (provider, gateway) = serving().await;
    let ends = json!({"id": "resp_of_the_provider", "object": "response", "odd": 1.50, "status": "completed", "output": [],
        "model": "m", "store": false, "previous_response_id": null});
    let written = ends.to_string().replace("\"odd\":1.5", "\"odd\" :  1.50");
    let answer = |body: String| Answer::body(200, "application/json", body);
    provider.push(answer(written.clone()));
    let whole = post(&gateway, &asking("same", "hi")).send().await.whole().await;
    let id = whole.json()["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 37 && id.starts_with("resp_"), "{id}");
    let expected = written.replace("resp_of_the_provider", &id).replace("\"store\":false", "\"store\":true");
    assert_eq!(String::from_utf8_lossy(&whole.body), expected);
    assert_eq!(
        get(&gateway, &format!("/v1/responses/{id}")).await.body,
        expected,
        "what the caller read is kept"
    );

    // Who asks for nothing to be kept reads every byte as it came.
    provider.push(answer(written.clone()));
    let mut stateless = asking("same", "hi");
    stateless["store"] = json!(false);
    let whole = post(&gateway, &stateless).send().await.whole().await;
    assert_eq!(String::from_utf8_lossy(&whole.body), written);
}

#[tokio::test]
async fn a_stream_has_one_name_from_its_beginning_to_its_end() {
    let (_provider, gateway) = serving().await;
    for model in ["same", "translated"] {
        let (last, events) = ask_streamed(&gateway, &asking(model, "hi")).await;
        let ids: Vec<_> = events.iter().filter_map(|event| event["response"].get("id")).collect();
        assert!(ids.len() >= 3 && ids.iter().all(|id| **id == last["id"]), "{model}: {ids:?}");
        assert_eq!(last["store"], true);
        let kept = get(&gateway, &path(&last, "")).await.json();
        assert_eq!(kept, last, "{model}");
    }
}

#[tokio::test]
async fn providers_are_asked_to_store_nothing() {
    let (provider, gateway) = serving().await;
    for store in [json!(null), json!(true), json!(false)] {
        let mut request = asking("same", "hi");
        request["store"] = store;
        ask(&gateway, &request).await;
        assert_eq!(provider.next_request().await.json()["store"], false);
    }
}

#[tokio::test]
async fn sealed_reasoning_is_kept_for_the_next_turn_and_shown_to_those_who_ask() {
    let (provider, gateway) = serving().await;
    let mut request = asking("reasons", "why");
    request["reasoning"] = json!({"effort": "low"});
    for is_streamed in [false, true] {
        let (first, all) = if is_streamed {
            ask_streamed(&gateway, &request).await
        } else {
            (ask(&gateway, &request).await, Vec::new())
        };
        assert_eq!(first["output"][0]["type"], "reasoning");
        let shown = format!("{first}{all:?}");
        assert!(!shown.contains("encrypted_content"), "{shown}");
        assert!(!get(&gateway, &path(&first, "")).await.json().to_string().contains("encrypted_content"));
        provider.next_request().await;

        ask(&gateway, &going_on("reasons", "and", &first)).await;
        let arrived = provider.next_request().await.json();
        assert!(arrived["input"][1]["encrypted_content"].is_string(), "{arrived}");

        // A caller who sends the items itself has no seal, and the gateway puts it in.
        let input = json!([{"role": "user", "content": "why"}, first["output"][0], {"role": "user", "content": "and"}]);
        ask(&gateway, &json!({"model": "reasons", "input": input})).await;
        let arrived = provider.next_request().await.json();
        assert!(arrived["input"][1]["encrypted_content"].is_string(), "{arrived}");
    }
    request["include"] = json!(["reasoning.encrypted_content"]);
    let asked = ask(&gateway, &request).await;
    assert!(asked["output"][0]["encrypted_content"].is_string(), "{asked}");
}

#[tokio::test]
async fn items_can_be_named_in_place_of_sending_them() {
    let (provider, gateway) = serving().await;
    let first = ask(&gateway, &asking("same", "one")).await;
    provider.next_request().await;
    let named = json!({"type": "item_reference", "id": first["output"][0]["id"]});
    let input = json!([{"role": "user", "content": "x"}, named, {"role": "user", "content": "y"}]);
    ask(&gateway, &json!({"model": "same", "input": input})).await;
    let arrived = provider.next_request().await.json();
    assert_eq!(arrived["input"][1], first["output"][0]);
}

#[tokio::test]
async fn another_tenant_an_unknown_id_and_a_deleted_one_are_told_the_same() {
    let (provider, gateway) = serving().await;
    let mine = ask(&gateway, &asking("same", SECRET)).await;
    let deleted = ask(&gateway, &asking("same", SECRET)).await;
    let gone = gateway.request(Method::DELETE, &path(&deleted, "")).send().await.whole().await;
    assert_eq!(gone.json(), json!({"id": deleted["id"], "object": "response", "deleted": true}));
    let before = provider.requests().len();

    let unknown = json!({"id": "resp_00000000000000000000000000000000", "output": [{"id": "msg_0"}]});
    let cases = [(OTHER_KEY, &mine), (CALLER_KEY, &deleted), (CALLER_KEY, &unknown)];
    let mut told = Vec::new();
    for (key, response) in cases {
        let reference = json!([{"type": "item_reference", "id": response["output"][0]["id"]}]);
        let requests = [
            gateway.get(&path(response, "")),
            gateway.get(&path(response, "/input_items")),
            gateway.request(Method::DELETE, &path(response, "")),
            gateway.post(&path(response, "/cancel"), ""),
            post(&gateway, &going_on("same", "hi", response)),
            post(&gateway, &json!({"model": "same", "input": reference})),
        ];
        let mut texts = Vec::new();
        for request in requests {
            let answer = request.key(key).send().await.whole().await;
            let mut error = error_of(&answer, 404);
            error.as_object_mut().unwrap().remove("request_id");
            let error = error.to_string();
            assert!(!error.contains(SECRET), "{error}");
            let named = [&response["id"], &response["output"][0]["id"]].map(|id| id.as_str().unwrap());
            texts.push(named.iter().fold(error, |text, id| text.replace(id, "ID")));
        }
        told.push(texts);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[1], told[2]);
    assert_eq!(provider.requests().len(), before, "no provider was called");
    assert_eq!(get(&gateway, &path(&mine, "")).await.status, 200, "what another tenant tried had no effect");
}

#[tokio::test]
async fn what_an_answer_was_made_from_is_listed_page_by_page() {
    let (_provider, gateway) = serving().await;
    let first = ask(&gateway, &asking("same", "one")).await;
    let second = ask(&gateway, &going_on("same", "two", &first)).await;
    let list = |query: &str| get_json(&gateway, path(&second, &format!("/input_items{query}")));
    let all = list("?order=asc").await;
    assert_eq!(texts(&all["data"]), ["one", "one", "two"]);
    assert_eq!(all["has_more"], false);
    let newest = list("?limit=1").await;
    assert_eq!((texts(&newest["data"]), &newest["has_more"]), (vec!["two".to_owned()], &json!(true)));
    let rest = list(&format!("?limit=5&after={}", newest["last_id"].as_str().unwrap())).await;
    assert_eq!(texts(&rest["data"]), ["one", "one"]);
    let answer = get(&gateway, &path(&second, "/input_items?limit=0")).await;
    assert_eq!(error_of(&answer, 400)["param"], "limit");
}

async fn get_json(gateway: &Gateway, target: String) -> Value {
    let answer = get(gateway, &target).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn what_no_gateway_does_is_refused_with_the_field() {
    let (provider, gateway) = serving().await;
    let cases = [
        (json!({"model": "same", "input": "hi", "background": true}), "background"),
        (json!({"model": "same", "input": "hi", "conversation": "conv_1"}), "conversation"),
        (json!({"model": "same", "input": "hi", "previous_response_id": 7}), "/previous_response_id"),
    ];
    for (body, param) in cases {
        let answer = post(&gateway, &body).send().await.whole().await;
        assert_eq!(error_of(&answer, 400)["param"], param);
    }
    let kept = ask(&gateway, &asking("same", "hi")).await;
    let cancelled = gateway.post(&path(&kept, "/cancel"), "").send().await.whole().await;
    assert_eq!(error_of(&cancelled, 400)["code"], "response_not_in_background");
    let streamed = get(&gateway, &path(&kept, "?stream=true")).await;
    assert_eq!(error_of(&streamed, 400)["param"], "stream");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_caller_without_a_key_is_told_so_whatever_it_looks_at() {
    let (_provider, gateway) = serving().await;
    let kept = ask(&gateway, &asking("same", "hi")).await;
    let answer = gateway.get(&path(&kept, "")).without_key().send().await.whole().await;
    error_of(&answer, 401);
}

#[tokio::test]
async fn a_look_counts_as_a_request_and_has_an_access_line() {
    let provider = SimulatedProvider::start().await;
    let rules = json!({"rules": [{"per": ["tenant"], "requests": 2, "window": "hour"}]});
    let gateway = builder(&provider).extension("two", "request-limits", &rules, &["limit"]).start().await;
    let kept = ask(&gateway, &asking("same", "hi")).await;
    let seen = get(&gateway, &path(&kept, "")).await;
    assert_eq!(seen.status, 200);
    let line = gateway.access_line(&seen.id()).await;
    assert_eq!((&line["tenant"], &line["status"]), (&json!("acme"), &json!(200)));
    error_of(&get(&gateway, &path(&kept, "")).await, 429);
}

#[tokio::test]
async fn masks_see_the_whole_conversation() {
    let provider = SimulatedProvider::start().await;
    let settings = json!({"presets": ["email"], "restore": true});
    let gateway =
        builder(&provider).extension("mask", "mask", &settings, &["request", "response"]).start().await;
    let first = ask(&gateway, &asking("same", SECRET)).await;
    assert_eq!(texts(&first["output"]), [SECRET]);
    assert!(!provider.next_request().await.json().to_string().contains(SECRET));
    ask(&gateway, &going_on("same", "again", &first)).await;
    let arrived = provider.next_request().await.json();
    assert_eq!(texts(&arrived["input"]).len(), 3);
    assert!(!arrived.to_string().contains(SECRET), "{arrived}");
}

#[tokio::test]
async fn a_stream_that_broke_off_is_not_kept() {
    let provider = SimulatedProvider::start().await;
    let gateway = builder(&provider)
        .model("breaks", &json!([{"provider": "same", "model": "sim?error_event_after=3"}]))
        .start()
        .await;
    let mut request = asking("breaks", "hi");
    request["stream"] = json!(true);
    let events = post(&gateway, &request).send().await.to_end().await.json_events();
    let id = &events[0]["response"]["id"];
    error_of(&get(&gateway, &path(&json!({"id": id}), "")).await, 404);
}

#[tokio::test]
async fn a_restart_and_a_kill_forget_nothing_that_a_caller_was_told() {
    let (provider, mut gateway) = serving().await;
    let mut last = ask(&gateway, &asking("same", "0")).await;
    for turn in 1..4 {
        gateway.signal(if turn == 2 { "TERM" } else { "KILL" }).await;
        gateway.ended().await;
        gateway.restart().await;
        last = ask_streamed(&gateway, &going_on("same", &turn.to_string(), &last)).await.0;
    }
    let arrived = provider.requests().last().unwrap().json();
    assert_eq!(texts(&arrived["input"]), ["0", "0", "1", "1", "2", "2", "3"]);
}

#[tokio::test]
async fn a_gateway_that_keeps_nothing_says_so() {
    let provider = SimulatedProvider::start().await;
    let gateway = builder(&provider).set("/store/responses", json!({"enabled": false})).start().await;
    let mut request = asking("same", "hi");
    let answer = ask(&gateway, &request).await;
    assert_eq!(provider.next_request().await.json()["store"], false);
    let refused = post(&gateway, &going_on("same", "on", &answer)).send().await.whole().await;
    assert_eq!(error_of(&refused, 400)["param"], "previous_response_id");
    error_of(&get(&gateway, &path(&answer, "")).await, 404);
    // Who insists learns that it is not.
    request["store"] = json!(true);
    let told = post(&gateway, &request).send().await.whole().await;
    assert_eq!(told.header("x-gatewright-lost"), Some("/store;dropped"));
    let strict = post(&gateway, &request).header("x-gatewright-strict", "true").send().await.whole().await;
    assert_eq!(error_of(&strict, 400)["param"], "/store");
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_read_all_the_same_and_says_so() {
    let provider = SimulatedProvider::start().await;
    let gateway =
        builder(&provider).set("/store/responses", json!({"answer_bytes_max": "1KiB"})).start().await;
    let long = "long ".repeat(400);
    let told = post(&gateway, &asking("same", &long)).send().await.whole().await;
    assert_eq!(told.header("x-gatewright-lost"), Some("/store;dropped"));
    assert_eq!(told.json()["store"], false);
    assert_eq!(texts(&told.json()["output"]), [long.as_str()]);
    error_of(&get(&gateway, &path(&told.json(), "")).await, 404);
    for model in ["same", "translated"] {
        let (last, _) = ask_streamed(&gateway, &asking(model, &long)).await;
        assert_eq!((&last["store"], texts(&last["output"])), (&json!(false), vec![long.clone()]), "{model}");
    }
    let strict = post(&gateway, &asking("same", &long)).header("x-gatewright-strict", "true").send().await;
    assert_eq!(error_of(&strict.whole().await, 503)["param"], "store");
}

#[tokio::test]
async fn a_conversation_that_could_not_be_sent_whole_is_not_gone_on_with() {
    let provider = SimulatedProvider::start().await;
    let limits = json!({"body_bytes_max": "4KiB"});
    let gateway = builder(&provider).set("/listeners/0/limits", limits).start().await;
    let first = ask(&gateway, &asking("same", &"x".repeat(3_000))).await;
    let answer = post(&gateway, &going_on("same", "on", &first)).send().await.whole().await;
    assert_eq!(error_of(&answer, 413)["code"], "conversation_too_long");
}

#[tokio::test]
async fn an_item_that_is_named_many_times_counts_as_often() {
    let provider = SimulatedProvider::start().await;
    let gateway =
        builder(&provider).set("/listeners/0/limits", json!({"body_bytes_max": "16KiB"})).start().await;
    let first = ask(&gateway, &asking("same", "hi")).await;
    let named = json!({"type": "item_reference", "id": first["output"][0]["id"]});
    let request = json!({"model": "same", "input": vec![named; 200]});
    let answer = post(&gateway, &request).send().await.whole().await;
    assert_eq!(error_of(&answer, 413)["code"], "conversation_too_long");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn limits_on_requests_come_before_what_is_kept_is_read() {
    let provider = SimulatedProvider::start().await;
    let rules = json!({"rules": [{"per": ["key"], "requests": 1, "window": "hour"}]});
    let gateway = builder(&provider).extension("limits", "request-limits", &rules, &["limit"]).start().await;
    ask(&gateway, &asking("same", "hi")).await;
    let request = json!({"model": "same", "input": "hi", "previous_response_id": "resp_unknown"});
    let answer = post(&gateway, &request).send().await.whole().await;
    error_of(&answer, 429);
}

#[tokio::test]
async fn what_is_stored_at_a_provider_is_named_by_those_alone_who_have_its_credential_to_themselves() {
    let provider = SimulatedProvider::start().await;
    let address = format!("http://{}", provider.address());
    let gateway = builder(&provider)
        .provider_at("google", &format!("{address}/v1beta"))
        .set("/providers/google/use", json!("gemini"))
        .provider_at("own", &format!("{address}/v1"))
        .set("/providers/own/allow_stored_files", json!(true))
        .set("/routes/0/match/path", json!("*"))
        .model("google", &json!([{"provider": "google", "model": "sim"}]))
        .model("own", &json!([{"provider": "own", "model": "sim"}]))
        .start()
        .await;
    let file = json!({"type": "input_file", "file_id": "file-1"});
    let responses = |model: &str| json!({"model": model, "input": [{"role": "user", "content": [file]}]});
    let tools = |model: &str| {
        let search = json!({"type": "file_search", "vector_store_ids": ["vs_1"]});
        json!({"model": model, "input": "hi", "tools": [search]})
    };
    let chat = json!([{"type": "text", "text": "hi"}, {"type": "file", "file": {"file_id": "file-1"}}]);
    let chat = json!({"model": "same", "messages": [{"role": "user", "content": chat}]});
    let block = json!({"type": "document", "source": {"type": "file", "file_id": "file-1"}});
    let messages =
        json!({"model": "translated", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]});
    let uri = format!("{address}/v1beta/files/1");
    let part = json!({"fileData": {"mimeType": "image/png", "fileUri": uri}});
    let google = json!({"contents": [{"role": "user", "parts": [part]}]});
    let cached = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "cachedContent": "cachedContents/1"});
    let escaped = responses("same").to_string().replace("file_id", "file\\u005fid");
    let cases = [
        ("/v1/responses", responses("same").to_string(), "/input/0/content/0"),
        ("/v1/responses", escaped, "/input/0/content/0"),
        ("/v1/responses", responses("translated").to_string(), "/input/0/content/0"),
        ("/v1/chat/completions", chat.to_string(), "/messages/0/content/1"),
        ("/v1/messages", messages.to_string(), "/messages/0/content/0"),
        ("/v1/responses", tools("same").to_string(), "/tools/0/vector_store_ids"),
        ("/v1/responses", tools("translated").to_string(), "/tools/0/vector_store_ids"),
        ("/v1beta/models/google:generateContent", google.to_string(), "/contents/0/parts/0"),
        ("/v1beta/models/google:generateContent", cached.to_string(), "cachedContent"),
    ];
    for (target, body, place) in cases {
        let answer = gateway.post(target, body).send().await.whole().await;
        assert_eq!(answer.status, 400, "{target}: {:?}", answer.body);
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            said.contains(place) || target == "/v1/messages" && said.contains("stored"),
            "{target}: {said}"
        );
    }
    assert_eq!(provider.requests().len(), 0);
    ask(&gateway, &responses("own")).await;
    let arrived = provider.next_request().await.json();
    assert_eq!(arrived["input"][0]["content"][0], file);
}
