//! `explain`: what a route runs, and what becomes of a request, without a call to a provider.

use std::fs;

use gatewright_testkit::harness::{Gateway, PROVIDER_KEY, Ran, run};
use gatewright_testkit::provider::{Answer, SimulatedProvider};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::chat;

const FULL: &str = r#"
listeners: [{ name: public, address: 127.0.0.1:0 }]
admin: { address: 127.0.0.1:0 }
providers:
  there:
    use: openai
    base_url: https://models.example/v1
    api_key: ${file:provider-key.txt}
    headers: { x-team: blue, x-secret: "${file:provider-key.txt}" }
models:
  small:
    targets: [{ provider: there, model: small-1, price: { input: 1, output: 2 } }]
  free:
    strategy: weighted
    targets: [{ provider: there, model: free-1, weight: 3 }]
authenticate: [keys]
extensions:
  - id: keys
    use: static-keys
    with: { keys: [{ key: "${file:key.txt}", tenant: acme, user: ann, label: ann-key }] }
  - id: ten
    use: request-limits
    with: { rules: [{ per: [key], requests: 10, window: minute, concurrent: 2 }] }
  - id: style
    use: enrich
    with:
      system: "Be brief."
      tags: { team: blue }
      headers: { x-style: "{tag.team}" }
    deadline: 250ms
    on_error: skip
  - id: mask
    use: mask
    with: { presets: [email] }
  - id: no-falcon
    use: content-policy
    with: { rules: [{ name: falcon, keywords: [falcon], action: deny }] }
    circuit: { failures: 0 }
  - id: watcher
    use: content-policy
    mode: shadow
    with: { rules: [{ name: owl, keywords: [owl], action: deny }] }
  - id: gone
    use: enrich
    mode: "off"
  - id: tag
    use: response-tag
    with: { rules: [{ headers: { x-ai: "yes" } }] }
  - id: guard
    use: webhook-guard
    egress: ["https://guard.example"]
    isolate: true
    max_in_flight: 7
    stall: 3s
    with: { url: "https://guard.example/judge" }
