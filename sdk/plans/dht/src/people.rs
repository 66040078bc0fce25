//! What a node of the DHT tells the others.

use serde::{Deserialize, Serialize};

use crate::settings::Role;

/// A node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub seq: usize,
    pub role: Role,
    pub peer: String,
    /// Where it can be dialled; none of a client.
    pub addr: Option<String>,
}

impl Member {
    /// Whether it answers questions.
    pub fn serves(&self) -> bool {
        self.role != Role::Client
    }
}

impl p2p::people::Member for Member {
    fn seq(&self) -> usize {
        self.seq
    }
}
