//! Identities that follow from the seed and a number, so that everybody can tell everybody's.

use libp2p::PeerId;
use libp2p::identity::Keypair;
use tg_sdk::{Result, Rng};

/// Keeps the numbers of nodes apart from each other and from other uses of the seed.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key pair of the node with a number.
///
/// # Errors
///
/// If the library takes 32 bytes for no key.
pub fn keypair(seed: u64, seq: u64) -> Result<Keypair> {
    Ok(Keypair::ed25519_from_bytes(bytes(seed, seq))?)
}

/// 32 bytes that follow from a seed and a number.
#[must_use]
pub fn bytes(seed: u64, seq: u64) -> [u8; 32] {
    let mut rng = Rng::new(seed.wrapping_add(STEP.wrapping_mul(seq.wrapping_add(1))));
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    bytes
}

/// A peer id as records have it.
#[must_use]
pub fn peer_text(peer: &PeerId) -> String {
    peer.to_base58()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_follow_from_seed_and_number() {
        let id = |seed, seq| keypair(seed, seq).expect("32 bytes are a key").public().to_peer_id();
        assert_eq!(id(1, 0), id(1, 0));
        let mut all: Vec<PeerId> = (0..100).flat_map(|seq| [id(1, seq), id(2, seq)]).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 200);
        // The plan in Go has the same: its test holds this id, too.
        assert_eq!(peer_text(&id(7, 3)), "12D3KooWG6hNrZff1Vos6nJonny7Rcaf8i9RiisyXyiULksEYYcR");
    }
}
