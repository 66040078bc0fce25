//! Process 1 of a host: mounts, names and wires it, starts the plan, and buries whatever the plan leaves behind.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, IoSlice, PipeWriter, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::{Pid, dup2_stdout, getgid, sethostname};
use tg_model::env::SYNC_PORT;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use super::launcher::send;
use super::spec::{Answer, Ask, DEVICE, HostSpec, SYNC_ADDR};
use super::sys;

/// What went wrong while a host was made.
#[derive(Debug)]
pub(super) struct Trouble {
    doing: String,
    error: io::Error,
}

impl Trouble {
    pub(super) fn of(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |error| Self { doing, error }
    }

    pub(super) fn answer(&self) -> Answer {
        Answer::Failed { doing: self.doing.clone(), why: self.error.to_string(), code: self.error.raw_os_error() }
    }
}

fn errno<T>(doing: impl Into<String>, result: nix::Result<T>) -> Result<T, Trouble> {
    result.map_err(|error| Trouble::of(doing)(error.into()))
}

/// Tells tg; a tg that is gone needs no answer, and this host ends with it.
pub(super) fn say(control: &UnixStream, answer: &Answer) {
    send(control, answer).ok();
}

/// Runs the host to its end. The end of this process ends every other one in the host.
pub(super) fn run(control: &UnixStream, spec: &HostSpec, status: PipeWriter) -> ! {
    let code = match make(control, spec, status) {
        Ok(()) => 0,
        Err(trouble) => {
            say(control, &trouble.answer());
            1
        }
    };
    #[expect(clippy::exit, reason = "a forked child must not return into its parent's code")]
    std::process::exit(code)
}

fn make(control: &UnixStream, spec: &HostSpec, status: PipeWriter) -> Result<(), Trouble> {
    errno("following the launcher's end", set_pdeathsig(Signal::SIGKILL))?;
    errno("naming the host", sethostname(&spec.hostname))?;
    mounts(spec)?;
    let (device, listener) = network(spec)?;
    let mut message = serde_json::to_vec(&Answer::Ready).map_err(|error| Trouble::of("answering")(error.into()))?;
    message.push(b'\n');
    let descriptors = [device.as_raw_fd(), listener.as_raw_fd()];
    errno(
        "handing the device over",
        sendmsg::<()>(
            control.as_raw_fd(),
            &[IoSlice::new(&message)],
            &[ControlMessage::ScmRights(&descriptors)],
            MsgFlags::empty(),
            None,
        ),
    )?;
    drop(listener);
    // The device stays while this process and tg hold it.
    let ended = serve(control, spec, status);
    drop(device);
    ended
}

/// A private view of the file system: own `/tmp`, own `/etc/hosts`, own `/proc`.
fn mounts(spec: &HostSpec) -> Result<(), Trouble> {
    const NONE: Option<&str> = None;
    let bind = |from: &Path, to: &Path| {
        let doing = format!("mounting `{}` at `{}`", from.display(), to.display());
        errno(doing, mount(Some(from), to, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE))
    };
    errno("parting from the machine's mounts", mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE))?;
    if Path::new("/etc/hosts").exists() {
        bind(&spec.hosts_file, Path::new("/etc/hosts"))?;
    }
    // What must stay reachable is held open while what is above it is covered, and put back at its place.
    let tmp = Path::new("/tmp");
    let in_run = |path: &Path| spec.veiled.as_ref().is_some_and(|(run, _)| path.starts_with(run));
    let hold = |path: &Path| OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path);
    let held_at = |file: &File| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let veiled = match &spec.veiled {
        Some((run, veil)) => Some((run, hold(veil).map_err(Trouble::of("hiding the run's folder"))?)),
        None => None,
    };
    let mut held = Vec::new();
    for path in spec.keep.iter().filter(|path| path.starts_with(tmp) || in_run(path)) {
        let doing = || format!("keeping `{}`", path.display());
        let file = hold(path).map_err(Trouble::of(doing()))?;
        let is_dir = file.metadata().map_err(Trouble::of(doing()))?.is_dir();
        held.push((path, file, is_dir));
    }
    let put_back = |of_run: bool| {
        held.iter().filter(|(path, ..)| in_run(path) == of_run).try_for_each(|(path, file, is_dir)| {
            let doing = || format!("keeping `{}`", path.display());
            if *is_dir {
                fs::create_dir_all(path).map_err(Trouble::of(doing()))?;
            } else {
                path.parent().map_or(Ok(()), fs::create_dir_all).map_err(Trouble::of(doing()))?;
                File::create(path).map_err(Trouble::of(doing()))?;
            }
            bind(&held_at(file), path)
        })
    };
    bind(&spec.tmp, tmp)?;
    put_back(false)?;
    // A run below `/tmp` is in sight again where a folder that holds it was put back.
    if let Some((run, veil)) = veiled.filter(|(run, _)| run.exists()) {
        bind(&held_at(&veil), run)?;
    }
    put_back(true)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    errno("mounting `/proc`", mount(Some("proc"), "/proc", Some("proc"), flags, NONE))
}

