//! The official client libraries against the real binary, with only the base URL and the key changed.
//!
//! Where a library is not installed the scenario returns early: `cargo xtask test` installs them, and names and counts
//! what it could not install.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gatewright_testkit::harness::{CALLER_KEY, Gateway};
use gatewright_testkit::provider::SimulatedProvider;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::process::Command;

/// The picture that a suite sends to every protocol, as bytes are written there.
const PICTURE: &str = "iVBORw0KGgo=";
const NARROW_KEY: &str = "a-key-for-the-small-model";

/// What the command that runs the tests says about where things are.
pub(crate) fn told(variable: &str) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the ban keeps the gateway's settings in one place; a test is told where the clients are"
    )]
    let value = std::env::var_os(variable);
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn suite(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(language)
}

/// A gateway with a model for each thing that the suites want to happen.
async fn gateway_of_the_suites(provider: &SimulatedProvider) -> Gateway {
    let models = [
        ("small", "sim?tokens=12"),
        ("slow", "sim?tokens=500&rate=20"),
        ("echo", "sim?echo=1"),
        ("tools", "sim?tools=2"),
        ("reasoning", "sim?reasoning=1"),
        ("vectors", "text-embedding-3-small"),
        ("vendor/large", "large"),
        ("breaks", "sim?error_event_after=3"),
        ("busy", "sim?fail_first=2&status=503&retry_after=0"),
        ("broken", "sim"),
        ("once-an-hour", "sim"),
    ];
    let refusals = [400, 401, 422, 429, 500, 503]
        .map(|status| (format!("status-{status}"), format!("sim?status={status}")));
    let models = models.map(|(name, model)| (name.to_owned(), model.to_owned()));
    let kinds = [
        ("echo", "sim?echo=1"),
        ("tools", "sim?tools=2"),
        ("reasoning", "sim?reasoning=1&tokens=8"),
        ("thinking", "sim?reasoning=1&tools=2&tokens=8"),
        ("slow", "sim?tokens=500&rate=20"),
        ("status-400", "sim?status=400"),
        ("status-429", "sim?status=429"),
        ("status-503", "sim?status=503"),
    ];
    let keys = json!([
        {"key": CALLER_KEY, "tenant": "acme", "user": "ann", "tags": {"two-lines": "one\ntwo"}},
        {"key": NARROW_KEY, "tenant": "acme", "models": ["small"]},
    ]);
    let route = |name: &str, matches: Value| json!({"name": name, "match": matches});
    let mut routes = json!([
        route("broken", json!({"path": "/v1/*", "model": "broken"})),
        route("limited", json!({"path": "/v1/*", "model": "once-an-hour"})),
        route("default", json!({"path": "*"})),
    ]);
    routes[0]["request"] = json!(["broken"]);
    routes[1]["limit"] = json!(["once"]);
    let mut builder = Gateway::builder()
        .provider("simulated", provider)
        .set("/listeners/0/limits", json!({"body_bytes_max": "64KiB"}))
        // The library of Converse for Node speaks HTTP/2, also in the clear.
        .set("/listeners/0/http2_cleartext", json!(true))
        .set("/extensions/0/with/keys", keys)
        .extension("broken", "enrich", &json!({"headers": {"x-broken": "{tag.two-lines}"}}), &[])
        .extension(
            "once",
            "request-limits",
            &json!({"rules": [{"per": ["key"], "requests": 1, "window": "hour"}]}),
            &[],
        )
        .set("/routes", routes);
    for (name, model) in models.into_iter().chain(refusals) {
        builder = builder.model(&name, &json!([{"provider": "simulated", "model": model}]));
    }
    for plan in PROVIDERS {
        let name = plan.0;
        builder = builder.set(&format!("/providers/{name}"), provider_plan(&plan, provider));
        for (kind, model) in kinds {
            builder = builder.model(&format!("{kind}@{name}"), &json!([{"provider": name, "model": model}]));
        }
    }
    for (name, provider, model) in VECTORS {
        builder = builder.model(&format!("vectors@{name}"), &json!([{"provider": provider, "model": model}]));
    }
    builder.start().await
}

/// A provider protocol: its name in the suites, its adapter, where the simulated provider speaks it, and settings.
pub(crate) type Protocol = (&'static str, &'static str, &'static str, Option<&'static str>);

