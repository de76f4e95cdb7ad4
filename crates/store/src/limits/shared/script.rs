//! The scripts that decide inside the store: each is one round trip, and either all of it happens or nothing.
//!
//! A script is called by the hash of its text, so that replicas of two versions run side by side. The layout of what
//! scripts keep has its version in the keys.

use std::sync::LazyLock;

use redis::{Cmd, Script as Hashed};

/// The server's clock: those of the replicas do not matter.
const SERVER_CLOCK: &str = "local function now_us() \
    local t = redis.call('TIME'); return tonumber(t[1]) * 1000000 + tonumber(t[2]) end\n";

const BUCKET: &str = include_str!("bucket.lua");

/// One of them.
#[derive(Debug)]
pub(super) struct Script {
    hash: String,
    text: String,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) claim: Script,
    pub(super) settle: Script,
    pub(super) beat: Script,
    pub(super) gather: Script,
}

impl Scripts {
    /// The scripts, by the server's clock.
    pub(super) fn shared() -> &'static Self {
        static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| Scripts::with_clock(SERVER_CLOCK));
        &SCRIPTS
    }

    /// The scripts by another clock: Lua that defines `now_us()`.
    pub(super) fn with_clock(clock: &str) -> Self {
        let script = |text: &str| {
            let text = format!("{clock}{BUCKET}\n{text}");
            Script { hash: Hashed::new(&text).get_hash().to_owned(), text }
        };
        Self {
            claim: script(include_str!("claim.lua")),
            settle: script(include_str!("settle.lua")),
            beat: script(include_str!("beat.lua")),
            gather: script(include_str!("gather.lua")),
        }
    }
}

impl Script {
    /// The call by hash, which a server knows that has seen the text once.
    pub(super) fn by_hash(&self, (keys, args): (&[String], &[String])) -> Cmd {
        call("EVALSHA", &self.hash, keys, args)
    }

    /// The call with the text itself. It is not loaded apart from that: a server that has just failed over would have
    /// forgotten it again.
    pub(super) fn by_text(&self, (keys, args): (&[String], &[String])) -> Cmd {
        call("EVAL", &self.text, keys, args)
    }
}

fn call(command: &str, script: &str, keys: &[String], args: &[String]) -> Cmd {
    let mut call = redis::cmd(command);
    call.arg(script).arg(keys.len()).arg(keys).arg(args);
    call
}
