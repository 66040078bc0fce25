//! A named pipe that instances hold open as long as they live: their beginning and end can be waited for without
//! asking again and again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const DEADLINE: Duration = Duration::from_mins(2);

/// The reading end.
#[derive(Debug)]
pub struct Pipe {
    path: PathBuf,
    lines: Receiver<Option<String>>,
    /// Our own writing end, until the end is waited for: an instance that is gone before the next one begins must not
    /// look like the end of all.
    own: Mutex<Option<File>>,
}

impl Pipe {
    /// Makes a pipe of this name and begins to read.
    pub fn new(path: &Path) -> Self {
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a named pipe");
        let (sender, lines) = sync_channel(4096);
        let reader = path.to_owned();
        thread::spawn(move || {
            let file = File::open(&reader).expect("the pipe can be read");
            for line in BufReader::new(file).lines() {
                if sender.send(Some(line.expect("text"))).is_err() {
                    return;
                }
            }
            // The test may have ended already, and then nobody listens.
            drop(sender.send(None));
        });
        // Each of the two waits for the other.
        let own = File::options().write(true).open(path).expect("the pipe can be written");
        Self { path: path.to_owned(), lines, own: Mutex::new(Some(own)) }
    }

    /// The parameter that tells a plan of the pipe.
    pub fn param(&self) -> String {
        format!("pipe={}", self.path.display())
    }

    /// Waits until this many instances hold it; their names, sorted.
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let mut names: Vec<String> = (0..count)
            .map(|n| self.next().unwrap_or_else(|| panic!("the end was waited for after {n} of {count}")))
            .collect();
        names.sort();
        names
    }

    /// Waits until no process holds it any more.
    pub fn wait_for_end(&self) {
        drop(self.own.lock().expect("no test panicked with it").take());
        while self.next().is_some() {}
    }

    fn next(&self) -> Option<String> {
        self.lines
            .recv_timeout(DEADLINE)
            .unwrap_or_else(|error| panic!("nothing from `{}` for {DEADLINE:?}: {error}", self.path.display()))
    }
}
