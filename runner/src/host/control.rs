//! tg's end of the control socket.

use std::io::{self, IoSliceMut, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::spec::{Answer, Ask, HostSpec};
use super::sys;

/// How long a host may take to stand, and to do what it is asked. Far more than it needs on a machine under load.
const PATIENCE: Duration = Duration::from_mins(1);

/// A host could not be made, or did not do as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    /// The host says what went wrong.
    #[error("{doing}: {why}")]
    Failed { doing: String, why: String, code: Option<i32> },
    /// It says nothing.
    #[error("its launcher does not answer: {0}")]
    Silent(String),
}

/// What a host that stands hands to tg.
#[derive(Debug)]
pub(crate) struct Handed {
    /// The host's end of the data network: packets as they are, each behind a virtio header.
    pub(crate) device: OwnedFd,
    /// Where the host's processes find the sync service.
    pub(crate) listener: TcpListener,
}

/// A host that stands. When it is dropped, everything in the host ends.
#[derive(Debug)]
pub(crate) struct Host {
    control: UnixStream,
    rest: Vec<u8>,
    /// Whether the plan has closed its standard output and went on.
    silent: bool,
}

fn silent(error: &io::Error) -> HostError {
    HostError::Silent(error.to_string())
}

/// Tells a launcher what host to make, and waits until it stands. Blocks.
pub(crate) fn greet(control: UnixStream, spec: &HostSpec) -> Result<(Host, Handed), HostError> {
    control.set_read_timeout(Some(PATIENCE)).map_err(|error| silent(&error))?;
    let mut host = Host { control, rest: Vec::new(), silent: false };
    host.write(spec)?;
    let mut descriptors = Vec::new();
    match host.answer(&mut descriptors)? {
        Answer::Ready if descriptors.len() == 2 => {
            let listener = TcpListener::from(descriptors.remove(1));
            Ok((host, Handed { device: descriptors.remove(0), listener }))
        }
        Answer::Failed { doing, why, code } => Err(HostError::Failed { doing, why, code }),
        other => Err(HostError::Silent(format!("it said {other:?}"))),
    }
}

impl Host {
    /// Starts the plan.
    pub(crate) fn go(&mut self) -> Result<(), HostError> {
        self.ask(&Ask::Go)
    }

    /// Asks and waits until it is done. Blocks.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Result<(), HostError> {
        self.write(ask)?;
        match self.answer(&mut Vec::new())? {
            Answer::Done => Ok(()),
            Answer::Failed { doing, why, code } => Err(HostError::Failed { doing, why, code }),
            Answer::Ended { .. } | Answer::Silent => Err(HostError::Silent("the instance has ended".to_owned())),
            Answer::Ready => Err(HostError::Silent("it was ready twice".to_owned())),
        }
    }

    /// Kills every process of the host but its init. Blocks.
    pub(crate) fn halt(&mut self) -> Result<(), String> {
        self.ask(&Ask::Halt).map_err(|error| error.to_string())
    }

    /// Starts the plan once more. Blocks.
    pub(crate) fn begin_again(&mut self) -> Result<(), String> {
        self.go().map_err(|error| error.to_string())
    }

    /// Stops every process of the host but its init, or lets them go on. Blocks.
    pub(crate) fn hold(&mut self, pause: bool) -> Result<(), String> {
        self.ask(if pause { &Ask::Pause } else { &Ask::Resume }).map_err(|error| error.to_string())
    }

    /// Once the host has ended: how many processes the plan left behind, and whether it had closed its standard output
    /// and went on.
    pub(crate) fn last_words(&mut self) -> (u32, bool) {
        loop {
            match self.answer(&mut Vec::new()) {
                Ok(Answer::Ended { left }) => return (left, self.silent),
                Ok(_) => {}
                Err(_) => return (0, self.silent),
            }
        }
    }

    fn write(&mut self, value: &impl serde::Serialize) -> Result<(), HostError> {
        let mut text = serde_json::to_vec(value).map_err(|error| silent(&error.into()))?;
        text.push(b'\n');
        self.control.write_all(&text).map_err(|error| silent(&error))
    }

    /// The next answer to what was asked.
    fn answer(&mut self, descriptors: &mut Vec<OwnedFd>) -> Result<Answer, HostError> {
        loop {
            match self.message(descriptors)? {
                Answer::Silent => self.silent = true,
                answer => return Ok(answer),
            }
        }
    }

    fn message(&mut self, descriptors: &mut Vec<OwnedFd>) -> Result<Answer, HostError> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(|error| silent(&error.into()));
            }
            let mut buffer = [0; 4096];
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let mut space = nix::cmsg_space!([std::os::fd::RawFd; 2]);
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let message = recvmsg::<()>(self.control.as_raw_fd(), &mut parts, Some(&mut space), flags)
                .map_err(|error| silent(&error.into()))?;
            for part in message.cmsgs().map_err(|error| silent(&error.into()))? {
                if let ControlMessageOwned::ScmRights(numbers) = part {
                    descriptors.extend(numbers.into_iter().map(sys::own));
                }
            }
            let read = message.bytes;
            if read == 0 {
                return Err(HostError::Silent("it is gone".to_owned()));
            }
            self.rest.extend_from_slice(&buffer[..read]);
        }
    }
}
