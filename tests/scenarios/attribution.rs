//! Which instance did what: counts, times, edits, denials, failures, held text, the trace, and lines of the log.

use gatewright_testkit::harness::{Gateway, eventually};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};

use crate::chaos::{instance_of, marked_trouble, trouble, watched};
use crate::support::{chat, events_of, streamed_chat};

/// Hooks whose lines must say where they come from, and the chain of each.
const SPEAKING: [(&str, &str); 13] = [
    ("wants", "request"),
    ("request", "request"),
    ("attempt", "request"),
    ("reserve", "limit"),
    ("progress", "limit"),
    ("settle", "limit"),
    ("settle_later", "limit"),
    ("plan", "response"),
    ("open", "response"),
    ("event", "response"),
    ("text", "response"),
    ("observe", "response"),
    ("end", "response"),
];

async fn speaking(provider: &SimulatedProvider, format: &str, isolate: bool) -> Gateway {
    let mut instances =
        vec![json!({"id": "door", "use": "open-door"}), json!({"id": "witness", "use": "witness"})];
    let mut builder = watched(provider).set("/authenticate", json!(["t-authenticate", "door"]));
    instances.push(trouble("t-authenticate", "authenticate", "speak"));
    for chain in ["request", "limit", "response"] {
        let of_chain: Vec<&str> = SPEAKING.iter().filter(|(_, of)| *of == chain).map(|(at, _)| *at).collect();
        instances.extend(of_chain.iter().map(|at| trouble(&instance_of(at), at, "speak")));
        let ids: Vec<String> = of_chain.iter().map(|at| instance_of(at)).collect();
        builder = builder.set(&format!("/routes/0/{chain}"), json!(ids));
    }
    instances.extend([trouble("t-task", "task", "speak"), trouble("t-deliver", "deliver", "speak")]);
    for instance in instances.iter_mut().skip(2) {
        instance["isolate"] = json!(isolate);
    }
    builder
        .set("/extensions", json!(instances))
        .set("/routes/0/sinks", json!(["t-deliver"]))
        .set("/telemetry/log/format", json!(format))
        .start()
        .await
}

fn said_by(line: &str, at: &str, hook: &str) -> bool {
    line.contains("Making trouble") && line.contains(&instance_of(at)) && line.contains(hook)
}

#[tokio::test]
async fn a_line_that_an_extension_writes_says_which_instance_and_hook_it_comes_from() {
    for isolate in [false, true] {
        let provider = SimulatedProvider::start().await;
        let gateway = speaking(&provider, "json", isolate).await;
        assert!(gateway.chat(&streamed_chat("x")).send().await.to_end().await.is_done());
        let hooks = SPEAKING.iter().map(|(at, _)| *at).chain(["authenticate", "task", "deliver"]);
        for at in hooks {
            let hook = crate::chaos::hook_of(at);
            gateway
                .log_line(&format!("a line of {at}, isolated: {isolate}"), |line| {
                    line["message"] == "Making trouble"
                        && line["instance"] == instance_of(at).as_str()
                        && line["hook"] == hook
                })
                .await;
        }
    }
}

