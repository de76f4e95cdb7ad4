//! Messages of the WebSocket protocol, RFC 6455, as bytes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::*;

const MAX: usize = 1 << 20;

/// All units of some bytes that come in pieces of this length, and how they end.
fn read(mut decoder: Decoder, bytes: &[u8], step: usize) -> (Vec<Unit>, Option<Violation>) {
    let mut units = Vec::new();
    for mut piece in bytes.chunks(step.max(1)) {
        loop {
            match decoder.take(&mut piece) {
                Ok(Some(unit)) => units.push(unit),
                Ok(None) => break,
                Err(violation) => return (units, Some(violation)),
            }
        }
    }
    (units, None)
}

fn server(bytes: &[u8]) -> (Vec<Unit>, Option<Violation>) {
    read(Decoder::of_server(MAX), bytes, usize::MAX)
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(Decoder::of_client(MAX), &masked, 1).0, [Unit::Text(Bytes::from_static(b"Hello"))]);
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(server(&fragments).0, [Unit::Text(Bytes::from_static(b"Hello"))]);
    let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(server(&ping).0, [Unit::Ping(Bytes::from_static(b"Hello"))]);
    assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn what_is_written_is_read_at_every_split() {
    let long = "x".repeat(300);
    let longer = "y".repeat(70_000);
    for masking in [Masking::Server, Masking::Client([7, 0, 255, 19])] {
        let decoder = |masking| match masking {
            Masking::Server => Decoder::of_server(MAX),
            Masking::Client(_) => Decoder::of_client(MAX),
        };
        let mut bytes = Vec::new();
        write(Kind::Text, "gr\u{fc}\u{df}e".as_bytes(), masking, &mut bytes);
        write(Kind::Ping, b"", masking, &mut bytes);
        write(Kind::Binary, long.as_bytes(), masking, &mut bytes);
        write_close(&Close::new(1001, "gone"), masking, &mut bytes);
        let expected = [
            Unit::Text("gr\u{fc}\u{df}e".into()),
            Unit::Ping(Bytes::new()),
            Unit::Binary(long.clone().into()),
            Unit::Close(Close::new(1001, "gone")),
        ];
        for step in 1..=bytes.len() {
            let (units, violation) = read(decoder(masking), &bytes, step);
            assert_eq!((units.as_slice(), violation), (&expected[..], None), "{step}");
        }
        let mut bytes = Vec::new();
        write(Kind::Text, longer.as_bytes(), masking, &mut bytes);
        for step in [1, 13, 4096, bytes.len()] {
            assert_eq!(read(decoder(masking), &bytes, step).0, [Unit::Text(longer.clone().into())], "{step}");
        }
    }
}

#[test]
fn control_frames_come_between_fragments() {
    let bytes = [0x01, 0x01, b'a', 0x8a, 0x00, 0x00, 0x01, b'b', 0x89, 0x01, b'p', 0x80, 0x00];
    let units = [
        Unit::Pong(Bytes::new()),
        Unit::Ping(Bytes::from_static(b"p")),
        Unit::Text(Bytes::from_static(b"ab")),
    ];
    for step in 1..=bytes.len() {
        assert_eq!(read(Decoder::of_server(MAX), &bytes, step), (units.to_vec(), None));
    }
}

