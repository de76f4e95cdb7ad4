//! What a binary and a gateway say of the extensions inside, and what both say of extensions that cannot be used.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use gatewright_testkit::harness::{Gateway, Ran, Request, run};
use gatewright_testkit::provider::{Answer, Gate, SimulatedProvider, Step};
use http::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{chat, streamed_chat};

const MISBUILT: &str = env!("CARGO_BIN_EXE_gatewright-misbuilt");
const CHAOS: &str = env!("CARGO_BIN_EXE_gatewright-chaos");

async fn run_of(binary: &str, arguments: &[&str], folder: &Path) -> Ran {
    let output = Command::new(binary)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test]
async fn extensions_are_told_with_what_they_do_and_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&["extensions"], folder.path()).await;
    assert_eq!((ran.code, ran.errors.as_str()), (0, ""), "{ran:?}");
    for words in ["name", "digest", "request-limits", "gatewright-ext-mask", "request,response"] {
        assert!(ran.output.contains(words), "`{words}` is not in {}", ran.output);
    }

    let answer: Value =
        serde_json::from_str(&run(&["extensions", "--json"], folder.path()).await.output).unwrap();
    let extensions = answer["extensions"].as_array().unwrap();
    let mask = extensions.iter().find(|one| one["name"] == "mask").unwrap();
    assert_eq!(
        (&mask["package"], &mask["points"]),
        (&json!("gatewright-ext-mask"), &json!(["request", "response"]))
    );
    for extension in extensions {
        let about = extension["description"].as_str().unwrap_or_default();
        assert!(about.len() > 10 && !about.contains('\n'), "a line about itself: {extension}");
        for key in ["source", "digest", "provides", "needs"] {
            assert!(extension.get(key).is_some(), "{key}: {extension}");
        }
    }
    let version: Value =
        serde_json::from_str(&run(&["version", "--json"], folder.path()).await.output).unwrap();
    assert_eq!(version["extensions"], answer["extensions"], "both say the same");
    assert!(version.get("build").is_some(), "{version}");
}

#[tokio::test]
async fn values_that_extensions_give_and_need_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_of(CHAOS, &["extensions"], folder.path()).await;
    assert!(ran.output.contains("(provides chaos.token)"), "{ran:?}");
    assert!(ran.output.contains("(needs chaos.token)"), "{ran:?}");
}

#[tokio::test]
async fn a_binary_in_whose_build_something_is_wrong_says_all_of_it_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["version"][..], &["check"], &["serve"]] {
        let ran = run_of(MISBUILT, arguments, folder.path()).await;
        assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
        let place = "gatewright.toml:7, extensions.farm";
        for words in [
            &[
                "`acme-silent` is listed in gatewright.toml:8, extensions.silent",
                "add `gatewright::register!(",
            ][..],
            &["name `acme.twin`", place, "rename one"],
            &["`acme.hen` for the point `request`", place, "add `request` to its `allow` list"],
            &["`acme-stray` registered the extension `acme.stray` but is not listed", "list it"],
            &["`acme.egg`", "`acme.hen`", place, "circle", "take one name out of `NEEDS`"],
        ] {
            let is_told = |line: &str| words.iter().all(|word| line.contains(word));
            assert!(ran.errors.lines().any(is_told), "{words:?} is not on one line of\n{}", ran.errors);
        }
    }
}

