//! Websocket frames (RFC 6455), server side.
//!
//! Our own, since a connection must cost almost nothing while it is idle: the input is read into a buffer that all
//! connections of a thread share and is understood where it lies; only what is incomplete is kept.

use std::mem::take;

/// The peer goes, or everything is fine.
pub(super) const CLOSE_NORMAL: u16 = 1000;
/// The service goes.
pub(super) const CLOSE_AWAY: u16 = 1001;
/// The peer does not speak the protocol.
pub(super) const CLOSE_PROTOCOL: u16 = 1002;
/// The peer reads too slowly.
pub(super) const CLOSE_POLICY: u16 = 1008;
/// The peer sent too much.
pub(super) const CLOSE_TOO_LARGE: u16 = 1009;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8a;
const MAX_CONTROL_BYTES: usize = 125;
const MAX_HEADER_BYTES: usize = 14;

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// A whole message; text and binary are the same to us.
    Message(&'a [u8]),
    /// To be answered with the same bytes.
    Ping(&'a [u8]),
    Close,
}

/// Why nothing more can be read from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    TooLarge { size_bytes: u64 },
    Protocol(&'static str),
}

/// Puts a stream of bytes together to messages.
#[derive(Debug)]
pub(super) struct Reader {
    max_message_bytes: usize,
    /// The start of a frame's header.
    head: [u8; MAX_HEADER_BYTES],
    head_len: usize,
    frame: Option<Frame>,
    /// The incomplete frame's payload, unmasked.
    body: Vec<u8>,
    /// The fragments of the incomplete message.
    message: Vec<u8>,
    fragmented: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    is_last: bool,
    opcode: u8,
    len: usize,
    mask: [u8; 4],
}

impl Reader {
    pub(super) fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            head: [0; MAX_HEADER_BYTES],
            head_len: 0,
            frame: None,
            body: Vec::new(),
            message: Vec::new(),
            fragmented: false,
        }
    }

    /// Takes in what was read; `input` is scratch space afterwards.
    pub(super) fn feed(&mut self, mut input: &mut [u8], mut take_in: impl FnMut(Incoming<'_>)) -> Result<(), Broken> {
        loop {
            let Some(frame) = self.frame else {
                let used = self.header(input)?;
                input = &mut input[used..];
                if self.frame.is_none() {
                    return Ok(());
                }
                continue;
            };
            let missing = frame.len - self.body.len();
            let (here, rest) = input.split_at_mut(missing.min(input.len()));
            input = rest;
            unmask(here, frame.mask, self.body.len());
            if here.len() < missing {
                self.body.extend_from_slice(here);
                return Ok(());
            }
            self.frame = None;
            if self.body.is_empty() {
                self.complete(frame, here, &mut take_in);
            } else {
                let mut body = take(&mut self.body);
                body.extend_from_slice(here);
                self.complete(frame, &body, &mut take_in);
            }
        }
    }

    /// Reads the next frame's header as far as it is there; returns how many bytes that took.
    fn header(&mut self, input: &[u8]) -> Result<usize, Broken> {
        let mut used = 0;
        loop {
            let wanted = match self.head_len {
                0 | 1 => 2,
                _ => header_len(self.head[1]),
            };
            if self.head_len >= 2 && self.head_len == wanted {
                break;
            }
            let count = (wanted - self.head_len).min(input.len() - used);
            if count == 0 {
                return Ok(used);
            }
            self.head[self.head_len..self.head_len + count].copy_from_slice(&input[used..used + count]);
            self.head_len += count;
            used += count;
        }
        let (head, head_len) = (self.head, take(&mut self.head_len));
        let [first, second, ..] = head;
        let opcode = first & 0x0f;
        if first & 0x70 != 0 {
            return Err(Broken::Protocol("a frame uses an extension that was not agreed on"));
        }
        if second & 0x80 == 0 {
            return Err(Broken::Protocol("a frame from a client is not masked"));
        }
        let len = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([head[2], head[3]])),
            127 => u64::from_be_bytes([head[2], head[3], head[4], head[5], head[6], head[7], head[8], head[9]]),
            short => u64::from(short),
        };
        let is_last = first & 0x80 != 0;
        match opcode {
            0 if !self.fragmented => return Err(Broken::Protocol("a message goes on that never began")),
            1 | 2 if self.fragmented => return Err(Broken::Protocol("a message begins within another")),
            8..=10 if !is_last || len > MAX_CONTROL_BYTES as u64 => {
                return Err(Broken::Protocol("a control frame is in pieces or too long"));
            }
            0..=2 | 8..=10 => {}
            _ => return Err(Broken::Protocol("a frame of an unknown kind")),
        }
        let size_bytes = len.saturating_add(if opcode == 0 { self.message.len() as u64 } else { 0 });
        let Some(len) = usize::try_from(len).ok().filter(|_| size_bytes <= self.max_message_bytes as u64) else {
            return Err(Broken::TooLarge { size_bytes });
        };
        let mask = [head[head_len - 4], head[head_len - 3], head[head_len - 2], head[head_len - 1]];
        self.frame = Some(Frame { is_last, opcode, len, mask });
        Ok(used)
    }

    fn complete(&mut self, frame: Frame, payload: &[u8], take_in: &mut impl FnMut(Incoming<'_>)) {
        match frame.opcode {
            8 => take_in(Incoming::Close),
            9 => take_in(Incoming::Ping(payload)),
            10 => {}
            _ if frame.is_last && !self.fragmented => take_in(Incoming::Message(payload)),
            _ => {
                self.message.extend_from_slice(payload);
                self.fragmented = !frame.is_last;
                if frame.is_last {
                    take_in(Incoming::Message(&take(&mut self.message)));
                }
            }
        }
    }
}

