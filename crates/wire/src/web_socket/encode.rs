//! Frames, written.

use super::close::Close;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole message of text.
    Text,
    /// A whole message of bytes.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether the peer lives.
    Ping,
    /// The answer to it.
    Pong,
}

impl Kind {
    pub(super) const fn opcode(self) -> u8 {
        match self {
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }
}

/// By whom a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masking {
    /// A server, whose frames are clear.
    Server,
    /// A client, which masks each frame with a key that nobody can foretell.
    Client([u8; 4]),
}

/// Appends one frame that is a whole message.
pub fn write(kind: Kind, payload: &[u8], masking: Masking, out: &mut Vec<u8>) {
    const WHOLE: u8 = 0x80;
    const MASKED: u8 = 0x80;
    let mask_bit = if masking == Masking::Server { 0 } else { MASKED };
    out.reserve(payload.len().saturating_add(14));
    out.push(WHOLE | kind.opcode());
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => out.push(mask_bit | length),
        (_, Ok(length)) => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    match masking {
        Masking::Server => out.extend_from_slice(payload),
        Masking::Client(key) => {
            out.extend_from_slice(&key);
            let start = out.len();
            out.extend_from_slice(payload);
            if let Some(written) = out.get_mut(start..) {
                mask(written, key, 0);
            }
        }
    }
}

/// Appends a close frame. One without a status has no payload.
pub fn write_close(close: &Close, masking: Masking, out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(2 + close.reason.len());
    if Close::may_be_sent(close.code) {
        payload.extend_from_slice(&close.code.to_be_bytes());
        payload.extend_from_slice(close.reason.as_bytes());
    }
    write(Kind::Close, &payload, masking, out);
}

/// Masks or unmasks bytes that begin at `offset` of their frame's payload.
pub(super) fn mask(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let [a, b, c, d] = key;
    // The key goes on where the piece before it has ended.
    let turned = match offset % 4 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    };
    for group in bytes.chunks_mut(4) {
        for (byte, key) in group.iter_mut().zip(turned) {
            *byte ^= key;
        }
    }
}
