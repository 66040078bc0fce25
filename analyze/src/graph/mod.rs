//! Networks as graphs: read from a dataset, made compact once, measured.
//!
//! Two projections are used, and every algorithm says which: the directed one *D* (dialler to listener, without loops
//! and without repeated arcs) and the undirected simple one *U* (neither loops nor repeated edges).

pub mod assortativity;
pub mod betweenness;
mod churn;
pub mod classes;
pub mod clustering;
mod cohesion;
pub mod components;
pub mod connectivity;
pub mod cores;
mod csr;
pub mod cut;
mod dear;
pub mod degree;
pub mod distance;
mod evolution;
mod flow;
pub mod latency;
pub mod lifetime;
mod metric;
pub mod modularity;
mod network;
mod overlap;
pub mod pagerank;
pub mod random;
pub mod reach;
mod removal;
pub mod robustness;
mod shape;
pub mod small_world;
pub mod spectral;
mod spread;
pub mod strong;
mod summary;
pub mod temporal;
mod words;
#[cfg(test)]
mod worked;

pub use csr::{Csr, Graph};
pub use evolution::evolution;
pub use metric::{Metric, Metrics};
pub use network::{Connectivity, Member, Network, Node};
pub(crate) use network::{arcs_of, sightings};
pub use summary::{Answer, GraphOptions, graph};
