//! From hyper's errors to this crate's.

use std::error::Error;
use std::io;

use super::{ReadError, SendError};
use crate::deadline::Passed;

/// What an error of hyper comes down to.
enum Cause {
    /// The caller's own streamed body failed.
    RequestBody,
    /// The peer sent something that is not HTTP.
    Malformed,
    /// The peer said that it has not processed the stream.
    Refused,
    /// The peer closed where it should not.
    Closed,
    /// Anything else that broke the connection or stream.
    Broken,
}

pub(crate) fn send_timeout(passed: Passed, sent: bool) -> SendError {
    match passed {
        Passed::Wait(waited) => SendError::FirstByteTimeout { waited, sent },
        Passed::Total(after) => SendError::TotalTimeout { after, sent },
    }
}

pub(crate) fn read_timeout(passed: Passed) -> ReadError {
    match passed {
        Passed::Wait(waited) => ReadError::GapTimeout { waited },
        Passed::Total(after) => ReadError::TotalTimeout { after },
    }
}

/// Names the reason for which a request has no answer.
pub(crate) fn send_error(error: hyper::Error, sent: bool) -> SendError {
    match cause(&error) {
        Cause::RequestBody => SendError::RequestBody { source: error.into() },
        Cause::Malformed => SendError::Malformed { source: error.into() },
        Cause::Refused => SendError::StreamRefused,
        Cause::Closed => SendError::ClosedEarly { sent },
        Cause::Broken => SendError::Reset { sent, source: error.into() },
    }
}

/// Names the reason for which an answer ended early; `connection` says more where it is known.
pub(crate) fn read_error(body: hyper::Error, connection: Option<hyper::Error>) -> ReadError {
    let error = connection.unwrap_or(body);
    match cause(&error) {
        Cause::RequestBody => ReadError::RequestBody { source: error.into() },
        Cause::Malformed => ReadError::Malformed { source: error.into() },
        Cause::Closed => ReadError::ClosedEarly,
        Cause::Refused | Cause::Broken => ReadError::Reset { source: error.into() },
    }
}

fn cause(error: &hyper::Error) -> Cause {
    if error.is_user() || error.is_body_write_aborted() {
        return Cause::RequestBody;
    }
    if error.is_parse() {
        return Cause::Malformed;
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return Cause::Closed;
    }
    if let Some(stream) = find::<h2::Error>(error) {
        return stream_cause(stream);
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => Cause::Closed,
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Cause::Malformed,
        Some(_) => Cause::Broken,
        // hyper has no accessor for bytes that came unasked; they are all that is left.
        None => Cause::Malformed,
    }
}

fn stream_cause(error: &h2::Error) -> Cause {
    // A graceful GOAWAY that ends a stream says that the stream was above the last one processed.
    let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM)
        || (error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR));
    if refused {
        return Cause::Refused;
    }
    match error.get_io().map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => Cause::Closed,
        Some(_) => Cause::Broken,
        None if error.is_library() => Cause::Malformed,
        None => Cause::Broken,
    }
}

fn find<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        next = current.source();
    }
    None
}
