//! Looks for the few lines that matter in what an instance prints, at the speed of a memory search.
//!
//! Nothing is split into lines unless a needle was found: a flood costs one pass. A line that is longer than
//! [`MAX_LINE_BYTES`] is in the log but is not read.

use memchr::memmem::Finder;
use tg_model::event::Claim;

use crate::claims::{self, Said};

/// The longest line that is read for events.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;
/// What stays allocated for unfinished lines of one stream.
const KEEP_BYTES: usize = 16 << 10;

/// What the receiver of a line wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// The next line that holds a needle.
    Needle,
    /// The next line.
    Line,
    /// Nothing more.
    Nothing,
}

/// Finds whole lines that hold one of the needles in a stream that comes in pieces.
#[derive(Debug)]
struct Lines {
    needles: Vec<Finder<'static>>,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// The rest of a line that is too long is being passed over.
    skipping: bool,
    too_long: bool,
    want: Want,
}

impl Lines {
    fn new(needles: &[&'static str]) -> Self {
        let needles = needles.iter().map(|needle| Finder::new(*needle)).collect();
        Self { needles, carry: Vec::new(), skipping: false, too_long: false, want: Want::Needle }
    }

    fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self.want {
            Want::Needle => self.needles.iter().filter_map(|needle| needle.find(bytes)).min(),
            Want::Line if bytes.is_empty() => None,
            Want::Line => Some(0),
            Want::Nothing => None,
        }
    }

    fn feed(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(&[u8]) -> Want) {
        if self.want == Want::Nothing {
            return;
        }
        if self.skipping {
            let Some(end) = memchr::memchr(b'\n', bytes) else { return };
            self.skipping = false;
            bytes = &bytes[end + 1..];
        }
        if !self.carry.is_empty() {
            let end = memchr::memchr(b'\n', bytes);
            let rest = end.unwrap_or(bytes.len());
            if self.carry.len() + rest > MAX_LINE_BYTES {
                self.pass_over();
                self.skipping = end.is_none();
            } else {
                self.carry.extend_from_slice(&bytes[..rest]);
                if end.is_some() {
                    self.end_of_carry(sink);
                }
            }
            let Some(end) = end else { return };
            bytes = &bytes[end + 1..];
        }
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |last| last + 1);
        let (mut lines, tail) = bytes.split_at(whole);
        while let Some(hit) = self.find(lines) {
            let from = memchr::memrchr(b'\n', &lines[..hit]).map_or(0, |before| before + 1);
            let to = memchr::memchr(b'\n', &lines[hit..]).map_or(lines.len(), |after| hit + after);
            if to - from > MAX_LINE_BYTES {
                self.too_long = true;
            } else {
                self.want = sink(&lines[from..to]);
            }
            lines = lines.get(to + 1..).unwrap_or_default();
        }
        if self.want == Want::Nothing {
            return;
        }
        if tail.len() > MAX_LINE_BYTES {
            self.pass_over();
            self.skipping = true;
        } else {
            self.carry.extend_from_slice(tail);
        }
    }

    fn pass_over(&mut self) {
        self.too_long = true;
        self.carry = Vec::new();
    }

    fn end_of_carry(&mut self, sink: &mut impl FnMut(&[u8]) -> Want) {
        let line = std::mem::take(&mut self.carry);
        if self.find(&line).is_some() {
            self.want = sink(&line);
        }
        if line.capacity() <= KEEP_BYTES {
            self.carry = line;
            self.carry.clear();
        }
    }

    /// The stream has ended: what is left is the last line, without an end. Returns whether there was one.
    fn finish(&mut self, sink: &mut impl FnMut(&[u8]) -> Want) -> bool {
        let half = !self.carry.is_empty() || self.skipping;
        self.end_of_carry(sink);
        half
    }
}

/// Something that was found in what an instance printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The first claim of this kind.
    Claim(Claim, Option<String>),
    /// A stage is over for it.
    StageEnd(String),
    /// A remark for the user: a fixed word and the details.
    Note(&'static str, String),
}

/// What an instance claimed on one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) successes: u32,
    pub(crate) failure: Option<String>,
    pub(crate) crash: Option<String>,
    wrong_group: bool,
    unknown_kind: bool,
    malformed: bool,
}

