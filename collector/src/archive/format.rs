//! The few records of the zip format that an archive of ours consists of.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

const NO_TIME: u16 = 0;
/// 1980-01-01, the first day that the format knows.
const NO_DATE: u16 = 0x21;
const FITS_32: u64 = 0xffff_fffe;

/// A file that stands in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Its whole path in the archive.
    pub(crate) name: String,
    /// Where its header begins.
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) packed: u64,
    /// The checksum of its content.
    pub(crate) crc: u32,
    pub(crate) deflated: bool,
    /// Its sizes stand in the extra field, because they were not known when the header was written.
    pub(crate) wide: bool,
}

impl Stored {
    /// Where its packed content begins.
    pub(crate) fn content_at(&self) -> io::Result<u64> {
        Ok(self.offset + self.header()?.len() as u64)
    }

    fn common(&self, out: &mut Vec<u8>) {
        out.extend(if self.wide { 45_u16 } else { 20 }.to_le_bytes());
        out.extend(0x0800_u16.to_le_bytes());
        out.extend(if self.deflated { 8_u16 } else { 0 }.to_le_bytes());
        out.extend(NO_TIME.to_le_bytes());
        out.extend(NO_DATE.to_le_bytes());
        out.extend(self.crc.to_le_bytes());
        if self.wide {
            out.extend([0xff; 8]);
        } else {
            out.extend(narrow(self.packed));
            out.extend(narrow(self.size));
        }
    }

    /// The header before its content.
    pub(crate) fn header(&self) -> io::Result<Vec<u8>> {
        let mut header = Vec::with_capacity(64 + self.name.len());
        header.extend(b"PK\x03\x04");
        self.common(&mut header);
        header.extend(name_len(&self.name)?);
        header.extend(if self.wide { 20_u16 } else { 0 }.to_le_bytes());
        header.extend(self.name.as_bytes());
        if self.wide {
            header.extend(1_u16.to_le_bytes());
            header.extend(16_u16.to_le_bytes());
            header.extend(self.size.to_le_bytes());
            header.extend(self.packed.to_le_bytes());
        }
        Ok(header)
    }

    fn directory_entry(&self) -> io::Result<Vec<u8>> {
        let mut extra = Vec::new();
        let far = self.offset > FITS_32;
        if self.wide {
            extra.extend(self.size.to_le_bytes());
            extra.extend(self.packed.to_le_bytes());
        }
        if far {
            extra.extend(self.offset.to_le_bytes());
        }
        let mut entry = Vec::with_capacity(80 + self.name.len());
        entry.extend(b"PK\x01\x02");
        entry.extend(0x031e_u16.to_le_bytes());
        self.common(&mut entry);
        entry.extend(name_len(&self.name)?);
        let extra_len = if extra.is_empty() { 0 } else { extra.len() + 4 };
        entry.extend(u16::try_from(extra_len).unwrap_or(0).to_le_bytes());
        entry.extend([0; 2 + 2 + 2]);
        entry.extend((0o100_644_u32 << 16).to_le_bytes());
        entry.extend(if far { [0xff; 4] } else { narrow(self.offset) });
        entry.extend(self.name.as_bytes());
        if !extra.is_empty() {
            entry.extend(1_u16.to_le_bytes());
            entry.extend(u16::try_from(extra.len()).unwrap_or(0).to_le_bytes());
            entry.extend(extra);
        }
        Ok(entry)
    }
}

fn narrow(value: u64) -> [u8; 4] {
    u32::try_from(value.min(u64::from(u32::MAX))).unwrap_or(u32::MAX).to_le_bytes()
}

fn name_len(name: &str) -> io::Result<[u8; 2]> {
    u16::try_from(name.len())
        .map(u16::to_le_bytes)
        .map_err(|error| io::Error::other(format!("a path in the archive is too long: {error}")))
}

/// Writes what follows the last file: the directory, which begins at `begin`, and the end.
pub(crate) fn directory(out: &mut impl Write, files: &[Stored], begin: u64) -> io::Result<()> {
    let mut finish = begin;
    for file in files {
        let entry = file.directory_entry()?;
        out.write_all(&entry)?;
        finish += entry.len() as u64;
    }
    let count = files.len() as u64;
    let wide = count >= 0xffff || begin > FITS_32 || finish - begin > FITS_32;
    let mut tail = Vec::new();
    if wide {
        tail.extend(b"PK\x06\x06");
        tail.extend(44_u64.to_le_bytes());
        tail.extend(0x031e_u16.to_le_bytes());
        tail.extend(45_u16.to_le_bytes());
        tail.extend([0; 8]);
        tail.extend(count.to_le_bytes());
        tail.extend(count.to_le_bytes());
        tail.extend((finish - begin).to_le_bytes());
        tail.extend(begin.to_le_bytes());
        tail.extend(b"PK\x06\x07");
        tail.extend([0; 4]);
        tail.extend(finish.to_le_bytes());
        tail.extend(1_u32.to_le_bytes());
    }
    let short = if wide { 0xffff } else { u16::try_from(count).unwrap_or(0xffff) };
    tail.extend(b"PK\x05\x06");
    tail.extend([0; 4]);
    tail.extend(short.to_le_bytes());
    tail.extend(short.to_le_bytes());
    tail.extend(if wide { [0xff; 4] } else { narrow(finish - begin) });
    tail.extend(if wide { [0xff; 4] } else { narrow(begin) });
    tail.extend([0; 2]);
    out.write_all(&tail)
}
