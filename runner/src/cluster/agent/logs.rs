//! What a container prints, from the kubelet's log files into one file for each stream.
//!
//! A line of such a file is `TIME STREAM TAG TEXT`, where the tag is `F` for a whole line and `P` for a part of one
//! (Kubernetes design proposals, "CRI: Dockershim and log format"). The kubelet renames the file when it has grown,
//! and compresses older ones: each is read by its inode until its end, in order.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tg_model::layout;

/// The file that is being written.
const CURRENT: &str = "0.log";
/// What the kubelet is compressing a file into.
const TEMPORARY: &str = ".tmp";
/// How much is read before others have a turn.
const MOST_AT_ONCE: usize = 64 << 20;
const BUFFER: usize = 256 << 10;
/// What waits to be written, for each stream of each instance of a node.
const WAITING: usize = 16 << 10;
/// No runtime writes a longer line.
const LONGEST: usize = 4 << 20;

/// How far a container's logs were read: written after what it speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    /// The last renamed file that was read to its end; names sort by time.
    done: String,
    inode: u64,
    offset: u64,
    out: u64,
    err: u64,
}

/// The log files of a container.
#[derive(Debug, Default)]
struct Files {
    readable: Vec<Entry>,
    /// Names of compressed ones, without their ending.
    compressed: Vec<String>,
}

/// One that can be read.
#[derive(Debug)]
struct Entry {
    name: String,
    path: PathBuf,
    inode: u64,
}

/// Follows the logs of one container.
#[derive(Debug)]
pub(super) struct Logs {
    from: PathBuf,
    to: PathBuf,
    state: PathBuf,
    source: Option<File>,
    sinks: Option<(BufWriter<File>, BufWriter<File>)>,
    at: Progress,
    notes: Vec<(&'static str, String)>,
}

impl Logs {
    /// Of a container whose log files are in `from`; its streams go to `to`.
    pub(super) fn open(from: PathBuf, to: PathBuf, state: PathBuf) -> Self {
        let at = fs::read(&state).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { from, to, state, source: None, sinks: None, at, notes: Vec::new() }
    }

    /// What was wrong.
    pub(super) fn notes(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.notes.iter().cloned()
    }

    /// Reads on; gives how many bytes there were.
    pub(super) async fn pump(mut self) -> (Self, usize) {
        let (from, to, state) = (self.from.clone(), self.to.clone(), self.state.clone());
        let pumped = tokio::task::spawn_blocking(move || {
            let read = self.read_on().unwrap_or_else(|error| {
                self.note("log-broken", format!("what it printed is not complete: {error}"));
                0
            });
            (self, read)
        });
        pumped.await.unwrap_or_else(|error| {
            let mut logs = Self::open(from, to, state);
            logs.note("log-broken", format!("reading what it printed failed by a fault of tg: {error}"));
            (logs, 0)
        })
    }

    fn note(&mut self, reason: &'static str, text: String) {
        if !self.notes.iter().any(|note| note.0 == reason && note.1 == text) {
            self.notes.push((reason, text));
        }
    }

    fn read_on(&mut self) -> io::Result<usize> {
        let mut read = 0;
        if self.source.is_none() && !self.begin()? {
            return Ok(0);
        }
        while read < MOST_AT_ONCE {
            read += self.read_file(MOST_AT_ONCE - read)?;
            if read >= MOST_AT_ONCE || !self.next()? {
                break;
            }
        }
        if read > 0 {
            self.keep()?;
        }
        Ok(read)
    }

    /// Opens the first file that was not read to its end, and the files that its content goes to.
    fn begin(&mut self) -> io::Result<bool> {
        let files = self.files()?;
        let known = files.readable.iter().position(|file| file.inode == self.at.inode);
        let lost = usize::from(self.at.inode != 0);
        if known.is_none() && files.compressed.len() + lost > 0 && !files.readable.is_empty() {
            let text = "the agent of its node was away for so long that the kubelet removed a part of its logs";
            self.note("log-gap", text.to_owned());
        }
        let Some(Entry { path, inode, .. }) = files.readable.get(known.unwrap_or(0)) else { return Ok(false) };
        let mut source = File::open(path)?;
        if known.is_none() {
            (self.at.inode, self.at.offset) = (*inode, 0);
        }
        source.seek(SeekFrom::Start(self.at.offset))?;
        if self.sinks.is_none() {
            fs::create_dir_all(&self.to)?;
            let open = |name: &str, length: u64| {
                // What an agent wrote before it was killed, but not yet wrote down, is read again.
                let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(self.to.join(name))?;
                file.set_len(length)?;
                file.seek(SeekFrom::End(0))?;
                Ok::<_, io::Error>(BufWriter::with_capacity(WAITING, file))
            };
            self.sinks = Some((open(layout::STDOUT_FILE, self.at.out)?, open(layout::STDERR_FILE, self.at.err)?));
        }
        self.source = Some(source);
        Ok(true)
    }

