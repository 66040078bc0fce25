//! Peer ids: many encodings, one normal form.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// No id is longer; conversion costs the square of the length.
const LONGEST: usize = 256;

/// Digits of a number in some base, most significant first, as bytes. Leading zero digits are leading zero bytes.
fn number(text: &[u8], alphabet: &[u8]) -> Option<Vec<u8>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for digit in text {
        let mut carry = alphabet.iter().position(|a| a == digit)?;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * alphabet.len();
            #[expect(clippy::cast_possible_truncation, reason = "the low byte is wanted")]
            {
                *byte = carry as u8;
            }
            carry >>= 8;
        }
        while carry > 0 {
            #[expect(clippy::cast_possible_truncation, reason = "the low byte is wanted")]
            bytes.insert(0, carry as u8);
            carry >>= 8;
        }
    }
    let zeros = text.iter().take_while(|&&digit| digit == alphabet[0]).count();
    let mut out = vec![0; zeros];
    out.extend(bytes);
    Some(out)
}

/// The bytes of a text in base58.
pub(crate) fn unbase58(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() { None } else { number(text.as_bytes(), BASE58) }
}

/// Bytes in base58.
pub(crate) fn base58(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::with_capacity(bytes.len() * 138 / 100 + 1);
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let ones = std::iter::repeat_n('1', zeros);
    ones.chain(digits.iter().rev().map(|&digit| char::from(BASE58[usize::from(digit)]))).collect()
}

fn base32(text: &[u8]) -> Option<Vec<u8>> {
    packed(text, 5, |c| match c {
        b'a'..=b'z' => Some(c - b'a'),
        b'2'..=b'7' => Some(c - b'2' + 26),
        _ => None,
    })
}

