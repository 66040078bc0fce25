//! Networks as graphs: read from a dataset, made compact once, measured.
//!
//! Two projections are used, and every algorithm says which: the directed one *D* (dialler to listener, without loops
//! and without repeated arcs) and the undirected simple one *U* (neither loops nor repeated edges).

pub mod components;
mod csr;
pub mod degree;
pub mod distance;
mod network;
pub mod random;
mod summary;

pub use csr::{Csr, Graph};
pub use network::{Connectivity, Network, Node};
pub use summary::{GraphOptions, graph};
