//! What cargo's resolver says, in the words of the manifest.

use super::Distribution;
use super::part::Part;

/// The message for a graph that does not resolve.
pub(super) fn resolver(said: &str, dist: &Distribution, parts: &[Part]) -> String {
    let _ = (dist, parts);
    said.to_owned()
}
