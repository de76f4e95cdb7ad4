use super::*;

fn check(url: &str, shown: &str) {
    assert_eq!(Origin::parse(url).map(|origin| origin.to_string()).as_deref(), Ok(shown), "{url}");
}

fn refused(url: &str) -> OriginError {
    Origin::parse(url).expect_err(url)
}

#[test]
fn reads_scheme_host_port_and_base_path() {
    check("https://api.example.com/v1", "https://api.example.com/v1");
    check("https://api.example.com/v1///", "https://api.example.com/v1");
    check("HTTPS://API.Example.COM", "https://api.example.com");
    check("https://api.example.com:443/", "https://api.example.com");
    check("http://api.example.com:443", "http://api.example.com:443");
    check("http://10.1.2.3:8080/a/b", "http://10.1.2.3:8080/a/b");
    check("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080");
    check("http://my_service-1/openai", "http://my_service-1/openai");
    check("https://xn--bcher-kva.example", "https://xn--bcher-kva.example");
}

#[test]
fn says_what_is_wrong() {
    assert_eq!(refused(""), OriginError::Length);
    assert_eq!(refused(&format!("https://e.com/{}", "a".repeat(2048))), OriginError::Length);
    assert_eq!(refused("api.example.com/v1"), OriginError::SchemeMissing);
    assert_eq!(refused("//api.example.com"), OriginError::SchemeMissing);
    assert_eq!(refused("ftp://api.example.com"), OriginError::Scheme("ftp".into()));
    assert_eq!(refused("file:///etc/passwd"), OriginError::Scheme("file".into()));
    assert_eq!(refused("unix:///run/a.sock"), OriginError::Scheme("unix".into()));
    assert_eq!(refused("https://user@example.com"), OriginError::UserInfo);
    assert_eq!(refused("https://user:secret@example.com/v1"), OriginError::UserInfo);
    assert_eq!(refused("https://good.com:443@evil.com"), OriginError::UserInfo);
    assert_eq!(refused("https://example.com/v1?x=1"), OriginError::Query);
    assert_eq!(refused("https://example.com#v1"), OriginError::Fragment);
    assert_eq!(refused("https://evil.com#@good.com"), OriginError::Fragment);
    assert_eq!(refused("https://"), OriginError::HostMissing);
    assert_eq!(refused("https:///v1"), OriginError::HostMissing);
    assert_eq!(refused("https://:443"), OriginError::HostMissing);
}

#[test]
fn refuses_characters_that_parsers_read_differently() {
    for url in [
        "https://example.com\r\nx: y",
        "https://example.com\t",
        " https://example.com",
        "https://example.com/a b",
        "https://example.com\\@evil.com",
        "https://example.com/\u{7f}",
        "https://exämple.com",
        "https://example\u{3002}com",
        "https://①②⑦.example",
        "https://example.com\0",
    ] {
        assert!(matches!(refused(url), OriginError::Character(_)), "{url:?}");
    }
}

#[test]
fn refuses_hosts_that_are_no_names() {
    for host in [
        "a..b",
        ".example.com",
        "example.com.",
        "-a.com",
        "a-.com",
        "exa%6dple.com",
        "a,b.com",
        "a*b",
        "<x>",
        "a;b",
        "a|b",
        "127.0.0.1%00.example.com",
    ] {
        assert!(matches!(refused(&format!("https://{host}/")), OriginError::Host(_)), "{host}");
    }
    let label = "a".repeat(64);
    assert!(matches!(refused(&format!("https://{label}.com")), OriginError::Host(_)));
    let long = "abcdefg.".repeat(32) + "com";
    assert!(matches!(refused(&format!("https://{long}")), OriginError::Host(_)));
}

#[test]
fn refuses_addresses_in_unusual_spelling() {
    for host in [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.01",
        "0x7f.0x0.0x0.0x1",
        "256.1.1.1",
        "1.2.3.4.5",
        "0x",
        "169.254.43518",
        "localhost.0x1",
    ] {
        assert!(matches!(refused(&format!("http://{host}/")), OriginError::NumericHost(_)), "{host}");
    }
    for host in ["[::1", "[::1%25eth0]", "[fe80::1%eth0]", "[127.0.0.1]", "[]", "[::g]", "[v1.x]"] {
        assert!(matches!(refused(&format!("http://{host}/")), OriginError::Ipv6(_)), "{host}");
    }
    assert!(matches!(refused("http://[::1]x/"), OriginError::Host(_)));
}

#[test]
fn refuses_ports_and_paths_that_are_none() {
    for port in ["", "0", "65536", "+1", "-1", "8a", "80:80", "99999999999"] {
        assert!(matches!(refused(&format!("http://a.com:{port}/")), OriginError::Port(_)), "{port}");
    }
    for path in ["/..", "/a/../b", "/./a", "/%2e%2E/a", "/.%2e", "/a//b", "/\u{22}<>"] {
        assert!(matches!(refused(&format!("http://a.com{path}")), OriginError::Path(_)), "{path}");
    }
}

#[test]
fn compares_origins_without_their_paths() {
    let parse = |url| Origin::parse(url).unwrap();
    let origin = parse("https://api.example.com/v1");
    assert!(origin.same_origin(&parse("https://API.example.com:443/v2")));
    for other in
        ["http://api.example.com/v1", "https://api.example.com:444/v1", "https://api.example.com.evil.com/v1"]
    {
        assert!(!origin.same_origin(&parse(other)), "{other}");
    }
}

#[test]
fn joins_base_path_and_call_path() {
    let check = |base: &str, path: &str, joined: &str| {
        let path = path.parse().unwrap();
        assert_eq!(Origin::parse(base).unwrap().join(&path).unwrap().as_str(), joined);
    };
    check("https://e.com", "/chat", "/chat");
    check("https://e.com/v1/", "/chat?x=%20", "/v1/chat?x=%20");
    check("https://e.com/v1", "?x=1", "/v1/?x=1");
}
