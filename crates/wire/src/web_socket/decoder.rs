//! Frames, read and assembled into messages.

use bytes::Bytes;

use super::close::Close;
use super::encode::{Kind, mask};
use super::violation::Violation;

/// The longest payload of a control frame, in bytes.
const CONTROL_BYTES_MAX: u64 = 125;

/// The longest head of a frame, in bytes.
const HEAD_BYTES_MAX: usize = 14;

/// A complete message, or a control frame. Control frames come between the fragments of a message as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A text, which is UTF-8.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
    /// A question whether this side lives.
    Ping(Bytes),
    /// The answer to such a question, or a sign of life.
    Pong(Bytes),
    /// The peer closes; nothing follows.
    Close(Close),
}

/// Reads what one peer sends, in any chunking.
///
/// Holds one message at most, and no more of it than has come.
#[derive(Debug)]
pub struct Decoder {
    reads_clients: bool,
    message_bytes_max: usize,
    /// What is there of the head of the next frame.
    head: Vec<u8>,
    frame: Option<Frame>,
    /// The message in fragments that is under way.
    message: Option<Kind>,
    payload: Vec<u8>,
    control: Vec<u8>,
    violation: Option<Violation>,
}

/// A frame whose payload is under way.
#[derive(Clone, Copy, Debug)]
struct Frame {
    is_last: bool,
    /// None where it goes on with the message that is under way.
    kind: Option<Kind>,
    key: Option<[u8; 4]>,
    done: u64,
    left: u64,
}

impl Decoder {
    /// A decoder of what a client sends, whose frames are masked.
    #[must_use]
    pub fn of_client(message_bytes_max: usize) -> Self {
        Self::new(true, message_bytes_max)
    }

    /// A decoder of what a server sends, whose frames are clear.
    #[must_use]
    pub fn of_server(message_bytes_max: usize) -> Self {
        Self::new(false, message_bytes_max)
    }

    fn new(reads_clients: bool, message_bytes_max: usize) -> Self {
        Self {
            reads_clients,
            message_bytes_max,
            head: Vec::with_capacity(HEAD_BYTES_MAX),
            frame: None,
            message: None,
            payload: Vec::new(),
            control: Vec::new(),
            violation: None,
        }
    }

    /// Takes bytes off the front of `input` up to the end of the next unit. `None` when all are taken.
    ///
    /// # Errors
    ///
    /// A [`Violation`], which every later call repeats.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Unit>, Violation> {
        if let Some(violation) = self.violation {
            return Err(violation);
        }
        let taken = self.advance(input);
        self.violation = taken.as_ref().err().copied();
        taken
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Unit>, Violation> {
        loop {
            let Some(frame) = self.frame else {
                if !self.read_head(input)? {
                    return Ok(None);
                }
                continue;
            };
            let frame = self.read_payload(frame, input);
            if frame.left > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            self.frame = None;
            if let Some(unit) = self.complete(frame)? {
                return Ok(Some(unit));
            }
        }
    }

