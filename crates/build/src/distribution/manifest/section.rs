//! The reader of one table of the manifest: typed look-ups that note what is wrong and go on.
//!
//! Nothing stops at the first mistake. A mistake is one line: file, line, what is wrong, and what was probably meant.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FILE, Located};

/// Below this likeness a suggestion would rather confuse.
const LIKENESS_MIN: f64 = 0.7;

/// The text of the manifest, and what is wrong with it so far.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    text: &'a str,
    found: RefCell<Vec<(usize, String)>>,
}

impl<'a> Notes<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: RefCell::default() }
    }

    /// The line of a place in the text, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    pub(super) fn tell(&self, line: usize, message: impl Into<String>) {
        self.found.borrow_mut().push((line, message.into()));
    }

    /// The mistakes in the order of their lines.
    pub(super) fn into_lines(self) -> Vec<String> {
        let mut found = self.found.into_inner();
        found.sort();
        found.into_iter().map(|(line, message)| format!("{FILE}:{line}: {message}")).collect()
    }
}

/// One table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section<'a> {
    notes: &'a Notes<'a>,
    table: &'a DeTable<'a>,
    /// The name of the table in messages; empty for the whole file.
    pub(super) name: &'a str,
    /// Where the table begins.
    pub(super) line: usize,
}

impl<'a> Section<'a> {
    pub(super) fn new(notes: &'a Notes<'a>, table: &'a DeTable<'a>, name: &'a str, line: usize) -> Self {
        Self { notes, table, name, line }
    }

    /// Notes every key that is none of `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let line = self.notes.line(key.span().start);
                self.notes.tell(line, format!("{} is not known{}", self.key(name), hint(name, known)));
            }
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The line of a key.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        let (found, _) = self.table.get_key_value(key)?;
        Some(self.notes.line(found.span().start))
    }

    /// The keys with their lines, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, usize, &'a Spanned<DeValue<'a>>)> {
        let notes = self.notes;
        self.table
            .iter()
            .map(move |(key, value)| (key.get_ref().as_ref(), notes.line(key.span().start), value))
    }

    pub(super) fn text(&self, key: &str) -> Option<Located<String>> {
        self.typed(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn flag(&self, key: &str) -> Option<Located<bool>> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    pub(super) fn number(&self, key: &str) -> Option<Located<u64>> {
        self.typed(key, "a whole number, 0 or more", |value| {
            let number = value.as_integer()?;
            u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
        })
    }

    /// A list of texts, each with its line.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<Located<String>>> {
        let list = self.typed(key, "a list of texts", |value| {
            let entries = value.as_array()?.iter();
            entries
                .map(|entry| {
                    let value = entry.get_ref().as_str()?.to_owned();
                    Some(Located { line: self.notes.line(entry.span().start), value })
                })
                .collect::<Option<Vec<_>>>()
        })?;
        Some(list.value)
    }

    /// The table below a key; an empty one where the key is absent is none.
    pub(super) fn section(&self, key: &str, name: &'a str) -> Option<Self> {
        let (found, value) = self.table.get_key_value(key)?;
        self.open(name, self.notes.line(found.span().start), value)
    }

    /// A value as a table.
    pub(super) fn open(&self, name: &'a str, line: usize, value: &'a Spanned<DeValue<'a>>) -> Option<Self> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.notes.tell(line, format!("`{name}` must be a table"));
        }
        Some(Self::new(self.notes, table?, name, line))
    }

    /// Notes a mistake about the table as a whole.
    pub(super) fn tell(&self, message: impl Into<String>) {
        self.notes.tell(self.line, message);
    }

    /// Notes a mistake in a line of the table.
    pub(super) fn tell_at(&self, line: usize, message: impl Into<String>) {
        self.notes.tell(line, message);
    }

    /// A key as messages name it.
    pub(super) fn key(&self, key: &str) -> String {
        if self.name.is_empty() { format!("`{key}`") } else { format!("`{}.{key}`", self.name) }
    }

    fn typed<T>(
        &self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Located<T>> {
        let (found, value) = self.table.get_key_value(key)?;
        let line = self.notes.line(found.span().start);
        let read = read(value.get_ref());
        if read.is_none() {
            self.notes.tell(line, format!("{} must be {what}", self.key(key)));
        }
        Some(Located { line, value: read? })
    }
}

/// What was probably meant, or everything that could have been.
pub(in crate::distribution) fn hint(given: &str, known: &[&str]) -> String {
    let likeness = |name: &&&str| strsim::jaro_winkler(given, name);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(name) if likeness(&name) >= LIKENESS_MIN => format!("; did you mean `{name}`?"),
        _ => format!("; known here: {}", known.join(", ")),
    }
}