/// Each provider protocol.
pub(crate) const PROVIDERS: [Protocol; 7] = [
    ("openai", "openai", "/v1", Some(r#"{"chats": "completions"}"#)),
    ("responses", "openai", "/v1", Some(r#"{"chats": "responses_only"}"#)),
    ("anthropic", "anthropic", "", None),
    ("gemini", "gemini", "/v1beta", None),
    ("bedrock", "bedrock", "", Some(r#"{"region": "eu-central-1"}"#)),
    ("cohere", "cohere", "", None),
    ("ollama", "ollama-native", "", None),
];

/// Models that make vectors: their names in the suites, their providers, and what they are called there.
const VECTORS: [(&str, &str, &str); 4] = [
    ("openai", "openai", "text-embedding-3-small"),
    // Google's library joins the texts of a model that it takes by its name for one of images too.
    ("google", "gemini", "gemini-embedding-001"),
    ("titan", "bedrock", "amazon.titan-embed-text-v2:0"),
    ("cohere", "bedrock", "cohere.embed-v4:0"),
];

/// The configuration of a provider that is the simulated one at its place for a protocol.
pub(crate) fn provider_plan((_, adapter, path, settings): &Protocol, provider: &SimulatedProvider) -> Value {
    let mut plan = json!({
        "use": adapter,
        "base_url": format!("http://{}{path}", provider.address()),
        "api_key": "AKIDEXAMPLE:secret-of-the-provider",
        "allow_private": true,
    });
    if let Some(settings) = settings {
        plan["with"] = serde_json::from_str(settings).unwrap();
    }
    plan
}

/// Runs a suite and checks what only the other ends of its requests can know.
async fn run_suite(mut command: Command) -> SimulatedProvider {
    let provider = SimulatedProvider::start().await;
    let gateway = gateway_of_the_suites(&provider).await;
    let ids = gateway.folder().join("ids.txt");
    fs::write(&ids, "").unwrap();
    command
        .env("GATEWRIGHT_BASE_URL", gateway.base_url())
        .env("GATEWRIGHT_KEY", CALLER_KEY)
        .env("GATEWRIGHT_NARROW_KEY", NARROW_KEY)
        .env("GATEWRIGHT_IDS", &ids)
        // A library must not find another way than the one that it is told.
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the suite failed with {}:\n{said}", output.status);

    let ids = fs::read_to_string(ids).unwrap();
    let ids: HashSet<&str> = ids.lines().collect();
    assert!(ids.len() > 10, "{ids:?}");
    let logged: HashSet<String> =
        gateway.access_lines().iter().filter_map(|line| line["id"].as_str().map(str::to_owned)).collect();
    let missing: Vec<_> = ids.iter().filter(|id| !logged.contains(**id)).collect();
    assert!(missing.is_empty(), "what the library calls the request id is in the log: {missing:?}");

    let requests = provider.requests();
    let option = json!({"deep": [1, null, "ü"]});
    assert!(
        requests.iter().any(|request| request.json()["x_vendor_option"] == option),
        "unknown fields arrive"
    );
    let leaked = requests.iter().any(|request| format!("{:?}", request.headers).contains(CALLER_KEY));
    assert!(!leaked, "the caller's key stays here");
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    provider
}

#[tokio::test]
async fn the_python_client_library_works_with_only_base_url_and_key_changed() {
    let Some(python) = told("GATEWRIGHT_PYTHON") else {
        println!("skipped: GATEWRIGHT_PYTHON does not say where the library is; `cargo xtask test` does");
        return;
    };
    let mut command = Command::new(python);
    command
        .args(["-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", "."])
        .current_dir(suite("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    run_suite(command).await;
}

#[tokio::test]
async fn a_library_that_sends_its_key_over_tls_only_does_so() {
    let Some(python) = told("GATEWRIGHT_PYTHON") else {
        println!("skipped: GATEWRIGHT_PYTHON does not say where the library is; `cargo xtask test` does");
        return;
    };
    let provider = SimulatedProvider::start().await;
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let gateway = Gateway::in_front_of(&provider)
        .set("/routes/0/match/path", json!("*"))
        .model("echo", &json!([{"provider": "simulated", "model": "sim?echo=1"}]))
        .file("cert.pem", certificate.pem())
        .file("key.pem", key.serialize_pem())
        .set("/listeners/0/tls", json!({"certificate": "cert.pem", "key": "key.pem"}))
        .start()
        .await;
    let mut command = Command::new(python);
    command
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_tls.py"])
        .current_dir(suite("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GATEWRIGHT_TLS_URL", format!("https://{}", gateway.address()))
        .env("GATEWRIGHT_TLS_ROOT", gateway.folder().join("cert.pem"))
        .env("GATEWRIGHT_KEY", CALLER_KEY)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn the_node_client_library_works_with_only_base_url_and_key_changed() {
    let Some(modules) = told("GATEWRIGHT_NODE_MODULES") else {
        println!(
            "skipped: GATEWRIGHT_NODE_MODULES does not say where the library is; `cargo xtask test` does"
        );
        return;
    };
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=spec"])
        .args(
            ["chat", "others", "uploads", "stored", "realtime", "errors", "matrix", "ai"]
                .map(|name| format!("{name}.test.mjs")),
        )
        .current_dir(suite("node"))
        .env("GATEWRIGHT_NODE_MODULES", modules);
    let provider = run_suite(command).await;
    let requests = provider.requests();
    let with_picture =
        requests.iter().filter(|request| String::from_utf8_lossy(&request.body).contains(PICTURE));
    let protocols: HashSet<&str> = with_picture.map(|request| protocol_at(request.uri.path())).collect();
    for protocol in ["completions", "responses", "messages", "generateContent", "converse"] {
        assert!(protocols.contains(protocol), "a picture arrives in each protocol: {protocols:?}");
    }
}

/// The protocol of a request, by the end of its path.
fn protocol_at(path: &str) -> &str {
    path.rsplit(['/', ':']).next().unwrap_or(path)
}