/// Bytes from digits of `width` bits each, highest bit first; bits that fill no byte at the end are dropped.
fn packed(text: &[u8], width: u32, value: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * width as usize / 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for &c in text {
        bits = bits << width | u32::from(value(c)?);
        held += width;
        if held >= 8 {
            held -= 8;
            #[expect(clippy::cast_possible_truncation, reason = "the low byte is wanted")]
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

/// Bytes from hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// Bytes from base64, with or without padding.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    packed(text.trim_end_matches('=').as_bytes(), 6, |c| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    })
}

/// Whether the bytes are a multihash of a kind that peer ids use: identity (0) or SHA-256 (0x12), with its length.
fn is_multihash(bytes: &[u8]) -> bool {
    match bytes {
        [0x12, 32, rest @ ..] => rest.len() == 32,
        [0, len, rest @ ..] => *len >= 4 && *len < 128 && rest.len() == usize::from(*len),
        _ => false,
    }
}

/// The multihash that a text stands for, if it is a peer id in base58 or a version 1 CID of one.
pub(crate) fn multihash(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if !(8..=LONGEST).contains(&bytes.len()) {
        return None;
    }
    if is_hex_multihash(text) {
        return unhex(text).filter(|hash| is_multihash(hash));
    }
    if text.starts_with("Qm") || text.starts_with('1') {
        return number(bytes, BASE58).filter(|hash| is_multihash(hash));
    }
    let cid = match bytes[0] {
        b'b' => base32(&bytes[1..])?,
        b'B' => base32(text[1..].to_ascii_lowercase().as_bytes())?,
        b'z' => number(&bytes[1..], BASE58)?,
        b'k' => number(&bytes[1..], BASE36)?,
        b'K' => number(text[1..].to_ascii_lowercase().as_bytes(), BASE36)?,
        b'f' | b'F' => unhex(&text[1..])?,
        // A multihash of either kind begins so in base64.
        b'A' | b'E' => return base64(text).filter(|hash| is_multihash(hash)),
        _ => return None,
    };
    // Version 1, codec `libp2p-key`.
    cid.strip_prefix(&[1, 0x72]).filter(|hash| is_multihash(hash)).map(<[u8]>::to_vec)
}

/// Whether a text can be a multihash in hexadecimal digits: of SHA-256, or the identity of a short key.
fn is_hex_multihash(text: &str) -> bool {
    matches!(text.as_bytes(), [b'1', b'2', b'2', b'0', ..] | [b'0', b'0', ..])
        && (12..=2 * LONGEST).contains(&text.len())
        && text.len().is_multiple_of(2)
        && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The one form of a peer id that was written as its bytes.
pub(crate) fn from_bytes(bytes: &[u8]) -> String {
    if is_multihash(bytes) {
        return base58(bytes);
    }
    // Other implementations write the text of the id, or bytes of their own.
    match str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && !text.contains(char::is_control) => normal(text).into_owned(),
        _ => super::lines::hex(bytes),
    }
}

/// The one form of a peer id in a format that has its bytes in base64; writers that keep base58 there are understood.
pub(crate) fn from_base64(text: &str) -> String {
    if multihash(text).is_none()
        && let Some(bytes) = base64(text)
        && bytes.len() > 8
        && (is_multihash(&bytes) || str::from_utf8(&bytes).is_ok_and(|text| multihash(text).is_some()))
    {
        return from_bytes(&bytes);
    }
    normal(text).into_owned()
}

/// The one form of a peer id: base58 of its multihash. A place in the keyspace is written in small letters. What is
/// neither stays as it is.
pub(crate) fn normal(text: &str) -> Cow<'_, str> {
    if (text.starts_with("Qm") || text.starts_with('1')) && !is_hex_multihash(text) {
        return Cow::Borrowed(text);
    }
    match multihash(text) {
        Some(hash) => Cow::Owned(base58(&hash)),
        None if is_place(text) && text.contains(|c: char| c.is_ascii_uppercase()) => {
            Cow::Owned(text.to_ascii_lowercase())
        }
        None => Cow::Borrowed(text),
    }
}

/// Whether a text is a place in the keyspace, in hexadecimal digits.
fn is_place(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The place of a peer in the keyspace, if its id is a multihash, or is the place itself.
pub(crate) fn kad(text: &str) -> Option<[u8; 32]> {
    if is_place(text) {
        return kad_from_hex(text);
    }
    multihash(text).map(|hash| Sha256::digest(&hash).into())
}

/// 32 bytes from 64 hexadecimal digits.
pub(crate) fn kad_from_hex(text: &str) -> Option<[u8; 32]> {
    unhex(text)?.try_into().ok()
}

/// The length of the common prefix of two places, in bits.
pub(crate) fn common_prefix(a: &[u8; 32], b: &[u8; 32]) -> u16 {
    let mut bits = 0;
    for (a, b) in a.iter().zip(b) {
        let zeros = (a ^ b).leading_zeros();
        bits += u16::try_from(zeros).unwrap_or(8);
        if zeros < 8 {
            break;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    // The same bytes in Python's base64 and base32, and as a version 1 CID in base36.
    const B64: &str = "ACQIARIg4B99DrcLRamcPx0Z22nhvwOK9ratpRNZoYm2xBUVKp8=";
    const B32: &str = "bafzaajaiaejcbya7puhloc2fvgod6hiz3nu6dpydrl3lnlnfcnm2dcnwyqkrkku7";
    const B36: &str = "k51qzi5uqu5dlropc6hyinqvyifl0qqegacabr4mmthxthgegzp8shiopocpzz";
    const PEER: &str = "12D3KooWQuFLmk1pkNaBmr5qwhiQjhPS7iueUMRA5NVx3psiPgva";

    #[test]
    fn a_known_peer_has_its_known_place() {
        let place = kad(PEER).expect("a peer id");
        assert_eq!(
            super::super::lines::hex(&place),
            "44e83bf12e7665fa3b4cca61a970300b6b045a794b0bcc9d66074ebd9f6a5272"
        );
        let hash = multihash(PEER).expect("a peer id");
        assert_eq!(base58(&hash), PEER);
        assert_eq!(base58(&hash), PEER);
    }

    #[test]
    fn every_encoding_of_an_id_has_one_normal_form() {
        let hash = multihash(PEER).expect("a peer id");
        let mut cid = vec![1, 0x72];
        cid.extend(&hash);
        let hexed = format!("f{}", super::super::lines::hex(&cid));
        let b58 = format!("z{}", base58(&cid));
        let bare = super::super::lines::hex(&hash);
        let upper = hexed.to_ascii_uppercase();
        let place = super::super::lines::hex(&kad(PEER).expect("a peer id"));
        assert_eq!((kad(&place), normal(&place.to_uppercase()).as_ref()), (kad(PEER), place.as_str()));
        assert_eq!(from_bytes(&hash), PEER);
        assert_eq!(from_bytes(PEER.as_bytes()), PEER);
        assert_eq!(from_base64(PEER), PEER);
        for text in [PEER, hexed.as_str(), b58.as_str(), bare.as_str(), upper.as_str(), B64, B32, B36] {
            assert_eq!(normal(text), PEER, "{text}");
            assert_eq!(kad(text), kad(PEER), "{text}");
        }
        for text in ["single/3", "", "1", "Qm", "bafy", "k", "f00", "12D3Koo!", &"1".repeat(500)] {
            assert_eq!((normal(text).as_ref(), kad(text)), (text, None));
        }
    }

    #[test]
    fn bases() {
        assert_eq!(base64("aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(base64("!"), None);
        assert_eq!(base32(b"nbswy3dp"), Some(b"hello".to_vec()));
        assert_eq!(number(b"1112", BASE58), Some(vec![0, 0, 0, 1]));
        assert_eq!(base58(&[0, 0, 0, 1]), "1112");
        assert_eq!(common_prefix(&[0; 32], &[0; 32]), 256);
        let mut other = [0; 32];
        other[1] = 0x10;
        assert_eq!(common_prefix(&[0; 32], &other), 11);
    }
}
