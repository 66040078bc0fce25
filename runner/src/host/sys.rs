//! The only unsafe code of tg: what namespaces need and neither the standard library nor `nix` offers safely.
#![expect(
    unsafe_code,
    reason = "fork, a descriptor out of a message and requests to network devices have no safe form"
)]

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::{ForkResult, Pid};

#[expect(clippy::cast_possible_truncation, reason = "the constants fit the fields that they are for")]
const UP: libc::c_short = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
#[expect(clippy::cast_possible_truncation, reason = "the constants fit the fields that they are for")]
const INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;

/// Forks. Gives the child's number to the parent, and nothing to the child.
///
/// To be called only by a launcher, which has one thread.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: a launcher never has a second thread, so no lock can be held by one that the child lacks.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Owns a descriptor that came in a message.
pub(super) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us, and nothing else knows its number.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Gives a signal its usual effect on this process.
pub(super) fn default_action(signal: Signal) -> io::Result<()> {
    // SAFETY: the default action runs no code of ours. The standard library's handler for stack overflows goes.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
    Ok(())
}

/// Does one thing to a network device by its name.
fn device_request(name: &str, code: libc::Ioctl, fill: impl FnOnce(&mut libc::ifreq)) -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all zeroes is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero: it ends the name.
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from.cast_signed();
    }
    fill(&mut request);
    // SAFETY: the request lives through the call and is of the type that these ioctls take.
    if unsafe { libc::ioctl(socket.as_raw_fd(), code, &raw const request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes a device up or down.
pub(super) fn set_link(name: &str, up: bool) -> io::Result<()> {
    let flags = if up { UP } else { 0 };
    device_request(name, libc::SIOCSIFFLAGS, |request| request.ifr_ifru.ifru_flags = flags)
}

/// Gives a device an IPv4 address in place of the one that it has.
pub(super) fn set_ipv4(name: &str, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
    let mask = Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0));
    for (code, value) in [(libc::SIOCSIFADDR, address), (libc::SIOCSIFNETMASK, mask)] {
        device_request(name, code, |request| {
            let mut bytes = [0; 14];
            // A `sockaddr_in` holds the port first, then the address.
            for (to, from) in bytes[2..6].iter_mut().zip(value.octets()) {
                *to = from.cast_signed();
            }
            request.ifr_ifru.ifru_addr = libc::sockaddr { sa_family: INET, sa_data: bytes };
        })?;
    }
    Ok(())
}