#[test]
fn whatever_breaks_the_protocol_is_refused_with_its_status() {
    let table: [(&[u8], Violation, u16); 19] = [
        (&[0xc1, 0x00], Violation::Reserved, 1002),
        (&[0x91], Violation::Reserved, 1002),
        (&[0x83], Violation::Opcode, 1002),
        (&[0x8b], Violation::Opcode, 1002),
        (&[0x81, 0x80], Violation::Masked, 1002),
        (&[0x09, 0x00], Violation::Control, 1002),
        (&[0x89, 0x7e, 0x00, 0x7e], Violation::Control, 1002),
        (&[0x80, 0x00], Violation::Fragment, 1002),
        (&[0x01, 0x00, 0x01, 0x00], Violation::Fragment, 1002),
        (&[0x01, 0x00, 0x82, 0x00], Violation::Fragment, 1002),
        (&[0x81, 0x7e, 0x00, 0x7d], Violation::Length, 1002),
        (&[0x81, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Violation::Length, 1002),
        (&[0x81, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::Length, 1002),
        (&[0x81, 0x7f, 0, 0, 0, 0, 0, 0x10, 0, 1], Violation::TooLarge, 1009),
        (&[0x81, 0x01, 0xff], Violation::Utf8, 1007),
        (&[0x88, 0x01, 0x03], Violation::Close, 1002),
        (&[0x88, 0x02, 0x03, 0xed], Violation::Close, 1002),
        (&[0x88, 0x02, 0x00, 0x01], Violation::Close, 1002),
        (&[0x88, 0x03, 0x03, 0xe8, 0xff], Violation::Utf8, 1007),
    ];
    for (bytes, violation, code) in table {
        for step in 1..=bytes.len() {
            assert_eq!(read(Decoder::of_server(MAX), bytes, step), (vec![], Some(violation)), "{bytes:x?}");
        }
        assert_eq!(violation.code(), code);
    }
    assert_eq!(read(Decoder::of_client(MAX), &[0x81, 0x00], 1).1, Some(Violation::Unmasked));
}

#[test]
fn a_bound_holds_over_all_fragments_and_nothing_follows_a_violation() {
    let mut decoder = Decoder::of_server(3);
    let mut bytes: &[u8] = &[0x01, 0x02, b'a', b'b', 0x80, 0x02, b'c', b'd', 0x81, 0x01, b'e'];
    assert_eq!(decoder.take(&mut bytes), Err(Violation::TooLarge));
    assert_eq!(decoder.take(&mut bytes), Err(Violation::TooLarge));
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let close = Close::new(1008, &"\u{fc}".repeat(100));
    assert_eq!(close.reason.len(), 122);
    let mut bytes = Vec::new();
    write_close(&close, Masking::Server, &mut bytes);
    assert_eq!(server(&bytes).0, [Unit::Close(close)]);
}

fn head(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

const GOOD: [(&str, &str); 4] = [
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "WebSocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[test]
fn a_handshake_is_read_strictly() {
    let read = |fields: &[(&str, &str)]| Offer::read(&Method::GET, Version::HTTP_11, &head(fields));
    let with = |more: &[(&'static str, &'static str)]| [&GOOD[..], more].concat();
    let without = |name: &str| GOOD.into_iter().filter(|(known, _)| *known != name).collect::<Vec<_>>();

    let offer = read(&with(&[
        ("sec-websocket-protocol", "realtime, a.b"),
        ("sec-websocket-protocol", "c"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("origin", "https://app.example"),
    ]));
    let expected = Offer {
        accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
        protocols: ["realtime", "a.b", "c"].map(str::to_owned).to_vec(),
        origin: Some("https://app.example".to_owned()),
    };
    assert_eq!(offer, Ok(expected));

    use HandshakeError as Error;
    let table = [
        (without("connection"), Error::NoUpgrade),
        (without("upgrade"), Error::NoUpgrade),
        ([&without("upgrade")[..], &[("upgrade", "h2c")]].concat(), Error::NoUpgrade),
        (without("sec-websocket-version"), Error::Version),
        (with(&[("sec-websocket-version", "13")]), Error::Version),
        ([&without("sec-websocket-version")[..], &[("sec-websocket-version", "8")]].concat(), Error::Version),
        (without("sec-websocket-key"), Error::Key),
        (with(&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]), Error::Key),
        ([&without("sec-websocket-key")[..], &[("sec-websocket-key", "c2hvcnQ=")]].concat(), Error::Key),
        (with(&[("sec-websocket-protocol", "a, a")]), Error::Protocol),
        (with(&[("sec-websocket-protocol", "a,,b")]), Error::Protocol),
        (with(&[("sec-websocket-protocol", "a b")]), Error::Protocol),
        (with(&[("origin", "https://a"), ("origin", "https://b")]), Error::Origin),
        (with(&[("transfer-encoding", "chunked")]), Error::Body),
        (with(&[("content-length", "1")]), Error::Body),
    ];
    for (fields, error) in table {
        assert_eq!(read(&fields), Err(error), "{fields:?}");
    }
    assert_eq!(Offer::read(&Method::POST, Version::HTTP_11, &head(&GOOD)), Err(Error::Method));
    assert_eq!(Offer::read(&Method::GET, Version::HTTP_2, &head(&GOOD)), Err(Error::Http));
    assert_eq!(Offer::read(&Method::GET, Version::HTTP_10, &head(&GOOD)), Err(Error::Http));
    let made = key_of(7);
    assert!(read(&[&without("sec-websocket-key")[..], &[("sec-websocket-key", &*made)]].concat()).is_ok());
    assert!(is_upgrade(&head(&GOOD)));
}
