//! The headers of a call that passes through: what of the caller's goes to the provider, and what of the provider's
//! comes back.
//!
//! Outward everything goes but what concerns a connection, who the caller is to the gateway, and where the caller sits.
//! Homeward comes what describes the answer itself, and nothing that tells of the provider's account.

use gatewright::dialect::Direct;
use gatewright_upstream::{Origin, strip_connection_headers};
use http::header::{
    ACCEPT_RANGES, AGE, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED, LOCATION, RETRY_AFTER,
    VARY,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// The headers of an answer that describe it.
const DESCRIBING: [HeaderName; 16] = [
    ACCEPT_RANGES,
    AGE,
    ALLOW,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    RETRY_AFTER,
    VARY,
    HeaderName::from_static("content-digest"),
];

/// Names that stay here.
const OWN: [&str; 12] = [
    "content-length",
    "expect",
    "forwarded",
    "from",
    "host",
    "max-forwards",
    "origin",
    "referer",
    "true-client-ip",
    "upgrade-insecure-requests",
    "via",
    "x-request-id",
];

/// What the names of headers begin with that stay here: those of browsers, of proxies and of the gateway.
const OWN_PREFIXES: [&str; 9] =
    ["cf-", "fly-", "proxy-", "sec-", "x-client-", "x-envoy-", "x-forwarded", "x-gatewright-", "x-real-"];

/// What the names of headers have in them that show who somebody is, by whatever scheme.
const REVEALING: [&str; 12] = [
    "api-key",
    "apikey",
    "auth",
    "cookie",
    "credential",
    "jwt",
    "passw",
    "secret",
    "session",
    "signature",
    "subscription-key",
    "token",
];

/// The caller's headers that go to the provider.
pub(crate) fn outward(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    // A caller must not take away by `Connection` what is added later.
    strip_connection_headers(&mut kept);
    let names: Vec<HeaderName> = kept.keys().filter(|name| stays(name.as_str())).cloned().collect();
    for name in names {
        kept.remove(name);
    }
    kept
}

fn stays(name: &str) -> bool {
    OWN.contains(&name)
        || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || REVEALING.iter().any(|part| name.contains(part))
}

/// The provider's headers that go to the caller.
pub(crate) fn homeward(headers: &HeaderMap, call: &Direct, origin: &Origin) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in &DESCRIBING {
        for value in headers.get_all(name) {
            kept.append(name, value.clone());
        }
    }
    // Of any other answer the framing tells the end, which waits for the record.
    if call.method == Method::HEAD
        && let Some(length) = headers.get(CONTENT_LENGTH)
    {
        kept.insert(CONTENT_LENGTH, length.clone());
    }
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    if let Some(location) = location.and_then(|location| location_of(location, &call.provider, origin)) {
        kept.insert(LOCATION, location);
    }
    kept
}

/// Where a redirect leads a caller, who knows the provider under a path of the gateway. One that leads elsewhere is
/// not told: such places are often signed for whoever has their name.
fn location_of(location: &str, provider: &str, origin: &Origin) -> Option<HeaderValue> {
    let uri: Uri = location.parse().ok()?;
    let is_near = match (uri.scheme_str(), uri.authority()) {
        (None, None) => location.starts_with('/') && !location.starts_with("//"),
        (Some(scheme), Some(authority)) => {
            let there = Origin::parse(&format!("{scheme}://{authority}")).ok()?;
            there.same_origin(origin)
        }
        _ => false,
    };
    let path = uri.path_and_query().map(PathAndQuery::as_str).filter(|_| is_near)?;
    let below = path.strip_prefix(origin.base_path()).filter(|below| below.starts_with('/'))?;
    HeaderValue::try_from(format!("/{}{below}", Direct::model(provider))).ok()
}

#[cfg(test)]
mod tests {
    use gatewright_upstream::Origin;
    use http::HeaderMap;

    use super::{location_of, outward};

    #[test]
    fn a_redirect_below_the_base_url_leads_through_the_gateway_and_any_other_nowhere() {
        let origin = Origin::parse("https://api.example.com/v1").unwrap();
        let table = [
            ("https://api.example.com/v1/files/a?b=1", Some("/passthrough/p/files/a?b=1")),
            ("https://API.example.com:443/v1/x", Some("/passthrough/p/x")),
            ("/v1/x", Some("/passthrough/p/x")),
            ("/v2/x", None),
            ("/v1evil", None),
            ("//evil.example/v1/x", None),
            ("//api.example.com/v1/x", None),
            ("http://api.example.com/v1/x", None),
            ("https://api.example.com:8443/v1/x", None),
            ("https://api.example.com@evil.example/v1/x", None),
            ("https://user@api.example.com/v1/x", None),
            ("https://store.example.com/signed?signature=s", None),
            ("x", None),
            ("", None),
        ];
        for (location, expected) in table {
            let found = location_of(location, "p", &origin);
            assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), expected, "{location}");
        }
    }

    #[test]
    fn what_is_the_callers_own_stays_here() {
        let mut headers = HeaderMap::new();
        let travel =
            ["accept", "accept-encoding", "content-type", "idempotency-key", "range", "vendor-version"];
        let stay = [
            "authorization",
            "cookie",
            "host",
            "x-api-key",
            "x-company-auth",
            "x-goog-api-key",
            "x-vendor-security-token",
            "x-forwarded-for",
            "x-gatewright-strict",
            "x-real-ip",
            "forwarded",
            "te",
            "upgrade",
            "x-named",
        ];
        for name in travel.iter().chain(&stay) {
            headers.insert(*name, "v".parse().unwrap());
        }
        headers.insert("connection", "close, x-named".parse().unwrap());
        let kept = outward(&headers);
        let mut names: Vec<_> = kept.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, travel);
    }
}
