//! Signatures of version 4, for calls with their body at hand.

use std::time::Duration;

use gatewright::bytes::Bytes;
use gatewright::http::Method;

use super::*;

const KEY: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2015-08-30 12:36:00, the moment of the published vectors.
const MOMENT: u64 = 1_440_938_160;

struct Vector {
    method: Method,
    authority: &'static str,
    path: &'static str,
    content_type: Option<&'static str>,
    body: &'static [u8],
    key: String,
    scope: Scope<'static>,
}

fn vector(method: Method, path: &'static str) -> Vector {
    Vector {
        method,
        authority: "example.amazonaws.com",
        path,
        content_type: None,
        body: b"",
        key: KEY.to_owned(),
        scope: Scope { region: "us-east-1", service: "service" },
    }
}

fn signed(vector: &Vector) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("application/json"));
    if let Some(kind) = vector.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let call = UnsignedCall {
        method: &vector.method,
        authority: vector.authority,
        path: vector.path,
        headers: &headers,
        body: &Bytes::from_static(vector.body),
        time: UNIX_EPOCH + Duration::from_secs(MOMENT),
    };
    sign(&Keys::parse(&vector.key).unwrap(), &vector.scope, &call).unwrap()
}

#[track_caller]
fn check(vector: &Vector, names: &str, signature: &str) {
    let headers = signed(vector);
    let authorization = headers[AUTHORIZATION].to_str().unwrap();
    let Scope { region, service } = vector.scope;
    let expected = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/{region}/{service}/aws4_request, \
         SignedHeaders={names}, Signature={signature}"
    );
    assert_eq!(authorization, expected);
    assert_eq!(headers[DATE], "20150830T123600Z");
}

#[test]
fn signs_the_vectors_of_the_published_suite() {
    check(
        &vector(Method::GET, "/"),
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    );
    check(
        &vector(Method::POST, "/"),
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    );
    check(
        &vector(Method::GET, "/?Param2=value2&Param1=value1"),
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    );
}

fn converse(path: &'static str, body: &'static [u8]) -> Vector {
    Vector {
        authority: "bedrock-runtime.eu-west-1.amazonaws.com",
        content_type: Some("application/json"),
        body,
        scope: Scope { region: "eu-west-1", service: "bedrock" },
        ..vector(Method::POST, path)
    }
}

/// The signatures that the official Python library makes for the same calls.
#[test]
fn signs_encoded_paths_and_tokens_as_the_official_library_does() {
    check(
        &converse("/model/eu.anthropic.claude-3%3A0/converse", br#"{"messages":[]}"#),
        "content-type;host;x-amz-date",
        "cda73b6e5d2f96ff44c55914b46dfdb7ada272e0c62fb22a544a654f877e8b74",
    );
    let path =
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Fx/converse-stream";
    let lent = Vector { key: format!("{KEY}:tok/en+=="), ..converse(path, "{\"a\":\"ü\"}".as_bytes()) };
    check(
        &lent,
        "content-type;host;x-amz-date;x-amz-security-token",
        "89164a318260ecfe25b62864856fde329b2e0a66f9021a0edc3f5cf6a3c391ca",
    );
    assert_eq!(signed(&lent)[TOKEN], "tok/en+==");
}

#[test]
fn every_header_of_a_signature_is_sensitive() {
    let headers = signed(&vector(Method::GET, "/"));
    assert!(headers.values().all(HeaderValue::is_sensitive));
}

#[test]
fn a_key_is_a_pair_or_a_triple() {
    let parts = |text| Keys::parse(text).map(|keys| (keys.id, keys.secret, keys.token));
    assert_eq!(parts("a:b"), Some(("a", "b", None)));
    assert_eq!(parts("a:b:\n"), Some(("a", "b", None)));
    assert_eq!(parts(" a:b:c:d\n"), Some(("a", "b", Some("c:d"))));
    for text in ["", "a", "a:", ":b", "::"] {
        assert_eq!(parts(text), None, "{text}");
    }
}

#[test]
fn days_have_their_dates() {
    for (number, expected) in [
        (0, (1970, 1, 1)),
        (59, (1970, 3, 1)),
        (11_016, (2000, 2, 29)),
        (16_677, (2015, 8, 30)),
        (19_782, (2024, 2, 29)),
        (19_783, (2024, 3, 1)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
    ] {
        assert_eq!(date(number), expected, "{number}");
        assert_eq!(days(expected.0, expected.1, expected.2), number);
    }
}
