//! Ids as traces write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libp2p::PeerId;

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
    use p2p::ids::keypair;

    use super::*;

    #[test]
    fn messages_are_told_apart_by_publisher_and_number() {
        let peer = |seq| Some(keypair(1, seq).expect("32 bytes are a key").public().to_peer_id());
        let ids = [message_id(peer(0), Some(1)), message_id(peer(0), Some(2)), message_id(peer(1), Some(1))];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(coded(&[0, 0xff, 0x10]), "AP8Q");
    }
}
