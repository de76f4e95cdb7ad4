//! Writing JSON, member by member.

use crate::json::quote_into;

/// An object or array that is being written at the end of a text.
#[derive(Debug)]
pub(super) struct Open<'o> {
    out: &'o mut Vec<u8>,
    close: u8,
    has_any: bool,
}

impl<'o> Open<'o> {
    /// Opens an object.
    pub(super) fn object(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, close: b'}', has_any: false }
    }

    /// Opens an array.
    pub(super) fn array(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, close: b']', has_any: false }
    }

    fn comma(&mut self) {
        if self.has_any {
            self.out.push(b',');
        }
        self.has_any = true;
    }

    /// The place for the value of the member `key`.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.comma();
        quote_into(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// The place for the next element.
    pub(super) fn element(&mut self) -> &mut Vec<u8> {
        self.comma();
        self.out
    }

    /// A member that is a string.
    pub(super) fn str(&mut self, key: &str, text: &str) {
        quote_into(self.key(key), text);
    }

    /// A member whose value is JSON already.
    pub(super) fn raw(&mut self, key: &str, json: impl AsRef<[u8]>) {
        self.key(key).extend_from_slice(json.as_ref());
    }

    /// Whether nothing has been written into it.
    pub(super) const fn is_empty(&self) -> bool {
        !self.has_any
    }

    /// Closes it.
    pub(super) fn close(self) {
        self.out.push(self.close);
    }
}
