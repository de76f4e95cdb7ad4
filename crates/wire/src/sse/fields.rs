//! What the lines of one complete frame say.

use std::ops::Range;

use bytes::Bytes;
use memchr::memchr2;

use super::SseFrame;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The data met so far: most events have one line of it, which needs no copy.
#[derive(Debug)]
enum Data {
    None,
    Line(Range<usize>),
    Joined(Vec<u8>),
}

/// Reads the fields in `raw`. `first_line` is the length of the first line if the caller knows it, and
/// `begins_stream` says that a byte order mark may stand there.
pub(super) fn read(raw: Bytes, first_line: Option<usize>, begins_stream: bool) -> SseFrame {
    let mut event = None;
    let mut data = Data::None;
    let mut start = 0;
    let mut known_end = first_line;
    while start < raw.len() {
        let rest = raw.get(start..).unwrap_or_default();
        let end = known_end
            .take()
            .unwrap_or_else(|| memchr2(b'\n', b'\r', rest).map_or(raw.len(), |len| start + len));
        let skip = if start == 0 && begins_stream && raw.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 };
        let line = Range { start: start + skip, end };
        let (name, value) = split(&raw, line);
        match name {
            b"data" => data.push(&raw, value),
            b"event" => event = Some(value),
            _ => {}
        }
        start = end + if raw.get(end..).is_some_and(|rest| rest.starts_with(b"\r\n")) { 2 } else { 1 };
    }
    let event = event.filter(|name| !name.is_empty()).map(|name| raw.slice(name));
    let data = match data {
        Data::None => None,
        Data::Line(line) => Some(raw.slice(line)),
        Data::Joined(text) => Some(Bytes::from(text)),
    };
    SseFrame { raw, event, data }
}

/// The name of a field and the place of its value, less one leading space. A comment has no name.
fn split(raw: &Bytes, line: Range<usize>) -> (&[u8], Range<usize>) {
    let text = raw.get(line.clone()).unwrap_or_default();
    // Names of interest are short, so a plain search for the colon beats a vectorised one.
    let Some(colon) = text.iter().position(|&byte| byte == b':') else { return (text, line.end..line.end) };
    let (name, value) = text.split_at(colon);
    let skip = if value.starts_with(b": ") { 2 } else { 1 };
    (name, line.start + colon + skip..line.end)
}

impl Data {
    fn push(&mut self, raw: &Bytes, line: Range<usize>) {
        let text = raw.get(line.clone()).unwrap_or_default();
        match self {
            Self::None => *self = Self::Line(line),
            Self::Line(first) => {
                let first = raw.get(first.clone()).unwrap_or_default();
                *self = Self::Joined([first, text].join(&b'\n'));
            }
            Self::Joined(joined) => {
                joined.push(b'\n');
                joined.extend_from_slice(text);
            }
        }
    }
}
