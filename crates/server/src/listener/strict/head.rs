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

/// Finds how far the head that `bytes` begin with has to be there before it can be judged, having looked at
/// the first `searched` before: to its empty line, or to a line that ends in a bare LF.
pub(super) fn find_end(bytes: &[u8], searched: usize) -> Option<usize> {
    let ends = memchr_iter(b'\n', bytes.get(searched..).unwrap_or_default());
    ends.map(|offset| searched + offset).find_map(|lf| match bytes.split_at(lf).0 {
        [.., b'\n', b'\r'] => Some(lf + 1),
        [.., b'\r'] => None,
        _ => Some(lf + 1),
    })
}

/// Checks the head that `bytes` begin with, in one pass over its lines. Tells its length and how its body
/// ends, or nothing if it is not complete and good so far.
///
/// # Errors
/// The first violation found. Control characters are looked for last, all at once.
pub(super) fn check(bytes: &[u8], headers_max: usize) -> Result<Option<(usize, Body)>, Violation> {
    let mut lines = Lines { bytes, at: 0 };
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let request = RequestLine::parse(first).map_err(|violation| name_control(first, violation))?;
    let mut fields = Fields::default();
    let mut count = 0;
    loop {
        let Some(line) = lines.next().transpose()? else { return Ok(None) };
        if line.is_empty() {
            break;
        }
        if count == headers_max {
            return Err(Violation::TooManyHeaders);
        }
        count += 1;
        fields.add(line).map_err(|violation| name_control(line, violation))?;
    }
    let (head, _) = bytes.split_at(lines.at);
    // Each line has its CR and LF, so any further control character is one too many.
    if count_controls(head) != 2 * (count + 2) {
        return Err(first_control(head));
    }
    fields.check_host(&request)?;
    Ok(Some((lines.at, fields.body(&request)?)))
}

/// Iterates over the complete lines of a head, without their ends.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], Violation>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let end = memchr(b'\n', rest)?;
        self.at += end + 1;
        let (line, _) = rest.split_at(end);
        Some(line.strip_suffix(b"\r").ok_or(Violation::BareLf))
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
    #[inline]
    fn add(&mut self, line: &'a [u8]) -> Result<(), Violation> {
        let (name, value) = split_field(line)?;
        // Most fields are passed over for their length alone.
        match name.len() {
            4 | 14 | 17 => self.add_known(name, value.trim_ascii()),
            _ => Ok(()),
        }
    }

    fn add_known(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Violation> {
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

/// Splits a header or trailer line into its name and its value, with the white space around the value.
#[inline]
pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    let end = line.iter().position(|&byte| !is_token(byte)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    match (name, rest) {
        ([_, ..], [b':', value @ ..]) => Ok((name, value)),
        ([], [b' ' | b'\t', ..]) => Err(Violation::ObsoleteFold),
        ([_, ..], rest) if rest.trim_ascii_start().first() == Some(&b':') => Err(Violation::SpaceBeforeColon),
        _ => Err(Violation::HeaderName),
    }
}

/// Refuses control characters other than the tab.
pub(super) fn check_controls(line: &[u8]) -> Result<(), Violation> {
    if count_controls(line) == 0 {
        return Ok(());
    }
    Err(if line.contains(&b'\r') { Violation::BareCr } else { Violation::Control })
}

/// A control character in a line explains whatever else is wrong with the line.
fn name_control(line: &[u8], violation: Violation) -> Violation {
    check_controls(line).err().unwrap_or(violation)
}

fn first_control(head: &[u8]) -> Violation {
    let mut lines = Lines { bytes: head, at: 0 }.flatten();
    lines.find_map(|line| check_controls(line).err()).unwrap_or(Violation::Control)
}

/// Counts in steps that fit a byte, so that it runs on whole vectors of them.
fn count_controls(bytes: &[u8]) -> usize {
    let is_control = |byte: u8| ((byte < b' ') & (byte != b'\t')) | (byte == 0x7f);
    bytes
        .chunks(128)
        .map(|step| usize::from(step.iter().map(|&byte| u8::from(is_control(byte))).sum::<u8>()))
        .sum()
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
