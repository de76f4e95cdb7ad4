//! A chunked body, followed byte by byte through its framing and in one step through its data.

use super::head::{self, is_token};
use super::violation::Violation;

/// Bytes of a chunk extension. What clients send is none.
const EXTENSION_BYTES_MAX: usize = 256;
/// Bytes of all trailer fields.
const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Digits of a chunk size, enough for any size that fits.
const SIZE_DIGITS_MAX: u8 = 15;

/// Where in a chunked body the bytes stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Size {
        size: u64,
        digits: u8,
    },
    Extension {
        size: u64,
        part: Extension,
        bytes: usize,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// Inside a trailer line, which is kept because a name can be judged only whole.
    Trailer {
        line: Vec<u8>,
        bytes: usize,
    },
    TrailerLf {
        line: Vec<u8>,
        bytes: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    NameStart,
    Name,
    ValueStart,
    Value,
    Quoted,
    Escaped,
    QuotedEnd,
}

/// How far a scan came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// All bytes belong to the body.
    More,
    /// The body ended after this many bytes.
    Done(usize),
    /// The byte at this place breaks the framing.
    Broken(usize, Violation),
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked { state: State::Size { size: 0, digits: 0 } }
    }

    /// Follows `bytes`, which go on where those of the last call ended.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let State::Data { left } = &mut self.state {
                let here = (bytes.len() - at) as u64;
                let step = here.min(*left);
                *left -= step;
                if *left > 0 {
                    return Progress::More;
                }
                self.state = State::DataCr;
                at += usize::try_from(step).unwrap_or(bytes.len());
                continue;
            }
            match self.step(byte) {
                Ok(false) => at += 1,
                Ok(true) => return Progress::Done(at + 1),
                Err(violation) => return Progress::Broken(at, violation),
            }
        }
        Progress::More
    }

    /// Takes one byte of framing. True if it was the last of the body.
    fn step(&mut self, byte: u8) -> Result<bool, Violation> {
        self.state = match (std::mem::replace(&mut self.state, State::DataCr), byte) {
            (State::Size { size, digits }, byte) => size_step(size, digits, byte)?,
            (State::Extension { size, part, bytes }, byte) => extension_step(size, part, bytes, byte)?,
            (State::SizeLf { size: 0 }, b'\n') => State::Trailer { line: Vec::new(), bytes: 0 },
            (State::SizeLf { size }, b'\n') => State::Data { left: size },
            (State::SizeLf { .. }, _) => return Err(Violation::BareCr),
            (State::Data { .. } | State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { size: 0, digits: 0 },
            (State::Data { .. } | State::DataCr | State::DataLf, _) => return Err(Violation::ChunkEnd),
            (State::Trailer { line, bytes }, b'\r') => State::TrailerLf { line, bytes },
            (State::Trailer { .. }, b'\n') => return Err(Violation::BareLf),
            (State::Trailer { mut line, bytes }, byte) => {
                if bytes >= TRAILER_BYTES_MAX {
                    return Err(Violation::Trailer);
                }
                line.push(byte);
                State::Trailer { line, bytes: bytes + 1 }
            }
            (State::TrailerLf { line, .. }, b'\n') if line.is_empty() => return Ok(true),
            (State::TrailerLf { mut line, bytes }, b'\n') => {
                let checked = head::check_controls(&line).and_then(|()| head::split_field(&line).map(drop));
                checked.map_err(|_| Violation::Trailer)?;
                line.clear();
                State::Trailer { line, bytes }
            }
            (State::TrailerLf { .. }, _) => return Err(Violation::BareCr),
        };
        Ok(false)
    }
}

fn size_step(size: u64, digits: u8, byte: u8) -> Result<State, Violation> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' if digits > 0 => return Ok(State::SizeLf { size }),
        b';' if digits > 0 => return Ok(State::Extension { size, part: Extension::NameStart, bytes: 0 }),
        b'\n' => return Err(Violation::BareLf),
        _ => return Err(Violation::ChunkSize),
    };
    if digits >= SIZE_DIGITS_MAX {
        return Err(Violation::ChunkSize);
    }
    Ok(State::Size { size: size * 16 + u64::from(digit), digits: digits + 1 })
}

fn extension_step(size: u64, part: Extension, bytes: usize, byte: u8) -> Result<State, Violation> {
    let part = match (part, byte) {
        (Extension::Name | Extension::Value | Extension::QuotedEnd, b'\r') => {
            return Ok(State::SizeLf { size });
        }
        (Extension::Name | Extension::Value | Extension::QuotedEnd, b';') => Extension::NameStart,
        (Extension::NameStart | Extension::Name, byte) if is_token(byte) => Extension::Name,
        (Extension::Name, b'=') => Extension::ValueStart,
        (Extension::ValueStart, b'"') => Extension::Quoted,
        (Extension::ValueStart | Extension::Value, byte) if is_token(byte) => Extension::Value,
        (Extension::Quoted, b'"') => Extension::QuotedEnd,
        (Extension::Quoted, b'\\') => Extension::Escaped,
        (Extension::Quoted | Extension::Escaped, b'\t' | b' '..=b'~') => Extension::Quoted,
        (_, b'\n') => return Err(Violation::BareLf),
        _ => return Err(Violation::ChunkExtension),
    };
    if bytes >= EXTENSION_BYTES_MAX {
        return Err(Violation::ChunkExtension);
    }
    Ok(State::Extension { size, part, bytes: bytes + 1 })
}
