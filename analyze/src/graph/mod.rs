//! Networks as graphs: read from a dataset, made compact once, measured.
//!
//! Two projections are used, and every algorithm says which: the directed one *D* (dialler to listener, without loops
//! and without repeated arcs) and the undirected simple one *U* (neither loops nor repeated edges).

pub mod assortativity;
pub mod betweenness;
pub mod clustering;
pub mod components;
pub mod cores;
mod csr;
pub mod cut;
pub mod degree;
pub mod distance;
mod evolution;
mod network;
pub mod pagerank;
pub mod random;
pub mod reach;
pub mod robustness;
mod shape;
mod summary;
mod words;
#[cfg(test)]
mod worked;

pub use csr::{Csr, Graph};
pub use evolution::evolution;
pub(crate) use network::Sighting;
pub use network::{Connectivity, Network, Node};
pub use summary::{GraphOptions, graph};
