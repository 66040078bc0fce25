//! The shape of the way between two hosts, as the composition has it, before anything else is asked for.

use tg_model::network::{Laid, Ways};
use tg_model::spec::GroupSpec;

use super::shape::Shape;

/// The ways between all hosts of a run.
#[derive(Debug)]
pub(crate) struct Paths {
    ways: Ways,
    /// By the places of the ways' links.
    shapes: Vec<Shape>,
}

impl Paths {
    pub(crate) fn new(laid: &Laid, groups: &[GroupSpec]) -> Self {
        let ways = laid.ways(groups.iter().map(|group| (group.name.as_str(), group.count)));
        let shapes = ways.links().iter().map(|link| Shape::default().changed(link)).collect();
        Self { ways, shapes }
    }

    /// What happens to packets from one host to another.
    pub(super) fn shape(&self, from: u32, to: u32) -> Shape {
        self.ways.place(from, to).and_then(|place| self.shapes.get(place)).copied().unwrap_or_default()
    }
}
