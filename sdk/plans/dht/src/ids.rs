//! Identities that follow from the seed and a number, so that everybody can tell everybody's.

use libp2p::identity::Keypair;
use libp2p::kad::KBucketKey;
use libp2p::{Multiaddr, PeerId};
use tg_sdk::{Result, Rng};

/// Keeps the numbers of nodes apart from each other and from other uses of the seed.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key pair of the node with a number.
pub fn keypair(seed: u64, seq: u64) -> Result<Keypair> {
    Ok(Keypair::ed25519_from_bytes(bytes(seed, seq))?)
}

/// 32 bytes that follow from a seed and a number.
pub fn bytes(seed: u64, seq: u64) -> [u8; 32] {
    let mut rng = Rng::new(seed.wrapping_add(STEP.wrapping_mul(seq.wrapping_add(1))));
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    bytes
}

/// The place of a key in the keyspace: its SHA-256.
pub fn place(key: &[u8]) -> [u8; 32] {
    let mut place = [0; 32];
    place.copy_from_slice(KBucketKey::new(key.to_vec()).hashed_bytes());
    place
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
        text
    })
}

/// An address without the peer at its end.
pub fn bare(mut addr: Multiaddr) -> Multiaddr {
    if matches!(addr.iter().last(), Some(libp2p::multiaddr::Protocol::P2p(_))) {
        addr.pop();
    }
    addr
}

/// As peer ids are written.
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
    }

    #[test]
    fn a_place_is_the_sha256_of_the_key() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hex(&place(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
