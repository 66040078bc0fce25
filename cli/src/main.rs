//! The `tg` binary.
fn main() {}