routes:
  - name: default
    match: { path: /v1/*, model: small }
    limit: [ten]
    request: [style, mask, no-falcon, watcher, gone]
    response: [mask, tag]
  - name: guarded
    match: { path: /v1/* }
    request: [guard]
"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("gateway.yaml", FULL);
    write("key.txt", "a-key-of-the-scenario");
    write("provider-key.txt", PROVIDER_KEY);
    folder
}

/// What `explain` says of this request body.
async fn explain(folder: &TempDir, body: &Value, more: &[&str]) -> Ran {
    fs::write(folder.path().join("body.json"), body.to_string()).unwrap();
    let ran = run(&[&["explain", "--body", "body.json"], more].concat(), folder.path()).await;
    assert!(!ran.output.contains(PROVIDER_KEY), "no credential is shown: {ran:?}");
    ran
}

async fn explain_json(folder: &TempDir, body: &Value, more: &[&str]) -> Value {
    let ran = explain(folder, body, &[&["--json"], more].concat()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.output).unwrap()
}

fn step<'a>(told: &'a Value, instance: &str, hook: &str) -> &'a Value {
    let steps = told["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["instance"] == instance && step["hook"] == hook);
    found.unwrap_or_else(|| panic!("no {hook} of {instance} in {told:#}"))
}

#[tokio::test]
async fn a_route_is_told_with_its_instances_their_plans_and_their_policies() {
    let folder = folder();
    let ran = run(&["explain", "default", "--json"], folder.path()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let told: Value = serde_json::from_str(&ran.output).unwrap();
    let route = &told["routes"][0];
    assert_eq!(route["match"], json!({"path": "/v1/*", "tenant": "*", "model": "small"}));
    let chain = |name: &str| {
        let chains = route["chains"].as_array().unwrap();
        chains.iter().find(|chain| chain["chain"] == name).unwrap()["instances"].as_array().unwrap().clone()
    };
    let ids = |name: &str| -> Vec<String> {
        chain(name).iter().map(|one| one["instance"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("authenticate"), ["keys"]);
    assert_eq!(ids("request"), ["style", "mask", "no-falcon", "watcher", "gone"], "in order");
    assert_eq!(
        (chain("limit")[0]["phase"].as_str(), chain("request")[0]["phase"].as_str()),
        (Some("arrival"), Some("client"))
    );

    let [style, no_falcon, watcher, gone] = [0, 2, 3, 4].map(|place: usize| chain("request")[place].clone());
    assert_eq!(
        style["on"],
        json!({"error": "skip", "timeout": "deny", "panic": "deny", "quarantine": "skip"})
    );
    assert_eq!((&style["deadline_seconds"], &style["in_flight_max"]), (&json!(0.25), &json!(4096)));
    assert_eq!((&style["extension"], style["version"].is_string()), (&json!("enrich"), true));
    assert_eq!(no_falcon["circuit"]["failures"], json!(0));
    assert_eq!(
        (&watcher["mode"], &gone["mode"], &gone["on"]),
        (&json!("shadow"), &json!("off"), &Value::Null)
    );

    let [mask, tag] = [0, 1].map(|place: usize| chain("response")[place]["plan"].clone());
    assert_eq!((&mask["streamed"]["kind"], &mask["streamed"]), (&json!("patterns"), &mask["whole"]));
    let held = mask["streamed"]["held_bytes_max"].as_u64().unwrap();
    assert!(held >= mask["streamed"]["longest_match_bytes"].as_u64().unwrap() && held > 0, "{mask}");
    assert_eq!(tag["streamed"], json!({"kind": "observe"}));
    assert_eq!(route["held_back"], json!({"bytes_always": 0, "bytes_max": held, "whole_answer": false}));

    let models = route["models"].as_array().unwrap();
    assert_eq!(
        (models.len(), &models[0]["name"], &models[0]["strategy"]),
        (1, &json!("small"), &json!("first"))
    );
    let target = &models[0]["targets"][0];
    assert_eq!(
        (&target["model"], &target["base_url"]),
        (&json!("small-1"), &json!("https://models.example/v1"))
    );
    assert_eq!(target["credential"], json!({"instance": null, "api_key": true}));
    let price = json!({"input": 1_000_000_000, "output": 2_000_000_000});
    assert_eq!(target["price_nanodollars_per_million"], price);
}

#[tokio::test]
async fn people_read_the_same_in_aligned_lines() {
    let folder = folder();
    let ran = run(&["explain"], folder.path()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "route                 default",
        "matches               path /v1/*, tenant *, model small",
        "  style               enrich 0.1.0, enforce, client",
        "                      on error skip, on timeout deny, on panic deny, on quarantine skip",
        "                      deadline 250ms, 4096 calls at a time, stall 1s, circuit 20 failures in 10s, pause 10s",
        "                      on error, timeout, panic and quarantine: deny",
        "                      only watches: nothing comes of its decisions and failures",
        "  gone                enrich 0.1.0, off, client, does not run",
        "  tag                 response-tag 0.1.0, enforce",
        "                      answers: observes",
        "route                 guarded",
        "                      deadline 1s, 7 calls at a time, stall 3s, circuit 20 failures in 10s, pause 10s",
        "                      isolated: its hooks run on the threads of extensions",
        "                      reaches https://guard.example",
        "  free                targets by strategy weighted; tokens by length",
    ] {
        assert!(ran.output.lines().any(|found| found == line), "`{line}` is not in\n{}", ran.output);
    }
    let free = ran.output.lines().find(|line| line.contains("free-1")).unwrap();
    assert!(free.contains("weight 3") && free.contains("price not known"), "{free}");
    assert!(ran.output.contains("price per million tokens $1.00 in, $2.00 out"), "{}", ran.output);
    // By a model, the route that its requests take.
    let ran = run(&["explain", "--model", "free"], folder.path()).await;
    assert!(ran.output.starts_with("route                 guarded\n"), "{ran:?}");
}

#[tokio::test]
async fn a_request_is_told_step_by_step_with_every_field_that_changes() {
    let folder = folder();
    let text = "I am ann@acme.example";
    let body = json!({"model": "small", "stream": true, "max_tokens": 100, "messages": [{"role": "user", "content": text}]});
    let told = explain_json(&folder, &body, &["--tenant", "acme", "--key", "ann-key"]).await;
    assert_eq!(
        (&told["route"], &told["model"], &told["streams"]),
        (&json!("default"), &json!("small"), &json!(true))
    );
    assert_eq!(told["caller"], json!({"tenant": "acme", "key": "ann-key", "given": true}));

    assert_eq!(step(&told, "ten", "reserve")["decision"], "admitted");
    let style = step(&told, "style", "request");
    let added = r#"{"role":"system","content":"Be brief."}"#;
    assert_eq!(style["edits"], json!([{"pointer": "/messages/0", "old": null, "new": added}]));
    let effects = [("label", "team", "blue"), ("upstream header", "x-style", "blue")];
    let effects: Vec<_> = effects
        .iter()
        .map(|(kind, name, new)| json!({"kind": kind, "name": name, "old": null, "new": new}))
        .collect();
    assert_eq!(style["effects"], json!(effects));
    let mask = step(&told, "mask", "request");
    let (old, new) = (json!(text).to_string(), r#""I am [email]""#);
    assert_eq!(mask["edits"], json!([{"pointer": "/messages/1/content", "old": old, "new": new}]));
    assert_eq!(step(&told, "mask", "open")["plan"]["kind"], "patterns");
    assert_eq!(step(&told, "tag", "open")["effects"][0]["name"], "x-ai");
    assert_eq!(told["labels"], json!([["team", "blue"]]));
    assert!(!told["steps"].to_string().contains("gone"), "what is off is not asked");

    let estimate = &told["estimate"];
    assert_eq!((&estimate["output_tokens"], &estimate["output_cap"]), (&json!(100), &json!(100)));
    let call = &told["result"];
    assert_eq!(
        (&call["kind"], &call["provider"], &call["model"]),
        (&json!("call"), &json!("there"), &json!("small-1"))
    );
    assert_eq!(call["chosen_by"], json!({"instance": null, "strategy": "first"}));
    assert_eq!(
        (&call["base_url"], &call["path"]),
        (&json!("https://models.example/v1"), &json!("/chat/completions"))
    );
    assert_eq!(call["credential"], "added");
    let headers = call["headers"].as_array().unwrap();
    for header in [["x-team", "blue"], ["x-style", "blue"], ["x-secret", "(hidden)"]] {
        assert!(headers.contains(&json!(header)), "{header:?} is not in {headers:?}");
    }
    let pointers: Vec<_> =
        call["edits"].as_array().unwrap().iter().map(|edit| edit["pointer"].clone()).collect();
    assert_eq!(pointers, ["/model", "/stream_options"], "what the gateway itself changes");
    let input = estimate["input_tokens"].as_i64().unwrap();
    assert_eq!(call["price_nanodollars"], json!(input * 1_000 + 100 * 2_000));
}

#[tokio::test]
async fn a_request_that_is_refused_is_told_who_refuses_it_and_why() {
    let folder = folder();
    let told = explain_json(&folder, &chat("a falcon, an owl"), &[]).await;
    let refusal = step(&told, "no-falcon", "request");
    assert_eq!((&refusal["decision"], &refusal["status"]), (&json!("denied"), &json!(400)), "{refusal}");
    assert_eq!((&told["result"]["kind"], &told["result"]["status"]), (&json!("refused"), &refusal["status"]));
    assert!(!told["steps"].to_string().contains("watcher"), "nobody is asked after a refusal");

    let told = explain_json(&folder, &chat("an owl"), &[]).await;
    let watched = step(&told, "watcher", "request");
    assert_eq!((&watched["decision"], &watched["shadow"]), (&json!("denied"), &json!(true)));
    assert_eq!(told["result"]["kind"], "call", "and one that only watches refuses nothing");

    let mut unknown = chat("x");
    unknown["model"] = json!("smal");
    let told = explain_json(&folder, &unknown, &[]).await;
    assert_eq!((&told["result"]["code"], &told["route"]), (&json!("model_not_found"), &Value::Null));
    assert_eq!(told["steps"], json!([]));

    let ran = explain(
        &folder,
        &json!({"model": "small"}),
        &["--header", "authorization: Bearer not-the-key-of-anybody"],
    )
    .await;
    assert!(ran.output.contains("refused               401 invalid_api_key"), "{ran:?}");
    assert!(ran.output.contains("caller                nobody knows"), "{ran:?}");
    let ran =
        explain(&folder, &chat("x"), &["--header", "authorization: Bearer a-key-of-the-scenario"]).await;
    assert!(ran.output.contains("tenant acme, key ann-key (by the authenticators)"), "{ran:?}");
    assert!(!ran.output.contains("a-key-of-the-scenario"), "{ran:?}");
}

#[tokio::test]
async fn the_model_and_the_route_can_be_asked_about_and_an_unknown_price_is_told_as_such() {
    let folder = folder();
    let ran = explain(&folder, &chat("x"), &["default", "--model", "free"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "route                 guarded; the request does not take `default`",
        "price                 not known",
        "target                there → free-1, by strategy weighted",
        "  request guard       not run, because it reaches outside; --run-external runs it",
    ] {
        assert!(ran.output.lines().any(|found| found == line), "`{line}` is not in\n{}", ran.output);
    }
}

#[tokio::test]
async fn limits_are_those_of_the_running_gateway_and_nothing_is_taken_or_sent() {
    let provider = SimulatedProvider::start().await;
    let rules = json!({"rules": [{"per": ["key"], "requests": 3, "window": "hour", "concurrent": 2}]});
    let gateway = Gateway::in_front_of(&provider)
        .extension("three", "request-limits", &rules, &["limit"])
        .start()
        .await;
    let admin = format!("http://{}", gateway.admin_address());
    fs::write(gateway.folder().join("body.json"), chat("x").to_string()).unwrap();
    let asked = async |more: &[&str]| -> Value {
        let arguments = ["explain", "--body", "body.json", "--json", "--tenant", "acme", "--key", "ann-key"];
        let ran = run(&[&arguments[..], more].concat(), gateway.folder()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        serde_json::from_str(&ran.output).unwrap()
    };
    let claim = |told: &Value, dimension: &str| {
        let claims = told["limits"]["claims"].as_array().unwrap();
        claims.iter().find(|claim| claim["dimension"] == dimension).unwrap().clone()
    };
    for sent in 0..3 {
        for _ in 0..2 {
            let told = asked(&["--admin", &admin]).await;
            let claim = claim(&told, "requests");
            let figures = ["limit", "used", "remaining", "wanted"].map(|name| claim[name].as_u64());
            assert_eq!(figures, [Some(3), Some(sent), Some(3 - sent), Some(1)], "{told:#}");
            assert_eq!((&told["limits"]["from"], &told["result"]["kind"]), (&json!(admin), &json!("call")));
        }
        assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    }
    let told = asked(&["--admin", &admin]).await;
    assert_eq!(claim(&told, "requests")["remaining"], 0);
    assert_eq!(
        (&told["result"]["status"], &told["result"]["code"]),
        (&json!(429), &json!("too_many_requests"))
    );
    let wait = step(&told, "three", "reserve")["retry_after_seconds"].as_f64().unwrap();
    assert!(wait > 0.0 && wait <= 3_700.0, "{told:#}");
    let other = run(
        &["explain", "--body", "body.json", "--tenant", "acme", "--key", "other", "--admin", &admin],
        gateway.folder(),
    )
    .await;
    assert!(other.output.contains("used 0, held 0, remaining 3, wanted 1"), "{other:?}");
    assert_eq!(provider.requests().len(), 3, "the provider saw what clients sent and nothing else");

    // The address in the configuration names no port, and at this one nobody listens.
    for more in [&[][..], &["--admin", "http://127.0.0.1:1"]] {
        let told = asked(more).await;
        assert_eq!(claim(&told, "requests")["remaining"], Value::Null, "{told:#}");
        assert!(told["limits"]["not_known_because"].is_string(), "{told:#}");
        assert_eq!(told["result"]["kind"], "call", "{told:#}");
    }
}

#[tokio::test]
async fn hooks_that_reach_outside_are_named_and_run_only_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let webhook = SimulatedProvider::start().await;
    let origin = format!("http://{}", webhook.address());
    let text = FULL
        .replace(
            "egress: [\"https://guard.example\"]",
            &format!("egress: [\"{origin}\"]\n    egress_private: true"),
        )
        .replace("https://guard.example", &origin);
    fs::write(folder.path().join("gateway.yaml"), text).unwrap();
    fs::write(folder.path().join("key.txt"), "a-key-of-the-scenario").unwrap();
    fs::write(folder.path().join("provider-key.txt"), PROVIDER_KEY).unwrap();
    let told = explain_json(&folder, &chat("x"), &["--model", "free"]).await;
    assert_eq!(step(&told, "guard", "request")["decision"], "not_run");
    assert_eq!((&told["withheld"], &told["result"]["kind"]), (&json!(["guard"]), &json!("call")));
    assert!(webhook.requests().is_empty(), "nothing was sent");

    webhook.push(Answer::json(200, &json!({"verdict": "deny", "code": "off_topic", "message": "not here"})));
    let told = explain_json(&folder, &chat("x"), &["--model", "free", "--run-external"]).await;
    let guard = step(&told, "guard", "request");
    assert_eq!((&guard["decision"], &guard["code"]), (&json!("denied"), &json!("off_topic")), "{told:#}");
    assert_eq!((&told["withheld"], webhook.requests().len()), (&json!([]), 1));
}

#[tokio::test]
async fn explaining_leaves_nothing_behind() {
    let folder = folder();
    explain_json(&folder, &chat("x"), &["--run-external"]).await;
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["body.json", "gateway.yaml", "key.txt", "provider-key.txt"]);
}

#[tokio::test]
async fn what_cannot_be_explained_is_told_with_what_can() {
    let folder = folder();
    fs::write(folder.path().join("body.json"), chat("x").to_string()).unwrap();
    let cases = [
        (&["explain", "defalt"][..], 2, "routes: default, guarded"),
        (&["explain", "--model", "smal"], 2, "there is no model `smal`"),
        (&["explain", "--body", "none.json"], 2, "none.json"),
        (
            &["explain", "--body", "body.json", "--path", "/v3/chat"],
            2,
            "/v1/chat/completions, /v1/completions",
        ),
        (&["explain", "--body", "body.json", "--header", "no-colon"], 2, "`name: value`"),
        (&["explain", "--model", "small", "--path", "/v3/chat"], 3, "no route takes /v3/chat"),
        (&["explain", "--config", "other.yaml"], 3, "other.yaml"),
    ];
    for (arguments, code, words) in cases {
        let ran = run(arguments, folder.path()).await;
        assert_eq!((ran.code, ran.output.as_str()), (code, ""), "{arguments:?}: {ran:?}");
        assert!(ran.errors.contains(words), "`{words}` is not in {}", ran.errors);
    }
    // A body that cannot be read is a request that is refused, and that is an answer.
    fs::write(folder.path().join("body.json"), "{").unwrap();
    let ran = run(&["explain", "--body", "body.json"], folder.path()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.output.contains("refused               400"), "{ran:?}");
}

#[tokio::test]
async fn a_form_is_taken_along_the_path_and_only_what_changes_of_it_is_shown() {
    let folder = folder();
    let part = |head: &str, body: &[u8]| {
        [format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(), body, b"\r\n"].concat()
    };
    let sound = vec![0xff_u8; 2 << 20];
    let form = [
        part("name=\"model\"", b"small"),
        part("name=\"file\"; filename=\"a\"", &sound),
        b"--b--\r\n".to_vec(),
    ];
    fs::write(folder.path().join("form.bin"), form.concat()).unwrap();
    let asked = ["explain", "--json", "--body", "form.bin", "--path", "/v1/audio/transcriptions"];
    let more = ["--header", "content-type: multipart/form-data; boundary=b", "--model", "free"];
    let ran = run(&[&asked[..], &more].concat(), folder.path()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let told: Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!((&told["model"], &told["route"]), (&json!("free"), &json!("guarded")), "{told:#}");
    let call = &told["result"];
    assert_eq!((&call["kind"], &call["path"]), (&json!("call"), &json!("/audio/transcriptions")), "{call:#}");
    let edits = call["edits"].as_array().unwrap();
    assert_eq!((edits.len(), &edits[0]["new"]), (1, &json!("-1")), "{call:#}");
}

#[tokio::test]
async fn a_call_that_passes_through_is_told_like_any_other() {
    let folder = folder();
    let open = FULL.replace("    use: openai\n", "    use: openai\n    passthrough: true\n");
    let open = open.replace("routes:\n", "routes:\n  - name: direct\n    match: { path: /passthrough/* }\n");
    fs::write(folder.path().join("gateway.yaml"), open).unwrap();
    let told = explain_json(&folder, &json!({}), &["--path", "/passthrough/there/%66iles?a=1"]).await;
    assert_eq!((&told["model"], &told["route"]), (&json!("passthrough/there"), &json!("direct")), "{told:#}");
    let call = &told["result"];
    assert_eq!(
        (&call["method"], &call["path"], &call["edits"]),
        (&json!("POST"), &json!("/files?a=1"), &json!([]))
    );
    let ran = explain(&folder, &json!({}), &["--path", "/passthrough/there/../x"]).await;
    assert!(ran.code != 0 && ran.errors.contains("steps"), "{ran:?}");
}
