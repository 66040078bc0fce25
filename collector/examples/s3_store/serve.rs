//! Serves an object store on a loopback port, with everything that can go wrong on the way.

#![allow(dead_code, reason = "tests use all of it, and the program only serves its own store")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3s::service::S3Service;
use tokio::net::{TcpListener, TcpStream};

/// What goes wrong: each to one request in so many, by the number of the request; 0 is never.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Every request waits this long for its answer.
    pub(crate) delay: Duration,
    /// Answered 503 `SlowDown`.
    pub(crate) slow_down: u64,
    /// Closed without an answer.
    pub(crate) reset: u64,
    /// Answered with half a body.
    pub(crate) cut: u64,
    /// Answered a little at a time.
    pub(crate) slow: u64,
    /// From this request on, all are closed without an answer.
    pub(crate) dies_after: u64,
}

/// Who answers the requests that get through.
#[derive(Clone)]
pub(crate) enum Behind {
    /// A store of this program.
    Store(S3Service),
    /// Another program, which listens there.
    Server(SocketAddr),
}

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// Answers requests on a loopback port until the runtime ends, and counts them; gives its address.
pub(crate) async fn serve(
    behind: Behind,
    faults: Faults,
    requests: Arc<AtomicU64>,
    at: SocketAddr,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(at).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (behind, requests) = (behind.clone(), requests.clone());
            tokio::spawn(async move {
                drop(socket.set_nodelay(true));
                let answer = service_fn(move |request| {
                    let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
                    answer(behind.clone(), faults, number, request)
                });
                // A client that goes away is none of our business.
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await);
            });
        }
    });
    Ok(address)
}

async fn answer(
    behind: Behind,
    faults: Faults,
    number: u64,
    request: Request<Incoming>,
) -> Result<Answer, std::io::Error> {
    let hit = |every: u64| every > 0 && number.is_multiple_of(every);
    tokio::time::sleep(faults.delay).await;
    if hit(faults.reset) || (faults.dies_after > 0 && number > faults.dies_after) {
        return Err(std::io::Error::other("closed on purpose"));
    }
    if hit(faults.slow_down) {
        let text = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>";
        let body = Full::new(Bytes::from(text)).map_err(|error: Infallible| match error {}).boxed_unsync();
        return Response::builder().status(503).body(body).map_err(std::io::Error::other);
    }
    let (head, body) = behind.answer(request).await?.into_parts();
    if !hit(faults.cut) && !hit(faults.slow) {
        return Ok(Response::from_parts(head, body));
    }
    let all = BodyExt::collect(body).await?.to_bytes();
    let end = if hit(faults.cut) { all.len() / 2 } else { all.len() };
    let pieces: Vec<Bytes> = (0..end).step_by(1 << 16).map(|at| all.slice(at..(at + (1 << 16)).min(end))).collect();
    let cut = hit(faults.cut) && !all.is_empty();
    let slow = hit(faults.slow);
    let frames = stream::iter(pieces)
        .then(move |piece| async move {
            if slow {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(Frame::data(piece))
        })
        .chain(stream::iter(cut.then(|| Err(std::io::Error::other("cut on purpose")))));
    Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}

impl Behind {
    async fn answer(self, request: Request<Incoming>) -> Result<Answer, std::io::Error> {
        match self {
            Self::Store(service) => {
                let answer = service.call(request.map(s3s::Body::from)).await;
                let answer = answer.map_err(|error| std::io::Error::other(format!("{error:?}")))?;
                Ok(answer.map(|body| BodyExt::map_err(body, std::io::Error::other).boxed_unsync()))
            }
            Self::Server(address) => {
                let socket = TokioIo::new(TcpStream::connect(address).await?);
                let connected = hyper::client::conn::http1::handshake(socket).await;
                let (mut sender, connection) = connected.map_err(std::io::Error::other)?;
                // It ends with its one answer.
                tokio::spawn(connection);
                let answer = sender.send_request(request).await.map_err(std::io::Error::other)?;
                Ok(answer.map(|body| BodyExt::map_err(body, std::io::Error::other).boxed_unsync()))
            }
        }
    }
}
