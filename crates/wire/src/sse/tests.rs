//! The decoder as a specification; what must hold for any input is in `tests/any_input.rs`.

use bytes::Bytes;

use super::{SseDecoder, SseError, SseFrame};

/// All frames of a stream that comes in these chunks.
fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<SseFrame> {
    let mut decoder = SseDecoder::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push(frame);
        }
    }
    while let Some(frame) = decoder.finish().unwrap() {
        frames.push(frame);
    }
    frames
}

/// Type and data of the events among them.
fn events(frames: &[SseFrame]) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let with_data = frames.iter().filter_map(|frame| Some((frame.event.as_ref(), frame.data.as_ref()?)));
    with_data.map(|(event, data)| (event.map(text).unwrap_or_default(), text(data))).collect()
}

#[track_caller]
fn check(stream: &str, expected: &[(&str, &str)]) {
    let frames = frames([stream.as_bytes()]);
    let expected: Vec<_> =
        expected.iter().map(|(event, data)| ((*event).to_owned(), (*data).to_owned())).collect();
    assert_eq!(events(&frames), expected, "{stream:?}");
    assert_are(&frames, stream.as_bytes());
}

/// The frames are the bytes of the stream, and behind them the line ends that its last event lacks.
#[track_caller]
fn assert_are(frames: &[SseFrame], stream: &[u8]) {
    let together: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
    let added = together.strip_prefix(stream).expect("no byte is changed");
    assert!(matches!(added, b"" | b"\n" | b"\n\n"), "{added:?}");
}

#[test]
fn line_ends_may_be_lf_crlf_or_cr() {
    for end in ["\n", "\r\n", "\r"] {
        let stream = ["event: a", "data: 1", "", "data: 2", "data: 3", "", ""].join(end);
        check(&stream, &[("a", "1"), ("", "2\n3")]);
    }
    check("data: 1\n\r\ndata: 2\r\r\ndata: 3\r\n\n", &[("", "1"), ("", "2"), ("", "3")]);
}

#[test]
fn fields_are_read_as_the_standard_says() {
    check("data:x\n\n", &[("", "x")]);
    check("data:  x \n\n", &[("", " x ")]);
    check("data\n\ndata:\ndata\n\n", &[("", ""), ("", "\n")]);
    check(": comment\nid: 7\nretry: 10\nunknown: y\ndata: x:y\nevent:e\n\n", &[("e", "x:y")]);
    check("data : no\nDATA: no\n\nevent: e\n\ndata: x\n\n", &[("", "x")]);
    check("event: a\nevent: b\nevent:\ndata: x\n\n", &[("", "x")]);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
    check("\u{feff}data: 1\n\n\u{feff}data: 2\n\ndata: 3\n\n", &[("", "1"), ("", "3")]);
    check("\u{feff}\ndata: 1\n\n", &[("", "1")]);
}

#[test]
fn blank_lines_and_comments_are_frames_without_data() {
    let frames = frames([&b"\n\n: ping\n\ndata: 1\n\n"[..]]);
    let raws: Vec<_> = frames.iter().map(|frame| (&frame.raw[..], frame.data.is_some())).collect();
    assert_eq!(raws, [(&b"\n"[..], false), (b"\n", false), (b": ping\n\n", false), (b"data: 1\n\n", true),]);
}

#[test]
fn the_last_event_needs_no_blank_line() {
    check("data: 1\n\ndata: [DONE]", &[("", "1"), ("", "[DONE]")]);
    check("data: 1\ndata: 2\r", &[("", "1\n2")]);
    check("", &[]);
}

#[test]
fn what_is_written_behind_the_last_event_is_no_part_of_it() {
    for end in ["", "\n", "\r", "\r\n"] {
        let first = frames([format!("data: 1{end}").as_bytes()]);
        let mut stream = first.iter().flat_map(|frame| frame.raw.to_vec()).collect::<Vec<_>>();
        stream.extend_from_slice(b"data: [DONE]\n\n");
        let read = events(&frames([&stream[..]]));
        assert_eq!(
            read.iter().map(|(_, data)| data.as_str()).collect::<Vec<_>>(),
            ["1", "[DONE]"],
            "{end:?}"
        );
    }
}