impl Claims {
    /// Takes what was claimed later.
    pub(crate) fn add(&mut self, later: Self) {
        self.successes += later.successes;
        self.failure = self.failure.take().or(later.failure);
        self.crash = self.crash.take().or(later.crash);
    }

    /// What somebody else has read.
    pub(crate) fn told(successes: u32, failure: Option<String>, crash: Option<String>) -> Self {
        Self { successes, failure, crash, ..Self::default() }
    }

    /// Takes one event in; returns what is worth telling.
    pub(crate) fn take(&mut self, said: Said, own_group: &str) -> Vec<Found> {
        let (claim, text, group) = match said {
            Said::Other => return Vec::new(),
            Said::StageEnd(stage) => return vec![Found::StageEnd(stage)],
            Said::Unknown(kind) => {
                let first = !std::mem::replace(&mut self.unknown_kind, true);
                let note = || Found::Note("unknown-event", format!("it sent an event of the unknown kind `{kind}`"));
                return first.then(note).into_iter().collect();
            }
            Said::Malformed(event) => {
                let first = !std::mem::replace(&mut self.malformed, true);
                let text = || format!("it told of a success in a shape that none has, which is not counted: {event}");
                return first.then(|| Found::Note("malformed-event", text())).into_iter().collect();
            }
            Said::Claim { claim, text, group } => (claim, text, group),
        };
        let mut found = Vec::new();
        let foreign = group.filter(|group| group != own_group);
        if let Some(group) = &foreign
            && !std::mem::replace(&mut self.wrong_group, true)
        {
            let what = match claim {
                Claim::Success => "a success, which is not counted",
                Claim::Failure => "a failure, which is counted as its own",
                Claim::Crash => "a crash, which is counted as its own",
            };
            found.push(Found::Note("wrong-group", format!("it told of {what}, in the name of group `{group}`")));
        }
        let words = || text.clone().unwrap_or_else(|| "(it gave no reason)".to_owned());
        let first = match claim {
            Claim::Success if foreign.is_some() => false,
            Claim::Success => {
                self.successes = self.successes.saturating_add(1);
                self.successes == 1
            }
            Claim::Failure => self.failure.is_none() && self.failure.replace(words()).is_none(),
            Claim::Crash => self.crash.is_none() && self.crash.replace(words()).is_none(),
        };
        if first {
            found.push(Found::Claim(claim, text));
        }
        found
    }
}

/// Reads the standard output of one instance.
#[derive(Debug)]
pub(crate) struct StdoutScan {
    lines: Lines,
    group: String,
    pub(crate) claims: Claims,
    utf8: Utf8,
    told_long: bool,
}

