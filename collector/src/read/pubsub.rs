//! What pubsub plans wrote: traces in binary and as JSON, their totals, scores, and whom they were told to connect to.

mod documents;
mod events;
mod json;
mod trace;

pub(crate) use documents::{aggregate, topology};
pub(crate) use json::{scores, traced};
pub(crate) use trace::{Copied, trace};