#[test]
fn an_event_inside_a_chunk_shares_its_buffer() {
    let chunk = Bytes::from_static(b"data: {\"a\":1}\n\nevent: e\ndata: 2\n\ndata: 3");
    let range = chunk.as_ptr_range();
    let mut decoder = SseDecoder::default();
    decoder.push(chunk);
    for _ in 0..2 {
        let frame = decoder.next_frame().unwrap().unwrap();
        assert!(range.contains(&frame.raw.as_ptr()) && range.contains(&frame.data.unwrap().as_ptr()));
    }
    assert_eq!(decoder.next_frame().unwrap(), None);
}

#[test]
fn an_event_is_given_as_soon_as_its_blank_line_is_there() {
    for end in ["\n\n", "\r\n\r\n", "\r\r"] {
        let mut decoder = SseDecoder::default();
        decoder.push(Bytes::from(format!("data: 1{end}")));
        assert!(decoder.next_frame().unwrap().is_some(), "{end:?}");
    }
}

#[test]
fn chunks_may_be_pushed_before_frames_are_taken() {
    let mut decoder = SseDecoder::default();
    for chunk in ["data: 1\n", "\ndata", ": 2\n\n"] {
        decoder.push(Bytes::from(chunk));
    }
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        frames.push(frame);
    }
    assert_eq!(events(&frames), [(String::new(), "1".to_owned()), (String::new(), "2".to_owned())]);
}

/// The stream's verdict: how many frames came, and how it ended.
fn bounded(stream: &[u8], chunk_bytes: usize) -> (usize, Option<SseError>) {
    let mut decoder = SseDecoder::new(16);
    let mut count = 0;
    for chunk in stream.chunks(chunk_bytes) {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => count += usize::from(frame.data.is_some()),
                Ok(None) => break,
                Err(error) => return (count, Some(error)),
            }
        }
    }
    (count, decoder.finish().err())
}

#[test]
fn an_event_over_the_bound_is_an_error_in_any_chunking() {
    let too_large = Some(SseError::EventTooLarge { bytes_max: 16 });
    for chunk_bytes in 1..=40 {
        assert_eq!(bounded(b"data: 12345678\n\ndata: 12345678\n\n", chunk_bytes), (2, None));
        assert_eq!(bounded(b"data: 12345678\n\ndata: 123456789\n\n", chunk_bytes), (1, too_large));
        assert_eq!(bounded(b"data: 1\n\n: 34567890123456789", chunk_bytes), (1, too_large));
        assert_eq!(bounded(b"data: 1\r\rdata: 12345678\r\n\r\n", chunk_bytes).0, 1);
    }
}

#[test]
fn nothing_comes_after_an_error() {
    let mut decoder = SseDecoder::new(8);
    decoder.push(Bytes::from_static(b"data: 123456789\n\ndata: 1\n\n"));
    assert!(decoder.next_frame().is_err());
    decoder.push(Bytes::from_static(b"data: 1\n\n"));
    assert_eq!(decoder.next_frame(), Ok(None));
    assert_eq!(decoder.finish(), Ok(None));
}

/// Streams with every oddity; each is cut at every place below.
const CORPUS: &[&str] = &[
    "data: {\"choices\":[{\"delta\":{\"content\":\"é数😀\"}}]}\n\ndata: [DONE]\n\n",
    "\u{feff}: ping\r\n\r\nevent: error\r\ndata: one\r\ndata: two\r\n\r\ndata: [DONE]",
    "data: 1\r\rdata: 2\r\r\ndata\rid\r\r:x\n\r\n\n\r\rdata:3\r",
    "\u{feff}\u{feff}data: 1\n\ndata: 2\n\n\n\n",
];

#[test]
fn any_cut_gives_the_same_events_and_the_same_bytes() {
    for stream in CORPUS {
        let stream = stream.as_bytes();
        let whole = frames([stream]);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let cut = frames([&stream[..first], &stream[first..second], &stream[second..]]);
                assert_eq!(events(&cut), events(&whole), "cut at {first} and {second}");
                assert_are(&cut, stream);
            }
        }
        let single = frames(stream.chunks(1));
        assert_eq!(events(&single), events(&whole));
    }
}