impl StdoutScan {
    pub(crate) fn new(group: &str) -> Self {
        Self {
            lines: Lines::new(&["\"event\""]),
            group: group.to_owned(),
            claims: Claims::default(),
            utf8: Utf8::default(),
            told_long: false,
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        let Self { lines, group, claims, .. } = self;
        lines.feed(bytes, &mut |line| {
            if let Some(said) = claims::of_line(line) {
                found.append(&mut claims.take(said, group));
            }
            Want::Needle
        });
        if self.utf8.breaks(bytes) {
            let text = "its standard output is not UTF-8; the log has the bytes as they came";
            found.push(Found::Note("invalid-utf8", text.to_owned()));
        }
        if self.lines.too_long && !std::mem::replace(&mut self.told_long, true) {
            let text = "it wrote a line of more than 1 MiB to its standard output; the log has it whole, but it is not read for events";
            found.push(Found::Note("long-line", text.to_owned()));
        }
        found
    }

    pub(crate) fn finish(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        let Self { lines, group, claims, .. } = self;
        let half = lines.finish(&mut |line| {
            if let Some(said) = claims::of_line(line) {
                found.append(&mut claims.take(said, group));
            }
            Want::Needle
        });
        if half {
            let text = "its standard output ends in the middle of a line";
            found.push(Found::Note("half-line", text.to_owned()));
        }
        found
    }
}

/// Looks for the first panic on standard error.
#[derive(Debug)]
pub(crate) struct StderrScan {
    lines: Lines,
    panic: Option<String>,
    /// The last line that looks like an error of JavaScript: one that nobody caught is followed by Node's version.
    error: Option<String>,
}

impl StderrScan {
    pub(crate) fn new() -> Self {
        Self {
            lines: Lines::new(&["panic", "fatal error: ", "Error", "UnhandledPromiseRejection", "Node.js v"]),
            panic: None,
            error: None,
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let Self { lines, panic, error } = self;
        lines.feed(bytes, &mut |line| panic_line(panic, error, line));
    }

    /// The first panic, if there was one.
    pub(crate) fn finish(mut self) -> Option<String> {
        let Self { lines, panic, error } = &mut self;
        lines.finish(&mut |line| panic_line(panic, error, line));
        self.panic
    }
}

fn panic_line(panic: &mut Option<String>, error: &mut Option<String>, line: &[u8]) -> Want {
    let text = claims::cut(String::from_utf8_lossy(line).trim_end());
    if let Some(first) = panic {
        // Rust puts its message on the line after the place.
        first.push(' ');
        first.push_str(&text);
        return Want::Nothing;
    }
    let rust = text.starts_with("thread '") && text.contains("panicked at");
    let go = text.starts_with("panic: ") || text.starts_with("fatal error: ");
    let is_version = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if text.strip_prefix("Node.js v").is_some_and(is_version) {
        *panic = Some(error.take().unwrap_or_else(|| format!("something was thrown and not caught ({text})")));
        return Want::Nothing;
    }
    if !rust && !go {
        let name = text.split([':', ' ']).next().unwrap_or_default();
        if name.ends_with("Error") || name == "[UnhandledPromiseRejection" {
            *error = Some(text);
        }
        return Want::Needle;
    }
    let more = rust && text.ends_with(':');
    *panic = Some(text);
    if more { Want::Line } else { Want::Nothing }
}

/// Watches a stream in pieces for the first bytes that are not UTF-8.
#[derive(Debug, Default)]
struct Utf8 {
    broken: bool,
    /// The beginning of a character whose rest has not come yet.
    part: Vec<u8>,
}

impl Utf8 {
    /// Whether these bytes are the first to break the encoding.
    fn breaks(&mut self, mut bytes: &[u8]) -> bool {
        if self.broken {
            return false;
        }
        while !self.part.is_empty() {
            let Some((first, rest)) = bytes.split_first() else { return false };
            self.part.push(*first);
            bytes = rest;
            match std::str::from_utf8(&self.part) {
                Ok(_) => self.part.clear(),
                Err(error) if error.error_len().is_some() => {
                    self.broken = true;
                    return true;
                }
                Err(_) => {}
            }
        }
        if let Err(error) = std::str::from_utf8(bytes) {
            if error.error_len().is_some() {
                self.broken = true;
                return true;
            }
            self.part.extend_from_slice(&bytes[error.valid_up_to()..]);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] = b"{\"event\":{\"success_event\":{\"group\":\"g\"}}}\n";

    fn scan(pieces: &[&[u8]]) -> (StdoutScan, Vec<Found>) {
        let mut scan = StdoutScan::new("g");
        let mut found: Vec<Found> = pieces.iter().flat_map(|piece| scan.feed(piece)).collect();
        found.extend(scan.finish());
        (scan, found)
    }

    fn words(found: &[Found]) -> Vec<&'static str> {
        found
            .iter()
            .map(|found| match found {
                Found::Claim(Claim::Success, _) => "success",
                Found::Claim(Claim::Failure, _) => "failure",
                Found::Claim(Claim::Crash, _) => "crash",
                Found::StageEnd(_) => "stage-end",
                Found::Note(word, _) => word,
            })
            .collect()
    }

    #[test]
    fn an_event_is_found_wherever_the_stream_is_cut() {
        let stream = [b"noise \"event\" noise\n".as_slice(), OK, b"more\n", OK].concat();
        for cut in 0..=stream.len() {
            let (a, b) = stream.split_at(cut);
            let (scan, found) = scan(&[a, b]);
            assert_eq!((scan.claims.successes, words(&found)), (2, vec!["success"]), "cut at {cut}");
        }
        let bytewise: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(scan(&bytewise).0.claims.successes, 2);
    }

