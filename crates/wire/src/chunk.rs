//! Chunks as they come, on their way into a decoder.

use bytes::Bytes;

/// Takes the next chunk behind what is `held` of those before it. Where nothing is, it is not copied.
pub(crate) fn join(held: &mut Bytes, chunk: Bytes) {
    *held = if held.is_empty() { chunk } else { [held.as_ref(), chunk.as_ref()].concat().into() };
}
