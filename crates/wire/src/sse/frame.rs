//! A frame of a provider on its way to a client, with edits of its data.

use bytes::Bytes;
use gatewright::dialect::Frame;

use crate::json::Patches;

/// Appends a frame with patches made in its data; the frame's own bytes if there are none.
pub(crate) fn write_frame(frame: &Frame, patches: &Patches, out: &mut Vec<u8>) {
    if patches.is_empty() {
        out.extend_from_slice(&frame.raw);
        return;
    }
    let start = out.len();
    let written = match surroundings(&frame.raw, &frame.data) {
        Some((before, after)) => {
            out.extend_from_slice(before);
            patches.apply_into(&frame.data, out).map(|()| out.extend_from_slice(after))
        }
        None => patches.apply(&frame.data).map(|data| {
            write_type(&frame.raw, out);
            for line in data.split(|&byte| byte == b'\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            out.push(b'\n');
        }),
    };
    debug_assert!(written.is_ok(), "edits of one frame touch different parts of it");
    if written.is_err() {
        out.truncate(start);
    }
}

/// What stands around the data in a frame whose data is one line, and so a part of its bytes.
fn surroundings<'a>(raw: &'a Bytes, data: &Bytes) -> Option<(&'a [u8], &'a [u8])> {
    let start = data.as_ptr().addr().checked_sub(raw.as_ptr().addr())?;
    let (before, rest) = raw.split_at_checked(start)?;
    Some((before, rest.strip_prefix(&data[..])?))
}

/// Appends the line that names the type of a frame, if there is one.
fn write_type(raw: &[u8], out: &mut Vec<u8>) {
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let lines = raw.split(|byte| matches!(byte, b'\n' | b'\r'));
    if let Some(line) = lines.rev().find(|line| line.starts_with(b"event:")) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}
