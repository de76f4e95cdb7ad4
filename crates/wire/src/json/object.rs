//! Edits of an object's members: new ones, empty objects and repeated keys thought of.

use bytes::Bytes;
use smallvec::SmallVec;

use super::list::{ListEdit, Place};
use super::{Kind, Patches, Span, Value, quote};

/// What is to become of members of one object.
///
/// A key that stands there more than once is treated alike at each place, so that no reader of the result can
/// take an edited member for an unedited one.
#[derive(Debug, Clone, Default)]
pub struct ObjectEdit {
    wishes: SmallVec<[Wish; 4]>,
}

/// The value whose members were to be edited is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot edit members of {}", found.noun())]
pub struct ObjectPatchError {
    /// What it is.
    pub found: Kind,
}

#[derive(Debug, Clone)]
struct Wish {
    key: String,
    /// The JSON text that the member shall have, none if it shall not be there.
    value: Option<Bytes>,
}

impl ObjectEdit {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the member `key` the value `json`, a JSON text; adds it at the end if it is not there.
    #[must_use]
    pub fn set(self, key: &str, json: impl Into<Bytes>) -> Self {
        self.wish(key, Some(json.into()))
    }

    /// Gives the member `key` the string `text` as its value.
    #[must_use]
    pub fn set_str(self, key: &str, text: &str) -> Self {
        self.wish(key, Some(quote(text)))
    }

    /// Takes the member `key` out, wherever it stands.
    #[must_use]
    pub fn remove(self, key: &str) -> Self {
        self.wish(key, None)
    }

    fn wish(mut self, key: &str, value: Option<Bytes>) -> Self {
        self.wishes.retain(|wish| wish.key != key);
        self.wishes.push(Wish { key: key.to_owned(), value });
        self
    }

    /// The edits as replacements in the text of which `object` is a part.
    ///
    /// # Errors
    /// [`ObjectPatchError`] if `object` is no object.
    pub fn patches(&self, object: &Value<'_>) -> Result<Patches, ObjectPatchError> {
        if object.kind() != Kind::Object {
            return Err(ObjectPatchError { found: object.kind() });
        }
        let mut patches = Patches::new();
        let mut list = ListEdit::default();
        let mut found: SmallVec<[bool; 4]> = SmallVec::from_elem(false, self.wishes.len());
        for member in object.members() {
            let wanted = self.wishes.iter().zip(&mut found).find(|(wish, _)| member.key.is(&wish.key));
            let span = Span::new(member.key.span().start, member.value.span().end);
            match wanted {
                Some((Wish { value: None, .. }, _)) => list.drop(span, &mut patches),
                Some((Wish { value: Some(json), .. }, found)) => {
                    *found = true;
                    patches.replace(member.value.span(), json);
                    list.keep(span, &mut patches);
                }
                None => list.keep(span, &mut patches),
            }
        }
        let place = list.end(&mut patches);
        let missing = self.wishes.iter().zip(found).filter(|(_, found)| !found).map(|(wish, _)| wish);
        Self::insert_missing(missing, object.span(), place, &mut patches);
        Ok(patches)
    }

    fn insert_missing<'w>(
        missing: impl Iterator<Item = &'w Wish>,
        object: Span,
        place: Place,
        patches: &mut Patches,
    ) {
        let mut text = Vec::new();
        for wish in missing {
            let Some(json) = &wish.value else { continue };
            if place.needs_comma || !text.is_empty() {
                text.push(b',');
            }
            super::quote_into(&mut text, &wish.key);
            text.push(b':');
            text.extend_from_slice(json);
        }
        if !text.is_empty() {
            patches.insert(place.after.unwrap_or(object.start + 1), text);
        }
    }
}
