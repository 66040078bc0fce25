//! The bytes on their way to a client.

use std::sync::Arc;

use super::frame::{put_text, put_text_head};
use super::topic::Item;
use super::wire;

/// Once this much waits to be sent, items wait in their topic.
const FULL_BYTES: usize = 64 * 1024;
/// Items above this are sent from where they are stored instead of being copied for each subscriber.
const SPLICED_BYTES: usize = 16 * 1024;
/// What an idle connection keeps.
const KEPT_BYTES: usize = 1024;

/// What waits to be sent, in order: small things in a buffer, and at most one large item in between.
#[derive(Debug, Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    sent: usize,
    splice: Option<Splice>,
}

#[derive(Debug)]
struct Splice {
    /// The place in `bytes` where the item's text belongs.
    at: usize,
    item: Arc<Item>,
    sent: usize,
}

impl Out {
    /// What can be sent next in one piece; empty when nothing is left.
    pub(super) fn next(&self) -> &[u8] {
        match &self.splice {
            Some(splice) if self.sent < splice.at => &self.bytes[self.sent..splice.at],
            Some(splice) => &splice.item.encoded.as_bytes()[splice.sent..],
            None => &self.bytes[self.sent..],
        }
    }

    /// Notes that so many bytes of `next` have gone.
    pub(super) fn advance(&mut self, count: usize) {
        match &mut self.splice {
            Some(splice) if self.sent == splice.at => {
                splice.sent += count;
                if splice.sent == splice.item.encoded.len() {
                    self.splice = None;
                }
            }
            Some(_) | None => self.sent += count,
        }
        if self.splice.is_none() && self.sent == self.bytes.len() {
            self.sent = 0;
            if self.bytes.capacity() > KEPT_BYTES {
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
        }
    }

    pub(super) fn unsent_bytes(&self) -> usize {
        let spliced = self.splice.as_ref().map_or(0, |splice| splice.item.encoded.len() - splice.sent);
        self.buffered_bytes() + spliced
    }

    /// What of it is this connection's own memory.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Whether items are to wait in their topic.
    pub(super) fn is_full(&self) -> bool {
        self.splice.is_some() || self.buffered_bytes() >= FULL_BYTES
    }

    /// The buffer to append to.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        if self.sent >= FULL_BYTES {
            self.bytes.drain(..self.sent);
            if let Some(splice) = &mut self.splice {
                splice.at -= self.sent;
            }
            self.sent = 0;
        }
        &mut self.bytes
    }

    pub(super) fn answer(&mut self, pieces: &[&str]) {
        put_text(self.bytes(), pieces);
    }

    /// Appends an item for the subscription of this id, a JSON literal; returns the size of the answer.
    pub(super) fn item(&mut self, id: &str, item: &Arc<Item>) -> usize {
        let pieces = wire::item(id, &item.encoded);
        let size_bytes = pieces.iter().map(|piece| piece.len()).sum();
        if item.encoded.len() <= SPLICED_BYTES || self.splice.is_some() {
            self.answer(&pieces);
            return size_bytes;
        }
        let [start, id, middle, _encoded, end] = pieces;
        let bytes = self.bytes();
        put_text_head(bytes, size_bytes);
        for piece in [start, id, middle] {
            bytes.extend_from_slice(piece.as_bytes());
        }
        let at = bytes.len();
        bytes.extend_from_slice(end.as_bytes());
        self.splice = Some(Splice { at, item: Arc::clone(item), sent: 0 });
        size_bytes
    }

    pub(super) fn keep_alive(&mut self) {
        self.answer(&wire::empty(&wire::encode_str(wire::NOBODY)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is appended while something is being sent, the bytes are those of plain concatenation.
        #[test]
        fn large_items_come_in_their_place(
            steps in proptest::collection::vec((0_usize..70_000, 0_usize..200_000), 1..20),
        ) {
            let mut out = Out::default();
            let (mut expected, mut got) = (Vec::new(), Vec::new());
            for (size, send) in steps {
                let encoded = format!("\"{}\"", "x".repeat(size)).into_boxed_str();
                let item = Arc::new(Item { from: None, topic: "t".into(), seq: 1, encoded });
                let id = format!("\"{size}\"");
                put_text(&mut expected, &wire::item(&id, &item.encoded));
                out.item(&id, &item);
                put_text(&mut expected, &wire::empty(&id));
                out.answer(&wire::empty(&id));
                prop_assert_eq!(out.unsent_bytes(), expected.len() - got.len());
                let mut left = send;
                while left > 0 && !out.next().is_empty() {
                    let count = out.next().len().min(left).min(5000);
                    got.extend_from_slice(&out.next()[..count]);
                    out.advance(count);
                    left -= count;
                }
            }
            while !out.next().is_empty() {
                got.extend_from_slice(out.next());
                out.advance(out.next().len());
            }
            prop_assert!(got == expected);
            prop_assert!(out.bytes.capacity() <= KEPT_BYTES && out.unsent_bytes() == 0);
        }
    }
}
