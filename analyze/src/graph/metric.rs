//! Which metrics are wanted.

use std::collections::BTreeSet;

/// A metric of the report, or several that are found together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Nodes, edges, arcs, density, loops.
    Size,
    /// Weakly connected components with their members.
    Components,
    /// Degrees and their Gini coefficient, by group.
    Degrees,
    /// Mean path, diameter, radius, efficiency.
    Distances,
    /// Clustering, transitivity, triangles.
    Clustering,
    /// Assortativity by degree and by group.
    Assortativity,
    /// Molloy-Reed's κ and the expected threshold.
    Percolation,
    /// Degeneracy.
    Cores,
    /// Articulation points and bridges.
    Cuts,
    /// Arcs whose reverse is an arc too.
    Reciprocity,
    /// Strong components and the bow tie.
    BowTie,
    /// Ordered pairs that a directed path joins.
    Reachability,
    /// Vertex and edge connectivity.
    Connectivity,
    /// Spectral radius, algebraic connectivity, spectral gap.
    Spectral,
    /// Modularity of the groups.
    Modularity,
    /// Clustering and path length against random graphs.
    SmallWorld,
    /// The nodes through which most shortest paths lead.
    Betweenness,
    /// The nodes at which a walk along arcs is most often.
    PageRank,
    /// What is left as nodes are removed.
    Robustness,
    /// How long the quickest paths take.
    Latency,
    /// How long edges last.
    Lifetimes,
    /// How long nodes stay.
    Sessions,
    /// Who could have told whom, as edges come and go.
    Temporal,
    /// Connections and routing tables against one another.
    Overlap,
}

impl Metric {
    /// Every metric, in the order of the report.
    pub const ALL: [Self; 24] = [
        Self::Size,
        Self::Components,
        Self::Degrees,
        Self::Distances,
        Self::Clustering,
        Self::Assortativity,
        Self::Percolation,
        Self::Cores,
        Self::Cuts,
        Self::Reciprocity,
        Self::BowTie,
        Self::Reachability,
        Self::Connectivity,
        Self::Spectral,
        Self::Modularity,
        Self::SmallWorld,
        Self::Betweenness,
        Self::PageRank,
        Self::Robustness,
        Self::Latency,
        Self::Lifetimes,
        Self::Sessions,
        Self::Temporal,
        Self::Overlap,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Components => "components",
            Self::Degrees => "degrees",
            Self::Distances => "distances",
            Self::Clustering => "clustering",
            Self::Assortativity => "assortativity",
            Self::Percolation => "percolation",
            Self::Cores => "cores",
            Self::Cuts => "cuts",
            Self::Reciprocity => "reciprocity",
            Self::BowTie => "bow-tie",
            Self::Reachability => "reachability",
            Self::Connectivity => "connectivity",
            Self::Spectral => "spectral",
            Self::Modularity => "modularity",
            Self::SmallWorld => "small-world",
            Self::Betweenness => "betweenness",
            Self::PageRank => "pagerank",
            Self::Robustness => "robustness",
            Self::Latency => "latency",
            Self::Lifetimes => "lifetimes",
            Self::Sessions => "sessions",
            Self::Temporal => "temporal",
            Self::Overlap => "overlap",
        }
    }

    /// Whether its cost grows with nodes and edges and little faster, so that a million nodes are no trouble.
    pub fn is_fast(self) -> bool {
        match self {
            Self::Size
            | Self::Components
            | Self::Degrees
            | Self::Clustering
            | Self::Assortativity
            | Self::Percolation
            | Self::Cores
            | Self::Cuts
            | Self::Reciprocity
            | Self::BowTie
            | Self::Modularity
            | Self::PageRank
            | Self::Lifetimes
            | Self::Sessions
            | Self::Overlap => true,
            Self::Distances
            | Self::Reachability
            | Self::Connectivity
            | Self::Spectral
            | Self::SmallWorld
            | Self::Betweenness
            | Self::Robustness
            | Self::Latency
            | Self::Temporal => false,
        }
    }
}

/// A choice of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    wanted: BTreeSet<Metric>,
    named: BTreeSet<Metric>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { wanted: Metric::ALL.into_iter().collect(), named: BTreeSet::new() }
    }
}

impl Metrics {
    /// From names with commas between them, `all` and `fast` among them. The error names what there is.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut choice = Self { wanted: BTreeSet::new(), named: BTreeSet::new() };
        for name in list.split(',').map(str::trim) {
            match (name, Metric::ALL.into_iter().find(|metric| metric.name() == name)) {
                ("all", _) => choice.wanted.extend(Metric::ALL),
                ("fast", _) => choice.wanted.extend(Metric::ALL.into_iter().filter(|metric| metric.is_fast())),
                (_, Some(metric)) => {
                    choice.wanted.insert(metric);
                    choice.named.insert(metric);
                }
                (_, None) => {
                    let known: Vec<&str> = Metric::ALL.into_iter().map(Metric::name).collect();
                    return Err(format!("there is no metric `{name}`: it is all, fast, or of {}", known.join(", ")));
                }
            }
        }
        Ok(choice)
    }

    /// Whether a metric is wanted.
    pub fn has(&self, metric: Metric) -> bool {
        self.wanted.contains(&metric)
    }

    /// Whether any of some metrics is wanted.
    pub(super) fn has_any(&self, some: &[Metric]) -> bool {
        some.iter().any(|metric| self.has(*metric))
    }

    /// Whether it was asked for by its name: then it is an error if the run cannot answer.
    pub fn names(&self, metric: Metric) -> bool {
        self.named.contains(&metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_names_and_two_words_for_many() {
        let all = Metrics::parse("all").unwrap();
        assert!(Metric::ALL.into_iter().all(|metric| all.has(metric) && !all.names(metric)));
        assert_eq!(all, Metrics::default());
        let some = Metrics::parse("fast, spectral,bow-tie").unwrap();
        let has = [Metric::Spectral, Metric::Cores, Metric::Distances].map(|metric| some.has(metric));
        assert_eq!((has, some.names(Metric::BowTie), some.names(Metric::Cores)), ([true, true, false], true, false));
        let names: BTreeSet<&str> = Metric::ALL.into_iter().map(Metric::name).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for wrong in ["", "degree", "size,,cuts", "Size"] {
            let why = Metrics::parse(wrong).unwrap_err();
            assert!(Metric::ALL.iter().all(|metric| why.contains(metric.name())), "{why}");
        }
    }
}