#[tokio::test]
async fn a_panic_is_a_line_that_names_instance_and_hook_and_place() {
    let provider = SimulatedProvider::start().await;
    let gateway = watched(&provider)
        .set(
            "/extensions",
            json!([
                {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"},
                trouble("trouble", "request", "panic"),
            ]),
        )
        .set("/routes/0/request", json!(["trouble"]))
        .start()
        .await;
    let answer = gateway.chat(&chat("x")).send().await.whole().await;
    assert_eq!(answer.status, 500);
    assert!(!String::from_utf8_lossy(&answer.body).contains("as it was asked for"), "{:?}", answer.body);
    let line = gateway.log_line("the panic", |line| line["message"] == "Panicked").await;
    assert_eq!((&line["instance"], &line["hook"]), (&json!("trouble"), &json!("request")), "{line}");
    assert!(line["place"].as_str().unwrap().contains("trouble.rs"), "{line}");
}

#[tokio::test]
async fn metrics_count_calls_edits_denials_and_held_text_by_instance_and_hook() {
    let provider = SimulatedProvider::start().await;
    let denying = marked_trouble("request", "deny");
    let gateway = watched(&provider)
        .set(
            "/extensions",
            json!([
                {"id": "door", "use": "open-door"}, {"id": "witness", "use": "witness"},
                {"id": "meddler", "use": "meddler", "with": {"plan": "text"}}, denying,
            ]),
        )
        .set("/tenants", json!({"acme": {}}))
        .set("/routes/0/request", json!(["t-request", "meddler"]))
        .set("/routes/0/response", json!(["meddler", "witness"]))
        .start()
        .await;
    let events = events_of(&["some ", "text ", "to hold ", "and to edit"]);
    provider.push(Answer::events(events.iter().map(String::as_str)));
    assert!(gateway.chat(&streamed_chat("x")).send().await.to_end().await.is_done());
    for tenant in ["acme", "elsewhere-1", "elsewhere-2"] {
        let request = gateway.chat(&chat("x")).header("x-trouble", "request").header("x-tenant", tenant);
        assert_eq!(request.send().await.status, 403);
    }
    let metrics = gateway.metrics().await;
    let calls = |hook, result| {
        let labels = [("instance", "meddler"), ("hook", hook), ("result", result)];
        metrics.count("gatewright_extension_calls_total", &labels)
    };
    assert_eq!(calls("request", "passed"), 1);
    assert_eq!(calls("open", "passed"), 1);
    assert!(calls("text", "passed") >= 4, "{}", metrics.text());
    let edits =
        |hook| metrics.count("gatewright_extension_edits_total", &[("instance", "meddler"), ("hook", hook)]);
    assert!(edits("request") >= 1 && edits("text") >= 1, "{}", metrics.text());
    let instance = [("instance", "meddler")];
    assert_eq!(metrics.count("gatewright_extension_held_bytes_count", &instance), 1);
    assert!(metrics.number("gatewright_extension_held_bytes_sum", &instance) >= 8.0);
    assert!(metrics.number("gatewright_extension_hook_seconds_sum", &instance) > 0.0);
    let denials = |tenant| {
        let labels =
            [("instance", "t-request"), ("code", "trouble"), ("tenant", tenant), ("mode", "enforce")];
        metrics.count("gatewright_extension_denials_total", &labels)
    };
    assert_eq!((denials("acme"), denials("other")), (1, 2), "tenants that nobody configured are one label");
    assert!(!metrics.text().contains("elsewhere"));
    let info = [("instance", "meddler"), ("extension", "meddler")];
    assert_eq!(metrics.count("gatewright_extension_info", &info), 1);
}

#[tokio::test]
async fn the_trace_is_a_header_where_it_is_asked_for_and_nowhere_else() {
    let provider = SimulatedProvider::start().await;
    for wanted in [false, true] {
        let gateway = watched(&provider)
            .set("/routes/0/request", json!(["witness"]))
            .set("/telemetry/trace_header", json!(wanted))
            .start()
            .await;
        for request in [chat("x"), streamed_chat("x")] {
            let answer = gateway.chat(&request).send().await;
            let trace = answer.header("x-gatewright-trace").map(str::to_owned);
            answer.to_end().await;
            if !wanted {
                assert_eq!(trace, None);
                continue;
            }
            let trace = trace.unwrap();
            for step in [
                "door.authenticate;passed",
                "witness.request;passed",
                "witness.reserve;passed",
                "witness.open;passed",
            ] {
                assert!(trace.contains(step), "{step}: {trace}");
            }
        }
    }
}

#[tokio::test]
async fn the_text_form_of_the_log_names_instance_and_hook_as_well() {
    let provider = SimulatedProvider::start().await;
    // The harness reads JSON, so a gateway with the text form is asked directly.
    let gateway = speaking(&provider, "json", false).await;
    let mut configuration: Value = gateway.configuration().clone();
    configuration["telemetry"]["log"]["format"] = json!("human");
    let folder = tempfile::tempdir().unwrap();
    for file in ["provider-key.txt", "caller-key.txt"] {
        std::fs::copy(gateway.folder().join(file), folder.path().join(file)).unwrap();
    }
    std::fs::write(folder.path().join("gateway.yaml"), configuration.to_string()).unwrap();
    let log = folder.path().join("log.txt");
    let mut process = tokio::process::Command::new(crate::chaos::BINARY)
        .arg("serve")
        .current_dir(folder.path())
        .stderr(std::fs::File::create(&log).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("a line of the task", async || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines().any(|line| said_by(line, "task", "hook=task")).then_some(())
    })
    .await;
    process.kill().await.unwrap();
}
