//! Things that make their trouble late: when they are dropped, or shown.
#![expect(clippy::panic, reason = "panicking on demand is what they are for")]

use std::sync::Arc;

use super::{Hook, Settings};

/// Makes trouble when it is dropped, unless that happens because of a panic.
pub(super) struct Grenade(Arc<Settings>, Hook);

impl Grenade {
    /// One for this moment; `None` where the settings mean another.
    pub(super) fn of(settings: &Arc<Settings>, hook: Hook) -> Option<Self> {
        (settings.at == hook).then(|| Self(Arc::clone(settings), hook))
    }
}

impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.act_blindly(self.1);
        }
    }
}

/// The payload of a panic that makes another one.
pub(super) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("trouble after the trouble");
        }
    }
}

/// An error that cannot be shown.
#[derive(Debug)]
pub(super) struct BadError;

impl std::fmt::Display for BadError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("trouble when it is shown")
    }
}

impl std::error::Error for BadError {}
