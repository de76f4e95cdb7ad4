//! JSON text written from front to back, commas thought of.

use super::quote_into;

/// Writes an object behind what is there already.
#[derive(Debug)]
pub(crate) struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    has_members: bool,
}

/// Writes an array behind what is there already.
#[derive(Debug)]
pub(crate) struct ListWriter<'o> {
    out: &'o mut Vec<u8>,
    has_items: bool,
}

impl<'o> ObjectWriter<'o> {
    /// Opens an object.
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, has_members: false }
    }

    /// Writes a key; the value is to be appended to what this gives.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if self.has_members {
            self.out.push(b',');
        }
        self.has_members = true;
        quote_into(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// Writes a member whose value is a string.
    pub(crate) fn str(&mut self, key: &str, text: &str) {
        quote_into(self.key(key), text);
    }

    /// Writes a member whose value is JSON text already.
    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }

    /// Writes a member whose value is a number.
    pub(crate) fn number(&mut self, key: &str, number: u64) {
        self.raw(key, &number.to_string());
    }

    /// Writes a member whose value is a boolean.
    pub(crate) fn bool(&mut self, key: &str, value: bool) {
        self.raw(key, if value { "true" } else { "false" });
    }

    /// Opens an object as the value of a member.
    pub(crate) fn object(&mut self, key: &str) -> ObjectWriter<'_> {
        ObjectWriter::open(self.key(key))
    }

    /// Opens an array as the value of a member.
    pub(crate) fn list(&mut self, key: &str) -> ListWriter<'_> {
        ListWriter::open(self.key(key))
    }

    /// Whether it has no members yet.
    pub(crate) const fn is_empty(&self) -> bool {
        !self.has_members
    }

    /// Closes the object.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }
}

impl<'o> ListWriter<'o> {
    /// Opens an array.
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, has_items: false }
    }

    /// Begins an item, which is to be appended to what this gives.
    pub(crate) fn item(&mut self) -> &mut Vec<u8> {
        if self.has_items {
            self.out.push(b',');
        }
        self.has_items = true;
        self.out
    }

    /// Opens an object as the next item.
    pub(crate) fn object(&mut self) -> ObjectWriter<'_> {
        ObjectWriter::open(self.item())
    }

    /// Writes a string as the next item.
    pub(crate) fn str(&mut self, text: &str) {
        quote_into(self.item(), text);
    }

    /// Whether it has no items yet.
    pub(crate) const fn is_empty(&self) -> bool {
        !self.has_items
    }

    /// Closes the array.
    pub(crate) fn close(self) {
        self.out.push(b']');
    }
}
