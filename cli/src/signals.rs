//! Signals that ask tg to stop: the first asks, the second insists.

use tg_model::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::message::Failure;

/// Interrupts of this process: Ctrl-C, SIGTERM and SIGHUP count alike.
pub(crate) struct Interrupts {
    signals: [Signal; 3],
}

impl Interrupts {
    /// Takes the signals over from the system; from here on they only arrive through [`Self::next`].
    pub(crate) fn listen() -> Result<Self, Failure> {
        let on = |kind| {
            signal(kind).map_err(|error| Failure::new(Exit::Environment, "cannot listen for signals").cause(&error))
        };
        Ok(Self { signals: [on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?] })
    }

    /// Waits for the next interrupt.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
