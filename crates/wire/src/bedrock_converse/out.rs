//! Members in members, as the dialect has many: JSON that is written inside out.

use crate::json::{ListWriter, ObjectWriter};

/// An object under way.
#[derive(Debug)]
pub(super) struct Object<'o>(ObjectWriter<'o>);

/// An object with the members that `write` gives it.
pub(super) fn made(write: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    sized(0, write)
}

/// The same, where it is known about how long it will be.
pub(super) fn sized(bytes: usize, write: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes);
    write_into(ObjectWriter::open(&mut out), write);
    out
}

fn write_into<'o>(object: ObjectWriter<'o>, write: impl FnOnce(&mut Object<'o>)) {
    let mut object = Object(object);
    write(&mut object);
    object.0.close();
}

impl Object<'_> {
    /// A member whose value is JSON text.
    pub(super) fn raw(&mut self, key: &str, json: impl AsRef<[u8]>) {
        self.0.key(key).extend_from_slice(json.as_ref());
    }

    /// A member whose value is a string.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.0.str(key, text);
    }

    /// A member whose value is a number.
    pub(super) fn number(&mut self, key: &str, number: u64) {
        self.0.number(key, number);
    }

    /// A member whose value is an object.
    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        write_into(self.0.object(key), |object| write(object));
    }

    /// A member whose value is an array of JSON texts.
    pub(super) fn array<V: AsRef<[u8]>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        let mut list: ListWriter<'_> = self.0.list(key);
        values.into_iter().for_each(|value| list.item().extend_from_slice(value.as_ref()));
        list.close();
    }

    /// A member whose value is an array of objects, each with the members that `write` gives it.
    pub(super) fn objects<V>(&mut self, key: &str, values: &[V], write: impl Fn(&V, &mut Object<'_>)) {
        let mut list: ListWriter<'_> = self.0.list(key);
        values.iter().for_each(|value| write_into(list.object(), |object| write(value, object)));
        list.close();
    }
}
