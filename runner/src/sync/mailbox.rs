//! How the rest of the service reaches the task of a connection.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// One of a connection's open requests, by a number of the service's own.
pub(super) type Token = u64;

/// What has happened to a connection's open requests since it last looked.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Barriers that were reached.
    pub(super) released: Vec<Token>,
    /// Subscriptions whose topic has items that the connection has not looked at.
    pub(super) dirty: Vec<Token>,
    /// Barriers that will never be reached, and why.
    pub(super) failed: Vec<(Token, Arc<str>)>,
}

/// The letterbox of a connection: each open request is in it at most once, so it is bounded by their number.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    mail: Mail,
    waker: Option<Waker>,
}

impl Mailbox {
    pub(super) fn release(&self, token: Token) {
        self.put(|mail| mail.released.push(token));
    }

    pub(super) fn dirty(&self, token: Token) {
        self.put(|mail| mail.dirty.push(token));
    }

    pub(super) fn fail(&self, token: Token, why: Arc<str>) {
        self.put(|mail| mail.failed.push((token, why)));
    }

    fn put(&self, put: impl FnOnce(&mut Mail)) {
        let waker = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            put(&mut inner.mail);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes everything, or asks to be woken.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Mail> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.mail.released.is_empty() && inner.mail.dirty.is_empty() && inner.mail.failed.is_empty() {
            if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                inner.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        Poll::Ready(take(&mut inner.mail))
    }
}
