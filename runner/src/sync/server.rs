//! The addresses that clients dial.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::connection;
use super::hub::Hub;
use super::seen::{Label, Seen};

/// Many clients of a run dial at the same moment; the kernel may hold fewer.
const PENDING_CONNECTIONS: u32 = 4096;
/// How long to leave a listener alone that cannot accept, as when too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a server listens and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The address; port 0 takes any.
    pub addr: SocketAddr,
    /// The instance that alone uses this address.
    pub label: Label,
}

/// A server could not listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{addr}`")]
pub struct BindError {
    /// Where.
    pub addr: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

/// Lets websocket clients at a hub. Dropping it cuts all connections without waiting for them.
#[derive(Debug)]
pub struct Server {
    addrs: Vec<SocketAddr>,
    tasks: TaskTracker,
    hub: Hub,
    token: CancellationToken,
    cancel: DropGuard,
}

/// Lets a server listen at sockets that are made while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    hub: Hub,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Door {
    /// Accepts what comes at this socket, until the server ends. Must be called within a tokio runtime.
    pub(crate) fn open(&self, listener: std::net::TcpListener, label: Label) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let of = Of::Label(label);
        self.tasks.spawn(accept(listener, self.hub.clone(), of, self.tasks.clone(), self.cancel.clone()));
        Ok(())
    }
}

/// Whose a connection is.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// As the address that was dialled says.
    Label(Label),
    /// As the address that it comes from says.
    Peer,
}

impl Server {
    /// Listens on all of the addresses or on none.
    #[expect(clippy::unused_async, reason = "needs a runtime to be entered, which an async function says best")]
    pub async fn bind(hub: Hub, listen: &[Listen]) -> Result<Self, BindError> {
        Self::bind_for(hub, listen, false)
    }

    /// As [`Server::bind`], for instances and runners on other machines, where no address that is dialled tells who
    /// dials: the label of a connection is the IPv4 address that it comes from, as a number. Runners may follow a run
    /// (`GET /runs/ID/watch`) and have it forgotten (`DELETE /runs/ID`).
    #[expect(clippy::unused_async, reason = "needs a runtime to be entered, which an async function says best")]
    pub async fn bind_outside(hub: Hub, listen: &[Listen]) -> Result<Self, BindError> {
        Self::bind_for(hub, listen, true)
    }

    fn bind_for(hub: Hub, listen: &[Listen], outside: bool) -> Result<Self, BindError> {
        let mut addrs = Vec::with_capacity(listen.len());
        let mut listeners = Vec::with_capacity(listen.len());
        for &Listen { addr, label } in listen {
            let failed = |source| BindError { addr, source };
            let listener = listener(addr).map_err(failed)?;
            addrs.push(listener.local_addr().map_err(failed)?);
            listeners.push((listener, label));
        }
        let tasks = TaskTracker::new();
        let cancel = CancellationToken::new();
        for (listener, label) in listeners {
            let of = if outside { Of::Peer } else { Of::Label(label) };
            tasks.spawn(accept(listener, hub.clone(), of, tasks.clone(), cancel.clone()));
        }
        tasks.close();
        Ok(Self { addrs, tasks, hub, token: cancel.clone(), cancel: cancel.drop_guard() })
    }

    /// A handle that lets more sockets be listened at.
    pub(crate) fn door(&self) -> Door {
        Door { hub: self.hub.clone(), tasks: self.tasks.clone(), cancel: self.token.clone() }
    }

    /// Where it listens, in the order of `bind`'s list, with the ports that were taken.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Stops accepting, closes connections (code 1001), waits for its tasks; two seconds at most, as clients may be
    /// stuck.
    pub async fn shutdown(self) {
        drop(self.cancel);
        self.tasks.wait().await;
    }
}

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // The last run's closed connections must not keep the next from listening.
    socket.set_reuseaddr(true)?;
    // Clients on other machines can vanish without a word.
    socket.set_keepalive(true)?;
    socket.bind(addr)?;
    socket.listen(PENDING_CONNECTIONS)
}

async fn accept(listener: TcpListener, hub: Hub, of: Of, tasks: TaskTracker, cancel: CancellationToken) {
    let mut told = false;
    while let Some(accepted) = cancel.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((tcp, peer)) => {
                told = false;
                let (label, outside) = match (of, peer.ip().to_canonical()) {
                    (Of::Label(label), _) => (label, false),
                    (Of::Peer, IpAddr::V4(ip)) => (Some(ip.to_bits()), true),
                    (Of::Peer, IpAddr::V6(_)) => (None, true),
                };
                tasks.spawn(connection::serve(tcp, hub.clone(), label, outside, cancel.clone()));
            }
            // The client was gone before its turn came.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                if !told {
                    told = true;
                    let text = format!("a connection could not be accepted: {error}");
                    let from = if let Of::Label(label) = of { label } else { None };
                    hub.tell_all(&Seen::Odd { from, reason: "accept-failed", text });
                }
                cancel.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            }
        }
    }
}
