//! Publishes each instance's files as it ends, while the others go on.

use std::sync::Arc;

use tg_collector::{CollectError, Published, Publisher};
use tg_model::InstanceId;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

/// Instances that are published at a time.
const AT_A_TIME: usize = 16;

/// The publishing that goes on beside a run.
pub(super) struct Publishing {
    publisher: Publisher,
    ended: mpsc::UnboundedSender<InstanceId>,
    work: JoinHandle<Result<Published, CollectError>>,
}

impl Publishing {
    pub(super) fn begin(publisher: Publisher) -> Self {
        let (ended, inbox) = mpsc::unbounded_channel();
        let work = tokio::spawn(publish(publisher.clone(), inbox));
        Self { publisher, ended, work }
    }

    /// An instance has ended.
    pub(super) fn ended(&self, instance: &InstanceId) {
        // After a failure nobody listens any more; it is told at the end.
        drop(self.ended.send(instance.clone()));
    }

    /// Waits for the rest, and publishes the run's own files.
    pub(super) async fn finish(self) -> (Publisher, Result<Published, CollectError>) {
        let Self { publisher, ended, work } = self;
        drop(ended);
        let published = async {
            let mut published = work.await.map_err(|error| CollectError::Fault(error.to_string()))??;
            let own = publisher.own().await?;
            published.files += own.files;
            published.bytes += own.bytes;
            Ok(published)
        };
        let published = published.await;
        (publisher, published)
    }
}

async fn publish(
    publisher: Publisher,
    mut inbox: mpsc::UnboundedReceiver<InstanceId>,
) -> Result<Published, CollectError> {
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let mut sending = JoinSet::new();
    let mut all = Published::default();
    let mut open = true;
    while open || !sending.is_empty() {
        tokio::select! {
            next = inbox.recv(), if open => match next {
                Some(id) => {
                    let (publisher, turns) = (publisher.clone(), Arc::clone(&turns));
                    sending.spawn(async move {
                        let _turn = turns.acquire_owned().await;
                        publisher.instance(&id).await
                    });
                }
                None => open = false,
            },
            Some(sent) = sending.join_next() => {
                let sent = sent.map_err(|error| CollectError::Fault(error.to_string()))??;
                all.files += sent.files;
                all.bytes += sent.bytes;
                all.notes.extend(sent.notes);
            }
        }
    }
    Ok(all)
}