/// Configurations that cannot be used, each with what a message about it has to say.
fn unusable() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let brittle = |settings: Value| json!({"id": "b", "use": "brittle", "with": settings});
    vec![
        (
            "/extensions/3",
            brittle(json!({"panics": true})),
            vec![
                "brittle, as it was asked for",
                "extension `brittle`",
                "take the instance out",
                "extensions[3]",
            ],
        ),
        (
            "/extensions/3",
            brittle(json!({"panics": false})),
            vec![
                "neither true nor false will do",
                "extension `brittle`",
                "leave the instance out",
                "with.panics",
            ],
        ),
        (
            "/extensions/3",
            brittle(json!({"panic": true})),
            vec!["extensions[3].with.panic", "did you mean `panics`", "extension `brittle`"],
        ),
        (
            "/extensions/3",
            json!({"id": "t", "use": "trouble", "with": {"at": "request", "act": "dance"}}),
            vec!["extensions[3].with.act", "dance", "extension `trouble`"],
        ),
        (
            "/extensions/3",
            json!({"id": "t", "use": "trubble"}),
            vec!["extensions[3].use", "did you mean `trouble`"],
        ),
        (
            "/routes/0/request",
            json!(["nobody"]),
            vec!["routes[0].request[0]", "there is no instance `nobody`", "door"],
        ),
        (
            "/routes/0/request",
            json!(["take", "give"]),
            vec!["routes[0].request[0]", "chaos.token", "`taker`", "put an instance of `giver` before it"],
        ),
    ]
}

async fn gateway() -> (SimulatedProvider, Gateway) {
    let provider = SimulatedProvider::start().await;
    let extensions = json!([
        {"id": "door", "use": "open-door"},
        {"id": "give", "use": "giver"},
        {"id": "take", "use": "taker"},
        {"id": "spare", "use": "giver"},
    ]);
    let gateway = Gateway::in_front_of(&provider)
        .binary(CHAOS)
        .set("/extensions", extensions)
        .set("/authenticate", json!(["door"]))
        .set("/routes/0/request", json!(["give", "take"]))
        .start()
        .await;
    (provider, gateway)
}

#[tokio::test]
async fn extensions_that_cannot_be_used_do_not_start_and_the_message_names_place_extension_and_remedy() {
    let (_provider, mut gateway) = gateway().await;
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200, "a value is handed on");
    for (pointer, value, words) in unusable() {
        let before = gateway.configuration().pointer(pointer).cloned().unwrap();
        gateway.reconfigure(pointer, value);
        // A folder of its own, where no last good configuration can stand in.
        let folder = tempfile::tempdir().unwrap();
        for file in ["gateway.yaml", "provider-key.txt"] {
            fs::copy(gateway.folder().join(file), folder.path().join(file)).unwrap();
        }
        for command in ["check", "explain", "serve"] {
            let ran = run_of(CHAOS, &[command], folder.path()).await;
            assert_eq!((ran.code, ran.output.as_str()), (3, ""), "{command}: {words:?} {ran:?}");
            let is_told =
                |line: &str| line.contains("gateway.yaml:") && words.iter().all(|word| line.contains(word));
            assert!(ran.errors.lines().any(is_told), "{words:?} is not on one line of\n{}", ran.errors);
        }
        gateway.reconfigure(pointer, before);
    }
}

#[tokio::test]
async fn a_gateway_that_is_handed_such_a_configuration_keeps_the_old_one() {
    let (_provider, mut gateway) = gateway().await;
    for (pointer, value, words) in unusable() {
        let before = gateway.configuration().pointer(pointer).cloned().unwrap();
        gateway.reconfigure(pointer, value);
        let reload = Request::new(gateway.admin_address(), Method::POST, "/reload");
        let answer = reload.send().await.whole().await;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 422, "{words:?}: {said}");
        let is_told =
            |line: &str| line.contains("gateway.yaml:") && words.iter().all(|word| line.contains(word));
        assert!(said.lines().any(is_told), "{words:?} is not on one line of\n{said}");
        assert_eq!(gateway.chat(&chat("x")).send().await.status, 200, "{words:?}");
        assert_eq!(gateway.metrics().await.count("gatewright_configuration_generation", &[]), 1, "{words:?}");
        gateway.reconfigure(pointer, before);
    }
}

async fn admin_json(gateway: &Gateway, target: &str) -> Value {
    let answer = gateway.admin(target).send().await.whole().await;
    assert_eq!(answer.status, 200, "{target}: {:?}", answer.body);
    answer.json()
}

