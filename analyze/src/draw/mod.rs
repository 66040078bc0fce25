//! Pictures: networks, routing tables, curves; as SVG, and from that as PNG.

mod chart;
mod curves;
mod heat;
mod layout;
mod network;
mod paint;
mod palette;
mod png;
mod svg;
mod tree;

pub use curves::{degree_ccdf, robustness};
pub use heat::fill_heat_map;
pub use layout::{circular, force_directed};
pub use network::{Arrangement, NetworkStyle, network};
pub use paint::{ColourBy, grouped};
pub use png::{PngError, png};
pub(crate) use svg::escape;
