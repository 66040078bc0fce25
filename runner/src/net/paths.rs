//! The shape of the way between two hosts, as the composition has it, before anything else is asked for.

use tg_model::network::{Laid, Unreachable, Ways};
use tg_model::spec::GroupSpec;

use super::shape::{Filter, Shape};

/// The ways between all hosts of a run.
#[derive(Debug)]
pub(crate) struct Paths {
    ways: Ways,
    /// By the places of the ways' links.
    shapes: Vec<Shape>,
    /// Whom each host reaches, ascending, if not everybody, and what becomes of packets to others.
    reach: Option<(Vec<Vec<u32>>, Filter)>,
}

impl Paths {
    pub(crate) fn new(laid: &Laid, groups: &[GroupSpec]) -> Self {
        let ways = laid.ways(groups.iter().map(|group| (group.name.as_str(), group.count)));
        let shapes = ways.links().iter().map(|link| Shape::default().changed(link)).collect();
        let instances = groups.iter().map(|group| group.count).sum();
        let reach = laid.topology.as_ref().map(|topology| {
            let filter = match topology.unreachable {
                Unreachable::Reject => Filter::Reject,
                Unreachable::Drop => Filter::Drop,
            };
            (topology.neighbours(instances), filter)
        });
        Self { ways, shapes, reach }
    }

    /// What happens to packets from one host to another.
    pub(super) fn shape(&self, from: u32, to: u32) -> Shape {
        if let Some((neighbours, filter)) = &self.reach
            && neighbours.get(from as usize).is_none_or(|of| of.binary_search(&to).is_err())
        {
            return Shape { filter: *filter, ..Shape::default() };
        }
        self.ways.place(from, to).and_then(|place| self.shapes.get(place)).copied().unwrap_or_default()
    }
}
