//! What a lookup should have found: everybody's place is known.

use libp2p::PeerId;

use crate::ids::place;

/// Of the `k` peers nearest to a key, how many are among those that a lookup settled on: recall@k.
///
/// `servers` are all that could be found. With fewer than `k`, all of them count. None if there are none.
pub fn recall(key: &[u8], servers: &[PeerId], returned: &[PeerId], k: usize) -> Option<f64> {
    let target = place(key);
    let mut nearest: Vec<&PeerId> = servers.iter().collect();
    nearest.sort_by_key(|peer| distance(&target, &place(&peer.to_bytes())));
    nearest.truncate(k);
    let there = nearest.iter().filter(|peer| returned.contains(peer)).count();
    (!nearest.is_empty()).then(|| there as f64 / nearest.len() as f64)
}

fn distance(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut distance = [0; 32];
    for (d, (a, b)) in distance.iter_mut().zip(a.iter().zip(b)) {
        *d = a ^ b;
    }
    distance
}

#[cfg(test)]
mod tests {
    use p2p::ids::keypair;

    use super::*;

    #[test]
    fn recall_counts_the_nearest_only() {
        let peers: Vec<PeerId> = (0..8).map(|seq| keypair(1, seq).expect("a key").public().to_peer_id()).collect();
        let key = b"key";
        let mut order = peers.clone();
        order.sort_by_key(|peer| distance(&place(key), &place(&peer.to_bytes())));
        let close = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-12);
        assert!(close(recall(key, &peers, &order[..3], 3), 1.0));
        assert!(close(recall(key, &peers, &[order[0], order[7], order[2]], 3), 2.0 / 3.0));
        assert!(close(recall(key, &peers, &order, 20), 1.0));
        assert_eq!(recall(key, &[], &order, 3), None);
    }
}
