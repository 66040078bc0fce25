//! A topic that is followed.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use serde::de::DeserializeOwned;

use super::client::Core;
use super::error::SyncError;

/// The items of a topic, from the first, in the order that everyone sees.
///
/// Use [`Subscription::next`], or it as a [`Stream`], which ends after an error that nothing can follow. Dropping it
/// ends the subscription at the service. A subscriber may read as slowly as it likes: no more than a bounded number
/// of items wait for it, and nobody else waits for it.
#[derive(Debug)]
pub struct Subscription<T> {
    pub(crate) core: Arc<Core>,
    pub(crate) id: u64,
    pub(crate) topic: String,
    pub(crate) limit: Option<Duration>,
    pub(crate) seen: u64,
    pub(crate) over: bool,
    pub(crate) item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Subscription<T> {
    /// The next item; waits for it. The error of a lost connection comes again and again.
    pub async fn next(&mut self) -> Result<T, SyncError> {
        let limit = self.limit;
        let next = std::future::poll_fn(|cx| self.poll_item(cx));
        match limit {
            None => next.await,
            Some(limit) => match tokio::time::timeout(limit, next).await {
                Ok(item) => item,
                Err(_elapsed) => {
                    let what = format!("item {} of topic `{}`", self.seen + 1, self.topic);
                    Err(SyncError::Deadline { what, limit })
                }
            },
        }
    }

    /// The next `n` items; waits for all of them.
    pub async fn next_n(&mut self, n: impl Into<u64>) -> Result<Vec<T>, SyncError> {
        let n = n.into();
        let mut items = Vec::with_capacity(usize::try_from(n.min(65_536)).unwrap_or(0));
        for _ in 0..n {
            items.push(self.next().await?);
        }
        Ok(items)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, SyncError>> {
        match self.core.link.poll_item(&mut self.id, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(text)) => {
                self.seen += 1;
                Poll::Ready(serde_json::from_str(&text).map_err(|error| SyncError::Decode {
                    topic: self.topic.clone(),
                    seq: self.seen,
                    source: Arc::new(error),
                }))
            }
        }
    }
}

impl<T: DeserializeOwned> Stream for Subscription<T> {
    type Item = Result<T, SyncError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let item = std::task::ready!(self.poll_item(cx));
        self.over = item.as_ref().is_err_and(|error| !matches!(error, SyncError::Decode { .. }));
        Poll::Ready(Some(item))
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.core.link.forget(self.id);
    }
}