/// The devices of the host, and the socket at which the sync service listens.
fn network(spec: &HostSpec) -> Result<(SyncDevice, TcpListener), Trouble> {
    sys::set_link("lo", true).map_err(Trouble::of("taking the loopback device up"))?;
    // Ordinary programs may ping and serve the web in a host that is theirs.
    for (file, text) in [
        ("/proc/sys/net/ipv4/ping_group_range", format!("{0} {0}", getgid())),
        ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0".to_owned()),
    ] {
        fs::write(file, text).map_err(Trouble::of(format!("writing `{file}`")))?;
    }
    let mut builder = DeviceBuilder::new().name(DEVICE).layer(Layer::L3).offload(true).mtu(spec.mtu).ipv4(
        spec.ipv4,
        spec.ipv4_prefix,
        None,
    );
    if Path::new("/proc/sys/net/ipv6").exists() {
        builder = builder.ipv6(spec.ipv6, spec.ipv6_prefix);
    }
    let device = builder.build_sync().map_err(Trouble::of("making a network device with `/dev/net/tun`"))?;
    let listener = TcpListener::bind(SocketAddr::from((SYNC_ADDR, SYNC_PORT)))
        .map_err(Trouble::of("listening for the sync service"))?;
    Ok((device, listener))
}

/// Gives up the pipe to tg that this process was started with: while anybody else holds it, nobody can see that the
/// plan has closed it.
pub(super) fn let_go_of_stdout() -> io::Result<()> {
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    Ok(dup2_stdout(null)?)
}

/// The plan's standard output, by the reading end of its pipe: it keeps the pipe, and the kernel tells by it when the
/// last writer is gone.
#[derive(Debug, Default)]
struct Stdout {
    pipe: Option<File>,
    /// Whether the plan may still close it.
    watched: bool,
}

impl Stdout {
    /// A writing end for a plan that begins.
    fn writer(&mut self) -> io::Result<File> {
        let again = |of: &File| OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", of.as_raw_fd()));
        self.watched = true;
        if let Some(pipe) = &self.pipe {
            return again(pipe);
        }
        let writer = again(self.pipe.insert(File::open("/proc/self/fd/1")?))?;
        // Not before there is another: tg would take it for the end.
        let_go_of_stdout()?;
        Ok(writer)
    }
}

