//! Which link leads from one instance to another.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Laid;
use crate::ids::InstanceId;
use crate::link::Link;

/// The links of every pair of instances. Instances that no layer tells apart are of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Ways {
    /// The kind of each instance, by its number.
    kinds: Vec<u32>,
    /// How many kinds there are.
    width: usize,
    /// For each kind and each: the place of the link.
    table: Vec<u32>,
    links: Vec<Link>,
}

/// What the layers see of an instance: its region, the links that it is a sender of, and those that it receives by.
type Seen = (Option<u32>, Vec<u64>, Vec<u64>);

impl Laid {
    /// The links between the instances of these groups, which are numbered in their order. The cost grows with the
    /// square of the number of kinds, and not with that of the instances.
    pub fn ways<'a>(&self, groups: impl IntoIterator<Item = (&'a str, u32)>) -> Ways {
        let (kinds, seen_by_kind) = self.kinds(groups);
        let both = self.marks(|nth| self.links[nth].both_ways);
        let mut table = Vec::with_capacity(seen_by_kind.len() * seen_by_kind.len());
        let mut links = Vec::new();
        // By the layers that a link is made of.
        let mut places: BTreeMap<(Option<u64>, Vec<u64>), u32> = BTreeMap::new();
        for from in &seen_by_kind {
            for to in &seen_by_kind {
                let latency = self.latency_ns(from.0, to.0);
                let forth = from.1.iter().zip(&to.2).map(|(a, b)| a & b);
                let back = from.2.iter().zip(&to.1).zip(&both).map(|((a, b), both)| a & b & both);
                let layers: Vec<u64> = forth.zip(back).map(|(forth, back)| forth | back).collect();
                let next = u32::try_from(places.len()).unwrap_or(u32::MAX);
                table.push(*places.entry((latency, layers)).or_insert_with_key(|(latency, layers)| {
                    links.push(self.link_of(*latency, layers));
                    next
                }));
            }
        }
        Ways { kinds, width: seen_by_kind.len(), table, links }
    }

    /// How many kinds of instances the layers tell apart.
    #[cfg(feature = "plans")]
    pub(crate) fn count_kinds<'a>(&self, groups: impl IntoIterator<Item = (&'a str, u32)>) -> usize {
        self.kinds(groups).1.len()
    }

    /// The kind of each instance, and what the layers see of each kind.
    fn kinds<'a>(&self, groups: impl IntoIterator<Item = (&'a str, u32)>) -> (Vec<u32>, Vec<Seen>) {
        let mut known: BTreeMap<Seen, u32> = BTreeMap::new();
        let mut seen_by_kind: Vec<Seen> = Vec::new();
        let mut kinds = Vec::new();
        for (group, count) in groups {
            for index in 0..count {
                let seen = self.seen(group, index);
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                kinds.push(*known.entry(seen.clone()).or_insert_with(|| {
                    seen_by_kind.push(seen);
                    next
                }));
            }
        }
        (kinds, seen_by_kind)
    }

    fn marks(&self, is: impl Fn(usize) -> bool) -> Vec<u64> {
        let mut out = vec![0; self.links.len().div_ceil(64)];
        for nth in (0..self.links.len()).filter(|nth| is(*nth)) {
            out[nth / 64] |= 1 << (nth % 64);
        }
        out
    }

    fn seen(&self, group: &str, index: u32) -> Seen {
        let is_of = |names: &[String]| {
            let is = |name: &String| match name.split_once('/') {
                None => name == group,
                Some(_) => name.parse::<InstanceId>().is_ok_and(|id| id.group.as_str() == group && id.index == index),
            };
            names.is_empty() || names.iter().any(is)
        };
        let region = self.regions.as_ref().and_then(|regions| {
            let of = regions.of.iter().find(|(name, _)| name.as_str() == group)?;
            of.1.get(index as usize).copied()
        });
        (region, self.marks(|nth| is_of(&self.links[nth].from)), self.marks(|nth| is_of(&self.links[nth].to)))
    }

    fn latency_ns(&self, from: Option<u32>, to: Option<u32>) -> Option<u64> {
        let row = self.regions.as_ref()?.latency_ns.get(from? as usize)?;
        row.get(to? as usize).copied().flatten()
    }

    fn link_of(&self, latency_ns: Option<u64>, layers: &[u64]) -> Link {
        let far = Link { latency: latency_ns.map(Duration::from_nanos), ..Link::default() };
        let mut link = far.over(self.link);
        for (nth, one) in self.links.iter().enumerate() {
            if layers[nth / 64] & 1 << (nth % 64) != 0 {
                link = one.link.over(link);
            }
        }
        link
    }
}

