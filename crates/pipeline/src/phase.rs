//! The phases of an exchange, one file each, in the order in which they run.

pub(crate) mod authenticate;
pub(crate) mod borrowed;
pub(crate) mod credential;
pub(crate) mod encode;
pub(crate) mod filter;
pub(crate) mod identify;
pub(crate) mod limit;
pub(crate) mod pick;
pub(crate) mod read;
pub(crate) mod recall;
pub(crate) mod record;
pub(crate) mod send;
pub(crate) mod settle;
pub(crate) mod switch;
pub(crate) mod transform;
pub(crate) mod translate;
