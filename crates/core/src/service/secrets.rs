//! Named secrets of an instance, as its configuration lists them.

use crate::Secret;

/// The secrets under `secrets` of the instance's configuration.
///
/// Read one where it is used and do not keep it: a reload that only changes a secret keeps the instance, and
/// the next read gives the new value. A secret inside `with` makes a new instance instead.
pub trait Secrets: Send + Sync + 'static {
    /// The secret of a name, or `None` where the configuration has none.
    fn get(&self, name: &str) -> Option<Secret>;
}
