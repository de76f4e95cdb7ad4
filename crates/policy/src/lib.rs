//! Pure decisions of the gateway: the [`Plan`] that a request is served by, target choice,
//! limit windows and prices.
//!
//! Time and randomness come in as arguments. Nothing here waits, locks, reads a clock or
//! performs input or output, so the same plan, clock and input give the same decisions.
#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod circuit;
mod concurrency;
mod multi;
mod pattern;
mod pick;
mod plan;
mod price;
mod window;

pub use circuit::{Circuit, CircuitState, Tripped};
pub use concurrency::Concurrency;
pub use multi::{Bucket, Claim, Refusal, Tightest, acquire_all};
pub use pattern::Pattern;
pub use pick::{Draw, pick};
pub use plan::{
    AnswerModel, Http2, InstancePlan, ModelPlan, OnFailure, Plan, ProviderPlan, RouteMatch, RoutePlan,
    RunMode, Strategy, TargetPlan, TenantPlan, Timeouts,
};
pub use price::{PriceBook, Rate, Rates, Tier, batch_cost, cost};
pub use window::{Acquired, Ticket, Window, jittered};
