//! Empties the pipes of all instances into their logs: one thread, one buffer, no limit on what an instance prints.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::thread::JoinHandle;

use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

use crate::scan::{Claims, Found, StderrScan, StdoutScan};

/// How much is read at once; one buffer of this size serves all pipes.
const BUFFER_BYTES: usize = 64 << 10;

/// The note on an instance that closes its standard output while it lives.
pub(crate) const CLOSED: &str =
    "it closed its standard output and went on; whatever it tells from there on is not seen";

/// The pipes of one instance, and where their content goes.
#[derive(Debug)]
pub(crate) struct Job {
    /// The instance's number.
    pub(crate) label: u32,
    /// Its group's name.
    pub(crate) group: String,
    /// Its process, if that is the plan's own: of one in a host, the host's init tells whether it closed its stdout.
    pub(crate) pid: Option<u32>,
    /// Fires when it begins again with the same pipes, and is closed when it will not: until then their ends are none.
    pub(crate) again: mpsc::Receiver<()>,
    pub(crate) stdout: (OwnedFd, File),
    pub(crate) stderr: (OwnedFd, File),
    /// When this fires or is dropped, the pipes are left as they are.
    pub(crate) give_up: oneshot::Receiver<()>,
    pub(crate) done: oneshot::Sender<Drained>,
}

/// All that an instance printed, boiled down.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    pub(crate) claims: Claims,
    pub(crate) panic: Option<String>,
}

impl Drained {
    /// Takes what it printed after it began again.
    pub(crate) fn add(&mut self, later: Self) {
        self.claims.add(later.claims);
        self.panic = self.panic.take().or(later.panic);
    }
}

/// What was found, and in the output of which instance.
pub(crate) type FoundBy = (u32, Found);

/// The thread that empties pipes. It ends when this is dropped and the last job is done.
#[derive(Debug)]
pub(crate) struct Drain {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl Drain {
    pub(crate) fn start(found: mpsc::Sender<FoundBy>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (jobs, queue) = mpsc::channel(64);
        let thread = std::thread::Builder::new().name("tg-drain".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, serve(queue, found));
        })?;
        Ok(Self { jobs, thread })
    }

    /// A handle to give jobs to.
    pub(crate) fn jobs(&self) -> mpsc::Sender<Job> {
        self.jobs.clone()
    }

    /// Waits for the thread; every sender of jobs must be gone.
    pub(crate) async fn finish(self) {
        drop(self.jobs);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        debug_assert!(matches!(joined, Ok(Ok(()))), "the drain thread does not panic");
    }
}

async fn serve(mut queue: mpsc::Receiver<Job>, found: mpsc::Sender<FoundBy>) {
    let buffer = Rc::new(RefCell::new(vec![0; BUFFER_BYTES]));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            job = queue.recv() => match job {
                Some(job) => {
                    tasks.spawn_local(drain(job, Rc::clone(&buffer), found.clone()));
                }
                None => break,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn drain(job: Job, buffer: Rc<RefCell<Vec<u8>>>, found: mpsc::Sender<FoundBy>) {
    let Job { label, group, pid, mut again, stdout, stderr, mut give_up, done } = job;
    let out = RefCell::new(StdoutScan::new(&group));
    let err = RefCell::new(StderrScan::new());
    let pumps = async {
        let (pipe, mut log) = stderr;
        let pump_err = pump(pipe, &mut log, "stderr.log", &buffer, (label, &found), |bytes| {
            err.borrow_mut().feed(bytes);
            Vec::new()
        });
        let ended_out = async {
            let (mut pipe, mut log) = stdout;
            loop {
                let read =
                    pump(pipe, &mut log, "stdout.log", &buffer, (label, &found), |bytes| out.borrow_mut().feed(bytes));
                match (read.await, again.recv().await) {
                    (Some(left), Some(())) => pipe = left,
                    _ => break,
                }
            }
            // Whoever listens for events of a process that lives on without its stdout should know.
            if pid.is_some_and(crate::machine::goes_on) {
                tell(label, vec![Found::Note("closed-stdout", CLOSED.to_owned())], &found).await;
            }
        };
        tokio::join!(ended_out, pump_err);
    };
    tokio::select! {
        () = pumps => {}
        _ = &mut give_up => {}
    }
    let mut out = out.into_inner();
    tell(label, out.finish(), &found).await;
    let drained = Drained { claims: out.claims, panic: err.into_inner().finish() };
    // Nobody waits for it any more if the run was torn down.
    drop(done.send(drained));
}

async fn tell(label: u32, found: Vec<Found>, to: &mpsc::Sender<FoundBy>) {
    for found in found {
        // The run is being torn down if nobody listens; the pipe must be emptied all the same.
        if to.send((label, found)).await.is_err() {
            break;
        }
    }
}

/// Moves one pipe into its log until the pipe ends. Gives it back: somebody may open it again.
async fn pump(
    pipe: OwnedFd,
    log: &mut File,
    name: &str,
    buffer: &RefCell<Vec<u8>>,
    (label, to): (u32, &mpsc::Sender<FoundBy>),
    mut scan: impl FnMut(&[u8]) -> Vec<Found>,
) -> Option<OwnedFd> {
    let broken = |error: &io::Error| vec![Found::Note("log-broken", format!("{name} is not complete: {error}"))];
    let pipe = match pipe::Receiver::from_owned_fd(pipe) {
        Ok(pipe) => pipe,
        Err(error) => {
            tell(label, broken(&error), to).await;
            return None;
        }
    };
    let mut logging = true;
    loop {
        let step = match pipe.readable().await {
            Ok(()) => step(&pipe, &mut buffer.borrow_mut(), log, &mut logging, &mut scan),
            Err(error) => Err(error),
        };
        match step {
            Ok(Step::End) => return pipe.into_nonblocking_fd().ok(),
            Ok(Step::Found(found)) if found.is_empty() => {}
            Ok(Step::Found(found)) => tell(label, found, to).await,
            Ok(Step::LogBroken(error, mut found)) => {
                found.extend(broken(&error));
                tell(label, found, to).await;
            }
            Err(error) => {
                tell(label, broken(&error), to).await;
                return None;
            }
        }
    }
}

/// What one read gave.
enum Step {
    Found(Vec<Found>),
    LogBroken(io::Error, Vec<Found>),
    End,
}

/// Reads once, if there is something.
fn step(
    pipe: &pipe::Receiver,
    buffer: &mut [u8],
    log: &mut File,
    logging: &mut bool,
    scan: &mut impl FnMut(&[u8]) -> Vec<Found>,
) -> io::Result<Step> {
    let read = match pipe.try_read(buffer) {
        Ok(0) => return Ok(Step::End),
        Ok(read) => read,
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            return Ok(Step::Found(Vec::new()));
        }
        Err(error) => return Err(error),
    };
    let found = scan(&buffer[..read]);
    if *logging && let Err(error) = log.write_all(&buffer[..read]) {
        // A full disk must not stop the instance: its pipe is emptied on.
        *logging = false;
        return Ok(Step::LogBroken(error, found));
    }
    Ok(Step::Found(found))
}
