//! From the located tree to the shape, once everything fits the schema.

use serde_path_to_error::Segment;

use crate::located::Node;
use crate::position::KeyPath;
use crate::problem::Problems;
use crate::shape::Shape;

/// Decodes the tree. What the schema could not say and the decoder refuses goes to `problems`.
pub(crate) fn decode(root: &Node, problems: &mut Problems) -> Option<Shape> {
    match serde_path_to_error::deserialize(root.to_json()) {
        Ok(shape) => Some(shape),
        Err(error) => {
            let mut path = KeyPath::root();
            for segment in error.path() {
                match segment {
                    Segment::Map { key } => path.push_key(key),
                    Segment::Seq { index } => path.push_item(*index),
                    Segment::Enum { .. } | Segment::Unknown => {}
                }
            }
            problems.error(root.deepest(&path).at, &path, error.inner().to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests;