    /// Reads the file that is open, to its end or so much of it.
    fn read_file(&mut self, most: usize) -> io::Result<usize> {
        let (Some(source), Some((out, err))) = (&mut self.source, &mut self.sinks) else { return Ok(0) };
        let mut buffer = vec![0; BUFFER];
        let (mut filled, mut done) = (0, 0);
        while done < most {
            if filled == buffer.len() {
                if filled >= LONGEST {
                    return Err(io::Error::other("a line of more than 4 MiB in the kubelet's log"));
                }
                buffer.resize(2 * filled, 0);
            }
            let read = source.read(&mut buffer[filled..])?;
            if read == 0 {
                break;
            }
            filled += read;
            let whole = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |last| last + 1);
            let (lines, _) = buffer.split_at(whole);
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                let Some((is_out, text)) = parse(line) else { continue };
                let (sink, length) = if is_out { (&mut *out, &mut self.at.out) } else { (&mut *err, &mut self.at.err) };
                sink.write_all(text)?;
                *length += text.len() as u64;
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
            done += whole;
            self.at.offset += whole as u64;
        }
        // The rest of a line that is still being written is read again.
        source.seek(SeekFrom::Start(self.at.offset))?;
        Ok(done)
    }

    /// Goes on to the file after the one that is open, if there is one.
    fn next(&mut self) -> io::Result<bool> {
        let mut files = self.files()?;
        let known = files.readable.iter().position(|file| file.inode == self.at.inode);
        if known.is_none() && files.compressed.len() > 1 {
            let text = "the kubelet rotated its logs faster than the agent of its node could read them";
            self.note("log-gap", text.to_owned());
        }
        let next = known.map_or(0, |at| at + 1);
        if next >= files.readable.len() {
            return Ok(false);
        }
        // What it is called now: what is older is done as well. Where it was compressed meanwhile, so were all before.
        let name = known.map(|at| files.readable[at].name.clone()).or(files.compressed.pop());
        let Entry { path, inode, .. } = &files.readable[next];
        let following = File::open(path)?;
        // Between the last read and the renaming more may have been written; after it, nothing is.
        self.read_file(usize::MAX)?;
        (self.at.inode, self.at.offset) = (*inode, 0);
        self.at.done = name.unwrap_or_default();
        self.source = Some(following);
        Ok(true)
    }

    /// The files that were not read to their end, oldest first.
    fn files(&self) -> io::Result<Files> {
        let mut names: Vec<String> = match fs::read_dir(&self.from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
        };
        // `0.log.20261126-101500` sorts by time; the current file comes last.
        let renamed = |name: &String| name.strip_prefix(CURRENT).is_some_and(|rest| rest.starts_with('.'));
        names.retain(|name| name == CURRENT || renamed(name) && *name > self.at.done);
        names.sort_unstable_by(|a, b| (a == CURRENT, a).cmp(&(b == CURRENT, b)));
        let mut files = Files::default();
        for name in names {
            let path = self.from.join(&name);
            if let Some(stem) = name.strip_suffix(".gz") {
                if stem != self.at.done {
                    files.compressed.push(stem.to_owned());
                }
            } else if !name.ends_with(TEMPORARY)
                // One that was compressed in this moment is not there any more.
                && let Ok(meta) = fs::metadata(&path)
            {
                files.readable.push(Entry { name, path, inode: meta.ino() });
            }
        }
        Ok(files)
    }

    /// Writes down how far it is, after everything that it speaks of.
    fn keep(&mut self) -> io::Result<()> {
        if let Some((out, err)) = &mut self.sinks {
            out.flush()?;
            err.flush()?;
        }
        write_whole(&self.state, &serde_json::to_vec(&self.at)?)
    }
}

fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension("partial");
    fs::write(&partial, content)?;
    fs::rename(&partial, path)
}

