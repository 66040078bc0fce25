//! Places in the keyspace, and how bytes and addresses are written.

use libp2p::Multiaddr;
use libp2p::kad::KBucketKey;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_sha256_of_the_key() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hex(&place(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
