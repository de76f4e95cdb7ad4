//! Whatever is read as a keepsake is written and read as the same again.

use gatewright_wire::keepsake;

/// Checks all of it for one input.
pub fn check(data: &[u8]) {
    let kept = keepsake::read(data);
    let again = keepsake::read(&keepsake::write(&kept));
    assert_eq!(kept, again);
}
