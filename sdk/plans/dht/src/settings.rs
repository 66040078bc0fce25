//! The parameters of a run.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use tg_sdk::{Env, Result};

/// How the network is made before anybody looks for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forming {
    /// Everybody dials a bootstrapper.
    Star,
    /// Everybody dials the next server.
    Ring,
    /// Everybody dials so many random servers.
    Mesh,
    /// Everybody dials so many servers, and every server is dialled equally often.
    Balanced,
}

/// Who does a step when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// All at once.
    Together,
    /// So many at a time, in the order of their numbers.
    Batches(u64),
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A server that others start from.
    Bootstrapper,
    /// Answers, and is in tables.
    Server,
    /// Asks only: it is in client mode and cannot be dialled.
    Client,
}

impl Role {
    /// As records name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bootstrapper => "bootstrapper",
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// All parameters.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seed of keys, peer ids and topology.
    pub seed: u64,
    /// A role that the group fixes; otherwise it follows from the numbers.
    pub role: Option<Role>,
    /// The first so many nodes are bootstrappers.
    pub bootstrappers: usize,
    /// The last so many nodes are clients.
    pub clients: usize,
    pub forming: Forming,
    /// Dials of each node in the forms `mesh` and `balanced`.
    pub degree: usize,
    pub staging: Staging,
    /// The size of buckets, and how many peers a lookup settles on.
    pub k: NonZeroUsize,
    /// Requests of a lookup in flight.
    pub alpha: NonZeroUsize,
    /// How often each node refreshes its whole table.
    pub refreshes: u32,
    /// Lookups of each node.
    pub lookups: u32,
    /// Records that each node provides or stores.
    pub records: u32,
    /// Connections of a node; no limit if absent.
    pub max_connections: Option<u32>,
    /// The longest that a lookup may take.
    pub timeout: Duration,
    /// A connection that nobody uses is closed after so long.
    pub idle: Duration,
    /// The pause before each lookup of the case.
    pub pace: Duration,
    /// How long a node waits for the others, who may be broken.
    pub patience: Duration,
    /// One way, added to whatever a node sends; it needs hosts.
    pub latency: Duration,
}

impl Settings {
    /// Reads them, and tells every problem at once.
    pub fn read(env: &Env) -> Result<Self> {
        let nonzero = |n: usize| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        Ok(env.params(|p| {
            let role = match p.get_or("role", "auto".to_owned()).as_str() {
                "auto" => None,
                "bootstrapper" => Some(Role::Bootstrapper),
                "server" => Some(Role::Server),
                "client" => Some(Role::Client),
                other => {
                    p.problem(format!("`role` must be auto, bootstrapper, server or client, not `{other}`"));
                    None
                }
            };
            let forming = p.get_or("forming", "star".to_owned()).parse().unwrap_or_else(|why: String| {
                p.problem(why);
                Forming::Star
            });
            let batch = p.within("batch", 5, 1..=10_000);
            let staging = match p.get_or("staging", "together".to_owned()).as_str() {
                "together" => Staging::Together,
                "one" => Staging::Batches(1),
                "batches" => Staging::Batches(batch),
                other => {
                    p.problem(format!("`staging` must be together, one or batches, not `{other}`"));
                    Staging::Together
                }
            };
            Self {
                seed: p.get_or("seed", 1),
                role,
                bootstrappers: p.within("bootstrappers", 3, 1..=100),
                clients: p.get_or("clients", 5),
                forming,
                degree: p.within("degree", 3, 1..=100),
                staging,
                // The library does not return more, whatever one asks for.
                k: nonzero(p.within("k", 20, 1..=20)),
                alpha: nonzero(p.within("alpha", 3, 1..=20)),
                refreshes: p.within("refreshes", 2, 0..=100),
                lookups: p.within("lookups", 5, 0..=100_000),
                records: p.within("records", 2, 1..=100_000),
                max_connections: Some(p.get_or("max_connections", 0)).filter(|&n| n > 0),
                timeout: p.get_or("timeout", Duration::from_secs(30)),
                idle: p.get_or("idle", Duration::from_mins(1)),
                pace: p.get_or("pace", Duration::ZERO),
                patience: p.get_or("patience", Duration::from_hours(1)),
                latency: p.get_or("latency", Duration::ZERO),
            }
        })?)
    }

    /// The role of the node with a number, among so many.
    pub fn role_of(&self, seq: usize, nodes: usize) -> Role {
        match self.role {
            Some(role) => role,
            None if seq < self.bootstrappers => Role::Bootstrapper,
            None if seq >= nodes.saturating_sub(self.clients) => Role::Client,
            None => Role::Server,
        }
    }
}

impl FromStr for Forming {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "star" => Ok(Self::Star),
            "ring" => Ok(Self::Ring),
            "mesh" => Ok(Self::Mesh),
            "balanced" => Ok(Self::Balanced),
            other => Err(format!("`forming` must be star, ring, mesh or balanced, not `{other}`")),
        }
    }
}