/// By the second byte: two bytes, the extended length, the mask.
fn header_len(second: u8) -> usize {
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    2 + extended + mask
}

fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut mask = mask;
    mask.rotate_left(offset % 4);
    let word = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Appends a text message.
pub(super) fn put_text(out: &mut Vec<u8>, pieces: &[&str]) {
    let len = pieces.iter().map(|piece| piece.len()).sum();
    out.reserve(len + 10);
    put_text_head(out, len);
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Appends what comes before a text message of this size.
pub(super) fn put_text_head(out: &mut Vec<u8>, len: usize) {
    put_header(out, TEXT, len);
}

pub(super) fn put_pong(out: &mut Vec<u8>, payload: &[u8]) {
    put_header(out, PONG, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a close frame; as much of the reason goes with it as a control frame holds.
pub(super) fn put_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL_BYTES - 2)];
    put_header(out, CLOSE, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

fn put_header(out: &mut Vec<u8>, first: u8, len: usize) {
    out.push(first);
    if let Ok(short @ 0..=125) = u8::try_from(len) {
        out.push(short);
    } else if let Ok(medium) = u16::try_from(len) {
        out.push(126);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame as Oracle;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Got {
        Message(Vec<u8>),
        Ping(Vec<u8>),
        Close,
    }

    fn feed(reader: &mut Reader, bytes: &[u8], piece: usize) -> Result<Vec<Got>, Broken> {
        let mut got = Vec::new();
        for chunk in bytes.chunks(piece) {
            reader.feed(&mut chunk.to_vec(), |incoming| {
                got.push(match incoming {
                    Incoming::Message(payload) => Got::Message(payload.to_vec()),
                    Incoming::Ping(payload) => Got::Ping(payload.to_vec()),
                    Incoming::Close => Got::Close,
                });
            })?;
        }
        Ok(got)
    }

    /// A masked frame as another implementation writes it.
    fn frame(opcode: OpCode, payload: &[u8], is_last: bool) -> Vec<u8> {
        let mut frame = match opcode {
            OpCode::Data(data) => Oracle::message(payload.to_vec(), OpCode::Data(data), is_last),
            OpCode::Control(control) => {
                let mut frame = Oracle::ping(payload.to_vec());
                frame.header_mut().opcode = OpCode::Control(control);
                frame
            }
        };
        frame.header_mut().mask = Some([0x12, 0x34, 0x56, 0x78]);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    const TEXT: OpCode = OpCode::Data(Data::Text);
    const MORE: OpCode = OpCode::Data(Data::Continue);

    #[test]
    fn what_is_against_the_protocol_is_refused() {
        let unmasked = vec![0x81, 0x01, b'x'];
        let mut reserved = frame(TEXT, b"x", true);
        reserved[0] |= 0x40;
        let long_ping = vec![0x89, 0xfe, 0x00, 0x7e, 1, 2, 3, 4];
        let rows = [
            (unmasked, "not masked"),
            (reserved, "extension"),
            (frame(MORE, b"x", true), "never began"),
            ([frame(TEXT, b"x", false), frame(TEXT, b"x", true)].concat(), "within another"),
            (long_ping, "control frame"),
            (vec![0x83, 0x80, 0, 0, 0, 0], "unknown kind"),
        ];
        for (bytes, text) in rows {
            let Err(Broken::Protocol(why)) = feed(&mut Reader::new(1000), &bytes, 3) else { panic!("{text}") };
            assert!(why.contains(text), "{why}");
        }
    }

    #[test]
    fn the_limit_holds_for_frames_fragments_and_lies() {
        let big = |size_bytes| Err(Broken::TooLarge { size_bytes });
        assert_eq!(feed(&mut Reader::new(10), &frame(TEXT, &[b'x'; 10], true), 4).unwrap().len(), 1);
        assert_eq!(feed(&mut Reader::new(10), &frame(TEXT, &[b'x'; 11], true), 4), big(11));
        let fragments = [frame(TEXT, &[b'x'; 6], false), frame(MORE, &[b'x'; 6], true)].concat();
        assert_eq!(feed(&mut Reader::new(10), &fragments, 4), big(12));
        let lie = [0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4];
        assert_eq!(feed(&mut Reader::new(10), &lie, 14), big(u64::MAX));
    }

    #[test]
    fn nothing_stays_in_memory_once_a_message_is_whole() {
        let mut reader = Reader::new(1 << 20);
        feed(&mut reader, &frame(TEXT, &vec![b'x'; 1 << 20], true), 1000).unwrap();
        assert_eq!((reader.body.capacity(), reader.message.capacity()), (0, 0));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_messages(
            parts in proptest::collection::vec((0_u8..5, proptest::collection::vec(any::<u8>(), 0..300)), 0..8),
            piece in 1_usize..400,
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for (kind, payload) in parts {
                let small = &payload[..payload.len().min(125)];
                match kind {
                    0 => bytes.extend(frame(TEXT, &payload, true)),
                    1 => bytes.extend(frame(OpCode::Data(Data::Binary), &payload, true)),
                    2 => {
                        // A message in three pieces with a ping in between.
                        let (head, tail) = payload.split_at(payload.len() / 2);
                        bytes.extend(frame(TEXT, head, false));
                        bytes.extend(frame(OpCode::Control(Control::Ping), b"p", true));
                        bytes.extend(frame(MORE, b"", false));
                        bytes.extend(frame(MORE, tail, true));
                        expected.push(Got::Ping(b"p".to_vec()));
                    }
                    3 => bytes.extend(frame(OpCode::Control(Control::Ping), small, true)),
                    _ => bytes.extend(frame(OpCode::Control(Control::Close), b"", true)),
                }
                expected.push(match kind {
                    0..=2 => Got::Message(payload),
                    3 => Got::Ping(small.to_vec()),
                    _ => Got::Close,
                });
            }
            prop_assert_eq!(feed(&mut Reader::new(1000), &bytes, piece).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), piece in 1_usize..64) {
            // Whatever comes out, nothing panics, and what is kept stays within the limit.
            let mut reader = Reader::new(200);
            let _outcome = feed(&mut reader, &bytes, piece);
            prop_assert!(reader.body.len() <= 200 && reader.message.len() <= 200);
        }
    }
}
