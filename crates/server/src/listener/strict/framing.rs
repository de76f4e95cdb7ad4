//! Follows the bytes of an HTTP/1 connection from request to request.
//!
//! Tells which bytes may go on to hyper. A head goes on only once it is complete and found good, so a
//! request that is refused has left no trace in hyper; body bytes go on as they come.

use super::chunked::{Chunked, Progress};
use super::head::{self, Body};
use super::violation::Violation;

/// The place of a connection in its sequence of requests.
#[derive(Debug)]
pub(in crate::listener) struct Framing {
    state: State,
    head_bytes_max: usize,
    headers_max: usize,
}

#[derive(Debug)]
enum State {
    /// At the start of a head, of which this many bytes hold no end.
    Head { searched: usize },
    /// Inside a body with this many bytes to come.
    Length { left: u64 },
    /// Inside a chunked body. Boxed, because it is rare and larger than the rest.
    Chunked(Box<Chunked>),
}

/// The verdict on some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::listener) enum Scan {
    /// All of them may go on.
    Pass,
    /// Those from here on begin a head; they must be kept and given again with what follows them.
    Hold { from: usize },
    /// Those from here on are a request that is refused. Nothing after it may be looked at.
    RefuseHead { from: usize, violation: Violation },
    /// Those from here on break the framing of a body whose head has gone on.
    RefuseBody { from: usize, violation: Violation },
}

impl Framing {
    pub(in crate::listener) fn new(head_bytes_max: usize, headers_max: usize) -> Self {
        Framing { state: State::Head { searched: 0 }, head_bytes_max, headers_max }
    }

    /// Whether the next byte begins a request.
    pub(in crate::listener) fn is_at_boundary(&self) -> bool {
        matches!(self.state, State::Head { .. })
    }

    /// Follows `bytes`, which go on where those of the last call ended, or begin with those that it told
    /// to hold.
    pub(in crate::listener) fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.state {
                State::Head { searched } => {
                    match complete_head(rest, searched, self.head_bytes_max, self.headers_max) {
                        Ok(None) => return Scan::Hold { from: at },
                        Ok(Some((length, body))) => {
                            at += length;
                            self.state = State::of(body);
                        }
                        Err(violation) => return Scan::RefuseHead { from: at, violation },
                    }
                }
                State::Length { left } => {
                    let step = (*left).min(rest.len() as u64);
                    *left -= step;
                    if *left > 0 {
                        return Scan::Pass;
                    }
                    at += usize::try_from(step).unwrap_or(rest.len());
                    self.state = State::Head { searched: 0 };
                }
                State::Chunked(chunked) => match chunked.scan(rest) {
                    Progress::More => return Scan::Pass,
                    Progress::Done(length) => {
                        at += length;
                        self.state = State::Head { searched: 0 };
                    }
                    Progress::Broken(offset, violation) => {
                        return Scan::RefuseBody { from: at + offset, violation };
                    }
                },
            }
        }
        Scan::Pass
    }
}

impl State {
    fn of(body: Body) -> Self {
        match body {
            Body::Length(0) => State::Head { searched: 0 },
            Body::Length(left) => State::Length { left },
            Body::Chunked => State::Chunked(Box::new(Chunked::new())),
        }
    }
}

/// Looks for a complete head at the start of `bytes`. None while it has no end.
fn complete_head(
    bytes: &[u8],
    searched: &mut usize,
    head_bytes_max: usize,
    headers_max: usize,
) -> Result<Option<(usize, Body)>, Violation> {
    // One empty line before a request is what old clients send after a body.
    let leading = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let (_, head) = bytes.split_at(leading);
    match head.first() {
        None => return Ok(None),
        Some(b'\r') if bytes.len() == 1 => return Ok(None),
        Some(byte) if byte.is_ascii_alphabetic() => {}
        Some(b'\n') => return Err(Violation::BareLf),
        Some(b'\r' | b' ' | b'\t') => return Err(Violation::RequestLine),
        Some(byte) if byte.is_ascii_graphic() => return Err(Violation::Method),
        Some(_) => return Err(Violation::NotHttp),
    }
    // A head in one piece is read once. Of one in many, only what is new is looked at until it is whole.
    let is_worth_reading = *searched == 0 || head::find_end(head, searched.saturating_sub(leading)).is_some();
    let complete = if is_worth_reading { head::check(head, headers_max)? } else { None };
    if complete.map_or(head.len(), |(length, _)| length) > head_bytes_max {
        return Err(Violation::HeadTooLarge);
    }
    *searched = bytes.len();
    Ok(complete.map(|(length, body)| (leading + length, body)))
}
