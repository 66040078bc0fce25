//! What a panic leaves behind.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::events::{Event, Events};

/// A stack trace of more bytes is cut: Testground's runner takes no line above 64 KiB.
const TRACE_BYTES: usize = 16 << 10;

/// Whether something has panicked, in any thread or task.
#[derive(Debug, Default)]
pub(crate) struct Crash {
    happened: AtomicBool,
    notify: Notify,
}

impl Crash {
    /// Records the first panic of this process as its crash; whatever showed panics before shows them still.
    pub(crate) fn watch(events: Arc<Events>) -> Arc<Self> {
        let crash = Arc::new(Self::default());
        let seen = Arc::clone(&crash);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !seen.happened.swap(true, Ordering::SeqCst) {
                let error = describe(info);
                let mut trace = Backtrace::force_capture().to_string();
                trace.truncate(trace.floor_char_boundary(TRACE_BYTES));
                events.record(&Event::CrashEvent { group: &events.group, error: &error, stacktrace: &trace });
            }
            before(info);
            seen.notify.notify_one();
        }));
        crash
    }

    pub(crate) fn happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }

    /// Waits for a panic.
    pub(crate) async fn wait(&self) {
        while !self.happened() {
            self.notify.notified().await;
        }
    }
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("a panic without words");
    match info.location() {
        Some(at) => format!("{text} (at {}:{}:{})", at.file(), at.line(), at.column()),
        None => text.to_owned(),
    }
}
