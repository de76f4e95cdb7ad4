//! Calls that pass through to a provider: whose they are, what travels, what comes back, and who may not.

use bytes::Bytes;
use gatewright_testkit::harness::{
    Answer as Seen, CALLER_KEY, End, Gateway, GatewayBuilder, PROVIDER_KEY, eventually,
};
use gatewright_testkit::provider::{Answer, Gate, Script, SimulatedProvider, Step};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::error_of;

const OTHER_KEY: &str = "key-of-another-tenant";

fn keys(models: &Value) -> Value {
    json!([
        {"key": CALLER_KEY, "tenant": "acme", "user": "ann", "label": "ann-key", "models": models},
        {"key": OTHER_KEY, "tenant": "other", "label": "other-key", "models": ["*"]},
    ])
}

/// A gateway that passes calls through to the provider for the caller, and for nobody else.
fn open_to(provider: &SimulatedProvider) -> GatewayBuilder {
    Gateway::in_front_of(provider)
        .set("/providers/simulated/passthrough", json!(true))
        .set("/providers/simulated/headers", json!({"x-account": "ours"}))
        .set("/extensions/0/with/keys", keys(&json!(["*", "passthrough/*"])))
        .set("/routes/0/match/path", json!("/*"))
        .set("/listeners/0/limits", json!({"body_bytes_max": "64MiB"}))
}

async fn serving() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let gateway = open_to(&provider).start().await;
    (provider, gateway)
}

fn scripted(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
    let mut script = Script::new(StatusCode::from_u16(status).unwrap(), [Step::send(body)]);
    for (name, value) in headers {
        script = script.with_header(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Answer::Scripted(script)
}

async fn call(gateway: &Gateway, method: Method, path: &str, body: impl Into<Bytes>) -> Seen {
    gateway.request(method, &format!("/passthrough/simulated{path}")).body(body).send().await
}

// === What travels ===

#[tokio::test]
async fn method_path_query_and_body_arrive_as_they_are_and_the_answer_comes_back_as_it_is() {
    let (provider, gateway) = serving().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let body = if method == Method::GET { Bytes::new() } else { Bytes::from_static(b"\0not json\xff") };
        provider.push(scripted(207, &[("content-type", "application/x-odd"), ("etag", "\"7\"")], "\u{1}odd"));
        let answer = call(&gateway, method.clone(), "/vector_stores/a%20b?x=1&y=%2F", body.clone()).await;
        let answer = answer.whole().await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (207, &b"\x01odd"[..]), "{method}");
        assert_eq!(answer.header("content-type"), Some("application/x-odd"));
        assert_eq!(answer.header("etag"), Some("\"7\""));
        let arrived = provider.next_request().await;
        assert_eq!((&arrived.method, &arrived.body), (&method, &body));
        assert_eq!(arrived.uri.to_string(), "/v1/vector_stores/a%20b?x=1&y=%2F");
        let record = gateway.record(&answer.id()).await;
        assert_eq!(
            (record.operation.as_str(), record.status, record.outcome.as_str()),
            ("passthrough", 207, "completed")
        );
        assert_eq!(record.provider.as_deref(), Some("simulated"));
        assert_eq!((record.tenant.as_str(), record.model_asked.as_str()), ("acme", "passthrough/simulated"));
    }
}

#[tokio::test]
async fn an_answer_without_a_body_is_one() {
    let (provider, gateway) = serving().await;
    provider.push(scripted(204, &[], ""));
    let deleted = call(&gateway, Method::DELETE, "/files/f", "").await.whole().await;
    assert_eq!((deleted.status.as_u16(), deleted.header("content-type")), (204, None), "{deleted:?}");
    assert_eq!(gateway.record(&deleted.id()).await.outcome, "completed");

    provider.push(scripted(200, &[("content-length", "4096"), ("content-type", "audio/wav")], ""));
    let head = call(&gateway, Method::HEAD, "/files/f", "").await.whole().await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, Some("4096")), "{head:?}");
    assert_eq!(gateway.record(&head.id()).await.outcome, "completed");
}

