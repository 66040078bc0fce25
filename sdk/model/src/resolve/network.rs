//! Whether the network of a composition names what its runs have.

use std::collections::BTreeSet;

use super::Resolver;
use crate::composition::{Run, unknown_region};
use crate::fault::Who;
use crate::network::{Laid, LaidLink, Network, TopologyKind};
use crate::problem::shown;
use crate::spec::GroupSpec;

/// The most kinds of instances that a network may tell apart: the work grows with the square of it.
const MOST_KINDS: usize = 2000;

/// The most edges of a topology.
const MOST_EDGES: f64 = 2e6;
/// More instances than these are not told apart.
const MOST_COUNTED: u64 = 1 << 16;

impl Resolver<'_> {
    /// The network of one run, checked against its groups.
    pub(super) fn network(&mut self, run: &Run, groups: &[GroupSpec], backend: Option<&str>) -> Option<Network> {
        let regions = self.regions_of(run);
        let mut network = self.composition.network.clone()?;
        if backend == Some("cluster:k8s") {
            let text = "`[network]` shapes a network of tg's own, and instances on `cluster:k8s` have the cluster's";
            let hint = "use `--backend local:exec`, or leave `[network]` out".to_owned();
            self.problem(network.line, text.to_owned(), hint);
        }
        for who in network.routers.iter().flat_map(|one| &one.of) {
            self.is_there("a router of `[network]`", who, groups);
        }
        for who in network.links.iter().flat_map(|one| one.from.iter().chain(&one.to)) {
            self.is_there("a link of `[network]`", who, groups);
        }
        if let Some(wanted) = &mut network.regions {
            wanted.of = regions;
            for group in groups.iter().filter(|group| !wanted.of.contains_key(group.name.as_str())) {
                if wanted.shares.is_empty() {
                    let text = format!("group `{}` has no region", group.name);
                    let hint = "give the group a `region`, or add `[network.regions.shares]`".to_owned();
                    self.problem(wanted.line, text, hint);
                }
            }
        }
        let kinds = kinds(&network, groups);
        if kinds > MOST_KINDS {
            let text = format!("`[network]` tells {kinds} kinds of instances apart; the most is {MOST_KINDS}");
            self.problem(network.line, text, "name groups in place of single instances".to_owned());
        }
        if let Some(topology) = network.topology {
            let instances: f64 = groups.iter().map(|group| f64::from(group.count)).sum();
            let edges = match topology.kind {
                TopologyKind::Random { degree } => instances * degree / 2.0,
                TopologyKind::ScaleFree { edges } => instances * f64::from(edges),
            };
            if edges > MOST_EDGES {
                let text = format!(
                    "`[network.topology]` asks for {edges} pairs that reach one another; the most is {MOST_EDGES}"
                );
                self.problem(
                    topology.line,
                    text,
                    "ask for fewer, or leave it out: then everybody reaches everybody".to_owned(),
                );
            }
        }
        Some(network)
    }

    /// The regions that the groups of a run name, checked.
    fn regions_of(&mut self, run: &Run) -> std::collections::BTreeMap<String, String> {
        let composition = self.composition;
        let regions = composition.network.as_ref().and_then(|network| network.regions.as_ref());
        let mut out = std::collections::BTreeMap::new();
        for member in &run.groups {
            let group = composition.groups.iter().find(|group| group.id.value == member.group_id.value);
            let Some(at) = member.region.as_ref().or(group.and_then(|group| group.region.as_ref())) else { continue };
            match regions {
                None => {
                    let text = format!("`region = \"{}\"`, but there are no `[network.regions]`", shown(&at.value));
                    self.problem(at.line, text, "add them, with a `matrix` or a table `round_trip`".to_owned());
                }
                // That there is no matrix has been said.
                Some(regions) if regions.matrix.regions.is_empty() => {}
                Some(regions) => {
                    if let Some((text, hint)) = unknown_region(&regions.matrix, &at.value) {
                        self.problem(at.line, text, hint);
                    }
                }
            }
            out.insert(member.id.value.clone(), at.value.clone());
        }
        out
    }
}

/// How many kinds of instances the network can tell apart, at most.
fn kinds(network: &Network, groups: &[GroupSpec]) -> usize {
    let regions: BTreeSet<&String> = match &network.regions {
        Some(regions) => regions.of.values().chain(regions.shares.keys()).collect(),
        None => BTreeSet::new(),
    };
    // A run with more instances than there can be hosts is refused, whatever its network.
    if groups.iter().map(|group| u64::from(group.count)).sum::<u64>() > MOST_COUNTED {
        return 0;
    }
    let names = |who: &[crate::node::At<Who>]| who.iter().map(|at| at.value.to_string()).collect();
    let links = network.links.iter().map(|one| LaidLink {
        from: names(&one.from),
        to: names(&one.to),
        both_ways: one.both_ways,
        link: one.link,
    });
    let laid = Laid { links: links.collect(), ..Laid::default() };
    laid.count_kinds(groups.iter().map(|group| (group.name.as_str(), group.count))) * regions.len().max(1)
}
