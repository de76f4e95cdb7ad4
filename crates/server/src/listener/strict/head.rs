//! One request head, complete, from its request line to its empty line.

use memchr::{memchr, memchr_iter};

use super::authority;
use super::violation::Violation;

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// A number of bytes, zero where the head says nothing.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// Finds the end of the head that `bytes` begin with, having looked at the first `searched` before.
///
/// # Errors
/// [`Violation::BareLf`] as soon as a line ends in one, since such a head may never end.
pub(super) fn find_end(bytes: &[u8], searched: usize) -> Result<Option<usize>, Violation> {
    for offset in memchr_iter(b'\n', bytes.get(searched..).unwrap_or_default()) {
        let (line_end, _) = bytes.split_at(searched + offset);
        match line_end {
            [.., b'\n', b'\r'] => return Ok(Some(line_end.len() + 1)),
            [.., b'\r'] => {}
            _ => return Err(Violation::BareLf),
        }
    }
    Ok(None)
}

/// Checks a complete head and tells how its body ends.
///
/// # Errors
/// The first violation found.
pub(super) fn check(head: &[u8], headers_max: usize) -> Result<Body, Violation> {
    let mut lines = Lines(head);
    let request = RequestLine::parse(lines.next().ok_or(Violation::RequestLine)?)?;
    let mut fields = Fields::default();
    for (index, line) in lines.enumerate() {
        if line.is_empty() {
            break;
        }
        if index >= headers_max {
            return Err(Violation::TooManyHeaders);
        }
        fields.add(line)?;
    }
    fields.check_host(&request)?;
    fields.body(&request)
}

/// Iterates over lines that all end in CRLF.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.0)?;
        let (line, rest) = self.0.split_at(end + 1);
        self.0 = rest;
        line.strip_suffix(b"\r\n")
    }
}

#[derive(Debug)]
struct RequestLine<'a> {
    /// The authority of a target in absolute form.
    authority: Option<&'a [u8]>,
    is_http10: bool,
}

impl<'a> RequestLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Violation> {
        check_value(line).map_err(|violation| match violation {
            Violation::BareCr => Violation::BareCr,
            _ => Violation::RequestLine,
        })?;
        let mut parts = line.split(|&b| b == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Violation::RequestLine);
        };
        check_method(method, version)?;
        let is_http10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', ..] => return Err(Violation::Version),
            _ => return Err(Violation::RequestLine),
        };
        Ok(RequestLine { authority: check_target(method, target)?, is_http10 })
    }
}

fn check_method(method: &[u8], version: &[u8]) -> Result<(), Violation> {
    match (method, version) {
        (b"PRI", b"HTTP/2.0") => Err(Violation::Http2Preface),
        (b"CONNECT", _) => Err(Violation::Connect),
        ([], _) => Err(Violation::RequestLine),
        (method, _) if method.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-') => Ok(()),
        _ => Err(Violation::Method),
    }
}

/// Checks the target and returns the authority in it, if it is in absolute form.
fn check_target<'a>(method: &[u8], target: &'a [u8]) -> Result<Option<&'a [u8]>, Violation> {
    let is_forbidden = |b: &u8| !b.is_ascii_graphic() || matches!(b, b'#' | b'\\' | b'<' | b'>' | b'`');
    if target.iter().any(is_forbidden) {
        return Err(Violation::Target);
    }
    match target {
        [b'/', ..] => Ok(None),
        b"*" if method == b"OPTIONS" => Ok(None),
        _ => {
            let rest = strip_scheme(target).ok_or(Violation::Target)?;
            let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
            let (authority, _) = rest.split_at(end);
            authority::check(authority).map_err(|_| Violation::Target)?;
            Ok(Some(authority))
        }
    }
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// The header fields that decide about the request's border and its host.
#[derive(Debug, Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    is_chunked: bool,
}

impl<'a> Fields<'a> {
    fn add(&mut self, line: &'a [u8]) -> Result<(), Violation> {
        let (name, value) = split_field(line)?;
        // The comparison looks at the length first, so most fields are passed over at once.
        if name.eq_ignore_ascii_case(b"host") {
            if self.host.replace(value).is_some() {
                return Err(Violation::HostRepeated);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.replace(parse_length(value)?).is_some() {
                return Err(Violation::LengthRepeated);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::Coding);
            }
            self.is_chunked = true;
        }
        Ok(())
    }

    fn check_host(&self, request: &RequestLine<'_>) -> Result<(), Violation> {
        let Some(host) = self.host else {
            return if request.is_http10 { Ok(()) } else { Err(Violation::HostMissing) };
        };
        authority::check(host)?;
        match request.authority {
            Some(authority) if !authority.eq_ignore_ascii_case(host) => Err(Violation::HostDiffers),
            Some(_) | None => Ok(()),
        }
    }

    fn body(&self, request: &RequestLine<'_>) -> Result<Body, Violation> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(Violation::LengthWithCoding),
            (true, None) if request.is_http10 => Err(Violation::CodingInHttp10),
            (true, None) => Ok(Body::Chunked),
            (false, length) => Ok(Body::Length(length.unwrap_or(0))),
        }
    }
}

/// Splits a header or trailer line into its name and its value without the white space around it.
pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if let [b' ' | b'\t', ..] = line {
        return Err(Violation::ObsoleteFold);
    }
    // A CR that begins no line end is named as that, wherever in the line it stands.
    check_value(line)?;
    let colon = memchr(b':', line).ok_or(Violation::HeaderName)?;
    let (name, value) = line.split_at(colon);
    if let [.., b' ' | b'\t'] = name {
        return Err(Violation::SpaceBeforeColon);
    }
    if name.is_empty() || !name.iter().all(|&b| is_token(b)) {
        return Err(Violation::HeaderName);
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Refuses control characters other than the tab. Has no early exit, so that it runs on whole vectors.
fn check_value(value: &[u8]) -> Result<(), Violation> {
    let bad = value.iter().fold(false, |bad, &b| bad | ((b < b' ') & (b != b'\t')) | (b == 0x7f));
    if !bad {
        return Ok(());
    }
    Err(if value.contains(&b'\r') { Violation::BareCr } else { Violation::HeaderValue })
}

fn parse_length(value: &[u8]) -> Result<u64, Violation> {
    if value.is_empty() {
        return Err(Violation::Length);
    }
    value
        .iter()
        .try_fold(0u64, |length, byte| match byte {
            b'0'..=b'9' => length.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })
        // hyper keeps the two highest values for itself.
        .filter(|length| *length < u64::MAX - 2)
        .ok_or(Violation::Length)
}

/// The characters of header names and chunk extensions.
pub(super) fn is_token(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0u8;
        while byte < 128 {
            table[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let marks = b"!#$%&'*+-.^_`|~";
        let mut index = 0;
        while index < marks.len() {
            table[marks[index] as usize] = true;
            index += 1;
        }
        table
    };
    TABLE[usize::from(byte)]
}
