//! The data path: one exchange, from a caller's bytes to a provider's answer and back.
//!
//! [`exchange::serve`] reads as the path, and [`exchange::open`] as that of a session; each step is a file in [`phase`], each state a type in
//! [`state`]. Every dialect and every endpoint goes this way.
//! The crate reads the plan, asks extensions inside a fence, and calls providers through
//! `gatewright-upstream`. It knows no HTTP server, no database, no configuration file.

mod answer;
mod aside;
mod ask;
mod attempt;
mod claim;
mod context;
mod course;
mod cut;
mod direct;
pub mod exchange;
mod failure;
mod gate;
mod guarded;
mod hint;
mod hook;
mod hooked;
mod keeping;
mod kept;
mod ledger;
mod meter;
mod models;
mod observer;
pub mod phase;
pub mod rehearsal;
mod session;
mod snapshot;
pub mod state;
mod subject;
mod trace;
mod upload;
mod vault;
mod verdict;
pub mod watchdog;
mod worker;

pub use answer::{AnswerBody, set_request_id};
pub use aside::aside;
pub use course::Course;
pub use cut::{CutSignal, CutSwitch};
pub use failure::{Refusal, with_causes};
pub use gate::Gate;
pub use hook::Hook;
pub use hooked::{Fault, Hooked, OnFailures, panic_text};
pub use kept::{KeptAnswer, kept};
pub use ledger::{Ledger, NoLedger, Receipt};
pub use models::{ModelAnswer, ModelView, models};
pub use observer::{HookResult, InstanceObserver, Observer, OutOfService, Silent};
pub use phase::credential::{Credentials, Proof};
pub use rehearsal::{Decision, Ending, ReadyCall, Rehearsal, Script, Step};
pub use session::{Greeting, Session};
pub use snapshot::{Chains, Provider, Snapshot};
pub use upload::{Flow, at_hand};
pub use watchdog::Watchdog;
pub use worker::{PathSettings, SessionSettings, Worker};
