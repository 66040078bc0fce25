//! Tests of the whole tool: they run `tg` as a process on plans of this crate and look at what it leaves.
