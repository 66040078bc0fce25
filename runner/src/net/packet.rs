//! One packet, or a large segment that stands for many, behind its virtio header.

use std::io;
use std::net::IpAddr;

use tun_rs::{VIRTIO_NET_HDR_LEN, VirtioNetHdr, checksum, gso_split};

/// What stands before each packet.
pub(super) const HEADER: usize = VIRTIO_NET_HDR_LEN;
/// The largest segment, and room for what stands before it.
pub(super) const MOST: usize = 65_535 + HEADER;

const NEEDS_CHECKSUM: u8 = 1;
const ECN: u8 = 0x80;
const TCP: [u8; 2] = [1, 4];

/// Where a packet comes from and goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
}

/// Reads the addresses; nothing if it is no IP packet.
pub(super) fn way(packet: &[u8]) -> Option<Way> {
    let ip = packet.get(HEADER..)?;
    match ip.first()? >> 4 {
        4 => {
            let at = |from: usize| Some(IpAddr::from(<[u8; 4]>::try_from(ip.get(from..from + 4)?).ok()?));
            Some(Way { from: at(12)?, to: at(16)? })
        }
        6 => {
            let at = |from: usize| Some(IpAddr::from(<[u8; 16]>::try_from(ip.get(from..from + 16)?).ok()?));
            Some(Way { from: at(8)?, to: at(24)? })
        }
        _ => None,
    }
}

/// Whether it stands for several packets.
pub(super) fn is_large(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|kind| kind & !ECN != 0)
}

/// How many packets it stands for.
pub(super) fn packets(packet: &[u8]) -> u64 {
    if !is_large(packet) {
        return 1;
    }
    let Ok(header) = VirtioNetHdr::decode(packet) else { return 1 };
    let ip = &packet[HEADER..];
    let payload = ip.len().saturating_sub(usize::from(header.csum_start) + transport_header(&header, ip));
    payload.div_ceil(usize::from(header.gso_size.max(1))).max(1) as u64
}

/// How long the header after the IP header is: what the kernel says of the headers' length is a hint only.
fn transport_header(header: &VirtioNetHdr, ip: &[u8]) -> usize {
    if TCP.contains(&(header.gso_type & !ECN)) {
        usize::from(ip.get(usize::from(header.csum_start) + 12).copied().unwrap_or_default() >> 4) * 4
    } else {
        8
    }
}

