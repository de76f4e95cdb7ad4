//! The corpus of odd requests: against a listener, and cut at every byte.

mod corpus;
mod cut;

use self::corpus::CASES;
use super::{Framing, Scan, Violation};
use crate::listener::ListenerOptions;
use crate::testing::{echo, exchange, quick_drain, serve};

/// What follows each case on the same connection, and must be served if and only if the case was.
const SECOND: &[u8] = b"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn refuses_what_is_odd_and_serves_nothing_after_it() {
    let drain = quick_drain();
    for case in CASES {
        let (application, asked) = echo();
        let address = serve(ListenerOptions::new("test"), &drain, application);
        let answer = exchange(address, &[case.raw, SECOND].concat()).await;
        let second = asked.lock().iter().filter(|line| line.starts_with("GET /second")).count();
        if let Some(violation) = case.refused {
            assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{}: {answer}", case.name);
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{}: {answer}", case.name);
            assert!(answer.ends_with(&body_of(violation)), "{}: {answer}", case.name);
            assert_eq!(asked.lock().len(), 0, "{}: {:?}", case.name, asked.lock());
        } else {
            assert_eq!(asked.lock().len(), 2, "{}: {answer}", case.name);
            assert_eq!(second, 1, "{}: {answer}", case.name);
        }
    }
}

/// A body's violation is worded by whoever reads the body, here the echo application.
fn body_of(violation: Violation) -> String {
    let of_body = [Violation::ChunkSize, Violation::ChunkExtension, Violation::ChunkEnd, Violation::Trailer];
    if of_body.contains(&violation) { violation.to_string() } else { String::new() }
}

#[tokio::test]
async fn names_the_offence_in_a_json_error() {
    let (application, _asked) = echo();
    let address = serve(ListenerOptions::new("test"), &quick_drain(), application);
    let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(
        body,
        r#"{"error":{"message":"Host is repeated","type":"invalid_request_error","param":null,"code":"malformed_http"}}"#
    );
}

#[tokio::test]
async fn answers_the_requests_before_the_refused_one_first() {
    let (application, asked) = echo();
    let address = serve(ListenerOptions::new("test"), &quick_drain(), application);
    let raw =
        b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\nHost: a\n\n";
    let answer = exchange(address, raw).await;
    assert_eq!(*asked.lock(), ["GET /1 ", "GET /2 "]);
    let statuses: Vec<&str> =
        answer.split("HTTP/1.1 ").filter(|part| !part.is_empty()).filter_map(|part| part.get(..3)).collect();
    assert_eq!(statuses, ["200", "200", "400"], "{answer}");
}

#[tokio::test]
async fn refuses_heads_that_are_too_large_or_have_too_many_fields() {
    let mut options = ListenerOptions::new("test");
    options.limits.header_bytes_max = 300;
    options.limits.headers_max = 5;
    let (application, asked) = echo();
    let address = serve(options, &quick_drain(), application);
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(300));
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(300));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(5));
    for raw in [large, endless, many] {
        let answer = exchange(address, raw.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{raw}: {answer}");
        assert!(answer.contains(r#""code":"headers_too_large""#), "{answer}");
    }
    let enough = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(3));
    let answer = exchange(address, &[enough.as_bytes(), SECOND].concat()).await;
    assert_eq!(asked.lock().len(), 2, "{answer}");
}

/// What a connection's bytes come to: those that may pass, and why the rest may not.
fn verdict<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Option<(bool, Violation)>) {
    let mut framing = Framing::new(64 * 1024, 100);
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        let scan = framing.scan(&held);
        let count = match scan {
            Scan::Pass => held.len(),
            Scan::Hold { from } | Scan::RefuseHead { from, .. } | Scan::RefuseBody { from, .. } => from,
        };
        passed.extend(held.drain(..count));
        match scan {
            Scan::Pass | Scan::Hold { .. } => {}
            Scan::RefuseHead { violation, .. } => return (passed, Some((true, violation))),
            Scan::RefuseBody { violation, .. } => return (passed, Some((false, violation))),
        }
    }
    (passed, None)
}

#[test]
fn comes_to_the_same_verdict_however_the_bytes_are_cut() {
    for case in CASES {
        let bytes = [case.raw, SECOND].concat();
        let whole = verdict([bytes.as_slice()]);
        assert_eq!(whole.1.map(|(_, violation)| violation), case.refused, "{}", case.name);
        if case.refused.is_none() {
            assert_eq!(whole.0, bytes, "{}", case.name);
        }
        for cut in 1..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(verdict([left, right]), whole, "{} cut at {cut}", case.name);
        }
        assert_eq!(verdict(bytes.chunks(1)), whole, "{} in single bytes", case.name);
    }
}
