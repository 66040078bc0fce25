//! Contents of objects: small ones at once, large ones in parts as they are read.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{ROOM_UNIT, S3, Trouble};
use crate::error::CollectError;
use crate::source::Body;

/// An object up to this size is fetched by one request, a larger one in parts of it.
const PART: u64 = 8 << 20;
/// So many parts of one object are fetched ahead.
const PARTS_AHEAD: usize = 4;

/// The store cannot be reached any more: nothing that follows can be read either.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be reached")]
pub(crate) struct Lost(#[source] pub(crate) CollectError);

/// An object as it was listed.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) etag: Option<String>,
}

impl S3 {
    /// Opens an object.
    pub(crate) async fn open_object(&self, object: Object) -> Result<Body, Trouble> {
        if object.size > PART {
            return Ok(Box::new(Parts { s3: self.clone(), object, handle: Handle::current(), state: State::Waiting }));
        }
        let units = u32::try_from(object.size.div_ceil(ROOM_UNIT)).unwrap_or(1).max(1);
        // In the order in which files are asked for, so that whoever is to be stored next is never without room.
        let room = self.room.clone().acquire_many_owned(units).await.ok();
        let bytes = self.ask(|| self.get(&object, None)).await?;
        Ok(Box::new(Held { rest: bytes, _room: room }))
    }

    /// The bytes of an object, or of a part of it.
    pub(super) async fn get(&self, object: &Object, part: Option<(u64, u64)>) -> Result<Bytes, Trouble> {
        let range = part.map(|(from, to)| format!("bytes={from}-{}", to - 1));
        let answer = self
            .client
            .get_object()
            .bucket(&self.place.bucket)
            .key(&object.key)
            .set_if_match(object.etag.clone())
            .set_range(range)
            .send()
            .await?;
        let promised = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let bytes = answer.body.collect().await.map_err(|error| Trouble::body(&error))?.into_bytes();
        let wanted = part.map(|(from, to)| to - from).or(promised);
        if wanted.is_some_and(|wanted| wanted != bytes.len() as u64) {
            let text = format!("the answer has {} bytes and not {}", bytes.len(), wanted.unwrap_or_default());
            return Err(Trouble::Passing(text));
        }
        Ok(bytes)
    }
}

/// An object that was fetched whole.
struct Held {
    rest: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Read for Held {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(take(&mut self.rest, buffer))
    }
}

fn take(from: &mut Bytes, buffer: &mut [u8]) -> usize {
    let count = from.len().min(buffer.len());
    buffer[..count].copy_from_slice(&from.split_to(count));
    count
}

enum State {
    /// Nothing was read yet, and nothing is fetched.
    Waiting,
    Going {
        parts: mpsc::Receiver<Result<Bytes, Trouble>>,
        now: Bytes,
    },
}

/// A large object.
struct Parts {
    s3: S3,
    object: Object,
    handle: Handle,
    state: State,
}

impl Parts {
    fn begin(&self) -> mpsc::Receiver<Result<Bytes, Trouble>> {
        let (send, parts) = mpsc::channel(1);
        let (s3, object) = (self.s3.clone(), self.object.clone());
        self.handle.spawn(async move {
            let count = object.size.div_ceil(PART);
            let (s3, object) = (&s3, &object);
            let mut fetched = stream::iter(0..count)
                .map(|at| {
                    let part = (at * PART, ((at + 1) * PART).min(object.size));
                    async move { s3.ask(|| s3.get(object, Some(part))).await }
                })
                .buffered(PARTS_AHEAD);
            while let Some(part) = fetched.next().await {
                let last = part.is_err();
                // Whoever read it may have gone.
                if send.send(part).await.is_err() || last {
                    break;
                }
            }
        });
        parts
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.state {
                State::Waiting => self.state = State::Going { parts: self.begin(), now: Bytes::new() },
                State::Going { now, .. } if !now.is_empty() => return Ok(take(now, buffer)),
                State::Going { parts, now } => match parts.blocking_recv() {
                    None => return Ok(0),
                    Some(Ok(bytes)) => *now = bytes,
                    Some(Err(trouble)) if trouble.is_of_one() => return Err(io::Error::other(trouble)),
                    Some(Err(trouble)) => {
                        let what = format!("read `{}`", self.object.key);
                        return Err(io::Error::other(Lost(self.s3.failed(&what, trouble))));
                    }
                },
            }
        }
    }
}