impl Ways {
    /// The place of the link from one instance to another in [`Self::links`]; nothing for numbers of no instance.
    pub fn place(&self, from: u32, to: u32) -> Option<usize> {
        let from = *self.kinds.get(from as usize)? as usize;
        let to = *self.kinds.get(to as usize)? as usize;
        self.table.get(from * self.width + to).map(|place| *place as usize)
    }

    /// The link from one instance to another.
    pub fn link(&self, from: u32, to: u32) -> Option<&Link> {
        self.links.get(self.place(from, to)?)
    }

    /// All links that differ.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// How many kinds of instances the layers tell apart.
    pub fn kinds(&self) -> usize {
        self.width
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LaidLink, LaidRegions};
    use super::*;

    fn late(ms: u64) -> Link {
        Link { latency: Some(Duration::from_millis(ms)), ..Link::default() }
    }

    fn between(from: &[&str], to: &[&str], both_ways: bool, link: Link) -> LaidLink {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        LaidLink { from: names(from), to: names(to), both_ways, link }
    }

    #[test]
    fn layers_cover_what_they_name_and_later_ones_cover_earlier_ones() {
        let ns = |ms: u64| Some(ms * 1_000_000);
        let lossy = Link { loss: Some(0.1), ..Link::default() };
        let laid = Laid {
            link: Link { jitter: Some(Duration::from_millis(1)), ..late(5) },
            links: vec![
                between(&["a"], &["b"], true, late(50)),
                between(&["b"], &["a/1"], false, late(70)),
                between(&["c"], &[], false, lossy),
                between(&["other-run"], &[], true, late(999)),
            ],
            regions: Some(LaidRegions {
                matrix: None,
                names: vec!["x".to_owned(), "y".to_owned()],
                latency_ns: vec![vec![None, ns(20)], vec![ns(30), ns(2)]],
                of: [("a", vec![0, 0]), ("b", vec![1, 1]), ("c", vec![0, 1])]
                    .map(|(name, of)| (name.parse().expect("a name"), of))
                    .into(),
            }),
            topology: None,
            routers: Vec::new(),
        };
        let ways = laid.ways([("a", 2), ("b", 2), ("c", 2)]);
        let ms = |from, to| ways.link(from, to).and_then(|link| link.latency).map(|time| time.as_millis());
        for (from, to, wanted) in [
            // Within a region without a figure the default holds.
            (0, 1, 5),
            (0, 2, 50),
            (2, 0, 50),
            (2, 1, 70),
            (1, 2, 50),
            (2, 3, 2),
            (4, 5, 20),
            (5, 4, 30),
            (0, 5, 20),
        ] {
            assert_eq!(ms(from, to), Some(wanted), "{from} {to}");
        }
        let loss = |from, to| ways.link(from, to).and_then(|link| link.loss);
        assert_eq!((loss(4, 0), loss(0, 4), loss(0, 2)), (Some(0.1), None, None));
        assert!((0..6).all(|to| ways.link(0, to).is_some_and(|link| link.jitter == laid.link.jitter)));
        assert_eq!((ways.link(6, 0), ways.link(0, 6)), (None, None));
        // b/0 and b/1 are of one kind, all others differ.
        assert_eq!(ways.kinds(), 5);
    }
}
