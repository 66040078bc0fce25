//! Tests of the runner with real sockets and real processes.
mod behaviour;
mod builders;
mod faults;
mod harness;
mod machine;
mod reference;
mod sampled;
mod sync;
mod voices;
