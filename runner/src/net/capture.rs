//! Captures of what a host sends and receives: pcap files, as Wireshark and tcpdump read them.
//!
//! The format is that of libpcap (draft-ietf-opsawg-pcap) with times in nanoseconds and packets that begin with their IP
//! header (`LINKTYPE_RAW`). Segments that travel whole are captured whole, as on any host whose device cuts them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::packet::{self, HEADER, MOST};

/// Says that times are in nanoseconds, and in which order bytes stand: ours, the least first.
const MAGIC: u32 = 0xa1b2_3c4d;
/// Packets begin with an IP header, of either version.
const LINKTYPE_RAW: u32 = 101;
/// A file does not grow beyond this; what comes later is not captured.
const MOST_BYTES: u64 = 4 << 30;

/// A capture that is being written.
#[derive(Debug)]
pub(super) struct Capture {
    out: BufWriter<File>,
    written: u64,
    scratch: Vec<u8>,
}

impl Capture {
    /// Begins a file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(256 << 10, File::create_new(path)?);
        let snap = u32::try_from(MOST).unwrap_or(u32::MAX);
        let head: [u32; 6] = [MAGIC, 2 | 4 << 16, 0, 0, snap, LINKTYPE_RAW];
        for word in head {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { out, written: 24, scratch: Vec::new() })
    }

    /// Writes a packet, as a device hands it over, with the moment at which it passed.
    pub(super) fn put(&mut self, packet: &[u8], ns: u64) -> io::Result<()> {
        if self.written >= MOST_BYTES {
            return Ok(());
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(packet);
        if !packet::is_large(packet) {
            // What the sender left to its device would look broken.
            packet::finish_checksum(&mut self.scratch);
        }
        let ip = &self.scratch[HEADER.min(self.scratch.len())..];
        let length = u32::try_from(ip.len()).unwrap_or(u32::MAX);
        let seconds = u32::try_from(ns / 1_000_000_000).unwrap_or(u32::MAX);
        let rest = u32::try_from(ns % 1_000_000_000).unwrap_or_default();
        for word in [seconds, rest, length, length] {
            self.out.write_all(&word.to_le_bytes())?;
        }
        self.out.write_all(ip)?;
        self.written += 16 + u64::from(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_head_and_each_packet_behind_its_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.pcap");
        let mut capture = Capture::create(&path).expect("it can be made");
        let mut packet = vec![0; HEADER];
        packet.extend_from_slice(&[0x45, 1, 2, 3]);
        capture.put(&packet, 7_000_000_009).expect("it can be written");
        capture.put(&packet, 8_000_000_000).expect("it can be written");
        drop(capture);
        let bytes = std::fs::read(&path).expect("it is there");
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(bytes.len(), 24 + 2 * 20);
        assert_eq!((word(0), word(4), word(20)), (MAGIC, 0x0004_0002, LINKTYPE_RAW));
        assert_eq!([word(24), word(28), word(32), word(36)], [7, 9, 4, 4]);
        assert_eq!(bytes[40..44], [0x45, 1, 2, 3]);
        assert_eq!(word(44), 8);
        assert!(Capture::create(&path).is_err(), "nothing is written over");
    }
}
