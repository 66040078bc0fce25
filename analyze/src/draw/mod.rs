//! Pictures: networks, routing tables, curves; as SVG.

mod chart;
mod curves;
mod heat;
mod layout;
mod network;
mod paint;
mod palette;
mod svg;
mod tree;

pub use curves::{degree_ccdf, robustness};
pub use heat::fill_heat_map;
pub use layout::{circular, force_directed};
pub use network::{Arrangement, NetworkStyle, network};
pub use paint::{ColourBy, grouped};
pub(crate) use svg::escape;
