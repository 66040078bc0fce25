//! What a composition asks of the network, and what one run gets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::topology::Kind;
use super::{FIGURES, Figures, Laid, LaidLink, LaidRegions, LaidRouter, LaidTopology, Nat, Unreachable};
use crate::env::mix;
use crate::fault::{Dice, Who};
use crate::link::Link;
use crate::node::At;
use crate::spec::RunSpec;

/// `[network]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Network {
    /// The line of the header.
    pub line: Option<u32>,
    /// The link of every pair.
    pub link: Link,
    /// Links of some pairs; a later one covers an earlier one.
    pub links: Vec<Between>,
    /// Where the instances are.
    pub regions: Option<Regions>,
    /// Who may reach whom, if not everybody everybody.
    pub topology: Option<Topology>,
    /// Who is behind a router; a later one covers an earlier one.
    pub routers: Vec<Behind>,
}

/// `[[network.routers]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Behind {
    /// Who is behind it.
    pub of: Vec<At<Who>>,
    /// What it does.
    pub nat: Nat,
    /// Whether all are behind one, and not each behind its own.
    pub shared: bool,
}

/// `[network.topology]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Topology {
    /// The line of the header.
    pub line: Option<u32>,
    /// The kind of graph.
    pub kind: Kind,
    /// What becomes of packets to others.
    pub unreachable: Unreachable,
}

/// `[[network.links]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Between {
    /// Everybody if empty.
    pub from: Vec<At<Who>>,
    /// Everybody if empty.
    pub to: Vec<At<Who>>,
    /// Whether it holds on the way back as well.
    pub both_ways: bool,
    /// What differs.
    pub link: Link,
}

/// `[network.regions]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Regions {
    /// The line of the header.
    pub line: Option<u32>,
    /// How far they are from one another.
    pub matrix: Matrix,
    /// Which part of the instances whose group names no region is in which; empty if the composition does not say.
    pub shares: BTreeMap<String, f64>,
    /// The region of each group of the run that names one.
    pub of: BTreeMap<String, String>,
}

/// The latencies between regions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix {
    /// Its name, if it is one that comes with tg.
    pub name: Option<String>,
    /// The regions.
    pub regions: Vec<String>,
    /// One way, from each region to each; absent where only the default link holds.
    pub latency: Vec<Vec<Option<Duration>>>,
}

/// Why some latencies are no matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixProblem {
    /// The two regions.
    pub between: (String, String),
    /// Whether there are two figures that differ, and not none.
    pub twice: bool,
}

impl Matrix {
    /// A matrix that comes with tg.
    pub fn shipped(figures: &Figures) -> Self {
        let places = 0..figures.regions.len();
        let row = |from: usize| {
            let one = |to| figures.one_way_ns(from, to).map(Duration::from_nanos);
            places.clone().map(one).collect()
        };
        Self {
            name: Some(figures.name.to_owned()),
            regions: figures.regions.iter().map(|region| (*region).to_owned()).collect(),
            latency: places.clone().map(row).collect(),
        }
    }

    /// The shipped matrix of this name.
    pub fn named(name: &str) -> Option<Self> {
        FIGURES.iter().find(|figures| figures.name == name).map(Self::shipped)
    }

    /// From figures between pairs. What is given in one direction only holds in both.
    pub fn of(given: &BTreeMap<(String, String), Duration>) -> Result<Self, MatrixProblem> {
        let regions: BTreeSet<&String> = given.keys().flat_map(|(from, to)| [from, to]).collect();
        let mut latency = Vec::new();
        for &from in &regions {
            let mut row = Vec::new();
            for &to in &regions {
                let found = given.get(&(from.clone(), to.clone())).or_else(|| given.get(&(to.clone(), from.clone())));
                if found.is_none() && from != to {
                    return Err(MatrixProblem { between: (from.clone(), to.clone()), twice: false });
                }
                row.push(found.copied());
            }
            latency.push(row);
        }
        Ok(Self { name: None, regions: regions.into_iter().cloned().collect(), latency })
    }

    /// As [`Self::of`], from round trips: half of each is one way.
    pub fn of_round_trips(given: &BTreeMap<(String, String), Duration>) -> Result<Self, MatrixProblem> {
        for ((from, to), time) in given {
            if given.get(&(to.clone(), from.clone())).is_some_and(|back| back != time) {
                return Err(MatrixProblem { between: (from.clone(), to.clone()), twice: true });
            }
        }
        Self::of(&given.iter().map(|(pair, time)| (pair.clone(), *time / 2)).collect())
    }
}

