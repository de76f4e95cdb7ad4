//! Authenticators: strangers write the heads that they read.

use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use gatewright::{AuthVerdict, Authenticator, Extension, RequestHead};

use super::suite::{Suite, run};

/// Names of headers under which credentials come.
const NAMES: [&str; 7] = [
    "authorization",
    "x-api-key",
    "api-key",
    "cookie",
    "x-forwarded-for",
    "proxy-authorization",
    "x-goog-api-key",
];

/// A verdict on every head, however hostile: none at all, long ones, bytes that are no text, many of one name. A
/// rejection is 401 or 403, and a head without any credential is never an error.
///
/// # Panics
/// If that does not hold.
pub fn authenticator<E: Extension + Authenticator>(suite: &Suite<E>) {
    run(async {
        let bed = suite.bed();
        let authenticator = suite.instance(&bed).await;
        for (what, headers) in heads() {
            for target in ["/v1/chat/completions", "/", "/v1/models/a%2e%2e%2f?key=1&key=2", "*"] {
                let uri: Uri = target.parse().expect("the targets of the corpus are targets");
                let head = RequestHead {
                    method: &Method::POST,
                    uri: &uri,
                    headers: &headers,
                    peer: ([203, 0, 113, 9], 1).into(),
                    tls: false,
                };
                judge::<E>(&what, authenticator.authenticate(&head).await);
            }
        }
    });
}

fn judge<E: Extension>(what: &str, verdict: gatewright::HookResult<AuthVerdict>) {
    match verdict {
        Ok(AuthVerdict::Abstain) => {}
        Ok(AuthVerdict::Accept(principal)) => {
            assert!(!principal.tenant.as_str().is_empty(), "`{}` accepts {what} without a tenant", E::NAME);
            assert!(!principal.key_label.is_empty(), "`{}` accepts {what} without a label", E::NAME);
        }
        Ok(AuthVerdict::Reject(denial)) => {
            let status = denial.status.as_u16();
            assert!(status >= 400, "`{}` rejects {what} with {status}", E::NAME);
        }
        Err(error) => panic!("`{}` fails on {what}, where it has to judge: {error}", E::NAME),
    }
}

fn heads() -> Vec<(String, HeaderMap)> {
    let mut heads = vec![("a head without headers".to_owned(), HeaderMap::new())];
    let long = vec![b'a'; 64 * 1024];
    let values: [(&str, &[u8]); 13] = [
        ("nothing", b""),
        ("a scheme alone", b"Bearer"),
        ("a scheme and a space", b"Bearer "),
        ("spaces", b"Bearer    "),
        ("a token", b"Bearer token"),
        ("a token in odd letters", b"bEaReR  token "),
        ("another scheme", b"Basic dXNlcjpwYXNz"),
        ("bytes that are no text", b"Bearer \xff\xfe\x80"),
        ("a token of parts", b"Bearer eyJhbGciOiJub25lIn0..a.b.c.d"),
        ("a token of dots", b"Bearer ..."),
        ("a list", b"Bearer a, Bearer b"),
        ("a pair", b"key=\"va\"lue\"; key2"),
        ("a long one", &long),
    ];
    for name in NAMES {
        for (what, value) in values {
            let value = HeaderValue::from_bytes(value).expect("the values of the corpus can be sent");
            heads.push((
                format!("`{name}` with {what}"),
                HeaderMap::from_iter([(HeaderName::from_static(name), value)]),
            ));
        }
        let mut many = HeaderMap::new();
        for turn in 0..100_u32 {
            many.append(name, HeaderValue::from(turn));
        }
        heads.push((format!("`{name}` a hundred times"), many));
    }
    heads
}
