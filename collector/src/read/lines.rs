//! Lines of a file that nobody vouches for, with its hash and size on the way.

use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

/// A line above this is a note and is never held as a whole.
pub(crate) const LONGEST_LINE: usize = 16 << 20;

/// Counts and hashes what is read through it, and reads as much as there is room for: what unpacks an archive gives a
/// few bytes at times, and a file's first bytes decide what it is.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    size: u64,
    /// What came after bytes that could be read.
    error: Option<io::Error>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            }
        }
        self.hash.update(&buffer[..filled]);
        self.size += filled as u64;
        Ok(filled)
    }
}

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// Its bytes, or the first of them if it is too long.
    pub(crate) bytes: &'a [u8],
    /// Whether a line feed ended it.
    pub(crate) ended: bool,
    /// Whether it is longer than [`LONGEST_LINE`].
    pub(crate) too_long: bool,
}

impl<'a> Line<'a> {
    /// A byte order mark before the first line and a carriage return at the end are no part of it.
    fn new(number: u64, mut bytes: &'a [u8], ended: bool, too_long: bool) -> Self {
        if number == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        if ended && !too_long {
            bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        }
        Self { number, bytes, ended, too_long }
    }
}

/// Reads a file line by line.
pub(crate) struct Lines<R> {
    reader: BufReader<Hashed<R>>,
    /// How much of the reader's buffer the last line takes.
    used: usize,
    /// A line that does not lie in the buffer as a whole.
    line: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(inner: R) -> Self {
        let hashed = Hashed { inner, hash: Sha256::new(), size: 0, error: None };
        Self { reader: BufReader::with_capacity(256 << 10, hashed), used: 0, line: Vec::new(), number: 0 }
    }

    /// The first bytes of the file, as many as the buffer holds, without taking them.
    pub(crate) fn head(&mut self) -> io::Result<&[u8]> {
        self.rest().fill_buf()
    }

    /// The next line.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let reader = self.rest();
        while let Err(error) = reader.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        if let Some(end) = memchr::memchr(b'\n', self.reader.buffer()) {
            self.number += 1;
            self.used = end + 1;
            return Ok(Some(Line::new(self.number, &self.reader.buffer()[..end], true, false)));
        }
        self.line.clear();
        let mut ended = false;
        let mut too_long = false;
        let mut any = false;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', available);
            let take = end.unwrap_or(available.len());
            let room = LONGEST_LINE - self.line.len();
            too_long |= take > room;
            self.line.extend_from_slice(&available[..take.min(room)]);
            let used = take + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                ended = true;
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line::new(self.number, &self.line, ended, too_long)))
    }

    /// What is left, for whoever reads it otherwise than by line.
    pub(crate) fn rest(&mut self) -> &mut (impl BufRead + use<R>) {
        self.reader.consume(std::mem::take(&mut self.used));
        &mut self.reader
    }

    /// Reads what is left without looking at it, and gives the file's size and SHA-256 in hexadecimal.
    pub(crate) fn finish(mut self) -> io::Result<(u64, String)> {
        let reader = self.rest();
        loop {
            let n = match reader.fill_buf() {
                Ok(available) => available.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if n == 0 {
                break;
            }
            reader.consume(n);
        }
        let hashed = self.reader.into_inner();
        Ok((hashed.size, hex(&hashed.hash.finalize())))
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(Vec<u8>, bool, bool)> {
        let mut lines = Lines::new(input);
        let mut out = Vec::new();
        while let Some(line) = lines.next_line().expect("memory is readable") {
            out.push((line.bytes.to_vec(), line.ended, line.too_long));
        }
        out
    }

    #[test]
    fn ends_marks_and_half_lines() {
        assert!(all(b"").is_empty());
        let got = all(b"\xef\xbb\xbfa\r\n\n\xef\xbb\xbfb\nhalf\r");
        let want: [(&[u8], bool); 4] = [(b"a", true), (b"", true), (b"\xef\xbb\xbfb", true), (b"half\r", false)];
        assert_eq!(got.len(), 4);
        for ((bytes, ended, long), (want, want_ended)) in got.iter().zip(want) {
            assert_eq!((bytes.as_slice(), *ended, *long), (want, want_ended, false));
        }
    }

    /// Gives a byte at a time, and then an error.
    struct Slow(&'static [u8], bool);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.split_first() {
                Some((&first, rest)) => {
                    (buffer[0], self.0) = (first, rest);
                    Ok(1)
                }
                None if self.1 => Err(io::Error::other("torn")),
                None => Ok(0),
            }
        }
    }

    #[test]
    fn the_head_does_not_depend_on_how_the_bytes_come() {
        let text = b"{\"type\":0}\nnext\n";
        assert_eq!(Lines::new(Slow(text, false)).head().expect("readable"), text);
        // What came before an error is there, and the error after it.
        let mut torn = Lines::new(Slow(text, true));
        assert_eq!(torn.head().expect("readable"), text);
        for number in [1, 2] {
            assert_eq!(torn.next_line().expect("readable").map(|line| line.number), Some(number));
        }
        assert_eq!(torn.next_line().expect_err("torn").to_string(), "torn");
    }

    #[test]
    fn a_line_too_long_is_cut_and_the_next_one_is_whole() {
        let mut input = vec![b'x'; LONGEST_LINE + 5];
        input.extend_from_slice(b"\nnext\n");
        let got = all(&input);
        assert_eq!((got[0].0.len(), got[0].2), (LONGEST_LINE, true));
        assert_eq!((got[1].0.as_slice(), got[1].2), (&b"next"[..], false));
        let (size, sha) = Lines::new(&b"abc"[..]).finish().expect("memory is readable");
        assert_eq!((size, &sha[..8]), (3, "ba7816bf"));
    }
}
