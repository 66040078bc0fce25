//! One connection, one task.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::frame::{
    Broken, CLOSE_AWAY, CLOSE_NORMAL, CLOSE_POLICY, CLOSE_PROTOCOL, CLOSE_TOO_LARGE, Incoming, Reader, put_close,
    put_pong,
};
use super::handshake::{self, Guest};
use super::hub::Hub;
use super::out::Out;
use super::outside;
use super::seen::Label;

/// With so many bytes of answers unread, a client's further requests wait in its socket.
const MAX_UNREAD_BYTES: usize = 1 << 20;
/// How long a client that is sent away in good order may take to read what is left.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one that was cut off may take to come back and read why.
const PATIENCE_WITH_SLOW: Duration = Duration::from_mins(5);
/// How much of what a client still sends is thrown away, so that it comes to read why it was sent away.
const MAX_DISCARDED_BYTES: usize = 64 << 20;

thread_local! {
    // Shared by all connections of a thread: what is read is understood at once.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 32 * 1024]);
}

/// Serves one client until it goes or `cancel` says so. With `outside`, also a runner on another machine.
pub(super) async fn serve(mut tcp: TcpStream, hub: Hub, label: Label, outside: bool, cancel: CancellationToken) {
    // Answers are small and awaited.
    let nodelay = tcp.set_nodelay(true);
    let shaken = async { timeout(hub.limits().handshake, handshake::accept(&mut tcp, outside)).await };
    // Boxed: its buffers and states are of no use for the hours that follow.
    let shaken = cancel.run_until_cancelled(Box::pin(shaken)).await;
    let (Ok(()), Some(Ok(Ok(Some(guest))))) = (nodelay, shaken) else { return };
    let early = match guest {
        Guest::Client(early) => early,
        // Whatever breaks, the runner sees it, and asks anew.
        Guest::Watcher(prefix) => {
            return drop(cancel.run_until_cancelled(Box::pin(outside::tell(tcp, &hub, &prefix))).await);
        }
        Guest::Leaver(prefix) => {
            return drop(cancel.run_until_cancelled(Box::pin(outside::forget(tcp, &hub, &prefix))).await);
        }
    };
    let mut connection = Connection::new(tcp, hub, label);
    let end = match connection.feed(&mut { early }) {
        Err(end) => end,
        Ok(()) => match cancel.run_until_cancelled(poll_fn(|cx| connection.poll(cx))).await {
            Some(end) => end,
            None => End::Away { code: CLOSE_AWAY, reason: "the service ends", patience: PATIENCE },
        },
    };
    if let End::Away { code, reason, patience } = end {
        // Its only errors are those of a client that is gone or takes too long.
        let sent = timeout(patience, Box::pin(connection.send_away(code, reason)));
        let hurry = async {
            cancel.cancelled().await;
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            _outcome = sent => {}
            () = hurry => {}
        }
    }
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// The client is gone.
    Gone,
    /// It gets what is left, a close frame and the time to read both.
    Away { code: u16, reason: &'static str, patience: Duration },
}

#[derive(Debug)]
struct Connection {
    tcp: TcpStream,
    reader: Reader,
    desk: Desk,
    out: Out,
    timer: Pin<Box<Sleep>>,
    last_sent: Instant,
    /// Since when the client has taken nothing although something waits.
    stuck: Option<Instant>,
}

impl Connection {
    fn new(tcp: TcpStream, hub: Hub, label: Label) -> Self {
        let now = Instant::now();
        Self {
            tcp,
            reader: Reader::new(hub.limits().max_message_bytes),
            timer: Box::pin(sleep_until(now + hub.limits().keep_alive)),
            desk: Desk::new(hub, label),
            out: Out::default(),
            last_sent: now,
            stuck: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let mut moved = false;
            if let Poll::Ready(mail) = self.desk.mailbox().poll_take(cx) {
                self.desk.deliver(mail, &mut self.out);
                moved = true;
            }
            self.desk.fill(&mut self.out);
            match self.poll_write(cx) {
                Poll::Ready(Ok(sent)) => moved |= sent,
                Poll::Ready(Err(_)) => return Poll::Ready(End::Gone),
                Poll::Pending => self.note_stuck(),
            }
            // A client that does not read its answers is not heard either, until it does.
            if self.out.buffered_bytes() <= MAX_UNREAD_BYTES {
                match self.poll_read(cx) {
                    Poll::Ready(Ok(())) => moved = true,
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => {}
                }
            }
            if !moved && let Some(end) = ready!(self.poll_timer(cx)) {
                return Poll::Ready(end);
            }
        }
    }

    /// Sends until everything has gone; says whether there was anything.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        let mut sent = false;
        while !self.out.next().is_empty() {
            let count = ready!(Pin::new(&mut self.tcp).poll_write(cx, self.out.next()))?;
            self.out.advance(count);
            self.stuck = None;
            sent = true;
        }
        if sent {
            self.last_sent = Instant::now();
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => Poll::Ready(self.feed(buffer.filled_mut())),
                Ok(()) | Err(_) => Poll::Ready(Err(End::Gone)),
            }
        })
    }

    fn feed(&mut self, input: &mut [u8]) -> Result<(), End> {
        let Self { reader, desk, out, .. } = self;
        let mut closed = false;
        let outcome = reader.feed(input, |incoming| match incoming {
            // What comes after a close frame does not count.
            _ if closed => {}
            Incoming::Message(message) => desk.message(message, out),
            Incoming::Ping(payload) => put_pong(out.bytes(), payload),
            Incoming::Close => closed = true,
        });
        if closed {
            return Err(End::Away { code: CLOSE_NORMAL, reason: "", patience: PATIENCE });
        }
        outcome.map_err(|broken| {
            let (code, reason) = match broken {
                Broken::TooLarge { size_bytes } => {
                    let limit = desk.hub().limits().max_message_bytes;
                    let text = format!(
                        "a message of {size_bytes} bytes is too large: the limit is {limit} bytes; raise it with \
                         `--max-message`"
                    );
                    desk.complain("too-large", &text, out);
                    (CLOSE_TOO_LARGE, "message too large")
                }
                Broken::Protocol(why) => {
                    desk.complain("protocol-error", why, out);
                    (CLOSE_PROTOCOL, why)
                }
            };
            End::Away { code, reason, patience: PATIENCE }
        })
    }

    fn note_stuck(&mut self) {
        if self.stuck.is_none() {
            let now = Instant::now();
            self.stuck = Some(now);
            let check = now + self.desk.hub().limits().stall;
            if check < self.timer.deadline() {
                self.timer.as_mut().reset(check);
            }
        }
    }

    /// Waits for the next thing that is due; says so if it is the end.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Option<End>> {
        ready!(self.timer.as_mut().poll(cx));
        let now = Instant::now();
        let limits = self.desk.hub().limits().clone();
        if let Some(since) = self.stuck {
            let backlog_bytes = self.desk.backlog_bytes() + self.out.unsent_bytes() as u64;
            if now - since >= limits.stall && backlog_bytes > limits.max_backlog_bytes as u64 {
                let text = format!(
                    "cut off: the client has read nothing for {} s while {backlog_bytes} bytes wait for it; the limit \
                     is {} bytes (`max_backlog_bytes`)",
                    limits.stall.as_secs(),
                    limits.max_backlog_bytes
                );
                self.desk.cut_off(&text, &mut self.out);
                return Poll::Ready(Some(End::Away {
                    code: CLOSE_POLICY,
                    reason: "cut off: the client reads too slowly",
                    patience: PATIENCE_WITH_SLOW,
                }));
            }
            self.timer.as_mut().reset(now + limits.stall);
        } else {
            if now - self.last_sent >= limits.keep_alive {
                self.out.keep_alive();
                self.last_sent = now;
            }
            self.timer.as_mut().reset(self.last_sent + limits.keep_alive);
        }
        Poll::Ready(None)
    }

    /// Sends what is left and why, and reads on until the client has gone: closing a socket with unread input would
    /// throw away what the client has not read yet.
    async fn send_away(mut self, code: u16, reason: &str) -> std::io::Result<()> {
        put_close(self.out.bytes(), code, reason);
        // Its requests end now, not when it has read to the end.
        let Self { mut tcp, desk, mut out, .. } = self;
        drop(desk);
        let (mut input, mut output) = tcp.split();
        let discard = async {
            let mut left = MAX_DISCARDED_BYTES;
            let mut waste = vec![0; 4096];
            while left > 0 {
                let count = input.read(&mut waste).await?;
                if count == 0 {
                    break;
                }
                left = left.saturating_sub(count);
            }
            Ok::<_, std::io::Error>(())
        };
        let send = async {
            while !out.next().is_empty() {
                let count = output.write(out.next()).await?;
                out.advance(count);
            }
            output.shutdown().await
        };
        tokio::try_join!(send, discard)?;
        Ok(())
    }
}
