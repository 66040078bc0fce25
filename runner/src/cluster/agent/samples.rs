//! What an instance uses while it runs, written beside what it prints.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tg_model::InstanceId;
use tg_model::machine::Sample;

use super::cgroup::Meter;

/// How often an instance is looked at. Each time so many bytes more were written, half as often.
const LOOK: Duration = Duration::from_secs(1);
const STEP_BYTES: u64 = 1 << 20;

/// The samples of one instance.
#[derive(Debug)]
pub(super) struct Samples {
    meter: Meter,
    instance: InstanceId,
    path: PathBuf,
    file: Option<File>,
    written: u64,
    due: Instant,
    /// Why there are none any more.
    failed: Option<String>,
}

impl Samples {
    /// Of an instance whose samples go to this file.
    pub(super) fn new(meter: Meter, instance: InstanceId, path: PathBuf) -> Self {
        Self { meter, instance, path, file: None, written: 0, due: Instant::now(), failed: None }
    }

    /// What went wrong.
    pub(super) fn notes(&self) -> Option<(&'static str, String)> {
        self.failed.clone().map(|why| ("not-sampled", why))
    }

    /// Takes a sample if it is time for one.
    pub(super) async fn look(mut self) -> Self {
        if self.failed.is_some() || Instant::now() < self.due {
            return self;
        }
        self.due = Instant::now() + LOOK * (1 << (self.written / STEP_BYTES).min(12));
        let (meter, instance, path) = (self.meter.clone(), self.instance.clone(), self.path.clone());
        let sampled = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.take() {
                self.failed = Some(format!("what it uses cannot be written down: {error}"));
            }
            self
        });
        sampled.await.unwrap_or_else(|error| {
            let mut samples = Self::new(meter, instance, path);
            samples.failed = Some(format!("what it uses was not sampled, by a fault of tg: {error}"));
            samples
        })
    }

    fn take(&mut self) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let ts = u64::try_from(now).unwrap_or(u64::MAX);
        let Some(sample) = self.meter.sample(&self.instance, ts) else { return Ok(()) };
        let mut line = serde_json::to_vec(&Sample::Resources(sample))?;
        line.push(b'\n');
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            self.file.insert(OpenOptions::new().append(true).create(true).open(&self.path)?)
        };
        // One call, so that an agent that is killed leaves whole lines.
        file.write_all(&line)?;
        self.written += line.len() as u64;
        Ok(())
    }
}
