//! Measuring a gateway on one machine against a yardstick of the same run.
//!
//! [`floor`] is the yardstick: the least that a proxy can do. [`load`] and [`streams`] are the other end of the line,
//! [`measure`] asks the kernel what a process used, [`process`] starts the processes on their cores, and [`report`]
//! runs every row for the floor and for the gateway and prints the table. The far end of the line is
//! [`crate::provider`] with pre-rendered answers.
//! [`mod@extension`] measures any extension by itself, with its allocations, [`text`] a text filter, and [`chain`]
//! what the gateway adds around one.

pub mod chain;
pub mod extension;
pub mod floor;
pub mod load;
pub mod measure;
pub mod process;
pub mod report;
pub mod shot;
pub mod streams;
#[cfg(test)]
mod tests;
pub mod text;
