//! Asking a run to stop: first gently, then at once.

use tg_model::event::CancelReason;
use tokio::sync::watch;

/// What was asked so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Asked {
    /// Nothing.
    #[default]
    No,
    /// To stop, with time to do it well.
    Gently(CancelReason),
    /// To stop at once.
    Now(CancelReason),
}

impl Asked {
    pub(crate) fn reason(self) -> Option<CancelReason> {
        match self {
            Self::No => None,
            Self::Gently(reason) | Self::Now(reason) => Some(reason),
        }
    }
}

/// A handle with which a build or a run is stopped. Clones are the same handle.
///
/// The first [`Cancel::ask`] stops gently: instances get SIGTERM, and SIGKILL after the grace time. The second kills.
/// One handle may serve all runs of a command: a run that begins after it was asked starts no instance.
#[derive(Debug, Clone)]
pub struct Cancel {
    asked: watch::Sender<Asked>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// A handle that nobody has asked yet.
    pub fn new() -> Self {
        Self { asked: watch::Sender::new(Asked::No) }
    }

    /// Asks to stop; asks to kill if it was asked before.
    pub fn ask(&self, reason: CancelReason) {
        self.asked.send_modify(|asked| {
            *asked = match *asked {
                Asked::No if reason != CancelReason::SecondSignal => Asked::Gently(reason),
                Asked::No | Asked::Gently(_) if reason >= CancelReason::Signal => {
                    Asked::Now(CancelReason::SecondSignal)
                }
                Asked::Now(_) => return,
                Asked::No | Asked::Gently(_) => Asked::Now(reason),
            }
        });
    }

    /// Why it was asked to stop, if it was.
    pub fn reason(&self) -> Option<CancelReason> {
        self.asked.borrow().reason()
    }

    /// Waits until it is asked.
    pub async fn asked(&self) -> CancelReason {
        let mut asked = self.asked.subscribe();
        loop {
            if let Some(reason) = asked.borrow_and_update().reason() {
                return reason;
            }
            if asked.changed().await.is_err() {
                // The sender lives as long as `self`, so this cannot be reached; waiting on is the harmless answer.
                std::future::pending::<()>().await;
            }
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Asked> {
        self.asked.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_asks_and_the_second_kills() {
        let cancel = Cancel::new();
        assert_eq!(cancel.reason(), None);
        cancel.ask(CancelReason::Signal);
        assert_eq!(*cancel.asked.borrow(), Asked::Gently(CancelReason::Signal));
        cancel.clone().ask(CancelReason::Signal);
        assert_eq!(*cancel.asked.borrow(), Asked::Now(CancelReason::SecondSignal));
        cancel.ask(CancelReason::Signal);
        assert_eq!(cancel.reason(), Some(CancelReason::SecondSignal));
    }
}