/// Starts the plan when told to, does what tg asks, and ends when the plan ends or tg is gone.
fn serve(control: &UnixStream, spec: &HostSpec, mut status: PipeWriter) -> Result<(), Trouble> {
    let children =
        errno("watching for ends", SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), SfdFlags::SFD_CLOEXEC))?;
    let mut lines = BufReader::new(control);
    let mut plan = None;
    let mut stdout = Stdout::default();
    loop {
        // What has ended is asked of the kernel each time: a signal stands for any number of ends, and one that comes
        // while the plan is started is lost.
        if let Some(raw) = bury(plan) {
            say(control, &Answer::Ended { left: others() });
            status.write_all(&raw.to_ne_bytes()).map_err(Trouble::of("telling the end"))?;
            return Ok(());
        }
        let mut waiting =
            vec![PollFd::new(children.as_fd(), PollFlags::POLLIN), PollFd::new(control.as_fd(), PollFlags::POLLIN)];
        // That nobody can write any more is told unasked.
        let pipe = stdout.pipe.as_ref().filter(|_| stdout.watched);
        waiting.extend(pipe.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::empty())));
        if lines.buffer().is_empty() {
            match poll(&mut waiting, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return errno("waiting", Err(error)),
            }
        }
        let ready = |at: usize| waiting.get(at).and_then(PollFd::revents).is_some_and(|events| !events.is_empty());
        if ready(0) {
            children.read_signal().ok();
        }
        let closed = ready(2);
        if closed && plan.is_some_and(|pid: Pid| crate::machine::goes_on(pid.as_raw().cast_unsigned())) {
            say(control, &Answer::Silent);
        }
        stdout.watched &= !closed;
        if ready(1) || !lines.buffer().is_empty() {
            let mut line = String::new();
            // An error is an end as well: tg is gone, and so is everything here in a moment.
            if lines.read_line(&mut line).unwrap_or(0) == 0 {
                return Ok(());
            }
            let done = match serde_json::from_str(&line) {
                Ok(Ask::Go) => start(spec, &mut stdout).map(|pid| plan = Some(pid)),
                Ok(Ask::Halt) => halt().map(|()| plan = None),
                Ok(Ask::Pause) => everybody(Signal::SIGSTOP),
                Ok(Ask::Resume) => everybody(Signal::SIGCONT),
                Ok(Ask::Ipv4(address)) => sys::set_ipv4(DEVICE, address, spec.ipv4_prefix)
                    .map_err(Trouble::of(format!("changing the address to {address}"))),
                Err(error) => Err(Trouble::of("reading what to do")(error.into())),
            };
            say(control, &done.map_or_else(|trouble| trouble.answer(), |()| Answer::Done));
        }
    }
}

/// Sends a signal to every process of the host but this one.
fn everybody(signal: Signal) -> Result<(), Trouble> {
    errno("sending a signal to all processes", nix::sys::signal::kill(Pid::from_raw(-1), signal))
}

/// Ends every process of the host but this one.
fn halt() -> Result<(), Trouble> {
    use nix::sys::wait::waitpid;
    match nix::sys::signal::kill(Pid::from_raw(-1), Signal::SIGKILL) {
        // There may be nobody.
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => return errno("killing all processes", Err(error)),
    }
    loop {
        match waitpid(None::<Pid>, None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            // Nobody is left to be buried.
            Err(_) => return Ok(()),
        }
    }
}

/// Starts the plan. Its process stays in the launcher's group, so that tg asks and kills all of it at once.
fn start(spec: &HostSpec, stdout: &mut Stdout) -> Result<Pid, Trouble> {
    let (program, arguments) =
        spec.command.split_first().ok_or_else(|| Trouble::of("starting")(io::ErrorKind::InvalidInput.into()))?;
    let stdout = stdout.writer().map_err(Trouble::of("opening the plan's output"))?;
    // A program inherits what is blocked. Meanwhile nothing can end this process: the kernel spares process 1.
    let mask = |how| sigprocmask(how, Some(&SigSet::all()), None);
    errno("unblocking signals", mask(SigmaskHow::SIG_UNBLOCK))?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&spec.work)
        .stdin(Stdio::null())
        .stdout(stdout)
        .spawn();
    errno("blocking signals", mask(SigmaskHow::SIG_BLOCK))?;
    let child = child.map_err(Trouble::of(format!("starting `{}`", Path::new(program).display())))?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// Takes in all that ended; gives the raw status of the plan's process if it is among them.
fn bury(plan: Option<Pid>) -> Option<i32> {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    let mut raw = None;
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if Some(pid) == plan => raw = Some(code << 8),
            Ok(WaitStatus::Signaled(pid, signal, core)) if Some(pid) == plan => {
                raw = Some(signal as i32 | if core { 0x80 } else { 0 });
            }
            Ok(WaitStatus::StillAlive) | Err(_) => return raw,
            Ok(_) => {}
        }
    }
}

/// How many processes the plan left behind.
fn others() -> u32 {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    u32::try_from(numbers.filter(|&pid| pid != 1).count()).unwrap_or(u32::MAX)
}