    /// Reads the head of a frame. False where more bytes are needed.
    fn read_head(&mut self, input: &mut &[u8]) -> Result<bool, Violation> {
        while let Some((byte, rest)) = input.split_first() {
            self.head.push(*byte);
            *input = rest;
            if let Some(frame) = self.parse_head()? {
                self.head.clear();
                self.frame = Some(self.admit(frame)?);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The head that the bytes so far make, see RFC 6455, section 5.2. What is wrong is seen as soon as it is there.
    fn parse_head(&self) -> Result<Option<Frame>, Violation> {
        let [first, rest @ ..] = &*self.head else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Violation::Reserved);
        }
        let kind = match first & 0x0f {
            0x0 => None,
            0x1 => Some(Kind::Text),
            0x2 => Some(Kind::Binary),
            0x8 => Some(Kind::Close),
            0x9 => Some(Kind::Ping),
            0xa => Some(Kind::Pong),
            _ => return Err(Violation::Opcode),
        };
        let [second, rest @ ..] = rest else { return Ok(None) };
        match (second & 0x80 != 0, self.reads_clients) {
            (true, false) => return Err(Violation::Masked),
            (false, true) => return Err(Violation::Unmasked),
            _ => {}
        }
        let Some((left, rest)) = length(second & 0x7f, rest)? else { return Ok(None) };
        let key = match (self.reads_clients, rest) {
            (false, _) => None,
            (true, [a, b, c, d]) => Some([*a, *b, *c, *d]),
            (true, _) => return Ok(None),
        };
        Ok(Some(Frame { is_last: first & 0x80 != 0, kind, key, done: 0, left }))
    }

    /// Checks whether a frame may stand where it does, and makes room for what it says.
    fn admit(&mut self, frame: Frame) -> Result<Frame, Violation> {
        match (frame.kind, self.message) {
            (Some(Kind::Close | Kind::Ping | Kind::Pong), _) => {
                let is_fit = frame.is_last && frame.left <= CONTROL_BYTES_MAX;
                return if is_fit { Ok(frame) } else { Err(Violation::Control) };
            }
            (Some(Kind::Text | Kind::Binary), Some(_)) | (None, None) => return Err(Violation::Fragment),
            (Some(kind), None) => self.message = Some(kind),
            (None, Some(_)) => {}
        }
        let so_far = self.payload.len() as u64;
        if so_far.saturating_add(frame.left) > self.message_bytes_max as u64 {
            return Err(Violation::TooLarge);
        }
        Ok(frame)
    }

    /// Takes what is there of a frame's payload.
    fn read_payload(&mut self, frame: Frame, input: &mut &[u8]) -> Frame {
        let step = usize::try_from(frame.left).unwrap_or(usize::MAX).min(input.len());
        let (now, rest) = input.split_at(step);
        *input = rest;
        let into = match frame.kind {
            Some(Kind::Close | Kind::Ping | Kind::Pong) => &mut self.control,
            Some(Kind::Text | Kind::Binary) | None => &mut self.payload,
        };
        let start = into.len();
        into.extend_from_slice(now);
        if let (Some(key), Some(fresh)) = (frame.key, into.get_mut(start..)) {
            mask(fresh, key, frame.done);
        }
        let step = step as u64;
        Frame { done: frame.done + step, left: frame.left - step, ..frame }
    }

    /// What a complete frame completes.
    fn complete(&mut self, frame: Frame) -> Result<Option<Unit>, Violation> {
        let control = |decoder: &mut Self| Bytes::from(std::mem::take(&mut decoder.control));
        match frame.kind {
            Some(Kind::Ping) => Ok(Some(Unit::Ping(control(self)))),
            Some(Kind::Pong) => Ok(Some(Unit::Pong(control(self)))),
            Some(Kind::Close) => Close::read(&control(self)).map(|close| Some(Unit::Close(close))),
            Some(Kind::Text | Kind::Binary) | None if !frame.is_last => Ok(None),
            Some(Kind::Text | Kind::Binary) | None => {
                let payload = Bytes::from(std::mem::take(&mut self.payload));
                match self.message.take() {
                    Some(Kind::Text) if simdutf8::basic::from_utf8(&payload).is_err() => Err(Violation::Utf8),
                    Some(Kind::Text) => Ok(Some(Unit::Text(payload))),
                    _ => Ok(Some(Unit::Binary(payload))),
                }
            }
        }
    }
}

/// The length of a payload, and the bytes behind it.
type Length<'h> = (u64, &'h [u8]);

/// The length of a payload and what stands behind it; `None` while its bytes are not all there.
fn length(short: u8, rest: &[u8]) -> Result<Option<Length<'_>>, Violation> {
    let (length, rest, least) = match (short, rest) {
        (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest, 126),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest, 0x1_0000)
        }
        (126 | 127, _) => return Ok(None),
        (short, rest) => (u64::from(short), rest, 0),
    };
    let is_fit = length >= least && length >> 63 == 0;
    if is_fit { Ok(Some((length, rest))) } else { Err(Violation::Length) }
}