/// The network that a run gets, if its composition asks for one. The same seed draws the same.
pub fn lay(spec: &RunSpec) -> Option<Laid> {
    let asked = spec.network.as_ref()?;
    let names = |who: &[At<Who>]| who.iter().map(|at| at.value.to_string()).collect();
    let links = asked.links.iter().map(|one| LaidLink {
        from: names(&one.from),
        to: names(&one.to),
        both_ways: one.both_ways,
        link: one.link,
    });
    let regions = asked.regions.as_ref().map(|regions| place(regions, spec));
    let topology = asked.topology.map(|topology| LaidTopology {
        kind: topology.kind.word().to_owned(),
        unreachable: topology.unreachable,
        edges: topology.kind.draw(spec.instances(), &mut Dice::new(mix(spec.seed ^ mix(0x6772_6170)))),
    });
    let routers = asked.routers.iter().map(|one| LaidRouter { of: names(&one.of), nat: one.nat, shared: one.shared });
    Some(Laid { link: asked.link, links: links.collect(), regions, topology, routers: routers.collect() })
}

/// Puts every instance into a region.
///
/// Whoever is spread by share takes its turn group by group, in a drawn order within its group; each turn goes to the
/// region that lies furthest behind its share. So each group is spread as all of them are.
fn place(regions: &Regions, spec: &RunSpec) -> LaidRegions {
    let names = &regions.matrix.regions;
    let place_of = |name: &String| names.iter().position(|other| other == name).unwrap_or(0);
    let shares: Vec<(usize, f64)> = regions.shares.iter().map(|(name, share)| (place_of(name), *share)).collect();
    let mut given = vec![0.0; shares.len()];
    let mut turn = 0.0;
    let mut of = BTreeMap::new();
    for (number, group) in (0_u64..).zip(&spec.groups) {
        let placed = if let Some(region) = regions.of.get(group.name.as_str()) {
            vec![place_of(region); group.count as usize]
        } else {
            let mut order: Vec<u32> = (0..group.count).collect();
            Dice::new(mix(spec.seed ^ mix(number.wrapping_add(0x4e61_0000)))).shuffle(&mut order);
            let mut placed = vec![0; group.count as usize];
            for index in order {
                turn += 1.0;
                let behind = |nth: usize| shares[nth].1 * turn - given[nth];
                let mut next = 0;
                for nth in 1..shares.len() {
                    // What is equal but for the rounding is equal.
                    if behind(nth) > behind(next) + 1e-9 {
                        next = nth;
                    }
                }
                if let Some((region, _)) = shares.get(next) {
                    given[next] += 1.0;
                    placed[index as usize] = *region;
                }
            }
            placed
        };
        let placed = placed.into_iter().map(|place| u32::try_from(place).unwrap_or(u32::MAX)).collect();
        of.insert(group.name.clone(), placed);
    }
    let ns = |time: &Option<Duration>| time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    LaidRegions {
        matrix: regions.matrix.name.clone(),
        names: names.clone(),
        latency_ns: regions.matrix.latency.iter().map(|row| row.iter().map(ns).collect()).collect(),
        of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composition::tests::spec_of;

    fn laid(seed: u64, rest: &str) -> Laid {
        let mut spec = spec_of(&format!(
            "[[groups]]\nid = \"few\"\ninstances = {{ count = 3 }}\n[[groups]]\nid = \"many\"\ninstances = {{ count = \
             60 }}\n[[groups]]\nid = \"fixed\"\nregion = \"japaneast\"\ninstances = {{ count = 2 }}\n{rest}"
        ));
        spec.seed = seed;
        lay(&spec).expect("a network")
    }

    #[test]
    fn each_group_is_spread_by_the_shares_and_the_seed_says_who_is_where() {
        let text = "[network.regions]\nmatrix = \"azure-2024\"\n[network.regions.shares]\neastus = 0.5\nwesteurope = \
                    0.25\nsoutheastasia = 0.25\n";
        let first = laid(7, text);
        assert_eq!(first, laid(7, text));
        assert_ne!(first, laid(8, text));
        let regions = first.regions.as_ref().expect("regions");
        let count = |group: &str, region: &str| {
            let place = regions.names.iter().position(|name| name == region).expect("a region");
            let of = &regions.of[&group.parse().expect("a name")];
            of.iter().filter(|other| **other as usize == place).count()
        };
        assert_eq!((count("few", "eastus"), count("few", "westeurope"), count("few", "southeastasia")), (1, 1, 1));
        assert_eq!((count("many", "eastus"), count("fixed", "japaneast")), (30, 2));
        assert_eq!(regions.counts().iter().sum::<u32>(), 65);
        let text = serde_json::to_string(&first).expect("JSON");
        assert_eq!(serde_json::from_str::<Laid>(&text).expect("a network"), first);
        assert_eq!(first.to_string(), "regions (azure-2024): eastus 31, westeurope 16, southeastasia 16, japaneast 2");
    }
}
