//! Many files as one stream by time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;

use tg_model::InstanceId;

use super::line::{Level, marks};
use super::source::{Source, Stream};

/// A line in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) instance: InstanceId,
    pub(super) stream: Stream,
    /// Its time, or that of the last line before it; 0 if there is none.
    pub(super) time_ns: u64,
    pub(super) level: Level,
    pub(super) text: String,
}

/// A source, its next line, and what its earlier lines were.
#[derive(Debug)]
struct Head {
    source: Source,
    next: Option<Entry>,
    time_ns: u64,
    level: Level,
}

/// SDKs write an event to stdout and to `run.out`; so many lines of stdout are remembered to know it again.
const REMEMBERED: usize = 256;

/// Lines of all sources by time; of one source always in its own order.
pub(super) struct Merge {
    heads: Vec<Head>,
    heap: BinaryHeap<Reverse<(u64, usize)>>,
    /// What stdout lately said, by instance.
    said: BTreeMap<InstanceId, VecDeque<u64>>,
    follow: bool,
    /// Sources are to be looked at before the next line is given.
    stale: bool,
}

impl Merge {
    pub(super) fn new(sources: Vec<Source>, follow: bool) -> Self {
        let head = |source: Source| {
            let level = if source.stream == Stream::Stderr { Level::Warn } else { Level::Info };
            Head { source, next: None, time_ns: 0, level }
        };
        Self {
            heads: sources.into_iter().map(head).collect(),
            heap: BinaryHeap::new(),
            said: BTreeMap::new(),
            follow,
            stale: true,
        }
    }

    /// Whether the files may still grow.
    pub(super) fn set_follow(&mut self, follow: bool) {
        self.follow = follow;
    }

    /// The next line; none when all files are read to their ends. Asking again looks for what was added since.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        if std::mem::take(&mut self.stale) {
            for at in 0..self.heads.len() {
                self.advance(at)?;
            }
        }
        while let Some(Reverse((_, at))) = self.heap.pop() {
            let Some(entry) = self.heads[at].next.take() else { continue };
            self.advance(at)?;
            if !self.said_already(&entry) {
                return Ok(Some(entry));
            }
        }
        self.stale = true;
        Ok(None)
    }

    /// Reads the next line of a source that has none waiting.
    fn advance(&mut self, at: usize) -> io::Result<()> {
        let head = &mut self.heads[at];
        if head.next.is_some() {
            return Ok(());
        }
        let Some(text) = head.source.next_line(self.follow)? else { return Ok(()) };
        let marks = marks(&text);
        // A clock that was set back must not pull later lines before earlier ones.
        head.time_ns = head.time_ns.max(marks.time_ns.unwrap_or(0));
        head.level = marks.level.unwrap_or(head.level);
        let (instance, stream) = (head.source.instance.clone(), head.source.stream);
        head.next = Some(Entry { instance, stream, time_ns: head.time_ns, level: head.level, text });
        self.heap.push(Reverse((head.time_ns, at)));
        Ok(())
    }

    /// Whether stdout has just said the same; then `run.out` need not repeat it.
    fn said_already(&mut self, entry: &Entry) -> bool {
        let mut hasher = DefaultHasher::new();
        entry.text.hash(&mut hasher);
        let hash = hasher.finish();
        match entry.stream {
            Stream::Stdout => {
                let said = self.said.entry(entry.instance.clone()).or_default();
                if said.len() == REMEMBERED {
                    said.pop_front();
                }
                said.push_back(hash);
                false
            }
            Stream::RunOut => {
                let Some(said) = self.said.get_mut(&entry.instance) else { return false };
                let found = said.iter().position(|it| *it == hash);
                if let Some(at) = found {
                    said.remove(at);
                }
                found.is_some()
            }
            Stream::Stderr => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tg_model::layout;

    use super::*;

    #[test]
    fn lines_stand_by_time_and_those_without_stay_where_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let ids: [InstanceId; 2] = ["a/0".parse().unwrap(), "b/0".parse().unwrap()];
        let put = |id: &InstanceId, stream: Stream, text: &str| {
            let folder = match stream {
                Stream::RunOut => layout::outputs_dir(dir.path(), id),
                Stream::Stdout | Stream::Stderr => layout::logs_dir(dir.path(), id),
            };
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(stream.file()), text).unwrap();
        };
        let event = |s: u64, text: &str| {
            format!("{{\"ts\":{},\"event\":{{\"message_event\":{{\"message\":\"{text}\"}}}}}}\n", s * 1_000_000_000)
        };
        let a = format!("{}plain a\n{}", event(1_700_000_001, "a1"), event(1_700_000_005, "a5"));
        put(&ids[0], Stream::Stdout, &a);
        put(&ids[0], Stream::RunOut, &format!("{a}{}", event(1_700_000_006, "only in run.out")));
        let b =
            format!("before any time\n{}{}plain b", event(1_700_000_003, "b3"), event(1_700_000_002, "clock set back"));
        put(&ids[1], Stream::Stdout, &b);
        put(&ids[1], Stream::Stderr, "2023-11-14T22:13:24Z ERROR oops\n  its detail\n");
        let sources = ids.iter().flat_map(|id| Source::of_instance(dir.path(), id)).collect();
        let mut merge = Merge::new(sources, false);
        let mut told = Vec::new();
        while let Some(entry) = merge.next().unwrap() {
            told.push((super::super::line::told(&entry.text), entry.level));
        }
        let wanted = [
            ("before any time", Level::Info),
            ("a1", Level::Info),
            ("plain a", Level::Info),
            ("b3", Level::Info),
            ("clock set back", Level::Info),
            ("plain b", Level::Info),
            ("2023-11-14T22:13:24Z ERROR oops", Level::Error),
            ("  its detail", Level::Error),
            ("a5", Level::Info),
            ("only in run.out", Level::Info),
        ];
        assert_eq!(told, wanted.map(|(text, level)| (text.to_owned(), level)));
    }
}
