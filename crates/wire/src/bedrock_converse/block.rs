//! Payloads of the events of a stream, as the gateway writes them.

use gatewright::Usage;

use super::out::{self, Object};
use super::usage;

/// How a block goes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Delta<'t> {
    Text(&'t str),
    Arguments(&'t str),
    Reasoning(&'t str),
    Signature(&'t str),
    Sealed(&'t str),
}

pub(super) fn message_start() -> Vec<u8> {
    out::made(|object| object.text("role", "assistant"))
}

pub(super) fn call_start(block: u64, id: &str, name: &str) -> Vec<u8> {
    out::made(|object| {
        object.object("start", |start| {
            start.object("toolUse", |call| {
                call.text("toolUseId", id);
                call.text("name", name);
            });
        });
        object.number("contentBlockIndex", block);
    })
}

pub(super) fn delta(block: u64, delta: Delta<'_>) -> Vec<u8> {
    out::made(|object| {
        object.object("delta", |object| delta.write(object));
        object.number("contentBlockIndex", block);
    })
}

impl Delta<'_> {
    fn write(self, object: &mut Object<'_>) {
        let reasoning = |object: &mut Object<'_>, key: &str, text: &str| {
            object.object("reasoningContent", |reasoning| reasoning.text(key, text));
        };
        match self {
            Self::Text(text) => object.text("text", text),
            Self::Arguments(text) => object.object("toolUse", |call| call.text("input", text)),
            Self::Reasoning(text) => reasoning(object, "text", text),
            Self::Signature(text) => reasoning(object, "signature", text),
            Self::Sealed(text) => reasoning(object, "redactedContent", text),
        }
    }
}

pub(super) fn stop(block: u64) -> Vec<u8> {
    out::made(|object| object.number("contentBlockIndex", block))
}

pub(super) fn message_stop(reason: &str) -> Vec<u8> {
    out::made(|object| object.text("stopReason", reason))
}

/// The figures. The time that the model took is not known here, and clients want a number.
pub(super) fn metadata(figures: &Usage) -> Vec<u8> {
    out::made(|object| {
        object.object("usage", |object| usage::write(figures, object));
        object.object("metrics", |metrics| metrics.number("latencyMs", 0));
    })
}
