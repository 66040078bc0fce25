//! Tests of the whole tool: they run `tg` as a process on plans of this crate and look at what it leaves.

mod book;
mod cluster;
mod collect;
mod compare;
mod environment;
mod go;
mod hostile;
mod hosts;
mod js;
mod lifecycle;
mod lookups;
mod mistakes;
mod objects;
mod outcomes;
mod pictures;
mod road;
mod routing;
mod rust;
mod several;
mod shaped;
mod shipped;
mod table;
