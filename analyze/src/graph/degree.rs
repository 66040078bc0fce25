//! How many neighbours nodes have.

use super::csr::Csr;
use crate::summary::Summary;

/// The degrees of one projection.
#[derive(Debug, Clone, PartialEq)]
pub struct Degrees {
    /// The degree of each node.
    pub of: Vec<u32>,
}

/// Degrees: for each node its number of neighbours.
///
/// Definition: M. Newman, *Networks*, 6.10. On whichever projection is given: *U* for degrees, *D* for out-degrees,
/// *D* reversed for in-degrees.
/// An empty graph has none; an isolated node has degree 0.
/// Cost: O(|V|).
///
/// ```
/// use tg_analyze::graph::{Graph, degree::degrees};
/// let graph = Graph::from_arcs(4, &[(0, 1), (0, 2), (2, 0)]);
/// assert_eq!(degrees(graph.undirected()).of, vec![2, 1, 1, 0]);
/// assert_eq!(degrees(graph.inbound()).of, vec![1, 1, 1, 0]);
/// ```
pub fn degrees(csr: &Csr) -> Degrees {
    Degrees { of: csr.ids().map(|node| csr.degree(node)).collect() }
}

impl Degrees {
    /// The mean square of the degrees over their mean, κ; nothing where all degrees are 0.
    ///
    /// Definition: M. Molloy and B. Reed, "A critical point for random graphs with a given degree sequence", 1995: a
    /// random graph with these degrees has a giant component if κ > 2.
    ///
    /// ```
    /// use tg_analyze::graph::{Graph, degree::{degrees, percolation_threshold}};
    /// let star = Graph::from_arcs(6, &[(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    /// let kappa = degrees(star.undirected()).molloy_reed().unwrap();
    /// assert_eq!((kappa, percolation_threshold(kappa)), (3.0, Some(0.5)));
    /// ```
    pub fn molloy_reed(&self) -> Option<f64> {
        let sum: f64 = self.of.iter().map(|&k| f64::from(k)).sum();
        let squares: f64 = self.of.iter().map(|&k| f64::from(k) * f64::from(k)).sum();
        (sum > 0.0).then(|| squares / sum)
    }

    /// Their distribution; nothing for a graph without nodes.
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(self.of.iter().map(|&degree| f64::from(degree)).collect())
    }

    /// How many nodes have no neighbour.
    pub fn isolated(&self) -> usize {
        self.of.iter().filter(|&&degree| degree == 0).count()
    }

    /// The Gini coefficient: 0 where all nodes have as many neighbours, near 1 where one node has them all.
    ///
    /// Definition: G = 2 Σ i·x₍ᵢ₎ / (n Σ x) − (n + 1) / n over the degrees in ascending order, i from 1.
    /// Nothing for a graph without edges. Cost: O(|V| log |V|).
    ///
    /// ```
    /// # use tg_analyze::graph::degree::Degrees;
    /// assert_eq!(Degrees { of: vec![0, 0, 0, 4] }.gini(), Some(0.75));
    /// assert_eq!(Degrees { of: vec![2, 2, 2] }.gini(), Some(0.0));
    /// assert_eq!(Degrees { of: vec![0, 0] }.gini(), None);
    /// ```
    pub fn gini(&self) -> Option<f64> {
        let mut sorted = self.of.clone();
        sorted.sort_unstable();
        let total: u64 = sorted.iter().map(|&degree| u64::from(degree)).sum();
        if total == 0 {
            return None;
        }
        let n = sorted.len() as f64;
        let weighted: f64 = (1_u64..).zip(&sorted).map(|(rank, &degree)| rank as f64 * f64::from(degree)).sum();
        Some(2.0 * weighted / (n * total as f64) - (n + 1.0) / n)
    }

    /// How many nodes have at least this degree, for each degree that occurs: (degree, nodes with it, share with at
    /// least it).
    ///
    /// ```
    /// # use tg_analyze::graph::degree::Degrees;
    /// assert_eq!(Degrees { of: vec![1, 3, 1, 1] }.ccdf(), vec![(1, 3, 1.0), (3, 1, 0.25)]);
    /// ```
    pub fn ccdf(&self) -> Vec<(u32, u64, f64)> {
        let mut counts = std::collections::BTreeMap::new();
        for &degree in &self.of {
            *counts.entry(degree).or_insert(0_u64) += 1;
        }
        let n = self.of.len() as f64;
        let mut left = self.of.len() as u64;
        let step = |(degree, count)| {
            let share = left as f64 / n;
            left -= count;
            (degree, count, share)
        };
        counts.into_iter().map(step).collect()
    }
}

/// The share of nodes whose removal at random ends the giant component of a random graph, 1 − 1/(κ − 1); nothing where
/// κ is 2 or less, as there is none.
///
/// Definition: R. Cohen et al., "Resilience of the Internet to random breakdowns", 2000.
pub fn percolation_threshold(kappa: f64) -> Option<f64> {
    (kappa > 2.0).then(|| 1.0 - 1.0 / (kappa - 1.0))
}
