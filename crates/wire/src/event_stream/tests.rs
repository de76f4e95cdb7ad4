//! Binary event streams: `application/vnd.amazon.eventstream`, in any chunking, to messages that keep their exact
//! bytes, and back.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A message: bytes, headers, payload.
type Vector = (Vec<u8>, Vec<(&'static str, HeaderValue<'static>)>, &'static [u8]);

/// Messages of the encoding's published test vectors.
fn vectors() -> Vec<Vector> {
    let payload = b"{'foo':'bar'}".as_slice();
    let text = HeaderValue::Text("application/json");
    vec![
        (b"\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff".to_vec(), vec![], b""),
        (
            [b"\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a".as_slice(), payload, b"\xc3\x65\x39\x36"].concat(),
            vec![],
            payload,
        ),
        (
            [
                b"\0\0\0\x3d\0\0\0\x20\x07\xfd\x83\x96\x0ccontent-type\x07\0\x10application/json".as_slice(),
                payload,
                b"\x8d\x9c\x08\xb1",
            ]
            .concat(),
            vec![("content-type", text)],
            payload,
        ),
        (
            [
                b"\0\0\0\x2d\0\0\0\x10\x41\xc4\x24\xb8\x0aevent-type\x04\0\0\xa0\x0c".as_slice(),
                payload,
                b"\x36\xf4\x80\xa0",
            ]
            .concat(),
            vec![("event-type", HeaderValue::Int(40_972))],
            payload,
        ),
    ]
}

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Message>, Option<EventStreamError>) {
    let mut decoder = EventStreamDecoder::new(1 << 16);
    let mut messages = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    match decoder.finish() {
        Ok(Some(message)) => messages.push(message),
        Ok(None) => {}
        Err(error) => return (messages, Some(error)),
    }
    (messages, None)
}

#[test]
fn checksum_of_the_published_check_string() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(crc32(b""), 0);
}

#[test]
fn published_vectors_are_read_and_written() {
    for (bytes, headers, payload) in vectors() {
        let message = Message::parse(Bytes::from(bytes.clone())).unwrap();
        assert_eq!(message.headers().collect::<Vec<_>>(), headers);
        assert_eq!(message.payload, payload);
        let mut out = Vec::new();
        write_message(&mut out, &headers, payload);
        assert_eq!(out, bytes);
    }
}

#[test]
fn headers_of_every_type_come_back() {
    let headers = [
        ("a", HeaderValue::Bool(true)),
        ("b", HeaderValue::Bool(false)),
        ("c", HeaderValue::Byte(-1)),
        ("d", HeaderValue::Short(-2)),
        ("e", HeaderValue::Int(i32::MIN)),
        ("f", HeaderValue::Long(i64::MAX)),
        ("g", HeaderValue::Bytes(b"\0\xff")),
        ("h", HeaderValue::Text("é")),
        ("i", HeaderValue::Timestamp(8_675_309)),
        ("j", HeaderValue::Uuid([7; 16])),
    ];
    let mut out = Vec::new();
    write_message(&mut out, &headers, b"x");
    let message = Message::parse(out.into()).unwrap();
    assert_eq!(message.headers().collect::<Vec<_>>(), headers);
    assert_eq!(message.text("h"), Some("é"));
    assert_eq!(message.text("a"), None);
}

#[test]
fn every_split_gives_the_same_messages() {
    let stream: Vec<u8> = vectors().into_iter().flat_map(|(bytes, ..)| bytes).collect();
    let whole = read([stream.as_slice()]);
    assert_eq!(whole.0.len(), 4);
    for place in 0..=stream.len() {
        let (head, tail) = stream.split_at(place);
        assert_eq!(read([head, tail]), whole, "cut at {place}");
    }
    assert_eq!(read(stream.chunks(1)), whole);
}

#[test]
fn a_flipped_bit_anywhere_ends_the_stream() {
    let (bytes, ..) = vectors().remove(2);
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        let (messages, error) = read([damaged.as_slice()]);
        assert!(messages.is_empty() && error.is_some(), "at {place}");
    }
}

#[test]
fn a_message_over_the_bound_is_refused_at_its_prelude() {
    let mut out = Vec::new();
    write_message(&mut out, &[], &vec![b'x'; 1 << 16]);
    let (_, error) = read([&out[..12]]);
    assert_eq!(error, Some(EventStreamError::MessageTooLarge { bytes: (1 << 16) + 16, bytes_max: 1 << 16 }));
}

#[test]
fn a_stream_that_ends_inside_a_message_is_cut() {
    let (bytes, ..) = vectors().remove(1);
    assert_eq!(read([&bytes[..20]]).1, Some(EventStreamError::Cut { bytes: 20 }));
    assert_eq!(read([&bytes[..3]]).1, Some(EventStreamError::Cut { bytes: 3 }));
}

#[test]
fn headers_that_do_not_end_are_refused() {
    // Each is framed with right lengths and checksums.
    for headers in [b"\x05a".as_slice(), b"\x01a", b"\x01a\x0a", b"\x01a\x07\0\x05x", b"\0\0", b"\x01\xff\0"]
    {
        let lengths = [&u32::try_from(16 + headers.len()).unwrap().to_be_bytes()[..], &[0, 0, 0]].concat();
        let lengths = [lengths.as_slice(), &[u8::try_from(headers.len()).unwrap()]].concat();
        let mut bytes = [&lengths[..], &crc32(&lengths).to_be_bytes(), headers].concat();
        bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
        assert_eq!(Message::parse(bytes.into()), Err(EventStreamError::Headers));
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_chunking_give_the_same(bytes in vec(any::<u8>(), 0..200), at in 0usize..200) {
        let (head, tail) = bytes.split_at(at.min(bytes.len()));
        prop_assert_eq!(read([head, tail]), read([bytes.as_slice()]));
    }

    #[test]
    fn what_is_written_is_read(payload in vec(any::<u8>(), 0..100), text in "\\PC{0,20}", name in "[a-z:]{1,20}") {
        let mut out = Vec::new();
        write_message(&mut out, &[(&name, HeaderValue::Text(&text))], &payload);
        let message = Message::parse(out.into()).unwrap();
        prop_assert_eq!(message.text(&name), Some(text.as_str()));
        prop_assert_eq!(&message.payload[..], &payload[..]);
    }
}
