//! The way back: the provider's answer, filtered, to the client. One polled body per answer; no
//! task and no channel per stream; the client's own reading is the back-pressure.

mod body;
pub(crate) mod chain;
mod extent;
mod lanes;
pub(crate) mod opening;
mod pump;
pub(crate) mod respond;
pub(crate) mod stage;
pub(crate) mod translate;
pub(crate) mod whole;

pub use body::AnswerBody;
pub use respond::set_request_id;
