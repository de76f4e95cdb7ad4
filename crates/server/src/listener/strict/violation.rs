//! The ways in which a request can break HTTP so that it is refused.

use http::StatusCode;

/// What a client did wrong. `Display` is the sentence that the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The head did not come within its time.
    #[error("the request head did not arrive in time")]
    HeadTimeout,
    /// The head has more bytes than allowed.
    #[error("the request head is too large")]
    HeadTooLarge,
    /// The head has more fields than allowed.
    #[error("the request has too many header fields")]
    TooManyHeaders,
    /// The bytes are no request at all.
    #[error("the bytes are not an HTTP/1 request; is this a TLS connection to a cleartext port?")]
    NotHttp,
    /// An HTTP/2 preface on a connection that is not HTTP/2.
    #[error("HTTP/2 without TLS is not enabled here; use HTTP/1.1 or TLS")]
    Http2Preface,
    /// The request line is not method, target and version with one space between them.
    #[error("the request line is malformed")]
    RequestLine,
    /// The method has characters that methods do not have.
    #[error("the method is malformed")]
    Method,
    /// CONNECT, which this server does not do.
    #[error("CONNECT is not supported")]
    Connect,
    /// The target has forbidden characters or is in a form that does not fit the method.
    #[error("the request target is malformed")]
    Target,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    #[error("the HTTP version is not supported")]
    Version,
    /// A line ends in LF without CR.
    #[error("a line of the request ends in a bare LF")]
    BareLf,
    /// A CR that does not begin a line end.
    #[error("the request has a bare CR")]
    BareCr,
    /// A header line that begins with white space.
    #[error("a header line is folded")]
    ObsoleteFold,
    /// White space before the colon of a header line.
    #[error("a header name is followed by white space")]
    SpaceBeforeColon,
    /// A header name that is empty, has forbidden characters, or has no colon.
    #[error("a header name is malformed")]
    HeaderName,
    /// A control character in a line.
    #[error("a line of the request has control characters")]
    Control,
    /// More than one Content-Length, equal or not.
    #[error("Content-Length is repeated")]
    LengthRepeated,
    /// A Content-Length that is not a plain number.
    #[error("Content-Length is malformed")]
    Length,
    /// Two ways to say where the body ends.
    #[error("Content-Length and Transfer-Encoding exclude each other")]
    LengthWithCoding,
    /// A Transfer-Encoding other than exactly `chunked`, once.
    #[error("the only Transfer-Encoding supported is chunked, once")]
    Coding,
    /// A Transfer-Encoding in HTTP/1.0.
    #[error("Transfer-Encoding needs HTTP/1.1")]
    CodingInHttp10,
    /// No Host in HTTP/1.1.
    #[error("Host is missing")]
    HostMissing,
    /// More than one Host.
    #[error("Host is repeated")]
    HostRepeated,
    /// A Host that is not a host with an optional port.
    #[error("Host is malformed")]
    Host,
    /// A target that names another host than Host does.
    #[error("the request target and Host differ")]
    HostDiffers,
    /// A chunk size that is not a hexadecimal number, or is followed by white space.
    #[error("a chunk size is malformed")]
    ChunkSize,
    /// A chunk extension that is too long or not well formed.
    #[error("a chunk extension is malformed")]
    ChunkExtension,
    /// Chunk data that is not followed by CRLF.
    #[error("a chunk is not closed by CRLF")]
    ChunkEnd,
    /// A trailer field that is malformed, or trailers that are too long.
    #[error("the trailer is malformed or too large")]
    Trailer,
}

impl Violation {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        if self == Violation::HeadTimeout {
            StatusCode::REQUEST_TIMEOUT
        } else if self.is_about_size() {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        }
    }

    /// The machine-readable name of the group that it belongs to.
    #[must_use]
    pub fn code(self) -> &'static str {
        if self == Violation::HeadTimeout {
            "request_timeout"
        } else if self.is_about_size() {
            "headers_too_large"
        } else {
            "malformed_http"
        }
    }

    fn is_about_size(self) -> bool {
        matches!(self, Violation::HeadTooLarge | Violation::TooManyHeaders)
    }
}
