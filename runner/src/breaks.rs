//! What faults do to the network between hosts, as long as they last.

use std::sync::Arc;

use tg_model::link::Link;

/// All that is broken at one time. Hosts are named by their instances' numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Breaks {
    /// For each partition, by its fault: the side of each host. One that is not listed has no side and reaches all.
    pub(crate) partitions: Vec<(u32, Arc<[Option<u32>]>)>,
    /// Links that are worse than they were, by their fault; a later one covers an earlier one.
    pub(crate) degraded: Vec<Degraded>,
}

/// Links that are worse than they were.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Degraded {
    /// The number of the fault.
    pub(crate) fault: u32,
    /// Whose links, ascending.
    pub(crate) of: Arc<[u32]>,
    /// Towards whom, ascending.
    pub(crate) towards: Arc<[u32]>,
    /// What differs.
    pub(crate) link: Link,
}

impl Breaks {
    /// Whether nothing passes from one host to another.
    pub(crate) fn cut(&self, from: u32, to: u32) -> bool {
        self.partitions.iter().any(|(_, sides)| {
            let side = |label: u32| sides.get(label as usize).copied().flatten();
            side(from).zip(side(to)).is_some_and(|(a, b)| a != b)
        })
    }

    /// The faults that the link from one host to another is worse by, the last first.
    pub(crate) fn worse(&self, from: u32, to: u32) -> impl Iterator<Item = &Degraded> {
        let has = |labels: &[u32], label: u32| labels.binary_search(&label).is_ok();
        self.degraded.iter().rev().filter(move |one| {
            has(&one.of, from) && has(&one.towards, to) || has(&one.of, to) && has(&one.towards, from)
        })
    }

    /// Whether nothing is broken.
    pub(crate) fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.degraded.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_cut_between_sides_only_and_links_get_worse_both_ways() {
        let sides: Arc<[Option<u32>]> = [Some(0), Some(0), Some(1), None].into();
        let degraded = Degraded {
            fault: 1,
            of: [0].into(),
            towards: [1, 2].into(),
            link: Link { loss: Some(0.5), ..Link::default() },
        };
        let breaks = Breaks { partitions: vec![(0, sides)], degraded: vec![degraded] };
        for (from, to, cut, worse) in [
            (0, 1, false, true),
            (1, 0, false, true),
            (0, 2, true, true),
            (2, 1, true, false),
            (3, 2, false, false),
            (0, 9, false, false),
        ] {
            assert_eq!(breaks.cut(from, to), cut, "{from} {to}");
            assert_eq!(breaks.worse(from, to).next().is_some(), worse, "{from} {to}");
        }
        assert!(Breaks::default().is_empty() && !breaks.is_empty());
    }
}
