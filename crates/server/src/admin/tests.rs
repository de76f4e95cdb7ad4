//! The admin listener over real sockets.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Admin, AdminState, BucketReport, InstanceReport, LimitsQuestion, LimitsReport, Pulse, Readiness,
};
use crate::drain::{Drain, Phase};
use crate::testing::{exchange, quick_drain, serve};

/// A process with a drain and a configuration that can be reloaded once.
struct Process {
    drain: Drain,
    reloads: parking_lot::Mutex<Vec<Result<String, String>>>,
}

impl AdminState for Process {
    async fn readiness(&self) -> Readiness {
        let readiness = Readiness::default().with("configuration");
        match self.drain.phase() {
            Phase::Serving => readiness.with("serving"),
            _ => readiness.without("serving", "the process is \"draining\""),
        }
    }

    fn metrics(&self) -> String {
        "# TYPE x counter\nx_total 1\n# EOF\n".to_owned()
    }

    fn limits(&self, question: &LimitsQuestion) -> Result<LimitsReport, String> {
        let bucket = BucketReport {
            tenant: question.tenant.clone().ok_or("whose?")?,
            rule: "per-key".to_owned(),
            label: "ann".to_owned(),
            dimension: "requests",
            window: Some(Duration::from_secs(60)),
            used: 3,
            held: 1,
            clears: Duration::from_millis(1500),
        };
        Ok(LimitsReport { buckets: vec![bucket], next: Some("7f".to_owned()) })
    }

    async fn extensions(&self) -> Vec<InstanceReport> {
        vec![InstanceReport {
            instance: "m".to_owned(),
            extension: "mask".to_owned(),
            package: "gatewright-ext-mask",
            version: "0.1.0",
            points: vec!["request", "response"],
            mode: "enforce",
            out_of_service: Some("it failed repeatedly".to_owned()),
            source: None,
            digest: Some("sha256:00".to_owned()),
        }]
    }

    async fn reload(&self) -> Result<String, String> {
        self.reloads.lock().pop().expect("the test prepared an outcome")
    }
}

fn start(reloads: Vec<Result<String, String>>, pulse: Pulse) -> (std::net::SocketAddr, Drain) {
    let drain = quick_drain();
    let process = Process { drain: drain.clone(), reloads: parking_lot::Mutex::new(reloads) };
    // The admin listener outlives the drain that it reports on, so it has one of its own.
    (serve(Admin::options(), &quick_drain(), Admin::new(Arc::new(process), pulse)), drain)
}

fn healthy() -> Pulse {
    Pulse::new(0, Duration::from_secs(10))
}

async fn request(address: std::net::SocketAddr, line: &str, headers: &str) -> (String, String) {
    let raw = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    let answer = exchange(address, raw.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn readiness_turns_false_with_the_reason_as_soon_as_a_drain_begins() {
    let (address, drain) = start(vec![], healthy());
    let (head, body) = request(address, "GET /readyz", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(body.starts_with(r#"{"ready":true,"#), "{body}");

    drain.begin();
    let (head, body) = request(address, "GET /readyz", "").await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(
        body.trim_end(),
        r#"{"ready":false,"conditions":[{"name":"configuration","ready":true},{"name":"serving","ready":false,"reason":"the process is \"draining\""}]}"#
    );
}

#[tokio::test]
async fn is_alive_while_all_workers_beat() {
    let (address, _drain) = start(vec![], healthy());
    assert!(request(address, "GET /livez", "").await.0.starts_with("HTTP/1.1 200 "));

    let (address, _drain) = start(vec![], Pulse::new(1, Duration::ZERO));
    let silent = async {
        while request(address, "GET /livez", "").await.0.starts_with("HTTP/1.1 200 ") {}
        request(address, "GET /livez", "").await
    };
    let (head, body) = crate::testing::soon(silent).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(body, "these workers make no progress: [0]\n");
}

#[tokio::test]
async fn serves_metrics_in_the_format_that_prometheus_asks_for() {
    let (address, _drain) = start(vec![], healthy());
    let (head, body) = request(address, "GET /metrics", "").await;
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    assert!(body.contains("x_total 1\n"), "{body}");
}

#[tokio::test]
async fn a_reload_tells_the_operator_what_came_of_it() {
    let (address, _drain) =
        start(vec![Err("line 3: no such key".into()), Ok("2 routes changed".into())], healthy());
    let (head, body) = request(address, "POST /reload", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, "2 routes changed\n");
    let (head, body) = request(address, "POST /reload", "").await;
    assert!(head.starts_with("HTTP/1.1 422 "), "{head}");
    assert_eq!(body, "line 3: no such key\n");
}

#[tokio::test]
async fn neither_a_link_nor_a_web_page_can_reload() {
    let (address, _drain) = start(vec![], healthy());
    for (line, headers, status) in [
        ("GET /reload", "", "405"),
        ("POST /reload", "Origin: http://evil.example\r\n", "403"),
        ("POST /reload", "Sec-Fetch-Site: cross-site\r\n", "403"),
    ] {
        let (head, _) = request(address, line, headers).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{line} {headers}: {head}");
    }
}

#[tokio::test]
async fn limits_and_extensions_are_told_as_json_and_a_wrong_question_is_refused() {
    let (address, _drain) = start(vec![], healthy());
    let (head, body) = request(address, "GET /limits?tenant=acme", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let bucket = r#"{"tenant":"acme","rule":"per-key","label":"ann","dimension":"requests","window_seconds":60.0,"used":3,"held":1,"clears_in_seconds":1.5}"#;
    assert_eq!(body.trim_end(), format!(r#"{{"buckets":[{bucket}],"next":"7f"}}"#));

    for (line, told) in [("GET /limits", "whose?"), ("GET /limits?tenannt=acme", "tenant, rule")] {
        let (head, body) = request(address, line, "").await;
        assert!(head.starts_with("HTTP/1.1 400 ") && body.contains(told), "{head} {body}");
    }

    let (head, body) = request(address, "GET /extensions", "").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let instance = r#"{"instance":"m","extension":"mask","package":"gatewright-ext-mask","version":"0.1.0","points":["request","response"],"mode":"enforce","in_service":false,"out_of_service":"it failed repeatedly","source":null,"digest":"sha256:00"}"#;
    assert_eq!(body.trim_end(), format!(r#"{{"instances":[{instance}]}}"#));
}