    #[test]
    fn long_lines_are_passed_over_and_what_follows_is_read() {
        let long = vec![b'x'; MAX_LINE_BYTES + 1];
        for size in [1000, 65536, 3 << 20] {
            let stream = [&long, b"\n".as_slice(), OK].concat();
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            let (scan, found) = scan(&pieces);
            assert_eq!(scan.claims.successes, 1, "pieces of {size}");
            assert!(size > MAX_LINE_BYTES || words(&found).contains(&"long-line"), "pieces of {size}");
        }
    }

    #[test]
    fn half_a_line_at_the_end_is_read_if_it_is_whole_and_noted() {
        let (scan_, found) = scan(&[&OK[..OK.len() - 1]]);
        assert_eq!((scan_.claims.successes, words(&found)), (1, vec!["success", "half-line"]));
        let (scan, found) = scan(&[&OK[..20]]);
        assert_eq!((scan.claims.successes, words(&found)), (0, vec!["half-line"]));
    }

    #[test]
    fn foreign_success_is_noted_and_foreign_failure_counts() {
        let (scan_, found) = scan(&[b"{\"event\":{\"success_event\":{\"group\":\"other\"}}}\n"]);
        assert_eq!((scan_.claims.successes, words(&found)), (0, vec!["wrong-group"]));
        let (scan, found) = scan(&[b"{\"event\":{\"failure_event\":{\"group\":\"other\",\"error\":\"e\"}}}\n"]);
        assert_eq!((scan.claims.failure.as_deref(), words(&found)), (Some("e"), vec!["wrong-group", "failure"]));
    }

    #[test]
    fn unknown_events_are_noted_once_and_do_not_end_the_reading() {
        let unknown = b"{\"event\":{\"dance_event\":{}}}\n".as_slice();
        let (scan, found) = scan(&[unknown, unknown, OK]);
        assert_eq!((scan.claims.successes, words(&found)), (1, vec!["unknown-event", "success"]));
    }

    #[test]
    fn a_malformed_success_is_noted_once_and_not_counted() {
        let bad = b"{\"event\":{\"success_event\":7}}\n".as_slice();
        let (scan, found) = scan(&[bad, bad]);
        assert_eq!((scan.claims.successes, words(&found)), (0, vec!["malformed-event"]));
    }

    #[test]
    fn broken_utf8_is_noted_once_and_split_characters_are_not() {
        assert_eq!(words(&scan(&[b"\xff\n", b"\xfe\n"]).1), ["invalid-utf8"]);
        assert_eq!(words(&scan(&[b"\xe2\x82", b"\xac\n"]).1), [""; 0]);
        assert_eq!(words(&scan(&[b"\xe2\x82", b"x\n"]).1), ["invalid-utf8"]);
    }

    #[test]
    fn panics_of_rust_and_go_are_found() {
        let rows: &[(&str, Option<&str>)] = &[
            (
                "hi\nthread 'main' panicked at src/main.rs:2:5:\nboom\nnote: run with\n",
                Some("thread 'main' panicked at src/main.rs:2:5: boom"),
            ),
            (
                "thread 'a' (7) panicked at 'boom', src/main.rs:2:5\n",
                Some("thread 'a' (7) panicked at 'boom', src/main.rs:2:5"),
            ),
            ("panic: boom\n\ngoroutine 1", Some("panic: boom")),
            (
                "fatal error: all goroutines are asleep - deadlock!\n",
                Some("fatal error: all goroutines are asleep - deadlock!"),
            ),
            ("don't panic: it is fine\n", None),
            (
                "/a/index.js:3\n  throw new TypeError('boom');\n  ^\n\nTypeError: boom\n    at x\n\nNode.js v18.20.4\n",
                Some("TypeError: boom"),
            ),
            ("Error: told and gone on\n", None),
            ("Node.js v18 is what I run on\n", None),
            ("boom\n\nNode.js v18.20.4", Some("something was thrown and not caught (Node.js v18.20.4)")),
        ];
        for (text, wanted) in rows {
            for size in [1, 7, 1000] {
                let mut scan = StderrScan::new();
                text.as_bytes().chunks(size).for_each(|piece| scan.feed(piece));
                assert_eq!(scan.finish().as_deref(), *wanted, "{text} in pieces of {size}");
            }
        }
    }
}
