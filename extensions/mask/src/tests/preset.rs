//! The ready-made patterns, one by one: what they take and what they leave.

use gatewright::Lane;
use gatewright_testkit::split;
use serde_json::json;

use super::{answer, mask, session};

/// What becomes of each text under one preset; `None` is left as it is.
async fn check(preset: &str, cases: &[(&str, Option<&str>)]) {
    let mask = mask(json!({"presets": [preset]})).await;
    for (text, expected) in cases {
        assert_eq!(answer(&mask, text), expected.unwrap_or(text), "{preset}");
    }
}

#[tokio::test]
async fn phone_numbers() {
    let cases = [
        ("call +14155550132 now", Some("call [phone] now")),
        ("+1 (415) 555-0132.", Some("[phone].")),
        ("+49 30 1234567, +44 20 7946 0958", Some("[phone], [phone]")),
        ("(415) 555-0132 or 415-555-0132 or 1-415-555-0132", Some("[phone] or [phone] or [phone]")),
        ("415.555.0132", Some("[phone]")),
        ("030 1234567, 030/123 45 67, (030) 1234567", Some("[phone], [phone], [phone]")),
        ("06 12 34 56 78; 020 7946 0958", Some("[phone]; [phone]")),
        // Other numbers.
        ("on 01.02.2024 10:30", None),
        ("on 01.02.2024 10 people", None),
        ("01-02-2024 10 30", None),
        ("version 1.2.3456, 100-200-3000", None),
        ("order 4155550132", None),
        ("+1 and +12345", None),
        ("+1234567890123456789", None),
        ("0123456789", None),
        ("pi is 3.141 592 653 589", None),
    ];
    check("phone", &cases).await;
}

#[tokio::test]
async fn tokens() {
    let head = "eyJhbGciOiJIUzI1NiJ9";
    let signed = format!("{head}.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U");
    let encrypted = format!(
        "{head}.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe.48V1_ALb6US04U3b.5eym.XFBoMYUZodetZdvTiFvSkQ"
    );
    let long = format!("{head}.{}.{}", "eyJ".repeat(300), "a".repeat(80));
    let cases = [
        (format!("Bearer {signed}, ok"), Some("Bearer [jwt], ok")),
        (format!("at the end {signed}. Next"), Some("at the end [jwt]. Next")),
        (encrypted, Some("[jwt]")),
        (long, Some("[jwt]")),
        (head.to_owned(), None),
        ("heyJude.is.a.song".to_owned(), None),
    ];
    let cases: Vec<_> = cases.iter().map(|(text, expected)| (text.as_str(), *expected)).collect();
    check("jwt", &cases).await;
}

#[tokio::test]
async fn private_keys() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let lines = [line; 26].join("\n");
    let block = |kind: &str, inside: &str| {
        format!(
            "key:\n-----BEGIN {kind}PRIVATE KEY-----\n{inside}\nAQ==\n-----END {kind}PRIVATE KEY-----\nthanks"
        )
    };
    let in_json = block("", &lines).replace('\n', "\\n");
    let encrypted = format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n{lines}");
    let cut_off = format!("-----BEGIN RSA PRIVATE KEY-----\n{line}\n{line}");
    let public = block("", &lines).replace("PRIVATE", "PUBLIC");
    let cases = [
        (block("", &lines), Some("key:\n[private-key]\nthanks")),
        (block("RSA ", &lines), Some("key:\n[private-key]\nthanks")),
        (block("OPENSSH ", line), Some("key:\n[private-key]\nthanks")),
        (block("RSA ", &encrypted), Some("key:\n[private-key]\nthanks")),
        (in_json, Some("key:\\n[private-key]\\nthanks")),
        (cut_off, Some("[private-key]")),
        (
            "it begins with -----BEGIN PRIVATE KEY----- and goes on".to_owned(),
            Some("it begins with [private-key] and goes on"),
        ),
        (public, None),
    ];
    let cases: Vec<_> = cases.iter().map(|(text, expected)| (text.as_str(), *expected)).collect();
    check("private-key", &cases).await;
}

#[tokio::test]
async fn of_a_key_that_is_too_long_the_first_part_is_masked() {
    let mask = mask(json!({"presets": ["private-key"]})).await;
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}", line.repeat(100));
    let masked = answer(&mask, &key);
    assert!(masked.starts_with("[private-key]"), "{masked}");
    assert_eq!(masked.len(), "[private-key]".len() + key.len() - 4096);
    let head = key.split_at(3000).0;
    assert_eq!(split::run(session(&mask), Lane::content(0), &[head, key.split_at(3000).1]), masked);
}

#[tokio::test]
async fn credentials_in_urls() {
    let cases = [
        ("postgres://app:s3cret@db:5432/x", Some("postgres://[url-credentials]@db:5432/x")),
        ("(https://u:p%40ss@h.example/)", Some("(https://[url-credentials]@h.example/)")),
        ("redis://:only-a-password@cache", Some("redis://[url-credentials]@cache")),
        ("https://h.example:8443/@name", None),
        ("https://user@h.example", None),
        ("ratio a:b@c", None),
    ];
    check("url-credentials", &cases).await;
}

#[tokio::test]
async fn what_reads_alike_counts_alike() {
    let cases = [
        ("4111\u{a0}1111\u{202f}1111\u{2011}1111", Some("[card]")),
        ("4111\u{200b}1111\u{200b}1111\u{200b}1111", Some("[card]")),
        ("４１１１ １１１１ １１１１ １１１１", Some("[card]")),
        ("“4111 1111 1111 1112”", None),
    ];
    check("card", &cases).await;
}