#[tokio::test]
async fn refusals_of_the_provider_come_back_as_they_are() {
    let (provider, gateway) = serving().await;
    for status in [400, 401, 404, 409, 429, 500, 503] {
        provider.push(scripted(status, &[("content-type", "text/html"), ("retry-after", "7")], "<b>no</b>"));
        let answer = call(&gateway, Method::POST, "/x", "{}").await.whole().await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (status, &b"<b>no</b>"[..]));
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert_eq!(gateway.record(&answer.id()).await.status, status);
    }
    assert_eq!(provider.requests().len(), 7, "nothing is tried twice");
}

#[tokio::test]
async fn a_stream_passes_event_by_event() {
    let (provider, gateway) = serving().await;
    let gate = Gate::new();
    provider.push(Answer::stream([
        Step::event("one"),
        Step::Flush,
        Step::WaitFor(gate.clone()),
        Step::event("two"),
    ]));
    let mut answer = call(&gateway, Method::POST, "/x", "{}").await;
    assert_eq!(answer.event().await.as_deref(), Some("one"), "before the second is there");
    gate.open();
    assert_eq!(answer.event().await.as_deref(), Some("two"));
    assert_eq!(answer.event().await, None);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off() {
    let (provider, gateway) = serving().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\npart";
    let read = Gate::new();
    provider.push(Answer::wire([Step::send(head), Step::Flush, Step::WaitFor(read.clone())]));
    let answer = call(&gateway, Method::GET, "/x", "").await;
    read.open();
    let id = answer.id();
    let streamed = answer.to_end().await;
    assert!(matches!(streamed.end, End::Broken(_)), "{streamed:?}");
    assert_eq!(gateway.record(&id).await.outcome, "failed");
}

#[tokio::test]
async fn a_long_upload_flows_byte_for_byte_in_flat_memory() {
    let (provider, gateway) = serving().await;
    let body: Bytes = (0..20_u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    provider.push(scripted(200, &[], "ok"));
    call(&gateway, Method::PUT, "/x", body.slice(..3 << 20)).await.whole().await;
    provider.next_request().await;
    let before = peak_kib(&gateway);
    provider.push(scripted(200, &[], "ok"));
    let answer = call(&gateway, Method::PUT, "/x", body.clone()).await.whole().await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let arrived = provider.next_request().await;
    assert!(arrived.body == body, "every byte is the caller's");
    assert_eq!(arrived.header("content-length"), Some(&*body.len().to_string()));
    let grown = peak_kib(&gateway).saturating_sub(before);
    assert!(grown < 6 * 1024, "an upload of 20 MiB takes {grown} KiB");
}

fn peak_kib(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process_id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

// === What stays ===

#[tokio::test]
async fn what_is_the_callers_stays_at_the_gateway_and_what_is_the_providers_too() {
    let (provider, gateway) = serving().await;
    let handed = [
        ("content-type", "application/json"),
        ("set-cookie", "account=ours"),
        ("vendor-organization", "ours"),
        ("www-authenticate", "Bearer realm=ours"),
        ("x-ratelimit-remaining", "3"),
        ("x-request-id", "theirs"),
        ("alt-svc", "h3=\"elsewhere:443\""),
    ];
    provider.push(scripted(200, &handed, "{}"));
    let request =
        gateway.request(Method::POST, "/passthrough/simulated/x?key=secret-of-the-caller&a=1").body("{}");
    let request = request
        .header("cookie", "session=caller")
        .header("x-api-key", CALLER_KEY)
        .header("x-company-token", "caller")
        .header("x-forwarded-for", "10.0.0.7")
        .header("connection", "x-account, x-hop")
        .header("x-hop", "1")
        .header("x-account", "theirs")
        .header("x-gatewright-strict", "true")
        .header("vendor-version", "2023")
        .header("idempotency-key", "i-1");
    let answer = request.send().await.whole().await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let arrived = provider.next_request().await;
    assert_eq!(arrived.header("authorization"), Some(&*format!("Bearer {PROVIDER_KEY}")));
    assert_eq!(arrived.header("x-account"), Some("ours"), "the operator's word wins");
    assert_eq!(
        (arrived.header("vendor-version"), arrived.header("idempotency-key")),
        (Some("2023"), Some("i-1"))
    );
    assert_eq!(arrived.uri.query(), Some("a=1"));
    assert_eq!(arrived.header("host"), Some(&*provider.address().to_string()));
    for name in ["cookie", "x-api-key", "x-company-token", "x-forwarded-for", "x-hop", "x-gatewright-strict"]
    {
        assert_eq!(arrived.header(name), None, "{name}");
    }
    for (name, _) in &handed[1..5] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("alt-svc"), None);
    assert_ne!(answer.header("x-request-id"), Some("theirs"));
}

#[tokio::test]
async fn a_redirect_is_handed_back_and_leads_through_the_gateway_or_nowhere() {
    let (provider, gateway) = serving().await;
    for (location, expected) in [
        ("/v1/files/b?c=1", Some("/passthrough/simulated/files/b?c=1")),
        ("https://store.example/ours?signature=s", None),
        ("//store.example/v1/x", None),
    ] {
        provider.push(scripted(307, &[("location", location)], ""));
        let answer = call(&gateway, Method::GET, "/files/a", "").await.whole().await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (307, expected), "{location}");
    }
    assert_eq!(provider.requests().len(), 3, "none was followed");
}

// === Where it may lead ===

/// Requests a target as it stands, and tells the status.
async fn raw(gateway: &Gateway, target: &str) -> u16 {
    let head = format!(
        "GET {target} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {CALLER_KEY}\r\nconnection: close\r\n\r\n",
        gateway.address()
    );
    let answer = gateway.raw(head.as_bytes()).await;
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{target}: {answer:?}"))
}

#[tokio::test]
async fn no_path_leaves_the_base_url_of_its_provider() {
    let (provider, gateway) = serving().await;
    let forms = [
        "/../admin",
        "/%2e%2e/admin",
        "/.%2e/admin",
        "/%2E./admin",
        "/a/../../admin",
        "/a/..%2f..%2fadmin",
        "/..%2fadmin",
        "/..%5cadmin",
        "/%5c..%5cadmin",
        "/..;/admin",
        "/..;x=1/admin",
        "/%2e%2e%3b/admin",
        "/%252e%252e/admin",
        "/%252e%252e%252fadmin",
        "/%25252e",
        "/%c0%ae%c0%ae/admin",
        "/%e0%80%ae/admin",
        "/%EF%BC%8E%EF%BC%8E/admin",
        "/a%EF%BC%8Fadmin",
        "/%E2%80%A4%E2%80%A4/admin",
        "//evil.example/x",
        "/http://evil.example/x",
        "//169.254.169.254/latest/meta-data",
        "/a//b",
        "/.",
        "/./x",
        "/..",
        "/x%00",
        "/x%0d%0ahost:%20evil.example",
        "/x%0ax",
        "/%",
        "/%zz",
        "/%u002e%u002e/x",
        "/x%7f",
        "/..%20/x",
        "/%20../x",
        "/.%20./../x",
    ];
    for form in forms {
        assert_eq!(raw(&gateway, &format!("/passthrough/simulated{form}")).await, 400, "{form}");
    }
    for (target, status) in [
        ("/passthrough/simulated\\evil", 404),
        ("/passthrough/simulated", 404),
        ("/passthrough/", 404),
        ("/passthrough//simulated/x", 404),
        ("/passthrough/simulated@evil.example/x", 404),
        ("/passthrough/evil.example:80/x", 404),
        ("/passthrough/%73imulated/x", 404),
        ("/passthrough/../passthrough/simulated/x", 404),
        ("/passthrough/./simulated/x", 404),
        ("/v1/../passthrough/simulated/x", 404),
        ("//passthrough/simulated/x", 404),
        ("/passthrough%2fsimulated/x", 404),
        ("/Passthrough/simulated/x", 404),
    ] {
        assert!([status, 400].contains(&raw(&gateway, target).await), "{target}");
    }
    assert!(provider.requests().is_empty(), "{:?}", provider.requests());
}

#[tokio::test]
async fn what_looks_like_another_place_is_no_more_than_a_name_at_the_provider() {
    let (provider, gateway) = serving().await;
    for (form, arrives) in [
        ("/@evil.example", "/v1/@evil.example"),
        ("/evil.example:80/x", "/v1/evil.example:80/x"),
        ("/http:", "/v1/http:"),
        ("/http%3a%2f%2fevil.example", "/v1/http%3A%2F%2Fevil.example"),
        ("/x?u=http://evil.example/../y", "/v1/x?u=http://evil.example/../y"),
        ("/[::1]", "/v1/%5B::1%5D"),
        ("/a..b/...c", "/v1/a..b/...c"),
        ("/%61%2e%62", "/v1/a.b"),
    ] {
        provider.push(scripted(200, &[], "ok"));
        assert_eq!(raw(&gateway, &format!("/passthrough/simulated{form}")).await, 200, "{form}");
        assert_eq!(provider.next_request().await.uri.to_string(), arrives);
    }
}

#[tokio::test]
async fn the_gateways_own_methods_are_not_passed_on() {
    let (provider, gateway) = serving().await;
    let answer = call(&gateway, Method::TRACE, "/x", "").await.whole().await;
    error_of(&answer, 405);
    assert!(provider.requests().is_empty());
}

// === Who may ===

#[tokio::test]
async fn nothing_passes_through_unless_the_provider_is_open_and_the_key_names_it() {
    let provider = SimulatedProvider::start().await;
    let closed = open_to(&provider).set("/providers/simulated/passthrough", json!(false)).start().await;
    let error = error_of(&call(&closed, Method::GET, "/x", "").await.whole().await, 404);
    assert_eq!(error["code"], "passthrough_not_open");

    let gateway = open_to(&provider).start().await;
    let asked = gateway.request(Method::GET, "/passthrough/simulated/x");
    let error = error_of(&asked.clone().key(OTHER_KEY).send().await.whole().await, 403);
    assert_eq!(error["code"], "passthrough_not_allowed", "a star is of models");
    error_of(&asked.clone().without_key().send().await.whole().await, 401);
    let error = error_of(&gateway.get("/passthrough/nobody/x").send().await.whole().await, 404);
    assert_eq!(error["code"], "passthrough_not_open");

    // Names of passed calls are no models.
    let chat = json!({"model": "passthrough/simulated", "messages": [{"role": "user", "content": "x"}]});
    let error = error_of(&gateway.chat(&chat).send().await.whole().await, 404);
    assert_eq!(error["code"], "model_not_found");
    let list = gateway.get("/v1/models").send().await.json().await;
    assert!(!list.to_string().contains("passthrough"), "{list}");
    assert!(provider.requests().is_empty());

    for (models, status) in [
        (json!(["passthrough/simulated"]), 200),
        (json!(["passthrough/other", "*"]), 403),
        (json!(["pass*"]), 403),
    ] {
        let gateway = open_to(&provider).set("/extensions/0/with/keys", keys(&models)).start().await;
        provider.push(scripted(200, &[], "ok"));
        let answer = call(&gateway, Method::GET, "/x", "").await.whole().await;
        assert_eq!(answer.status.as_u16(), status, "{models}");
    }
    let tenant = json!({"acme": {"models": ["small"]}});
    let gateway = open_to(&provider).set("/tenants", tenant).start().await;
    error_of(&call(&gateway, Method::GET, "/x", "").await.whole().await, 403);
}

#[tokio::test]
async fn a_route_that_looks_at_content_takes_no_call_that_nobody_sees() {
    let provider = SimulatedProvider::start().await;
    let mask = json!({"presets": ["email"]});
    for chain in ["request", "response"] {
        let builder = open_to(&provider).extension("masks", "mask", &mask, &[chain]);
        let gateway = builder.start().await;
        let error = error_of(&call(&gateway, Method::GET, "/x", "").await.whole().await, 403);
        assert_eq!(error["code"], "passthrough_not_seen");
        assert!(error["message"].as_str().unwrap().contains("`masks`"), "{error}");
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn no_escape_leads_past_a_route() {
    let provider = SimulatedProvider::start().await;
    let routes = json!([
        {"name": "files", "match": {"path": "/passthrough/simulated/files*"}},
        {"name": "rest", "match": {"path": "/*"}},
    ]);
    let gateway = open_to(&provider).set("/routes", routes).start().await;
    for (path, route) in [("/files?a=1", "files"), ("/%66iles/a", "files"), ("/file", "rest")] {
        provider.push(scripted(200, &[], "ok"));
        let answer = call(&gateway, Method::GET, path, "").await.whole().await;
        assert_eq!(gateway.record(&answer.id()).await.route, route, "{path}");
    }
}

#[tokio::test]
async fn limits_count_calls_that_pass_through() {
    let provider = SimulatedProvider::start().await;
    let rules = json!({"rules": [{"per": ["key"], "requests": 2, "window": "hour"}]});
    let gateway = open_to(&provider).extension("limits", "request-limits", &rules, &["limit"]).start().await;
    for status in [200, 200, 429] {
        provider.push(scripted(200, &[], "ok"));
        assert_eq!(call(&gateway, Method::GET, "/x", "").await.whole().await.status.as_u16(), status);
    }
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn what_the_gateway_says_is_said_in_the_dialect_of_the_client() {
    let (_provider, gateway) = serving().await;
    let request = gateway.get("/passthrough/nobody/x").header("anthropic-version", "2023-06-01");
    let error = request.send().await.whole().await.json();
    assert_eq!(
        (&error["type"], &error["error"]["type"]),
        (&json!("error"), &json!("not_found_error")),
        "{error}"
    );
}

#[tokio::test]
async fn calls_that_are_signed_pass_through_as_long_as_their_body_is_held() {
    let provider = SimulatedProvider::start().await;
    let signing = json!({
        "use": "bedrock",
        "base_url": format!("http://{}", provider.address()),
        "api_key": "AKIDEXAMPLE:secret-of-the-provider",
        "allow_private": true,
        "passthrough": true,
        "with": {"region": "eu-central-1"},
    });
    let gateway = open_to(&provider).set("/providers/signing", signing).start().await;
    let path = "/passthrough/signing/model/arn%3Aaws%3Ax%2Fy/invoke";
    provider.push(scripted(200, &[], "ok"));
    let answer = gateway.post(path, "{}").header("x-amz-security-token", "the caller's").send().await;
    assert_eq!(answer.whole().await.status.as_u16(), 200);
    let arrived = provider.next_request().await;
    assert!(arrived.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256"), "{arrived:?}");
    assert_eq!(
        (arrived.uri.path(), arrived.header("x-amz-security-token")),
        (path.trim_start_matches("/passthrough/signing"), None)
    );
    let error = error_of(&gateway.post(path, vec![b'x'; 2 << 20]).send().await.whole().await, 400);
    assert!(error["message"].as_str().unwrap().contains("signed"), "{error}");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_of_an_upload_is_settled_once() {
    let (provider, gateway) = serving().await;
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "PUT /passthrough/simulated/x HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {CALLER_KEY}\r\n\
         content-length: 8000000\r\n\r\n",
        gateway.address()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 3 << 20]).await.unwrap();
    eventually("the upload reaches the provider", async || (provider.connections() > 0).then_some(())).await;
    drop(client);
    let line = gateway.log_line("the end of the exchange", |line| line["outcome"] == "client_gone").await;
    assert_eq!(line["operation"], "passthrough", "{line}");
    assert_eq!(gateway.records().await.len(), 1);
}
