//! The network of a run: which link leads from one instance to another before anything else is said.
//!
//! [`Network`] is what a composition asks for, [`Laid`] what one run gets: with every region drawn, as `run.json`
//! records it. [`Laid::ways`] answers for every pair.

#[cfg(feature = "plans")]
mod asked;
#[cfg(feature = "plans")]
mod figures;
mod routers;
#[cfg(feature = "plans")]
mod topology;
mod ways;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(feature = "plans")]
pub use asked::{Behind, Between, Matrix, MatrixProblem, Network, Regions, Topology, lay};
#[cfg(feature = "plans")]
pub use figures::{FIGURES, Figures};
pub use routers::{LaidRouter, Nat};
#[cfg(feature = "plans")]
pub use topology::Kind as TopologyKind;
pub use ways::Ways;

use crate::ids::GroupName;
use crate::link::Link;

/// The network of one run, as `run.json` records it.
///
/// A link is made of layers, and each covers only what it names: the default, the latency between regions, then the
/// links between groups in their order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Laid {
    /// The link of every pair.
    #[serde(default, skip_serializing_if = "Link::is_open")]
    pub link: Link,
    /// Links of some pairs; a later one covers an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LaidLink>,
    /// Where the instances are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<LaidRegions>,
    /// Who may reach whom, if not everybody everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<LaidTopology>,
    /// Who is behind a router with address translation; a later one covers an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<LaidRouter>,
}

/// What differs between some instances and others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaidLink {
    /// Groups, and instances as `group/3`; everybody if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Groups, and instances as `group/3`; everybody if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Whether it holds on the way back as well.
    pub both_ways: bool,
    /// What differs.
    pub link: Link,
}

/// Regions, how far they are from one another, and who is where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaidRegions {
    /// The name of the matrix, if it is one that comes with tg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<String>,
    /// The regions.
    pub names: Vec<String>,
    /// From each region to each, one way, in nanoseconds; null where only the default holds.
    pub latency_ns: Vec<Vec<Option<u64>>>,
    /// By group: the region of each of its instances, as its place in `names`.
    pub of: BTreeMap<GroupName, Vec<u32>>,
}

impl LaidRegions {
    /// How many instances are in each region, in the order of `names`.
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.names.len()];
        for region in self.of.values().flatten() {
            if let Some(count) = counts.get_mut(*region as usize) {
                *count += 1;
            }
        }
        counts
    }
}

/// Who may reach whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaidTopology {
    /// The kind of the graph: `random` or `scale-free`.
    pub kind: String,
    /// What becomes of packets to others.
    pub unreachable: Unreachable,
    /// The pairs that reach one another, each once. Instances are numbered from 0 in the order of the run's groups.
    pub edges: Vec<[u32; 2]>,
}

/// What becomes of packets to an instance that the sender cannot reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unreachable {
    /// The sender is told.
    #[default]
    Reject,
    /// They vanish.
    Drop,
}

impl LaidTopology {
    /// For each of so many instances those that it reaches, ascending.
    pub fn neighbours(&self, instances: u32) -> Vec<Vec<u32>> {
        let mut out = vec![Vec::new(); instances as usize];
        for [a, b] in &self.edges {
            for (from, to) in [(a, b), (b, a)] {
                if let Some(of) = out.get_mut(*from as usize) {
                    of.push(*to);
                }
            }
        }
        for of in &mut out {
            of.sort_unstable();
        }
        out
    }
}

/// In a few words: `latency 20 ms; servers – clients: loss 1 %; regions (azure-2024): eastus 3, uksouth 2`.
impl fmt::Display for Laid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More than these are counted only.
        const MOST: usize = 5;
        let mut parts = Vec::new();
        if !self.link.is_open() {
            parts.push(self.link.to_string());
        }
        let side = |names: &[String]| if names.is_empty() { "all".to_owned() } else { names.join("+") };
        for one in self.links.iter().take(MOST) {
            let arrow = if one.both_ways { "–" } else { "→" };
            parts.push(format!("{} {arrow} {}: {}", side(&one.from), side(&one.to), one.link));
        }
        if self.links.len() > MOST {
            parts.push(format!("{} more links", self.links.len() - MOST));
        }
        if let Some(regions) = &self.regions {
            let counts: Vec<String> = regions
                .names
                .iter()
                .zip(regions.counts())
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            let matrix = regions.matrix.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            parts.push(format!("regions{matrix}: {}", counts.join(", ")));
        }
        parts.extend(self.routers.iter().map(ToString::to_string));
        if let Some(topology) = &self.topology {
            parts.push(format!("{} graph of {} pairs that reach one another", topology.kind, topology.edges.len()));
        }
        f.write_str(&parts.join("; "))
    }
}
