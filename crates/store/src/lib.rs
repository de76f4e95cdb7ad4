//! The state of a gateway: the ledger of usage records, the counters of limits, what extensions keep, and what is kept
//! for tenants from one exchange to a later one.
//!
//! This is the only package that speaks to a database. It implements the service traits of
//! `gatewright`; what is decided from the state is decided elsewhere.
#![warn(missing_docs)]

mod cache;
mod keep;
mod ledger;
mod limits;
mod state;

pub use cache::MemoryCache;
pub use keep::{FileKeep, KeepSettings};
pub use ledger::{
    Courier, Durability, Fault, FlushError, Ledger, LedgerError, LedgerPlace, LedgerSettings, LedgerStats,
    OpenError, ReadError, Receipt, TenantTotal, UsageRow,
};
pub use limits::{
    BucketPage, BucketQuery, BucketView, LimitsFull, LimitsStats, MemoryLimits, OnStoreLoss, SharedLimits,
    SharedSettings, SharedStats,
};
pub use state::{FileKeyValue, FileSql, KeyValueError, SqlError, StateError, StatePlace};
