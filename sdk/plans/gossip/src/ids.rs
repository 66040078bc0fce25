//! Identities that follow from the seed and a number, and ids as traces write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use tg_sdk::{Result, Rng};

/// Keeps the numbers of nodes apart from each other and from other uses of the seed.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key pair of the node with a number.
pub fn keypair(seed: u64, seq: u64) -> Result<Keypair> {
    let mut rng = Rng::new(seed.wrapping_add(STEP.wrapping_mul(seq.wrapping_add(1))));
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    Ok(Keypair::ed25519_from_bytes(bytes)?)
}

/// A peer id as records of connections and peers have it.
pub fn peer_text(peer: &PeerId) -> String {
    peer.to_base58()
}

/// Bytes as a trace in JSON has them.
pub fn coded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The id of a message: who published it, and as its how many-th, as go-libp2p-pubsub makes it.
pub fn message_id(source: Option<PeerId>, sequence: Option<u64>) -> Vec<u8> {
    let mut id = source.map(PeerId::to_bytes).unwrap_or_default();
    id.extend(sequence.unwrap_or_default().to_be_bytes());
    id
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
    }

    #[test]
    fn messages_are_told_apart_by_publisher_and_number() {
        let peer = |seq| Some(keypair(1, seq).expect("32 bytes are a key").public().to_peer_id());
        let ids = [message_id(peer(0), Some(1)), message_id(peer(0), Some(2)), message_id(peer(1), Some(1))];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(coded(&[0, 0xff, 0x10]), "AP8Q");
    }
}
