//! A host of its own for each instance: user, mount, UTS, IPC, PID and network namespaces, made without root.
//!
//! tg starts itself again as a *launcher* ([`enter`]), one for each instance. The launcher makes the namespaces and
//! forks the *init* of the new host, which mounts, names and wires it, hands the host's network device and the
//! listening socket of the sync service to tg, and then starts the plan and looks after whatever it leaves behind.
//!
//! ```text
//! tg ── control socket ──► launcher (waits, ends as the plan ended)
//!                            └─ init, process 1 of the host
//!                                 └─ the plan
//! ```
//!
//! The control socket is the launcher's standard input. When tg ends, by whatever death, the kernel closes it, init
//! ends, and with it every process of the host; with the last process go namespaces, mounts and devices.

mod control;
mod init;
mod launcher;
mod spec;
mod sys;

pub(crate) use control::{Handed, Host, HostError, greet};
pub use launcher::enter;
pub(crate) use spec::{Ask, HostSpec, SYNC_ADDR};
