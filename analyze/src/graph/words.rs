//! What nodes, edges and arcs are called, by what joins two nodes.

use super::network::Connectivity;
use crate::export::Kind;

/// The words of a report for one kind of network.
pub(super) struct Words {
    /// What the whole is taken from.
    pub(super) ever: &'static str,
    /// What there was at a time; the time follows.
    pub(super) at: &'static str,
    /// What an edge is.
    pub(super) edges: &'static str,
    /// From whom to whom an arc leads.
    pub(super) arcs: &'static str,
    /// What is counted when repeated ones count too.
    pub(super) links: &'static str,
    /// The degree outwards.
    pub(super) out: &'static str,
    /// The degree inwards.
    pub(super) inward: &'static str,
    /// The title of what is directed.
    pub(super) directed: &'static str,
    /// Between whom degrees are compared along an arc.
    pub(super) ends: &'static str,
}

impl Words {
    pub(super) fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Connections => &Self {
                ever: "every connection that was open at any time",
                at: "the connections that were open",
                edges: "pairs of nodes that were connected, whoever dialled",
                arcs: "dialler to listener",
                links: "connections",
                out: "out (dialled)",
                inward: "in (was dialled)",
                directed: "Who dialled whom, directed",
                ends: "degree of the dialler, degree of the listener",
            },
            Kind::RoutingTables => &Self {
                ever: "every entry that was in a table at any time",
                at: "the entries that there were",
                edges: "pairs of nodes of which one at least has the other in its table",
                arcs: "owner to entry",
                links: "entries",
                out: "out (entries of its table)",
                inward: "in (tables that have it)",
                directed: "Who has whom in its table, directed",
                ends: "degree of the owner, degree of the entry",
            },
            Kind::Mesh => &Self {
                ever: "everyone who was in a mesh at any time",
                at: "the meshes as they were",
                edges: "pairs of nodes of which one at least has the other in its mesh",
                arcs: "owner to member",
                links: "places in meshes",
                out: "out (members of its mesh)",
                inward: "in (meshes that have it)",
                directed: "Who has whom in its mesh, directed",
                ends: "degree of the owner, degree of the member",
            },
        }
    }

    /// From what a network was taken.
    pub(super) fn source(kind: Kind, source: &Connectivity) -> String {
        let words = Self::of(kind);
        match source {
            Connectivity::EverOpen => words.ever.to_owned(),
            Connectivity::Snapshot(label) => format!("snapshot {label}"),
            Connectivity::At(time) => format!("{} {time:?} after the run's begin", words.at),
        }
    }
}
