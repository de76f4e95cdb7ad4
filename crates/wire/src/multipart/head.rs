//! The headers of a part, and the media type of a form.

use std::borrow::Cow;

/// How long the name of a field may be.
const NAME_BYTES_MAX: usize = 256;

/// How long a boundary may be (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// What the headers of a part say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// The name of the field.
    pub name: String,
    /// Whether it names a file.
    pub is_file: bool,
    /// Whether its content, if it is a text, is in UTF-8.
    pub is_utf8: bool,
}

type Problem = &'static str;

/// A parameter of a header's value: its name in small letters and its value.
type Param<'a> = (String, Cow<'a, [u8]>);

/// The boundary that the media type of a form names.
///
/// # Errors
///
/// What is wrong with it, in words for the caller.
pub fn boundary_of(media_type: &[u8]) -> Result<String, &'static str> {
    let (kind, params) = parameters(media_type)?;
    if !kind.eq_ignore_ascii_case(b"multipart/form-data") {
        return Err("the content type must be `multipart/form-data`");
    }
    let mut boundaries = params.iter().filter(|(name, _)| name == "boundary");
    let (Some((_, boundary)), None) = (boundaries.next(), boundaries.next()) else {
        return Err("the content type must name one boundary");
    };
    let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    let fits = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len())
        && boundary.iter().all(is_fit)
        && boundary.last() != Some(&b' ');
    let boundary = std::str::from_utf8(boundary).ok().filter(|_| fits);
    boundary.map(str::to_owned).ok_or("the boundary of the content type is not one by RFC 2046")
}

impl PartHead {
    /// Reads the headers, without the empty line behind them.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Problem> {
        let mut disposition = None;
        let mut media_type = None;
        for line in lines(text)? {
            let (name, value) = header(line)?;
            let place = match name.as_str() {
                "content-disposition" => &mut disposition,
                "content-type" => &mut media_type,
                "content-transfer-encoding" if !is_plain(value) => {
                    return Err("a part must not have a transfer encoding");
                }
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err("a part has the same header twice");
            }
        }
        let disposition = disposition.ok_or("a part has no `content-disposition`")?;
        let (name, is_file) = read_disposition(disposition)?;
        Ok(Self { name, is_file, is_utf8: media_type.map_or(Ok(true), is_utf8)? })
    }
}

fn lines(text: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Problem> {
    let bare = memchr::memchr3_iter(b'\r', b'\n', 0, text).any(|place| {
        let is = |at: Option<usize>, byte| at.and_then(|at| text.get(at)) == Some(&byte);
        match text.get(place) {
            Some(b'\r') => !is(place.checked_add(1), b'\n'),
            Some(b'\n') => !is(place.checked_sub(1), b'\r'),
            _ => true,
        }
    });
    if bare {
        return Err("the headers of a part have a line end that is not CRLF");
    }
    Ok(text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)))
}

fn header(line: &[u8]) -> Result<(String, &[u8]), Problem> {
    let colon = memchr::memchr(b':', line).ok_or("a header of a part has no colon")?;
    let (name, value) = line.split_at(colon);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err("a header of a part has a name that is none, or is folded");
    }
    Ok((lower(name), value.get(1..).unwrap_or_default().trim_ascii()))
}

fn is_plain(encoding: &[u8]) -> bool {
    [&b"binary"[..], b"8bit", b"7bit"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
}

fn read_disposition(value: &[u8]) -> Result<(String, bool), Problem> {
    let (kind, params) = parameters(value)?;
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return Err("the disposition of a part must be `form-data`");
    }
    let mut field = None;
    let mut is_file = false;
    for (param, value) in params {
        match param.as_str() {
            "name" => field = Some(value),
            "filename" | "filename*" => is_file = true,
            "name*" => return Err("the name of a field must stand in `name`"),
            _ => {}
        }
    }
    let field = field.ok_or("a part has no name")?;
    let is_fit = (1..=NAME_BYTES_MAX).contains(&field.len())
        && !field.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\');
    let field = std::str::from_utf8(&field).ok().filter(|_| is_fit);
    Ok((field.ok_or("a field has a name that readers may take differently")?.to_owned(), is_file))
}

fn is_utf8(media_type: &[u8]) -> Result<bool, Problem> {
    let (_, params) = parameters(media_type)?;
    let charset = params.iter().find(|(name, _)| name == "charset");
    Ok(charset.is_none_or(|(_, charset)| {
        charset.eq_ignore_ascii_case(b"utf-8") || charset.eq_ignore_ascii_case(b"us-ascii")
    }))
}

/// Splits a header's value into what stands before the first semicolon and the parameters behind it.
fn parameters(value: &[u8]) -> Result<(&[u8], Vec<Param<'_>>), Problem> {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (kind, mut rest) = value.split_at(end);
    let mut params: Vec<Param<'_>> = Vec::new();
    while let Some(param) = rest.strip_prefix(b";") {
        let param = param.trim_ascii_start();
        let equals = memchr::memchr(b'=', param).ok_or("a parameter of a header has no value")?;
        let (name, behind) = param.split_at(equals);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err("a parameter of a header has a name that is none");
        }
        let (value, behind) = value_of(behind.get(1..).unwrap_or_default())?;
        let name = lower(name);
        if params.iter().any(|(known, _)| *known == name) {
            return Err("a header has the same parameter twice");
        }
        params.push((name, value.into()));
        rest = behind.trim_ascii_start();
    }
    if rest.is_empty() { Ok((kind.trim_ascii(), params)) } else { Err("a parameter of a header goes on") }
}

/// A quoted string or a token, and what stands behind it. Readers differ in escapes, so that an escaped quote is refused.
fn value_of(text: &[u8]) -> Result<(&[u8], &[u8]), Problem> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        let is_fit = !token.is_empty() && !token.iter().any(|byte| b"\"\\".contains(byte));
        return if is_fit { Ok((token, rest)) } else { Err("a parameter of a header has no value") };
    };
    let end = memchr::memchr(b'"', quoted).ok_or("a quoted text in a header does not end")?;
    let (inner, rest) = quoted.split_at(end);
    if inner.last() == Some(&b'\\') {
        return Err("a quoted text in a header has an escape that readers take differently");
    }
    Ok((inner, rest.get(1..).unwrap_or_default()))
}

/// RFC 9110, section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

fn lower(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_ascii_lowercase()
}
