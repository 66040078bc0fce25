//! The command `tg`, as its users meet it: real runs of small shell plans in scratch homes.

mod book;
mod reference;
mod runs;
mod scratch;
