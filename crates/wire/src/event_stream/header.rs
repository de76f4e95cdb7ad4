//! The headers of a message: a name, a type and a value each.

/// The value of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValue<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// One byte.
    Byte(i8),
    /// Two bytes.
    Short(i16),
    /// Four bytes.
    Int(i32),
    /// Eight bytes.
    Long(i64),
    /// Bytes, at most 65,535.
    Bytes(&'a [u8]),
    /// Text, at most 65,535 bytes.
    Text(&'a str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// A UUID.
    Uuid([u8; 16]),
}

/// The headers of a message, in order.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Whether they can be read to their end.
    pub(super) fn check(text: &'a [u8]) -> Option<()> {
        let mut headers = Self::new(text);
        while !headers.rest.is_empty() {
            headers.read()?;
        }
        Some(())
    }

    fn read(&mut self) -> Option<(&'a str, HeaderValue<'a>)> {
        let [length] = self.fixed()?;
        let name = self.text(usize::from(length)).filter(|name| !name.is_empty())?;
        let [kind] = self.fixed()?;
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(self.fixed()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(self.fixed()?)),
            4 => HeaderValue::Int(i32::from_be_bytes(self.fixed()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(self.fixed()?)),
            6 => {
                let length = u16::from_be_bytes(self.fixed()?);
                HeaderValue::Bytes(self.bytes(usize::from(length))?)
            }
            7 => {
                let length = u16::from_be_bytes(self.fixed()?);
                HeaderValue::Text(self.text(usize::from(length))?)
            }
            8 => HeaderValue::Timestamp(i64::from_be_bytes(self.fixed()?)),
            9 => HeaderValue::Uuid(self.fixed()?),
            _ => return None,
        };
        Some((name, value))
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn text(&mut self, length: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, HeaderValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.read()
    }
}