#[tokio::test]
async fn the_admin_listener_tells_which_instances_are_in_use_and_why_one_is_not_in_service() {
    let (_provider, mut gateway) = gateway().await;
    gateway.reconfigure("/extensions/2/mode", json!("off"));
    gateway.wait_for_generation(2).await;
    let answer = admin_json(&gateway, "/extensions").await;
    let instances = answer["instances"].as_array().unwrap();
    let ids: Vec<_> = instances.iter().map(|one| one["instance"].as_str().unwrap()).collect();
    assert_eq!(ids, ["door", "give", "provider:simulated", "spare", "take"]);
    let of = |id: &str| instances.iter().find(|one| one["instance"] == id).unwrap();
    assert_eq!((&of("door")["in_service"], &of("door")["mode"]), (&json!(true), &json!("enforce")));
    assert_eq!((&of("take")["in_service"], &of("take")["mode"]), (&json!(false), &json!("off")));
    assert_eq!(of("give")["points"], json!(["request"]));
    assert_eq!(of("give")["package"], json!("gatewright-tests"));

    let failing = json!({"id": "t", "use": "trouble", "with": {"at": "request", "act": "fail"}, "circuit": {"failures": 1, "pause": "10m"}});
    gateway.reconfigure_all([("/extensions/2", failing), ("/routes/0/request", json!(["t"]))]);
    gateway.wait_for_generation(3).await;
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 500);
    let answer = admin_json(&gateway, "/extensions").await;
    let quarantined =
        answer["instances"].as_array().unwrap().iter().find(|one| one["instance"] == "t").unwrap();
    assert_eq!(
        (&quarantined["in_service"], &quarantined["out_of_service"]),
        (&json!(false), &json!("it failed repeatedly"))
    );
}

#[tokio::test]
async fn the_admin_listener_tells_what_limits_have_counted_and_what_is_held() {
    let provider = SimulatedProvider::start().await;
    let rules = json!({"rules": [{"per": ["key"], "requests": 10, "window": "hour", "concurrent": 3}]});
    let gateway =
        Gateway::in_front_of(&provider).extension("ten", "request-limits", &rules, &["limit"]).start().await;
    assert_eq!(gateway.chat(&chat("x")).send().await.status, 200);
    let gate = Gate::new();
    provider.push(Answer::stream([
        Step::event(r#"{"choices":[]}"#),
        Step::Flush,
        Step::WaitFor(gate.clone()),
    ]));
    let stream = gateway.chat(&streamed_chat("x")).send().await;
    let buckets = |answer: &Value| -> Vec<(String, u64, u64)> {
        let figure = |bucket: &Value, name: &str| bucket[name].as_u64().unwrap();
        let tell = |bucket: &Value| {
            (bucket["dimension"].as_str().unwrap().to_owned(), figure(bucket, "used"), figure(bucket, "held"))
        };
        answer["buckets"].as_array().unwrap().iter().map(tell).collect()
    };
    let answer = admin_json(&gateway, "/limits?tenant=acme").await;
    let requests = buckets(&answer).into_iter().find(|(name, ..)| name == "requests").unwrap();
    assert_eq!(requests.1 + requests.2, 2, "one is spent, one is under way: {answer}");
    assert!(buckets(&answer).contains(&("concurrent".to_owned(), 0, 1)), "{answer}");
    let bucket = &answer["buckets"][0];
    assert_eq!((&bucket["tenant"], &bucket["label"]), (&json!("acme"), &json!("ann-key")), "{answer}");
    assert!(bucket["rule"].as_str().unwrap().contains("ten"), "{answer}");

    let first = admin_json(&gateway, "/limits?count=1").await;
    let next = first["next"].as_str().expect("there is another page");
    let second = admin_json(&gateway, &format!("/limits?count=1&after={next}")).await;
    assert_eq!([buckets(&first), buckets(&second)].concat(), buckets(&answer));
    assert_eq!(admin_json(&gateway, "/limits?tenant=other").await["buckets"], json!([]));
    assert_eq!(gateway.admin("/limits?tenannt=acme").send().await.status, 400);
    gate.open();
    drop(stream);
}
