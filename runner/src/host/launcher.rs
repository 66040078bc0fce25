//! The process between tg and a host: makes the namespaces, waits, and ends as the plan ended.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise, sigprocmask};
use nix::sys::wait::waitpid;
use nix::unistd::{getgid, getuid};

use super::init::{self, Trouble};
use super::spec::{Answer, HostSpec};
use super::sys;

/// What a launcher process does from its start to its end; `tg` calls this in place of everything else.
///
/// Must be called before the process has a second thread.
pub fn enter() -> ExitCode {
    let Ok(fd) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let control = UnixStream::from(fd);
    match launch(&control) {
        Ok(code) => code,
        Err(trouble) => {
            init::say(&control, &trouble.answer());
            ExitCode::FAILURE
        }
    }
}

fn launch(control: &UnixStream) -> Result<ExitCode, Trouble> {
    let mut line = String::new();
    BufReader::new(control).read_line(&mut line).map_err(Trouble::of("reading what to do"))?;
    let spec: HostSpec =
        serde_json::from_str(&line).map_err(|error| Trouble::of("reading what to do")(io::Error::other(error)))?;
    // Asking to end is the plan's business: the whole process group is asked, and the plan's process is in it.
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)
        .map_err(|error| Trouble::of("blocking signals")(error.into()))?;
    let (uid, gid) = (getuid(), getgid());
    unshare(
        CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET,
    )
    .map_err(|error| Trouble::of("making namespaces")(error.into()))?;
    // Everybody keeps their own number, so that files belong to whom they belonged before.
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{uid} {uid} 1")),
        ("/proc/self/gid_map", format!("{gid} {gid} 1")),
    ] {
        fs::write(file, text).map_err(Trouble::of(format!("writing `{file}`")))?;
    }
    let (mut status_in, status_out) = io::pipe().map_err(Trouble::of("making a pipe"))?;
    let Some(child) = sys::fork().map_err(Trouble::of("starting the host's init"))? else {
        drop(status_in);
        init::run(control, &spec, status_out);
    };
    drop(status_out);
    init::let_go_of_stdout().map_err(Trouble::of("letting go of the plan's output"))?;
    let mut status = [0; 4];
    let told = status_in.read_exact(&mut status);
    waitpid(child, None).map_err(|error| Trouble::of("waiting for the host's init")(error.into()))?;
    // An init that was killed leaves no status: so was everything in its host.
    let status = if told.is_ok() { i32::from_ne_bytes(status) } else { Signal::SIGKILL as i32 };
    Ok(end_as(status))
}

/// Ends this process the way in which the plan's ended: with its code, or by its signal.
fn end_as(status: i32) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let status = std::process::ExitStatus::from_raw(status);
    if let Some(signal) = status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
        // A second core file beside the plan's own would be a riddle.
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).ok();
        sys::default_action(signal).ok();
        raise(signal).ok();
        sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::all()), None).ok();
    }
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}

/// Sends an answer; whoever does not listen any more needs none.
pub(super) fn send(control: &UnixStream, answer: &Answer) -> io::Result<()> {
    let mut text = serde_json::to_vec(answer)?;
    text.push(b'\n');
    (&*control).write_all(&text)
}
