//! What a request must be before the application sees it.
//!
//! hyper parses leniently where real servers and proxies disagree, and a disagreement about where one
//! request ends is how a second one is smuggled. Two layers refuse what is not plain: [`Framing`] follows
//! the bytes of an HTTP/1 connection and looks at each head before hyper does; [`check`] looks at the
//! parsed request of both versions. Bodies are counted, never copied.

mod authority;
mod chunked;
mod framing;
mod head;
mod violation;

#[cfg(test)]
mod tests;

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use http::{Method, Request, Version};

pub(super) use self::framing::{Framing, Scan};
pub use self::violation::Violation;

/// What hyper is given in place of a head that was refused, so that the refusal is answered in its turn,
/// after the answers to the requests before it. No client can send this method: [`Framing`] refuses it.
pub(super) const REFUSED_REQUEST: &[u8] = b"! / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// The method of [`REFUSED_REQUEST`].
const REFUSED_METHOD: &str = "!";

/// Checks a parsed request.
///
/// Over HTTP/1 this repeats a part of what the bytes were checked for, so that hyper and [`Framing`] are
/// known to have read the same request; over HTTP/2 it is the only check.
///
/// # Errors
/// The violation that the socket refused the request for, or else the first one found.
pub(super) fn check<B>(request: &Request<B>, refusal: Option<Violation>) -> Result<(), Violation> {
    if request.method().as_str() == REFUSED_METHOD {
        return Err(refusal.unwrap_or(Violation::Method));
    }
    if request.method() == Method::CONNECT {
        return Err(Violation::Connect);
    }
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(Violation::LengthWithCoding);
    }
    let host = single(headers)?;
    if request.version() < Version::HTTP_2 {
        // The form of both was checked in the bytes, where the whole target still was.
        let may_lack_host = request.version() == Version::HTTP_10;
        return if host.is_some() || may_lack_host { Ok(()) } else { Err(Violation::HostMissing) };
    }
    match (host, request.uri().authority()) {
        (None, None) => Err(Violation::HostMissing),
        (Some(host), None) => authority::check(host),
        (None, Some(authority)) => authority::check(authority.as_str().as_bytes()),
        (Some(host), Some(authority)) => {
            authority::check(host)?;
            let is_equal = host.eq_ignore_ascii_case(authority.as_str().as_bytes());
            if is_equal { Ok(()) } else { Err(Violation::HostDiffers) }
        }
    }
}

fn single(headers: &HeaderMap) -> Result<Option<&[u8]>, Violation> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map(http::HeaderValue::as_bytes);
    if hosts.next().is_some() { Err(Violation::HostRepeated) } else { Ok(host) }
}
