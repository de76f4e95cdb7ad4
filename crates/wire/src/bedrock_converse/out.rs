//! JSON as it is written, member by member.

use crate::json::quote_into;

/// An object under way.
#[derive(Debug)]
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

/// Appends an object with the members that `write` gives it.
pub(super) fn object(out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    write(&mut Object { out, is_empty: true });
    out.push(b'}');
}

/// An object with the members that `write` gives it.
pub(super) fn made(write: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, write);
    out
}

/// Appends an array of values.
pub(super) fn array<V: AsRef<[u8]>>(out: &mut Vec<u8>, values: &[V]) {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(value.as_ref());
    }
    out.push(b']');
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        quote_into(self.out, key);
        self.out.push(b':');
    }

    /// A member whose value is JSON text.
    pub(super) fn raw(&mut self, key: &str, json: impl AsRef<[u8]>) {
        self.key(key);
        self.out.extend_from_slice(json.as_ref());
    }

    /// A member whose value is a string.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        quote_into(self.out, text);
    }

    /// A member whose value is a number.
    pub(super) fn number(&mut self, key: &str, number: u64) {
        self.raw(key, number.to_string());
    }

    /// A member whose value is an object.
    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        object(self.out, write);
    }

    /// A member whose value is an array.
    pub(super) fn array<V: AsRef<[u8]>>(&mut self, key: &str, values: &[V]) {
        self.key(key);
        array(self.out, values);
    }
}
