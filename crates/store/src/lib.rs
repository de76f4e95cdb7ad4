//! The state of a gateway: the ledger of usage records and the counters of limits.
//!
//! This is the only package that speaks to a database. It implements the service traits of
//! `gatewright`; what is decided from the state is decided elsewhere.
#![warn(missing_docs)]

mod ledger;
mod limits;

pub use ledger::{
    Courier, Durability, Fault, FlushError, Ledger, LedgerError, LedgerPlace, LedgerSettings, LedgerStats,
    OpenError, ReadError, Receipt, TenantTotal, UsageRow,
};
pub use limits::{LimitsFull, LimitsStats, MemoryLimits};
