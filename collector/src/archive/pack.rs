//! Deflates blocks on threads of their own.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender};

use flate2::{Compress, Compression, FlushCompress};

const LEVEL: u32 = 4;

/// A block that was deflated.
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// Of the content.
    pub(super) crc: crc32fast::Hasher,
    pub(super) size: u64,
}

/// A block to deflate.
pub(super) struct Job {
    pub(super) raw: Vec<u8>,
    /// It ends its file.
    pub(super) last: bool,
    pub(super) done: SyncSender<Packed>,
}

/// Works until there are no more jobs. A block whose job is dropped without an answer tells its waiter so.
pub(super) fn work(jobs: &Mutex<Receiver<Job>>) {
    let mut deflate = Compress::new(Compression::new(LEVEL), false);
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        let Ok(Job { raw, last, done }) = job else { return };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&raw);
        deflate.reset();
        let mut bytes = Vec::with_capacity(raw.len() / 3 + 128);
        let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        let mut used = 0;
        loop {
            bytes.reserve((raw.len() - used) / 2 + 1024);
            let before = deflate.total_in();
            let status = deflate.compress_vec(&raw[used..], &mut bytes, flush);
            used += usize::try_from(deflate.total_in() - before).unwrap_or(0);
            match status {
                Ok(flate2::Status::StreamEnd) => break,
                // A flush is complete when it leaves room in the output.
                Ok(_) if !last && used == raw.len() && bytes.len() < bytes.capacity() => break,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        if done.send(Packed { bytes, crc, size: raw.len() as u64 }).is_err() {
            return;
        }
    }
}
