//! Messages to bytes.

use super::{CHECKSUM_BYTES, HeaderValue, PRELUDE_BYTES, crc32};

/// Appends a message.
///
/// Names longer than 255 bytes and values longer than 65,535 are cut: what the gateway writes is shorter.
pub fn write_message(out: &mut Vec<u8>, headers: &[(&str, HeaderValue<'_>)], payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE_BYTES]);
    headers.iter().for_each(|(name, value)| write_header(out, name, value));
    let header_bytes = out.len() - start - PRELUDE_BYTES;
    out.extend_from_slice(payload);
    let bytes = out.len() - start + CHECKSUM_BYTES;
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let lengths = [length(bytes), length(header_bytes)].concat();
    let prelude = [lengths.as_slice(), &crc32(&lengths).to_be_bytes()].concat();
    if let Some(place) = out.get_mut(start..start + PRELUDE_BYTES) {
        place.copy_from_slice(&prelude);
    }
    let sum = out.get(start..).map_or(0, crc32);
    out.extend_from_slice(&sum.to_be_bytes());
}

fn write_header(out: &mut Vec<u8>, name: &str, value: &HeaderValue<'_>) {
    let name = name.get(..name.floor_char_boundary(usize::from(u8::MAX))).unwrap_or_default();
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
    match value {
        HeaderValue::Bool(value) => out.push(u8::from(!value)),
        HeaderValue::Byte(value) => fixed(out, 2, &value.to_be_bytes()),
        HeaderValue::Short(value) => fixed(out, 3, &value.to_be_bytes()),
        HeaderValue::Int(value) => fixed(out, 4, &value.to_be_bytes()),
        HeaderValue::Long(value) => fixed(out, 5, &value.to_be_bytes()),
        HeaderValue::Bytes(value) => {
            sized(out, 6, value.get(..usize::from(u16::MAX)).unwrap_or(value));
        }
        HeaderValue::Text(value) => {
            let end = value.floor_char_boundary(usize::from(u16::MAX));
            sized(out, 7, value.get(..end).unwrap_or_default().as_bytes());
        }
        HeaderValue::Timestamp(value) => fixed(out, 8, &value.to_be_bytes()),
        HeaderValue::Uuid(value) => fixed(out, 9, value),
    }
}

fn fixed(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.push(kind);
    out.extend_from_slice(value);
}

fn sized(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(value);
}
