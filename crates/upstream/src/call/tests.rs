use http::header::{AUTHORIZATION, HeaderValue};

use super::*;
use crate::destination::DestinationSettings;
use crate::origin::Origin;

fn origin(url: &str) -> Arc<Origin> {
    Arc::new(Origin::parse(url).unwrap())
}

fn call(headers: &[(&str, &str)]) -> Call {
    let settings = DestinationSettings::new(origin("http://api.example.com:8080/v1"));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Call {
        destination: Arc::new(Destination::new(settings).unwrap()),
        method: Method::POST,
        path: PathAndQuery::from_static("/chat"),
        headers: map,
        body: Bytes::from_static(b"{}").into(),
        deadlines: Deadlines::default(),
        credential: None,
        repeat: Repeat::default(),
    }
}

fn credential(value: &'static str, bound: &str) -> Credential {
    Credential::new(AUTHORIZATION, HeaderValue::from_static(value), origin(bound))
}

#[test]
fn only_end_to_end_headers_go_out() {
    let request = call(&[
        ("host", "evil.example"),
        ("connection", "close, X-Secret-Hop"),
        ("connection", "x-second, not a name"),
        ("x-secret-hop", "1"),
        ("x-second", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic x"),
        ("proxy-authenticate", "Basic"),
        ("te", "trailers"),
        ("trailer", "x-t"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("content-length", "999"),
        ("expect", "100-continue"),
        ("accept", "text/event-stream"),
        ("x-app", "a"),
        ("x-app", "b"),
    ])
    .into_request()
    .unwrap();
    let mut names: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    names.sort();
    assert_eq!(names, ["accept: text/event-stream", "host: api.example.com:8080", "x-app: a", "x-app: b"]);
    assert_eq!(request.uri(), "/v1/chat");
}

#[test]
fn the_credential_replaces_what_the_caller_sent() {
    let mut call = call(&[("authorization", "Bearer caller"), ("authorization", "Bearer again")]);
    call.credential = Some(credential("Bearer provider", "http://api.example.com:8080"));
    let request = call.into_request().unwrap();
    let sent: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
    assert_eq!(sent, ["Bearer provider"]);
}

#[test]
fn a_credential_of_another_origin_is_refused() {
    for bound in ["https://api.example.com:8080", "http://api.example.com", "http://other.example.com:8080"] {
        let mut call = call(&[]);
        call.credential = Some(credential("Bearer provider", bound));
        assert!(matches!(call.into_request(), Err(SendError::CredentialOrigin { .. })), "{bound}");
    }
}

#[test]
fn a_credential_of_several_headers_goes_to_its_origin_only() {
    let signed = [("authorization", "AWS4"), ("x-amz-date", "20261125T000000Z")];
    let signed = signed.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
    let bound = origin("http://api.example.com:8080");
    let credential = Credential::of_headers(HeaderMap::from_iter(signed), bound);
    let mut call = call(&[("x-amz-date", "spoofed")]);
    call.credential = Some(credential.clone());
    let request = call.into_request().unwrap();
    assert_eq!(request.headers()["authorization"], "AWS4");
    assert_eq!(request.headers()["x-amz-date"], "20261125T000000Z");
    assert!(!format!("{request:?} {credential:?}").contains("20261125"));
}

#[test]
fn a_credential_never_shows_in_debug_output() {
    let mut call = call(&[]);
    call.credential = Some(credential("Bearer canary-123", "http://api.example.com:8080"));
    assert!(!format!("{call:?}").contains("canary"));
    let request = call.into_request().unwrap();
    assert!(!format!("{request:?}").contains("canary"));
}

#[test]
fn http2_requests_name_their_origin_in_the_target() {
    let call = call(&[]);
    let destination = Arc::clone(&call.destination);
    let request = into_http2(call.into_request().unwrap(), &destination).unwrap();
    assert_eq!(request.uri(), "http://api.example.com:8080/v1/chat");
    assert!(!request.headers().contains_key(HOST));
}

#[test]
fn an_empty_upload_says_that_it_is_empty() {
    let mut empty = call(&[]);
    empty.body = RequestBody::empty();
    assert_eq!(empty.into_request().unwrap().headers()[CONTENT_LENGTH], "0");
    let mut read = call(&[]);
    (read.method, read.body) = (Method::GET, RequestBody::empty());
    assert!(!read.into_request().unwrap().headers().contains_key(CONTENT_LENGTH));
}