/// Fills in a checksum that the sender left to its device, so that what is damaged later is seen to be.
pub(super) fn finish_checksum(packet: &mut [u8]) {
    let Ok(header) = VirtioNetHdr::decode(packet) else { return };
    let inside = usize::from(header.csum_start) + usize::from(header.csum_offset) + 2 <= packet.len() - HEADER;
    if header.flags & NEEDS_CHECKSUM != 0 && inside {
        let ip = &mut packet[HEADER..];
        let start = usize::from(header.csum_start);
        let at = start + usize::from(header.csum_offset);
        // What stands there is the sum of the pseudo header, which is part of what is summed.
        let sum = !checksum(&ip[start..], 0);
        ip[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    packet[..HEADER].fill(0);
}

/// Turns over one bit of what the packet carries, as the kernel's netem does; bits of the IP header stay.
pub(super) fn damage(packet: &mut [u8], chance: u64) {
    finish_checksum(packet);
    let skip = HEADER + if packet.get(HEADER).is_some_and(|first| first >> 4 == 6) { 40 } else { 20 };
    let bits = packet.len().saturating_sub(skip) as u64 * 8;
    if bits > 0 {
        let at = chance % bits;
        packet[skip + usize::try_from(at / 8).unwrap_or(0)] ^= 1 << (at % 8);
    }
}

/// Cuts large segments into the packets that they stand for.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    parts: Vec<Vec<u8>>,
    sizes: Vec<usize>,
}

/// A segment is at most 64 KiB and a packet of it at least 512 bytes in practice; with less, it is dropped as broken.
const MOST_PARTS: usize = 256;

impl Cutter {
    /// The packets of a segment, each behind a header of its own. The segment is used up.
    pub(super) fn cut(&mut self, segment: &mut [u8]) -> io::Result<impl Iterator<Item = &[u8]>> {
        let mut header = VirtioNetHdr::decode(segment)?;
        let ip = &mut segment[HEADER..];
        let is_v6 = ip.first().is_some_and(|first| first >> 4 == 6);
        let start = usize::from(header.csum_start);
        let transport = transport_header(&header, ip);
        header.hdr_len = u16::try_from(start + transport).unwrap_or(u16::MAX);
        header.gso_type &= !ECN;
        let payload = ip.len().saturating_sub(start + transport);
        let parts = payload.div_ceil(usize::from(header.gso_size.max(1))).clamp(1, MOST_PARTS);
        let room = HEADER + usize::from(header.hdr_len) + usize::from(header.gso_size);
        if self.parts.len() < parts {
            self.parts.resize_with(parts, Vec::new);
        }
        for part in &mut self.parts[..parts] {
            part.clear();
            part.resize(room, 0);
        }
        self.sizes.clear();
        self.sizes.resize(parts, 0);
        let made = gso_split(ip, header, &mut self.parts[..parts], &mut self.sizes, HEADER, is_v6)?;
        Ok(self.parts[..made].iter().zip(&self.sizes).map(|(part, &size)| &part[..HEADER + size]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TCP segment over IPv4 with this much payload, as a device with offloads hands it over.
    fn segment(payload: usize, size: u16) -> Vec<u8> {
        let mut packet = vec![0; HEADER + 40 + payload];
        let header =
            VirtioNetHdr { flags: 1, gso_type: 1, hdr_len: 0, gso_size: size, csum_start: 20, csum_offset: 16 };
        header.encode(&mut packet).expect("room");
        let ip = &mut packet[HEADER..];
        ip[0] = 0x45;
        ip[2..4].copy_from_slice(&u16::try_from(40 + payload).expect("small").to_be_bytes());
        ip[9] = 6;
        ip[12..16].copy_from_slice(&[16, 0, 0, 2]);
        ip[16..20].copy_from_slice(&[16, 0, 0, 3]);
        ip[32] = 5 << 4;
        packet
    }

    #[test]
    fn addresses_are_read_and_nonsense_is_not() {
        let packet = segment(10, 0);
        let way = way(&packet).expect("IPv4");
        assert_eq!((way.from.to_string().as_str(), way.to.to_string().as_str()), ("16.0.0.2", "16.0.0.3"));
        for bad in [&[][..], &[0; HEADER], &[0; HEADER + 8], &[0xff; 60], &[0x45; HEADER + 19]] {
            assert_eq!(super::way(bad), None);
        }
    }

    #[test]
    fn a_large_segment_is_cut_into_its_packets() {
        let mut large = segment(3500, 1448);
        assert!(is_large(&large));
        assert_eq!((packets(&large), packets(&segment(1448, 1448)), packets(&[0; HEADER])), (3, 1, 1));
        let mut cutter = Cutter::default();
        let sizes: Vec<usize> = cutter.cut(&mut large).expect("it can be cut").map(<[u8]>::len).collect();
        assert_eq!(sizes, [HEADER + 40 + 1448, HEADER + 40 + 1448, HEADER + 40 + 604]);
        let mut large = segment(100, 1448);
        let only: Vec<Vec<u8>> = cutter.cut(&mut large).expect("it can be cut").map(<[u8]>::to_vec).collect();
        assert_eq!(only.len(), 1);
        assert!(!is_large(&only[0]));
    }

    #[test]
    fn damage_turns_one_bit_of_the_payload() {
        let mut packet = segment(64, 0);
        finish_checksum(&mut packet);
        let whole = packet.clone();
        damage(&mut packet, 12_345);
        let turned: u32 = whole.iter().zip(&packet).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(turned, 1);
        assert_eq!(packet[..HEADER + 20], whole[..HEADER + 20]);
    }
}