/// Whether a line is of the standard output, and what was printed, with its line end if it has one.
fn parse(line: &[u8]) -> Option<(bool, &[u8])> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let (_time, stream, tags) = (parts.next()?, parts.next()?, parts.next()?);
    let text = parts.next()?;
    let is_out = match stream {
        b"stdout" => true,
        b"stderr" => false,
        _ => return None,
    };
    // More tags may follow the first, after a colon.
    match tags.split(|byte| *byte == b':').next()? {
        b"F" => Some((is_out, text)),
        b"P" => Some((is_out, text.strip_suffix(b"\n").unwrap_or(text))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a folder");
            fs::create_dir(dir.path().join("from")).expect("a folder");
            Self { dir }
        }

        fn logs(&self) -> Logs {
            let path = |name: &str| self.dir.path().join(name);
            Logs::open(path("from"), path("to"), path("state/x.json"))
        }

        fn file(&self, name: &str) -> PathBuf {
            self.dir.path().join("from").join(name)
        }

        fn append(&self, name: &str, lines: &[&str]) {
            let mut file = OpenOptions::new().append(true).create(true).open(self.file(name)).expect("a file");
            for line in lines {
                file.write_all(line.as_bytes()).expect("a line");
            }
        }

        fn stdout(&self) -> String {
            fs::read_to_string(self.dir.path().join("to").join("stdout.log")).expect("a log")
        }
    }

    fn full(text: &str) -> String {
        format!("2026-11-26T10:00:00.000000001Z stdout F {text}\n")
    }

    #[test]
    fn lines_of_the_kubelet_become_what_was_printed() {
        type Row = (&'static [u8], Option<(bool, &'static [u8])>);
        let rows: &[Row] = &[
            (b"t stdout F hello world\n", Some((true, b"hello world\n"))),
            (b"t stderr F \n", Some((false, b"\n"))),
            (b"t stdout P half\n", Some((true, b"half"))),
            (b"t stdout F:x y\n", Some((true, b"y\n"))),
            (b"t stdin F x\n", None),
            (b"garbage\n", None),
        ];
        for (line, wanted) in rows {
            assert_eq!(parse(line), *wanted);
        }
    }

    #[test]
    fn a_line_that_is_being_written_is_read_when_it_is_whole() {
        let place = Place::new();
        let mut logs = place.logs();
        assert_eq!(logs.read_on().expect("nothing yet"), 0);
        place.append(CURRENT, &["t stdout F one\nt stdout F tw"]);
        logs.read_on().expect("read");
        assert_eq!(place.stdout(), "one\n");
        place.append(CURRENT, &["o\nt stderr F bad\n"]);
        logs.read_on().expect("read");
        assert_eq!(place.stdout(), "one\ntwo\n");
        assert_eq!(logs.read_on().expect("nothing more"), 0);
    }

    #[test]
    fn rotation_loses_nothing_however_often_it_happens() {
        let place = Place::new();
        let mut logs = place.logs();
        place.append(CURRENT, &[&full("1")]);
        logs.read_on().expect("read");
        // More is written, then the file is renamed, twice.
        place.append(CURRENT, &[&full("2")]);
        fs::rename(place.file(CURRENT), place.file("0.log.20261126-100001")).expect("renamed");
        place.append(CURRENT, &[&full("3")]);
        fs::rename(place.file(CURRENT), place.file("0.log.20261126-100002")).expect("renamed");
        place.append(CURRENT, &[&full("4")]);
        logs.read_on().expect("read");
        assert_eq!(place.stdout(), "1\n2\n3\n4\n");
        assert!(logs.notes.is_empty());
        // The open file is compressed away before its rest was read: the open file has it.
        place.append(CURRENT, &[&full("5")]);
        fs::remove_file(place.file(CURRENT)).expect("removed");
        place.append("0.log.20261126-100003.gz", &["x"]);
        place.append(CURRENT, &[&full("6")]);
        logs.read_on().expect("read");
        assert_eq!(place.stdout(), "1\n2\n3\n4\n5\n6\n");
        assert!(logs.notes.is_empty(), "{:?}", logs.notes);
    }

    #[test]
    fn an_agent_that_was_killed_goes_on_where_it_was() {
        let place = Place::new();
        let mut logs = place.logs();
        place.append(CURRENT, &[&full("1"), &full("2")]);
        logs.read_on().expect("read");
        drop(logs);
        // It wrote more than it wrote down.
        let mut file = OpenOptions::new().append(true).open(place.dir.path().join("to/stdout.log")).expect("the log");
        file.write_all(b"half a li").expect("more");
        fs::rename(place.file(CURRENT), place.file("0.log.20261126-100001")).expect("renamed");
        place.append(CURRENT, &[&full("3")]);
        let mut logs = place.logs();
        logs.read_on().expect("read");
        assert_eq!(place.stdout(), "1\n2\n3\n");
        assert!(logs.notes.is_empty());
    }

    #[test]
    fn what_was_compressed_before_it_was_read_is_noted() {
        let place = Place::new();
        place.append("0.log.20261126-100001.gz", &["x"]);
        place.append(CURRENT, &[&full("2")]);
        let mut logs = place.logs();
        logs.read_on().expect("read");
        assert_eq!(place.stdout(), "2\n");
        assert_eq!(logs.notes().map(|note| note.0).collect::<Vec<_>>(), ["log-gap"]);
    }
}
