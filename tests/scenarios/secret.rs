//! Keys, prompts and answers stay where they belong: nothing that the gateway writes or says repeats them.

use std::fs;
use std::path::Path;

use gatewright_testkit::harness::{CALLER_KEY, Gateway, PROVIDER_KEY};
use gatewright_testkit::provider::{Answer, SimulatedProvider, Step};
use http::Method;
use serde_json::json;

use crate::support::{chat, streamed_chat};

const PROMPT: &str = "canary-prompt-c81e728d";
const ANSWER: &str = "canary-answer-eccbc87e";
const WRONG_KEY: &str = "gw-canary-wrong-a87ff679";

#[track_caller]
fn check_clean(text: &str, what: &str) {
    for secret in [CALLER_KEY, PROVIDER_KEY, PROMPT, ANSWER, WRONG_KEY] {
        if let Some(at) = text.find(secret) {
            let from = text.floor_char_boundary(at.saturating_sub(200));
            let to = text.ceil_char_boundary((at + 200).min(text.len()));
            panic!("`{secret}` is in {what}: …{}…", text.get(from..to).unwrap_or_default());
        }
    }
}

/// All files of a folder and its folders, but those that hold the secrets by intention.
fn check_files(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_files(&path);
        } else if !path.ends_with("caller-key.txt") && !path.ends_with("provider-key.txt") {
            let bytes = fs::read(&path).unwrap();
            check_clean(&String::from_utf8_lossy(&bytes), &path.display().to_string());
        }
    }
}

/// Makes the gateway speak in all the ways that it has.
async fn provoke(provider: &SimulatedProvider, gateway: &mut Gateway) {
    let said =
        json!({"error": {"message": format!("bad key {PROVIDER_KEY}"), "type": "server_error", "code": "x"}});
    let answers = [
        Answer::model(format!("sim?text={ANSWER}")),
        Answer::model(format!("sim?text={ANSWER}%20more%20of%20it&reset_after=2")),
        Answer::model(format!("sim?text={ANSWER}%20more%20of%20it&malformed_after=2")),
        Answer::model(format!("sim?text={ANSWER}%20more%20of%20it&bad_utf8_after=2")),
        Answer::json(401, &said),
        Answer::json(500, &said),
        Answer::body(502, "text/html", format!("<p>{PROVIDER_KEY}</p>")),
        Answer::wire([Step::send(format!("HTP {PROVIDER_KEY}\r\n\r\n"))]),
        Answer::stream([Step::event(&said.to_string())]),
    ];
    for answer in answers {
        for request in [chat(PROMPT), streamed_chat(PROMPT)] {
            provider.push(answer.clone());
            let answer = gateway.chat(&request).send().await;
            let is_error = !answer.status.is_success();
            let headers = format!("{:?}", answer.headers);
            check_clean(&headers, "the headers of an answer");
            let body = answer.to_end().await.body;
            if is_error {
                check_clean(&String::from_utf8_lossy(&body), "an error");
            }
        }
    }
    let others = [
        gateway.chat(&chat(PROMPT)).key(WRONG_KEY),
        gateway.post("/v1/chat/completions", format!("{{\"model\":\"small\",\"messages\":\"{PROMPT}")),
        gateway.post("/v1/chat/completions", format!("{{\"model\":\"small\",\"messages\":\"{PROMPT}\"}}")),
        gateway.request(Method::DELETE, "/v1/models"),
    ];
    for request in others {
        let answer = request.send().await.whole().await;
        check_clean(&String::from_utf8_lossy(&answer.body), "an error");
    }
    gateway.reconfigure("/extensions/0/with/keys/0/nonsense", json!(1));
    gateway.log_line("the refusal of a configuration", |line| line["level"] == "ERROR").await;
    gateway
        .reconfigure("/extensions/0/with/keys", json!([{"key": "${file:caller-key.txt}", "tenant": "acme"}]));
    gateway.wait_for_generation(2).await;
}

#[tokio::test]
async fn no_secret_prompt_or_answer_is_in_the_log_the_metrics_the_files_or_the_errors() {
    for level in ["info", "trace"] {
        let provider = SimulatedProvider::start().await;
        let mut gateway = Gateway::in_front_of(&provider)
            .set("/telemetry/log/level", json!(level))
            .extension("mask", "mask", &json!({}), &["response"])
            .extension("style", "enrich", &json!({"headers": {"x-user": "{user}"}}), &["request"])
            .start()
            .await;
        provoke(&provider, &mut gateway).await;
        check_clean(gateway.metrics().await.text(), "the metrics");
        let ready = gateway.admin("/readyz").send().await.whole().await;
        check_clean(&String::from_utf8_lossy(&ready.body), "the readiness");
        gateway.signal("TERM").await;
        assert_eq!(gateway.ended().await.code(), Some(0));
        check_clean(&gateway.log(), &format!("the log at level {level}"));
        check_files(gateway.folder());
    }
}

#[tokio::test]
async fn the_ledger_is_readable_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).start().await;
    gateway.chat(&chat("x")).send().await.whole().await;
    for name in ["gatewright.db", "gatewright.db-wal"] {
        let mode = fs::metadata(gateway.folder().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has the mode {mode:o}");
    }
}
