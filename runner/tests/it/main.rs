//! Tests of the runner with real sockets and real processes.
mod sync;
