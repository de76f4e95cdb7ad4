//! The steps of an exchange up to the beginning of its answer, as one header for developers.

use std::fmt::Write as _;
use std::time::Duration;

use gatewright::InstanceId;

use crate::hook::Hook;
use crate::observer::HookResult;

/// The header's name.
pub(crate) const HEADER: &str = "x-gatewright-trace";
/// The longest trace, in bytes; what follows is left out and said so.
const BYTES_MAX: usize = 4 * 1024;

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Trace(String);

impl Trace {
    /// Adds a step: `instance.hook;result;dur=MICROSECONDS`.
    pub(crate) fn add(
        &mut self,
        instance: &InstanceId,
        hook: Hook,
        result: HookResult,
        is_shadow: bool,
        took: Duration,
    ) {
        if self.0.len() > BYTES_MAX {
            return;
        }
        let separator = if self.0.is_empty() { "" } else { ", " };
        let shadow = if is_shadow { ";shadow" } else { "" };
        // Writing to a string cannot fail.
        let _written = write!(
            self.0,
            "{separator}{instance}.{};{}{shadow};us={}",
            hook.as_str(),
            result.as_str(),
            took.as_micros()
        );
        if self.0.len() > BYTES_MAX {
            self.0.push_str(", more");
        }
    }

    /// Adds a remark to the last step.
    pub(crate) fn remark(&mut self, remark: &str) {
        if self.0.len() <= BYTES_MAX {
            self.0.push(';');
            self.0.push_str(remark);
        }
    }

    /// The value of the header.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
