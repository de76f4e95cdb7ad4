use http::Method;

use super::address;

/// What a target of a request goes out as, or the code of its refusal.
fn target(given: &str) -> Result<String, String> {
    let (path, query) = match given.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (given, None),
    };
    match address(&Method::GET, path, query) {
        Ok(address) => {
            let direct = address.direct.unwrap();
            assert_eq!(&*direct.provider, "p", "{given}");
            Ok(direct.path.into())
        }
        Err(failure) => Err(failure.code.map_or_else(|| format!("{:?}", failure.kind), Into::into)),
    }
}

#[test]
fn what_stands_behind_the_provider_goes_out_in_canonical_form() {
    let table = [
        ("/passthrough/p/", "/"),
        ("/passthrough/p/files", "/files"),
        ("/passthrough/p/files/", "/files/"),
        ("/passthrough/p/files?limit=2&after=a%20b", "/files?limit=2&after=a%20b"),
        ("/passthrough/p/models/x:generate", "/models/x:generate"),
        ("/passthrough/p/%66iles/a%2db", "/files/a-b"),
        ("/passthrough/p/model/arn%3aaws%3Ax%2fy/invoke", "/model/arn%3Aaws%3Ax%2Fy/invoke"),
        ("/passthrough/p/a%20b/%C3%A9", "/a%20b/%C3%A9"),
        ("/passthrough/p/a..b/...c/.d", "/a..b/...c/.d"),
        ("/passthrough/p/a@b/c;d=1/(e)", "/a@b/c;d=1/(e)"),
        ("/passthrough/p/100%25", "/100%25"),
        ("/passthrough/p/x?url=http://a/../b", "/x?url=http://a/../b"),
        // A key of the gateway stays here.
        ("/passthrough/p/x?key=secret", "/x"),
        ("/passthrough/p/x?a=1&%6bey=secret&b", "/x?a=1&b"),
        ("/passthrough/p/x?KEY=secret&keys=2", "/x?keys=2"),
        ("/passthrough/p/x?", "/x"),
        // The letters of a URL are nothing but letters behind the provider's origin.
        ("/passthrough/p/@evil.example", "/@evil.example"),
        ("/passthrough/p/evil.example:80", "/evil.example:80"),
        ("/passthrough/p/http:", "/http:"),
        ("/passthrough/p/http%3A%2F%2Fevil.example", "/http%3A%2F%2Fevil.example"),
        ("/passthrough/p/169.254.169.254/latest", "/169.254.169.254/latest"),
        ("/passthrough/p/[::1]/x", "/%5B::1%5D/x"),
        ("/passthrough/p/x#y", "/x%23y"),
    ];
    for (given, expected) in table {
        assert_eq!(target(given), Ok(expected.to_owned()), "{given}");
    }
}

/// Forms in which a path leaves its place at one server or another.
const STEPS: [&str; 51] = [
    "..",
    "../x",
    "a/../b",
    "a/..",
    ".",
    "./x",
    "a/./b",
    "...",
    "%2e%2e",
    "%2E%2E/x",
    ".%2e/x",
    "%2e./x",
    "%2e/x",
    "..%2fx",
    "..%2Fx",
    "a%2f..%2fb",
    "a%2f%2e%2e%2fb",
    "%2f..",
    "..;/x",
    "..;a=b/x",
    "..%3b/x",
    "..%3Ba/x",
    "..%20/x",
    "%20../x",
    "..%5cx",
    "..\\x",
    "a\\..\\b",
    "a%5c..%5cb",
    "%5cevil.example",
    "%252e%252e/x",
    "%252e%252e%252fx",
    "..%252fx",
    "%25252e",
    "%25%32%65",
    "%c0%ae%c0%ae/x",
    "%c0%af",
    "%e0%80%ae",
    "%fe",
    "%EF%BC%8E%EF%BC%8E/x",
    "a%EF%BC%8Fb",
    "a%E2%88%95b",
    "%E2%80%A4%E2%80%A4",
    "//x",
    "/x",
    "a//b",
    "//evil.example/x",
    "http://evil.example/x",
    "a%00b",
    "a%0d%0aHost:%20evil.example",
    "a%09b",
    "a%7fb",
];

#[test]
fn no_form_of_a_step_or_of_another_place_goes_out() {
    for form in STEPS {
        assert_eq!(target(&format!("/passthrough/p/{form}")), Err("invalid_path".to_owned()), "{form}");
    }
    for form in ["%", "%2", "%zz", "a%2/b", "%u002e%u002e", "x%"] {
        assert_eq!(target(&format!("/passthrough/p/{form}")), Err("invalid_path".to_owned()), "{form}");
    }
}

#[test]
fn what_goes_out_would_go_out_as_it_is() {
    for form in ["a%2db", "%41%2F%62", "a%25b", "(x)%3A", "%C3%A9", "a;b=%3d"] {
        let once = target(&format!("/passthrough/p/{form}")).unwrap();
        assert_eq!(target(&format!("/passthrough/p{once}")).unwrap(), once, "{form}");
    }
}

#[test]
fn a_path_without_a_provider_and_a_method_for_the_gateway_itself_are_refused() {
    for path in ["/passthrough/", "/passthrough//x", "/passthrough/p"] {
        assert_eq!(target(path), Err("NotFound".to_owned()), "{path}");
    }
    for method in [Method::CONNECT, Method::TRACE] {
        assert!(address(&method, "/passthrough/p/x", None).is_err(), "{method}");
    }
    let long = format!("/passthrough/p/{}", "a".repeat(9_000));
    assert_eq!(target(&long), Err("invalid_path".to_owned()));
}
