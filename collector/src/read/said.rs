//! Which lines of `run.out` an instance printed as well.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hasher};

/// How far the printed lines may run ahead of, or behind, the written ones.
const WINDOW: usize = 1 << 16;

/// The records of `run.out` in order, as hashes, and how far they were met on stdout.
#[derive(Debug, Default)]
pub(crate) struct Said {
    file_id: u32,
    hashes: Vec<(u64, u32)>,
    loaded: usize,
    window: HashMap<u64, VecDeque<usize>>,
    oldest: usize,
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Said {
    /// A record in `run.out`.
    pub(crate) fn wrote(&mut self, file_id: u32, line: u32, text: &str) {
        self.file_id = file_id;
        self.hashes.push((hash(text), line));
    }

    /// A record on stdout: the file and line in `run.out` that say the same, each given once.
    pub(crate) fn printed(&mut self, text: &str) -> Option<(u32, u32)> {
        if self.hashes.is_empty() {
            return None;
        }
        self.load(self.oldest + WINDOW);
        let places = self.window.get_mut(&hash(text))?;
        let place = places.pop_front()?;
        if places.is_empty() {
            self.window.remove(&hash(text));
        }
        // What lies far behind was never printed.
        while place.saturating_sub(self.oldest) > WINDOW / 2 {
            self.forget();
        }
        Some((self.file_id, self.hashes[place].1))
    }

    fn load(&mut self, until: usize) {
        while self.loaded < until.min(self.hashes.len()) {
            self.window.entry(self.hashes[self.loaded].0).or_default().push_back(self.loaded);
            self.loaded += 1;
        }
    }

    fn forget(&mut self) {
        let key = self.hashes[self.oldest].0;
        if let Some(places) = self.window.get_mut(&key) {
            if places.front() == Some(&self.oldest) {
                places.pop_front();
            }
            if places.is_empty() {
                self.window.remove(&key);
            }
        }
        self.oldest += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_written_record_is_met_once() {
        let mut said = Said::default();
        assert_eq!(said.printed("a"), None);
        for (line, text) in [(1, "a"), (2, "b"), (3, "a")] {
            said.wrote(7, line, text);
        }
        assert_eq!(said.printed("a"), Some((7, 1)));
        assert_eq!(said.printed("c"), None);
        assert_eq!(said.printed("a"), Some((7, 3)));
        assert_eq!(said.printed("a"), None);
        assert_eq!(said.printed("b"), Some((7, 2)));
    }

    #[test]
    fn long_files_are_met_to_their_end() {
        let mut said = Said::default();
        let lines = u32::try_from(3 * WINDOW).expect("small");
        for line in 0..lines {
            said.wrote(1, line + 1, &format!("line {line}"));
        }
        // Every third line was never printed.
        for line in (0..lines).filter(|line| line % 3 != 0) {
            assert_eq!(said.printed(&format!("line {line}")), Some((1, line + 1)));
        }
        assert!(said.window.len() <= WINDOW + 1);
    }
}
